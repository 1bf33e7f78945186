"""contract.Snapshots: flags checked, the domain found, and then the part that does it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from roost.constants import snapshot as S
from roost.contract import flags as F
from roost.contract.references import DomainIdentity, MomentIdentity, MomentRef
from roost.drivers.qemu.blockjobs.runner import BlockJobs
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.interruptions import SNAPSHOT, SNAPSHOT_DELETE, settled
from roost.drivers.qemu.launch import Launcher
from roost.drivers.qemu.snapshots.delete import Deleter
from roost.drivers.qemu.snapshots.interrupted import Interrupted
from roost.drivers.qemu.snapshots.merge import Merger
from roost.drivers.qemu.snapshots.overlays import Overlays
from roost.drivers.qemu.snapshots.revert import Reverter
from roost.drivers.qemu.snapshots.take import Taker
from roost.drivers.qemu.state.image import Images
from roost.drivers.qemu.supervisor import Supervisor
from roost.engine.snapshots import RecordSnapshots, SnapshotStore
from roost.engine.table import uuid_text
from roost.errors import From, OperationInvalid
from roost.model import snapshot as model
from roost.model.domain import Domain
from roost.model.snapshot import Snapshot

_CREATE_FLAGS = (
    S.CREATE_REDEFINE | S.CREATE_CURRENT | S.CREATE_NO_METADATA | S.CREATE_HALT | S.CREATE_DISK_ONLY
    | S.CREATE_REUSE_EXT | S.CREATE_QUIESCE | S.CREATE_ATOMIC | S.CREATE_LIVE | S.CREATE_VALIDATE
)  # fmt: skip
_REVERT_FLAGS = S.REVERT_RUNNING | S.REVERT_PAUSED | S.REVERT_FORCE | S.REVERT_RESET_NVRAM
_DELETE_FLAGS = S.DELETE_CHILDREN | S.DELETE_METADATA_ONLY | S.DELETE_CHILDREN_ONLY

_REDEFINE = (S.CREATE_REDEFINE, "VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE")
_CURRENT = (S.CREATE_CURRENT, "VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT")
_NO_METADATA = (S.CREATE_NO_METADATA, "VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA")
_HALT = (S.CREATE_HALT, "VIR_DOMAIN_SNAPSHOT_CREATE_HALT")
_LIVE = (S.CREATE_LIVE, "VIR_DOMAIN_SNAPSHOT_CREATE_LIVE")
_QUIESCE = (S.CREATE_QUIESCE, "VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE")
_DISK_ONLY = (S.CREATE_DISK_ONLY, "VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY")
_RUNNING = (S.REVERT_RUNNING, "VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING")
_PAUSED = (S.REVERT_PAUSED, "VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED")
_CHILDREN = (S.DELETE_CHILDREN, "VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN")
_CHILDREN_ONLY = (S.DELETE_CHILDREN_ONLY, "VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY")


class QemuSnapshots(RecordSnapshots[Guest]):
    """contract.Snapshots. prepare: completes the document of a domain."""

    prefix = "qemu"

    def __init__(
        self,
        context: Context,
        store: SnapshotStore,
        prepare: Callable[[Domain], Awaitable[Domain]],
        supervisor: Supervisor,
        launcher: Launcher,
        jobs: BlockJobs,
        images: Images,
    ) -> None:
        super().__init__(context.table, store)
        self._context = context
        self._prepare = prepare
        self._supervisor = supervisor
        overlays = Overlays(context, jobs)
        self._interrupted = Interrupted(context, store, overlays)
        self._taker = Taker(context, supervisor, store, overlays)
        self._reverter = Reverter(context, supervisor, launcher, store, overlays, images)
        self._deleter = Deleter(context, store, Merger(context, jobs, overlays))

    # -- the daemon has come back ----------------------------------------------------------

    async def settle(self, record: GuestRecord) -> bool:
        """See to what an earlier daemon has not finished; of a running guest inside its job. Whether it was over one.

        A deletion goes on by itself afterwards, and is none.
        """
        found = await self._interrupted.settle(record)
        if any(disk.delete_in_progress for each in self.store.of(record.name).values() for disk in each.disks):
            self._supervisor.run(self._deleter.go_on(record), f"deleting a snapshot of {record.name}")
        return found

    async def settle_inactive(self) -> None:
        """The same for all domains that do not run."""
        for record in self.table:
            if not record.is_active:
                await self.settle(record)

    # -- contract.Snapshots ----------------------------------------------------------------

    async def create(self, domain: DomainIdentity, xml: str, flags: int) -> MomentRef:
        F.require(flags, _CURRENT, _REDEFINE, From.DOMAIN_SNAPSHOT)
        F.exclusive(flags, _REDEFINE, _NO_METADATA, From.DOMAIN_SNAPSHOT)
        F.exclusive(flags, _REDEFINE, _HALT, From.DOMAIN_SNAPSHOT)
        F.check(flags, _CREATE_FLAGS, "qemuSnapshotCreateXML", From.QEMU)
        F.require(flags, _QUIESCE, _DISK_ONLY, From.QEMU)
        F.exclusive(flags, _LIVE, _REDEFINE, From.QEMU)
        record = self.table.get(domain)
        if flags & S.CREATE_HALT and not record.is_persistent:
            raise OperationInvalid("cannot halt after transient domain snapshot", domain=From.QEMU)
        wanted = model.parse(xml, validate=bool(flags & S.CREATE_VALIDATE))
        if flags & S.CREATE_REDEFINE:
            return await self._redefine(record, wanted, flags)
        async with record.job("snapshot"):
            name = await self._taker.take(record, wanted, flags)
            settled(self._context, record, SNAPSHOT)
            return MomentRef(name, record.ref)

    async def _redefine(self, record: GuestRecord, wanted: Snapshot, flags: int) -> MomentRef:
        for field in ("domain", "inactive_domain"):
            document = getattr(wanted, field)
            if document is not None:
                wanted = replace(wanted, **{field: await self._prepare(document)})
        async with record.job("snapshot"):
            snapshot = model.complete_redefined(
                wanted,
                uuid_text(record.uuid),
                self.store.of(record.name),
                complete_domain=lambda document: document,
                disk_only=bool(flags & S.CREATE_DISK_ONLY),
                is_file=os.path.isfile,
            )
            current = bool(flags & S.CREATE_CURRENT)
            await asyncio.to_thread(self.store.keep, record.name, snapshot, current=current)
        return MomentRef(snapshot.name or "", record.ref)

    async def revert(self, snapshot: MomentIdentity, flags: int) -> None:
        F.exclusive(flags, _RUNNING, _PAUSED, From.DOMAIN_SNAPSHOT)
        F.check(flags, _REVERT_FLAGS, "qemuSnapshotRevert", From.QEMU)
        record = self.table.get(snapshot.dom)
        async with record.job("snapshot revert"):
            await self._reverter.revert(record, self.store.get(record.name, snapshot.name), flags)

    async def delete(self, snapshot: MomentIdentity, flags: int) -> None:
        F.exclusive(flags, _CHILDREN, _CHILDREN_ONLY, From.DOMAIN_SNAPSHOT)
        F.check(flags, _DELETE_FLAGS, "qemuSnapshotDelete", From.QEMU)
        record = self.table.get(snapshot.dom)
        await self._deleter.delete(record, snapshot.name, flags)
        settled(self._context, record, SNAPSHOT_DELETE)


__all__ = ["QemuSnapshots"]
