"""The server's side of keepalive: `wire.keepalive` on the loop's clock."""

from __future__ import annotations

import asyncio
from typing import Protocol

from roost.wire.keepalive import DEAD, PING, Keepalive


class Owner(Protocol):
    """What the timer asks and tells its session."""

    def send_ping(self) -> None: ...
    def keepalive_expired(self) -> None: ...
    @property
    def is_behind(self) -> bool:
        """Whether bytes of the client wait unread on our side: then its silence says nothing."""


class KeepaliveTimer:
    """Pings a client that has gone quiet and reports it when it stays so.

    It runs from `start` on, which is when the client said that it answers pings.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: Owner) -> None:
        self._loop = loop
        self._owner: Owner | None = owner
        self._state: Keepalive | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self, interval: float, count: int) -> None:
        """interval: seconds, 0 or less for never. A second call does nothing."""
        if self._state is None:
            self._state = Keepalive(interval, count, self._loop.time())
            self._arm()

    def heard(self) -> None:
        """Something came from the client."""
        if self._state is not None:
            self._state.received(self._loop.time())

    def stop(self) -> None:
        """For good; lets go of the owner."""
        self._owner = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        deadline = self._state.deadline() if self._state is not None else None
        if deadline is not None and self._owner is not None:
            self._timer = self._loop.call_at(deadline, self._check)

    def _check(self) -> None:
        self._timer = None
        if self._owner is None or self._state is None:
            return
        if self._owner.is_behind:
            self.heard()
        action = self._state.tick(self._loop.time())
        if action == DEAD:
            self._owner.keepalive_expired()
            return
        if action == PING:
            self._owner.send_ping()
        self._arm()
