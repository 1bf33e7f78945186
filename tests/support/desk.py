"""The front desk without a daemon: a server over socket pairs, a backend made of fakes, a client of bare messages."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

import uvloop

from roost.contract.domains import Consoles, Domains, Inspection, Lifecycle, Monitor
from roost.contract.events import DomainEvent
from roost.contract.interface import Backend
from roost.contract.node import Node
from roost.contract.references import DomainIdentity, DomainRef
from roost.contract.streams import ByteStream
from roost.engine.bus import EventBus
from roost.errors import From, NoDomain, OperationInvalid
from roost.protocol import ADMIN, QEMU, REMOTE, Program
from roost.rpc import handlers
from roost.rpc.backends import Backends
from roost.rpc.dispatch import Dispatcher
from roost.rpc.server import Limits, Server
from roost.wire import Connection, ReplyReceived, call, decode_error
from roost.wire.framing import ERROR

if TYPE_CHECKING:
    from roost.wire import Event

#: Both loops the daemon runs on.
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}

WEB = DomainRef("web", bytes(range(16)), 7)

#: Long enough for a slow machine; nothing waits for it to pass.
PATIENCE = 20.0


class FakeStream:
    """A console whose guest end is in the test's hands."""

    def __init__(self) -> None:
        self.to_client: asyncio.Queue[bytes | Exception] = asyncio.Queue()
        self.from_client: list[bytes] = []
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.finished = False
        self.aborted = asyncio.Event()

    async def read(self, limit: int) -> bytes:
        data = await self.to_client.get()
        if isinstance(data, Exception):
            raise data
        assert len(data) <= limit
        return data

    async def write(self, data: bytes) -> None:
        await self.may_write.wait()
        self.from_client.append(data)

    async def finish(self) -> None:
        self.finished = True

    def abort(self) -> None:
        self.aborted.set()


class FakeDomains(Domains):
    """Knows the domain "web"; defining waits until the test lets it go on."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.defined: list[str] = []
        self.defined_one = asyncio.Event()

    def lookup_by_name(self, name: str) -> DomainRef:
        if name == "bug":
            raise ZeroDivisionError("a bug in a driver")
        if name != WEB.name:
            raise NoDomain(f"no domain with matching name '{name}'")
        return WEB

    def list_all(self, flags: int) -> list[DomainRef]:
        return [WEB] * flags

    def describe(self, domain: DomainIdentity, flags: int) -> str:
        return "<domain/>"

    async def define(self, xml: str, flags: int) -> DomainRef:
        await self.gate.wait()
        self.defined.append(xml)
        self.defined_one.set()
        if xml == "<bad/>":
            raise OperationInvalid("it is bad", hint="make it good")
        return WEB


class FakeConsoles(Consoles):
    def __init__(self) -> None:
        self.stream = FakeStream()

    async def open_console(self, domain: DomainIdentity, device: str | None, flags: int) -> ByteStream:
        return self.stream


class FakeLifecycle(Lifecycle):
    async def create(self, domain: DomainIdentity, flags: int) -> DomainRef:
        return WEB


class FakeMonitor(Monitor):
    async def command(self, domain: DomainIdentity, command: str, flags: int) -> str:
        return command.upper()


class FakeInspection(Inspection):
    def state(self, domain: DomainIdentity, flags: int) -> tuple[int, int]:
        return 1, 2


class FakeNode(Node):
    def supports_feature(self, feature: int) -> bool:
        return feature == 16

    def cpu_stats(self, cpu: int, flags: int) -> list[tuple[str, int]]:
        return [("user", 5), ("idle", 6)]

    def cells_free_memory(self, start: int, count: int) -> list[int]:
        return [11, 12][start : start + count]

    def security_model(self) -> tuple[str, str]:
        return "none", "0"


class Client:
    """Speaks bare messages, so that it can also misspeak."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._loop = asyncio.get_running_loop()
        self._connection = Connection(server=False)
        self._events: deque[Event] = deque()

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self.sock, data)

    async def begin(self, name: str, *values: object, program: Program = REMOTE, version: int = 1) -> int:
        """Send a call; its serial."""
        procedure = program.by_name[name]
        serial = self._connection.next_serial()
        payload = procedure.args.encode(values) if procedure.args is not None else b""
        await self.send(call(program.number, version, procedure.number, serial, payload))
        return serial

    async def event(self) -> Event:
        """The next thing the server sends; EOFError when it closed the connection."""
        while not self._events:
            data = await asyncio.wait_for(self._loop.sock_recv(self.sock, 1 << 20), PATIENCE)
            if not data:
                raise EOFError
            self._events.extend(self._connection.receive_data(data))
        return self._events.popleft()

    async def reply(self, serial: int) -> ReplyReceived:
        """The reply to one call; what else comes first stays for `event`."""
        others: list[Event] = []
        while True:
            event = await self.event()
            if isinstance(event, ReplyReceived) and event.serial == serial:
                self._events.extendleft(reversed(others))
                return event
            others.append(event)

    async def result(self, serial: int, name: str, program: Program = REMOTE) -> Any:
        """The values of a reply; raises what it refuses with."""
        reply = await self.reply(serial)
        if reply.status == ERROR:
            raise decode_error(reply.payload)
        codec = program.by_name[name].ret
        return codec.decode(reply.payload) if codec is not None else ()

    async def call(self, name: str, *values: object, program: Program = REMOTE) -> Any:
        return await self.result(await self.begin(name, *values, program=program), name, program)

    async def open(self, flags: int = 0) -> None:
        await self.call("CONNECT_OPEN", "fake:///", flags)

    def close(self) -> None:
        self.sock.close()


class Desk:
    """A main and an admin server, and the fakes behind them."""

    def __init__(self, limits: Limits) -> None:
        loop = asyncio.get_running_loop()
        self.bus = EventBus()
        self.domains = FakeDomains()
        self.consoles = FakeConsoles()
        self.backend = Backend(
            "FAKE",
            "fake:///",
            From.TEST,
            {
                Domains: self.domains,
                Consoles: self.consoles,
                Lifecycle: FakeLifecycle(),
                Inspection: FakeInspection(),
                Monitor: FakeMonitor(),
                Node: FakeNode(),
            },
            self.bus,
        )
        backends = Backends("fake:///", {"fake": lambda path: self.backend})
        self.servers: dict[str, Server] = {}
        for name, tables in (("roostd", handlers.MAIN), ("admin", handlers.ADMINISTRATION)):
            self.servers[name] = Server(name, loop, Dispatcher(tables), backends, limits, self.servers)
        self._clients: list[Client] = []

    def client(self, *, readonly: bool = False, auth: int = 0, server: str = "roostd") -> Client:
        """A connected client that has said nothing yet."""
        ours, theirs = socket.socketpair()
        self.servers[server].accept(theirs, readonly=readonly, auth=auth)
        client = Client(ours)
        self._clients.append(client)
        return client

    async def opened(self, *, readonly: bool = False) -> Client:
        client = self.client(readonly=readonly)
        await client.open()
        return client

    def publish(self, kind: int, *fields: object, domain: DomainRef = WEB) -> None:
        self.bus.publish(DomainEvent(kind, domain, fields))

    async def client_gone(self, client: Client) -> None:
        """Close the client and wait until its session has ended."""
        gone = asyncio.Event()
        self.servers["roostd"].clients_changed = gone.set
        client.close()
        await gone.wait()

    async def stop(self) -> None:
        self.domains.gate.set()
        for client in self._clients:
            client.close()
        for server in self.servers.values():
            await server.stop(PATIENCE)


@contextlib.asynccontextmanager
async def desk(limits: Limits | None = None) -> AsyncIterator[Desk]:
    made = Desk(limits or Limits())
    try:
        yield made
    finally:
        await made.stop()


def run(loop: str, test: Callable[[Desk], Awaitable[None]], limits: Limits | None = None) -> None:
    """Run a test on the loop named, with a desk of its own."""

    async def main() -> None:
        async with asyncio.timeout(120), desk(limits) as made:
            await test(made)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main())


__all__ = ["ADMIN", "LOOPS", "QEMU", "WEB", "Client", "Desk", "desk", "run"]
