"""Any type at all, walked and compiled, against an encoder that shares nothing with either."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.wire import Codec, DecodeError, EncodeError
from roost.wire.records import Record
from roost.wire.types import (
    DOUBLE,
    HYPER,
    INT,
    UHYPER,
    UINT,
    Array,
    Chars,
    FixedChars,
    FixedOpaque,
    Name,
    Opaque,
    Optional,
    String,
    Struct,
    Type,
    Union,
)
from support import xdr
from support.xdr import Kind


class One(Record):
    first: object


class Two(Record):
    first: object
    second: object


class Three(Record):
    first: object
    second: object
    third: object


RECORDS: dict[int, type[tuple[Any, ...]]] = {1: One, 2: Two, 3: Three}
SCALARS = {"i": INT, "u": UINT, "h": HYPER, "U": UHYPER, "d": DOUBLE}


def build(kind: Kind) -> Type:
    inner = [build(item) for item in kind.items]
    match kind.tag:
        case "s":
            return (Name if kind.limit % 2 else String)(kind.limit)
        case "o":
            return Opaque(kind.limit)
        case "f":
            return FixedOpaque(kind.limit)
        case "c":
            return Chars(kind.limit)
        case "C":
            return FixedChars(kind.limit)
        case "[":
            return Array(inner[0], kind.limit)
        case "?":
            return Optional(inner[0])
        case "(":
            return Struct(RECORDS[len(inner)], *inner)
        case "{":
            return Union(dict(zip(kind.cases, inner, strict=True)))
        case _:
            return SCALARS[kind.tag]


def codecs(kinds: tuple[Kind, ...]) -> tuple[Codec, Codec]:
    """The same fields, to be walked and compiled."""
    fields = tuple([(f"field{index}", build(kind)) for index, kind in enumerate(kinds)])
    walking, compiled = Codec(fields, "walking"), Codec(fields, "compiled")
    compiled.compile()
    return walking, compiled


def both(text: str) -> tuple[Codec, Codec]:
    return codecs(xdr.parse(text))


SHAPES = st.lists(xdr.kinds(), min_size=1, max_size=4).map(tuple)


@given(st.data(), SHAPES)
def test_any_shape_gives_the_bytes_of_the_rfc_and_comes_back(data: st.DataObject, kinds: tuple[Kind, ...]) -> None:
    values = data.draw(xdr.values(kinds))
    expected = xdr.encode_all(kinds, values)
    for codec in codecs(kinds):
        assert codec.encode(values) == expected
        assert codec.decode(expected) == values


@given(SHAPES, st.binary(max_size=64))
def test_random_bytes_raise_only_decode_errors_and_the_same_ones(kinds: tuple[Kind, ...], data: bytes) -> None:
    walking, compiled = codecs(kinds)
    try:
        values: Any = walking.decode(data)
    except DecodeError:
        with pytest.raises(DecodeError):
            compiled.decode(data)
    else:
        assert repr(compiled.decode(data)) == repr(values)  # as text: a NaN does not equal itself


@given(st.data(), SHAPES)
def test_one_wrong_byte_raises_only_decode_errors(data: st.DataObject, kinds: tuple[Kind, ...]) -> None:
    good = bytearray(xdr.encode_all(kinds, data.draw(xdr.values(kinds))))
    if good:
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    for codec in codecs(kinds):
        try:
            codec.decode(bytes(good))
        except DecodeError:
            continue


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=6,
)


@given(SHAPES, st.lists(ANYTHING, max_size=4))
def test_values_of_any_type_raise_only_encode_errors(kinds: tuple[Kind, ...], values: list[Any]) -> None:
    walking, compiled = codecs(kinds)
    try:
        data = walking.encode(values)
    except EncodeError:
        with pytest.raises(EncodeError):
            compiled.encode(values)
    else:
        assert compiled.encode(values) == data


@pytest.mark.parametrize(
    ("shape", "good", "too_much"),
    [
        ("s4", "text", "longer"),
        ("s4", "éé", "ééé"),
        ("o4", b"1234", b"12345"),
        ("c4", b"1234", b"12345"),
        ("[2 u]", [1, 2], [1, 2, 3]),
        ("[2 s9]", ["a", "b"], ["a", "b", "c"]),
        ("(u [1 (u s1)])", (1, [(2, "a")]), (1, [(2, "a"), (3, "b")])),
        ("?s2", "ab", "abc"),
        ("{1:i 7:s2}", (7, "ab"), (7, "abc")),
    ],
)
def test_limits_hold_at_the_edge(shape: str, good: Any, too_much: Any) -> None:
    unlimited = xdr.parse(shape.replace("4", "9").replace("[2", "[9").replace("[1", "[9").replace("s2", "s9"))
    for codec in both(shape):
        assert codec.decode(codec.encode([good])) == (good,)
        with pytest.raises(EncodeError, match=r"has \d+, at most \d+ fit"):
            codec.encode([too_much])
        with pytest.raises(DecodeError, match=r"has \d+, at most \d+ fit"):
            codec.decode(xdr.encode_all(unlimited, [too_much]))


@pytest.mark.parametrize("shape", ["f4", "C4"])
@pytest.mark.parametrize("value", [b"", b"123", b"12345"])
def test_fixed_lengths_are_exact(shape: str, value: bytes) -> None:
    for codec in both(shape):
        with pytest.raises(EncodeError, match="must have 4"):
            codec.encode([value])


@pytest.mark.parametrize(
    "shape",
    ["s4194304", "o8388608", "c65536", "[262144 s9]", "[262144 u]", "[65536 (s9 f16 i)]", "(u [16384 [256 u]])"],
)
def test_a_count_that_the_rest_cannot_hold_is_refused_before_anything_is_read(shape: str) -> None:
    """With a count within the limit, but of more than the message has."""
    count = 60000
    prefix = b"\0\0\0\1" if shape.startswith("(") else b""
    if shape.startswith("("):
        count = 16000
    data = prefix + count.to_bytes(4) + bytes(40)
    for codec in both(shape):
        with pytest.raises(DecodeError, match=f"promises {count}, but only 40 bytes are left"):
            codec.decode(data)


def test_the_largest_count_is_refused() -> None:
    for shape in ("s4194304", "o8388608", "c65536", "[262144 s9]", "[262144 u]"):
        for codec in both(shape):
            with pytest.raises(DecodeError, match="has 4294967295, at most"):
                codec.decode(b"\xff" * 64)


@pytest.mark.parametrize("flag", [b"\0\0\0\1", b"\1\0\0\0", b"\xff\xff\xff\xff", b"\0\0\1\0"])
def test_any_flag_but_zero_means_present(flag: bytes) -> None:
    for codec in both("?u"):
        assert codec.decode(flag + b"\0\0\0\5") == (5,)
        assert codec.decode(bytes(4)) == (None,)


def test_a_string_ends_at_its_first_nul() -> None:
    for codec in both("s99 u"):
        assert codec.decode(b"\0\0\0\5ab\0cd\0\0\0\0\0\0\7") == ("ab", 7)


def test_text_that_is_no_utf8_comes_back_as_it_was() -> None:
    for codec in both("s99"):
        (text,) = codec.decode(b"\0\0\0\4\xff\xfe\xc3\xa9")
        assert text == "\udcff\udcfeé"
        assert codec.encode([text]) == b"\0\0\0\4\xff\xfe\xc3\xa9"


def test_names_are_remembered_but_for_long_ones_and_never_more_than_so_many() -> None:
    kind = Name(9999)
    codec = Codec((("name", kind), ("number", UINT)), "compiled")
    codec.compile()
    for number in range(20_000):
        for _ in range(2):
            assert codec.encode([f"{number:06}", number])[4:10] == b"%06d" % number
    assert len(kind.known) < 9000
    assert codec.encode(["long" * 1000, 1]) == codec.encode(["long" * 1000, 1])
    assert "long" * 1000 not in kind.known
    with pytest.raises(EncodeError):
        codec.encode([["unhashable"], 1])
    with pytest.raises(EncodeError, match="10000"):
        codec.encode(["x" * 10_000, 1])


def test_characters_are_ints_with_a_sign() -> None:
    for codec in both("c9"):
        assert codec.encode([b"a\xff"]) == b"\0\0\0\2\0\0\0a\xff\xff\xff\xff"
        assert codec.decode(b"\0\0\0\2\0\0\0a\0\0\0\xff") == (b"a\xff",)


def test_an_unknown_arm_is_refused() -> None:
    for codec in both("{1:i 7:s9}"):
        with pytest.raises(DecodeError, match="has no type 3"):
            codec.decode(b"\0\0\0\3\0\0\0\0")
        with pytest.raises(EncodeError):
            codec.encode([(3, 0)])


def test_structs_decode_to_their_record_and_encode_from_any_sequence() -> None:
    for codec in both("(u s9)"):
        data = codec.encode([[5, "five"]])
        (record,) = codec.decode(data)
        assert type(record) is Two
        assert (record.first, record.second) == (5, "five")
        assert codec.encode([record]) == data


def test_a_missing_or_further_value_is_refused() -> None:
    for codec in both("u u"):
        for values in ((), (1,), (1, 2, 3)):
            with pytest.raises(EncodeError):
                codec.encode(values)


def test_errors_name_the_field() -> None:
    for codec in both("u (u [3 s2])"):
        with pytest.raises(EncodeError, match=r"field1\.second"):
            codec.encode([1, (2, ["abc"])])
        with pytest.raises(DecodeError, match=r"field1\.second"):
            codec.decode(b"\0\0\0\1\0\0\0\2\0\0\0\1\0\0\0\3abc\0")


def test_a_codec_in_use_compiles_itself() -> None:
    codec = both("u s9")[0]
    first, data = codec.encode, codec.encode((1, "a"))
    for _ in range(200):
        assert codec.encode((1, "a")) == data
        assert codec.decode(data) == (1, "a")
    assert codec.encode is not first
    large = both("o9999")[0]
    walk, walk_out = large.decode, large.encode
    assert large.encode((b"x" * 9999,)) == xdr.encode(Kind("o", 9999), b"x" * 9999)
    assert large.encode is not walk_out
    assert large.decode(xdr.encode(Kind("o", 9999), b"x" * 9999)) == (b"x" * 9999,)
    assert large.decode is not walk


def test_a_struct_needs_a_type_for_each_field() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Struct(Two, UINT)
