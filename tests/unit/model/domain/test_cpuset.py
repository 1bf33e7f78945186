"""Lists of processors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import InvalidArg
from roost.model.domain.cpuset import format_cpus, parse_cpus


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("0", {0}), ("0-3", {0, 1, 2, 3}), ("0-3,^2", {0, 1, 3}), ("5, 1-2", {1, 2, 5})],
)
def test_parse(text: str, cpus: set[int]) -> None:
    assert parse_cpus(text) == cpus


@pytest.mark.parametrize("text", ["", "a", "1,", "-1", "1--2", "^", "1-b", "3-1", "0-7,^1-3"])
def test_nonsense(text: str) -> None:
    with pytest.raises(InvalidArg, match="Failed to parse bitmap"):
        parse_cpus(text)


@given(st.sets(st.integers(0, 300), min_size=1))
def test_inverse(cpus: set[int]) -> None:
    assert parse_cpus(format_cpus(cpus)) == cpus


def test_a_huge_range_is_refused_before_it_is_counted() -> None:
    with pytest.raises(InvalidArg):
        parse_cpus("0-99999999999")
