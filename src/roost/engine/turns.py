"""Long work in pieces, with whoever asks something answered between any two of them."""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """Of all who wait for their turn, one goes on in each round of the loop.

    Sockets are looked at once a round. Twenty starts that only gave way with `asyncio.sleep(0)` would each do a piece
    in the same round, and a reader would wait for all twenty.
    """

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_calling = False

    async def next(self) -> None:
        """Wait for a round of one's own; the longest waiting goes first."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        if not self._is_calling:
            self._is_calling = True
            loop.call_soon(self._call)
        await turn

    def _call(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            # One who was cancelled has left.
            if not turn.done():
                turn.set_result(None)
                break
        self._is_calling = bool(self._waiting)
        if self._is_calling:
            asyncio.get_running_loop().call_soon(self._call)


__all__ = ["Turns"]
