"""Delivery in order, by type, whatever a subscriber does."""

from __future__ import annotations

import logging

import pytest

from roost.contract.events import DomainEvent, MonitorEvent
from roost.contract.references import DomainRef
from roost.engine.bus import EventBus

REF = DomainRef("guest", bytes(16), 1)
STARTED = DomainEvent(0, REF, (2, 0))
STOPPED = DomainEvent(0, REF, (5, 1))


def test_events_reach_the_subscribers_of_their_type_in_order() -> None:
    bus = EventBus()
    seen: list[object] = []
    other: list[object] = []
    bus.subscribe(DomainEvent, seen.append)
    bus.subscribe(MonitorEvent, other.append)
    bus.publish(STARTED)
    bus.publish(STOPPED)
    assert seen == [STARTED, STOPPED]
    assert other == []


def test_nothing_is_delivered_after_unsubscribing_even_twice() -> None:
    bus = EventBus()
    seen: list[object] = []
    unsubscribe = bus.subscribe(DomainEvent, seen.append)
    unsubscribe()
    unsubscribe()
    bus.publish(STARTED)
    assert seen == []


def test_a_failing_subscriber_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    bus = EventBus()
    seen: list[object] = []

    def broken(event: object) -> None:
        raise RuntimeError("broken")

    bus.subscribe(DomainEvent, broken)
    bus.subscribe(DomainEvent, seen.append)
    with caplog.at_level(logging.ERROR):
        bus.publish(STARTED)
    assert seen == [STARTED]
    assert "broken" in caplog.text


def test_a_subscriber_may_leave_during_delivery() -> None:
    bus = EventBus()
    seen: list[object] = []
    leave = bus.subscribe(DomainEvent, lambda event: leave())
    bus.subscribe(DomainEvent, seen.append)
    bus.publish(STARTED)
    assert seen == [STARTED]
