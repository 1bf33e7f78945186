"""The order in which guests start with the host."""

from __future__ import annotations

import pytest

from roost.drivers.qemu.autostart import sequence
from roost.model.domain.startorder import Needed, StartOrder


def order(number: int | None, *needs: str) -> StartOrder:
    return StartOrder(order=number, needs=tuple(Needed(domain=name) for name in needs))


@pytest.mark.parametrize(
    ("orders", "wanted", "expected"),
    [
        ({"b": order(None), "a": order(None)}, "ab", "ab"),
        ({"b": order(1), "a": order(None)}, "ab", "ba"),
        ({"b": order(0), "a": order(1), "c": order(1)}, "abc", "bac"),
        # What is needed comes first, whatever its own order is, and comes although it was not asked for.
        ({"a": order(1, "c"), "b": order(2), "c": order(3)}, "ab", "bca"),
        ({"a": order(1, "b"), "b": order(2, "c"), "c": order(3)}, "a", "cba"),
        ({"a": order(1, "nowhere")}, "a", "a"),
        ({"a": order(2, "b"), "b": order(1, "a"), "c": order(None, "a")}, "c", "bac"),
        ({}, "", ""),
    ],
)
def test_sequences(orders: dict[str, StartOrder], wanted: str, expected: str) -> None:
    assert "".join(sequence(wanted, orders)) == expected
