"""A client's and a server's connection, one's bytes into the other, with no socket between."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.errors import NoDomain
from roost.protocol import REMOTE, Procedure
from roost.protocol.types import Domain
from roost.wire import (
    CallReceived,
    Connection,
    Event,
    HoleReceived,
    MessageReceived,
    PingReceived,
    PongReceived,
    ReplyReceived,
    StreamReceived,
    call,
    decode_error,
    event,
    fd_pieces,
    ping,
    pong,
    reply,
    reply_error,
    stream_abort,
    stream_data,
    stream_finish,
    stream_hole,
)
from roost.wire.framing import CONTINUE, ERROR, OK

DOMAIN = Domain("web", bytes(range(16)), 3)


class Pair:
    """What each end sends goes to the other in pieces of `size` bytes."""

    def __init__(self, size: int = 1 << 20) -> None:
        self.client = Connection(server=False)
        self.server = Connection(server=True)
        self.size = size

    def to_server(self, data: bytes, fds: list[int] | None = None) -> list[Event]:
        return self._carry(self.server, data, fds or [])

    def to_client(self, data: bytes, fds: list[int] | None = None) -> list[Event]:
        return self._carry(self.client, data, fds or [])

    def _carry(self, end: Connection, data: bytes, fds: list[int]) -> list[Event]:
        events = []
        for at in range(0, len(data), self.size):
            events += end.receive_data(data[at : at + self.size])
        for piece, fd in fd_pieces(fds):
            events += end.receive_data(piece, [fd])
        return events

    def open(self, procedure: Procedure, values: tuple[object, ...], fds: list[int] | None = None) -> CallReceived:
        """A call as the server gets it."""
        assert procedure.args is not None
        payload = procedure.args.encode(values)
        serial = self.client.next_serial()
        data = call(procedure.program, procedure.version, procedure.number, serial, payload, len(fds or []))
        (received,) = self.to_server(data, fds)
        assert isinstance(received, CallReceived)
        assert procedure.args.decode(received.payload) == values
        assert received.serial == serial
        return received


@pytest.fixture(params=[1, 7, 1 << 20])
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(request.param)


def test_a_call_and_its_reply(pair: Pair) -> None:
    procedure = REMOTE.by_name["DOMAIN_LOOKUP_BY_NAME"]
    assert procedure.ret is not None
    asked = pair.open(procedure, ("web",))
    (answer,) = pair.to_client(reply(asked, procedure.ret.encode((DOMAIN,))))
    assert isinstance(answer, ReplyReceived)
    assert (answer.serial, answer.status) == (asked.serial, OK)
    assert procedure.ret.decode(answer.payload) == (DOMAIN,)


def test_a_call_that_fails(pair: Pair) -> None:
    asked = pair.open(REMOTE.by_name["DOMAIN_LOOKUP_BY_NAME"], ("web",))
    (answer,) = pair.to_client(reply_error(asked, NoDomain("no domain with matching name 'web'", domain=10)))
    assert isinstance(answer, ReplyReceived)
    assert answer.status == ERROR
    error = decode_error(answer.payload)
    assert isinstance(error, NoDomain)
    assert error.message == "Domain not found: no domain with matching name 'web'"


def test_replies_out_of_order_with_an_event_and_a_ping_between(pair: Pair) -> None:
    first = pair.open(REMOTE.by_name["DOMAIN_CREATE"], (DOMAIN,))
    second = pair.open(REMOTE.by_name["DOMAIN_LOOKUP_BY_ID"], (3,))
    lifecycle = REMOTE.by_name["DOMAIN_EVENT_CALLBACK_LIFECYCLE"]
    assert lifecycle.msg is not None
    fields = (0, DOMAIN, 2, 0)
    message = event(lifecycle.program, lifecycle.version, lifecycle.number, lifecycle.msg.encode(fields))
    events = pair.to_client(reply(second) + message + ping() + reply(first))
    assert [type(event) for event in events] == [ReplyReceived, MessageReceived, PingReceived, ReplyReceived]
    assert [event.serial for event in events if isinstance(event, ReplyReceived)] == [second.serial, first.serial]
    (got,) = [event for event in events if isinstance(event, MessageReceived)]
    assert (got.program, got.procedure, lifecycle.msg.decode(got.payload)) == (REMOTE.number, 318, fields)
    assert pair.to_server(pong()) == [PongReceived()]


@given(
    st.sampled_from([1, 5, 4096]),
    st.lists(st.binary(min_size=1, max_size=50) | st.integers(1, 2**40), max_size=12),
)
def test_a_sparse_stream_goes_either_way(size: int, content: list[bytes | int]) -> None:
    """Data and holes in any order arrive in that order, then the end and its confirmation."""
    pair = Pair(size)
    upload = pair.open(REMOTE.by_name["STORAGE_VOL_UPLOAD"], (("pool", "vol", "key"), 0, 0, 1))
    for carry, back in ((pair.to_server, pair.to_client), (pair.to_client, pair.to_server)):
        sent = [stream_hole(upload, item) if isinstance(item, int) else stream_data(upload, item) for item in content]
        *arrived, end = carry(b"".join(sent) + stream_finish(upload))
        assert [
            item.length if isinstance(item, HoleReceived) else getattr(item, "payload", None) for item in arrived
        ] == content
        finish = StreamReceived(upload.program, upload.version, upload.procedure, upload.serial, OK, b"")
        assert end == finish
        assert back(stream_finish(upload)) == [finish]


def test_both_ways_at_once_as_a_console_does(pair: Pair) -> None:
    console = pair.open(REMOTE.by_name["DOMAIN_OPEN_CONSOLE"], (DOMAIN, None, 0))
    for text in (b"login: ", b"root\n"):
        for carry in (pair.to_server, pair.to_client):
            (packet,) = carry(stream_data(console, text))
            assert isinstance(packet, StreamReceived)
            assert (packet.serial, packet.status, packet.payload) == (console.serial, CONTINUE, text)


def test_a_client_aborts_a_stream(pair: Pair) -> None:
    download = pair.open(REMOTE.by_name["STORAGE_VOL_DOWNLOAD"], (("pool", "vol", "key"), 0, 0, 0))
    (abort,) = pair.to_server(stream_abort(download))
    assert isinstance(abort, StreamReceived)
    assert (abort.status, abort.payload) == (ERROR, b"")
    events = pair.to_client(stream_data(download, b"on its way") + stream_finish(download))
    assert [event.status for event in events if isinstance(event, StreamReceived)] == [CONTINUE, OK]


def test_a_server_aborts_a_stream(pair: Pair) -> None:
    upload = pair.open(REMOTE.by_name["STORAGE_VOL_UPLOAD"], (("pool", "vol", "key"), 0, 0, 0))
    (abort,) = pair.to_client(stream_abort(upload, NoDomain("gone")))
    assert isinstance(abort, StreamReceived)
    assert abort.status == ERROR
    assert decode_error(abort.payload).message == "Domain not found: gone"


def test_descriptors_go_both_ways(pair: Pair) -> None:
    procedure = REMOTE.by_name["DOMAIN_FD_ASSOCIATE"]
    asked = pair.open(procedure, (DOMAIN, "disk", 0), [10, 11, 12])
    assert asked.fds == (10, 11, 12)
    (answer,) = pair.to_client(reply(asked, b"", 2), [20, 21])
    assert isinstance(answer, ReplyReceived)
    assert (answer.payload, answer.fds) == (b"", (20, 21))
    assert pair.to_client(reply(pair.open(procedure, (DOMAIN, "disk", 0), [13]))) != []
