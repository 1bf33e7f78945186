"""A server: its listeners, its sessions and its limits."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec

from roost.contract.identity import Identity
from roost.rpc import access
from roost.rpc.attention import Attention
from roost.rpc.backends import Backends
from roost.rpc.dispatch import Dispatcher
from roost.rpc.listener import Listener
from roost.rpc.session import Session

log = logging.getLogger(__name__)


class Limits(msgspec.Struct, frozen=True):
    """keepalive_interval: seconds, 0 or less for no keepalive. busy_poll: seconds, see `attention`."""

    max_clients: int = 5000
    max_queued_clients: int = 1000
    max_anonymous_clients: int = 20
    max_client_requests: int = 5
    keepalive_interval: float = 5
    keepalive_count: int = 5
    busy_poll: float = 0


class Server:
    """Accepts clients for one set of programs.

    peers: all servers of the daemon by name, for the admin program.
    """

    def __init__(
        self,
        name: str,
        loop: asyncio.AbstractEventLoop,
        dispatcher: Dispatcher,
        backends: Backends,
        limits: Limits,
        peers: Mapping[str, Server],
    ) -> None:
        self.name = name
        self.loop = loop
        self.dispatcher = dispatcher
        self.backends = backends
        self.limits = limits
        self.attention = Attention(limits.busy_poll)
        self.peers = peers
        self.sessions: dict[int, Session] = {}
        self.clients_changed: Callable[[], None] = lambda: None
        self._listeners: list[Listener] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._last_id = 0

    def listen(self, path: Path, *, mode: int, group: int = -1, readonly: bool = False, auth: int = 0) -> None:
        """Listen on a unix socket; clients are taken from `start` on."""

        def accepted(sock: socket.socket) -> None:
            self.accept(sock, readonly=readonly, auth=auth)

        backlog = self.limits.max_queued_clients
        self._listeners.append(Listener(self.loop, path, accepted, mode=mode, group=group, backlog=backlog))

    def start(self) -> None:
        for listener in self._listeners:
            listener.resume()

    def next_session_id(self) -> int:
        self._last_id += 1
        return self._last_id

    @property
    def unauthenticated(self) -> int:
        """How many sessions have not come through the auth gate."""
        return sum(not session.authenticated for session in self.sessions.values())

    def set_limits(self, limits: Limits) -> None:
        self.limits = limits
        self.attention.window = limits.busy_poll
        self.limits_changed()

    def limits_changed(self) -> None:
        """Accept clients, or let them wait in the backlog, as the limits say."""
        room = len(self.sessions) < self.limits.max_clients
        for listener in self._listeners:
            if room:
                listener.resume()
            else:
                listener.pause()

    def accept(self, sock: socket.socket, *, readonly: bool = False, auth: int = access.AUTH_NONE) -> None:
        """Begin a session with the peer of a connected socket.

        readonly, auth: what holds for clients of the listening socket it came by.
        """
        try:
            identity = _peer(sock, readonly)
        except OSError as error:
            log.info("a client vanished before it was known: %s", error)
            sock.close()
            return
        asked = access.auth_type(auth, identity, os.getuid())
        if asked != access.AUTH_NONE and self.unauthenticated >= self.limits.max_anonymous_clients:
            log.warning("client of user %d refused: too many clients have not authenticated", identity.uid)
            sock.close()
            return
        session = Session(self, sock, identity, asked)
        self.sessions[session.id] = session
        session.start()
        if len(self.sessions) >= self.limits.max_clients:
            log.warning("%s has %d clients, its limit; more will wait", self.name, len(self.sessions))
            self.limits_changed()
        self.clients_changed()

    def session_ended(self, session: Session) -> None:
        del self.sessions[session.id]
        self.limits_changed()
        self.clients_changed()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a call; it is waited for when the server stops."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self, patience: float) -> None:
        """Accept nobody, give calls `patience` seconds to end, close every session."""
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience)
            for task in late:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*late, return_exceptions=True)
        for session in tuple(self.sessions.values()):
            session.close()
        await asyncio.sleep(0)


def _peer(sock: socket.socket, readonly: bool) -> Identity:
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("iII"))
    pid, uid, gid = struct.unpack("iII", raw)
    return Identity(uid, gid, pid, readonly)
