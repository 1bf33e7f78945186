"""The driver's end of a byte stream (console, channel, volume data, screenshot)."""

from __future__ import annotations

from typing import Protocol


class ByteStream(Protocol):
    """Bytes in both directions; the session copies between this and the wire.

    The session calls `read` again only after the bytes of the last call were
    taken by the client, and awaits each `write`: that is the back-pressure.
    """

    async def read(self, limit: int) -> bytes:
        """Up to `limit` bytes, waiting for at least one; b"" at the end. Raises RoostError."""
        ...

    async def write(self, data: bytes) -> None:
        """Take all of `data`. Raises RoostError when the other side is gone."""
        ...

    async def finish(self) -> None:
        """The client ended the stream properly: complete what was begun."""
        ...

    def abort(self) -> None:
        """The client aborted or vanished: let go of everything at once. May be called twice."""
        ...
