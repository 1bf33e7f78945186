"""Going back to a snapshot."""

from __future__ import annotations

import asyncio
import logging
from typing import NamedTuple

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import jobs as J
from roost.constants import snapshot as S
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.launch import BOOTED, Launcher, MemorySource, Origin
from roost.drivers.qemu.snapshots.ending import end
from roost.drivers.qemu.snapshots.jobs import HeldSnapshots, run_job
from roost.drivers.qemu.snapshots.offline import OfflineImages
from roost.drivers.qemu.snapshots.take import nodes_of
from roost.drivers.qemu.supervisor import Supervisor
from roost.engine.definitions import redefine
from roost.engine.jobs import LongJob
from roost.engine.snapshots import SnapshotStore
from roost.errors import (
    From,
    InternalError,
    OperationFailed,
    OperationInvalid,
    OperationUnsupported,
    SnapshotRevertRisky,
)
from roost.model.domain import Domain
from roost.model.domain.savecookie import SaveCookie, format_cookie
from roost.model.snapshot import KeptSnapshot, Snapshot

log = logging.getLogger(__name__)

#: A guest that goes on from a snapshot's memory, and one that boots from its disks.
_GOES_ON = Origin(D.RUNNING_FROM_SNAPSHOT, D.PAUSED_FROM_SNAPSHOT, E.STARTED_FROM_SNAPSHOT, E.SUSPENDED_FROM_SNAPSHOT)
_BOOTS = BOOTED._replace(started=E.STARTED_FROM_SNAPSHOT, suspended=E.SUSPENDED_FROM_SNAPSHOT)
#: States that a guest has memory in.
_WITH_MEMORY = ("running", "paused")


class Documents(NamedTuple):
    """What a domain becomes. running: what starts; None when nothing does. defined: its definition."""

    running: Domain | None
    defined: Domain


class InternalMemory:
    """Memory in the images of a guest's disks, as a launch.MemorySource. runs: whether the guest goes on running."""

    incoming = False

    def __init__(self, record: GuestRecord, snapshot: Snapshot, *, runs: bool) -> None:
        self._record = record
        self._snapshot = snapshot
        self.runs = runs

    async def load(self, guest: Guest) -> None:
        """Raises OperationFailed with QEMU's words."""
        monitor, document = guest.monitor, self._snapshot.domain
        assert monitor is not None
        assert document is not None
        if document.cpu is not None:
            guest.asked = format_cookie(SaveCookie(cpu=document.cpu))
        name = self._snapshot.name or ""
        nodes = nodes_of(self._record.document, self._snapshot)
        held = await HeldSnapshots.ask(monitor)
        memory = held.with_memory(name, nodes)
        if memory is None:
            raise OperationFailed(f"no disk has the memory of the snapshot '{name}'", domain=From.QEMU)
        arguments = {"tag": name, "vmstate": memory, "devices": nodes}
        await run_job(monitor, "snapshot-load", "snapshot-load", arguments, "Failed to load snapshot")

    def loaded(self) -> None:
        """Nothing has to be done: the snapshot stays."""


class Reverter:
    """Goes back to snapshots."""

    def __init__(self, context: Context, supervisor: Supervisor, launcher: Launcher, store: SnapshotStore) -> None:
        self._context = context
        self._supervisor = supervisor
        self._launcher = launcher
        self._store = store
        self._offline = OfflineImages(context)

    async def revert(self, record: GuestRecord, snapshot: KeptSnapshot, flags: int) -> None:
        """Inside the record's job. Raises before anything has changed what can be known to be in the way."""
        guest = record.runtime
        if guest is not None and any(job.disk for job in guest.blocks.jobs.values()):
            raise OperationInvalid("domain has active block job", domain=From.QEMU)
        _validate(record, snapshot, flags)
        documents = _documents(record, snapshot)
        job = LongJob(J.OPERATION_SNAPSHOT_REVERT, refusal="cannot abort a revert to a snapshot")
        with record.job.watched(job):
            await self._revert_internal(record, snapshot, documents, flags)
        await asyncio.to_thread(self._store.set_current, record.name, snapshot.name)
        if record.is_persistent:
            self._supervisor.lifecycle(record, E.DEFINED, E.DEFINED_FROM_SNAPSHOT)

    async def _revert_internal(self, record: GuestRecord, snapshot: Snapshot, documents: Documents, flags: int) -> None:
        images = await self._offline.images(snapshot, snapshot.domain or documents.defined, "internal")
        name, has_memory = snapshot.name or "", documents.running is not None
        for image in images:
            await self._offline.require(image, name, memory=has_memory and len(images) == 1)
        await self._end(record)
        if not has_memory:
            await self._offline.apply(images, name)
        await self._define(record, documents.defined)
        runs = bool(flags & S.REVERT_RUNNING) or (snapshot.state == "running" and not flags & S.REVERT_PAUSED)
        memory = InternalMemory(record, snapshot, runs=runs) if has_memory else None
        await self._start(record, snapshot, documents, memory, flags)

    async def _end(self, record: GuestRecord) -> None:
        guest = record.runtime
        if guest is not None:
            await end(self._supervisor, record, guest)

    async def _define(self, record: GuestRecord, document: Domain) -> None:
        if record.is_persistent:
            async with self._context.store.lock:
                await redefine(self._context.store, record, document)

    async def _start(
        self,
        record: GuestRecord,
        snapshot: Snapshot,
        documents: Documents,
        memory: MemorySource | None,
        flags: int,
    ) -> None:
        reset = D.START_RESET_NVRAM if flags & S.REVERT_RESET_NVRAM else 0
        if memory is not None and documents.running is not None:
            cpu = snapshot.cookie.cpu if snapshot.cookie is not None else None
            document = replace(documents.running, cpu=cpu) if cpu is not None else documents.running
            await self._launcher.start(record, document, reset, memory, _GOES_ON)
        elif flags & (S.REVERT_RUNNING | S.REVERT_PAUSED):
            paused = D.START_PAUSED if flags & S.REVERT_PAUSED else 0
            await self._launcher.start(record, documents.defined, reset | paused, None, _BOOTS)


def _validate(record: GuestRecord, snapshot: Snapshot, flags: int) -> None:
    has_memory = snapshot.state in _WITH_MEMORY
    starts = flags & (S.REVERT_RUNNING | S.REVERT_PAUSED)
    if not record.is_persistent and not has_memory and not starts:
        raise OperationInvalid(
            "transient domain needs to request run or pause to revert to inactive snapshot", domain=From.QEMU
        )
    if snapshot.domain is None:
        raise SnapshotRevertRisky(
            f"snapshot '{snapshot.name}' lacks domain '{record.name}' rollback info", domain=From.QEMU
        )
    if record.managed_save and not has_memory and not flags & S.REVERT_FORCE:
        raise SnapshotRevertRisky(
            "snapshot without memory state, removal of existing managed saved state strongly recommended to avoid "
            "corruption",
            domain=From.QEMU,
            hint="managedsave-remove, or --force",
        )
    if snapshot.state == "pmsuspended":
        raise OperationUnsupported(
            "qemu doesn't support reversion of snapshot taken in PMSUSPENDED state", domain=From.QEMU
        )
    if snapshot.state == "blocked" or snapshot.state is None:
        raise InternalError(
            f"Invalid target domain state '{snapshot.state}'. Refusing snapshot reversion", domain=From.QEMU
        )


def _documents(record: GuestRecord, snapshot: Snapshot) -> Documents:
    """The documents of that time, under the name that the domain has now."""
    assert snapshot.domain is not None
    then = replace(snapshot.domain, name=record.name)
    if snapshot.state not in _WITH_MEMORY:
        return Documents(None, replace(snapshot.inactive_domain or then, name=record.name))
    return Documents(then, replace(snapshot.inactive_domain or then, name=record.name))


__all__ = ["Reverter"]
