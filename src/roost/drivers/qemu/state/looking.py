"""What clients ask of a running guest's memory and screen: pictures, bytes, how fast it writes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import secrets
from collections.abc import Iterator

from roost.constants import domain as D
from roost.constants import node as N
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.qmp import QmpClient
from roost.drivers.qemu.state.files import failed
from roost.errors import ConfigUnsupported, From, InvalidArg, OperationInvalid, OperationUnsupported
from roost.model.domain import Domain

#: Kinds of addresses, with the command that reads memory by them.
_PEEKS = {N.MEMORY_VIRTUAL: "memsave", N.MEMORY_PHYSICAL: "pmemsave"}
#: Seconds that QEMU has for some bytes.
_DEADLINE = 5.0
#: Seconds for which the rate of writing may be measured.
_SHORTEST, _LONGEST = 1, 60
#: The numbers of the descriptor sets that pictures are passed in: none that a device has, and each picture's own,
#: because reads take no turns.
_pictures = itertools.count(1 << 20)
#: The first QEMU that writes PNG.
_PNG = (7, 1, 0)


class FileStream:
    """A file that exists only as a descriptor, from its beginning: see contract.state.Picture."""

    def __init__(self, descriptor: int, mime: str) -> None:
        self.mime = mime
        self._descriptor = descriptor
        os.lseek(descriptor, 0, os.SEEK_SET)

    async def read(self, limit: int) -> bytes:
        return os.read(self._descriptor, limit) if self._descriptor != -1 else b""

    async def write(self, data: bytes) -> None:
        raise OperationInvalid("the stream is only for reading", domain=From.STREAMS)

    async def finish(self) -> None:
        self.abort()

    def abort(self) -> None:
        if self._descriptor != -1:
            os.close(self._descriptor)
            self._descriptor = -1


async def take_screenshot(context: Context, record: GuestRecord, screen: int) -> FileStream:
    """A picture of a screen, counted over all video cards' heads. Raises OperationInvalid without such a screen."""
    monitor = require_monitor(record)
    live = record.document
    caps = await context.capabilities.get(live.devices.emulator or "")
    arguments = _screen(live, screen)
    mime = "image/x-portable-pixmap"
    if caps.version >= _PNG:
        arguments["format"], mime = "png", "image/png"
    number = next(_pictures)
    descriptor = os.memfd_create("screen", os.MFD_CLOEXEC)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, descriptor)
        # QEMU opens it for writing, and takes one from a set that is for writing alone.
        writer = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            await monitor.execute("add-fd", {"fdset-id": number}, descriptors=(writer,))
        finally:
            os.close(writer)
        try:
            await monitor.execute("screendump", {**arguments, "filename": f"/dev/fdset/{number}"})
        finally:
            await monitor.execute("remove-fd", {"fdset-id": number})
        stack.pop_all()
    return FileStream(descriptor, mime)


def _screen(live: Domain, screen: int) -> dict[str, object]:
    """The arguments of screendump that choose it."""
    videos = live.devices.videos
    if not videos:
        raise OperationInvalid("no screens to take screenshot from", domain=From.QEMU)
    if not screen:
        return {}
    left = screen
    for video in videos:
        heads = (video.model.heads if video.model is not None else None) or 1
        if left < heads:
            return {"device": video.alias, "head": left}
        left -= heads
    raise OperationInvalid("no such screen ID", domain=From.QEMU, hint=f"there are screens 0 to {screen - left - 1}")


async def peek(context: Context, record: GuestRecord, offset: int, size: int, flags: int) -> bytes:
    """Raises InvalidArg for other flags than one kind of address."""
    command = _PEEKS.get(flags)
    if command is None:
        raise InvalidArg("flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL", domain=From.QEMU)
    guest, monitor = require_guest(record), require_monitor(record)
    name = f"{guest.resources.held.directory}/memory.{secrets.token_hex(4)}"
    with _private_file(context, name) as (path, descriptor):
        await monitor.execute(command, {"val": offset, "size": size, "filename": path}, deadline=_DEADLINE)
        return await asyncio.to_thread(os.pread, descriptor, size, 0)


@contextlib.contextmanager
def _private_file(context: Context, path: str) -> Iterator[tuple[str, int]]:
    """A file that QEMU may write by its path, in the guest's directory, and our descriptor of it.

    QEMU's user owns the directory, so nothing but the descriptor is trusted.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise failed("Failed to create file", path, error) from error
    try:
        account = context.account
        if account is not None and os.geteuid() == 0:
            os.fchown(descriptor, account.uid, account.gid)
        yield path, descriptor
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            os.unlink(path)


_MODES = {
    D.DIRTYRATE_MODE_PAGE_SAMPLING: "page-sampling",
    D.DIRTYRATE_MODE_DIRTY_BITMAP: "dirty-bitmap",
    D.DIRTYRATE_MODE_DIRTY_RING: "dirty-ring",
}


async def start_dirty_rate(context: Context, record: GuestRecord, seconds: int, flags: int) -> None:
    """Raises OperationUnsupported for a mode that the guest is not made for."""
    guest = require_guest(record)
    live = record.document
    if flags & D.DIRTYRATE_MODE_DIRTY_BITMAP:
        flags = D.DIRTYRATE_MODE_DIRTY_BITMAP
    kvm = live.features.kvm if live.features is not None else None
    if flags == D.DIRTYRATE_MODE_DIRTY_RING and not (kvm and kvm.dirty_ring):
        raise OperationUnsupported(
            "dirty-ring calculation mode requires dirty-ring feature enabled.",
            domain=From.QEMU,
            hint="<features><kvm><dirty-ring state='on' size='4096'/></kvm></features>",
        )
    async with record.job("dirty rate"):
        monitor: QmpClient = require_monitor(record)
        guest.facts.dirty_rate = True
        context.save(record)
        await monitor.execute("calc-dirty-rate", {"calc-time": seconds, "mode": _MODES[flags]})


def check_period(seconds: int) -> None:
    """Raises ConfigUnsupported."""
    if not _SHORTEST <= seconds <= _LONGEST:
        raise ConfigUnsupported(
            f"seconds={seconds} is invalid, please choose value within [{_SHORTEST}, {_LONGEST}].", domain=From.QEMU
        )
