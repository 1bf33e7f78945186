"""One end of a connection: bytes in any pieces, events out."""

from __future__ import annotations

import struct
import tracemalloc
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.wire import (
    CallReceived,
    Connection,
    ConnectionBroken,
    Event,
    HoleReceived,
    MessageReceived,
    PingReceived,
    PongReceived,
    ReplyReceived,
    StreamReceived,
    frame,
)
from roost.wire.framing import MAX_MESSAGE

KEEPALIVE = 0x6B656570
CALL, REPLY, MESSAGE, STREAM, CALL_WITH_FDS, REPLY_WITH_FDS, STREAM_HOLE = range(7)


def header(length: int, kind: int = CALL) -> bytes:
    return struct.pack(">IIIiiIi", length, 1, 2, 3, kind, 4, 0)


class Sent(NamedTuple):
    """A message on its way: its bytes, where in them descriptors travel, and the event it should be."""

    data: bytes
    fds: dict[int, int]
    event: Event | None


NUMBERS = st.integers(0, 0xFFFFFFFF)


@st.composite
def messages(draw: st.DrawFn, *, server: bool) -> Sent:
    """What a peer may send, and some that is to be dropped."""
    main, with_fds = (CALL, CALL_WITH_FDS) if server else (REPLY, REPLY_WITH_FDS)
    received = CallReceived if server else ReplyReceived
    program, version, serial = draw(NUMBERS), draw(NUMBERS), draw(NUMBERS)
    procedure = draw(st.integers(-(2**31), 2**31 - 1))
    status = draw(st.integers(0, 2))
    payload = draw(st.binary(max_size=40))
    kind = draw(st.sampled_from([main, main, with_fds, STREAM, STREAM_HOLE, MESSAGE, "ping", "pong", "dropped"]))
    event: Event | None = None
    fds: dict[int, int] = {}
    match kind:
        case "ping" | "pong":
            procedure = 1 if kind == "ping" else 2
            data = frame(KEEPALIVE, 1, procedure, MESSAGE, serial, status, payload)
            return Sent(data, fds, PingReceived() if kind == "ping" else PongReceived())
        case "dropped":
            if server:
                other = draw(st.sampled_from([REPLY, REPLY_WITH_FDS, 7, -1]))
                return Sent(frame(program, version, procedure, other, serial, status, payload), fds, None)
            return Sent(frame(KEEPALIVE, 1, 3, MESSAGE, serial, status, payload), fds, None)
        case 2:
            event = None if server else MessageReceived(program, version, procedure, payload)
        case 3:
            event = StreamReceived(program, version, procedure, serial, status, payload)
        case 6:
            length, flags = draw(st.integers(-(2**63), 2**63 - 1)), draw(NUMBERS)
            payload = struct.pack(">qI", length, flags) + payload
            event = HoleReceived(program, version, procedure, serial, length, flags)
        case _:
            numbers = draw(st.lists(st.integers(3, 99), max_size=4)) if kind == with_fds else []
            event = received(program, version, procedure, serial, status, payload, tuple(numbers))
            if kind == with_fds:
                data = frame(
                    program, version, procedure, with_fds, serial, status, bytes([0, 0, 0, len(numbers)]) + payload
                )
                fds = {len(data) + index: fd for index, fd in enumerate(numbers)}
                return Sent(data + bytes(len(numbers)), fds, event)
    assert isinstance(kind, int)
    return Sent(frame(program, version, procedure, kind, serial, status, payload), fds, event)


def joined(sent: list[Sent]) -> tuple[bytes, dict[int, int]]:
    data = b""
    fds: dict[int, int] = {}
    for message in sent:
        fds |= {len(data) + at: fd for at, fd in message.fds.items()}
        data += message.data
    return data, fds


def feed(connection: Connection, data: bytes, fds: dict[int, int], sizes: list[int]) -> list[Event]:
    """In pieces of the given sizes over and over, each with the descriptors of its bytes."""
    events, at, turn = [], 0, 0
    while at < len(data):
        end = at + sizes[turn % len(sizes)]
        events += connection.receive_data(data[at:end], [fds[place] for place in range(at, end) if place in fds])
        at, turn = end, turn + 1
    return events


@pytest.mark.parametrize("server", [True, False])
@given(data=st.data(), sizes=st.lists(st.integers(1, 80), min_size=1, max_size=6))
def test_the_same_events_whatever_the_pieces(server: bool, data: st.DataObject, sizes: list[int]) -> None:
    sent = data.draw(st.lists(messages(server=server), max_size=6))
    stream, fds = joined(sent)
    expected = [message.event for message in sent if message.event is not None]
    for pieces in ([len(stream) or 1], [1], sizes):
        connection = Connection(server=server)
        events = feed(connection, stream, fds, pieces)
        assert events == expected
        assert [type(event) for event in events] == [type(event) for event in expected]
        assert connection.take_fds() == []


@pytest.mark.parametrize("server", [True, False])
@given(data=st.binary(max_size=200), sizes=st.lists(st.integers(1, 80), min_size=1, max_size=6))
def test_random_bytes_break_the_connection_at_most_once(server: bool, data: bytes, sizes: list[int]) -> None:
    whole = Connection(server=server, max_message=100).receive_data(data)
    assert feed(Connection(server=server, max_message=100), data, {}, sizes) == whole
    assert ConnectionBroken not in [type(event) for event in whole[:-1]]


@pytest.mark.parametrize("server", [True, False])
@given(data=st.data(), sizes=st.lists(st.integers(1, 80), min_size=1, max_size=6))
def test_one_wrong_byte_is_the_same_in_any_pieces(server: bool, data: st.DataObject, sizes: list[int]) -> None:
    stream, fds = joined(data.draw(st.lists(messages(server=server), min_size=1, max_size=4)))
    wrong = bytearray(stream)
    wrong[data.draw(st.integers(0, len(wrong) - 1))] = data.draw(st.integers(0, 255))
    one = Connection(server=server)
    events = feed(one, bytes(wrong), fds, [1])
    other = Connection(server=server)
    again = feed(other, bytes(wrong), fds, sizes)
    # A descriptor that arrives before anything announces it may break the connection a few events later.
    shortest = min(len(events), len(again))
    if ConnectionBroken not in [type(event) for event in events + again]:
        assert events == again
    else:
        assert events[: shortest - 1] == again[: shortest - 1]
    given_out = [fd for event in events if isinstance(event, CallReceived | ReplyReceived) for fd in event.fds]
    assert sorted(given_out + one.take_fds()) == sorted(fds.values())


@pytest.mark.parametrize("length", [0, 1, 27, MAX_MESSAGE + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_out_of_bounds_breaks_the_connection_at_once(length: int) -> None:
    connection = Connection(server=True)
    good = header(28)
    assert connection.receive_data(good + length.to_bytes(4)[:3]) == [CallReceived(1, 2, 3, 4, 0, b"", ())]
    (broken,) = connection.receive_data(length.to_bytes(4)[3:])
    assert broken == ConnectionBroken(f"a message of {length} bytes, from 28 to {MAX_MESSAGE} fit")
    assert connection.receive_data(good) == []


def test_the_shortest_and_the_longest_message_pass() -> None:
    connection = Connection(server=True)
    assert connection.receive_data(header(28)) == [CallReceived(1, 2, 3, 4, 0, b"", ())]
    assert connection.receive_data(header(MAX_MESSAGE)) == []
    (event,) = connection.receive_data(bytes(MAX_MESSAGE - 28))
    assert isinstance(event, CallReceived)
    assert len(event.payload) == MAX_MESSAGE - 28


def test_a_smaller_limit_is_kept_to() -> None:
    assert Connection(server=True, max_message=100).receive_data(header(100) + bytes(72)) == [
        CallReceived(1, 2, 3, 4, 0, bytes(72), ())
    ]
    assert [type(event) for event in Connection(server=True, max_message=100).receive_data(header(101))] == [
        ConnectionBroken
    ]


def test_whole_messages_before_a_broken_one_are_delivered() -> None:
    events = Connection(server=True).receive_data(header(28) + header(28) + bytes(4))
    assert [type(event) for event in events] == [CallReceived, CallReceived, ConnectionBroken]


def test_a_large_message_is_not_copied_again_with_every_piece() -> None:
    """Adds up what each of 2,048 pieces makes the connection allocate: a copy of all that came before would show."""
    connection = Connection(server=True)
    size, piece, allocated = 8 << 20, bytes(4096), 0
    tracemalloc.start()
    try:
        assert connection.receive_data(header(size)) == []
        for _ in range(size // len(piece) - 1):
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            assert connection.receive_data(piece) == []
            allocated += tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    (event,) = connection.receive_data(bytes(4096 - 28))
    assert isinstance(event, CallReceived)
    assert allocated < 3 * size


@pytest.mark.parametrize("kind", [CALL, CALL_WITH_FDS, 7, 99, -1])
def test_a_client_breaks_on_what_no_server_may_send(kind: int) -> None:
    (broken,) = Connection(server=False).receive_data(header(28, kind))
    assert broken == ConnectionBroken(f"a server must not send a message of type {kind}")


@pytest.mark.parametrize("kind", [REPLY, MESSAGE, REPLY_WITH_FDS, 7, 99, -1])
def test_a_server_drops_what_no_client_may_send(kind: int) -> None:
    connection = Connection(server=True)
    assert connection.receive_data(header(28, kind)) == []
    assert connection.receive_data(header(28)) == [CallReceived(1, 2, 3, 4, 0, b"", ())]


@pytest.mark.parametrize("payload", [b"", bytes(11)])
def test_a_short_hole_breaks_the_connection(payload: bytes) -> None:
    (broken,) = Connection(server=True).receive_data(frame(1, 1, 209, STREAM_HOLE, 5, 2, payload))
    assert broken == ConnectionBroken(f"a stream hole of {len(payload)} bytes")


class TestDescriptors:
    def call(self, count: int, payload: bytes = b"rest") -> bytes:
        return frame(1, 1, 3, CALL_WITH_FDS, 5, 0, count.to_bytes(4) + payload)

    def test_each_comes_with_a_byte_of_its_own(self) -> None:
        connection = Connection(server=True)
        assert connection.receive_data(self.call(2)) == []
        assert connection.receive_data(b"\0", [10]) == []
        assert connection.receive_data(b"\0", [11]) == [CallReceived(1, 1, 3, 5, 0, b"rest", (10, 11))]

    def test_the_next_call_follows_the_last_byte(self) -> None:
        connection = Connection(server=True)
        events = connection.receive_data(self.call(1) + b"\0" + header(28), [10])
        assert events == [CallReceived(1, 1, 3, 5, 0, b"rest", (10,)), CallReceived(1, 2, 3, 4, 0, b"", ())]

    def test_a_descriptor_may_come_before_the_end_of_its_message(self) -> None:
        connection = Connection(server=True)
        call = self.call(1)
        assert connection.receive_data(call[:30], [10]) == []
        assert connection.receive_data(call[30:] + b"\0") == [CallReceived(1, 1, 3, 5, 0, b"rest", (10,))]

    def test_none_at_all_is_a_plain_call(self) -> None:
        assert Connection(server=True).receive_data(self.call(0)) == [CallReceived(1, 1, 3, 5, 0, b"rest", ())]

    def test_thirty_two_pass(self) -> None:
        (event,) = Connection(server=True).receive_data(self.call(32) + bytes(32), list(range(100, 132)))
        assert isinstance(event, CallReceived)
        assert event.fds == tuple(range(100, 132))

    @pytest.mark.parametrize("count", [33, 0xFFFFFFFF])
    def test_more_break_the_connection(self, count: int) -> None:
        (broken,) = Connection(server=True).receive_data(self.call(count))
        assert broken == ConnectionBroken(f"a message with {count} descriptors, at most 32 fit")

    def test_a_missing_count_breaks_the_connection(self) -> None:
        (broken,) = Connection(server=True).receive_data(frame(1, 1, 3, CALL_WITH_FDS, 5, 0, b"\0\0\0"))
        assert broken == ConnectionBroken("a message with descriptors does not say how many")

    def test_a_byte_without_its_descriptor_breaks_the_connection(self) -> None:
        connection = Connection(server=True)
        connection.receive_data(self.call(2) + b"\0", [10])
        (broken,) = connection.receive_data(b"\0")
        assert broken == ConnectionBroken("a message announces descriptors, but none came")
        assert connection.take_fds() == [10]

    def test_one_that_nothing_announced_breaks_the_connection(self) -> None:
        connection = Connection(server=True)
        events = connection.receive_data(header(28), [10])
        assert [type(event) for event in events] == [CallReceived, ConnectionBroken]
        assert connection.take_fds() == [10]
        assert connection.take_fds() == []

    def test_a_flood_of_them_breaks_the_connection(self) -> None:
        connection = Connection(server=True)
        (broken,) = connection.receive_data(header(99), list(range(100, 133)))
        assert isinstance(broken, ConnectionBroken)
        assert len(connection.take_fds()) == 33

    def test_those_of_a_peer_that_leaves_in_between_can_be_taken(self) -> None:
        connection = Connection(server=True)
        connection.receive_data(self.call(2) + b"\0", [10])
        assert connection.take_fds() == [10]

    def test_those_that_come_after_the_end_can_be_taken(self) -> None:
        connection = Connection(server=True)
        connection.receive_data(bytes(28))
        assert connection.receive_data(b"\0", [10]) == []
        assert connection.take_fds() == [10]


def test_serials_count_from_zero_and_wrap() -> None:
    connection = Connection(server=False)
    assert [connection.next_serial() for _ in range(3)] == [0, 1, 2]
    connection._serial = 0xFFFFFFFE
    assert [connection.next_serial() for _ in range(2)] == [0xFFFFFFFF, 0]


@given(st.sampled_from([bytes, bytearray, memoryview]), st.integers(0, 60))
def test_any_kind_of_buffer_will_do(kind: type[bytes | bytearray | memoryview], cut: int) -> None:
    stream = header(40) + bytes(range(12)) + header(28)
    connection = Connection(server=True)
    events = connection.receive_data(kind(stream[:cut])) + connection.receive_data(kind(stream[cut:]))
    assert events == [CallReceived(1, 2, 3, 4, 0, bytes(range(12)), ()), CallReceived(1, 2, 3, 4, 0, b"", ())]
    assert type(events[0].payload) is bytes  # type: ignore[union-attr]  # both are calls
