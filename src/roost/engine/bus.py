"""The event bus: drivers publish, sessions subscribe."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from roost.contract.events import Subscriber

log = logging.getLogger(__name__)


class EventBus:
    """Delivers each event to the subscribers of its type, at once and in order.

    A subscriber that raises is logged and does not keep the others, or the
    publisher, from going on.
    """

    def __init__(self) -> None:
        self._subscribers: dict[type, list[Subscriber]] = {}

    def subscribe(self, event_type: type, subscriber: Subscriber) -> Callable[[], None]:
        """See contract.events.EventSource."""
        subscribers = self._subscribers.setdefault(event_type, [])
        subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in subscribers:
                subscribers.remove(subscriber)

        return unsubscribe

    def publish(self, event: Any) -> None:
        """Deliver `event` to whoever subscribed to its type."""
        subscribers = self._subscribers.get(type(event))
        if not subscribers:
            return
        for subscriber in tuple(subscribers):
            try:
                subscriber(event)
            except Exception:
                log.exception("a subscriber failed on %r", event)
