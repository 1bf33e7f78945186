"""Streams on the blocking client: data both ways, holes, both ends' endings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from roost import wire
from roost.client.blocking import Client
from roost.client.streams import Stream
from roost.errors import NoSupport, OperationFailed, OperationInvalid
from roost.protocol import REMOTE
from roost.protocol.types import Domain
from roost.wire.framing import CONTINUE, ERROR, OK, STREAM, STREAM_CHUNK
from support.answers import Answers

WEB = Domain("web", bytes(16), 7)
CONSOLE = REMOTE.by_name["DOMAIN_OPEN_CONSOLE"]


@pytest.fixture
def daemon() -> Iterator[Answers]:
    with Answers({"DOMAIN_OPEN_CONSOLE": lambda domain, device, flags: ()}) as answers:
        yield answers


@pytest.fixture
def client(daemon: Answers) -> Iterator[Client]:
    made = Client(daemon.client_socket())
    made.handshake("qemu:///system")
    yield made
    made.abandon()


@pytest.fixture
def stream(client: Client) -> Stream:
    return client.open_stream("DOMAIN_OPEN_CONSOLE", WEB, None, 0)


def packet(stream: Stream, status: int, payload: bytes = b"") -> bytes:
    return wire.frame(CONSOLE.program, CONSOLE.version, CONSOLE.number, STREAM, stream.serial, status, payload)


def test_a_refused_stream(client: Client, daemon: Answers) -> None:
    del daemon.answers["DOMAIN_OPEN_CONSOLE"]
    with pytest.raises(NoSupport):
        client.open_stream("DOMAIN_OPEN_CONSOLE", WEB, None, 0)


def test_reading_to_the_end(daemon: Answers, stream: Stream) -> None:
    daemon.send(packet(stream, CONTINUE, b"one") + packet(stream, CONTINUE, b"two") + packet(stream, CONTINUE))
    assert [stream.read(), stream.read(), stream.read()] == [b"one", b"two", b""]
    assert stream.ended
    stream.finish()


def test_holes_are_zeros(daemon: Answers, stream: Stream) -> None:
    daemon.send(wire.stream_hole(stream, 5) + packet(stream, CONTINUE, b"x"))
    assert stream.read() == bytes(5)
    assert stream.read() == b"x"


def test_an_error_of_the_daemon(daemon: Answers, stream: Stream) -> None:
    daemon.send(packet(stream, ERROR, wire.encode_error(OperationFailed("the device is gone"))))
    with pytest.raises(OperationFailed, match="the device is gone"):
        stream.read()
    with pytest.raises(OperationFailed):
        stream.write(b"x")
    # Nothing is left to leave.
    stream.abort()


def test_writing_in_pieces(daemon: Answers, client: Client, stream: Stream) -> None:
    data = bytes(range(256)) * 2000
    stream.write(data)
    assert client.supports(14)
    pieces = [event.payload for event in daemon.received if isinstance(event, wire.StreamReceived)]
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) == STREAM_CHUNK


def test_finishing_waits_for_the_answer(daemon: Answers, stream: Stream) -> None:
    daemon.send(packet(stream, CONTINUE, b"late"))
    stream.finish()
    stream.finish()
    assert stream.ended
    assert [event.status for event in daemon.received if isinstance(event, wire.StreamReceived)] == [OK]
    with pytest.raises(OperationInvalid):
        stream.write(b"x")


def test_aborting(daemon: Answers, client: Client, stream: Stream) -> None:
    stream.abort()
    assert client.supports(14)
    (last,) = [event for event in daemon.received if isinstance(event, wire.StreamReceived)]
    assert last.status == ERROR


def test_packets_of_no_stream_are_dropped(daemon: Answers, client: Client, stream: Stream) -> None:
    stream.finish()
    daemon.before["CONNECT_SUPPORTS_FEATURE"] = packet(stream, CONTINUE, b"x")
    assert client.supports(14)
    assert stream.received == []
