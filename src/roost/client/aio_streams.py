"""A stream on an asyncio connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from roost import wire
from roost.errors import RoostError
from roost.protocol import Procedure
from roost.wire.framing import CONTINUE, ERROR, STREAM_CHUNK


class Carrier(Protocol):
    """The connection, as far as a stream needs it."""

    async def send(self, data: bytes) -> None: ...
    def forget_stream(self, serial: int) -> None: ...


class AsyncStream:
    """A stream: iterate over it for the data that comes. program, version, procedure, serial: its call."""

    def __init__(self, client: Carrier, procedure: Procedure, serial: int) -> None:
        self.program = procedure.program
        self.version = procedure.version
        self.procedure = procedure.number
        self.serial = serial
        self._client = client
        self._received: asyncio.Queue[bytes] = asyncio.Queue()
        self._error: RoostError | None = None
        self._ended = False
        self._over = asyncio.Event()

    def take(self, event: wire.StreamReceived | wire.HoleReceived) -> None:
        """A packet has come; called by the client."""
        if isinstance(event, wire.HoleReceived):
            self._received.put_nowait(bytes(event.length))
        elif event.status == ERROR:
            self.fail(wire.decode_error(event.payload))
        elif event.status == CONTINUE:
            self._received.put_nowait(event.payload)
        else:
            self._over.set()
            self._client.forget_stream(self.serial)
            self._received.put_nowait(b"")

    def fail(self, error: RoostError) -> None:
        """The stream has ended with an error; called by the client."""
        self._error = error
        self._over.set()
        self._client.forget_stream(self.serial)
        self._received.put_nowait(b"")

    async def read(self) -> bytes:
        """The next piece of data; b"" at the end. Holes come as zeros. Raises RoostError."""
        data = b"" if self._ended else await self._received.get()
        if not data:
            self._ended = True
            if self._error is not None:
                raise self._error
        return data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self.read():
            yield data

    async def write(self, data: bytes) -> None:
        """Send data, waiting while the daemon does not keep up."""
        for at in range(0, len(data), STREAM_CHUNK):
            if self._error is not None:
                raise self._error
            await self._client.send(wire.stream_data(self, data[at : at + STREAM_CHUNK]))

    async def finish(self) -> None:
        """End the stream in order and wait until the daemon confirms it. Raises RoostError."""
        await self._leave(wire.stream_finish(self))
        if self._error is not None:
            raise self._error

    async def abort(self) -> None:
        """Give the stream up, whatever is under way."""
        await self._leave(wire.stream_abort(self))

    async def _leave(self, message: bytes) -> None:
        if not self._over.is_set():
            await self._client.send(message)
            await self._over.wait()
