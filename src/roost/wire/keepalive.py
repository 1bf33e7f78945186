"""When to ask a silent peer whether it lives. Time is an argument; nothing is set or sent here."""

from __future__ import annotations

IDLE, PING, DEAD = range(3)


class Keepalive:
    """The timer of one connection.

    interval: seconds of silence before each ping; 0 or less: never.
    count: pings left unanswered before the peer counts as dead.
    now: seconds on a monotonic clock.
    """

    __slots__ = ("_left", "_since", "count", "interval")

    def __init__(self, interval: float, count: int, now: float) -> None:
        self.interval = interval
        self.count = count
        self._left = count
        self._since = now

    def received(self, now: float) -> None:
        """Any message came: the peer lives."""
        self._left = self.count
        self._since = now

    def deadline(self) -> float | None:
        """When to call `tick`. A later `received` moves it, so an early tick does no harm."""
        return self._since + self.interval if self.interval > 0 else None

    def tick(self, now: float) -> int:
        """IDLE: nothing to do yet. PING: send one. DEAD: close the connection."""
        if self.interval <= 0 or now < self._since + self.interval:
            return IDLE
        if self._left == 0:
            return DEAD
        self._left -= 1
        self._since = now
        return PING
