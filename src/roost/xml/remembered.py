"""Elements met before: guests of one host are made alike, and their documents differ in a few names and addresses.

Records never change, so the record of an element stands for all elements of
the same text. The class of a section whose elements are remembered says so in
its class variable `remembered`; beside it, the root's own sections are. What
holds a secret is not.

Only text that needs no second look is taken apart here, by where elements
begin and end; `take_apart` answers None for all else, and for what is wrong.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from msgspec.structs import replace

from roost.xml.record import Record
from roost.xml.shape import RECORDS, VALUE, VALUES, Field, records_below, shape_of
from roost.xml.values import TEXT, Pattern

R = TypeVar("R", bound=Record)

#: Bytes. Longer elements are rarely the same as others, longer documents rarely worth the search.
_MAX_ELEMENT, _MAX_DOCUMENT = 1024, 64 * 1024
#: Elements kept; when there are as many, all are forgotten.
MAX_KEPT = 2048

#: The start of a document up to its root's content. An XML declaration has no encoding of its own.
_HEAD = re.compile(rb"(?:<\?xml version=['\"]1\.0['\"](?: encoding=['\"](?i:utf-8)['\"])?\s*\?>)?\s*<[A-Za-z_][^<>]*>")
#: An element with the blanks before it, and its name. With one of its name inside it is cut short, and what is left of
#: it is no element. What is none comes as a whole, without a name, so that no text is looked at twice.
_ELEMENT = re.compile(
    rb"(\s*+<([A-Za-z_][\w.:-]*+)[^<>]*+>(?:(?<=/>)|[^<]*+(?:<(?!/\2[\s>])[^<]*+)*</\2\s*+>)|.+)", re.DOTALL
)


class _Level(NamedTuple):
    """The elements that are remembered inside one element, by their names.

    lists: the field that lists such elements. singles: the fields whose values stand in the one such element.
    """

    lists: dict[bytes, str]
    singles: dict[bytes, tuple[str, ...]]


class Section(NamedTuple):
    """Where elements are remembered: in the root, and in its child element for `field`.

    secrets: names that show that an element may hold one.
    """

    field: str
    opening: bytes
    closing: bytes
    root: _Level
    inside: _Level
    secrets: tuple[bytes, ...]


class _Taken(NamedTuple):
    """Elements by what is known of them.

    left: those to be read. values: of known ones that stand alone, by field. alone: such ones that are not known, with
    their fields. lists: the records of each list, None for those not known, whose texts are in `unknown`.
    """

    left: list[bytes]
    values: dict[str, Any]
    alone: list[tuple[bytes, tuple[str, ...]]]
    lists: Mapping[str, list[Any]]
    unknown: Mapping[str, list[bytes]]


class Parts(NamedTuple):
    """A document taken apart. rest: without the known elements."""

    rest: bytes
    root: _Taken
    inside: _Taken


class Memory:
    """What elements say, by their text: a record, or the values of their fields where they stand alone.

    ids: of the records in it. notes: what was found out about those, by what it is about and id.
    """

    def __init__(self) -> None:
        #: For definitions and for what runs.
        self.records: tuple[dict[bytes, Any], dict[bytes, Any]] = ({}, {})
        self.ids: set[int] = set()
        self.notes: dict[Hashable, dict[int, Any]] = {}

    def keep(self, text: bytes, live: bool, said: Any) -> None:
        if len(self.records[False]) + len(self.records[True]) >= MAX_KEPT:
            self.forget()
        # What one document says twice has two records: an id stands for a record only as long as that is held here.
        if self.records[live].setdefault(text, said) is not said:
            return
        if type(said) is tuple:
            self.ids.update(map(id, said))
        else:
            self.ids.add(id(said))

    def forget(self) -> None:
        """All of it."""
        for records in self.records:
            records.clear()
        self.ids.clear()
        self.notes.clear()


memory = Memory()


def forget_elements() -> None:
    """Begin anew."""
    memory.forget()


_sections: dict[type[Record], Section | None] = {}


def section_of(cls: type[Record]) -> Section | None:
    """The section of a class's documents whose elements are remembered."""
    if cls not in _sections:
        _sections[cls] = next(
            (_section(cls, f) for f in shape_of(cls).fields if f.record and is_section(f.record)), None
        )
    return _sections[cls]


def is_section(cls: type[Record]) -> bool:
    """Whether what a record of the class lists is remembered."""
    return bool(getattr(cls, "remembered", False))


def _section(cls: type[Record], field: Field) -> Section:
    assert field.record is not None
    tag = field.path[-1]
    secret = {
        (inner.attribute or inner.path[-1]).encode()
        for record in records_below(cls)
        for inner in shape_of(record).fields
        if inner.at.secret
    }
    inside = _level(field.record)
    root = _level(cls)
    # One text has one meaning, wherever it stands.
    singles = {name: fields for name, fields in root.singles.items() if name not in (*inside.lists, tag.encode())}
    return Section(
        field.name,
        f"<{tag}>".encode(),
        f"</{tag}>".encode(),
        _Level({}, singles),
        inside,
        tuple(sorted(secret)),
    )


def _level(cls: type[Record]) -> _Level:
    fields = [field for field in shape_of(cls).fields if field.path and field.at.live is not True]
    listed = [field for field in fields if len(field.path) == 1 and field.kind in (RECORDS, VALUES)]
    lists = {name.encode(): field.name for field in listed if field.kind == RECORDS for name in field.names()}
    single: dict[str, list[Field]] = {}
    for field in fields:
        single.setdefault(field.path[0], []).append(field)
    # Names with a prefix mean what the root says, and no two guests have the same name, UUID or title.
    singles = {
        name.encode(): tuple(field.name for field in held)
        for name, held in single.items()
        if ":" not in name and not {*held} & {*listed} and not all(map(_is_text, held))
    }
    return _Level(lists, singles)


def _is_text(field: Field) -> bool:
    return field.kind == VALUE and (field.value is TEXT or isinstance(field.value, Pattern))


def take_apart(data: bytes, section: Section, live: bool) -> Parts | None:
    """The document without the known elements. live: as for reading."""
    head = _HEAD.match(data)
    if head is None or len(data) > _MAX_DOCUMENT:
        return None
    start, begin, end, stop = head.end(), data.find(section.opening), data.rfind(section.closing), data.rfind(b"</")
    if not start <= begin < end < stop:
        return None
    known, find = memory.records[live], _ELEMENT.findall
    content, after = begin + len(section.opening), end + len(section.closing)
    root = _take(find(data, start, begin) + find(data, after, stop), section.root, known)
    inside = _take(find(data, content, end), section.inside, known)
    if root is None or inside is None:
        return None
    rest = b"".join((data[:start], *root.left, section.opening, *inside.left, section.closing, data[stop:]))
    # Comments may hide elements, entities may be any, and names may mean others.
    if b"<!" in rest or rest.find(b"<?", 1) >= 0 or rest.count(section.opening[:-1]) != 1 or b"xmlns=" in head[0]:
        return None
    return Parts(rest, root, inside)


def _take(elements: Iterable[tuple[bytes, bytes]], level: _Level, known: Mapping[bytes, Any]) -> _Taken | None:
    """Elements with their names, sorted. None where some of it is no element, or what stands alone does not."""
    listed, singles = level
    left: list[bytes] = []
    values: dict[str, Any] = {}
    alone: list[tuple[bytes, tuple[str, ...]]] = []
    lists: defaultdict[str, list[Any]] = defaultdict(list)
    unknown: defaultdict[str, list[bytes]] = defaultdict(list)
    met: set[bytes] = set()
    for text, name in elements:
        said = known.get(text)
        field = listed.get(name)
        if field is not None:
            # Two devices of one guest are never one record, or nobody would see that they claim the same place.
            if said is None or text in met:
                said = None
                left.append(text)
                unknown[field].append(text)
            met.add(text)
            lists[field].append(said)
        elif name in singles:
            if name in met:
                return None
            met.add(name)
            if said is None:
                left.append(text)
                alone.append((text, singles[name]))
            else:
                values.update(zip(singles[name], said, strict=True))
        elif name:
            left.append(text)
        elif not text.isspace():
            return None
    return _Taken(left, values, alone, lists, unknown)


def put_together(parts: Parts, record: R, section: Section, live: bool) -> R | None:
    """The whole record. record: that of what was left of the document. None where the two do not go together."""
    holder: Record = getattr(record, section.field)
    fields = parts.inside.values
    learned: list[tuple[bytes, Any]] = []
    for field, records in parts.inside.lists.items():
        found, texts = getattr(holder, field), parts.inside.unknown.get(field, ())
        if len(found) != len(texts):
            return None
        if texts:
            learned += zip(texts, found, strict=True)
            following = iter(found)
            records = [next(following) if each is None else each for each in records]
        fields[field] = tuple(records)
    for taken, held in ((parts.root, record), (parts.inside, holder)):
        learned += [(text, tuple([getattr(held, name) for name in names])) for text, names in taken.alone]
    secrets = [name for name in section.secrets if name in parts.rest]
    for text, said in learned:
        if len(text) <= _MAX_ELEMENT and not (secrets and any(name in text for name in secrets)):
            memory.keep(text, live, said)
    whole: R = replace(record, **{section.field: replace(holder, **fields)})
    return whole


def notes_about(subject: Hashable) -> dict[int, Any]:
    """What was noted of remembered records, by the record's id: notes last as long as the records are remembered.

    subject: what the notes are about.
    """
    notes = memory.notes.get(subject)
    if notes is None:
        notes = memory.notes[subject] = {}
    return notes


def is_remembered(record: Any) -> bool:
    """Whether the record stands for the elements of other documents, too, and may have notes."""
    return id(record) in memory.ids


__all__ = [
    "Memory", "Parts", "Section", "forget_elements", "is_remembered", "is_section", "notes_about", "put_together",
    "section_of", "take_apart",
]  # fmt: skip
