"""Staying awake for a client that asks again at once.

A processor that idles takes tens of microseconds to wake, on a virtual machine
more than the whole call costs. A client in the middle of many small calls sends
the next one sooner than that; so while one client, and nobody else, does, its
socket is looked at for a moment before the loop goes to sleep. A client that
asks now and then is never waited for.
docs/decisions/0004-front-desk.md has the figures.
"""

from __future__ import annotations

from time import perf_counter

#: Seconds between an answer and the next call that make a client an eager one.
EAGER = 300e-6

#: Seconds after which the loop gets its turn however eager a client is: timers and guests wait no longer.
TURN = 1e-3


class Attention:
    """Which client spoke last, shared by all transports of a server.

    window: seconds to look for the next call; 0 for never.
    """

    __slots__ = ("_answered", "_last", "window")

    def __init__(self, window: float) -> None:
        self.window = window
        self._last: object = None
        self._answered = 0.0

    def is_eager(self, client: object) -> bool:
        """Whether `client`, which just spoke, was also the last to speak, and that not long ago."""
        return client is self._last and perf_counter() - self._answered < EAGER and self.window > 0

    def answered(self, client: object) -> None:
        """The loop goes on after having served `client`."""
        self._last = client
        self._answered = perf_counter()

    def forget(self, client: object) -> None:
        """`client` is gone."""
        if client is self._last:
            self._last = None
