"""Elements met before: guests of one host are made alike, and their documents differ in a few names and addresses.

Records never change, so the record of an element stands for all elements of
the same text. The class of a section whose elements are remembered says so in
its class variable `remembered`; what holds a secret is not.

Only text that needs no second look is taken apart here, by where elements
begin and end; `take_apart` answers None for all else, and for what is wrong.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from msgspec.structs import replace

from roost.xml.record import Record
from roost.xml.shape import RECORDS, Field, records_below, shape_of

#: Bytes. Longer elements are rarely the same as others, longer documents rarely worth the search.
_MAX_ELEMENT, _MAX_DOCUMENT = 1024, 64 * 1024
#: Elements kept; when there are as many, all are forgotten.
MAX_KEPT = 2048

_SLASH = ord("/")
#: The start of an element, with the blanks before it.
_START = re.compile(rb"\s*+<([A-Za-z_][\w.-]*+)[^<>]*+>")
#: An XML declaration without an encoding of its own.
_DECLARATION = re.compile(rb"<\?xml version=['\"]1\.0['\"](?: encoding=['\"](?i:utf-8)['\"])?\s*\?>\s*")


class Section(NamedTuple):
    """Where elements are remembered. holder: the class of the section's record.

    fields: of the holder, by the tags whose elements they list. secrets: names that show that an element may hold one.
    """

    field: str
    tag: str
    opening: bytes
    closing: bytes
    holder: type[Record]
    fields: dict[bytes, str]
    secrets: re.Pattern[bytes]


#: An element of the section: its text, and the record, if it is known.
_Element = tuple[bytes, Any]


class Parts(NamedTuple):
    """A document taken apart. rest: without the known elements. elements: those with records, by the holder's field."""

    rest: bytes
    elements: dict[str, list[_Element]]


class Memory:
    """The records of elements, by their text; the texts that were written of those, by the record's id."""

    def __init__(self) -> None:
        #: For definitions and for what runs.
        self.records: tuple[dict[bytes, Any], dict[bytes, Any]] = ({}, {})
        self.ids: set[int] = set()
        #: By indentation.
        self.texts: dict[str, dict[int, str]] = {}

    def keep(self, text: bytes, live: bool, record: Any) -> None:
        if len(self.ids) >= MAX_KEPT:
            self.forget()
        # What one document says twice has two records: an id stands for a record only as long as that is held here.
        if self.records[live].setdefault(text, record) is record:
            self.ids.add(id(record))

    def forget(self) -> None:
        """All of it."""
        for records in self.records:
            records.clear()
        self.ids.clear()
        self.texts.clear()


memory = Memory()


def forget_elements() -> None:
    """Begin anew."""
    memory.forget()


_sections: dict[type[Record], Section | None] = {}


def section_of(cls: type[Record]) -> Section | None:
    """The section of a class's documents whose elements are remembered."""
    if cls not in _sections:
        _sections[cls] = next(
            (_section(f, f.record) for f in shape_of(cls).fields if f.record and is_section(f.record)), None
        )
    return _sections[cls]


def is_section(cls: type[Record]) -> bool:
    """Whether what a record of the class lists is remembered."""
    return bool(getattr(cls, "remembered", False))


def _section(field: Field, holder: type[Record]) -> Section:
    tag = field.path[-1]
    lists = [inner for inner in shape_of(holder).fields if inner.kind == RECORDS and len(inner.path) == 1]
    secret = {
        (inner.attribute or inner.path[-1]).encode()
        for record in records_below(holder)
        for inner in shape_of(record).fields
        if inner.at.secret
    }
    return Section(
        field.name,
        tag,
        f"<{tag}".encode(),
        f"</{tag}>".encode(),
        holder,
        {each.encode(): inner.name for inner in lists if inner.at.live is not True for each in inner.names()},
        re.compile(b"|".join(sorted(map(re.escape, secret)))),
    )


def take_apart(data: bytes, section: Section, live: bool) -> Parts | None:
    """The document without the section's known elements. live: as for reading."""
    if len(data) > _MAX_DOCUMENT or data.count(section.opening) != 1:
        return None
    start = _DECLARATION.match(data)
    begin, end = data.index(section.opening) + len(section.opening) + 1, data.rfind(section.closing)
    if data[begin - 1 : begin] != b">" or end < begin:
        return None
    # Comments may hide elements, and entities may be any.
    if b"<!" in data or data.find(b"<?", start.end() if start else 0) >= 0:
        return None
    match, fields, known = _START.match, section.fields, memory.records[live]
    elements: dict[str, list[_Element]] = {}
    met: set[bytes] = set()
    left = [data[:begin]]
    place = begin
    while (found := match(data, place, end)) is not None:
        stop, tag = found.end(), found[1]
        if data[stop - 2] != _SLASH:
            # With one of its name inside it is cut short, and what is left of it is no element.
            close = data.find(b"</%b>" % tag, stop, end)
            if close < 0:
                return None
            stop = close + len(tag) + 3
        text = data[place:stop]
        place = stop
        field = fields.get(tag)
        record = None
        if field is not None:
            # Two devices of one guest are never one record, or nobody would see that they claim the same place.
            record = None if text in met else known.get(text)
            met.add(text)
            if field in elements:
                elements[field].append((text, record))
            else:
                elements[field] = [(text, record)]
        if record is None:
            left.append(text)
    if data[place:end].strip():
        return None
    left.append(data[end:])
    return Parts(b"".join(left), elements)


def put_together(parts: Parts, holder: Record, section: Section, live: bool) -> Record | None:
    """The section's whole record. holder: that of what was left of it. None where the two do not go together."""
    fields = {}
    learned = []
    for field, elements in parts.elements.items():
        found = iter(getattr(holder, field))
        records = []
        for text, known in elements:
            record = known
            if known is None:
                record = next(found, None)
                learned.append((text, record))
            records.append(record)
        if next(found, None) is not None or any(record is None for record in records):
            return None
        fields[field] = tuple(records)
    for text, record in learned:
        if len(text) <= _MAX_ELEMENT and section.secrets.search(text) is None:
            memory.keep(text, live, record)
    return replace(holder, **fields)


def texts_at(pad: str) -> dict[int, str]:
    """What was written of remembered records at this indentation, by the record's id."""
    texts = memory.texts.get(pad)
    if texts is None:
        texts = memory.texts[pad] = {}
    return texts


def keep_text(texts: dict[int, str], record: Any, out: list[str], start: int) -> None:
    """Note what was written of a record from out[start] on, if it is remembered. texts: of `texts_at`."""
    if id(record) in memory.ids:
        texts[id(record)] = "".join(out[start:])


__all__ = [
    "Memory", "Parts", "Section", "forget_elements", "is_section", "keep_text", "put_together", "section_of",
    "take_apart", "texts_at",
]  # fmt: skip
