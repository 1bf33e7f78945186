"""Values: what is read, how it is written, what is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.xml.values import Choice, Hex, Integer, MacText, Size, Switch, TooLarge, UuidText, c_integer, pretty


@pytest.mark.parametrize(
    ("text", "number"), [("10", 10), ("0x1F", 31), ("010", 8), ("-5", -5), (" 7", 7), ("+3", 3), ("0", 0)]
)
def test_numbers_as_c_reads_them(text: str, number: int) -> None:
    assert c_integer(text) == number


@pytest.mark.parametrize("text", ["", "x", "1 ", "1_0", "0x", "\u0661", "08", "1e3", "--1", "9" * 100])
def test_what_c_would_not_read_whole_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text) or "^$"):
        c_integer(text)


@given(st.integers(-(2**70), 2**70))
def test_integers_keep_to_their_bounds(number: int) -> None:
    value = Integer(-5, 2**32 - 1)
    if -5 <= number <= 2**32 - 1:
        assert value.parse(str(number)) == number
    else:
        with pytest.raises(ValueError, match=str(number)):
            value.parse(str(number))


def test_hexadecimal_has_the_width_it_is_given() -> None:
    value = Hex(4, 0xFFFF)
    assert value.formatted == "{v:#06x}"
    assert value.table["0x0010"] == value.parse("0x0010") == value.parse("16") == 16
    with pytest.raises(ValueError, match="0x10000"):
        value.parse("0x10000")


@pytest.mark.parametrize(
    ("text", "unit", "kib"),
    [("1", None, 1), ("1", "b", 1), ("1024", "bytes", 1), ("1025", "BYTES", 2), ("1", "KB", 1), ("3", "MB", 2930),
     ("1", "m", 1024), ("1", "TiB", 2**30), ("0", "GiB", 0)],
)  # fmt: skip
def test_sizes_are_rounded_up_to_their_quantum(text: str, unit: str | None, kib: int) -> None:
    assert Size(1024, "KiB", "KiB").scale(text, unit) == kib


@pytest.mark.parametrize(("text", "error"), [("x", ValueError), ("-1", ValueError), (str(2**62), ValueError)])
def test_sizes_out_of_range_are_refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=text):
        Size(1024, "KiB", "KiB").scale(text, "GiB")


def test_unknown_units_are_told_apart_from_bad_numbers() -> None:
    with pytest.raises(KeyError):
        Size(1024, "KiB", "KiB").scale("1", "furlong")


@pytest.mark.parametrize(
    ("kib", "written"),
    [(0, (0, "KiB")), (1, (1, "KiB")), (1024, (1, "MiB")), (1536, (1536, "KiB")), (2**20, (1, "GiB"))],
)
def test_pretty_sizes_use_the_largest_unit(kib: int, written: tuple[int, str]) -> None:
    assert pretty(kib) == written


def test_uuids_come_in_many_spellings() -> None:
    value = UuidText()
    wanted = "6c4ce3c0-44fb-4de0-9b51-1b2e9cfa3e8f"
    assert value.parse("6C4CE3C044FB4DE09B511B2E9CFA3E8F") == value.parse(wanted) == wanted
    for wrong in ("", "6c4ce3c0", wanted + "0", wanted.replace("6", "g"), wanted + "\n"):
        with pytest.raises(ValueError, match=re.escape(wrong) or "^$"):
            value.parse(wrong)


def test_mac_addresses_are_written_in_one_way() -> None:
    assert MacText().parse("52:54:0:AA:b:1") == "52:54:00:aa:0b:01"
    for wrong in ("52:54:00:aa:bb", "52:54:00:aa:bb:cc:dd", "52-54-00-aa-bb-cc", "52:54:00:aa:bb:123"):
        with pytest.raises(ValueError, match=wrong):
            MacText().parse(wrong)


def test_choices_name_the_nearest() -> None:
    value = Choice("writeback", "writethrough", "none")
    assert value.nearest("writebak") == "writeback"
    assert value.nearest("zzz") == ""
    assert value.schema() == {"enum": ["writeback", "writethrough", "none"]}


def test_switches_are_booleans() -> None:
    value = Switch("yes", "no")
    assert (value.parse("yes"), value.parse("no")) == (True, False)
    with pytest.raises(ValueError, match="on"):
        value.parse("on")


def test_sizes_have_a_largest() -> None:
    value = Size(1, "bytes", "bytes")
    assert value.scale("7", "EiB") == 7 * 2**60
    with pytest.raises(TooLarge, match="8"):
        value.scale("8", "EiB")
