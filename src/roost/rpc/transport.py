"""Unix sockets on the event loop, with passed file descriptors.

The transports of asyncio and uvloop drop descriptors that arrive as ancillary
data, so sessions use this one, on `add_reader` and `add_writer` alone.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
from collections import deque
from collections.abc import Sequence
from time import perf_counter
from typing import Protocol

from roost.rpc.attention import TURN, Attention

#: Descriptors accepted with one read; the kernel closes what comes beyond.
MAX_FDS_PER_READ = 32

#: Size of one read: starts small, grows while reads come back full.
READ_SIZE_MIN = 16 * 1024
READ_SIZE_MAX = 512 * 1024

#: Close-on-exec for descriptors that arrive (recvmsg's flag, missing in `socket`).
MSG_CMSG_CLOEXEC = 0x40000000

_ANCILLARY_SIZE = socket.CMSG_SPACE(MAX_FDS_PER_READ * 4)


class Owner(Protocol):
    """Who is told what happens on a transport."""

    def data_received(self, data: bytes, fds: Sequence[int]) -> None:
        """Bytes came, with the descriptors attached to them; the owner closes those."""

    def output_drained(self) -> None:
        """The queued output fell to the low-water mark after it had passed the high one."""

    def connection_lost(self, reason: Exception | None) -> None:
        """Called once; reason None when the peer or the owner closed it properly."""

    @property
    def at_leisure(self) -> bool:
        """Whether all that was received is answered."""
        ...


class SocketTransport:
    """One connected, non-blocking stream socket.

    Output is queued without a copy and without a limit: whoever produces looks
    at `congested` and waits for `output_drained` or `drained`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        owner: Owner,
        attention: Attention,
        *,
        high_water: int = 1024 * 1024,
        low_water: int = 64 * 1024,
    ) -> None:
        sock.setblocking(False)
        self._loop = loop
        self._sock = sock
        self._fd = sock.fileno()
        self._owner: Owner | None = owner
        self._attention = attention
        self._high_water = high_water
        self._low_water = low_water
        self._queue: deque[tuple[memoryview, int | None]] = deque()
        self._drain_waiters: list[asyncio.Future[None]] = []
        self._read_size = READ_SIZE_MIN
        self._reading = False
        self._closing = False
        self.closed = False
        self.congested = False
        self.queued = 0

    def resume_reading(self) -> None:
        if not self._reading and not self._closing:
            self._reading = True
            self._loop.add_reader(self._fd, self._on_readable)

    def pause_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def _on_readable(self) -> None:
        attention = self._attention
        eager = attention.is_eager(self)
        self._read()
        if eager:
            self._look_for_more()
        if not self.closed:
            attention.answered(self)

    def _look_for_more(self) -> None:
        now = perf_counter()
        turn_ends = now + TURN
        give_up = now + self._attention.window
        while self._reading and self._owner is not None and self._owner.at_leisure:
            if self._read():
                now = perf_counter()
                if now > turn_ends:
                    return
                give_up = now + self._attention.window
            elif perf_counter() > give_up:
                return

    def _read(self) -> bool:
        """Take what has come; False when nothing has."""
        size = self._read_size
        try:
            data, ancillary, flags, _ = self._sock.recvmsg(size, _ANCILLARY_SIZE, MSG_CMSG_CLOEXEC)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self._lose(error)
            return True
        fds = _descriptors(ancillary) if ancillary else ()
        if flags & socket.MSG_CTRUNC:
            for fd in fds:
                os.close(fd)
            self._lose(ConnectionAbortedError(f"more than {MAX_FDS_PER_READ} file descriptors sent with one message"))
            return True
        if not data:
            self._lose(None)
            return True
        if len(data) == size and size < READ_SIZE_MAX:
            self._read_size = size * 2
        if self._owner is not None:
            self._owner.data_received(data, fds)
        return True

    def write(self, data: bytes) -> None:
        """Send now what the socket takes, queue the rest. Nothing happens once closed."""
        if self._closing:
            return
        if not self._queue:
            try:
                sent = self._sock.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError as error:
                self._lose(error)
                return
            if sent == len(data):
                return
            self._loop.add_writer(self._fd, self._on_writable)
            self._enqueue(memoryview(data)[sent:], None)
        else:
            self._enqueue(memoryview(data), None)

    def write_with_fds(self, data: bytes, pieces: Sequence[tuple[bytes, int]]) -> None:
        """Send `data`, then each (bytes, descriptor) in a sendmsg of its own.

        Takes over the descriptors: they are closed when sent or given up.
        """
        self.write(data)
        if self._closing:
            for _, fd in pieces:
                os.close(fd)
            return
        for piece, fd in pieces:
            if not self._queue:
                self._loop.add_writer(self._fd, self._on_writable)
            self._enqueue(memoryview(piece), fd)

    def _enqueue(self, data: memoryview, fd: int | None) -> None:
        self._queue.append((data, fd))
        self.queued += len(data)
        if self.queued > self._high_water:
            self.congested = True

    def _on_writable(self) -> None:
        queue = self._queue
        while queue:
            data, fd = queue[0]
            try:
                if fd is None:
                    sent = self._sock.send(data)
                else:
                    sent = socket.send_fds(self._sock, [data], [fd])
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self._lose(error)
                return
            self.queued -= sent
            if fd is not None:
                os.close(fd)
                queue[0] = (data, None)
            if sent < len(data):
                queue[0] = (data[sent:], None)
                break
            queue.popleft()
        if not queue:
            self._loop.remove_writer(self._fd)
            if self._closing:
                self._lose(None)
                return
        if self.queued <= self._low_water:
            for waiter in self._drain_waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._drain_waiters.clear()
            if self.congested:
                self.congested = False
                if self._owner is not None:
                    self._owner.output_drained()

    async def drained(self) -> None:
        """Wait until the queued output is at or below the low-water mark.

        Raises ConnectionResetError when the connection ends first.
        """
        if self.closed:
            raise ConnectionResetError
        if self.queued > self._low_water:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._drain_waiters.append(waiter)
            await waiter

    def close(self) -> None:
        """Stop reading; end the connection once the queued output is sent."""
        if self._closing:
            return
        self.pause_reading()
        self._closing = True
        if not self._queue:
            self._loop.call_soon(self._lose, None)

    def abort(self, reason: Exception | None = None) -> None:
        """End the connection now, dropping queued output."""
        self._closing = True
        self._loop.call_soon(self._lose, reason)

    def _lose(self, reason: Exception | None) -> None:
        if self.closed:
            return
        self.closed = self._closing = True
        self.pause_reading()
        self._loop.remove_writer(self._fd)
        for _, fd in self._queue:
            if fd is not None:
                os.close(fd)
        self._queue.clear()
        self.queued = 0
        self._sock.close()
        self._attention.forget(self)
        for waiter in self._drain_waiters:
            if not waiter.done():
                waiter.set_exception(ConnectionResetError())
        self._drain_waiters.clear()
        # Ended sessions should not wait for the collector of cycles.
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.connection_lost(reason)


def _descriptors(ancillary: Sequence[tuple[int, int, bytes]]) -> list[int]:
    fds = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return fds.tolist()
