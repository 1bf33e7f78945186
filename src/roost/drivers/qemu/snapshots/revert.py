"""Going back to a snapshot."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import jobs as J
from roost.constants import snapshot as S
from roost.drivers.qemu.blockjobs import bitmaps
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.context import Context, require_monitor
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.launch import BOOTED, Launcher, MemorySource, Origin
from roost.drivers.qemu.snapshots import fresh, lineage
from roost.drivers.qemu.snapshots.companions import Companions
from roost.drivers.qemu.snapshots.ending import end
from roost.drivers.qemu.snapshots.jobs import HeldSnapshots, run_job
from roost.drivers.qemu.snapshots.offline import OfflineImage, OfflineImages
from roost.drivers.qemu.snapshots.overlays import Overlays
from roost.drivers.qemu.snapshots.take import nodes_of
from roost.drivers.qemu.snapshots.unfinished import Note, Notes
from roost.drivers.qemu.state.image import Image, Images
from roost.drivers.qemu.state.restore import ImageSource
from roost.drivers.qemu.supervisor import Supervisor
from roost.engine.definitions import redefine
from roost.engine.jobs import LongJob
from roost.engine.record import Definition
from roost.engine.snapshots import SnapshotStore
from roost.errors import (
    From,
    InternalError,
    OperationFailed,
    OperationInvalid,
    OperationUnsupported,
    SnapshotRevertRisky,
)
from roost.model import domain as domains
from roost.model import snapshot as model
from roost.model.domain import Domain
from roost.model.domain.os import nvram_path
from roost.model.domain.savecookie import SaveCookie, format_cookie
from roost.model.moment import source_path
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
        try:
            await run_job(monitor, "snapshot-load", "snapshot-load", arguments, "Failed to load snapshot")
        except OperationFailed as error:
            raise OperationFailed(error.detail, domain=From.QEMU, hint=guest.log.words()) from error

    def loaded(self) -> None:
        """Nothing has to be done: the snapshot stays."""


class Reverter:
    """Goes back to snapshots."""

    def __init__(
        self,
        context: Context,
        supervisor: Supervisor,
        launcher: Launcher,
        store: SnapshotStore,
        overlays: Overlays,
        images: Images,
    ) -> None:
        self._context = context
        self._supervisor = supervisor
        self._launcher = launcher
        self._store = store
        self._overlays = overlays
        self._images = images
        self._offline = OfflineImages(context)
        self._notes = Notes(context.paths.status)
        self._companions = Companions(context.paths)

    async def revert(self, record: GuestRecord, snapshot: KeptSnapshot, flags: int) -> None:
        """Inside the record's job. Raises before anything has changed what can be known to be in the way."""
        guest = record.runtime
        if guest is not None and any(job.disk for job in guest.blocks.jobs.values()):
            raise OperationInvalid("domain has active block job", domain=From.QEMU)
        _validate(record, snapshot, flags)
        documents = _documents(record, snapshot, str(self._context.paths.nvram))
        if not flags & S.REVERT_FORCE:
            self._check_companions(record, snapshot, documents, flags)
        job = LongJob(J.OPERATION_SNAPSHOT_REVERT, refusal="cannot abort a revert to a snapshot")
        was_persistent = record.is_persistent
        note = Note("revert", model.format_kept(snapshot))
        with record.job.watched(job), self._kept(record, documents.defined), self._notes.noted(record.name, note):
            if model.is_external(snapshot):
                await self._revert_external(record, snapshot, documents, note, flags)
            else:
                await self._revert_internal(record, snapshot, documents, flags)
        self._drop_managed_save(record)
        if was_persistent:
            self._supervisor.lifecycle(record, E.DEFINED, E.DEFINED_FROM_SNAPSHOT)

    def _drop_managed_save(self, record: GuestRecord) -> None:
        """The memory in it is of disks that are no more."""
        if record.managed_save:
            path = self._context.paths.managed_save(record.name)
            log.warning("%s has gone back to a snapshot; removing its managed save image %s", record.name, path)
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            record.managed_save = False

    def _check_companions(self, record: GuestRecord, snapshot: Snapshot, documents: Documents, flags: int) -> None:
        """A guest's memory has all of them in it; its disks alone do not."""
        missing = self._companions.missing(documents.defined, record.name, snapshot.name or "")
        if missing and documents.running is None and not flags & S.REVERT_RESET_NVRAM:
            raise SnapshotRevertRisky(
                f"snapshot '{snapshot.name}' has no copy of the {' and '.join(missing)}",
                domain=From.QEMU,
                hint="--force goes back with what there is now",
            )

    async def _put_back(self, record: GuestRecord, snapshot: Snapshot, documents: Documents, flags: int) -> None:
        await asyncio.to_thread(
            self._companions.put_back,
            documents.running or documents.defined,
            record.name,
            snapshot.name or "",
            variables=not flags & S.REVERT_RESET_NVRAM,
        )

    @contextlib.contextmanager
    def _kept(self, record: GuestRecord, document: Domain) -> Iterator[None]:
        """A transient domain does not go, nor its snapshots, when its guest is ended to begin anew."""
        if record.is_persistent:
            yield
            return
        record.definition = Definition(domains.format(document, secure=True), document)
        try:
            yield
        finally:
            record.definition = None
            if not record.is_active:
                self._context.table.remove(record)

    async def _revert_internal(self, record: GuestRecord, snapshot: Snapshot, documents: Documents, flags: int) -> None:
        name, has_memory = snapshot.name or "", documents.running is not None
        then = snapshot.domain or documents.defined
        # QEMU goes back with its memory, wherever its images are.
        images = await self._offline.images(snapshot, then, "internal", only_here=has_memory)
        everywhere = sum(part.snapshot == "internal" for part in snapshot.disks)
        await self._offline.require(images, name, memory=has_memory and len(images) == everywhere)
        if not flags & S.REVERT_FORCE:
            self._check_bases(record, snapshot)
            await self._check_bitmaps(record, images)
        await self._end(record)
        for image in images:
            for bitmap in await self._offline.bitmaps(image.path):
                log.warning("%s of %s is of no use any more: the image goes back in time", bitmap, record.name)
                await self._offline.run("bitmap", "--remove", image.path, bitmap)
        await self._put_back(record, snapshot, documents, flags)
        if not has_memory:
            await self._offline.apply(images, name)
        await self._define(record, documents.defined)
        await asyncio.to_thread(self._store.set_current, record.name, snapshot.name)
        memory = InternalMemory(record, snapshot, runs=_runs(snapshot, flags)) if has_memory else None
        await self._start(record, snapshot, documents, memory, flags)

    def _check_bases(self, record: GuestRecord, snapshot: Snapshot) -> None:
        """What other snapshots' images stand on must not change below them."""
        for other in self._store.of(record.name).values():
            for part in other.disks:
                base = lineage.find_disk(other.domain, part.name)
                own = lineage.find_disk(snapshot.domain, part.name)
                if part.snapshot != "external" or base is None or own is None:
                    continue
                if C.is_same_place(base.source, own.source):
                    raise SnapshotRevertRisky(
                        f"snapshot '{other.name}' needs image '{source_path(own.source)}' of disk '{part.name}'",
                        domain=From.QEMU,
                        hint=f"delete '{other.name}' first; --force goes back and leaves it without its base",
                    )

    async def _check_bitmaps(self, record: GuestRecord, images: Sequence[OfflineImage]) -> None:
        """QEMU does not let an image go back that counts changes: what changes then is not counted."""
        found = {name for image in images for name in await self._offline.bitmaps(image.path)}
        if record.is_active:
            known = bitmaps.read(await require_monitor(record).execute("query-named-block-nodes", {"flat": True}))
            found.update(each.name for node in known.values() for each in node.values() if each.persistent)
        if found:
            raise SnapshotRevertRisky(
                f"checkpoints would not be true any more: {', '.join(sorted(found))}",
                domain=From.QEMU,
                hint="delete them first; --force goes back without, and the next backup is a full one",
            )

    async def _revert_external(
        self, record: GuestRecord, snapshot: KeptSnapshot, documents: Documents, note: Note, flags: int
    ) -> None:
        """New images on top of those that the snapshot keeps; what was written since goes unless others need it."""
        image = await self._memory_of(snapshot)
        before = fresh.tops(record)
        made = await asyncio.to_thread(fresh.named, snapshot)
        files = tuple(source_path(part.source) or "" for part in made.disks if part.source is not None)
        document = model.format_kept(model.kept(made, active=False))
        self._notes.write(record.name, replace(note, files=files, fresh=document, before=before))
        async with AsyncExitStack() as stack:
            defined = await fresh.make(self._overlays, made, snapshot, documents.defined, stack)
            running = None
            if documents.running is not None:
                running = fresh.above(made, documents.running)
            documents = Documents(running, defined)
            await self._end(record)
            await self._put_back(record, snapshot, documents, flags)
            await self._define(record, documents.defined)
            stack.pop_all()
        await asyncio.to_thread(fresh.keep, self._store, record, snapshot, made, before)
        memory = None
        if image is not None:
            memory = ImageSource(image, self._context.host.processes, runs=_runs(snapshot, flags), bypass_cache=False)
        await self._start(record, snapshot, documents, memory, flags)

    async def _memory_of(self, snapshot: Snapshot) -> Image | None:
        """The file with the memory. Raises what is wrong with it."""
        file = snapshot.memory.file if snapshot.memory is not None else None
        return await self._images.open(file) if file is not None and snapshot.state in _WITH_MEMORY else None

    async def _end(self, record: GuestRecord) -> None:
        guest = record.runtime
        if guest is not None:
            await end(self._supervisor, record, guest)

    async def _define(self, record: GuestRecord, document: Domain) -> None:
        """Replace the definition; of a transient domain it is not put on disk."""
        async with self._context.store.lock:
            if (self._context.store.path(record.name)).exists():
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
            await self._launcher.start(record, _another(document), reset, memory, _GOES_ON)
        elif flags & (S.REVERT_RUNNING | S.REVERT_PAUSED):
            paused = D.START_PAUSED if flags & S.REVERT_PAUSED else 0
            await self._launcher.start(record, _another(documents.defined), reset | paused, None, _BOOTS)


def _another(document: Domain) -> Domain:
    """The document with another generation's number, which tells the guest that it has gone back in time."""
    if document.genid is None:
        return document
    return replace(document, genid=replace(document.genid, value=str(uuid.uuid4())))


def _runs(snapshot: Snapshot, flags: int) -> bool:
    """Whether a guest with memory goes on running."""
    return bool(flags & S.REVERT_RUNNING) or (snapshot.state == "running" and not flags & S.REVERT_PAUSED)


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


def _documents(record: GuestRecord, snapshot: Snapshot, nvram: str) -> Documents:
    """The documents of that time, under the name that the domain has now. nvram: the directory of all variables."""
    assert snapshot.domain is not None
    then = _renamed(snapshot.domain, record.name, nvram)
    defined = _renamed(snapshot.inactive_domain or snapshot.domain, record.name, nvram)
    return Documents(then if snapshot.state in _WITH_MEMORY else None, defined)


def _renamed(document: Domain, name: str, nvram: str) -> Domain:
    """The document with another name; variables of the firmware that go by the old one go by the new one."""
    os = document.os
    if os.nvram is not None and os.nvram.path == nvram_path(nvram, document.name):
        document = replace(document, os=replace(os, nvram=replace(os.nvram, path=nvram_path(nvram, name))))
    return replace(document, name=name)


__all__ = ["Reverter"]
