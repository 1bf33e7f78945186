"""Sizes with a unit."""

from __future__ import annotations

import pytest

from roost.cli.scale import parse_scaled
from roost.errors import InvalidArg, NumericOverflow


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("5", 5 * 1024), ("0", 0), ("5b", 5), ("5bytes", 5), ("1k", 1024), ("1K", 1024), ("1KiB", 1024), ("1KB", 1000),
        ("2m", 2 << 20), ("2GB", 2 * 10**9), ("1e", 1 << 60), ("3 MiB", 3 << 20), ("x", None), ("", None), ("-1", None),
    ],
)  # fmt: skip
def test_units(text: str, size: int | None) -> None:
    assert parse_scaled(text, 1024) == size


def test_what_is_none() -> None:
    with pytest.raises(InvalidArg, match="unknown suffix 'Q'"):
        parse_scaled("5Q", 1)
    with pytest.raises(InvalidArg, match="unknown suffix 'kb/s'"):
        parse_scaled("5kb/s", 1)
    with pytest.raises(NumericOverflow, match="value too large: 16e"):
        parse_scaled("16e", 1)
    assert parse_scaled("99999999999999999999", 1) is None
