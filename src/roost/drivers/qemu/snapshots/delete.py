"""Deleting snapshots: with what they have in images, or only what is kept of them beside these."""

from __future__ import annotations

import asyncio
import logging

from roost.constants import jobs as J
from roost.constants import snapshot as S
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.context import Context, require_monitor
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.snapshots.jobs import HeldSnapshots, run_job
from roost.drivers.qemu.snapshots.offline import OfflineImages
from roost.engine.jobs import LongJob
from roost.engine.snapshots import SnapshotStore
from roost.errors import From, OperationUnsupported
from roost.model.snapshot import KeptSnapshot, Snapshot

log = logging.getLogger(__name__)


class Deleter:
    """Deletes snapshots."""

    def __init__(self, context: Context, store: SnapshotStore) -> None:
        self._store = store
        self._offline = OfflineImages(context)

    async def delete(self, record: GuestRecord, snapshot: KeptSnapshot, flags: int) -> None:
        """Inside the record's job. Of several, those that have nothing below them go first."""
        going: list[KeptSnapshot] = []
        if flags & (S.DELETE_CHILDREN | S.DELETE_CHILDREN_ONLY):
            going = list(self._store.descendants(record.name, snapshot.name or ""))[::-1]
        if not flags & S.DELETE_CHILDREN_ONLY:
            going.append(snapshot)
        metadata_only = bool(flags & S.DELETE_METADATA_ONLY)
        with record.job.watched(LongJob(J.OPERATION_SNAPSHOT_DELETE, refusal="cannot abort deleting a snapshot")):
            for each in going:
                if not metadata_only:
                    await self._delete_internal(record, each)
                await asyncio.to_thread(self._store.forget, record.name, each.name or "")

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


def _check_same_images(record: GuestRecord, snapshot: Snapshot) -> None:
    """What a running guest has below its images cannot be changed."""
    if snapshot.domain is None:
        return
    then = {disk.target.dev: disk for disk in snapshot.domain.devices.disks}
    now = {disk.target.dev: disk for disk in record.document.devices.disks}
    for part in snapshot.disks:
        if part.snapshot != "internal":
            continue
        before, after = then.get(part.name), now.get(part.name)
        if before is None or after is None or not C.is_same_place(before.source, after.source):
            raise OperationUnsupported(
                f"disk image '{part.name}' for internal snapshot '{snapshot.name}' is not the same as disk image "
                "currently used by VM",
                domain=From.QEMU,
                hint="shut the domain off, then delete the snapshot",
            )


__all__ = ["Deleter"]
