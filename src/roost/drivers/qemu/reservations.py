"""The helper for persistent reservations of a running guest: it comes with the first disk that wants it.

One process and one object of QEMU's serve all disks of a guest whose
reservations are managed. Both go with the last of these disks. A helper that
has died is started again when QEMU says so, and by a daemon that comes back:
QEMU tries for some seconds to reach it before a command of the guest's fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from pathlib import Path
from typing import NamedTuple

from roost.drivers.qemu import nodes, plan
from roost.drivers.qemu.context import Context, require_monitor
from roost.drivers.qemu.events import Data
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.held import PR_HELPER, Held, combined, without
from roost.drivers.qemu.plan import reservations
from roost.drivers.qemu.resources import HELPER_GRACE
from roost.drivers.qemu.supervisor import Supervisor
from roost.drivers.qemu.tuning import access
from roost.drivers.qemu.tuning.start import place_helpers
from roost.errors import From, OperationFailed, OperationTimeout, RoostError, SystemCallError
from roost.host.api import Command

log = logging.getLogger(__name__)

#: Where distributions keep it.
_PLACES = ("/usr/bin/qemu-pr-helper", "/usr/libexec/qemu-pr-helper", "/usr/lib/qemu/qemu-pr-helper")
#: Seconds to open its socket.
_READY_TIMEOUT = 30.0
_EXCERPT = 2048
_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


class _Files(NamedTuple):
    """number: of the process, by which it is found again."""

    number: Path
    socket: Path


class Reservations:
    """Starts and ends the helper of one guest at a time; inside the record's job but for helpers that have died."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def listen(self, supervisor: Supervisor) -> None:
        """Start helpers again that QEMU has lost."""
        supervisor.listen("PR_MANAGER_STATUS_CHANGED", self._on_status)

    def _on_status(self, supervisor: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
        if not data.get("connected") and data.get("id") == reservations.MANAGED and not guest.starting:
            supervisor.run(self._revive(record, guest), f"the pr helper of {record.name}")

    async def _revive(self, record: GuestRecord, guest: Guest) -> None:
        """Without a turn in the record's job: the guest waits for seconds alone."""
        async with guest.resources.helper_turn:
            if _is_held(guest):
                await self._have_run(record, guest)

    # -- coming and going ------------------------------------------------------------------

    async def open(self, record: GuestRecord, guest: Guest) -> None:
        """Have the helper run and QEMU know it, for a disk that is about to come; `settle` undoes it.

        Raises SystemCallError without the program, OperationFailed with its words, OperationTimeout, QmpCommandError.
        """
        async with guest.resources.helper_turn:
            if _is_held(guest):
                await self._have_run(record, guest)
                return
            held = guest.resources.held
            opened = nodes.joining(self._context.host, held.nodes, [nodes.for_reservations()])
            guest.resources.held = combined(held, Held(helpers=(str(_files(guest).number),), nodes=opened))
            self._context.save(record)
            if opened:
                await access.apply(self._context, guest)
            await self.start(record, guest)
            made = reservations.managed(held.directory)
            await require_monitor(record).execute("object-add", made.data)

    async def settle(self, record: GuestRecord, guest: Guest) -> None:
        """Let the helper be there if a disk of the live document wants it, and only then. What fails is logged."""
        async with guest.resources.helper_turn:
            if record.runtime is not guest or record.live is None or not _is_held(guest):
                return
            try:
                if plan.uses_managed(record.live):
                    await self._have_run(record, guest)
                else:
                    await self._close(record, guest)
            except (RoostError, OSError) as error:
                log.error("the pr helper of %s: %s", record.name, error)  # noqa: TRY400 - no bug of ours

    async def _have_run(self, record: GuestRecord, guest: Guest) -> None:
        process = self._context.host.processes.find(_files(guest).number)
        if process is not None:
            process.release()
            return
        log.warning("the pr helper of %s has ended; it is started again", record.name)
        await self.start(record, guest)

    async def _close(self, record: GuestRecord, guest: Guest) -> None:
        files, monitor = _files(guest), guest.monitor
        if monitor is not None and monitor.closed is None:
            # Before its process: QEMU would tell that it has lost it.
            await monitor.batch([("object-del", {"id": reservations.MANAGED})])
        await self._end(files)
        if record.runtime is guest:
            held = guest.resources.held
            opened = tuple(node for node in held.nodes if node.source == nodes.RESERVATIONS)
            guest.resources.held = without(held, Held(helpers=(str(files.number),), nodes=opened))
            self._context.save_changed(record)
            await access.settle(self._context, record, guest)

    # -- the process -----------------------------------------------------------------------

    async def _end(self, files: _Files) -> None:
        """When this returns it is gone, and its files are free for another."""
        process = self._context.host.processes.find(files.number)
        if process is not None:
            process.terminate(HELPER_GRACE)
            await process.wait()
        for path in files:
            with contextlib.suppress(OSError):
                path.unlink()

    async def start(self, record: GuestRecord, guest: Guest) -> None:
        """Run the process, listening when this returns. It is held already. Raises as `open` does."""
        program, files = _program(self._context.config.pr_helper), _files(guest)
        await self._end(files)
        path = self._context.paths.log / f"{record.name}-pr-helper.log"
        # It goes into the background once its socket is open.
        words = [program, "-d", "-k", str(files.socket), "-f", str(files.number)]
        output = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            begin = os.fstat(output).st_size
            process = await self._context.host.processes.start(Command(words, _ENVIRONMENT, output))
            try:
                async with asyncio.timeout(_READY_TIMEOUT):
                    status = await process.wait()
            except TimeoutError:
                process.terminate(0.0)
                raise OperationTimeout(
                    "pr helper socked did not show up", domain=From.QEMU, hint=f"see {path}"
                ) from None
            if status != 0:
                said = os.pread(output, _EXCERPT, begin).decode("utf-8", "replace").strip()
                raise OperationFailed(
                    f"pr helper died and reported: {said}", domain=From.QEMU, hint=f"more of it may stand in {path}"
                )
        finally:
            os.close(output)
        if not _is_held(guest):
            # Nobody has found it when the guest ended.
            await self._end(files)
            raise OperationFailed("domain is not running", domain=From.QEMU)
        if record.live is not None:
            await place_helpers(self._context.host, guest, record.live)
        account = self._context.account
        if account is not None:
            os.chown(files.socket, account.uid, account.gid)


def _program(configured: str) -> str:
    places = (configured,) if configured else _PLACES
    found = next((place for place in places if os.access(place, os.X_OK)), None)
    if found is None:
        text = f"'{places[0]}' is not a suitable pr helper: {os.strerror(errno.ENOENT)}"
        hint = "correct pr_helper in qemu.conf" if configured else "install qemu-system-common"
        raise SystemCallError(text, domain=From.QEMU, int1=errno.ENOENT, str2=text, hint=hint)
    return found


def _files(guest: Guest) -> _Files:
    directory = Path(guest.resources.held.directory)
    return _Files(directory / f"{PR_HELPER}.pid", directory / reservations.SOCKET)


def _is_held(guest: Guest) -> bool:
    return str(_files(guest).number) in guest.resources.held.helpers


__all__ = ["Reservations"]
