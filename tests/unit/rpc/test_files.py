"""Descriptors that come with a call, and those that go along with its reply."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from roost.contract.displays import Displays
from roost.contract.domains import Monitor
from roost.contract.files import Files
from roost.contract.references import DomainIdentity, DomainRef
from roost.errors import OperationInvalid
from roost.protocol import QEMU, REMOTE, Program
from roost.wire import Connection, ReplyReceived, call, decode_error, fd_pieces
from roost.wire.framing import ERROR
from support.desk import PATIENCE, WEB, Desk, run


class FakeDisplays(Displays):
    """Says on the descriptor it is given which display it is; gives out one end of a pair."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.seen: list[Sequence[int]] = []

    async def open(self, domain: DomainIdentity, index: int, flags: int, files: Sequence[int]) -> None:
        self.seen.append(files)
        await self.gate.wait()
        if index == 9:
            raise OperationInvalid("there is none")
        for file in files:
            os.write(file, b"display %d" % index)

    async def connect(self, domain: DomainIdentity, index: int, flags: int) -> int:
        ours, theirs = socket.socketpair()
        with theirs:
            theirs.send(b"display %d" % index)
        return ours.detach()


class FakeFiles(Files):
    """Says what it is told, and when it is to forget."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def associate(self, domain: DomainIdentity, name: str, flags: int, files: Sequence[int]) -> Callable[[], None]:
        self.told.append((name, flags, len(files)))
        return lambda: self.told.append(f"forget {name}")

    async def create(self, domain: DomainIdentity, flags: int, files: Sequence[int]) -> DomainRef:
        self.told.append((domain.name, flags, len(files)))
        return WEB

    async def create_xml(self, xml: str, flags: int, files: Sequence[int]) -> DomainRef:
        self.told.append((xml, flags, len(files)))
        return WEB


class FakeMonitor(Monitor):
    async def command_with_files(
        self, domain: DomainIdentity, command: str, flags: int, files: Sequence[int]
    ) -> tuple[str, Sequence[int]]:
        return command, [os.dup(file) for file in files]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    first, second = socket.socketpair()
    first.setblocking(False)
    with first, second:
        yield first, second


async def ask(
    desk: Desk, name: str, *values: object, program: Program = REMOTE, files: Sequence[int] = ()
) -> ReplyReceived:
    """One call with descriptors; the reply, with its own."""
    client = await desk.opened()
    procedure = program.by_name[name]
    assert procedure.args is not None
    header = call(program.number, 1, procedure.number, 77, procedure.args.encode(values), len(files))
    await client.send(header)
    for piece, file in fd_pieces(files):
        socket.send_fds(client.sock, [piece], [file])
    connection, loop = Connection(server=False), asyncio.get_running_loop()
    while True:
        readable = asyncio.Event()
        loop.add_reader(client.sock, readable.set)
        await asyncio.wait_for(readable.wait(), PATIENCE)
        loop.remove_reader(client.sock)
        data, received, _, _ = socket.recv_fds(client.sock, 1 << 16, 32)
        for event in connection.receive_data(data, received):
            assert isinstance(event, ReplyReceived)
            return event


def serve(desk: Desk, files: FakeFiles | None = None) -> FakeDisplays:
    displays = FakeDisplays()
    known: dict[type, Any] = {Displays: displays, Monitor: FakeMonitor(), Files: files or FakeFiles()}
    get: Any = known.__getitem__  # it takes the place of a method
    desk.backend.get = get  # type: ignore[method-assign]
    return displays


def test_a_descriptor_lives_until_its_call_is_answered(loop: str, pair: tuple[socket.socket, socket.socket]) -> None:
    async def test(desk: Desk) -> None:
        displays = serve(desk)
        asking = asyncio.ensure_future(ask(desk, "DOMAIN_OPEN_GRAPHICS", WEB, 1, 0, files=[pair[1].fileno()]))
        while not displays.seen:  # noqa: ASYNC110 - the call has no other sign
            await asyncio.sleep(0)
        displays.gate.set()
        assert (await asking).status != ERROR
        assert pair[0].recv(100) == b"display 1"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(displays.seen[0][0])

    run(loop, test)


def test_a_refusal_closes_them_too(loop: str, pair: tuple[socket.socket, socket.socket]) -> None:
    async def test(desk: Desk) -> None:
        displays = serve(desk)
        displays.gate.set()
        reply = await ask(desk, "DOMAIN_OPEN_GRAPHICS", WEB, 9, 0, files=[pair[1].fileno()])
        assert isinstance(decode_error(reply.payload), OperationInvalid)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(displays.seen[0][0])

    run(loop, test)


def test_a_call_that_wants_descriptors_may_come_without(loop: str) -> None:
    async def test(desk: Desk) -> None:
        displays = serve(desk)
        displays.gate.set()
        assert (await ask(desk, "DOMAIN_OPEN_GRAPHICS", WEB, 1, 0)).status != ERROR
        assert displays.seen == [()]

    run(loop, test)


def test_a_reply_brings_a_descriptor(loop: str) -> None:
    async def test(desk: Desk) -> None:
        serve(desk)
        reply = await ask(desk, "DOMAIN_OPEN_GRAPHICS_FD", WEB, 4, 0)
        (descriptor,) = reply.fds
        with socket.socket(fileno=descriptor) as connection:
            assert connection.recv(100) == b"display 4"

    run(loop, test)


def test_both_ways_at_once(loop: str, pair: tuple[socket.socket, socket.socket]) -> None:
    async def test(desk: Desk) -> None:
        serve(desk)
        reply = await ask(
            desk, "DOMAIN_MONITOR_COMMAND_WITH_FILES", WEB, "hello", 0, program=QEMU, files=[pair[1].fileno()] * 2
        )
        codec = QEMU.by_name["DOMAIN_MONITOR_COMMAND_WITH_FILES"].ret
        assert codec is not None
        assert codec.decode(reply.payload) == ("hello",)
        assert len(reply.fds) == 2
        os.write(reply.fds[1], b"back")
        for descriptor in reply.fds:
            os.close(descriptor)
        assert pair[0].recv(100) == b"back"

    run(loop, test)


def test_what_a_client_brings_goes_with_it(loop: str, pair: tuple[socket.socket, socket.socket]) -> None:
    async def test(desk: Desk) -> None:
        files = FakeFiles()
        serve(desk, files)
        reply = await ask(desk, "DOMAIN_FD_ASSOCIATE", WEB, "group", 2, files=[pair[1].fileno()] * 2)
        assert reply.status != ERROR
        assert files.told == [("group", 2, 2)]
        (session,) = desk.servers["roostd"].sessions.values()
        session.close()
        while len(files.told) < 2:  # noqa: ASYNC110 - the session's end has no other sign here
            await asyncio.sleep(0)
        assert files.told[1] == "forget group"

    run(loop, test)


def test_a_domain_begins_with_descriptors(loop: str, pair: tuple[socket.socket, socket.socket]) -> None:
    async def test(desk: Desk) -> None:
        files = FakeFiles()
        serve(desk, files)
        for name, argument in (("DOMAIN_CREATE_WITH_FILES", WEB), ("DOMAIN_CREATE_XML_WITH_FILES", "<domain/>")):
            reply = await ask(desk, name, argument, 1, files=[pair[1].fileno()] * 2)
            result = REMOTE.by_name[name].ret
            assert result is not None
            assert result.decode(reply.payload) == (WEB,)
        assert files.told == [("web", 1, 2), ("<domain/>", 1, 2)]

    run(loop, test)
