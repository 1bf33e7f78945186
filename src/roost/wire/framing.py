"""Messages as bytes: a length word, a header of six words, a payload.

Everything sent on behalf of a call takes the call's program, version, procedure
and serial from an object that has them: a `CallReceived`, or what a client keeps
of the call it made.
"""

from __future__ import annotations

from struct import Struct as Packer

from roost.wire.errors import EncodeError, encode_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    from roost.errors import RoostError

    class Header(Protocol):
        """What names a call."""

        @property
        def program(self) -> int: ...
        @property
        def version(self) -> int: ...
        @property
        def procedure(self) -> int: ...
        @property
        def serial(self) -> int: ...


# Message types.
CALL, REPLY, MESSAGE, STREAM, CALL_WITH_FDS, REPLY_WITH_FDS, STREAM_HOLE = range(7)
# Message status.
OK, ERROR, CONTINUE = range(3)

#: Bytes of the length word and the header; the shortest message.
HEADER_SIZE = 28
#: Bytes of the longest message, its length word included.
MAX_MESSAGE = 33554436
#: Bytes of stream data that every peer takes in one message.
STREAM_CHUNK = 262120
#: Descriptors that may accompany one message.
MAX_FDS = 32

KEEPALIVE_PROGRAM, KEEPALIVE_VERSION = 0x6B656570, 1
KEEPALIVE_PING, KEEPALIVE_PONG = 1, 2

#: length, program, version, procedure, type, serial, status.
HEADER = Packer(">IIIiiIi")
_pack_header = HEADER.pack
_UINT = Packer(">I")
_HOLE = Packer(">qI")


def frame(
    program: int, version: int, procedure: int, kind: int, serial: int, status: int, payload: bytes = b""
) -> bytes:
    """One whole message. EncodeError when it would be longer than any peer accepts."""
    length = 28 + len(payload)
    if length > MAX_MESSAGE:
        raise EncodeError(f"a message of {length} bytes, at most {MAX_MESSAGE} fit")
    return _pack_header(length, program, version, procedure, kind, serial, status) + payload


def call(program: int, version: int, procedure: int, serial: int, payload: bytes = b"", nfds: int = 0) -> bytes:
    """A call. With descriptors, `fd_pieces` follow the message."""
    if nfds:
        return frame(program, version, procedure, CALL_WITH_FDS, serial, OK, _count_fds(nfds) + payload)
    return frame(program, version, procedure, CALL, serial, OK, payload)


def reply(call: Header, payload: bytes = b"", nfds: int = 0) -> bytes:
    """The result of a call. With descriptors, `fd_pieces` follow the message."""
    if nfds:
        payload = _count_fds(nfds) + payload
        return frame(call.program, call.version, call.procedure, REPLY_WITH_FDS, call.serial, OK, payload)
    return frame(call.program, call.version, call.procedure, REPLY, call.serial, OK, payload)


def reply_error(call: Header, error: RoostError) -> bytes:
    """The error that a call ended with."""
    return frame(call.program, call.version, call.procedure, REPLY, call.serial, ERROR, encode_error(error))


def event(program: int, version: int, procedure: int, payload: bytes) -> bytes:
    """A message that answers no call.

    Its serial is 0, which no pending call has once a client can receive events:
    some clients route by serial alone.
    """
    return frame(program, version, procedure, MESSAGE, 0, OK, payload)


def ping() -> bytes:
    return frame(KEEPALIVE_PROGRAM, KEEPALIVE_VERSION, KEEPALIVE_PING, MESSAGE, 0, OK)


def pong() -> bytes:
    return frame(KEEPALIVE_PROGRAM, KEEPALIVE_VERSION, KEEPALIVE_PONG, MESSAGE, 0, OK)


def stream_data(call: Header, data: bytes) -> bytes:
    """Stream data. From a server, no data means the end: the client may take it as such, or finish."""
    return frame(call.program, call.version, call.procedure, STREAM, call.serial, CONTINUE, data)


def stream_hole(call: Header, length: int, flags: int = 0) -> bytes:
    """`length` bytes of zeros, not sent. Only on a stream opened with the sparse flag."""
    try:
        payload = _HOLE.pack(length, flags)
    except Exception as cause:
        raise EncodeError(f"a hole of {length!r} bytes with flags {flags!r}: {cause}") from None
    return frame(call.program, call.version, call.procedure, STREAM_HOLE, call.serial, CONTINUE, payload)


def stream_finish(call: Header) -> bytes:
    """The end of a stream: asked for by the client, confirmed by the server with the same message."""
    return frame(call.program, call.version, call.procedure, STREAM, call.serial, OK)


def stream_abort(call: Header, error: RoostError | None = None) -> bytes:
    """A stream given up: by a client without an error, by a server with one."""
    payload = b"" if error is None else encode_error(error)
    return frame(call.program, call.version, call.procedure, STREAM, call.serial, ERROR, payload)


def fd_pieces(fds: Iterable[int]) -> list[tuple[bytes, int]]:
    """What follows a message with descriptors.

    Each piece goes in a sendmsg of its own, with its descriptor: the C client
    reads exactly the message and then one byte per descriptor.
    """
    return [(b"\0", fd) for fd in fds]


def _count_fds(nfds: int) -> bytes:
    if nfds > MAX_FDS:
        raise EncodeError(f"{nfds} descriptors, at most {MAX_FDS} fit")
    return _UINT.pack(nfds)
