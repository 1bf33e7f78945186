"""External snapshots of running guests: of their disks alone, or with their memory in a file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import jobs as J
from roost.constants import snapshot as S
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.interruptions import SNAPSHOT
from roost.drivers.qemu.snapshots.ending import end
from roost.drivers.qemu.snapshots.overlays import Overlays
from roost.drivers.qemu.snapshots.quiet import quiet
from roost.drivers.qemu.state.files import Target, replace_header, writing
from roost.drivers.qemu.state.header import FORMATS
from roost.drivers.qemu.state.image import preface_of
from roost.drivers.qemu.state.migration import MemoryWriter, check_blockers, gone
from roost.drivers.qemu.state.routes import channels_for, check_mapped
from roost.drivers.qemu.state.save import check_saveable, compressor, explained, finished, go_on
from roost.drivers.qemu.state.unfinished import Unfinished
from roost.drivers.qemu.supervisor import Supervisor
from roost.engine.jobs import LongJob
from roost.model.domain import Domain
from roost.model.snapshot import Cookie, Snapshot


class ExternalTaker:
    """Takes them."""

    def __init__(self, context: Context, supervisor: Supervisor, overlays: Overlays) -> None:
        self._context = context
        self._supervisor = supervisor
        self._overlays = overlays
        self._unfinished = Unfinished(context.paths.status)

    async def take(
        self,
        record: GuestRecord,
        snapshot: Snapshot,
        flags: int,
        keep: Callable[[], None] | None,
        note: Callable[[dict[str, int]], None],
    ) -> Snapshot:
        """Inside the record's job. The snapshot as it became; on failure the guest goes on as before.

        keep: copies what belongs to it beside the disks, while the guest stands still. note: puts on disk which
        images, by the disks' targets, the guest is about to write to.
        """
        guest, monitor = require_guest(record), require_monitor(record)
        file = snapshot.memory.file if snapshot.memory is not None else None
        writer = None
        if file is not None:
            await check_blockers(monitor)
            check_saveable(record.document)
            if channels_for(self._context.config.snapshot_image_format, None):
                await check_mapped(monitor, direct=False)
            writer = MemoryWriter(monitor, "snapshot")
        manual = any(disk.snapshot == "manual" for disk in snapshot.disks)
        job = writer.job(J.OPERATION_SNAPSHOT) if writer else LongJob(J.OPERATION_SNAPSHOT, refusal=_TOO_SHORT)
        with record.job.watched(job):
            async with AsyncExitStack() as stack:
                if flags & S.CREATE_QUIESCE:
                    await stack.enter_async_context(quiet(record, guest, self._supervisor.run))
                made = await stack.enter_async_context(AsyncExitStack())
                overlays = await self._overlays.prepare(record, snapshot, made, reuse=bool(flags & S.CREATE_REUSE_EXT))
                note({overlay.disk.target.dev: overlay.layer.number for overlay in overlays})
                if writer is not None or manual or keep is not None:
                    live = bool(flags & S.CREATE_LIVE)
                    await stack.enter_async_context(self._still(record, guest, job, live=live, resume=not manual))
                known = await self._overlays.bitmaps(record)
                if writer is not None and file is not None:
                    snapshot = with_cookie(snapshot, record.document)
                    resumes = snapshot.state == "running" and not manual
                    await stack.enter_async_context(self._memory(record, snapshot, file, writer, job, resumes=resumes))
                if keep is not None:
                    await asyncio.to_thread(keep)
                await self._overlays.switch(record, overlays, known, made)
                if flags & S.CREATE_HALT:
                    await end(self._supervisor, record, guest)
        return snapshot

    @asynccontextmanager
    async def _memory(
        self,
        record: GuestRecord,
        snapshot: Snapshot,
        file: str,
        writer: MemoryWriter,
        job: LongJob,
        *,
        resumes: bool,
    ) -> AsyncIterator[None]:
        """The guest's memory is in its file inside; it is removed again when what follows fails."""
        format = self._context.config.snapshot_image_format
        program = compressor(format, "snapshot")
        assert snapshot.domain is not None
        preface = preface_of(snapshot.domain, record.document, running=resumes, format=FORMATS.index(format))
        processes, guest = self._context.host.processes, record.runtime
        with self._unfinished.noted(record.name, SNAPSHOT, file):
            async with writing(
                file,
                processes,
                preface=preface.pack(complete=False),
                program=program,
                channels=channels_for(format, None),
            ) as target:
                job.latest = await explained(writer.run(target.route), target)
                finished(self._supervisor, record, record.job, job)
                await self._finish(target, preface.pack(complete=True)[:16])
                if record.runtime is not guest:
                    raise gone()
                yield

    async def _finish(self, target: Target, magic: bytes) -> None:
        await target.finish()
        await asyncio.to_thread(replace_header, target.path, magic, "header")

    @asynccontextmanager
    async def _still(
        self, record: GuestRecord, guest: Guest, job: LongJob, *, live: bool, resume: bool
    ) -> AsyncIterator[None]:
        """The guest's processors stand still inside, from its beginning or, `live`, once its memory is written.

        resume: they go on after, if they did before and it is there; they always do after a failure.
        """
        was_running = record.state == D.RUNNING
        if was_running:
            guest.paused_reason = D.PAUSED_SNAPSHOT
            if not live:
                await require_monitor(record).execute("stop")
                job.halt()
        failed = True
        try:
            yield
            failed = False
        finally:
            guest.paused_reason = 0
            if was_running and (resume or failed) and record.runtime is guest and guest.ending is None:
                await go_on(self._supervisor, record, guest, D.RUNNING_UNPAUSED)


_TOO_SHORT = "cannot abort a snapshot of disks"


def with_cookie(snapshot: Snapshot, live: Domain) -> Snapshot:
    """The snapshot with the processor as its memory knows it."""
    return replace(snapshot, cookie=Cookie(cpu=live.cpu))


__all__ = ["ExternalTaker", "with_cookie"]
