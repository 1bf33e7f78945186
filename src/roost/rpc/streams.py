"""The session's end of byte streams: from a driver's `ByteStream` to packets and back."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from roost.contract.streams import ByteStream
from roost.errors import From, InternalError, NoSupport, RoostError
from roost.wire import HoleReceived, StreamReceived, stream_abort, stream_data, stream_finish
from roost.wire.framing import CONTINUE, ERROR, STREAM_CHUNK

log = logging.getLogger(__name__)


class Key(NamedTuple):
    """What all packets of one stream carry: the header of the call that opened it."""

    program: int
    version: int
    procedure: int
    serial: int


class Host(Protocol):
    """What a stream needs of its session."""

    def send(self, data: bytes) -> None: ...
    def packet_taken(self) -> None:
        """One packet that `Streams.received` kept no longer waits."""

    async def drained(self) -> None:
        """Raises ConnectionResetError when the client is gone."""


class ServerStream:
    """One open stream.

    Each packet from the client counts as an outstanding request of its session
    until the driver took it, so a slow driver stops the reading of the socket;
    a slow client stops the reading of the driver.
    """

    def __init__(self, key: Key, source: ByteStream, host: Host, ended: Callable[[Key], object]) -> None:
        self._key = key
        self._source = source
        self._host = host
        self._tell_end = ended
        self._inbox: deque[tuple[int, bytes]] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ended = False

    def start(self) -> None:
        self._reader = asyncio.get_running_loop().create_task(self._guard(self._pump))

    def received(self, status: int, payload: bytes) -> bool:
        """A packet from the client: data, the end (OK) or an abort (ERROR). Whether it is kept for the driver."""
        if status == ERROR:
            self.close()
            self._host.send(stream_finish(self._key))
            return False
        self._inbox.append((status, payload))
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._guard(self._consume))
        return True

    def hole_received(self) -> None:
        """No stream of these drivers is sparse."""
        self._fail(NoSupport("virStreamSendHole", domain=From.STREAMS))

    def close(self) -> None:
        """Let go of everything, telling nobody."""
        if not self._ended:
            self._end()
            self._source.abort()

    def _end(self) -> None:
        self._ended = True
        self._tell_end(self._key)
        current = asyncio.current_task()
        for task in (self._reader, self._writer):
            if task is not None and task is not current:
                task.cancel()
        while self._inbox:
            self._inbox.popleft()
            self._host.packet_taken()

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except RoostError as error:
            self._fail(error)
        except Exception as error:
            log.exception("stream of procedure %d failed", self._key.procedure)
            self._fail(InternalError(f"{type(error).__name__}: {error}", domain=From.STREAMS))

    async def _pump(self) -> None:
        while True:
            data = await self._source.read(STREAM_CHUNK)
            if self._ended:
                return
            self._host.send(stream_data(self._key, data))
            if not data:
                return
            try:
                await self._host.drained()
            except ConnectionResetError:
                return

    async def _consume(self) -> None:
        while self._inbox:
            status, payload = self._inbox.popleft()
            try:
                if status == CONTINUE:
                    await self._source.write(payload)
                else:
                    await self._finish()
                    return
            finally:
                self._host.packet_taken()
        self._writer = None

    async def _finish(self) -> None:
        await self._source.finish()
        if not self._ended:
            self._host.send(stream_finish(self._key))
            self._end()

    def _fail(self, error: RoostError) -> None:
        if not self._ended:
            if error.domain is None:
                error.domain = From.STREAMS
            self._host.send(stream_abort(self._key, error))
            self.close()


class Streams:
    """The open streams of one session."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._open: dict[Key, ServerStream] = {}
        self._closed = False

    def __bool__(self) -> bool:
        """Whether any is open."""
        return bool(self._open)

    def open(self, key: Key, source: ByteStream) -> None:
        """Begin to copy between `source` and the client."""
        if self._closed:
            source.abort()
            return
        stream = self._open[key] = ServerStream(key, source, self._host, self._open.pop)
        stream.start()

    def received(self, packet: StreamReceived | HoleReceived) -> bool:
        """Whether the packet is kept until the driver takes it; those of unknown streams are dropped."""
        stream = self._open.get(Key(packet.program, packet.version, packet.procedure, packet.serial))
        if stream is None:
            return False
        if isinstance(packet, HoleReceived):
            stream.hole_received()
            return False
        return stream.received(packet.status, packet.payload)

    def close(self) -> None:
        """The client is gone: let go of everything."""
        self._closed = True
        for stream in tuple(self._open.values()):
            stream.close()
