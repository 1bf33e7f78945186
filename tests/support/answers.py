"""The other end of a client's socket: answers calls by name, from a thread, with what the test gives."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from roost import wire
from roost.errors import NoSupport, RoostError
from roost.protocol import PROGRAMS, REMOTE
from roost.wire.framing import CONTINUE

Answer = Callable[..., Sequence[Any]]

OPENING: dict[str, Answer] = {
    "AUTH_LIST": lambda: ([0],),
    "CONNECT_OPEN": lambda name, flags: (),
    "CONNECT_SUPPORTS_FEATURE": lambda feature: (1,),
    "CONNECT_CLOSE": tuple,
}


class Answers:
    """A daemon with a table for a mind.

    answers: by procedure, a function from the arguments to the result's fields, or
        raising the RoostError to send. What is missing answers NO_SUPPORT.
    silent: procedures that get no answer at all.
    before: bytes to send in front of a procedure's reply.
    Streams are confirmed when the client ends them.
    calls, received, fds: what came: names and arguments, other messages, descriptors.
    replied: the calls whose reply is sent.
    listener: accept one client there, instead of being one end of a pair.
    """

    def __init__(self, answers: dict[str, Answer] | None = None, listener: socket.socket | None = None) -> None:
        self.answers = {**OPENING, **(answers or {})}
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.received: list[wire.Event] = []
        self.fds: list[int] = []
        self.before: dict[str, bytes] = {}
        self.silent: set[str] = set()
        self.replied: list[str] = []
        self._changed = threading.Condition()
        self._listener = listener
        self._theirs, self._ours = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Answers:
        self._thread.start()
        return self

    def sent(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of each call of a procedure."""
        return [arguments for procedure, arguments in self.calls if procedure == name]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang_up()
        self._thread.join(20)
        self._ours.close()
        self._theirs.close()
        assert not self._thread.is_alive()

    def hang_up(self) -> None:
        """End the connection without a word."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
        try:
            self._ours.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def send(self, data: bytes) -> None:
        """Send bytes that answer nothing."""
        self._ours.sendall(data)

    def wait_until(self, happened: Callable[[], object], seconds: float = 30.0) -> None:
        """Wait for what the client sends to make something true."""
        with self._changed:
            assert self._changed.wait_for(happened, seconds), "the client has not sent what was waited for"

    def client_socket(self) -> socket.socket:
        """A descriptor of its own for the client to close."""
        return self._theirs.dup()

    def _serve(self) -> None:
        if self._listener is not None:
            self._ours.close()
            try:
                self._ours, _ = self._listener.accept()
            except OSError:
                return  # Nobody came before the test was over.
        connection = wire.Connection(server=True)
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self._ours, 65536, 32)
            except OSError:
                return
            if not data:
                return
            self.fds += fds
            for event in connection.receive_data(data, fds):
                if isinstance(event, wire.CallReceived):
                    self._answer(event)
                else:
                    self.received.append(event)
                    if isinstance(event, wire.StreamReceived) and event.status != CONTINUE:
                        self._ours.sendall(wire.stream_finish(event))
                with self._changed:
                    self._changed.notify_all()

    def _answer(self, call: wire.CallReceived) -> None:
        procedure = PROGRAMS.get(call.program, REMOTE).by_number[call.procedure]
        arguments = procedure.args.decode(call.payload) if procedure.args else ()
        self.calls.append((procedure.name, arguments))
        if procedure.name in self.silent:
            return
        answer = self.answers.get(procedure.name)
        out = self.before.get(procedure.name, b"")
        try:
            if answer is None:
                raise NoSupport(procedure.api)
            values = answer(*arguments)
            out += wire.reply(call, procedure.ret.encode(values) if procedure.ret else b"")
        except RoostError as error:
            out += wire.reply_error(call, error)
        try:
            self._ours.sendall(out)
        except OSError:
            return
        self.replied.append(procedure.name)
