"""What libvirt's documents may hold is declared, and what is declared is parsed by some golden document."""

from __future__ import annotations

import functools
from typing import NamedTuple

import msgspec

from roost.model.documents import DOCUMENTS
from roost.xml import Record
from roost.xml.shape import records_below, shape_of
from support.goldens import golden
from support.vocabulary import is_declared, left_out, missing, vocabulary


class FieldOf(NamedTuple):
    """A field, called `Class.field` with the class that declares it first."""

    name: str
    default: object
    title: str


@functools.cache
def fields_of(cls: type[Record]) -> tuple[FieldOf, ...]:
    """The fields of a class; one that is required has a default like no other value."""
    return tuple(
        FieldOf(field.name, msgspec.NODEFAULT if field.required else field.default, introduced(cls, field.name))
        for field in msgspec.structs.fields(cls)
    )


def introduced(cls: type[Record], name: str) -> str:
    owner = [
        base
        for base in cls.__mro__
        if base is not Record and issubclass(base, Record) and name in base.__struct_fields__
    ][-1]
    return f"{owner.__name__}.{name}"


@functools.cache
def used() -> tuple[set[type[Record]], set[str]]:
    """The record classes of which the golden documents have some, and the fields that hold more than their default."""
    classes, fields = set(), set()
    todo: list[object] = [one.record for one in golden()]
    while todo:
        value = todo.pop()
        if isinstance(value, tuple):
            todo.extend(value)
        elif isinstance(value, Record):
            classes.add(type(value))
            for field in fields_of(type(value)):
                inner = getattr(value, field.name)
                if inner != field.default:
                    fields.add(field.title)
                    todo.append(inner)
    return classes, fields


def declared() -> set[type[Record]]:
    return {cls for document in DOCUMENTS for cls in records_below(document.cls)}


def has_one_value(cls: type[Record], name: str) -> bool:
    """Whether a field can hold nothing but its default."""
    field = next(field for field in shape_of(cls).fields if field.name == name)
    return not field.required and not field.nullable and field.value.complete and len(field.value.table) == 1


def test_every_field_is_in_a_golden_document() -> None:
    titles = {field.title for cls in declared() for field in fields_of(cls) if not has_one_value(cls, field.name)}
    assert sorted(titles - used()[1]) == []


def test_every_record_class_is_used() -> None:
    assert sorted(cls.__name__ for cls in declared() - used()[0]) == []


def test_the_vocabulary_is_declared_or_left_out_with_a_reason() -> None:
    assert missing() == []


def test_what_is_left_out_is_in_the_vocabulary_and_not_declared() -> None:
    known = vocabulary()
    for path, reason in left_out().items():
        below = [other for other in known if other == path or other.startswith(f"{path}/")]
        assert below, path
        assert not any(is_declared(other, known[other]) for other in below), path
        assert len(reason.split()) >= 5, path


def test_every_type_has_golden_documents_and_a_vocabulary() -> None:
    every = {document.schema for document in DOCUMENTS}
    assert every - {one.type.schema for one in golden()} == set()
    assert every - set(vocabulary().values()) == set()
