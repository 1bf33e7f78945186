"""The client on asyncio: the calls of `blocking`, many at once, with events and streams to iterate over.

    async with await AsyncClient.open("qemu:///system") as client:
        domain = (await client.call("DOMAIN_LOOKUP_BY_NAME", "guest"))[0]
        async with client.subscribe(0) as events:
            async for fields in events:
                ...

Descriptors are not passed: asyncio's transports lose them. Use `blocking` for those calls.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, cast

from roost import wire
from roost.client import config
from roost.client.aio_streams import AsyncStream
from roost.client.transport import ConnectionLost, dial, lost_by
from roost.client.uri import Uri, addresses
from roost.errors import AuthUnavailable, From, InternalError, RoostError
from roost.protocol import QEMU, REMOTE, Procedure
from roost.protocol.types import Domain
from roost.wire.keepalive import DEAD, PING, Keepalive

_READ_ONLY = 1
_AUTH_NONE, _AUTH_POLKIT = 0, 2
_FEATURE_KEEPALIVE = 10
_PROGRAMS = {program.number: program for program in (REMOTE, QEMU)}


class AsyncClient:
    """An open connection. Made by `open`; `call` from as many tasks as you like.

    uri: what was opened, after aliases; the daemon's choice when nothing was asked for.
    """

    def __init__(self) -> None:
        self.uri = ""
        self._wire = wire.Connection(server=False)
        self._transport: asyncio.Transport | None = None
        self._calls: dict[int, asyncio.Future[wire.ReplyReceived]] = {}
        self._streams: dict[int, AsyncStream] = {}
        self._subscriptions: dict[int, asyncio.Queue[tuple[Any, ...] | None]] = {}
        self._early: deque[tuple[Any, ...]] = deque(maxlen=1000)
        self._lost: RoostError | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._gone = asyncio.Event()
        self._keepalive = Keepalive(0, 0, 0.0)
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    async def open(
        cls,
        name: str | None = None,
        *,
        read_only: bool = False,
        keepalive: tuple[float, int] = (0, 0),
        environ: Mapping[str, str] | None = None,
        user_id: int | None = None,
    ) -> Self:
        """Connect to the daemon that serves the URI or alias `name`; see `blocking.Client.open`."""
        environ = os.environ if environ is None else environ
        user_id = os.geteuid() if user_id is None else user_id
        settings = {} if name and ":" in name else config.load(config.paths(environ))
        text = name or config.default_uri(settings, environ)
        uri = Uri(config.resolve_alias(text, settings)) if text else None
        if uri is not None:
            uri.require_local()
        client = cls()
        descriptor = dial(addresses(uri, read_only=read_only, user_id=user_id, environ=environ)).detach()
        try:
            await client.connect(descriptor)
            await client.handshake(uri.remote_name() if uri else "", read_only=read_only, keepalive=keepalive)
            client.uri = uri.text if uri else (await client.call("CONNECT_GET_URI"))[0]
        except BaseException:
            await client.abandon()
            raise
        return client

    async def connect(self, descriptor: int) -> None:
        """Take over a connected unix socket; `handshake` must follow."""
        import socket

        connection = socket.socket(fileno=descriptor)
        connection.setblocking(False)
        await asyncio.get_running_loop().create_unix_connection(lambda: _Receiver(self), sock=connection)

    async def handshake(self, name: str, *, read_only: bool = False, keepalive: tuple[float, int] = (0, 0)) -> None:
        """Authenticate and open the driver `name`.

        keepalive: seconds of silence before a ping, and pings without answer before
            the daemon counts as dead. An interval of 0 disables it.
        """
        offered = (await self.call("AUTH_LIST"))[0]
        if _AUTH_POLKIT in offered:
            await self.call("AUTH_POLKIT")
        elif offered and _AUTH_NONE not in offered:
            raise AuthUnavailable(
                f"the daemon asks for method {offered[0]}", domain=From.AUTH, hint="use the daemon's unix socket"
            )
        interval, count = keepalive
        if interval > 0 and await self.supports(_FEATURE_KEEPALIVE):
            self._keepalive = Keepalive(interval, count, asyncio.get_running_loop().time())
            self._tick()
        await self.call("CONNECT_OPEN", name, _READ_ONLY if read_only else 0)
        self.uri = name

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Say goodbye and close the socket. Never raises."""
        if self._lost is None:
            try:
                await self.call("CONNECT_CLOSE")
            except RoostError:
                # The daemon is gone already, which is all that was wanted.
                self._lost = None
        await self.abandon()

    async def abandon(self) -> None:
        """Close the socket without a word; calls under way fail."""
        self.lose(InternalError("client socket is closed", domain=From.RPC))
        if self._transport is not None:
            await self._gone.wait()

    async def call(self, procedure: str, *arguments: object) -> tuple[Any, ...]:
        """Call a procedure of the main program by name and return its result's fields. Raises RoostError."""
        return await self._perform(REMOTE.by_name[procedure], arguments)

    async def call_qemu(self, procedure: str, *arguments: object) -> tuple[Any, ...]:
        """Call a procedure of the program that is QEMU's own."""
        return await self._perform(QEMU.by_name[procedure], arguments)

    async def supports(self, feature: int) -> bool:
        """Whether the daemon, or its driver, has a feature of the protocol."""
        return bool((await self.call("CONNECT_SUPPORTS_FEATURE", feature))[0])

    @asynccontextmanager
    async def subscribe(
        self, event: int, domain: Domain | None = None
    ) -> AsyncIterator[AsyncIterator[tuple[Any, ...]]]:
        """The events of one kind, by its number in the API, of one domain or of all.

        Gives an iterator over the message's fields behind the callback's number;
        it ends when the connection does, with its error.
        """
        callback = (await self.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", event, domain))[0]
        queue: asyncio.Queue[tuple[Any, ...] | None] = asyncio.Queue()
        self._subscriptions[callback] = queue
        # An event may have overtaken the reply that says which callback it is for.
        for fields in [fields for fields in self._early if fields[0] == callback]:
            self._early.remove(fields)
            queue.put_nowait(fields[1:])
        try:
            yield self._iterate(queue)
        finally:
            del self._subscriptions[callback]
            if self._lost is None:
                await self.call("CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY", callback)

    async def _iterate(self, queue: asyncio.Queue[tuple[Any, ...] | None]) -> AsyncIterator[tuple[Any, ...]]:
        while (fields := await queue.get()) is not None:
            yield fields
        if self._lost is not None:
            raise self._lost

    async def open_stream(self, procedure: str, *arguments: object) -> AsyncStream:
        """Make a call that opens a stream."""
        record = REMOTE.by_name[procedure]
        serial = self._wire.next_serial()
        stream = AsyncStream(self, record, serial)
        # From the reply on, packets may follow at once.
        self._streams[serial] = stream
        try:
            await self._perform(record, arguments, serial)
        except BaseException:
            self.forget_stream(serial)
            raise
        return stream

    def forget_stream(self, serial: int) -> None:
        """A stream has ended."""
        self._streams.pop(serial, None)

    async def send(self, data: bytes) -> None:
        """Write a whole message, waiting while the daemon does not read."""
        await self._may_write.wait()
        self._write(data)

    def _write(self, data: bytes) -> None:
        if self._lost is not None:
            raise self._lost
        assert self._transport is not None
        self._transport.write(data)

    async def _perform(
        self, procedure: Procedure, arguments: tuple[object, ...], serial: int | None = None
    ) -> tuple[Any, ...]:
        serial = self._wire.next_serial() if serial is None else serial
        payload = procedure.args.encode(arguments) if procedure.args is not None else b""
        future: asyncio.Future[wire.ReplyReceived] = asyncio.get_running_loop().create_future()
        self._calls[serial] = future
        try:
            await self.send(wire.call(procedure.program, procedure.version, procedure.number, serial, payload))
            reply = await future
        finally:
            self._calls.pop(serial, None)
        if reply.status:
            raise wire.decode_error(reply.payload)
        return procedure.ret.decode(reply.payload) if procedure.ret is not None else ()

    # What the transport reports

    def connected(self, transport: asyncio.Transport) -> None:
        """The socket is the event loop's now."""
        self._transport = transport

    def disconnected(self, error: OSError | None) -> None:
        """The socket is closed."""
        self._gone.set()
        self.lose(lost_by(error))

    def may_write(self, allowed: bool) -> None:
        """The daemon reads again, or does not keep up."""
        if allowed:
            self._may_write.set()
        else:
            self._may_write.clear()

    def receive(self, data: bytes) -> None:
        """Sort what came."""
        self._keepalive.received(asyncio.get_running_loop().time())
        for event in self._wire.receive_data(data):
            if isinstance(event, wire.ReplyReceived):
                call = self._calls.get(event.serial)
                if call is not None and not call.done():
                    call.set_result(event)
            elif isinstance(event, wire.StreamReceived | wire.HoleReceived):
                stream = self._streams.get(event.serial)
                if stream is not None:
                    stream.take(event)
            elif isinstance(event, wire.MessageReceived):
                self._notify(event)
            elif isinstance(event, wire.PingReceived):
                self._write(wire.pong())
            elif isinstance(event, wire.ConnectionBroken):
                self.lose(ConnectionLost(f"the daemon sent what is no message: {event.reason}", "error"))

    def lose(self, error: RoostError) -> None:
        """The connection has ended: whoever waits for it hears why."""
        if self._lost is not None:
            return
        self._lost = error
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()
        self._may_write.set()
        for call in self._calls.values():
            if not call.done():
                call.set_exception(error)
        for stream in list(self._streams.values()):
            stream.fail(error)
        for queue in self._subscriptions.values():
            queue.put_nowait(None)

    def _notify(self, event: wire.MessageReceived) -> None:
        program = _PROGRAMS.get(event.program)
        procedure = program.by_number.get(event.procedure) if program else None
        if procedure is None or procedure.msg is None:
            return
        fields = procedure.msg.decode(event.payload)
        queue = self._subscriptions.get(fields[0]) if fields else None
        if queue is not None:
            queue.put_nowait(fields[1:])
        else:
            self._early.append(fields)

    def _tick(self) -> None:
        """Look whether it is time for a ping, and come back when it may be."""
        if self._lost is not None:
            return
        action = self._keepalive.tick(asyncio.get_running_loop().time())
        if action == DEAD:
            self.lose(ConnectionLost("internal error: received hangup event on socket", "keepalive"))
            return
        if action == PING:
            self._write(wire.ping())
        deadline = self._keepalive.deadline()
        assert deadline is not None
        self._timer = asyncio.get_running_loop().call_at(deadline, self._tick)


class _Receiver(asyncio.Protocol):
    """Hands to the client what the event loop's transport says."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not asyncio's classes, but do what these do.
        self._client.connected(cast("asyncio.Transport", transport))

    def data_received(self, data: bytes) -> None:
        self._client.receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.disconnected(exc if isinstance(exc, OSError) else None)

    def pause_writing(self) -> None:
        self._client.may_write(False)

    def resume_writing(self) -> None:
        self._client.may_write(True)
