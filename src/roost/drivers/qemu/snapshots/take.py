"""Taking a snapshot: what it is of, and the way it is taken."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import jobs as J
from roost.constants import snapshot as S
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs.busy import require_no_job
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.snapshots.companions import Companions
from roost.drivers.qemu.snapshots.ending import end
from roost.drivers.qemu.snapshots.external import ExternalTaker, with_cookie
from roost.drivers.qemu.snapshots.jobs import run_job
from roost.drivers.qemu.snapshots.offline import OfflineImages
from roost.drivers.qemu.snapshots.overlays import Overlays
from roost.drivers.qemu.snapshots.unfinished import Note, Notes
from roost.drivers.qemu.snapshots.writeback import written_early
from roost.drivers.qemu.state.image import at_rest
from roost.drivers.qemu.state.migration import check_blockers
from roost.drivers.qemu.state.routes import announce
from roost.drivers.qemu.state.save import check_saveable, halted
from roost.drivers.qemu.supervisor import Supervisor
from roost.engine.jobs import LongJob
from roost.engine.snapshots import SnapshotStore
from roost.errors import From, InternalError, OperationUnsupported
from roost.model import snapshot as model
from roost.model.domain import Domain
from roost.model.domain.devices.disk import BlockSource, FileSource
from roost.model.moment import source_path
from roost.model.snapshot import Snapshot, SnapshotState

#: A domain's state, as snapshots call it.
_STATES: dict[int, SnapshotState] = {
    D.RUNNING: "running", D.BLOCKED: "blocked", D.PAUSED: "paused", D.SHUTDOWN: "shutdown", D.SHUTOFF: "shutoff",
    D.CRASHED: "crashed", D.PMSUSPENDED: "pmsuspended",
}  # fmt: skip


class Taker:
    """Takes snapshots."""

    def __init__(self, context: Context, supervisor: Supervisor, store: SnapshotStore, overlays: Overlays) -> None:
        self._supervisor = supervisor
        self._store = store
        self._overlays = overlays
        self._notes = Notes(context.paths.status)
        self._companions = Companions(context.paths)
        self._offline = OfflineImages(context)
        self._external = ExternalTaker(context, supervisor, overlays)

    async def take(self, record: GuestRecord, wanted: Snapshot, flags: int) -> str:
        """Take one, and answer its name; inside the record's job. On failure nothing has changed."""
        snapshot = self._completed(record, wanted, flags)
        if not flags & S.CREATE_NO_METADATA:
            self._store.check_new(record.name, snapshot.name)
        if record.is_active:
            for disk, part in zip(record.document.devices.disks, snapshot.disks, strict=True):
                if part.snapshot != "no":
                    require_no_job(record, disk)
        external = model.is_external(snapshot) or bool(flags & S.CREATE_DISK_ONLY)
        document, name = record.document, snapshot.name or ""
        keep: Callable[[], None] | None = partial(self._companions.keep, document, record.name, name)
        if flags & S.CREATE_NO_METADATA or not self._companions.of(document, record.name, name):
            keep = None
        note = _note(snapshot, flags)
        try:
            with self._notes.noted(record.name, note):
                snapshot = await self._take(record, snapshot, flags, keep, note, external=external)
                if not flags & S.CREATE_NO_METADATA:
                    await asyncio.to_thread(self._store.keep, record.name, snapshot)
        except BaseException:
            if keep is not None:
                self._companions.forget(document, record.name, name)
            raise
        return name

    async def _take(
        self,
        record: GuestRecord,
        snapshot: Snapshot,
        flags: int,
        keep: Callable[[], None] | None,
        note: Note,
        *,
        external: bool,
    ) -> Snapshot:
        """The snapshot as it became. keep: copies what belongs to it beside the disks, while the guest stands still."""
        if not record.is_active:
            if keep is not None:
                await asyncio.to_thread(keep)
            await self._take_offline(record, snapshot, flags, external=external)
            return snapshot
        if external:

            def write(numbers: dict[str, int]) -> None:
                self._notes.write(record.name, replace(note, numbers=numbers))

            return await self._external.take(record, snapshot, flags, keep, write)
        return await self._take_internal(record, snapshot, flags, keep)

    def _completed(self, record: GuestRecord, wanted: Snapshot, flags: int) -> Snapshot:
        """The whole document. Raises what refuses it."""
        guest, state = record.runtime, _STATES[record.state]
        if flags & S.CREATE_LIVE and (guest is None or wanted.memory is None or wanted.memory.file is None):
            raise OperationUnsupported(
                "live snapshot creation is supported only during full system snapshots",
                domain=From.QEMU,
                hint="name a file for the memory with --memspec",
            )
        document, inactive = record.document, None
        if guest is not None:
            document = at_rest(document, guest, None)
            inactive = record.config if record.is_persistent else None
        current = None if flags & S.CREATE_NO_METADATA else self._store.current(record.name)
        return model.complete(
            wanted,
            document,
            now=int(time.time()),
            state=state,
            disk_only=bool(flags & S.CREATE_DISK_ONLY),
            inactive=inactive,
            current=current.name if current is not None else None,
            is_file=os.path.isfile,
            keeps_variables=not flags & S.CREATE_NO_METADATA,
        )

    # -- internal --------------------------------------------------------------------------

    async def _take_offline(self, record: GuestRecord, snapshot: Snapshot, flags: int, *, external: bool) -> None:
        if external:
            async with AsyncExitStack() as stack:
                reuse = bool(flags & S.CREATE_REUSE_EXT)
                document = await self._overlays.make_offline(snapshot, record.config, stack, reuse=reuse)
                await self._overlays.define(record, document)
                stack.pop_all()
        else:
            images = await self._offline.images(snapshot, record.config, "internal")
            await self._offline.take(images, snapshot.name or "")

    async def _take_internal(
        self, record: GuestRecord, snapshot: Snapshot, flags: int, keep: Callable[[], None] | None
    ) -> Snapshot:
        """Memory and disks of a running guest, by QEMU itself, which does nothing else meanwhile."""
        guest, monitor = require_guest(record), require_monitor(record)
        check_saveable(record.document)
        await check_blockers(monitor)
        await announce(monitor)
        nodes = nodes_of(record.document, snapshot)
        job = LongJob(J.OPERATION_SNAPSHOT, refusal="cannot abort an internal snapshot")
        with record.job.watched(job):
            async with halted(self._supervisor, record, D.PAUSED_SAVE, D.RUNNING_UNPAUSED, job):
                if keep is not None:
                    await asyncio.to_thread(keep)
                arguments = {"tag": snapshot.name, "vmstate": nodes[0], "devices": nodes}
                with written_early(_path_of(record.document, nodes[0])):
                    await run_job(monitor, "snapshot-save", "snapshot-save", arguments, "Failed to take snapshot")
                if record.runtime is not guest:
                    raise InternalError("guest unexpectedly quit", domain=From.QEMU)
                snapshot = with_cookie(snapshot, record.document)
                if flags & S.CREATE_HALT:
                    await end(self._supervisor, record, guest)
        return snapshot


def _note(snapshot: Snapshot, flags: int) -> Note:
    """What is to be known of it if the daemon dies: the files that are there only because of it among that."""
    memory = snapshot.memory.file if snapshot.memory is not None else None
    images = [source_path(part.source) for part in snapshot.disks if isinstance(part.source, FileSource)]
    wanted = [memory, *images]
    files = tuple(path for path in wanted if path is not None and not os.path.lexists(path))
    document = model.format_kept(model.kept(snapshot, active=True))
    return Note("take", document, metadata=not flags & S.CREATE_NO_METADATA, files=files)


def nodes_of(live: Domain, snapshot: Snapshot) -> list[str]:
    """The block nodes of the images that an internal snapshot is in. live: with the same disks."""
    modes = {disk.name: disk.snapshot for disk in snapshot.disks}
    return [
        C.chain_of(disk).layers[0].format_node
        for disk in live.devices.disks
        if modes.get(disk.target.dev) == "internal"
    ]


def _path_of(live: Domain, node: str) -> str | None:
    """The file on this host behind a disk's node; None where it is elsewhere."""
    for disk in live.devices.disks:
        if C.chain_of(disk).layers[0].format_node == node and isinstance(disk.source, FileSource | BlockSource):
            return source_path(disk.source)
    return None


__all__ = ["Taker", "nodes_of"]
