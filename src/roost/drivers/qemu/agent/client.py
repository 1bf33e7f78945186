"""The host's end of the agent's channel: one command at a time, each with a deadline."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import socket
from collections.abc import Callable

from roost.drivers.qemu.agent.messages import (
    AgentGarbage,
    Answer,
    LineBuffer,
    decode,
    encode_sync,
    is_sync,
)
from roost.errors import AgentUnresponsive, From

#: Seconds to find out whether the agent listens, unless less was asked for.
SYNC_TIMEOUT = 5.0

#: Bytes that may come until an answer is there; who sends more sends something else.
MAX_FLOOD = 64 << 20

_READ_SIZE = 65536

#: Takes a line: the answer awaited, or None when it is another.
_Take = Callable[[bytes], Answer | None]


class AgentClient:
    """One connection to a channel.

    Nothing is read unless a command is under way: what an agent sends unasked stays in its own buffers. After a
    command without an answer, and when there is something to read before a command, both sides start anew from
    an agreed number; answers to what was given up come before it and are dropped.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.is_closed = False
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._lines = LineBuffer()
        self._in_sync = False
        self._numbers = itertools.count(secrets.randbits(48))
        self._waiting: asyncio.Future[Answer | None] | None = None
        self._take: _Take = decode
        self._event: str | None = None
        self._output = b""
        self._received = 0

    @classmethod
    def connect(cls, path: str) -> AgentClient:
        """Raises OSError when nobody listens there, or too many wait."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            raise
        return cls(connection)

    async def execute(
        self, line: bytes, seconds: float | None, sync_seconds: float = SYNC_TIMEOUT, *, event: str | None = None
    ) -> Answer | None:
        """The answer to a command.

        seconds: to wait for it; 0 sends the command only, None waits for ever. sync_seconds: to find out whether
        the agent listens at all. event: what says success for a command that has no answer then (see `notify`);
        None is the answer.
        Raises AgentUnresponsive when there is none, AgentGarbage for what is no answer.
        """
        if self.is_closed:
            raise _gone()
        if self._has_leftovers():
            self._in_sync = False
        if not self._in_sync:
            await self._synchronize(sync_seconds)
        self._lines.reset(skipping=False)
        self._event = event
        try:
            return await self._exchange(line, decode, seconds)
        finally:
            self._event = None

    def notify(self, event: str) -> None:
        """Something has happened to the guest that may be what a command under way was for."""
        if self._event == event:
            self._finish(None)

    def close(self) -> None:
        """Nobody is at the other end any more. A command under way is over."""
        if self.is_closed:
            return
        self.is_closed = True
        self._stop()
        self._socket.close()
        if self._event is not None:
            self._finish(None)
        else:
            self._fail(_gone())

    async def _synchronize(self, seconds: float) -> None:
        number = next(self._numbers)
        agreed = Answer()
        self._lines.reset(skipping=True)

        def take(line: bytes) -> Answer | None:
            if is_sync(line, number):
                return agreed
            self._lines.reset(skipping=True)
            return None

        await self._exchange(encode_sync(number), take, seconds)
        self._in_sync = True

    async def _exchange(self, data: bytes, take: _Take, seconds: float | None) -> Answer | None:
        self._take, self._output, self._received = take, data, 0
        waiting: asyncio.Future[Answer | None] = self._loop.create_future()
        self._waiting = waiting
        self._in_sync, in_sync = False, self._in_sync
        self._loop.add_reader(self._socket, self._on_readable)
        self._send()
        try:
            async with asyncio.timeout(seconds):
                answer = await waiting
        except TimeoutError:
            raise AgentUnresponsive(
                "Guest agent not available for now",
                domain=From.QEMU,
                hint="qemu-guest-agent in the guest has not answered; it may be busy, frozen or stopped",
            ) from None
        finally:
            self._waiting = None
            if not self.is_closed:
                self._stop()
        # Where an event said success, an answer may come all the same.
        self._in_sync = in_sync and answer is not None
        return answer

    # -- the socket ------------------------------------------------------------------------

    def _has_leftovers(self) -> bool:
        """Whether there is something that nobody asked for. Finds a closed connection too."""
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def _send(self) -> None:
        try:
            self._output = self._output[self._socket.send(self._output) :]
        except BlockingIOError:
            pass
        except OSError:
            self._output = b""  # reading finds the end
        if self._output:
            self._loop.add_writer(self._socket, self._send)
        else:
            self._loop.remove_writer(self._socket)

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self._received += len(data)
        try:
            if self._received > MAX_FLOOD:
                raise AgentGarbage(f"No agent response found in {MAX_FLOOD} bytes")
            for line in self._lines.feed(data):
                answer = self._take(line)
                if answer is not None:
                    self._finish(answer)
                    return
        except AgentGarbage as error:
            self._fail(error)

    def _stop(self) -> None:
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._output = b""

    def _finish(self, answer: Answer | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)


def _gone() -> AgentUnresponsive:
    return AgentUnresponsive("Guest agent disappeared while executing command", domain=From.QEMU)
