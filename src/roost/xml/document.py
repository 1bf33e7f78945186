"""Whole documents: `parse_document` and `format_document`, for any record class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from roost.errors import From, XmlDetail, XmlError
from roost.xml.decode import PARSERS, WRONG
from roost.xml.encode import OPEN, WRITERS
from roost.xml.faults import Inspector
from roost.xml.names import canonical_names
from roost.xml.record import Record
from roost.xml.shape import RAW, RECORD, RECORDS, VALUE, VALUES, Field, records_below, shape_of
from roost.xml.tree import Node, read, to_bytes

R = TypeVar("R", bound=Record)

Path = tuple[str, ...]

#: Per document class, the tags whose text matters, the elements kept raw and the groups of tags whose order matters;
#: the elements of which several are one.
_tags: dict[type[Record], tuple[frozenset[str], frozenset[Path], dict[str, str]]] = {}
_merges: dict[type[Record], list[Path]] = {}


def _tags_of(cls: type[Record]) -> tuple[frozenset[str], frozenset[Path], dict[str, str]]:
    tags = _tags.get(cls)
    if tags is None:
        texts = set()
        groups: dict[str, str] = {}
        for record in records_below(cls):
            shape = shape_of(record)
            for field in shape.fields:
                if field.kind in (VALUE, VALUES) and not field.attribute:
                    texts |= {field.path[-1]} if field.path else _names_for(cls, record)
                if field.by_element:
                    groups |= dict.fromkeys(field.members, field.path[-1])
        tags = _tags[cls] = frozenset(texts), frozenset(_paths(cls, lambda field: field.kind == RAW)), groups
    return tags


def _paths(cls: type[Record], wanted: Callable[[Field], bool], seen: tuple[type[Record], ...] = ()) -> Iterator[Path]:
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
    live: bool = False,
    validate: bool = False,
) -> R:
    """The record that the document is.

    tag: the root element's name. name: what messages call the document,
    such as `(domain_definition)`. origin: whose error it is when the text is no
    XML. live: keep what is known of a running guest only. validate: refuse
    elements and attributes that no field declares.
    Raises RoostError: XmlDetail for text that is not XML, XmlError and others
    for wrong values, XmlInvalidSchema under `validate`.
    """
    data = to_bytes(text)
    try:
        root = read(data, name, *_tags_of(cls))
    except XmlDetail as error:
        error.domain = origin
        raise
    namespaces = shape_of(cls).namespaces
    if namespaces and any(uri.encode() in data or f"{prefix}:".encode() in data for prefix, uri in namespaces.items()):
        root = canonical_names(root, namespaces)
    if root[0] != tag:
        raise XmlError(f"expecting root element of '{tag}', not '{root[0]}'", domain=From.XML)
    _merge(cls, root)
    if validate:
        Inspector(data, root).refuse_unknown(cls)
    try:
        record: R = PARSERS[cls](root, live)
    except WRONG:
        raise Inspector(data, root).raise_wrong_value(cls) from None
    return record


def _merge(cls: type[Record], root: Node) -> None:
    """Make one of several elements, where they count as one."""
    paths = _merges.get(cls)
    if paths is None:
        paths = _merges[cls] = list(_paths(cls, lambda field: field.at.merged))
    for *steps, tag in paths:
        node: Node | None = root
        for step in steps:
            node = next(iter((node[2] or {}).get(step, ())), None) if node else None
        if node and node[2] and len(node[2].get(tag, ())) > 1:
            node[2][tag] = [_merged(node[2][tag])]


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
