"""Events as they travel from drivers to subscribers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from roost.contract.references import DomainRef


class DomainEvent(NamedTuple):
    """Something happened to a domain.

    kind: the public event id (constants.domain_events.ID_*), 0 for lifecycle.
    args: the event's fields after the domain, in the order of the protocol's
        message: for lifecycle (event, detail); reboot (); RTC change (offset,);
        watchdog (action,); I/O error (path, alias, action, reason) …
    """

    kind: int
    domain: DomainRef
    args: tuple[Any, ...] = ()


class MonitorEvent(NamedTuple):
    """An event of QEMU's monitor, for the QEMU program's own registrations.

    details: the event's data as JSON text, None without data.
    """

    domain: DomainRef
    event: str
    seconds: int
    micros: int
    details: str | None


Subscriber = Callable[[Any], None]


class EventSource(Protocol):
    """Where a session subscribes. Delivery is synchronous and in order of publication."""

    def subscribe(self, event_type: type, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` for every event of that type; the result ends the subscription."""
        ...
