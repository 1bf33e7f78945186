"""The socket transport: partial writes, descriptors both ways, all the ways a connection ends."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from roost.rpc.attention import Attention
from roost.rpc.transport import SocketTransport
from support.desk import LOOPS


class Recorder:
    """An owner that remembers."""

    def __init__(self) -> None:
        self.data = b""
        self.fds: list[int] = []
        self.drains = 0
        self.leisure = True
        self.received = asyncio.Event()
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes, fds: Sequence[int]) -> None:
        self.data += data
        self.fds += fds
        self.received.set()

    def output_drained(self) -> None:
        self.drains += 1

    def connection_lost(self, reason: Exception | None) -> None:
        self.lost.set_result(reason)

    @property
    def at_leisure(self) -> bool:
        return self.leisure


Body = Callable[[SocketTransport, Recorder, socket.socket], Awaitable[None]]


def run(loop: str, body: Body) -> None:
    async def main() -> None:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        owner = Recorder()
        transport = SocketTransport(asyncio.get_running_loop(), ours, owner, Attention(0.1))
        transport.resume_reading()
        try:
            async with asyncio.timeout(60):
                await body(transport, owner, theirs)
        finally:
            theirs.close()
            transport.abort()
            await asyncio.sleep(0)
            for fd in owner.fds:
                os.close(fd)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main())


async def take(sock: socket.socket, count: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < count:
        data += await loop.sock_recv(sock, count - len(data))
    return data


def send_descriptors(sock: socket.socket, data: bytes, count: int) -> None:
    with Path("/dev/null").open("rb") as null:
        socket.send_fds(sock, [data], [null.fileno()] * count)


def test_output_beyond_the_socket_waits_its_turn(loop: str) -> None:
    async def body(transport: SocketTransport, owner: Recorder, peer: socket.socket) -> None:
        pieces = [bytes([n]) * 700_000 for n in range(10)]
        for piece in pieces:
            transport.write(piece)
        assert transport.congested
        waiting = asyncio.create_task(transport.drained())
        assert await take(peer, 7_000_000) == b"".join(pieces)
        await waiting
        assert (transport.queued, transport.congested, owner.drains) == (0, False, 1)
        transport.write(b"more")
        assert await take(peer, 4) == b"more"

    run(loop, body)


def test_descriptors_leave_one_by_one_after_the_message(loop: str) -> None:
    async def body(transport: SocketTransport, owner: Recorder, peer: socket.socket) -> None:
        message = b"m" * 500_000
        sent = [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
        transport.write_with_fds(message, [(b"\0", fd) for fd in sent])
        assert await take(peer, len(message)) == message
        received = []
        peer.setblocking(True)
        for _ in sent:
            await asyncio.sleep(0.01)
            data, fds, _, _ = socket.recv_fds(peer, 1, 5)
            assert (data, len(fds)) == (b"\0", 1)
            received += fds
        assert [os.readlink(f"/proc/self/fd/{fd}") for fd in received] == ["/dev/null"] * 3
        for fd in received:
            os.close(fd)

    run(loop, body)


def test_descriptors_that_cannot_leave_are_closed(loop: str) -> None:
    async def body(transport: SocketTransport, owner: Recorder, peer: socket.socket) -> None:
        transport.write(bytes(5_000_000))
        queued, late = (os.open("/dev/null", os.O_RDONLY) for _ in range(2))
        transport.write_with_fds(b"x", [(b"\0", queued)])
        transport.abort()
        await owner.lost
        transport.write_with_fds(b"x", [(b"\0", late)])
        for fd in (queued, late):
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(fd)

    run(loop, body)


def test_descriptors_arrive_with_their_bytes(loop: str) -> None:
    async def body(transport: SocketTransport, owner: Recorder, peer: socket.socket) -> None:
        send_descriptors(peer, b"ab", 2)
        await owner.received.wait()
        assert (owner.data, len(owner.fds)) == (b"ab", 2)
        assert not any(os.get_inheritable(fd) for fd in owner.fds)

    run(loop, body)


def test_too_many_descriptors_end_the_connection(loop: str) -> None:
    async def body(transport: SocketTransport, owner: Recorder, peer: socket.socket) -> None:
        send_descriptors(peer, b"ab", 100)
        reason = await owner.lost
        assert isinstance(reason, ConnectionAbortedError)
        assert (owner.data, owner.fds) == (b"", [])

    run(loop, body)


def test_close_sends_what_is_queued_first(loop: str) -> None:
    async def body(transport: SocketTransport, owner: Recorder, peer: socket.socket) -> None:
        transport.write(bytes(3_000_000))
        transport.close()
        transport.write(b"after close")
        assert len(await take(peer, 3_000_000)) == 3_000_000
        assert await asyncio.get_running_loop().sock_recv(peer, 1) == b""
        assert await owner.lost is None

    run(loop, body)


def test_whoever_waits_learns_of_the_end(loop: str) -> None:
    async def body(transport: SocketTransport, owner: Recorder, peer: socket.socket) -> None:
        transport.write(bytes(3_000_000))
        waiting = asyncio.create_task(transport.drained())
        await asyncio.sleep(0)
        peer.close()
        with pytest.raises(ConnectionResetError):
            await waiting
        with pytest.raises(ConnectionResetError):
            await transport.drained()
        await owner.lost

    run(loop, body)


def test_nothing_is_read_while_paused(loop: str) -> None:
    async def body(transport: SocketTransport, owner: Recorder, peer: socket.socket) -> None:
        transport.pause_reading()
        peer.send(b"x")
        await asyncio.sleep(0.05)
        assert owner.data == b""
        transport.resume_reading()
        await owner.received.wait()
        assert owner.data == b"x"

    run(loop, body)


def test_an_eager_client_is_served_without_the_loop(loop: str) -> None:
    async def body(transport: SocketTransport, owner: Recorder, peer: socket.socket) -> None:
        answers = 0

        def answer(data: bytes, fds: Sequence[int]) -> None:
            # The peer sends its next byte before it sleeps: as from a thread that only waited for the answer.
            nonlocal answers
            answers += 1
            if answers < 50:
                peer.send(b"x")
            else:
                owner.received.set()

        owner.data_received = answer  # type: ignore[method-assign]
        turns = 0

        def turn() -> None:
            nonlocal turns
            turns += 1
            if not owner.received.is_set():
                asyncio.get_running_loop().call_soon(turn)

        asyncio.get_running_loop().call_soon(turn)
        peer.send(b"x")
        await owner.received.wait()
        assert answers == 50
        assert turns < 50

    run(loop, body)


def test_a_client_with_calls_under_way_is_not_waited_for(loop: str) -> None:
    async def body(transport: SocketTransport, owner: Recorder, peer: socket.socket) -> None:
        owner.leisure = False
        for _ in range(10):
            owner.received.clear()
            peer.send(b"x")
            await owner.received.wait()
        assert owner.data == b"x" * 10

    run(loop, body)


def test_attention_is_for_the_client_that_spoke_last() -> None:
    attention = Attention(100e-6)
    assert not attention.is_eager("a")
    attention.answered("a")
    assert attention.is_eager("a")
    assert not attention.is_eager("b")
    attention.forget("b")
    assert attention.is_eager("a")
    attention.forget("a")
    assert not attention.is_eager("a")
    attention.answered("a")
    attention.window = 0
    assert not attention.is_eager("a")
