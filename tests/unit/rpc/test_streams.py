"""Console streams: both directions, all their ends, and back-pressure."""

from __future__ import annotations

import asyncio

import pytest

from roost.errors import From, NoSupport, OperationFailed
from roost.protocol import REMOTE
from roost.rpc.server import Limits
from roost.rpc.streams import Key
from roost.wire import StreamReceived, decode_error, stream_abort, stream_data, stream_finish, stream_hole
from roost.wire.framing import CONTINUE, ERROR, OK
from support.desk import WEB, Client, Desk, run


async def console(client: Client) -> Key:
    serial = await client.begin("DOMAIN_OPEN_CONSOLE", WEB, None, 0)
    assert await client.result(serial, "DOMAIN_OPEN_CONSOLE") == ()
    procedure = REMOTE.by_name["DOMAIN_OPEN_CONSOLE"]
    return Key(REMOTE.number, 1, procedure.number, serial)


async def packet(client: Client, key: Key) -> tuple[int, bytes]:
    event = await client.event()
    assert isinstance(event, StreamReceived)
    assert event[:4] == key
    return event.status, event.payload


def test_data_in_both_directions_and_the_clients_finish(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        key = await console(client)
        stream = desk.consoles.stream
        stream.to_client.put_nowait(b"login: ")
        assert await packet(client, key) == (CONTINUE, b"login: ")
        await client.send(stream_data(key, b"root\n") + stream_data(key, b"secret\n") + stream_finish(key))
        assert await packet(client, key) == (OK, b"")
        assert stream.from_client == [b"root\n", b"secret\n"]
        assert (stream.finished, stream.aborted.is_set()) == (True, False)
        await client.send(stream_data(key, b"too late"))
        assert await client.call("CONNECT_GET_TYPE") == ("FAKE",)

    run(loop, test)


def test_the_guests_end_is_an_empty_packet_that_the_client_confirms(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        key = await console(client)
        desk.consoles.stream.to_client.put_nowait(b"")
        assert await packet(client, key) == (CONTINUE, b"")
        await client.send(stream_finish(key))
        assert await packet(client, key) == (OK, b"")

    run(loop, test)


def test_abort_lets_go_at_once(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        key = await console(client)
        desk.consoles.stream.may_write.clear()
        await client.send(stream_data(key, b"x") + stream_data(key, b"y") + stream_abort(key))
        assert await packet(client, key) == (OK, b"")
        assert desk.consoles.stream.aborted.is_set()
        assert desk.consoles.stream.from_client == []
        # What waited no longer counts against the client.
        assert await client.call("DOMAIN_DEFINE_XML", "<domain/>") == (WEB,)

    run(loop, test, Limits(max_client_requests=3))


def test_errors_of_the_driver_end_the_stream(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        key = await console(client)
        desk.consoles.stream.to_client.put_nowait(OperationFailed("the guest is gone"))
        status, payload = await packet(client, key)
        error = decode_error(payload)
        assert (status, type(error), error.domain) == (ERROR, OperationFailed, From.STREAMS)
        assert desk.consoles.stream.aborted.is_set()

    run(loop, test)


def test_bugs_of_the_driver_end_the_stream(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        key = await console(client)
        desk.consoles.stream.to_client.put_nowait(ZeroDivisionError("bug"))
        status, payload = await packet(client, key)
        assert (status, decode_error(payload).code) == (ERROR, 1)

    run(loop, test)
    assert "ZeroDivisionError" in caplog.text


def test_a_hole_is_refused(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        key = await console(client)
        await client.send(stream_hole(key, 4096))
        status, payload = await packet(client, key)
        assert (status, type(decode_error(payload))) == (ERROR, NoSupport)

    run(loop, test)


def test_a_guest_that_does_not_read_stops_the_client(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        key = await console(client)
        stream = desk.consoles.stream
        stream.may_write.clear()
        sent = [b"%d" % n for n in range(20)]
        await client.send(b"".join(stream_data(key, data) for data in sent))
        serial = await client.begin("CONNECT_GET_TYPE")
        assert await (await desk.opened()).call("CONNECT_GET_TYPE") == ("FAKE",)
        assert stream.from_client == []
        stream.may_write.set()
        assert await client.result(serial, "CONNECT_GET_TYPE") == ("FAKE",)
        assert stream.from_client == sent

    run(loop, test)


def test_a_client_that_does_not_read_stops_the_guest(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        key = await console(client)
        stream = desk.consoles.stream
        chunk = bytes(250_000)
        for _ in range(40):
            stream.to_client.put_nowait(chunk)
        other = await desk.opened()
        for _ in range(100):
            await other.call("CONNECT_GET_TYPE")
        assert stream.to_client.qsize() > 30
        for _ in range(40):
            assert await packet(client, key) == (CONTINUE, chunk)

    run(loop, test)


def test_a_client_that_vanishes_releases_the_guest(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        key = await console(client)
        desk.consoles.stream.may_write.clear()
        await client.send(stream_data(key, b"x"))
        await desk.client_gone(client)
        assert desk.consoles.stream.aborted.is_set()
        await asyncio.sleep(0)

    run(loop, test)
