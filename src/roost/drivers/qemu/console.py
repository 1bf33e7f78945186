"""Consoles and channels of a running guest, as streams."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable, Sequence

from roost.constants import domain as D
from roost.contract import flags as F
from roost.contract.domains import Consoles
from roost.contract.references import DomainIdentity
from roost.contract.streams import ByteStream
from roost.drivers.qemu.context import Context, require_guest
from roost.drivers.qemu.guest import Guest
from roost.errors import From, InternalError, OperationFailed, SystemCallError
from roost.model.domain.devices.chardev import CharDevice, PtyChar, UnixChar, VirtioChannel


class ConsoleStream:
    """One opened character device: see contract.streams.ByteStream.

    descriptor: a terminal or a socket, ours from now on.
    """

    def __init__(self, descriptor: int, closed: Callable[[], None]) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._waiters: set[asyncio.Future[None]] = set()

    async def read(self, limit: int) -> bytes:
        while self._descriptor != -1:
            try:
                return os.read(self._descriptor, limit)
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader)
            except OSError as error:
                if error.errno == errno.EIO:
                    return b""  # the terminal's other side, QEMU, is gone
                raise _failed("Unable to read from console", error) from error
        return b""

    async def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if self._descriptor == -1:
                raise OperationFailed("the console was closed", domain=From.QEMU)
            try:
                view = view[os.write(self._descriptor, view) :]
            except BlockingIOError:
                await self._ready(self._loop.add_writer, self._loop.remove_writer)
            except OSError as error:
                raise _failed("Unable to write to console", error) from error

    async def _ready(self, add: Callable[..., object], remove: Callable[[int], object]) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        descriptor = self._descriptor

        def wake() -> None:
            if not waiter.done():
                waiter.set_result(None)

        self._waiters.add(waiter)
        add(descriptor, wake)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if self._descriptor == descriptor:
                remove(descriptor)

    async def finish(self) -> None:
        self.abort()

    def abort(self) -> None:
        if self._descriptor == -1:
            return
        self._loop.remove_reader(self._descriptor)
        self._loop.remove_writer(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._closed()


class QemuConsoles(Consoles):
    """contract.Consoles."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def open_console(self, domain: DomainIdentity, device: str | None, flags: int) -> ByteStream:
        F.check(flags, D.CONSOLE_SAFE | D.CONSOLE_FORCE, "qemuDomainOpenConsole", From.QEMU)
        record = self._context.table.get_active(domain)
        guest = require_guest(record)
        devices = record.document.devices
        found: CharDevice | None = None
        if device is None:
            first: Sequence[CharDevice] = devices.consoles or devices.serials
            found = first[0] if first else None
        else:
            every: Sequence[CharDevice] = (*devices.consoles, *devices.serials, *devices.parallels)
            found = next((each for each in every if each.alias == device), None)
        if found is None:
            raise InternalError(f"cannot find character device {device or '<null>'}", domain=From.QEMU)
        return self._open(guest, found, force=bool(flags & D.CONSOLE_FORCE), taken="Active console session")

    async def open_channel(self, domain: DomainIdentity, channel: str | None, flags: int) -> ByteStream:
        F.check(flags, D.CHANNEL_FORCE, "qemuDomainOpenChannel", From.QEMU)
        record = self._context.table.get_active(domain)
        guest = require_guest(record)
        channels = record.document.devices.channels
        found = channels[0] if channel is None and channels else None
        for each in channels:
            name = each.target.name if isinstance(each.target, VirtioChannel) else None
            if channel is not None and channel in (name, each.alias):
                found = each
        if found is None:
            raise InternalError(f"cannot find channel {channel or '<null>'}", domain=From.QEMU)
        return self._open(guest, found, force=bool(flags & D.CHANNEL_FORCE), taken="Active channel stream")

    def _open(self, guest: Guest, device: CharDevice, *, force: bool, taken: str) -> ConsoleStream:
        source, alias = device.source, device.alias or ""
        path = source.path if isinstance(source, PtyChar | UnixChar) else None
        if path is None:
            raise InternalError(f"character device {alias} is not using a PTY or UNIX socket", domain=From.QEMU)
        opened = guest.consoles.get(path)
        if opened is not None:
            if not force:
                raise OperationFailed(
                    f"{taken} exists for this domain",
                    domain=From.QEMU,
                    hint="end the other session, or take it over with --force",
                )
            opened.abort()
        try:
            descriptor = _connect(path) if isinstance(source, UnixChar) else _open_terminal(path)
        except OSError as error:
            raise _failed(f"unable to open '{path}'", error) from error

        def closed() -> None:
            guest.consoles.pop(path, None)

        stream = ConsoleStream(descriptor, closed)
        guest.consoles[path] = stream
        return stream


def _open_terminal(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)


def _connect(path: str) -> int:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    with contextlib.ExitStack() as stack:
        stack.callback(connection.close)
        connection.connect(path)
        stack.pop_all()
    return connection.detach()


def _failed(action: str, error: OSError) -> SystemCallError:
    text = f"{action}: {error.strerror}"
    return SystemCallError(text, domain=From.QEMU, int1=error.errno or 0, str1="%s", str2=text)
