"""<perf>: counters of the host's that are kept for a guest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import get_args

from msgspec.structs import replace

from roost.constants import typed_params as T
from roost.contract.typed_params import TypedParam, boolean
from roost.model.domain import Domain
from roost.model.domain.tuning import Perf, PerfEvent, PerfEventName

#: In the order of libvirt's answer.
EVENTS: tuple[PerfEventName, ...] = get_args(PerfEventName)
PARAMETERS: Mapping[str, int] = dict.fromkeys(EVENTS, T.BOOLEAN)


def enabled(document: Domain) -> frozenset[str]:
    """The events that the document has counted."""
    events = document.perf.events if document.perf is not None else ()
    return frozenset(event.name for event in events if event.enabled)


def shown(counted: Collection[str]) -> Sequence[TypedParam]:
    """Whether each is counted."""
    return [boolean(name, name in counted) for name in EVENTS]


def with_events(document: Domain, values: Mapping[str, int]) -> Domain:
    """The document with events switched on and off."""
    events = {event.name: event for event in (document.perf.events if document.perf is not None else ())}
    events |= {name: PerfEvent(name=name, enabled=bool(values[name])) for name in EVENTS if name in values}
    return replace(document, perf=Perf(events=tuple(events[name] for name in EVENTS if name in events)))


__all__ = ["EVENTS", "PARAMETERS", "enabled", "shown", "with_events"]
