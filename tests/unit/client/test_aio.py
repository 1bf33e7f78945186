"""The asyncio client, on both event loops."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from roost import wire
from roost.client.aio import AsyncClient
from roost.client.transport import ConnectionLost
from roost.errors import AuthUnavailable, NoDomain, OperationFailed, RoostError
from roost.protocol import REMOTE
from roost.protocol.types import Domain
from roost.wire.framing import CONTINUE, ERROR, OK, STREAM
from support.answers import Answers

WEB = Domain("web", bytes(range(16)), 7)
LIFECYCLE = REMOTE.by_name["DOMAIN_EVENT_CALLBACK_LIFECYCLE"]
CONSOLE = REMOTE.by_name["DOMAIN_OPEN_CONSOLE"]
PATIENCE = 20

Run = Callable[[Callable[[AsyncClient], Awaitable[None]]], None]


@pytest.fixture(scope="session", autouse=True)
def libuv_is_ready() -> None:
    """libuv opens a pipe for signals with the first loop and keeps it: that is no leak of a test."""

    async def use_signals() -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR2, lambda: None)
        loop.remove_signal_handler(signal.SIGUSR2)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(use_signals())


@pytest.fixture
def daemon() -> Iterator[Answers]:
    with Answers() as answers:
        yield answers


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest, daemon: Answers) -> Run:
    """Run a test's coroutine with an open client."""
    factory = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}[request.param]

    def go(test: Callable[[AsyncClient], Awaitable[None]]) -> None:
        async def with_client() -> None:
            client = AsyncClient()
            await client.connect(daemon.client_socket().detach())
            try:
                await client.handshake("qemu:///system")
                await asyncio.wait_for(test(client), PATIENCE)
            finally:
                await client.close()

        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(with_client())

    return go


def event(callback: int, detail: int) -> bytes:
    assert LIFECYCLE.msg is not None
    return wire.event(REMOTE.number, 1, LIFECYCLE.number, LIFECYCLE.msg.encode((callback, WEB, 2, detail)))


def packet(serial: int, status: int, payload: bytes = b"") -> bytes:
    return wire.frame(CONSOLE.program, CONSOLE.version, CONSOLE.number, STREAM, serial, status, payload)


def test_calls_from_many_tasks(run: Run, daemon: Answers) -> None:
    def state(domain: Domain, flags: int) -> tuple[int, int]:
        if domain.id == 3:
            raise NoDomain("gone")
        return domain.id, flags

    daemon.answers["DOMAIN_GET_STATE"] = state

    async def test(client: AsyncClient) -> None:
        calls = [client.call("DOMAIN_GET_STATE", Domain("d", bytes(16), number), 1) for number in range(50)]
        results: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(results.pop(3), NoDomain)
        assert results == [(number, 1) for number in range(50) if number != 3]

    run(test)
    assert [name for name, _ in daemon.calls[:2]] == ["AUTH_LIST", "CONNECT_OPEN"]
    assert daemon.calls[-1][0] == "CONNECT_CLOSE"


def test_events(run: Run, daemon: Answers) -> None:
    daemon.answers |= {
        "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY": lambda number, domain: (5,),
        "CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY": lambda callback: (),
    }
    # Overtakes the reply that tells the callback's number.
    daemon.before["CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY"] = event(5, 0) + event(4, 9)

    async def test(client: AsyncClient) -> None:
        async with client.subscribe(0, WEB) as events:
            daemon.send(event(5, 1))
            assert await anext(events) == (WEB, 2, 0)
            assert await anext(events) == (WEB, 2, 1)

    run(test)
    assert ("CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY", (5,)) in daemon.calls


def test_the_end_of_the_daemon_reaches_everybody(run: Run, daemon: Answers) -> None:
    daemon.answers["CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY"] = lambda number, domain: (5,)
    daemon.answers["DOMAIN_OPEN_CONSOLE"] = lambda *_: ()
    daemon.silent = {"NODE_GET_FREE_MEMORY"}

    async def test(client: AsyncClient) -> None:
        async with client.subscribe(0) as events:
            stream = await client.open_stream("DOMAIN_OPEN_CONSOLE", WEB, None, 0)
            call = asyncio.ensure_future(client.call("NODE_GET_FREE_MEMORY"))
            await client.supports(1)
            daemon.hang_up()
            for waiting in (call, anext(events), stream.read(), client.call("NODE_GET_INFO")):
                with pytest.raises(ConnectionLost):
                    await waiting

    run(test)


def test_pings_both_ways(daemon: Answers) -> None:
    daemon.before["CONNECT_SUPPORTS_FEATURE"] = wire.ping()

    async def test() -> None:
        client = AsyncClient()
        await client.connect(daemon.client_socket().detach())
        await client.handshake("qemu:///system", keepalive=(0.01, 1))
        daemon.silent = {"NODE_GET_FREE_MEMORY"}
        with pytest.raises(ConnectionLost) as error:
            await client.call("NODE_GET_FREE_MEMORY")
        assert error.value.reason == "keepalive"
        await client.abandon()

    asyncio.run(test())
    assert any(isinstance(event, wire.PongReceived) for event in daemon.received)
    assert any(isinstance(event, wire.PingReceived) for event in daemon.received)


def test_streams(run: Run, daemon: Answers) -> None:
    daemon.answers["DOMAIN_OPEN_CONSOLE"] = lambda *_: ()

    async def test(client: AsyncClient) -> None:
        stream = await client.open_stream("DOMAIN_OPEN_CONSOLE", WEB, None, 0)
        daemon.send(
            packet(stream.serial, CONTINUE, b"one") + wire.stream_hole(stream, 2) + packet(stream.serial, CONTINUE)
        )
        assert [data async for data in stream] == [b"one", b"\0\0"]
        assert await stream.read() == b""
        await stream.write(b"x" * 300_000)
        await stream.finish()
        await stream.finish()

    run(test)
    packets = [packet for packet in daemon.received if isinstance(packet, wire.StreamReceived)]
    assert sum(len(packet.payload) for packet in packets) == 300_000
    assert packets[-1].status == OK


def test_a_stream_that_fails(run: Run, daemon: Answers) -> None:
    daemon.answers["DOMAIN_OPEN_CONSOLE"] = lambda *_: ()

    async def test(client: AsyncClient) -> None:
        stream = await client.open_stream("DOMAIN_OPEN_CONSOLE", WEB, None, 0)
        daemon.send(packet(stream.serial, ERROR, wire.encode_error(OperationFailed("gone"))))
        with pytest.raises(OperationFailed):
            await stream.read()
        with pytest.raises(OperationFailed):
            await stream.write(b"x")
        await stream.abort()
        other = await client.open_stream("DOMAIN_OPEN_CONSOLE", WEB, None, 0)
        await other.abort()
        del daemon.answers["DOMAIN_OPEN_CONSOLE"]
        with pytest.raises(RoostError, match="virDomainOpenConsole"):
            await client.open_stream("DOMAIN_OPEN_CONSOLE", WEB, None, 0)

    run(test)


def test_garbage(run: Run, daemon: Answers) -> None:
    daemon.before["CONNECT_SUPPORTS_FEATURE"] = b"\0\0\0\1garbage"

    async def test(client: AsyncClient) -> None:
        with pytest.raises(ConnectionLost, match="no message"):
            await client.supports(1)

    run(test)


def test_opening_by_uri(tmp_path: Path) -> None:
    path = tmp_path / "sock"

    async def test() -> None:
        async with await AsyncClient.open(f"test+unix:///default?socket={path}", read_only=True) as client:
            assert client.uri == f"test+unix:///default?socket={path}"
            assert await client.supports(14)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with Answers(listener=listener) as daemon:
            asyncio.run(test())
    assert ("CONNECT_OPEN", ("test:///default", 1)) in daemon.calls


def test_refused_authentication(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with (
            Answers({"AUTH_LIST": lambda: ([1],)}, listener),
            pytest.raises(AuthUnavailable, match="use the daemon's unix socket"),
        ):
            asyncio.run(AsyncClient.open(f"test+unix:///default?socket={path}"))
