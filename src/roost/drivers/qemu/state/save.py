"""Saving a guest: its memory and devices to an image, and then its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import jobs as J
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import Ending, Guest, GuestRecord
from roost.drivers.qemu.interruptions import SAVE, SAVE_STOPPED, telling
from roost.drivers.qemu.qmp import QmpClient
from roost.drivers.qemu.state.files import Target, replace_header, writing
from roost.drivers.qemu.state.header import FORMATS, STREAMED, Preface
from roost.drivers.qemu.state.image import Images, at_rest, chosen, preface_of
from roost.drivers.qemu.state.migration import MemoryWriter, check_blockers, gone
from roost.drivers.qemu.state.pipeline import find_program
from roost.drivers.qemu.state.routes import channels_for, check_mapped
from roost.drivers.qemu.state.unfinished import Unfinished
from roost.drivers.qemu.supervisor import Supervisor
from roost.engine.jobs import Job, LongJob, Measure
from roost.errors import From, OperationFailed, OperationInvalid, RoostError
from roost.model.domain import Domain

log = logging.getLogger(__name__)

SAVED = Ending(D.SHUTOFF_SAVED, E.STOPPED_SAVED, "saved")


async def check_movable(record: GuestRecord) -> None:
    """Raises OperationInvalid with QEMU's reasons, for disks that jobs work on, and for devices that cannot follow."""
    guest = require_guest(record)
    await check_blockers(require_monitor(record))
    job = next((job for job in guest.blocks.jobs.values() if job.disk), None)
    if job is not None:
        end = (
            "domjobabort ends the backup" if guest.blocks.backup is not None else f"blockjob {job.disk} --abort ends it"
        )
        raise OperationInvalid("domain has active block job", domain=From.QEMU, hint=f"on {job.disk}; {end}")
    check_saveable(record.document)


def check_saveable(document: Domain) -> None:
    """Raises OperationInvalid for a guest that could not be brought back although QEMU would let it go."""
    devices = document.devices
    for shmem in devices.shmems:
        if shmem.model == "ivshmem":
            raise OperationInvalid(
                "migration with legacy shmem device is not supported",
                domain=From.QEMU,
                hint="<model type='ivshmem-plain'/> with role='master' is",
            )
        if shmem.role != "master":
            raise OperationInvalid(
                f"shmem device '{shmem.name}' cannot be migrated, only shmem with role='master' can be migrated",
                domain=From.QEMU,
            )
    if any(each.driver is not None and each.driver.type == "virtiofs" for each in devices.filesystems):
        raise OperationInvalid(
            "migration with virtiofs device is not supported",
            domain=From.QEMU,
            hint="what virtiofsd knows of open files is not in the guest; detach it first",
        )
    if any(disk.transient for disk in devices.disks):
        raise OperationInvalid(
            "migration with transient disk is not supported",
            domain=From.QEMU,
            hint="what the guest wrote to it would be gone when it is restored",
        )


class Saver:
    """Saves guests."""

    def __init__(self, context: Context, supervisor: Supervisor, images: Images) -> None:
        self._context = context
        self._supervisor = supervisor
        self._images = images
        self._unfinished = Unfinished(context.paths.status)

    async def save(
        self,
        record: GuestRecord,
        path: str,
        xml: str | None,
        flags: int,
        *,
        managed: bool = False,
        format: str | None = None,
        channels: int | None = None,
    ) -> None:
        """The guest is gone when this returns, and as it was when it raises.

        managed: the path is that of its managed save. format: one of FORMATS, None for the one configured.
        channels: how many carry the memory of a sparse image; None: one.
        """
        format = format or self._context.config.save_image_format
        program = compressor(format, "save")
        channels = channels_for(format, channels)
        bypass_cache = bool(flags & D.SAVE_BYPASS_CACHE)
        async with record.job("save") as job:
            guest, monitor = require_guest(record), require_monitor(record)
            await check_movable(record)
            if channels:
                await check_mapped(monitor, direct=bypass_cache)
            document = await self._document(record, guest, xml)
            writer = MemoryWriter(monitor, "domain save")
            with (
                job.watched(writer.job(J.OPERATION_SAVE)) as long,
                self._unfinished.noted(record.name, SAVE, path),
                telling(self._context, record, SAVE_STOPPED, path=path),
            ):
                running = chosen(flags, default=record.state == D.RUNNING)
                assert record.live is not None
                preface = preface_of(document, record.live, running=running, format=FORMATS.index(format))
                async with (
                    halted(self._supervisor, record, D.PAUSED_SAVE, D.RUNNING_SAVE_CANCELED, long),
                    writing(
                        path,
                        self._context.host.processes,
                        preface=preface.pack(complete=False),
                        program=program,
                        channels=channels,
                        bypass_cache=bypass_cache,
                    ) as target,
                ):
                    long.latest = await explained(writer.run(target.route), target)
                    await self._finish(writer, target, preface)
                    finished(self._supervisor, record, job, long)
                    if record.runtime is not guest:
                        raise gone()
                    record.managed_save = record.managed_save or managed
                    await self._end(record, guest, monitor)

    async def _document(self, record: GuestRecord, guest: Guest, xml: str | None) -> Domain:
        live = record.live
        if live is None:
            raise gone()
        document = at_rest(live, guest, record.config if record.is_persistent else None)
        return document if xml is None else await self._images.exchanged(document, live, xml)

    async def _finish(self, writer: MemoryWriter, target: Target, preface: Preface) -> None:
        """Everything is on disk, then the header says so."""
        await target.finish()
        writer.check()
        await asyncio.to_thread(replace_header, target.path, preface.pack(complete=True)[:16], "header")

    async def _end(self, record: GuestRecord, guest: Guest, monitor: QmpClient) -> None:
        # Its memory is on disk: nothing it would still say of its end is of interest.
        monitor.close()
        await self._supervisor.stop(record, guest, SAVED)


def compressor(format: str, what: str) -> tuple[str, ...]:
    """The program that writes the format, with its arguments; () when none does. what: the setting, such as `dump`.

    Raises OperationFailed for a format that is none, or whose program is not there.
    """
    known = STREAMED if what == "dump" else FORMATS
    if format not in known:
        raise OperationFailed(
            f"Invalid {what} image format specified in configuration file",
            domain=From.QEMU,
            hint=f"{what}_image_format in qemu.conf is '{format}'; it may be {', '.join(known)}",
        )
    program = find_program(format, what)
    if not program:
        return ()
    return (program, "-c", "-3") if format == "xz" else (program, "-c")


async def explained(work: Awaitable[Measure], target: Target) -> Measure:
    """Raises what kept the memory from the file; with the words of the program in between if that one refused it."""
    try:
        return await work
    except OperationFailed as error:
        raise await target.explain(error) from error


def finished(supervisor: Supervisor, record: GuestRecord, job: Job, long: LongJob) -> None:
    """Keep the job's statistics and tell subscribers."""
    supervisor.publish(record, E.ID_JOB_COMPLETED, job.complete(long))


@contextlib.asynccontextmanager
async def halted(
    supervisor: Supervisor, record: GuestRecord, paused: int, running: int, long: LongJob
) -> AsyncIterator[None]:
    """The guest's processors stand still inside; they go on after, if they did before and it is there.

    paused, running: the reasons for its states, constants.domain.
    """
    guest, monitor = require_guest(record), require_monitor(record)
    was_running = record.state == D.RUNNING
    if was_running:
        guest.paused_reason = paused
        try:
            await monitor.execute("stop")
        finally:
            guest.paused_reason = 0
        long.halt()
    try:
        yield
    finally:
        if record.runtime is guest and guest.ending is None:
            if was_running:
                await go_on(supervisor, record, guest, running)
            else:
                await stay(supervisor, record, guest)


async def stay(supervisor: Supervisor, record: GuestRecord, guest: Guest) -> None:
    """Have a guest that stays paused be as it was before its memory was taken.

    QEMU takes it for one that goes on elsewhere: it has let go of its images and would give its memory to nobody
    again, until the processors run. So they do, for an instant.
    """
    monitor = guest.monitor
    if monitor is None or monitor.closed is not None:
        return
    try:
        if (await monitor.execute("query-status"))["status"] in ("postmigrate", "finish-migrate"):
            with supervisor.unheard(guest, "RESUME", "STOP"):
                await monitor.batch([("cont", None), ("stop", None)])
    except RoostError as error:
        log.warning("%s stays as QEMU leaves a guest that is elsewhere: %s", record.name, error)


async def go_on(supervisor: Supervisor, record: GuestRecord, guest: Guest, reason: int) -> None:
    """Let the processors run again; that they do not is logged and told, the guest stays paused."""
    monitor = guest.monitor
    if monitor is None or monitor.closed is not None:
        return  # the daemon ends; the next one lets it go on
    guest.running_reason = reason
    try:
        await monitor.execute("cont")
    except RoostError as error:
        log.warning("%s stays paused: %s", record.name, error)
        if record.runtime is guest:
            record.set_state(D.PAUSED, D.PAUSED_API_ERROR)
            supervisor.lifecycle(record, E.SUSPENDED, E.SUSPENDED_API_ERROR)
            supervisor.save(record)
    finally:
        guest.running_reason = 0
