"""The server's side of keepalive: `wire.keepalive` on the loop's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from roost.wire.keepalive import DEAD, PING, Keepalive


class KeepaliveTimer:
    """Pings a client that has gone quiet and reports it when it stays so.

    It runs from `start` on, which is when the client said that it answers
    pings. While `busy` answers True the client is not judged: its bytes wait
    unread on our side.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        ping: Callable[[], None],
        expired: Callable[[], None],
        busy: Callable[[], bool],
    ) -> None:
        self._loop = loop
        self._ping = ping
        self._expired = expired
        self._busy = busy
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
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        deadline = self._state.deadline() if self._state is not None else None
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._check)

    def _check(self) -> None:
        self._timer = None
        if self._busy():
            self.heard()
        action = self._state.tick(self._loop.time()) if self._state is not None else DEAD
        if action == DEAD:
            self._expired()
            return
        if action == PING:
            self._ping()
        self._arm()
