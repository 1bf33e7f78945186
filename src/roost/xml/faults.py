"""What is wrong with a document: walks tree and shape together, slowly, and raises the error.

Runs only after a generated parser gave up, or to refuse unknown names. Errors
carry libvirt's code and words; the hint adds the element's path, its line, and
the values that would be right.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from roost.errors import From, InternalError, InvalidArg, NumericOverflow, RoostError, XmlError, XmlInvalidSchema
from roost.xml.record import Complaint, Record
from roost.xml.shape import FLAGGED, RAW, RECORD, RECORDS, VALUES, Element, Field, shape_of
from roost.xml.tree import Node
from roost.xml.values import Integer, Size, TooLarge


class _Place:
    """An element, and how it was reached."""

    __slots__ = ("node", "path")

    def __init__(self, node: Node, path: str) -> None:
        self.node, self.path = node, path

    def first(self, tag: str) -> _Place | None:
        """The first child of that name."""
        places = self.every([tag])
        return places[0] if places else None

    def every(self, tags: Collection[str]) -> list[_Place]:
        """All children of these names; numbered in the path when there are several of a name."""
        found = [kid for kid in self.node.children if kid.tag in tags]
        total = Counter(kid.tag for kid in found)
        seen: Counter[str] = Counter()
        places = []
        for kid in found:
            seen[kid.tag] += 1
            step = f"{kid.tag}[{seen[kid.tag]}]" if total[kid.tag] > 1 else kid.tag
            places.append(_Place(kid, f"{self.path}/{step}"))
        return places


class Hint(str):
    """Where something is wrong and what would be right, as the hint of an error has it."""

    line: int
    path: str
    right: str

    def __new__(cls, line: int, path: str, right: str = "", word: str = "expected") -> Hint:
        hint = super().__new__(cls, f"line {line}, {path}" + (f": {word} {right}" if right else ""))
        hint.line, hint.path, hint.right = line, path, right
        return hint


class Inspector:
    """Inspects one document. root: its tree; one without a name stands around the document."""

    def __init__(self, root: Node) -> None:
        self.top = _Place(root, f"/{root.tag}" if root.tag else "")
        named = self.top.first("name")
        #: What the document calls what it describes.
        self.name = named.node.text if named else root.attributes.get("name", "")

    def raise_wrong_value(self, cls: type[Record]) -> RoostError:
        """Raises the error for the first wrong or missing value; returns one if all look right."""
        for error in self.wrong_values(cls):
            raise error
        return InternalError(f"the parser of {cls.__name__} refused a document in which nothing is wrong")

    def refuse_unknown(self, cls: type[Record]) -> None:
        """Raises XmlInvalidSchema for the first element or attribute that no field declares."""
        for error in self.unknown_names(cls):
            raise error

    def wrong_values(self, cls: type[Record]) -> Iterator[RoostError]:
        """The error for each wrong or missing value, in the order of the declarations."""
        return self._values(cls, self.top)

    def unknown_names(self, cls: type[Record]) -> Iterator[RoostError]:
        """XmlInvalidSchema for each element and attribute that no field declares."""
        return self._names(cls, self.top)

    # -- wrong values

    def _values(self, cls: type[Record], place: _Place) -> Iterator[RoostError]:
        shape = shape_of(cls)
        if shape.strangers:
            yield from self._strangers(shape.strangers, shape.root.child_names(), place)
        for field in shape.fields:
            if field.at.inline:
                yield from self._union(field, place)
            else:
                yield from self._field(field, place)

    def _strangers(self, complaint: Complaint, known: set[str], place: _Place) -> Iterator[RoostError]:
        for kid in place.node.children:
            if kid.tag not in known:
                right = f"one of {_known(kid.tag, known)}"
                yield complaint.about(kid.tag, self._hint(place.every([kid.tag])[0], "", right), self.name)

    def _field(self, field: Field, start: _Place) -> Iterator[RoostError]:
        many = field.kind in (VALUES, RECORDS)
        place: _Place | None = start
        for step in field.path[:-1] if many or field.kind == RECORD else field.path:
            place = place.first(step) if place else None
        if field.kind in (FLAGGED, RAW):
            return
        if many or field.kind == RECORD:
            found = place.every(field.names()) if place else []
            if field.at.only_with:
                found = [item for item in found[:1] if field.at.only_with in item.node.attributes]
            if field.at.once and len(found) > 1:
                yield field.at.once.about("", self._hint(found[1], "", "one"), self.name)
            for item in found if many or field.at.merged else found[:1]:
                yield from self._item(field, item)
            if field.required and not found:
                yield self._missing(field, start)
            return
        text = None
        if place:
            text = place.node.attributes.get(field.attribute) if field.attribute else place.node.text or None
            text = field.at.bare if text is None else text
        if text is None or text in field.at.unset:
            if field.required or (field.at.needed and place and text is None):
                yield self._missing(field, place or start)
            return
        assert place is not None
        yield from self._text(field, place, text)

    def _item(self, field: Field, place: _Place) -> Iterator[RoostError]:
        if field.kind == VALUES:
            text = place.node.attributes.get(field.attribute) if field.attribute else place.node.text
            if text is None:
                yield self._missing(field, place)
            else:
                yield from self._text(field, place, text)
        elif field.record:
            yield from self._values(field.record, place)
        else:
            yield from self._union(field, place)

    def _union(self, field: Field, place: _Place) -> Iterator[RoostError]:
        tag = place.node.tag if field.by_element else place.node.attributes.get(field.tag_field, field.at.default_tag)
        if tag is None:
            if field.required or not field.at.inline:
                yield self._error(
                    field, "missing", XmlError(
                        f"Missing required attribute '{field.tag_field}' in element '{place.node.tag}'",
                        domain=From.XML, hint=self._hint(place, field.tag_field, _one_of(field)),
                    ), place, field.tag_field,
                )  # fmt: skip
            return
        if tag not in field.members:
            yield self._error(
                field, "wrong", XmlError(
                    f"Invalid value for attribute '{field.tag_field}' in element '{place.node.tag}': '{tag}'.",
                    domain=From.XML, hint=self._hint(place, field.tag_field, _one_of(field)),
                ), place, field.tag_field, tag, _one_of(field),
            )  # fmt: skip
            return
        yield from self._values(field.members[tag], place)

    def _text(self, field: Field, place: _Place, text: str) -> Iterator[RoostError]:
        value = field.value
        try:
            if isinstance(value, Size):
                value.scale(text, place.node.attributes.get(value.unit))
            else:
                value.parse(text)
        except KeyError:
            unit = place.node.attributes.get("unit", "")
            hint = self._hint(place, "unit", "a unit such as KiB, MiB or GiB")
            yield InvalidArg(f"unknown suffix '{unit}'", domain=From.NONE, hint=hint)
        except TooLarge:
            size = f"{text}{place.node.attributes.get('unit', '')}"
            hint = self._hint(place, field.attribute, "")
            yield NumericOverflow(f"value too large: {size}", domain=From.NONE, hint=hint)
        except ValueError:
            nearest = value.nearest(text)
            right = f"{value.expected}; the nearest is {nearest!r}" if nearest else value.expected
            yield self._error(
                field, "wrong", self._wrong(field, place, text, right), place, field.attribute, text, right
            )  # fmt: skip

    def _wrong(self, field: Field, place: _Place, text: str, right: str) -> RoostError:
        hint = self._hint(place, field.attribute, right)
        if not field.attribute:
            steps = "/".join(field.path) or place.node.tag
            return XmlError(
                f"Invalid value '{text}' for element or attribute './{steps}[1]'", domain=From.XML, hint=hint
            )
        start = f"Invalid value for attribute '{field.attribute}' in element '{place.node.tag}': "
        if isinstance(field.value, Integer) and field.value.minimum > 0 and text.strip() == "0":
            return XmlError(start + "Zero is not permitted", domain=From.XML, hint=hint)
        return XmlError(f"{start}'{text}'.{field.value.complaint}", domain=From.XML, hint=hint)

    def _missing(self, field: Field, place: _Place) -> RoostError:
        if field.attribute:
            text = f"Missing required attribute '{field.attribute}' in element '{place.node.tag}'"
        else:
            name = field.path[-1] if field.path else "text"
            text = f"Missing required element '{name}' in element '{place.node.tag}'"
        hint = self._hint(place, "", field.value.expected)
        return self._error(field, "missing", XmlError(text, domain=From.XML, hint=hint), place)

    def _error(
        self,
        field: Field,
        kind: str,
        usual: RoostError,
        place: _Place,
        attribute: str = "",
        text: str = "",
        right: str = "",
    ) -> RoostError:
        """The field's own complaint where it has one, else `usual`."""
        complaint = (field.at.wrong or field.value.wrong) if kind == "wrong" else field.at.missing
        hint = self._hint(place, attribute, right)
        return complaint.about(text, hint, self.name, attribute) if complaint else usual

    def _hint(self, place: _Place, attribute: str, right: str, word: str = "expected") -> Hint:
        path = f"{place.path}/@{attribute}" if attribute else place.path
        return Hint(place.node.line, path, right, word)

    # -- unknown names

    def _names(self, cls: type[Record], place: _Place, others: Sequence[Element] = ()) -> Iterator[RoostError]:
        """Checks a record's element. others: what the fields of another record say of the same element."""
        levels = [(cls, shape_of(cls).root)]
        attributes = set()
        inlines = list(shape_of(cls).inlines())
        if shape_of(cls).tag_field:
            attributes.add(shape_of(cls).tag_field)
        while inlines:
            field = inlines.pop()
            attributes.add(field.tag_field)
            member = field.member(place.node.tag, place.node.attributes)
            if member:
                levels.append((member, shape_of(member).root))
                inlines.extend(shape_of(member).inlines())
        yield from self._element([*(root for _, root in levels), *others], place, attributes)

    def _element(self, elements: list[Element], place: _Place, attributes: set[str]) -> Iterator[RoostError]:
        """Checks the element at `place`, which `elements` describe together."""
        for element in elements:
            attributes.update(field.attribute for field in element.attributes)
            sized = [*element.attributes, element.text] if element.text else element.attributes
            attributes.update(field.value.unit for field in sized if field.value.unit)
        for name in place.node.attributes:
            if name not in attributes and not name.startswith("xmlns"):
                yield XmlInvalidSchema(
                    f"Invalid attribute {name} for element {place.node.tag}",
                    domain=From.XML, hint=self._hint(place, name, _known(name, attributes), "known are"),
                )  # fmt: skip
        for tag in {kid.tag: None for kid in place.node.children}:
            groups = [c for e in elements for c in e.children if isinstance(c, Element) and c.name == tag]
            fields = [c for e in elements for c in e.children if isinstance(c, Field) and c.path and tag in c.names()]
            if not groups and not fields:
                known = _known(tag, set().union(*(e.child_names() for e in elements)))
                for stranger in place.every([tag]):
                    yield XmlInvalidSchema(
                        f"Element {place.node.tag} has extra content: {tag}",
                        domain=From.XML, hint=self._hint(stranger, "", known, "known are"),
                    )  # fmt: skip
                continue
            for inner in place.every([tag]):
                yield from self._inside(fields, groups, inner)

    def _inside(self, fields: list[Field], groups: list[Element], inner: _Place) -> Iterator[RoostError]:
        if any(group.raw for group in groups):
            return
        attributes = {field.attribute for field in fields if field.kind == VALUES}
        for field in fields:
            if field.kind in (RECORD, RECORDS):
                member = field.record or field.member(inner.node.tag, inner.node.attributes)
                if member:
                    yield from self._names(member, inner, groups)
                return
        yield from self._element(groups, inner, attributes)


def _one_of(field: Field) -> str:
    return "one of " + ", ".join(field.members)


def _known(name: str, known: set[str]) -> str:
    """The names that would be right, and which of them `name` resembles."""
    nearest = difflib.get_close_matches(name, known, 1, 0.6)
    return (", ".join(sorted(known)) or "none") + (f"; the nearest is {nearest[0]!r}" if nearest else "")
