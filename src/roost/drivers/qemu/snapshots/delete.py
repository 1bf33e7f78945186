"""Deleting snapshots: with what they have in images, or only what is kept of them beside these."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from msgspec.structs import replace

from roost.constants import jobs as J
from roost.constants import snapshot as S
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs.state import BlockJob
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.interruptions import DELETE_DONE, DELETE_FAILED, tell
from roost.drivers.qemu.snapshots import lineage
from roost.drivers.qemu.snapshots.jobs import HeldSnapshots, run_job
from roost.drivers.qemu.snapshots.merge import Merger, Plan, planned
from roost.drivers.qemu.snapshots.offline import OfflineImages
from roost.drivers.qemu.snapshots.overlays import remove_file
from roost.engine.jobs import LongJob
from roost.engine.snapshots import SnapshotStore
from roost.errors import From, OperationUnsupported, RoostError
from roost.model import snapshot as model
from roost.model.snapshot import KeptSnapshot, Snapshot, SnapshotDisk

log = logging.getLogger(__name__)


class Deleter:
    """Deletes snapshots."""

    def __init__(self, context: Context, store: SnapshotStore, merger: Merger) -> None:
        self._context = context
        self._store = store
        self._merger = merger
        self._offline = OfflineImages(context)

    async def delete(self, record: GuestRecord, name: str, flags: int) -> None:
        """Not inside the record's job: it is taken in turns. Of several, those with nothing below them go first."""
        for each in [going.name or "" for going in self._store.going(record.name, name, flags)]:
            if flags & S.DELETE_METADATA_ONLY:
                async with record.job("snapshot delete"):
                    self._store.get(record.name, each)
                    await self._forget(record, each)
            else:
                await self._delete(record, each)

    async def _delete(self, record: GuestRecord, name: str) -> None:
        async with record.job("snapshot delete") as turn:
            snapshot = self._store.get(record.name, name)
            with turn.watched(_job()):
                if not model.is_external(snapshot):
                    await self._delete_marked(record, snapshot)
                    return
                plan = await self._plan(record, snapshot)
                if not record.is_active or not plan.merges:
                    if plan.merges:
                        await asyncio.to_thread(self._store.put, record.name, _marked(snapshot, plan))
                    for merge in plan.merges:
                        await self._merger.merge_offline(record, merge)
                    await self._finish(record, snapshot, plan)
                    return
                guest = require_guest(record)
                started = await self._begin(record, snapshot, plan)
        await self._wait(record, guest, plan, started)
        async with record.job("snapshot delete"):
            await self._finish(record, self._store.get(record.name, name), plan)

    async def go_on(self, record: GuestRecord) -> None:
        """Finish what an earlier daemon has begun to delete."""
        for each in tuple(self._store.of(record.name).values()):
            if any(disk.delete_in_progress for disk in each.disks):
                log.warning("going on deleting the snapshot %s of %s", each.name, record.name)
                try:
                    await self._delete(record, each.name or "")
                except RoostError as error:
                    tell(self._context, record, DELETE_FAILED, name=each.name, error=error)
                else:
                    tell(self._context, record, DELETE_DONE, name=each.name)

    async def _forget(self, record: GuestRecord, name: str) -> None:
        await asyncio.to_thread(self._store.forget, record.name, name)

    # -- external --------------------------------------------------------------------------

    async def _plan(self, record: GuestRecord, snapshot: KeptSnapshot) -> Plan:
        guest = record.runtime
        is_new = not any(disk.delete_in_progress for disk in snapshot.disks)
        if guest is not None and is_new and any(job.disk for job in guest.blocks.jobs.values()):
            raise OperationUnsupported(
                "cannot delete external snapshots when there is another active block job", domain=From.QEMU
            )
        others = [each for each in self._store.of(record.name).values() if each.name != snapshot.name]
        return await planned(snapshot, others, record.document, self._store.current(record.name))

    async def _begin(self, record: GuestRecord, snapshot: KeptSnapshot, plan: Plan) -> list[BlockJob]:
        """Put on disk that it goes, then have QEMU begin: what an ended daemon leaves is gone on with."""
        await asyncio.to_thread(self._store.put, record.name, _marked(snapshot, plan))
        try:
            return [await self._merger.begin(record, merge) for merge in plan.merges]
        except BaseException:
            await asyncio.to_thread(self._store.put, record.name, snapshot)
            raise

    async def _wait(self, record: GuestRecord, guest: Guest, plan: Plan, started: Sequence[BlockJob]) -> None:
        work = [self._merger.finish(record, guest, merge, job) for merge, job in zip(plan.merges, started, strict=True)]
        for result in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _finish(self, record: GuestRecord, snapshot: KeptSnapshot, plan: Plan) -> None:
        """The images are merged: nothing names what went any more, then the snapshot is forgotten."""
        for other in tuple(self._store.of(record.name).values()):
            changed = other
            for gone in plan.gone:
                changed = lineage.merged(changed, gone.target, gone.source, gone.base)
            if changed != other and other.name != snapshot.name:
                await asyncio.to_thread(self._store.put, record.name, changed)
        kept = {layer.path for disk in record.document.devices.disks for layer in C.chain_of(disk).layers}
        for path in plan.removed:
            if path not in kept:
                await asyncio.to_thread(remove_file, path)
        await self._forget(record, snapshot.name or "")
        if snapshot.memory is not None and snapshot.memory.file is not None:
            await asyncio.to_thread(remove_file, snapshot.memory.file)

    # -- internal --------------------------------------------------------------------------

    async def _delete_marked(self, record: GuestRecord, snapshot: KeptSnapshot) -> None:
        """That it goes is on disk before the first image is without it."""
        going = tuple(replace(disk, delete_in_progress=disk.snapshot == "internal") for disk in snapshot.disks)
        await asyncio.to_thread(self._store.put, record.name, replace(snapshot, disks=going))
        try:
            await self._delete_internal(record, snapshot)
        except BaseException:
            await asyncio.to_thread(self._store.put, record.name, snapshot)
            raise
        await self._forget(record, snapshot.name or "")

    async def _delete_internal(self, record: GuestRecord, snapshot: Snapshot) -> None:
        if not record.is_active:
            images = await self._offline.images(snapshot, snapshot.domain or record.config, "internal")
            await self._offline.delete(images, snapshot.name or "")
            return
        _check_same_images(record, snapshot)
        monitor, name = require_monitor(record), snapshot.name or ""
        everywhere = [C.chain_of(disk).layers[0].format_node for disk in record.document.devices.disks]
        nodes = (await HeldSnapshots.ask(monitor)).with_snapshot(name, everywhere)
        if nodes:
            arguments = {"tag": name, "devices": nodes}
            await run_job(monitor, "snapshot-delete", "snapshot-delete", arguments, "Failed to delete snapshot")


def _job() -> LongJob:
    return LongJob(J.OPERATION_SNAPSHOT_DELETE, refusal="cannot abort deleting a snapshot")


def _marked(snapshot: KeptSnapshot, plan: Plan) -> KeptSnapshot:
    """The snapshot, which says of the disks that are merged that they are, and which image goes."""
    going = {merge.target for merge in plan.merges}
    disks = tuple(replace(disk, delete_in_progress=disk.name in going) for disk in snapshot.disks)
    images = tuple(
        SnapshotDisk(name=merge.target, snapshot="external", source=replace(merge.source, index=None))
        for merge in plan.merges
    )
    return replace(snapshot, disks=disks, revert_disks=images)


def _check_same_images(record: GuestRecord, snapshot: Snapshot) -> None:
    """What a running guest has below its images cannot be changed."""
    for part in snapshot.disks:
        before = lineage.find_disk(snapshot.domain, part.name)
        after = lineage.find_disk(record.document, part.name)
        if part.snapshot != "internal" or before is None:
            continue
        if after is None or not C.is_same_place(before.source, after.source):
            raise OperationUnsupported(
                f"disk image '{part.name}' for internal snapshot '{snapshot.name}' is not the same as disk image "
                "currently used by VM",
                domain=From.QEMU,
                hint="shut the domain off, then delete the snapshot",
            )


__all__ = ["Deleter"]
