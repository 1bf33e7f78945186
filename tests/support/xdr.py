"""The protocol's facts, and an XDR encoder made from nothing but them.

tests/wire/facts.tsv says of every procedure what the wire says, written down
apart from the tables under test. Types are written as

    i u h U d       int, unsigned int, hyper, unsigned hyper, double
    s9 o9 f9        string<9>, opaque<9>, opaque[9]
    c9 C9           char<9>, char[9]
    [9 X]           X<9>
    ?X              X *
    (X Y)           struct
    {1:X 2:Y}       union switch (int)
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

FACTS = Path(__file__).parents[1] / "wire" / "facts.tsv"
_SCALARS = {"i": ">i", "u": ">I", "h": ">q", "U": ">Q", "d": ">d"}
_RANGES = {"i": (-(2**31), 2**31 - 1), "u": (0, 2**32 - 1), "h": (-(2**63), 2**63 - 1), "U": (0, 2**64 - 1)}


class Kind(NamedTuple):
    """tag: the letter or bracket. limit: where there is one. items: inner types. cases: of a union."""

    tag: str
    limit: int = 0
    items: tuple[Kind, ...] = ()
    cases: tuple[int, ...] = ()


class Fact(NamedTuple):
    program: str
    number: int
    name: str
    api: str
    priority: str
    readonly: str
    args: tuple[Kind, ...]
    ret: tuple[Kind, ...]
    msg: tuple[Kind, ...]
    acl: tuple[str, ...] | None


def facts() -> list[Fact]:
    rows = [line.split("\t") for line in FACTS.read_text().splitlines()]
    made = []
    for row in rows[1:]:
        args, ret, msg = [parse(text) if text != "-" else () for text in row[6:9]]
        acl = None if row[9] == "?" else tuple(row[9].split(";")) if row[9] != "-" else ()
        made.append(Fact(row[0], int(row[1]), row[2], row[3].strip("-"), row[4], row[5], args, ret, msg, acl))
    return made


def parse(text: str) -> tuple[Kind, ...]:
    tokens = re.findall(r"\d+:|[a-zA-Z]\d*|\d+|[\[\](){}?]", text)
    kinds = []
    while tokens:
        kinds.append(_parse(tokens))
    return tuple(kinds)


def _parse(tokens: list[str]) -> Kind:
    token = tokens.pop(0)
    if token == "?":
        return Kind("?", items=(_parse(tokens),))
    if token == "[":
        limit = int(tokens.pop(0))
        item = _parse(tokens)
        assert tokens.pop(0) == "]"
        return Kind("[", limit, (item,))
    if token in "({":
        items, cases = [], []
        while tokens[0] not in ")}":
            if token == "{":
                cases.append(int(tokens.pop(0)[:-1]))
            items.append(_parse(tokens))
        tokens.pop(0)
        return Kind(token, items=tuple(items), cases=tuple(cases))
    return Kind(token[0], int(token[1:] or 0))


def encode(kind: Kind, value: Any) -> bytes:
    """One value as RFC 4506 says."""
    tag = kind.tag
    if tag in _SCALARS:
        return struct.pack(_SCALARS[tag], value)
    if tag == "f":
        assert len(value) == kind.limit
        return bytes(value)
    if tag in "so":
        data: bytes = value.encode("utf-8", "surrogateescape") if tag == "s" else value
        assert len(data) <= kind.limit
        return struct.pack(">I", len(data)) + data + b"\0" * ((4 - len(data) % 4) % 4)
    if tag in "cC":
        assert len(value) == kind.limit if tag == "C" else len(value) <= kind.limit
        count = struct.pack(">I", len(value)) if tag == "c" else b""
        return count + b"".join([struct.pack(">i", byte - 256 if byte > 127 else byte) for byte in value])
    if tag == "[":
        assert len(value) <= kind.limit
        return struct.pack(">I", len(value)) + b"".join([encode(kind.items[0], item) for item in value])
    if tag == "?":
        return bytes(4) if value is None else b"\0\0\0\1" + encode(kind.items[0], value)
    if tag == "(":
        return encode_all(kind.items, value)
    assert tag == "{"
    return struct.pack(">i", value[0]) + encode(kind.items[kind.cases.index(value[0])], value[1])


def encode_all(kinds: tuple[Kind, ...], values: Any) -> bytes:
    return b"".join([encode(kind, value) for kind, value in zip(kinds, values, strict=True)])


def values(kinds: tuple[Kind, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(*[value(kind) for kind in kinds])


def value(kind: Kind) -> st.SearchStrategy[Any]:
    """Values that come back as they were: any bytes as text, but no NUL, where C ends a string."""
    tag = kind.tag
    if tag == "d":
        return st.floats(allow_nan=False)
    if tag in _RANGES:
        low, high = _RANGES[tag]
        return st.integers(low, high)
    if tag in "fC":
        return st.binary(min_size=kind.limit, max_size=kind.limit)
    if tag in "oc":
        return st.binary(max_size=min(kind.limit, 9))
    if tag == "s":
        return st.binary(max_size=min(kind.limit, 9)).map(_text)
    if tag == "[":
        return st.lists(value(kind.items[0]), max_size=min(kind.limit, 3))
    if tag == "?":
        return st.none() | value(kind.items[0])
    if tag == "(":
        return values(kind.items)
    arms = zip(kind.cases, kind.items, strict=True)
    return st.one_of([st.tuples(st.just(case), value(item)) for case, item in arms])


def _text(data: bytes) -> str:
    return data.replace(b"\0", b"0").decode("utf-8", "surrogateescape")


def example(kinds: tuple[Kind, ...]) -> tuple[Any, ...]:
    """Values with nothing left out: every optional and one item of every list is there."""
    return tuple([_example(kind) for kind in kinds])


def _example(kind: Kind) -> Any:
    tag = kind.tag
    if tag in _SCALARS:
        return 1
    if tag == "s":
        return "text"[: kind.limit]
    if tag in "ocfC":
        return b"x" * (kind.limit if tag in "fC" else min(kind.limit, 3))
    if tag == "[":
        return [_example(kind.items[0])][: kind.limit]
    if tag == "?":
        return _example(kind.items[0])
    if tag == "(":
        return example(kind.items)
    return (kind.cases[-1], _example(kind.items[-1]))


def kinds(max_leaves: int = 8) -> st.SearchStrategy[Kind]:
    """Any type at all."""
    small = st.integers(0, 9)
    leaves = st.one_of(
        st.sampled_from([Kind("i"), Kind("u"), Kind("h"), Kind("U"), Kind("d")]),
        st.tuples(st.sampled_from("soc"), small).map(lambda pair: Kind(*pair)),
        st.sampled_from([Kind("f", 4), Kind("f", 8), Kind("f", 16)]),
        st.integers(1, 9).map(lambda length: Kind("C", length)),
    )

    def compound(inner: st.SearchStrategy[Kind]) -> st.SearchStrategy[Kind]:
        some = st.lists(inner, min_size=1, max_size=3).map(tuple)
        return st.one_of(
            inner.map(lambda item: Kind("?", items=(item,))),
            st.tuples(small, inner).map(lambda pair: Kind("[", pair[0], (pair[1],))),
            some.map(lambda items: Kind("(", items=items)),
            some.map(lambda items: Kind("{", items=items, cases=tuple(range(len(items))))),
        )

    return st.recursive(leaves, compound, max_leaves=max_leaves)
