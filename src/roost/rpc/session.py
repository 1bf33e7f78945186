"""One client: its connection, what it opened, and what it still waits for."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from roost.contract.identity import Identity
from roost.contract.interface import Backend
from roost.errors import From, InternalError, NoSupport
from roost.protocol import Procedure
from roost.rpc import access
from roost.rpc.autodestroy import Autodestroy
from roost.rpc.backends import Opened
from roost.rpc.keepalive import KeepaliveTimer
from roost.rpc.streams import Streams
from roost.rpc.subscriptions import Subscriptions
from roost.rpc.transport import SocketTransport
from roost.wire import (
    CallReceived,
    Connection,
    ConnectionBroken,
    HoleReceived,
    PingReceived,
    StreamReceived,
    event,
    fd_pieces,
    ping,
    pong,
)

if TYPE_CHECKING:
    import socket

    from roost.rpc.server import Server
    from roost.wire import Event

log = logging.getLogger(__name__)

#: Bytes a client may leave unread before it is dropped for not taking its events.
MAX_UNREAD = 64 * 1024 * 1024


class Session:
    """Created for every accepted connection; ends with it.

    identity.readonly: the connection's, which CONNECT_OPEN may set.
    opened: the backend and its URI, None before CONNECT_OPEN.
    """

    def __init__(self, server: Server, sock: socket.socket, identity: Identity, auth: int) -> None:
        self.server = server
        self.id = server.next_session_id()
        self.connected_at = int(time.time())
        self.identity = identity
        self.auth = auth
        self.authenticated = auth == access.AUTH_NONE
        self.opened: Opened | None = None
        self._connection = Connection(server=True)
        self._transport = SocketTransport(server.loop, sock, self, server.attention)
        self._keepalive = KeepaliveTimer(server.loop, self)
        self._subscriptions: Subscriptions | None = None
        self.streams = Streams(self)
        self.autodestroy = Autodestroy(server.spawn)
        self._endings: list[Callable[[], None]] = []
        self._outstanding = 0
        self._waiting: deque[Event] = deque()

    def at_end(self, ending: Callable[[], None]) -> None:
        """Call it when the client has left, which it may have done by now."""
        if self._transport.closed:
            ending()
        else:
            self._endings.append(ending)

    def start(self) -> None:
        self._transport.resume_reading()

    @property
    def at_leisure(self) -> bool:
        """Whether nothing that the client asked for is under way."""
        return not self._outstanding and not self._waiting and not self.streams

    @property
    def readonly(self) -> bool:
        return self.identity.readonly

    @property
    def backend(self) -> Backend:
        """What the client opened. Only for rows that are not served before open."""
        if self.opened is None:
            raise InternalError("hypervisor connection not open", domain=From.RPC)
        return self.opened.backend

    @property
    def error_domain(self) -> int:
        """The domain of errors that name none."""
        return self.opened.backend.error_domain if self.opened is not None else From.RPC

    @property
    def subscriptions(self) -> Subscriptions:
        """Raises NoSupport when the backend publishes nothing."""
        if self._subscriptions is None:
            events = self.backend.events
            if events is None:
                raise NoSupport
            self._subscriptions = Subscriptions(events, self._send_event)
        return self._subscriptions

    # What comes in.

    def data_received(self, data: bytes, fds: Sequence[int]) -> None:
        self._keepalive.heard()
        events = self._connection.receive_data(data, fds)
        if self._waiting:
            self._hold(events)
        else:
            self._process(events)

    def _process(self, events: Sequence[Event]) -> None:
        for index, received in enumerate(events):
            if self._outstanding >= self.server.limits.max_client_requests or self._transport.congested:
                self._hold(events[index:])
                return
            if type(received) is CallReceived:
                self.server.dispatcher.dispatch(self, received)
            else:
                self._process_other(received)

    def _hold(self, events: Sequence[Event]) -> None:
        """Keep events for later and read no more until they are done; a ping need not wait."""
        for received in events:
            if isinstance(received, PingReceived) and not self._transport.congested:
                self.send(pong())
            else:
                self._waiting.append(received)
        if self._waiting:
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._waiting and not self._transport.closed:
            events = list(self._waiting)
            self._waiting.clear()
            self._process(events)
            if not self._waiting:
                self._transport.resume_reading()

    def _process_other(self, received: Event) -> None:
        match received:
            case PingReceived():
                self.send(pong())
            case StreamReceived() | HoleReceived():
                if self.streams.received(received):
                    self._outstanding += 1
            case ConnectionBroken():
                log.info("client %d dropped: %s", self.id, received.reason)
                self._transport.abort()
            case _:
                pass  # Replies and events make no sense from a client; libvirtd ignores them too.

    def start_keepalive(self) -> None:
        """The client said that it answers pings."""
        limits = self.server.limits
        self._keepalive.start(limits.keepalive_interval, limits.keepalive_count)

    @property
    def is_behind(self) -> bool:
        """Whether something the client sent waits here."""
        return bool(self._waiting)

    def send_ping(self) -> None:
        self.send(ping())

    # Calls.

    def open(self, opened: Opened, *, readonly: bool) -> None:
        self.opened = opened
        if readonly:
            self.identity = self.identity._replace(readonly=True)

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a call that waits. It goes on to its end even when the client leaves."""
        self._outstanding += 1
        self.server.spawn(work).add_done_callback(lambda _: self.packet_taken())

    def packet_taken(self) -> None:
        self._outstanding -= 1
        self._resume()

    # What goes out.

    def send(self, data: bytes) -> None:
        self._transport.write(data)

    def send_files(self, data: bytes, files: Sequence[int]) -> None:
        """Send a message and the descriptors it announces, which are closed then."""
        self._transport.write_with_fds(data, fd_pieces(files))

    def _send_event(self, procedure: Procedure, values: tuple[object, ...]) -> None:
        if procedure.msg is None:
            raise TypeError(f"{procedure.name} is not an event")
        if self._transport.queued > MAX_UNREAD:
            log.warning("client %d dropped: it does not read its events", self.id)
            self._transport.abort()
            return
        self.send(event(procedure.program, procedure.version, procedure.number, procedure.msg.encode(values)))

    async def drained(self) -> None:
        await self._transport.drained()

    def output_drained(self) -> None:
        self._resume()

    # The end.

    def close(self) -> None:
        """End the session once everything queued is sent."""
        self._transport.close()

    def keepalive_expired(self) -> None:
        log.info("client %d dropped: connection closed due to keepalive timeout", self.id)
        self._transport.abort()

    def connection_lost(self, reason: Exception | None) -> None:
        if reason is not None:
            log.debug("client %d: %s", self.id, reason)
        self._keepalive.stop()
        if self._subscriptions is not None:
            self._subscriptions.close()
        self.streams.close()
        self.autodestroy.session_ended()
        for ending in self._endings:
            ending()
        self._endings.clear()
        for received in self._waiting:
            if isinstance(received, CallReceived):
                for fd in received.fds:
                    os.close(fd)
        self._waiting.clear()
        for fd in self._connection.take_fds():
            os.close(fd)
        # A backend may end with the last session that holds it.
        self.opened = self._subscriptions = None
        self.server.session_ended(self)
