"""Bytes in, events out: one end of a connection, with no socket and no clock."""

from __future__ import annotations

from struct import Struct as Packer

from roost.wire.events import (
    CallReceived,
    ConnectionBroken,
    HoleReceived,
    MessageReceived,
    PingReceived,
    PongReceived,
    ReplyReceived,
    StreamReceived,
)
from roost.wire.framing import (
    CALL,
    CALL_WITH_FDS,
    HEADER,
    HEADER_SIZE,
    KEEPALIVE_PING,
    KEEPALIVE_PONG,
    KEEPALIVE_PROGRAM,
    KEEPALIVE_VERSION,
    MAX_FDS,
    MAX_MESSAGE,
    MESSAGE,
    REPLY,
    REPLY_WITH_FDS,
    STREAM,
    STREAM_HOLE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from roost.wire.events import Event

_new = tuple.__new__
_read_header = HEADER.unpack_from
_UINT = Packer(">I")
_HOLE = Packer(">qI")


class Connection:
    """The receiving state machine of one peer.

    server: this end takes calls; else it takes replies and messages. What only
        the other end may send breaks a client's connection and is dropped by a
        server, as libvirt's do.
    max_message: longest message taken, its length word included.
    """

    __slots__ = (
        "_broken",
        "_buffer",
        "_due",
        "_fds",
        "_main",
        "_main_kind",
        "_need",
        "_serial",
        "max_message",
        "server",
    )

    def __init__(self, *, server: bool, max_message: int = MAX_MESSAGE) -> None:
        self.server = server
        self.max_message = max_message
        self._main_kind = CALL if server else REPLY
        self._main: type[CallReceived | ReplyReceived] = CallReceived if server else ReplyReceived
        self._buffer = bytearray()
        self._need = 4  # bytes that must be there before looking at the buffer makes sense
        self._fds: list[int] = []  # received, not yet given to an event
        self._due: tuple[int, tuple[int, int, int, int, int, bytes]] | None = None  # message waiting for descriptors
        self._broken = False
        self._serial = -1

    def next_serial(self) -> int:
        """A serial for the next call: 0, 1, 2 … as the C client counts."""
        self._serial = (self._serial + 1) & 0xFFFFFFFF
        return self._serial

    def take_fds(self) -> list[int]:
        """The descriptors received but not given out in an event. The caller closes them, once the peer is gone."""
        fds, self._fds = self._fds, []
        return fds

    def receive_data(self, data: bytes | bytearray | memoryview, fds: Sequence[int] = ()) -> list[Event]:
        """The events that `data` completes, in order.

        fds: descriptors that came with `data`. Raises nothing, whatever the peer
        sends: after ConnectionBroken it returns no more events.
        """
        events: list[Event] = []
        if fds:
            self._fds += fds
        if self._broken:
            return events
        if self._buffer:
            self._buffer += data
            if len(self._buffer) >= self._need:
                with memoryview(self._buffer) as view:
                    used = self._parse(view, events)
                del self._buffer[:used]
        else:
            used = self._parse(data, events)
            if used != len(data):
                self._buffer += memoryview(data)[used:]
        if self._fds and not self._broken and (len(self._fds) > MAX_FDS or not (self._buffer or self._due)):
            self._break(events, "a file descriptor that no message announced")
        return events

    def _parse(self, data: bytes | bytearray | memoryview, events: list[Event]) -> int:
        """Append the events of all whole messages in `data`. The number of bytes used."""
        at, size = 0, len(data)
        while True:
            if self._due is not None:
                at = self._collect_fds(at, size, events)
                if self._due is not None:
                    return at
            if size - at < HEADER_SIZE:
                return self._parse_length(data, at, size, events)
            length, program, version, procedure, kind, serial, status = _read_header(data, at)
            if not HEADER_SIZE <= length <= self.max_message:
                return self._break_length(events, length, size)
            end = at + length
            if end > size:
                self._need = length
                return at
            payload = bytes(data[at + HEADER_SIZE : end])
            at = end
            if kind == self._main_kind:
                events.append(_new(self._main, (program, version, procedure, serial, status, payload, ())))
                continue
            self._other(events, kind, (program, version, procedure, serial, status, payload))
            if self._broken:
                return size

    def _parse_length(self, data: bytes | bytearray | memoryview, at: int, size: int, events: list[Event]) -> int:
        """Refuse a bad length as soon as it is there. The number of bytes used."""
        if size - at < 4:
            self._need = 4
            return at
        length = _UINT.unpack_from(data, at)[0]
        if not HEADER_SIZE <= length <= self.max_message:
            return self._break_length(events, length, size)
        self._need = HEADER_SIZE
        return at

    def _other(self, events: list[Event], kind: int, message: tuple[int, int, int, int, int, bytes]) -> None:
        program, version, procedure, serial, _status, payload = message
        if kind == MESSAGE:
            if program == KEEPALIVE_PROGRAM and version == KEEPALIVE_VERSION:
                if procedure == KEEPALIVE_PING:
                    events.append(PingReceived())
                elif procedure == KEEPALIVE_PONG:
                    events.append(PongReceived())
            elif not self.server:
                events.append(MessageReceived(program, version, procedure, payload))
        elif kind == STREAM:
            events.append(_new(StreamReceived, message))
        elif kind == STREAM_HOLE:
            if len(payload) < _HOLE.size:
                self._break(events, f"a stream hole of {len(payload)} bytes")
                return
            length, flags = _HOLE.unpack_from(payload)
            events.append(HoleReceived(program, version, procedure, serial, length, flags))
        elif kind == (CALL_WITH_FDS if self.server else REPLY_WITH_FDS):
            self._announce_fds(events, message)
        elif not self.server:
            self._break(events, f"a server must not send a message of type {kind}")

    def _announce_fds(self, events: list[Event], message: tuple[int, int, int, int, int, bytes]) -> None:
        payload = message[5]
        if len(payload) < 4:
            self._break(events, "a message with descriptors does not say how many")
            return
        count = _UINT.unpack_from(payload)[0]
        if count > MAX_FDS:
            self._break(events, f"a message with {count} descriptors, at most {MAX_FDS} fit")
            return
        self._due = (count, (*message[:5], payload[4:]))

    def _collect_fds(self, at: int, size: int, events: list[Event]) -> int:
        """Match the bytes after a message with the descriptors they carry. Where the next message starts."""
        assert self._due is not None
        count, message = self._due
        # One byte per descriptor. A transport hands over a descriptor no later than its byte.
        ready = min(count, size - at)
        if ready > len(self._fds):
            self._break(events, "a message announces descriptors, but none came")
            self._due = None
            return size
        if ready < count:
            self._need = count
            return at
        fds, self._fds = self._fds[:count], self._fds[count:]
        events.append(_new(self._main, (*message, tuple(fds))))
        self._due = None
        return at + count

    def _break_length(self, events: list[Event], length: int, size: int) -> int:
        self._break(events, f"a message of {length} bytes, from {HEADER_SIZE} to {self.max_message} fit")
        return size

    def _break(self, events: list[Event], reason: str) -> None:
        self._broken = True
        events.append(ConnectionBroken(reason))
