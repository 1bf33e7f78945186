"""Every procedure of every program against the facts, value by value and byte by byte."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from roost.protocol import PROGRAMS, Procedure, types
from roost.wire import Codec, DecodeError
from roost.wire.types import (
    Array,
    Chars,
    FixedChars,
    FixedOpaque,
    Opaque,
    Optional,
    Scalar,
    String,
    Struct,
    Type,
    Union,
)
from support import xdr
from support.xdr import Fact, Kind

FACTS = xdr.facts()
BY_NAME = {program.name: program for program in PROGRAMS.values()}
PARTS = [(fact, part) for fact in FACTS for part in ("args", "ret", "msg") if getattr(fact, part)]


def procedure(fact: Fact) -> Procedure:
    return BY_NAME[fact.program].by_number[fact.number]


def codec(fact: Fact, part: str) -> Codec:
    found: Codec | None = getattr(procedure(fact), part)
    assert found is not None
    return found


def name(value: object) -> str:
    return f"{value.program}-{value.name}" if isinstance(value, Fact) else str(value)


def shape(kind: Type) -> Kind:
    """A type of the tables in the notation of the facts."""
    match kind:
        case Scalar():
            return Kind({"i": "i", "I": "u", "q": "h", "Q": "U", "d": "d"}[kind.code])
        case String():
            return Kind("s", kind.limit)
        case Opaque():
            return Kind("o", kind.limit)
        case FixedOpaque():
            return Kind("f", kind.length)
        case Chars():
            return Kind("c", kind.limit)
        case FixedChars():
            return Kind("C", kind.length)
        case Array():
            return Kind("[", kind.limit, (shape(kind.item),))
        case Optional():
            return Kind("?", items=(shape(kind.item),))
        case Struct():
            return Kind("(", items=tuple([shape(inner) for _, inner in kind.fields]))
        case Union():
            return Kind("{", items=tuple([shape(arm) for arm in kind.arms.values()]), cases=tuple(kind.arms))
    raise AssertionError(kind)


def flat(kinds: tuple[Kind, ...], part: str) -> tuple[Kind, ...]:
    """Event messages of the second generation nest those of the first; the tables have their fields in one row."""
    if part == "msg" and len(kinds) > 1 and kinds[-1].tag == "(" and kinds[0] == Kind("i"):
        *first, last = kinds
        return (*first, *last.items) if last.items[0] == shape(types.DOMAIN) else kinds
    return kinds


def test_no_procedure_is_missing_and_none_is_invented() -> None:
    assert {(fact.program, fact.number) for fact in FACTS} == {
        (program.name, procedure.number) for program in PROGRAMS.values() for procedure in program
    }


@pytest.mark.parametrize("fact", FACTS, ids=name)
def test_the_record_states_the_facts(fact: Fact) -> None:
    record = procedure(fact)
    assert (record.number, record.name, record.program) == (fact.number, fact.name, BY_NAME[fact.program].number)
    for part in ("args", "ret", "msg"):
        made: Codec | None = getattr(record, part)
        kinds = flat(getattr(fact, part), part)
        assert kinds == (tuple([shape(kind) for _, kind in made.fields]) if made else ())
    assert record.is_event == bool(fact.msg)
    if fact.program in ("REMOTE", "QEMU", "LXC") and fact.api:
        assert record.api == fact.api
    if fact.priority != "?":
        assert record.high_priority == (fact.priority == "high")
    if fact.acl is not None:
        assert record.acl == fact.acl
    if fact.readonly != "?":
        assert record.writes == (fact.readonly == "refused")


@pytest.mark.parametrize(("fact", "part"), PARTS, ids=name)
def test_bytes_and_round_trip(fact: Fact, part: str) -> None:
    kinds = flat(getattr(fact, part), part)
    walking = Codec(codec(fact, part).fields, "walking")
    compiled = Codec(walking.fields, "compiled")
    compiled.compile()

    @settings(max_examples=5, database=None)
    @given(xdr.values(kinds))
    def check(values: tuple[Any, ...]) -> None:
        expected = xdr.encode_all(kinds, values)
        for made in (walking, compiled):
            assert made.encode(values) == expected
            assert made.decode(expected) == values
            assert made.decode(b"\0" * 28 + expected + b"trailing", 28) == values

    check()


@pytest.mark.parametrize(("fact", "part"), PARTS, ids=name)
def test_cut_short_at_every_byte(fact: Fact, part: str) -> None:
    kinds = flat(getattr(fact, part), part)
    walking = Codec(codec(fact, part).fields, "walking")
    compiled = Codec(walking.fields, "compiled")
    compiled.compile()
    whole = xdr.encode_all(kinds, xdr.example(kinds))
    for length in range(len(whole)):
        for made in (walking, compiled):
            with pytest.raises(DecodeError, match="Unable to decode message payload"):
                made.decode(whole[:length])
