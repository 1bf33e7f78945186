"""Whole documents: `parse_document` and `format_document`, for any record class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from roost.errors import ConfigUnsupported, From, RoostError, XmlDetail, XmlError, XmlInvalidSchema
from roost.xml.decode import READERS, WRONG
from roost.xml.encode import OPEN, WRITERS
from roost.xml.faults import Hint, Inspector
from roost.xml.names import canonical_names
from roost.xml.record import Record
from roost.xml.remembered import Section, put_together, section_of, take_apart
from roost.xml.shape import RAW, RECORD, RECORDS, VALUE, VALUES, Field, records_below, shape_of
from roost.xml.tree import Event, Node, Tags, events_of, read, to_bytes, tree_of

R = TypeVar("R", bound=Record)


class _Reading(NamedTuple):
    """What reading a document of a class takes.

    tags: what is to be read besides elements and attributes. marks: bytes that
    show that a known namespace may be used. merged: the elements of which
    several count as one, by the tags that lead to them from below the root,
    and bytes that show where each begins.
    """

    tags: Tags
    namespaces: dict[str, str]
    marks: tuple[bytes, ...]
    merged: tuple[tuple[tuple[str, ...], bytes], ...]


_readings: dict[type[Record], _Reading] = {}


def _reading_of(cls: type[Record]) -> _Reading:
    reading = _readings.get(cls)
    if reading is None:
        texts = set()
        for record in records_below(cls):
            for field in shape_of(record).fields:
                if field.kind in (VALUE, VALUES) and not field.attribute:
                    texts |= {field.path[-1]} if field.path else _names_for(cls, record)
        namespaces = shape_of(cls).namespaces
        reading = _readings[cls] = _Reading(
            Tags(frozenset(texts), frozenset(_paths(cls, lambda field: field.kind == RAW))),
            namespaces,
            tuple(mark.encode() for prefix, uri in namespaces.items() for mark in (uri, f"{prefix}:")),
            tuple((path, f"<{path[-1]}".encode()) for path in _paths(cls, lambda field: field.at.merged)),
        )
    return reading


def _paths(
    cls: type[Record], wanted: Callable[[Field], bool], seen: tuple[type[Record], ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Where the wanted fields stand in a document and in the records that it holds."""
    for field in shape_of(cls).fields:
        if wanted(field):
            yield field.path
        elif field.kind == RECORD and field.record and field.record not in seen:
            for path in _paths(field.record, wanted, (*seen, cls)):
                yield field.path + path


def _names_for(cls: type[Record], record: type[Record]) -> set[str]:
    """The names under which `record` stands anywhere below `cls`."""
    fields = [field for holder in records_below(cls) for field in shape_of(holder).fields]
    return {name for field in fields if record in field.classes() and field.path for name in field.names()}


def parse_document(
    text: str | bytes,
    cls: type[R],
    tag: str,
    *,
    name: str,
    origin: int = From.DOMAIN,
    called: str | None = None,
    live: bool = False,
    validate: bool = False,
) -> R:
    """The record that the document is.

    tag: the root element's name. name: what messages call the document,
    such as `(domain_definition)`. origin: whose error it is when the text is no
    XML. called: what messages call the thing itself, other than by its name.
    live: keep what is known of a running guest only. validate: refuse elements
    and attributes that no field declares.
    Raises RoostError: XmlDetail for text that is not XML; XmlError and others
    for wrong values, or, under `validate`, XmlInvalidSchema.
    """
    data = to_bytes(text)
    section = None if validate else section_of(cls)
    if section is not None:
        known = _read_in_parts(data, cls, tag, section, live)
        if known is not None:
            return known
    events = _events(data, cls, name, origin)
    found = str(events[0][0])
    if found != tag:
        raise XmlError(f"expecting root element of '{tag}', not '{found}'", domain=From.XML)
    if validate:
        _inspector(data, cls, name).refuse_unknown(cls)
    try:
        record: R = _record(cls, _merge(cls, data, events), live)
    except WRONG:
        inspector = _inspector(data, cls, name)
        inspector.name = inspector.name if called is None else called
        raise _wrong_value(inspector, cls, validate=validate) from None
    return record


def _read_in_parts(data: bytes, cls: type[R], tag: str, section: Section, live: bool) -> R | None:
    """The record of a document some of whose elements may be known; None where it must be read as a whole."""
    try:
        parts = take_apart(data, section, live)
        if parts is None:
            return None
        events = _events(parts.rest, cls, "", From.DOMAIN)
        if events[0][0] != tag:
            return None
        record: R = _record(cls, _merge(cls, parts.rest, events), live, parts.root.values)
        whole = put_together(parts, record, section, live)
    except (RoostError, *WRONG):
        return None
    return whole


def _wrong_value(inspector: Inspector, cls: type[Record], *, validate: bool) -> RoostError:
    """The error about the first wrong value: the schema's, where the document is held to it."""
    try:
        return inspector.raise_wrong_value(cls)
    except RoostError as error:
        return XmlInvalidSchema(error.detail or error.bare, hint=error.hint, domain=From.XML) if validate else error


def _events(data: bytes, cls: type[Record], name: str, origin: int, lines: list[int] | None = None) -> list[Event]:
    reading = _reading_of(cls)
    try:
        events = read(data, name, reading.tags, lines)
    except XmlDetail as error:
        error.domain = origin
        raise
    if any(mark in data for mark in reading.marks):
        events = canonical_names(events, reading.namespaces)
    return events


def _merge(cls: type[Record], data: bytes, events: list[Event]) -> list[Event]:
    """The events with one element where several count as one."""
    paths = [path for path, mark in _reading_of(cls).merged if data.count(mark) > 1]
    if not paths:
        return events
    root = tree_of(events)
    for *steps, tag in paths:
        node: Node | None = root
        for step in steps:
            node = next((kid for kid in node.children if kid.tag == step), None) if node else None
        found = [kid for kid in node.children if kid.tag == tag] if node else []
        for other in found[1:]:
            found[0].children += other.children
            other.children = []
    return list(events_of(root))


def _record(cls: type[Record], events: list[Event], live: bool, known: dict[str, Any] | None = None) -> Any:
    """The record of the element that the events are. known: values of fields that these do not show."""
    stream = iter(events)
    start = next(stream)
    assert isinstance(start, tuple)
    return READERS[cls](start[1], stream, live, known)


def _inspector(data: bytes, cls: type[Record], name: str, *, wrapped: bool = False) -> Inspector:
    """Reads the document again, for the lines on which its elements stand."""
    lines: list[int] = []
    events = _events(data, cls, name, From.XML, lines)
    root = tree_of(events, lines)
    if wrapped:
        document, root = root, Node("", {})
        root.children.append(document)
    return Inspector(root)


def root_of(text: str | bytes, *, name: str) -> str:
    """The name of a document's root element. Raises XmlDetail for text that is not XML."""
    return str(read(to_bytes(text), name)[0][0])


class Problem(NamedTuple):
    """One thing that is wrong with a document: line, path of the element or attribute, what it is, what would be right.

    right is "" where nothing in particular would be.
    """

    line: int
    path: str
    what: str
    right: str


def find_problems(text: str | bytes, cls: type[Record], tag: str, *, name: str) -> list[Problem]:
    """All unknown names, wrong values and missing ones of a document, by line; tag, name: as for `parse_document`.

    Raises XmlDetail for text that is not XML.
    """
    data = to_bytes(text)
    inspector = _inspector(data, cls, name)
    found = inspector.top.node.tag
    if found != tag:
        return [Problem(1, f"/{found}", f"expecting root element of '{tag}', not '{found}'", "")]
    wrong = [_problem(error) for error in inspector.wrong_values(cls)]
    # Some sections refuse strangers themselves.
    places = {(problem.line, problem.path) for problem in wrong}
    unknown = [_problem(error) for error in inspector.unknown_names(cls)]
    problems = [*(problem for problem in unknown if (problem.line, problem.path) not in places), *wrong]
    return sorted(problems, key=lambda problem: problem.line)


def _problem(error: RoostError) -> Problem:
    hint = error.hint
    assert isinstance(hint, Hint)
    return Problem(hint.line, hint.path, error.message.removesuffix(f"; {hint}"), hint.right)


def parse_member(
    text: str | bytes, cls: type[Record], *, name: str, live: bool = False, validate: bool = False
) -> Record:
    """The record of a document that is one child element of what `cls` describes: one device, say.

    Raises as `parse_document` does; XmlError when `cls` holds no such record.
    """
    data = to_bytes(text)
    events = _events(data, cls, name, From.DOMAIN)
    tag = str(events[0][0])
    field = next((f for f in shape_of(cls).fields if f.kind in (RECORD, RECORDS) and f.path == (tag,)), None)
    if field is None:
        raise ConfigUnsupported(f"unknown device type '{tag}'", domain=From.DOMAIN)
    if validate:
        _inspector(data, cls, name, wrapped=True).refuse_unknown(cls)
    try:
        # An element around it lets the plan of `cls` do the work.
        holder = _record(cls, [("", {}), *events, ""], live)
    except WRONG:
        raise _inspector(data, cls, name, wrapped=True).raise_wrong_value(cls) from None
    held = getattr(holder, field.name)
    record: Record = held[0] if field.kind == RECORDS else held
    return record


def format_document(record: Record, tag: str, *, secure: bool = True, indent: int = 0) -> str:
    """The record as text. secure: write passwords too. indent: levels, for a document inside another."""
    out: list[str] = []
    WRITERS[type(record)](record, tag, out, "  " * indent, secure, OPEN)
    return "".join(out)
