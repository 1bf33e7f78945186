"""The pivot: a copy, or the base of an active commit, becomes what the disk reads."""

from __future__ import annotations

from msgspec.structs import replace

from roost.constants import blocks as B
from roost.drivers.qemu import plan
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs import images
from roost.drivers.qemu.blockjobs.bitmaps import ACTIVE_WRITES
from roost.drivers.qemu.blockjobs.images import Images
from roost.drivers.qemu.blockjobs.runner import END_COMMANDS, BlockJobs, undo_all
from roost.drivers.qemu.blockjobs.state import KIND_NAMES, BlockJob
from roost.drivers.qemu.context import require_guest, require_monitor
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.qmp import QmpCommandError
from roost.errors import BlockCopyActive, From, OperationInvalid
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.disksource import Mirror


class Pivoter:
    """Begins pivots; their end is dealt with by `conclude`."""

    def __init__(self, jobs: BlockJobs) -> None:
        self._jobs = jobs
        self._images = Images(jobs)

    async def pivot(self, record: GuestRecord, disk: Disk, job: BlockJob) -> None:
        """Ask for it; inside the record's job. Raises BlockCopyActive before source and copy are alike."""
        if job.state != "ready":
            raise BlockCopyActive(
                f"block job '{job.name}' not ready for pivot yet",
                domain=From.QEMU,
                hint="wait for the event of the job that says ready, or until <mirror> has ready='yes'",
            )
        if job.kind not in (B.JOB_TYPE_COPY, B.JOB_TYPE_ACTIVE_COMMIT) or disk.mirror is None:
            raise OperationInvalid(f"job type '{KIND_NAMES[job.kind]}' does not support pivot", domain=From.QEMU)
        guest, monitor = require_guest(record), require_monitor(record)
        mirror = disk.mirror
        node = f"libvirt-{job.base or mirror.source.index}-format"
        added = await self._open_chain(record, disk, mirror) if job.kind == B.JOB_TYPE_COPY else []
        # What the guest writes from now on is in the new image's bitmaps only if somebody counts it there.
        await monitor.batch([("block-dirty-bitmap-add", {"node": node, "name": ACTIVE_WRITES, "persistent": False})])
        guest.blocks.put(replace(job, state="pivoting"))
        self._jobs.set_mirror(record, job.disk, "pivot")
        self._jobs.save(record)
        name, arguments = END_COMMANDS["pivoting"](job.name)
        try:
            await monitor.execute(name, arguments)
        except QmpCommandError:
            # The copy goes on following the disk.
            await monitor.batch([("block-dirty-bitmap-remove", {"node": node, "name": ACTIVE_WRITES})])
            await undo_all(monitor, added)
            guest.blocks.put(job)
            self._jobs.set_mirror(record, job.disk, "yes")
            self._jobs.save(record)
            raise

    async def _open_chain(self, record: GuestRecord, disk: Disk, mirror: Mirror) -> list[plan.Command]:
        """Open the images below a reused shallow copy, which its maker may have written until now."""
        store, monitor = mirror.backing_store, require_monitor(record)
        job = require_guest(record).blocks.of_disk(disk.target.dev)
        if job is None or not (job.reuse and job.shallow) or store is None or store.source is None:
            return []
        top = Mirror(source=store.source, format=store.format, metadata_cache_size=store.metadata_cache_size)
        below = replace(images.as_disk(disk, top, store.index or 0), backing_store=store.backing_store, readonly=True)
        added = await self._images.add(record, below, count=len(C.chain_of(below).layers))
        nodes = {"node": f"libvirt-{store.index}-format", "overlay": f"libvirt-{mirror.source.index}-format"}
        try:
            await monitor.execute("blockdev-snapshot", nodes)
        except QmpCommandError:
            await undo_all(monitor, added)
            raise
        return added


__all__ = ["Pivoter"]
