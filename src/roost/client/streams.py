"""A stream on a blocking connection: bytes both ways, until one side ends it."""

from __future__ import annotations

from roost import wire
from roost.errors import From, OperationInvalid, RoostError
from roost.wire.framing import CONTINUE, ERROR, STREAM_CHUNK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from roost.client.blocking import Client
    from roost.protocol import Procedure


class Stream:
    """An open stream. program, version, procedure, serial: the call it belongs to.

    received: pieces not yet taken, oldest first; an int is a hole of that many bytes.
    ended: the daemon has sent everything, or has given up.
    answer: the fields of the reply to the call.
    """

    def __init__(self, client: Client, procedure: Procedure, serial: int) -> None:
        self.program = procedure.program
        self.version = procedure.version
        self.procedure = procedure.number
        self.serial = serial
        self.received: list[bytes | int] = []
        self.ended = False
        self.answer: tuple[Any, ...] = ()
        self._client = client
        self._error: RoostError | None = None
        self._confirmed = False
        self._closed = False

    def take(self, event: wire.StreamReceived | wire.HoleReceived) -> None:
        """A packet has come; called by the client."""
        if isinstance(event, wire.HoleReceived):
            self.received.append(event.length)
        elif event.status == ERROR:
            self._error = wire.decode_error(event.payload)
            self._end()
        elif event.status == CONTINUE:
            if event.payload:
                self.received.append(event.payload)
            else:
                self.ended = True
        else:
            self._confirmed = True
            self._end()

    def read(self) -> bytes:
        """The next piece of data, waiting for it; b"" at the end. Holes come as zeros. Raises RoostError."""
        while not self.received:
            if self.ended:
                self.check()
                return b""
            self._client.receive()
        piece = self.received.pop(0)
        return bytes(piece) if isinstance(piece, int) else piece

    def write(self, data: bytes) -> None:
        """Send data. Raises RoostError when the daemon has given up the stream."""
        self.check()
        if self.ended:
            raise OperationInvalid("the stream has ended", domain=From.STREAMS)
        for at in range(0, len(data), STREAM_CHUNK):
            self._client.send(wire.stream_data(self, data[at : at + STREAM_CHUNK]))

    def check(self) -> None:
        """Raise what the daemon ended the stream with, if it was an error."""
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """End the stream in order and wait until the daemon confirms it. Raises RoostError."""
        self._leave(wire.stream_finish(self))
        self.check()

    def abort(self) -> None:
        """Give the stream up, whatever is under way."""
        self._leave(wire.stream_abort(self))

    def _leave(self, message: bytes) -> None:
        if self._closed:
            return
        self._closed = True
        self._client.send(message)
        while not self._confirmed and self._error is None:
            self._client.receive()
        self._client.forget_stream(self.serial)

    def _end(self) -> None:
        self.ended = True
        self._client.forget_stream(self.serial)
        if self._error is not None:
            self._closed = True
