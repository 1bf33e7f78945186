"""What a daemon that died over a snapshot has left: finished where it was as good as done, else undone; and told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from roost.drivers.qemu import interruptions
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.snapshots import fresh, lineage
from roost.drivers.qemu.snapshots.companions import Companions
from roost.drivers.qemu.snapshots.external import with_cookie
from roost.drivers.qemu.snapshots.jobs import HeldSnapshots, run_job
from roost.drivers.qemu.snapshots.offline import OfflineImages
from roost.drivers.qemu.snapshots.overlays import Overlay, Overlays, external_disks, remove_file
from roost.drivers.qemu.snapshots.take import nodes_of
from roost.drivers.qemu.snapshots.unfinished import Note, Notes
from roost.drivers.qemu.state.unfinished import Unfinished
from roost.drivers.qemu.tuning import access
from roost.engine.snapshots import SnapshotStore
from roost.errors import RoostError
from roost.model import snapshot as model
from roost.model.domain.complete.sources import complete_source
from roost.model.moment import source_path
from roost.model.snapshot import KeptSnapshot, Snapshot


class Interrupted:
    """Called for every domain when the daemon comes back: for a running one inside its job, before its memory is."""

    def __init__(self, context: Context, store: SnapshotStore, overlays: Overlays) -> None:
        self._context = context
        self._store = store
        self._overlays = overlays
        self._notes = Notes(context.paths.status)
        self._memory = Unfinished(context.paths.status)
        self._companions = Companions(context.paths)
        self._offline = OfflineImages(context)

    async def settle(self, record: GuestRecord) -> bool:
        """Whether there was anything. Failures are logged: the domain itself is none the worse."""
        note = self._notes.read(record.name)
        if note is None:
            return False
        try:
            snapshot = model.parse_kept(note.document)
            if note.action == "revert":
                await self._settle_revert(record, snapshot, note)
            elif record.is_active:
                await self._settle_live(record, snapshot, note)
            else:
                await self._settle_offline(record, snapshot, note)
        except (RoostError, OSError) as error:
            self._tell(record, interruptions.SNAPSHOT_LEFT, error=error)
        self._notes.forget(record.name)
        return True

    async def _keep(self, record: GuestRecord, snapshot: Snapshot, note: Note) -> None:
        if note.metadata:
            await asyncio.to_thread(self._store.keep, record.name, snapshot)
        self._tell(record, interruptions.SNAPSHOT_KEPT, name=snapshot.name)

    async def _undo(self, record: GuestRecord, snapshot: Snapshot, note: Note) -> None:
        for path in note.files:
            await asyncio.to_thread(remove_file, path)
        if snapshot.domain is not None and snapshot.name not in self._store.of(record.name):
            self._companions.forget(snapshot.domain, record.name, snapshot.name or "")
        gone = interruptions.removed(note.files)
        self._tell(record, interruptions.SNAPSHOT_UNDONE, name=snapshot.name, removed=gone)

    def _tell(self, record: GuestRecord, outcome: interruptions.Outcome, **facts: object) -> None:
        interruptions.tell(self._context, record, outcome, **facts)

    # -- of a running guest ----------------------------------------------------------------

    async def _settle_live(self, record: GuestRecord, snapshot: Snapshot, note: Note) -> None:
        monitor = require_monitor(record)
        # Not the short answer: how many images are below another is not in it.
        answer = await monitor.execute("query-named-block-nodes")
        nodes = {str(entry["node-name"]): entry for entry in answer}
        if model.is_external(snapshot):
            await self._settle_external(record, snapshot, note, nodes)
            return
        await monitor.batch([("job-dismiss", {"id": "snapshot-save"})])
        wanted, name = nodes_of(record.document, snapshot), snapshot.name or ""
        found = HeldSnapshots(answer).with_snapshot(name, wanted)
        if found == wanted and HeldSnapshots(answer).with_memory(name, wanted) is not None:
            await self._keep(record, with_cookie(snapshot, record.document), note)
            return
        if found:
            arguments = {"tag": name, "devices": found}
            await run_job(monitor, "snapshot-delete", "snapshot-delete", arguments, "Failed to delete snapshot")
        await self._undo(record, snapshot, note)

    async def _settle_external(
        self, record: GuestRecord, snapshot: Snapshot, note: Note, nodes: Mapping[str, Mapping[str, Any]]
    ) -> None:
        """All disks were switched at once, or none."""
        overlays = []
        for part, disk in external_disks(snapshot, record.document):
            number = note.numbers.get(part.name, 0)
            assert part.source is not None
            source = replace(complete_source(part.source), index=number)
            overlays.append(Overlay(disk, C.Layer(number, source, part.format or "qcow2", part.metadata_cache_size)))
        switched = [
            overlay
            for overlay in overlays
            if nodes.get(overlay.layer.format_node, {}).get("backing_file_depth", 0)
            and lineage.place_of(overlay.disk, overlay.layer.source) is None
        ]
        is_known = any(lineage.place_of(each.disk, each.layer.source) is not None for each in overlays)
        if switched or is_known:
            # Its memory, where it has one, is complete too.
            self._memory.forget(record.name)
            await self._overlays.adopt(record, switched)
            before = {part.name: lineage.find_disk(snapshot.domain, part.name) for part in snapshot.disks}
            was = [each._replace(disk=before[each.disk.target.dev] or each.disk) for each in overlays]
            await self._overlays.define_above(record, was)
            await self._keep(record, with_cookie(snapshot, record.document) if snapshot.memory else snapshot, note)
            return
        await self._close(record, note, nodes)
        await self._undo(record, snapshot, note)

    async def _close(self, record: GuestRecord, note: Note, nodes: Mapping[str, Mapping[str, Any]]) -> None:
        """Have QEMU close the images that were to be used, and take their files back from it."""
        monitor = require_monitor(record)
        mine = [name for name, entry in nodes.items() if entry.get("file") in note.files]
        for name in sorted(mine, key=lambda name: not name.endswith("-format")):
            await monitor.batch([("blockdev-del", {"node-name": name})])
        guest = require_guest(record)
        guest.resources.take_back(note.files)
        await access.settle(self._context, record, guest)
        self._context.save(record)

    # -- of a domain that does not run -----------------------------------------------------

    async def _settle_offline(self, record: GuestRecord, snapshot: Snapshot, note: Note) -> None:
        if not record.is_persistent:
            return
        if not model.is_external(snapshot):
            images = await self._offline.images(snapshot, record.config, "internal")
            having = [snapshot.name in await self._offline.snapshots(image.path) for image in images]
            has_memory = snapshot.state in ("running", "paused")
            if all(having) and not has_memory:
                await self._keep(record, snapshot, note)
            else:
                await self._offline.delete(images, snapshot.name or "")
                await self._undo(record, snapshot, note)
            return
        tops = {source_path(disk.source) for disk in record.config.devices.disks}
        if tops & {source_path(part.source) for part in snapshot.disks if part.source is not None}:
            await self._keep(record, snapshot, note)
        elif note.numbers:
            # The guest ran, and is gone: it may have written to them.
            self._tell(record, interruptions.SNAPSHOT_IN_DOUBT, name=snapshot.name, files=", ".join(note.files))
        else:
            await self._undo(record, snapshot, note)

    async def _settle_revert(self, record: GuestRecord, snapshot: KeptSnapshot, note: Note) -> None:
        self._tell(record, interruptions.REVERT_UNDONE, name=snapshot.name)
        documents = [record.document] if record.is_active or record.is_persistent else []
        used = {layer.path for each in documents for disk in each.devices.disks for layer in C.chain_of(disk).layers}
        if note.fresh and used.issuperset(note.files):
            # Its definition has gone back, and what it had before is in the way of nobody.
            await asyncio.to_thread(
                fresh.keep, self._store, record, snapshot, model.parse_kept(note.fresh), note.before
            )
            return
        for path in note.files:
            if path not in used:
                await asyncio.to_thread(remove_file, path)


__all__ = ["Interrupted"]
