"""The declarative binding between typed records and XML: dry, and ignorant of any particular document.

A record class declares each field once; parser, writer, defaults, enums, JSON
and schema are derived. Parsers and writers are compiled on first use.
May enter: what holds for every document type.
"""

from roost.xml.document import Problem, find_problems, format_document, parse_document, parse_member, root_of
from roost.xml.json import from_json, json_schema, to_json
from roost.xml.record import (
    Bytes,
    Child,
    Complaint,
    Flag,
    Hex2,
    Hex4,
    Int,
    KiB,
    Long,
    Mac,
    OnOff,
    Port,
    Positive,
    PrettyKiB,
    RawXml,
    Record,
    Text,
    UInt,
    ULong,
    Uuid,
    YesNo,
    at,
    inline,
    tag_of,
)
from roost.xml.remembered import forget_elements, is_remembered, notes_about
from roost.xml.values import Choice, Hex, Integer, Pattern, Size, Switch, Value

__all__ = [
    "Bytes", "Child", "Choice", "Complaint", "Flag", "Hex", "Hex2", "Hex4", "Int", "Integer", "KiB", "Long", "Mac",
    "OnOff", "Pattern", "Port", "Positive", "PrettyKiB", "Problem", "RawXml", "Record", "Size", "Switch", "Text",
    "UInt", "ULong", "Uuid", "Value", "YesNo", "at", "find_problems", "forget_elements",
    "format_document", "from_json", "inline", "is_remembered",
    "json_schema", "notes_about", "parse_document", "parse_member", "root_of", "tag_of", "to_json",
]  # fmt: skip
