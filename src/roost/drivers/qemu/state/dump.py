"""Core dumps: a guest's memory for whoever looks for what went wrong in it."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import jobs as J
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import Ending, Guest, GuestRecord
from roost.drivers.qemu.interruptions import DUMP, DUMP_STOPPED, settled, telling
from roost.drivers.qemu.qmp import QmpClient
from roost.drivers.qemu.state.files import writing
from roost.drivers.qemu.state.migration import DUMP_FORMATS, MemoryDumper, MemoryWriter, dump_formats, gone
from roost.drivers.qemu.state.save import check_movable, compressor, explained, finished, go_on, halted, stay
from roost.drivers.qemu.state.unfinished import Unfinished
from roost.drivers.qemu.supervisor import Supervisor
from roost.engine.jobs import Job, LongJob
from roost.errors import From, InvalidArg, OperationFailed, OperationUnsupported

log = logging.getLogger(__name__)

CRASHED_BY_DUMP = Ending(D.SHUTOFF_CRASHED, E.STOPPED_CRASHED, "crashed")


class Dumper:
    """Dumps guests."""

    def __init__(self, context: Context, supervisor: Supervisor) -> None:
        self._context = context
        self._supervisor = supervisor
        self._unfinished = Unfinished(context.paths.status)

    async def dump(self, record: GuestRecord, path: str, format: int, flags: int) -> None:
        """format: CORE_DUMP_FORMAT_*; flags: DUMP_*. The guest goes on as it did, unless DUMP_CRASH ends it."""
        async with record.job("dump") as job:
            guest, monitor = require_guest(record), require_monitor(record)
            was_running = record.state == D.RUNNING
            await check_format(monitor, format, flags)
            if not flags & D.DUMP_MEMORY_ONLY:
                await check_movable(record)
            with self._watched(record, monitor, path, flags) as (long, worker):
                halting = not flags & D.DUMP_LIVE
                async with (
                    halted(self._supervisor, record, D.PAUSED_DUMP, D.RUNNING_UNPAUSED, long)
                    if halting
                    else contextlib.nullcontext()
                ):
                    await self._write(record, job, long, worker, path, format, flags)
                    if record.runtime is not guest:
                        raise gone()
                    if flags & D.DUMP_CRASH:
                        monitor.close()
                        await self._supervisor.stop(record, guest, CRASHED_BY_DUMP)
                        return
                    if flags & D.DUMP_RESET:
                        await monitor.execute("system_reset")
                if not halting:
                    # What writes a running guest's memory stops it in the end.
                    if was_running:
                        await go_on(self._supervisor, record, guest, D.RUNNING_UNPAUSED)
                    else:
                        await stay(self._supervisor, record, guest)
            settled(self._context, record, DUMP)

    async def _write(
        self,
        record: GuestRecord,
        job: Job,
        long: LongJob,
        worker: MemoryWriter | MemoryDumper,
        path: str,
        format: int,
        flags: int,
    ) -> None:
        config = self._context.config
        program = () if isinstance(worker, MemoryDumper) else _compressor(config.dump_image_format)
        bypass_cache = bool(flags & D.DUMP_BYPASS_CACHE)
        async with writing(path, self._context.host.processes, program=program, bypass_cache=bypass_cache) as target:
            if isinstance(worker, MemoryDumper):
                await explained(worker.run(target.descriptor, DUMP_FORMATS[format]), target)
                await target.finish()
                return
            long.latest = await explained(worker.run(target.route), target)
            await target.finish()
            worker.check()
            finished(self._supervisor, record, job, long)

    # -- by themselves ---------------------------------------------------------------------

    async def dump_crashed(self, record: GuestRecord, guest: Guest) -> None:
        """What <on_crash> and the watchdog ask for: memory alone, to a file of the time. Raises when it cannot be."""
        directory = self._context.config.auto_dump_path or str(self._context.paths.dumps)
        if not self._context.config.auto_dump_path:
            self._context.paths.dumps.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = f"{directory}/{record.id}-{record.name[:20]}-{time.strftime('%Y-%m-%d-%H:%M:%S')}"
        flags = D.DUMP_MEMORY_ONLY | D.DUMP_LIVE
        flags |= D.DUMP_BYPASS_CACHE if self._context.config.auto_dump_bypass_cache else 0
        async with record.job("dump") as job:
            monitor = require_monitor(record)
            if record.runtime is not guest:
                raise gone()
            with self._watched(record, monitor, path, flags) as (long, worker):
                await self._write(record, job, long, worker, path, D.CORE_DUMP_FORMAT_RAW, flags)
        log.info("the memory of %s is in %s", record.name, path)

    @contextlib.contextmanager
    def _watched(
        self, record: GuestRecord, monitor: QmpClient, path: str, flags: int
    ) -> Iterator[tuple[LongJob, MemoryWriter | MemoryDumper]]:
        """What clients see, and what does the work: the memory alone, or with the devices.

        It is noted until the guest goes on: a daemon that dies before leaves that to the next one.
        """
        worker: MemoryWriter | MemoryDumper
        if flags & D.DUMP_MEMORY_ONLY:
            worker = dumper = MemoryDumper(monitor)
            job = dumper.job()
        else:
            worker = writer = MemoryWriter(monitor, "domain core dump")
            job = writer.job(J.OPERATION_DUMP)
        with (
            record.job.watched(job) as long,
            self._unfinished.noted(record.name, DUMP, path),
            telling(self._context, record, DUMP_STOPPED, path=path),
        ):
            yield long, worker


def _compressor(format: str) -> tuple[str, ...]:
    """The program that compresses a dump; () where it is not there: a dump is too precious to be refused."""
    try:
        return compressor(format, "dump")
    except OperationFailed as error:
        log.warning("dumps are written as they are: %s", error)
        return ()


async def check_format(monitor: QmpClient, format: int, flags: int) -> None:
    """Raises InvalidArg, OperationUnsupported for what this QEMU cannot write."""
    if not flags & D.DUMP_MEMORY_ONLY:
        if format != D.CORE_DUMP_FORMAT_RAW:
            raise OperationUnsupported(
                "kdump-compressed format is only supported with memory-only dump",
                domain=From.QEMU,
                hint="add --memory-only, or leave out --format",
            )
        return
    name = DUMP_FORMATS[format]
    if format != D.CORE_DUMP_FORMAT_RAW:
        known = await dump_formats(monitor)
        if name not in known:
            raise InvalidArg(
                f"unsupported dumpformat '{name}' for this QEMU binary",
                domain=From.QEMU,
                hint=f"it has {', '.join(known)}",
            )
