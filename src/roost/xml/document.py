"""Whole documents: `parse_document` and `format_document`, for any record class."""

from __future__ import annotations

from typing import TypeVar

from roost.errors import From, XmlError
from roost.xml.decode import PARSERS, WRONG
from roost.xml.encode import OPEN, WRITERS
from roost.xml.faults import Inspector
from roost.xml.names import canonical_names
from roost.xml.record import Record
from roost.xml.shape import RAW, RECORD, RECORDS, VALUE, VALUES, records_below, shape_of
from roost.xml.tree import Node, read, to_bytes

R = TypeVar("R", bound=Record)

#: Per document class, the tags whose text matters and those kept raw.
_tags: dict[type[Record], tuple[frozenset[str], frozenset[str]]] = {}


def _tags_of(cls: type[Record]) -> tuple[frozenset[str], frozenset[str]]:
    tags = _tags.get(cls)
    if tags is None:
        texts = set()
        for record in records_below(cls):
            shape = shape_of(record)
            for field in shape.fields:
                if field.kind in (VALUE, VALUES) and not field.attribute:
                    texts |= {field.path[-1]} if field.path else _names_for(cls, record)
        raw = frozenset(field.path[0] for field in shape_of(cls).fields if field.kind == RAW)
        tags = _tags[cls] = frozenset(texts), raw
    return tags


def _names_for(cls: type[Record], record: type[Record]) -> set[str]:
    """The names under which `record` stands anywhere below `cls`."""
    fields = [field for holder in records_below(cls) for field in shape_of(holder).fields]
    return {field.path[-1] for field in fields if record in field.classes() and field.path}


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
    root = read(data, name, *_tags_of(cls))
    namespaces = shape_of(cls).namespaces
    if namespaces and any(uri.encode() in data or f"{prefix}:".encode() in data for prefix, uri in namespaces.items()):
        root = canonical_names(root, namespaces)
    if root[0] != tag:
        raise XmlError(f"expecting root element of '{tag}', not '{root[0]}'", domain=From.XML)
    for field in shape_of(cls).fields:
        if field.at.merged and root[2] and len(root[2].get(field.path[0], ())) > 1:
            root[2][field.path[0]] = [_merged(root[2][field.path[0]])]
    if validate:
        Inspector(data, root).refuse_unknown(cls)
    try:
        record: R = PARSERS[cls](root, live)
    except WRONG:
        raise Inspector(data, root).raise_wrong_value(cls) from None
    return record


def _merged(nodes: list[Node]) -> Node:
    """One node with the children of all."""
    children: dict[str, list[Node]] = {}
    for node in nodes:
        for tag, kids in (node[2] or {}).items():
            children.setdefault(tag, []).extend(kids)
    return [nodes[0][0], nodes[0][1], children, ""]


def parse_member(
    text: str | bytes, cls: type[Record], *, name: str, live: bool = False, validate: bool = False
) -> Record:
    """The record of a document that is one child element of what `cls` describes: one device, say.

    Raises as `parse_document` does; XmlError when `cls` holds no such record.
    """
    data = to_bytes(text)
    document = read(data, name, _tags_of(cls)[0])
    if not any(field.path == (document[0],) for field in shape_of(cls).fields if field.kind in (RECORD, RECORDS)):
        raise XmlError(f"unknown device type '{document[0]}'", domain=From.DOMAIN)
    # A root around it lets the parser of `cls` do the work; lines are counted from the document itself.
    root: Node = ["", {}, {document[0]: [document]}, ""]
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
