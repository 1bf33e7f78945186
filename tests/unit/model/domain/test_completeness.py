"""Every declared field is parsed by a golden document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from roost.model.domain import Domain, parse
from roost.xml import Record
from roost.xml.shape import records_below

GOLDEN = Path(__file__).parents[3] / "golden" / "domain"

#: Fields that no document can set to anything but their default, with the reason.
EXEMPT = {
    "EncryptionSecret.type": "has one value only",
    "Slice.type": "has one value only",
    "Redirdev.bus": "has one value only",
}


def records_in(value: object) -> Iterator[Record]:
    if isinstance(value, Record):
        yield value
        for name in value.__struct_fields__:
            yield from records_in(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from records_in(item)


def introduced(cls: type[Record], name: str) -> str:
    """`Class.field` with the class that declares the field first."""
    owner = [
        base
        for base in cls.__mro__
        if base is not Record and issubclass(base, Record) and name in base.__struct_fields__
    ][-1]
    return f"{owner.__name__}.{name}"


def covered(documents: Iterator[str]) -> set[str]:
    """The fields that hold something other than their default in some document."""
    seen = set()
    for text in documents:
        for record in records_in(parse(text, live=True)):
            for field in msgspec.structs.fields(record):
                if field.required or getattr(record, field.name) != field.default:
                    seen.add(introduced(type(record), field.name))
    return seen


def declared() -> set[str]:
    names = set()
    for cls in records_below(Domain):
        for name in cls.__struct_fields__:
            names.add(introduced(cls, name))
    return names


def test_every_field_is_in_a_golden_document() -> None:
    missing = declared() - covered(path.read_text() for path in sorted(GOLDEN.glob("*.xml")))
    assert missing == set(EXEMPT)


def test_every_record_class_is_used() -> None:
    used = set()
    for path in GOLDEN.glob("*.xml"):
        used |= {type(record) for record in records_in(parse(path.read_text(), live=True))}
    assert {cls.__name__ for cls in records_below(Domain) if cls not in used} == set()
