"""Documents as JSON: what a command reads or writes in place of XML. Loads the model, so it is itself loaded lazily."""

from __future__ import annotations

from roost.model.documents import document_type
from roost.xml import format_document, from_json, parse_document, to_json


def xml_of(text: str, schema: str) -> str:
    """A JSON document as XML. schema: the name of its type, `domain`. Raises XmlError."""
    document = document_type(schema)
    return format_document(from_json(text.encode("utf-8", "surrogateescape"), document.cls), document.tag)


def json_of(text: str, schema: str) -> str:
    """An XML document as JSON, with two spaces a level."""
    document = document_type(schema)
    record = parse_document(text, document.cls, document.tag, name=document.name, live=True)
    return to_json(record, indent=2).decode() + "\n"
