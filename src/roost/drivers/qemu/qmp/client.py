"""A QMP client: commands pipelined, answered by deadline, events in order.

The socket is ours, not a transport's: neither asyncio's nor uvloop's passes
file descriptors, and a descriptor must leave with the very bytes of its command.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from roost.drivers.qemu.qmp.messages import (
    Event,
    GreetingBody,
    LineBuffer,
    Message,
    QmpClosed,
    QmpCommandError,
    decode,
    encode,
    to_event,
)
from roost.drivers.qemu.qmp.outbox import Outbox
from roost.errors import From, OperationTimeout, RoostError

log = logging.getLogger(__name__)

#: Seconds a command may take unless its caller knows better.
COMMAND_TIMEOUT = 30.0
_READ_SIZE = 65536
#: What every conversation begins with.
_FIRST = "qmp_capabilities"
#: With this QEMU reads the next commands while it works on one, which costs it a quarter less for two.
_READS_ON = "oob"
_OUT_OF_BAND = "exec-oob"
_ENDED = "QEMU has ended; the log of the domain may say why"

Command = tuple[str, Mapping[str, Any] | None]


class _Pending:
    """A command that waits for its answer. Its answer is the undecoded JSON. identity: that the answer has, too."""

    __slots__ = ("answer", "command", "identity", "timer")

    def __init__(
        self, command: str, identity: str | None, answer: asyncio.Future[msgspec.Raw], timer: asyncio.TimerHandle
    ) -> None:
        self.command = command
        self.identity = identity
        self.answer = answer
        self.timer = timer


class EventQueue:
    """Events that somebody waits for, in order: see `QmpClient.expecting`."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._events: deque[Event] = deque()
        self._end: QmpClosed | None = None
        self._changed = asyncio.Event()

    def put(self, event: Event) -> None:
        self._events.append(event)
        self._changed.set()

    def end(self, reason: QmpClosed) -> None:
        self._end = reason
        self._changed.set()

    async def next(self) -> Event:
        """The next one, however long it takes. Raises QmpClosed when there will be none."""
        while not self._events:
            if self._end is not None:
                raise self._end
            self._changed.clear()
            await self._changed.wait()
        return self._events.popleft()


class QmpClient:
    """One connection to a monitor.

    QEMU answers commands in their order. Only the first has an identity, which tells its answer from those to an
    earlier connection: QEMU reads a monitor byte by byte, in eight system calls each, so that an identity costs it
    more than many an answer.

    on_event: called for every event, in order, on the loop.
    on_closed: called once when the connection ends, with the reason; not after `close`.
    greeting: what QEMU said of itself, once `negotiate` is through.
    overdue: a command's deadline has passed, and nothing has come since.
    """

    def __init__(
        self,
        connection: socket.socket,
        *,
        on_event: Callable[[Event], None] | None = None,
        on_closed: Callable[[QmpClosed], None] | None = None,
    ) -> None:
        connection.setblocking(False)
        self.on_event = on_event
        self.on_closed = on_closed
        self.greeting: GreetingBody | None = None
        self.closed: QmpClosed | None = None
        self.overdue = False
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._lines = LineBuffer()
        self._pending: deque[_Pending] = deque()
        self._outbox = Outbox(connection)
        self._serial = 0
        self._greeted: asyncio.Future[GreetingBody] = self._loop.create_future()
        self._queues: list[EventQueue] = []
        self._loop.add_reader(connection, self._on_readable)

    @classmethod
    def connect(cls, path: Path, **callbacks: Any) -> QmpClient:
        """Connect to a listening socket. Raises OSError when nobody holds it.

        The kernel queues the connection: this returns before QEMU has accepted it.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            connection.connect(str(path))
        except OSError:
            connection.close()
            raise
        return cls(connection, **callbacks)

    # -- events ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def expecting(self, *names: str) -> Iterator[EventQueue]:
        """Collect events of these names, beside `on_event`, for one who waits for them."""
        queue = EventQueue(names)
        if self.closed is not None:
            queue.end(self.closed)
        self._queues.append(queue)
        try:
            yield queue
        finally:
            self._queues.remove(queue)

    def _tell(self, event: Event) -> None:
        if self.on_event is not None:
            try:
                self.on_event(event)
            except Exception:
                log.exception("handling event %s failed", event.name)
        for queue in self._queues:
            if event.name in queue.names:
                queue.put(event)

    # -- commands --------------------------------------------------------------------------

    async def greeted(self, deadline: float = COMMAND_TIMEOUT) -> GreetingBody:
        """Wait for QEMU's greeting; send nothing yet. Raises QmpClosed, OperationTimeout."""
        try:
            async with asyncio.timeout(deadline):
                return await asyncio.shield(self._greeted)
        except TimeoutError:
            raise _timed_out("the greeting of its monitor", deadline) from None

    async def negotiate(self, deadline: float = COMMAND_TIMEOUT) -> GreetingBody:
        """Wait for the greeting and leave capabilities negotiation."""
        greeting = await self.greeted(deadline)
        await self.execute(_FIRST, deadline=deadline)
        return greeting

    async def execute(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        deadline: float = COMMAND_TIMEOUT,
        descriptors: Sequence[int] = (),
    ) -> Any:
        """The command's result, decoded.

        descriptors: passed along with the command, for `getfd` and `add_client`.
        Raises QmpCommandError, QmpClosed, OperationTimeout.
        """
        return msgspec.json.decode(await self.send(command, arguments, deadline=deadline, descriptors=descriptors))

    async def batch(self, commands: Sequence[Command], *, deadline: float = COMMAND_TIMEOUT) -> list[Any]:
        """Run commands in order, all sent at once. A refused one gives its QmpCommandError as its result."""
        results = await asyncio.gather(*self.send_all(commands, deadline=deadline), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, QmpCommandError):
                raise result
        return [result if isinstance(result, BaseException) else msgspec.json.decode(result) for result in results]

    def send(
        self,
        command: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        deadline: float = COMMAND_TIMEOUT,
        descriptors: Sequence[int] = (),
    ) -> asyncio.Future[msgspec.Raw]:
        """Send now; the future gets the result's JSON text."""
        line, answer = self._prepare(command, arguments, deadline)
        self._write(line, descriptors)
        return answer

    def send_all(
        self, commands: Sequence[Command], *, deadline: float = COMMAND_TIMEOUT
    ) -> list[asyncio.Future[msgspec.Raw]]:
        """The same for several commands, in one write."""
        prepared = [self._prepare(command, arguments, deadline) for command, arguments in commands]
        self._write(b"".join(line for line, _ in prepared), ())
        return [answer for _, answer in prepared]

    async def execute_text(
        self, text: str, *, deadline: float = COMMAND_TIMEOUT, descriptors: Sequence[int] = ()
    ) -> str:
        """A client's own JSON command; QEMU's whole answer as JSON, refusals too.

        Raises QmpClosed, OperationTimeout, and msgspec.MsgspecError for text that is not a JSON object.
        """
        request = msgspec.json.decode(text, type=dict[str, Any])
        request.pop("id", None)
        if _OUT_OF_BAND in request and "execute" not in request:
            # Out of its turn, its answer would be taken for another's.
            request["execute"] = request.pop(_OUT_OF_BAND)
        answer = self._await_answer(None, str(request.get("execute", "")), deadline)
        identity = f"libvirt-{self._serial}"
        self._write(msgspec.json.encode(request), descriptors)
        try:
            body: dict[str, Any] = {"return": msgspec.json.decode(await answer), "id": identity}
        except QmpCommandError as error:
            body = {"id": identity, "error": {"class": error.kind, "desc": error.desc}}
        return msgspec.json.encode(body).decode()

    def _prepare(
        self, command: str, arguments: Mapping[str, Any] | None, deadline: float
    ) -> tuple[bytes, asyncio.Future[msgspec.Raw]]:
        identity = None
        if command == _FIRST:
            identity = f"roost-{secrets.token_hex(4)}"
            if self.greeting is not None and _READS_ON in self.greeting.capabilities:
                arguments = {"enable": [_READS_ON]}
        return encode(command, arguments, identity), self._await_answer(identity, command, deadline)

    def _await_answer(self, identity: str | None, command: str, deadline: float) -> asyncio.Future[msgspec.Raw]:
        self._serial += 1
        answer: asyncio.Future[msgspec.Raw] = self._loop.create_future()
        # A batch is abandoned at its first failure; the rest need no reader.
        answer.add_done_callback(_retrieve)
        if self.closed is not None:
            answer.set_exception(self.closed)
            return answer
        timer = self._loop.call_later(deadline, self._expire, command, answer, deadline)
        self._pending.append(_Pending(command, identity, answer, timer))
        return answer

    def _expire(self, command: str, answer: asyncio.Future[msgspec.Raw], deadline: float) -> None:
        """Its place among those that wait stays: QEMU may answer it yet."""
        if not answer.done():
            self.overdue = True
            answer.set_exception(_timed_out(f"command '{command}'", deadline))

    # -- the socket ------------------------------------------------------------------------

    def _write(self, data: bytes, descriptors: Sequence[int]) -> None:
        """Of the commands that wait for an answer, the last ones."""
        if data and self.closed is None:
            self._outbox.put(data, descriptors, self._pending[-1])

    def _on_readable(self) -> None:
        try:
            data = self._socket.recv(_READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(QmpClosed(f"Unable to read from monitor: {error.strerror}", hint=_ENDED))
            return
        if not data:
            self._end(QmpClosed(hint=_ENDED))
            return
        self.overdue = False
        try:
            for line in self._lines.feed(data):
                if line.strip():
                    self._on_message(decode(line))
        except QmpClosed as error:
            self._end(error)

    def _on_message(self, message: Message) -> None:
        if message.event is not msgspec.UNSET:
            if self.closed is None:
                self._tell(to_event(message))
        elif message.QMP is not msgspec.UNSET:
            self.greeting = message.QMP
            if not self._greeted.done():
                self._greeted.set_result(message.QMP)
        else:
            self._on_answer(message)

    def _on_answer(self, message: Message) -> None:
        if not self._pending or message.id != self._pending[0].identity:
            log.debug("an answer to nothing, or to an earlier connection: %s", message.id)
            return
        pending = self._pending.popleft()
        pending.timer.cancel()
        self._outbox.answered(pending)
        if pending.answer.done():
            log.debug("an answer to '%s' that comes too late", pending.command)
            return
        if message.error is not msgspec.UNSET:
            failure = message.error
            pending.answer.set_exception(QmpCommandError(pending.command, failure.kind, failure.desc))
        else:
            pending.answer.set_result(msgspec.Raw(bytes(message.result) or b"{}"))

    def drain(self) -> None:
        """Read what has arrived, to the end of the stream if it is there: QEMU's last events after its exit."""
        while self.closed is None:
            try:
                waiting = self._socket.recv(1, socket.MSG_PEEK)
            except OSError:
                return
            self._on_readable()
            if not waiting:
                return

    def close(self, *, ended: bool = False) -> None:
        """Let go of the connection. Commands under way fail with QmpClosed. ended: QEMU has."""
        self.on_closed = None
        self._end(QmpClosed(hint=_ENDED) if ended else QmpClosed("the monitor was closed"))

    def _end(self, reason: QmpClosed) -> None:
        if self.closed is not None:
            return
        self.closed = reason
        self._loop.remove_reader(self._socket)
        self._outbox.close()
        self._socket.close()
        if not self._greeted.done():
            self._greeted.add_done_callback(_retrieve)
            self._greeted.set_exception(reason)
        for queue in self._queues:
            queue.end(reason)
        pending, self._pending = self._pending, deque()
        for waiting in pending:
            waiting.timer.cancel()
            if not waiting.answer.done():
                waiting.answer.set_exception(reason)
        if self.on_closed is not None:
            self.on_closed(reason)


def _retrieve(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def _timed_out(what: str, deadline: float) -> RoostError:
    return OperationTimeout(
        f"QEMU did not answer {what} within {deadline:g} s",
        domain=From.QEMU,
        hint="the guest's QEMU hangs, often on storage that does not answer; see its log",
    )
