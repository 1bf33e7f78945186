"""What is wrong with a document: walks tree and shape together, slowly, and raises the error.

Runs only after a generated parser gave up, or to refuse unknown names. Errors
carry libvirt's code and words; the hint adds the element's path, its line, and
the values that would be right.
"""

from __future__ import annotations

import difflib
from collections import Counter

from roost.errors import From, InternalError, InvalidArg, RoostError, XmlError, XmlInvalidSchema
from roost.xml.record import Complaint, Record
from roost.xml.shape import FLAGGED, GROUP, RAW, RECORD, RECORDS, VALUES, Element, Field, shape_of
from roost.xml.tree import Node, line_of
from roost.xml.values import Integer, Size


class _Place:
    """An element, and how it was reached."""

    __slots__ = ("node", "path", "steps")

    def __init__(self, node: Node, path: str, steps: list[tuple[str, int]]) -> None:
        self.node, self.path, self.steps = node, path, steps

    def first(self, tag: str) -> _Place | None:
        """The first child of that name."""
        places = self.every(tag)
        return places[0] if places else None

    def every(self, tag: str) -> list[_Place]:
        """All children of that name, or group of names; numbered in the path when there are several of a name."""
        found = (self.node[2] or {}).get(tag, [])
        total = Counter(kid[0] for kid in found)
        seen: Counter[str] = Counter()
        places = []
        for kid in found:
            number = seen[kid[0]]
            seen[kid[0]] += 1
            step = f"{kid[0]}[{number + 1}]" if total[kid[0]] > 1 else kid[0]
            places.append(_Place(kid, f"{self.path}/{step}", [*self.steps, (kid[0], number)]))
        return places


class Inspector:
    """Inspects one document. data: its bytes, for line numbers. root: its tree.

    wrapped: the root is not in the document but stands around it.
    """

    def __init__(self, data: bytes, root: Node, *, wrapped: bool = False) -> None:
        self.data = data
        self.top = _Place(root, "", []) if wrapped else _Place(root, f"/{root[0]}", [(root[0], 0)])
        named = (root[2] or {}).get("name")
        #: What the document calls what it describes.
        self.name = str(named[0][3] if named else root[1].get("name", ""))

    def raise_wrong_value(self, cls: type[Record]) -> RoostError:
        """Raises the error for the first wrong or missing value; returns one if all look right."""
        self._values(cls, self.top)
        return InternalError(f"the parser of {cls.__name__} refused a document in which nothing is wrong")

    def refuse_unknown(self, cls: type[Record]) -> None:
        """Raises XmlInvalidSchema for the first element or attribute that no field declares."""
        self._names(cls, self.top)

    # -- wrong values

    def _values(self, cls: type[Record], place: _Place) -> None:
        shape = shape_of(cls)
        if shape.strangers:
            self._strangers(shape.strangers, shape.root.child_names(), place)
        for field in shape.fields:
            if field.at.inline:
                self._union(field, place)
            else:
                self._field(field, place)

    def _strangers(self, complaint: Complaint, known: set[str], place: _Place) -> None:
        for tag in place.node[2] or ():
            if tag not in known:
                nearest = difflib.get_close_matches(tag, known, 1, 0.6)
                right = f"one of {', '.join(sorted(known))}" + (f"; the nearest is {nearest[0]!r}" if nearest else "")
                raise complaint.about(tag, self._hint(place.every(tag)[0], "", right), self.name)

    def _field(self, field: Field, start: _Place) -> None:
        many = field.kind in (VALUES, RECORDS)
        place: _Place | None = start
        for step in field.path[:-1] if many or field.kind == RECORD else field.path:
            place = place.first(step) if place else None
        if field.kind in (FLAGGED, RAW):
            return
        if many or field.kind == RECORD:
            found = place.every(field.path[-1]) if place else []
            if field.at.only_with:
                found = [item for item in found[:1] if field.at.only_with in item.node[1]]
            if field.at.once and len(found) > 1:
                raise field.at.once.about("", self._hint(found[1], "", "one"), self.name)
            for item in found if many else found[:1]:
                self._item(field, item)
            if field.required and not found:
                raise self._missing(field, start)
            return
        text = None
        if place:
            text = place.node[1].get(field.attribute) if field.attribute else place.node[3] or None
            text = field.at.bare if text is None else text
        if text is None or text in field.at.unset:
            if field.required or (field.at.needed and place and text is None):
                raise self._missing(field, place or start)
            return
        assert place is not None
        self._text(field, place, text)

    def _item(self, field: Field, place: _Place) -> None:
        if field.kind == VALUES:
            text = place.node[1].get(field.attribute) if field.attribute else place.node[3]
            if text is None:
                raise self._missing(field, place)
            self._text(field, place, text)
        elif field.record:
            self._values(field.record, place)
        else:
            self._union(field, place)

    def _union(self, field: Field, place: _Place) -> None:
        tag = place.node[0] if field.by_element else place.node[1].get(field.tag_field, field.at.default_tag)
        if tag is None:
            if field.required or not field.at.inline:
                raise self._error(
                    field, "missing", XmlError(
                        f"Missing required attribute '{field.tag_field}' in element '{place.node[0]}'",
                        domain=From.XML, hint=self._hint(place, field.tag_field, _one_of(field)),
                    ), place, field.tag_field,
                )  # fmt: skip
            return
        if tag not in field.members:
            raise self._error(
                field, "wrong", XmlError(
                    f"Invalid value for attribute '{field.tag_field}' in element '{place.node[0]}': '{tag}'.",
                    domain=From.XML, hint=self._hint(place, field.tag_field, _one_of(field)),
                ), place, field.tag_field, tag, _one_of(field),
            )  # fmt: skip
        self._values(field.members[tag], place)

    def _text(self, field: Field, place: _Place, text: str) -> None:
        value = field.value
        try:
            if isinstance(value, Size):
                value.scale(text, place.node[1].get(value.unit))
            else:
                value.parse(text)
        except KeyError:
            unit = place.node[1].get("unit", "")
            hint = self._hint(place, "unit", "a unit such as KiB, MiB or GiB")
            raise InvalidArg(f"unknown suffix '{unit}'", domain=From.NONE, hint=hint) from None
        except ValueError:
            nearest = value.nearest(text)
            right = f"{value.expected}; the nearest is {nearest!r}" if nearest else value.expected
            raise self._error(
                field, "wrong", self._wrong(field, place, text, right), place, field.attribute, text, right
            ) from None  # fmt: skip

    def _wrong(self, field: Field, place: _Place, text: str, right: str) -> RoostError:
        hint = self._hint(place, field.attribute, right)
        if not field.attribute:
            steps = "/".join(field.path) or place.node[0]
            return XmlError(
                f"Invalid value '{text}' for element or attribute './{steps}[1]'", domain=From.XML, hint=hint
            )
        start = f"Invalid value for attribute '{field.attribute}' in element '{place.node[0]}': "
        if isinstance(field.value, Integer) and field.value.minimum > 0 and text.strip() == "0":
            return XmlError(start + "Zero is not permitted", domain=From.XML, hint=hint)
        return XmlError(f"{start}'{text}'.{field.value.complaint}", domain=From.XML, hint=hint)

    def _missing(self, field: Field, place: _Place) -> RoostError:
        if field.attribute:
            text = f"Missing required attribute '{field.attribute}' in element '{place.node[0]}'"
        else:
            name = field.path[-1] if field.path else "text"
            text = f"Missing required element '{name}' in element '{place.node[0]}'"
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
        complaint = field.at.wrong if kind == "wrong" else field.at.missing
        return complaint.about(text, self._hint(place, attribute, right), self.name) if complaint else usual

    def _hint(self, place: _Place, attribute: str, right: str) -> str:
        path = f"{place.path}/@{attribute}" if attribute else place.path
        where = f"line {line_of(self.data, place.steps)}, {path}"
        return f"{where}: expected {right}" if right else where

    # -- unknown names

    def _names(self, cls: type[Record], place: _Place) -> None:
        levels = [(cls, shape_of(cls).root)]
        attributes = set()
        inlines = list(shape_of(cls).inlines())
        if shape_of(cls).tag_field:
            attributes.add(shape_of(cls).tag_field)
        while inlines:
            field = inlines.pop()
            attributes.add(field.tag_field)
            member = field.member(place.node[0], place.node[1])
            if member:
                levels.append((member, shape_of(member).root))
                inlines.extend(shape_of(member).inlines())
        self._element([root for _, root in levels], place, attributes)

    def _element(self, elements: list[Element], place: _Place, attributes: set[str]) -> None:
        """Checks the element at `place`, which `elements` describe together."""
        for element in elements:
            attributes.update(field.attribute for field in element.attributes)
            sized = [*element.attributes, element.text] if element.text else element.attributes
            attributes.update(field.value.unit for field in sized if field.value.unit)
        for name in place.node[1]:
            if name not in attributes and not name.startswith("xmlns"):
                known = ", ".join(sorted(attributes)) or "none"
                raise XmlInvalidSchema(
                    f"Invalid attribute {name} for element {place.node[0]}",
                    domain=From.XML, hint=f"{self._hint(place, name, '')}: known are {known}",
                )  # fmt: skip
        for tag in place.node[2] or ():
            if GROUP in tag:
                continue
            groups = [c for e in elements for c in e.children if isinstance(c, Element) and c.name == tag]
            fields = [c for e in elements for c in e.children if isinstance(c, Field) and c.path and tag in c.names()]
            if not groups and not fields:
                known = ", ".join(sorted(set().union(*(e.child_names() for e in elements)))) or "none"
                raise XmlInvalidSchema(
                    f"Element {place.node[0]} has extra content: {tag}",
                    domain=From.XML, hint=f"{self._hint(place.every(tag)[0], '', '')}: known are {known}",
                )  # fmt: skip
            for inner in place.every(tag):
                self._inside(fields, groups, inner)

    def _inside(self, fields: list[Field], groups: list[Element], inner: _Place) -> None:
        if any(group.raw for group in groups):
            return
        attributes = {field.attribute for field in fields if field.kind == VALUES}
        for field in fields:
            if field.kind in (RECORD, RECORDS):
                member = field.record or field.member(inner.node[0], inner.node[1])
                if member:
                    self._names(member, inner)
                return
        self._element(groups, inner, attributes)


def _one_of(field: Field) -> str:
    return "one of " + ", ".join(field.members)
