"""Processes beside QEMU that serve its storage: virtiofsd for shared directories, qemu-pr-helper for reservations.

Both run as root, since the files and devices are the host's: virtiofsd shuts
itself into the directory it serves, the other checks what it is asked for. A
virtiofsd ends when QEMU closes its connection; of the other see `reservations`.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from roost.drivers.qemu import plan
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.reservations import Reservations
from roost.errors import From, OperationInvalid, SystemCallError
from roost.host.api import Command, Process

#: Where distributions keep virtiofsd, which is on no PATH.
_VIRTIOFSD = ("/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd", "/usr/libexec/qemu/virtiofsd")


class StorageHelpers:
    """Starts them, for one guest at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def start(self, record: GuestRecord, guest: Guest, needs: plan.Needs, directory: Path) -> Sequence[Process]:
        """Everything that the guest's storage needs, listening when this returns. directory: the guest's own.

        Those that end when QEMU leaves them.
        Raises SystemCallError without the programs, OperationFailed with a helper's own words.
        """
        started = [await self._start_virtiofsd(record, guest, need, directory) for need in needs.virtiofs]
        if needs.reservations:
            await Reservations(self._context).start(record, guest)
        return started

    async def _start_virtiofsd(
        self, record: GuestRecord, guest: Guest, need: plan.VirtioFs, directory: Path
    ) -> Process:
        _require_directory(need.directory)
        program = need.binary or _find("virtiofsd", _VIRTIOFSD)
        listener = guest.resources.descriptors.listen_for_guest(directory / f"{need.key}-fs.sock")
        log = self._context.paths.log / f"{record.name}-{need.key}-virtiofsd.log"
        words = [program, f"--fd={listener}", "-o", f"source={_escaped(need.directory)}", *need.arguments]
        if need.max_open_files:
            words.append(f"--rlimit-nofile={need.max_open_files}")
        for name, ranges in (("uid", need.uids), ("gid", need.gids)):
            words.extend(f"--{name}-map=:{inside}:{outside}:{count}:" for inside, outside, count in ranges)
        output = _open(log)
        try:
            process = await self._context.host.processes.start(Command(words, _environment(), output, (listener,)))
        finally:
            os.close(output)
            guest.resources.descriptors.let_go(listener)
        guest.resources.add_helper(process)
        return process


def _require_directory(path: str) -> None:
    if not os.path.isdir(path):
        raise OperationInvalid(f"the virtiofs export directory '{path}' does not exist", domain=From.QEMU)


def _open(log: Path) -> int:
    return os.open(log, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _escaped(path: str) -> str:
    """A value among others that commas separate."""
    return path.replace(",", ",,")


def _find(name: str, places: tuple[str, ...]) -> str:
    found = next((place for place in places if os.access(place, os.X_OK)), None) or shutil.which(name)
    if found is None:
        text = f"Unable to find a satisfying {name}: {os.strerror(errno.ENOENT)}"
        raise SystemCallError(
            text, domain=From.QEMU, int1=errno.ENOENT, str2=text, hint="install qemu-system-common and virtiofsd"
        )
    return found


def _environment() -> dict[str, str]:
    return {"LC_ALL": "C", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


__all__ = ["StorageHelpers"]
