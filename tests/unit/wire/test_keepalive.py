"""The keepalive timer, on a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.wire.keepalive import DEAD, IDLE, PING, Keepalive


def test_pings_after_silence_and_gives_up_after_the_last() -> None:
    timer = Keepalive(5, 3, now=100)
    seen: list[tuple[float, int]] = []
    while not seen or seen[-1][1] != DEAD:
        now = timer.deadline()
        assert now is not None
        seen.append((now, timer.tick(now)))
    assert seen == [(105, PING), (110, PING), (115, PING), (120, DEAD)]


def test_any_message_starts_the_count_again() -> None:
    timer = Keepalive(5, 1, now=0)
    assert timer.tick(5) == PING
    timer.received(7)
    assert timer.deadline() == 12
    assert [timer.tick(now) for now in (10, 12, 13, 17)] == [IDLE, PING, IDLE, DEAD]


def test_without_any_count_silence_alone_is_death() -> None:
    timer = Keepalive(5, 0, now=0)
    assert [timer.tick(4.9), timer.tick(5)] == [IDLE, DEAD]


@pytest.mark.parametrize("interval", [0, -1])
def test_without_an_interval_it_never_pings(interval: int) -> None:
    timer = Keepalive(interval, 5, now=0)
    assert timer.deadline() is None
    assert timer.tick(10**9) == IDLE


@given(st.integers(1, 9), st.integers(0, 9), st.lists(st.tuples(st.booleans(), st.integers(0, 20)), max_size=40))
def test_a_peer_heard_of_within_the_interval_is_never_dead(
    interval: int, count: int, steps: list[tuple[bool, int]]
) -> None:
    now = heard = 0
    timer, pings = Keepalive(interval, count, 0), 0
    for message, wait in steps:
        now += wait
        if message:
            timer.received(now)
            heard, pings = now, 0
            continue
        result = timer.tick(now)
        if result == DEAD:
            assert pings == count
            assert now - heard >= interval * (count + 1)
            return
        pings += result == PING
        assert pings <= count
