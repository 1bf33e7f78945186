"""The blocking client: one connection, one call at a time, or several of one kind.

    client = Client.open("qemu:///system")
    domain = client.call("DOMAIN_LOOKUP_BY_NAME", "guest")[0]
    state, reason = client.call("DOMAIN_GET_STATE", domain, 0)
    client.close()

Results are the fields of the procedure's result, as its codec gives them;
errors are those of `roost.errors`, rebuilt from what the daemon sent.
"""

from __future__ import annotations

import _socket
import os
import sys
from time import monotonic

from roost import wire
from roost.client import config
from roost.client.transport import ConnectionLost, dial, lost_by
from roost.client.uri import Uri, addresses
from roost.errors import AuthUnavailable, From, InternalError, InvalidArg, RoostError
from roost.protocol import QEMU, REMOTE
from roost.wire.keepalive import DEAD, PING, Keepalive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from roost.client.streams import Stream
    from roost.protocol import Procedure, Program

_CHUNK = 65536
_FD_SIZE = 4
_MAX_FDS_AT_ONCE = 32
_READ_ONLY = 1
_AUTH_NONE, _AUTH_SASL, _AUTH_POLKIT = 0, 1, 2
_FEATURE_KEEPALIVE = 10
#: Calls under way at once in `call_each`: more than a daemon works on, so that it never waits for us.
_WINDOW = 16


class Notification:
    """An event from the daemon. procedure: its record; fields: the message's fields."""

    __slots__ = ("fields", "procedure")

    def __init__(self, procedure: Procedure, fields: tuple[Any, ...]) -> None:
        self.procedure = procedure
        self.fields = fields


class Client:
    """An open connection. Made by `open`, or by `connect` when the socket is at hand.

    uri: what was opened, after aliases; the daemon's choice when nothing was asked for.
    notifications: events received and not yet taken, oldest first.
    """

    def __init__(self, connection: _socket.socket, *, keepalive: tuple[float, int] = (0, 0)) -> None:
        """Take over a connected socket; `handshake` must follow.

        keepalive: seconds of silence before a ping, and pings without answer before
            the daemon counts as dead. An interval of 0 disables it.
        """
        self.uri = ""
        self.notifications: list[Notification] = []
        self._socket = connection
        self._wire = wire.Connection(server=False)
        self._replies: dict[int, wire.ReplyReceived] = {}
        self._streams: dict[int, Stream] = {}
        self._lost: RoostError | None = None
        self._keepalive = Keepalive(0, 0, 0.0)
        self._asked_keepalive = keepalive
        self._programs: dict[int, Program] = {REMOTE.number: REMOTE}

    # Opening and closing

    @classmethod
    def open(
        cls,
        name: str | None = None,
        *,
        read_only: bool = False,
        keepalive: tuple[float, int] = (0, 0),
        environ: Mapping[str, str] | None = None,
        user_id: int | None = None,
    ) -> Client:
        """Connect to the daemon that serves the URI or alias `name`.

        name: None takes the configured default, or leaves the choice to the daemon.
        Raises RoostError: the configuration, the socket, authentication, or the daemon's refusal.
        """
        environ = os.environ if environ is None else environ
        user_id = os.geteuid() if user_id is None else user_id
        # A complete URI needs no alias, so that the files need not be read.
        settings = {} if name and ":" in name else config.load(config.paths(environ))
        text = name or config.default_uri(settings, environ)
        uri = Uri(config.resolve_alias(text, settings)) if text else None
        if uri is not None:
            uri.require_local()
        client = cls(dial(addresses(uri, read_only=read_only, user_id=user_id, environ=environ)), keepalive=keepalive)
        try:
            client.handshake(uri.remote_name() if uri else "", read_only=read_only)
            client.uri = uri.text if uri else client.call("CONNECT_GET_URI")[0]
        except BaseException:
            client.abandon()
            raise
        return client

    def handshake(self, name: str, *, read_only: bool = False) -> None:
        """Authenticate and open the driver `name`, in the order in which libvirt's own client does."""
        self._authenticate()
        interval, count = self._asked_keepalive
        if interval > 0 and self.supports(_FEATURE_KEEPALIVE):
            self._keepalive = Keepalive(interval, count, monotonic())
            self._socket.settimeout(interval)
        self.call("CONNECT_OPEN", name, _READ_ONLY if read_only else 0)
        self.uri = name

    def _authenticate(self) -> None:
        offered = self.call("AUTH_LIST")[0]
        if not offered or _AUTH_NONE in offered:
            return
        if _AUTH_POLKIT in offered:
            self.call("AUTH_POLKIT")
            return
        way = "SASL" if _AUTH_SASL in offered else f"method {offered[0]}"
        raise AuthUnavailable(
            f"the daemon asks for {way}",
            domain=From.AUTH,
            hint="roost authenticates by the user it runs as; use the daemon's unix socket, or virsh",
        )

    def close(self) -> None:
        """Say goodbye and close the socket. Never raises."""
        if self._lost is None:
            try:
                self.call("CONNECT_CLOSE")
            except RoostError:
                # The daemon is gone already, which is all that was wanted.
                self._lost = None
        self.abandon()

    def abandon(self) -> None:
        """Close the socket without a word."""
        if self._lost is None:
            self._lost = InternalError("client socket is closed", domain=From.RPC)
        for fd in self._wire.take_fds():
            os.close(fd)
        self._socket.close()

    def fileno(self) -> int:
        """The socket's descriptor, to wait on; then call `receive`."""
        return self._socket.fileno()

    # Calls

    def call(self, procedure: str, *arguments: object) -> tuple[Any, ...]:
        """Call a procedure of the main program by name and return its result's fields. Raises RoostError."""
        return self.perform(REMOTE.by_name[procedure], arguments)[0]

    def call_qemu(self, procedure: str, *arguments: object, fds: Sequence[int] = ()) -> tuple[Any, ...]:
        """Call a procedure of the program that is QEMU's own."""
        self._programs[QEMU.number] = QEMU
        return self.perform(QEMU.by_name[procedure], arguments, fds)[0]

    def call_with_fds(self, procedure: str, fds: Sequence[int], *arguments: object) -> tuple[Any, ...]:
        """Call a procedure of the main program that takes descriptors."""
        return self.perform(REMOTE.by_name[procedure], arguments, fds)[0]

    def perform(
        self, procedure: Procedure, arguments: Sequence[object], fds: Sequence[int] = ()
    ) -> tuple[tuple[Any, ...], tuple[int, ...]]:
        """Call `procedure`, passing descriptors. The result's fields and the descriptors that came with it."""
        reply = self._await(self._send(procedure, arguments, fds))
        result = self._result(procedure, reply)
        if isinstance(result, RoostError):
            raise result
        return result, reply.fds

    def call_each(self, procedure: str, arguments: Sequence[Sequence[object]]) -> list[tuple[Any, ...] | RoostError]:
        """Make one call for each of `arguments` without waiting in between. Results or errors, in the same order."""
        record = REMOTE.by_name[procedure]
        results: list[tuple[Any, ...] | RoostError] = []
        under_way: list[int] = []
        for each in arguments:
            if len(under_way) == _WINDOW:
                results.append(self._result(record, self._await(under_way.pop(0))))
            under_way.append(self._send(record, each))
        results += [self._result(record, self._await(serial)) for serial in under_way]
        return results

    def supports(self, feature: int) -> bool:
        """Whether the daemon, or its driver, has a feature of the protocol."""
        return bool(self.call("CONNECT_SUPPORTS_FEATURE", feature)[0])

    def open_stream(self, procedure: str, *arguments: object) -> Stream:
        """Make a call that opens a stream."""
        from roost.client.streams import Stream

        record = REMOTE.by_name[procedure]
        serial = self._send(record, arguments)
        stream = Stream(self, record, serial)
        # From the reply on, packets may follow at once.
        self._streams[serial] = stream
        result = self._result(record, self._await(serial))
        if isinstance(result, RoostError):
            del self._streams[serial]
            raise result
        stream.answer = result
        return stream

    # Bytes

    def send(self, data: bytes) -> None:
        """Write a whole message. Raises ConnectionLost."""
        if self._lost is not None:
            raise self._lost
        view = memoryview(data)
        while view:
            try:
                sent = self._socket.send(view, _socket.MSG_NOSIGNAL)
            except TimeoutError:
                self._idle()
            except OSError as error:
                self._lose(ConnectionLost(f"Cannot write data: {error.strerror}", "error", errno=error.errno or 0))
            else:
                view = view[sent:]

    def receive(self) -> None:
        """Wait for data, or until it is time for a ping, and sort what came.

        Raises ConnectionLost. Replies, stream data and notifications are kept for
        those that wait for them.
        """
        if self._lost is not None:
            raise self._lost
        try:
            data, ancillary, _, _ = self._socket.recvmsg(
                _CHUNK, _socket.CMSG_SPACE(_FD_SIZE * _MAX_FDS_AT_ONCE), _socket.MSG_CMSG_CLOEXEC
            )
        except TimeoutError:
            self._idle()
            return
        except OSError as error:
            self._lose(lost_by(error))
        if not data:
            self._lose(lost_by(None))
        if self._keepalive.interval > 0:
            self._keepalive.received(monotonic())
        for event in self._wire.receive_data(data, _descriptors(ancillary) if ancillary else ()):
            if type(event) is wire.ReplyReceived:
                self._replies[event.serial] = event
            else:
                self._take(event)

    def _take(self, event: wire.Event) -> None:
        if isinstance(event, wire.MessageReceived):
            program = self._programs.get(event.program)
            procedure = program.by_number.get(event.procedure) if program else None
            if procedure is not None and procedure.msg is not None:
                self.notifications.append(Notification(procedure, procedure.msg.decode(event.payload)))
        elif isinstance(event, wire.StreamReceived | wire.HoleReceived):
            stream = self._streams.get(event.serial)
            if stream is not None:
                stream.take(event)
        elif isinstance(event, wire.PingReceived):
            self.send(wire.pong())
        elif isinstance(event, wire.ConnectionBroken):
            self._lose(
                ConnectionLost(
                    f"the daemon sent what is no message: {event.reason}", "error", hint="is it a libvirt socket?"
                )
            )

    def forget_stream(self, serial: int) -> None:
        """A stream has ended."""
        self._streams.pop(serial, None)

    def _send(self, procedure: Procedure, arguments: Sequence[object], fds: Sequence[int] = ()) -> int:
        for fd in fds:
            # Once the message is on its way, the daemon waits for them.
            try:
                os.fstat(fd)
            except OSError:
                raise InvalidArg(f"file descriptor {fd} is not open", domain=From.RPC) from None
        serial = self._wire.next_serial()
        payload = procedure.args.encode(arguments) if procedure.args is not None else b""
        self.send(wire.call(procedure.program, procedure.version, procedure.number, serial, payload, len(fds)))
        for byte, fd in wire.fd_pieces(fds):
            self._socket.sendmsg(
                [byte],
                [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fd.to_bytes(_FD_SIZE, sys.byteorder))],
                _socket.MSG_NOSIGNAL,
            )
        return serial

    def _await(self, serial: int) -> wire.ReplyReceived:
        replies = self._replies
        while serial not in replies:
            self.receive()
        return replies.pop(serial)

    def _result(self, procedure: Procedure, reply: wire.ReplyReceived) -> tuple[Any, ...] | RoostError:
        if reply.status:
            return wire.decode_error(reply.payload)
        if procedure.ret is None:
            return ()
        return procedure.ret.decode(reply.payload)

    def _idle(self) -> None:
        """Nothing came for a while."""
        action = self._keepalive.tick(monotonic())
        if action == DEAD:
            interval, count = self._asked_keepalive
            self._lose(
                ConnectionLost(
                    "internal error: received hangup event on socket",
                    "keepalive",
                    hint=f"the daemon did not answer {count} pings in {interval * (count + 1):g} seconds",
                )
            )
        elif action == PING:
            self.send(wire.ping())

    def _lose(self, error: RoostError) -> None:
        self._lost = error
        raise error


def _descriptors(ancillary: Iterable[tuple[int, int, bytes]]) -> list[int]:
    fds: list[int] = []
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            fds += memoryview(data[: len(data) // _FD_SIZE * _FD_SIZE]).cast("i")
    return fds
