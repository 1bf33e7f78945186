"""Whole documents: `parse_document` and `format_document`, for any record class."""

from __future__ import annotations

from typing import TypeVar

from roost.errors import From, XmlError
from roost.xml.decode import PARSERS, WRONG
from roost.xml.encode import OPEN, WRITERS
from roost.xml.faults import Inspector
from roost.xml.names import canonical_names
from roost.xml.record import Record
from roost.xml.shape import RAW, RECORD, RECORDS, shape_of
from roost.xml.tree import Node, read, to_bytes

R = TypeVar("R", bound=Record)

_raw_tags: dict[type[Record], frozenset[str]] = {}


def parse_document(
    text: str | bytes, cls: type[R], tag: str, *, name: str, live: bool = False, validate: bool = False
) -> R:
    """The record that the document is.

    tag: the root element's name. name: what messages call the document,
    such as `(domain_definition)`. live: keep what is known of a running guest
    only. validate: refuse elements and attributes that no field declares.
    Raises RoostError: XmlDetail for text that is not XML, XmlError and others
    for wrong values, XmlInvalidSchema under `validate`.
    """
    data = to_bytes(text)
    raw = _raw_tags.get(cls)
    if raw is None:
        raw = _raw_tags[cls] = frozenset(f.path[0] for f in shape_of(cls).fields if f.kind == RAW)
    root = read(data, name, raw)
    namespaces = shape_of(cls).namespaces
    if namespaces and any(uri.encode() in data or f"{prefix}:".encode() in data for prefix, uri in namespaces.items()):
        root = canonical_names(root, namespaces)
    if root[0] != tag:
        raise XmlError(f"expecting root element of '{tag}', not '{root[0]}'", domain=From.XML)
    inspector = Inspector(data, root)
    if validate:
        inspector.refuse_unknown(cls)
    try:
        record: R = PARSERS[cls](root, live)
    except WRONG:
        raise inspector.raise_wrong_value(cls) from None
    return record


def parse_member(
    text: str | bytes, cls: type[Record], *, name: str, live: bool = False, validate: bool = False
) -> Record:
    """The record of a document that is one child element of what `cls` describes: one device, say.

    Raises as `parse_document` does; XmlError when `cls` holds no such record.
    """
    data = to_bytes(text)
    document = read(data, name)
    if not any(field.path == (document[0],) for field in shape_of(cls).fields if field.kind in (RECORD, RECORDS)):
        raise XmlError(f"unknown device type '{document[0]}'", domain=From.DOMAIN)
    # A root around it lets the parser of `cls` do the work; lines are counted from the document itself.
    root: Node = ["", {}, [document], ""]
    inspector = Inspector(data, root, wrapped=True)
    if validate:
        inspector.refuse_unknown(cls)
    try:
        holder = PARSERS[cls](root, live)
    except WRONG:
        raise inspector.raise_wrong_value(cls) from None
    for field in shape_of(cls).fields:
        if field.path == (document[0],):
            held = getattr(holder, field.name)
            record: Record = held[0] if field.kind == RECORDS else held
            return record
    raise AssertionError(document[0])


def format_document(record: Record, tag: str, *, secure: bool = True, indent: int = 0) -> str:
    """The record as text. secure: write passwords too. indent: levels, for a document inside another."""
    out: list[str] = []
    WRITERS[type(record)](record, tag, out, "  " * indent, secure, OPEN)
    return "".join(out)
