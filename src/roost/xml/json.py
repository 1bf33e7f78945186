"""JSON of records, and its schema: the same fields, names and values as the declarations say.

Reading is strict. An unknown name, a wrong type and a value that no XML
document could hold are refused, each with its path.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from roost.errors import From, RoostError, XmlError
from roost.xml.notes import field_notes, summary
from roost.xml.record import Record, tag_field_of
from roost.xml.shape import FLAGGED, RAW, RECORD, RECORDS, VALUES, Field, records_below, shape_of
from roost.xml.tree import Tags, read, to_bytes

R = TypeVar("R", bound=Record)

_UNKNOWN = re.compile(r"unknown field `([^`]*)`")


def to_json(record: Record, *, indent: int = 0) -> bytes:
    """The record as JSON; fields that hold their default are left out. indent: spaces a level, 0 for one line."""
    data = msgspec.json.encode(record)
    return msgspec.json.format(data, indent=indent) if indent else data


def from_json(data: bytes | str, cls: type[R]) -> R:
    """The inverse of `to_json`. Raises XmlError (code 27) that names the path of what is wrong."""
    try:
        record = msgspec.json.decode(data, type=cls)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise _refused(str(error), _nearest(str(error), cls)) from None
    for path, right in _wrong_values(record, "$"):
        raise _refused(f"Value out of range - at `{path}`", f"expected {right}" if right else "")
    return record


def _refused(what: str, hint: str) -> RoostError:
    return XmlError(f"Invalid JSON document: {what}", domain=From.XML, hint=hint)


def _nearest(message: str, cls: type[Record]) -> str:
    unknown = _UNKNOWN.search(message)
    if unknown is None:
        return ""
    known = {name for record in records_below(cls) for name in record.__struct_fields__}
    close = difflib.get_close_matches(unknown[1], known, 1, 0.6)
    return f"the nearest name is {close[0]!r}" if close else ""


def _wrong_values(record: Record, path: str) -> Iterator[tuple[str, str]]:
    """The path of each value that no document could hold, and what would be right."""
    for field in shape_of(type(record)).fields:
        value, here = getattr(record, field.name), f"{path}.{field.name}"
        if value is None or field.kind == FLAGGED:
            continue
        if field.kind == RAW:
            if not _is_kept_subtree(value, field.path[-1]):
                yield here, f"one element <{field.path[-1]}> in the compact form of a kept subtree"
        elif field.kind == RECORD:
            yield from _wrong_values(value, here)
        elif field.kind == RECORDS:
            for number, item in enumerate(value):
                yield from _wrong_values(item, f"{here}[{number}]")
        elif field.kind == VALUES:
            for number, item in enumerate(value):
                if not field.value.allows(item):
                    yield f"{here}[{number}]", field.value.expected
        elif not field.value.allows(value):
            yield here, field.value.expected


def _is_kept_subtree(text: str, tag: str) -> bool:
    """Whether `text` is what reading it as a kept subtree gives."""
    try:
        events = read(b"<r>" + to_bytes(text) + b"</r>", "(json)", Tags(raw=frozenset({(tag,)})))
    except RoostError:
        return False
    return [event for event in events if isinstance(event, list)] == [[text]] and len(events) == 5


def json_schema(cls: type[Record]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the documents that `to_json` writes for records of the class."""
    records = records_below(cls)
    names = _names(records)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": cls.__name__,
        "$ref": f"#/$defs/{names[cls]}",
        "$defs": {names[record]: _record_schema(record, names) for record in records},
    }


def _names(records: list[type[Record]]) -> dict[type[Record], str]:
    """A name for each class; with its module where several are called the same."""
    plain = [record.__name__ for record in records]
    return {
        record: record.__name__
        if plain.count(record.__name__) == 1
        else f"{record.__module__.rpartition('.')[2]}.{record.__name__}"
        for record in records
    }


def _record_schema(cls: type[Record], names: dict[type[Record], str]) -> dict[str, Any]:
    notes = field_notes(cls)
    properties: dict[str, Any] = {}
    required: list[str] = []
    config = cls.__struct_config__
    if config.tag is not None:
        properties[tag_field_of(cls)] = {"const": str(config.tag)}
        required.append(tag_field_of(cls))
    for field in shape_of(cls).fields:
        schema = _field_schema(field, names)
        if notes.get(field.name):
            schema["description"] = notes[field.name]
        properties[field.name] = schema
        if field.required:
            required.append(field.name)
    whole: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        whole["required"] = required
    if summary(cls):
        whole["description"] = summary(cls)
    return whole


def _field_schema(field: Field, names: dict[type[Record], str]) -> dict[str, Any]:
    references: list[dict[str, Any]] = [{"$ref": f"#/$defs/{names[cls]}"} for cls in field.classes()]
    inner: dict[str, Any]
    if field.kind in (RECORD, RECORDS):
        inner = references[0] if len(references) == 1 else {"oneOf": references}
    elif field.kind == RAW:
        inner = {"type": "string"}
    elif field.kind == FLAGGED:
        inner = {"type": "boolean"}
    else:
        inner = dict(field.value.schema())
    if field.kind in (RECORDS, VALUES):
        return {"type": "array", "items": inner}
    if field.nullable:
        return {"anyOf": [inner, {"type": "null"}]}
    if not field.required and isinstance(field.default, (bool, int, str)):
        inner["default"] = field.default
    return inner
