"""A blocking client of single messages over a unix socket, for what no proper client would send."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Any, NamedTuple

from roost.protocol import REMOTE, Program
from roost.wire import Connection, ReplyReceived, frame
from roost.wire.framing import CALL, ERROR, OK

SECONDS = 60.0


class Refusal(NamedTuple):
    """An error record as sent; the client's decoder would make NoSupport of an unknown procedure."""

    code: int
    domain: int
    message: str


class RawClient:
    def __init__(self, path: Path) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        # Waits while the daemon's queue is full; with a timeout set it would fail at once instead.
        try:
            self.sock.connect(str(path))
        except OSError:
            self.sock.close()
            raise
        self.sock.settimeout(SECONDS)
        self._connection = Connection(server=False)

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reply(self) -> ReplyReceived:
        """The next reply; EOFError when the server closed the connection."""
        while True:
            data = self.sock.recv(1 << 20)
            if not data:
                raise EOFError
            for event in self._connection.receive_data(data):
                if isinstance(event, ReplyReceived):
                    return event

    def exchange(
        self, program: int, version: int, procedure: int, payload: bytes = b"", *, status: int = OK
    ) -> bytes | Refusal:
        """Send one call; the payload of its reply, or the error."""
        serial = self._connection.next_serial()
        self.send(frame(program, version, procedure, CALL, serial, status, payload))
        reply = self.reply()
        assert (reply.program, reply.version, reply.procedure, reply.serial) == (program, version, procedure, serial)
        return refusal(reply.payload) if reply.status == ERROR else reply.payload

    def call(self, name: str, *values: object, program: Program = REMOTE) -> Any:
        """The decoded result, or the `Refusal`."""
        procedure = program.by_name[name]
        payload = procedure.args.encode(values) if procedure.args is not None else b""
        answer = self.exchange(program.number, program.version, procedure.number, payload)
        if isinstance(answer, Refusal) or procedure.ret is None:
            return answer
        return procedure.ret.decode(answer)

    def open(self, uri: str) -> None:
        self.call("AUTH_LIST")
        assert self.call("CONNECT_OPEN", uri, 0) == b""


def refusal(payload: bytes) -> Refusal:
    """From the payload of an error reply."""
    code, domain, present, length = struct.unpack_from(">iiII", payload)
    assert present, "an error without a message"
    return Refusal(code, domain, payload[16 : 16 + length].decode(errors="surrogateescape"))
