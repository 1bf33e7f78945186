"""What a connection reports. All are records: compare `type(event)`, then use the fields.

program, version, procedure, serial, status: the message's header.
payload: the procedure's bytes, without header and descriptor count.
fds: descriptors that came with the message, now the receiver's to close.
"""

from __future__ import annotations

from roost.wire.records import Record


class CallReceived(Record):
    program: int
    version: int
    procedure: int
    serial: int
    status: int
    payload: bytes
    fds: tuple[int, ...]


class ReplyReceived(Record):
    """status ERROR: the payload is an error record, see `decode_error`."""

    program: int
    version: int
    procedure: int
    serial: int
    status: int
    payload: bytes
    fds: tuple[int, ...]


class MessageReceived(Record):
    program: int
    version: int
    procedure: int
    payload: bytes


class StreamReceived(Record):
    """status CONTINUE: data, or from a server without data the end. OK: finish. ERROR: abort."""

    program: int
    version: int
    procedure: int
    serial: int
    status: int
    payload: bytes


class HoleReceived(Record):
    """length: bytes of zeros that were not sent."""

    program: int
    version: int
    procedure: int
    serial: int
    length: int
    flags: int


class PingReceived(Record):
    """To be answered with `pong()` at once, whatever else waits."""


class PongReceived(Record):
    pass


class ConnectionBroken(Record):
    """The peer broke the protocol: nothing it sends can be told apart any more. Close."""

    reason: str


Event = (
    CallReceived
    | ReplyReceived
    | MessageReceived
    | StreamReceived
    | HoleReceived
    | PingReceived
    | PongReceived
    | ConnectionBroken
)
