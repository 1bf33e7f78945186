"""Snapshots and checkpoints of domains that have neither memory nor disks: what is remembered is their documents."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from msgspec.structs import replace

from roost.constants import checkpoint as K
from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import snapshot as S
from roost.contract import flags as F
from roost.contract.events import DomainEvent
from roost.contract.references import DomainIdentity, MomentIdentity, MomentRef
from roost.drivers.test.documents import at_rest, complete
from roost.drivers.test.domains import start, stop
from roost.drivers.test.world import World
from roost.engine.checkpoints import RecordCheckpoints
from roost.engine.definitions import redefine
from roost.engine.record import Record
from roost.engine.snapshots import RecordSnapshots
from roost.engine.table import uuid_text
from roost.errors import From, OperationInvalid, OperationUnsupported, SnapshotRevertRisky
from roost.model import checkpoint as checkpoints
from roost.model import snapshot as snapshots
from roost.model.checkpoint import Checkpoint
from roost.model.domain import Domain
from roost.model.snapshot import Snapshot, SnapshotState

_CREATE_FLAGS = (
    S.CREATE_REDEFINE | S.CREATE_CURRENT | S.CREATE_HALT | S.CREATE_QUIESCE | S.CREATE_ATOMIC | S.CREATE_LIVE
    | S.CREATE_VALIDATE
)  # fmt: skip
_REDEFINE = (S.CREATE_REDEFINE, "VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE")
_CURRENT = (S.CREATE_CURRENT, "VIR_DOMAIN_SNAPSHOT_CREATE_CURRENT")
_HALT = (S.CREATE_HALT, "VIR_DOMAIN_SNAPSHOT_CREATE_HALT")
_NO_METADATA = (S.CREATE_NO_METADATA, "VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA")
_RUNNING = (S.REVERT_RUNNING, "VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING")
_PAUSED = (S.REVERT_PAUSED, "VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED")
_CHILDREN = (S.DELETE_CHILDREN, "VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN")
_CHILDREN_ONLY = (S.DELETE_CHILDREN_ONLY, "VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY")

_STATES: Mapping[int, SnapshotState] = {
    D.RUNNING: "running", D.PAUSED: "paused", D.SHUTOFF: "shutoff", D.CRASHED: "crashed",
}  # fmt: skip
#: Bytes that every disk has changed since every checkpoint.
SIZE = 1024

#: Of a domain that ran.
_ACTIVE = frozenset(("running", "paused"))


class TestSnapshots(RecordSnapshots[None]):
    """contract.Snapshots."""

    __test__ = False
    prefix = "test"

    def __init__(self, world: World) -> None:
        super().__init__(world.table, world.snapshots)
        self._world = world

    async def create(self, domain: DomainIdentity, xml: str, flags: int) -> MomentRef:
        F.require(flags, _CURRENT, _REDEFINE, From.DOMAIN_SNAPSHOT)
        F.exclusive(flags, _REDEFINE, _NO_METADATA, From.DOMAIN_SNAPSHOT)
        F.exclusive(flags, _REDEFINE, _HALT, From.DOMAIN_SNAPSHOT)
        self.check_flags(flags, _CREATE_FLAGS, "DomainSnapshotCreateXML")
        record = self.table.get(domain)
        async with record.job("snapshot"):
            if self._world.checkpoints.of(record.name):
                raise OperationUnsupported("cannot create snapshot while checkpoint exists", domain=From.TEST)
            if flags & S.CREATE_HALT and not record.is_persistent:
                raise OperationInvalid("cannot halt after transient domain snapshot", domain=From.TEST)
            wanted = snapshots.parse(xml, validate=bool(flags & S.CREATE_VALIDATE))
            redefine_it = bool(flags & S.CREATE_REDEFINE)
            made = self._redefined(record, wanted) if redefine_it else self._taken(record, wanted)
            self.store.keep(record.name, made, current=not redefine_it or bool(flags & S.CREATE_CURRENT))
            if flags & S.CREATE_HALT and record.is_active:
                stop(self._world, record, D.SHUTOFF_FROM_SNAPSHOT, E.STOPPED_FROM_SNAPSHOT)
            return MomentRef(made.name or "", record.ref)

    def _redefined(self, record: Record[None], wanted: Snapshot) -> Snapshot:
        known = self.store.of(record.name)
        return snapshots.complete_redefined(
            wanted, uuid_text(record.uuid), known, complete_domain=complete, is_file=os.path.isfile
        )

    def _taken(self, record: Record[None], wanted: Snapshot) -> Snapshot:
        if any(disk.snapshot == "manual" for disk in wanted.disks):
            text = "'manual' snapshot mode is not supported by the test driver"
            raise OperationUnsupported(text, domain=From.TEST)
        current, document = self.store.current(record.name), at_rest(record.document)
        made = snapshots.complete(
            wanted,
            document,
            now=int(time.time()),
            state=_STATES[record.state],
            current=current.name if current is not None else None,
            is_file=os.path.isfile,
            of_qemu=False,
        )
        self.store.check_new(record.name, made.name)
        return made

    async def revert(self, snapshot: MomentIdentity, flags: int) -> None:
        F.exclusive(flags, _RUNNING, _PAUSED, From.DOMAIN_SNAPSHOT)
        self.check_flags(flags, S.REVERT_RUNNING | S.REVERT_PAUSED | S.REVERT_FORCE, "DomainRevertToSnapshot")
        record = self.table.get(snapshot.dom)
        async with record.job("revert"):
            found = self.store.get(record.name, snapshot.name)
            starts = found.state in _ACTIVE or bool(flags & (S.REVERT_RUNNING | S.REVERT_PAUSED))
            if not record.is_persistent and not starts:
                raise OperationInvalid(
                    "transient domain needs to request run or pause to revert to inactive snapshot", domain=From.TEST
                )
            if found.domain is None:
                text = f"snapshot '{found.name}' lacks domain '{record.name}' rollback info"
                raise SnapshotRevertRisky(text, domain=From.TEST)
            document = replace(found.domain, name=record.name)
            if record.is_persistent:
                async with self._world.store.lock:
                    await redefine(self._world.store, record, document)
            if record.is_active:
                stop(self._world, record, D.SHUTOFF_FROM_SNAPSHOT, E.STOPPED_FROM_SNAPSHOT, keep=starts)
            if starts:
                paused = found.state == "paused" and not flags & S.REVERT_RUNNING
                self._start(record, document, paused=paused or bool(flags & S.REVERT_PAUSED))
            self.store.set_current(record.name, found.name)

    def _start(self, record: Record[None], document: Domain, *, paused: bool) -> None:
        start(self.table, record, document)
        record.set_state(D.RUNNING, D.RUNNING_FROM_SNAPSHOT)
        self._publish(record, E.STARTED, E.STARTED_FROM_SNAPSHOT)
        if paused:
            record.set_state(D.PAUSED, D.PAUSED_FROM_SNAPSHOT)
            self._publish(record, E.SUSPENDED, E.SUSPENDED_FROM_SNAPSHOT)

    def _publish(self, record: Record[None], event: int, detail: int) -> None:
        self._world.bus.publish(DomainEvent(E.ID_LIFECYCLE, record.ref, (event, detail)))

    async def delete(self, snapshot: MomentIdentity, flags: int) -> None:
        F.exclusive(flags, _CHILDREN, _CHILDREN_ONLY, From.DOMAIN_SNAPSHOT)
        self.check_flags(flags, S.DELETE_CHILDREN | S.DELETE_CHILDREN_ONLY, "DomainSnapshotDelete")
        record = self.table.get(snapshot.dom)
        async with record.job("snapshot delete"):
            for each in self.store.going(record.name, snapshot.name, flags):
                self.store.forget(record.name, each.name or "")


class TestCheckpoints(RecordCheckpoints[None]):
    """contract.Checkpoints."""

    __test__ = False
    prefix = "test"

    def __init__(self, world: World) -> None:
        super().__init__(world.table, world.checkpoints)
        self._world = world

    async def create(self, domain: DomainIdentity, xml: str, flags: int) -> MomentRef:
        self.check_flags(flags, K.CREATE_REDEFINE | K.CREATE_QUIESCE, "DomainCheckpointCreateXML")
        record = self.table.get(domain)
        async with record.job("checkpoint"):
            if self._world.snapshots.of(record.name):
                raise OperationUnsupported("cannot create checkpoint while snapshot exists", domain=From.TEST)
            if not record.is_active:
                raise OperationUnsupported("cannot create checkpoint for inactive domain", domain=From.TEST)
            wanted = checkpoints.parse(xml)
            made = self._redefined(record, wanted) if flags & K.CREATE_REDEFINE else self._new(record, wanted)
            self.store.put(record.name, made)
            return MomentRef(made.name or "", record.ref)

    def _redefined(self, record: Record[None], wanted: Checkpoint) -> Checkpoint:
        known = {name: each.parent for name, each in self.store.of(record.name).items() if name != wanted.name}
        return checkpoints.complete_redefined(wanted, uuid_text(record.uuid), known, complete_domain=complete)

    def _new(self, record: Record[None], wanted: Checkpoint) -> Checkpoint:
        current = self.store.current(record.name)
        document = at_rest(record.document)
        made = checkpoints.complete(wanted, document, now=int(time.time()), current=current, of_qemu=False)
        self.store.check_new(record.name, made.name)
        return made

    async def describe(self, checkpoint: MomentIdentity, flags: int) -> str:
        self.check_flags(flags, K.XML_SECURE | K.XML_NO_DOMAIN | K.XML_SIZE, "DomainCheckpointGetXMLDesc")
        record, found = self.find(checkpoint)
        if flags & K.XML_SIZE:
            self.table.get_active(record.ref)
            disks = (replace(disk, size=SIZE) if disk.checkpoint == "bitmap" else disk for disk in found.disks)
            found = replace(found, disks=tuple(disks))
        return checkpoints.format(
            found,
            secure=bool(flags & K.XML_SECURE),
            with_domain=not flags & K.XML_NO_DOMAIN,
            with_sizes=bool(flags & K.XML_SIZE),
        )

    async def delete(self, checkpoint: MomentIdentity, flags: int) -> None:
        allowed = K.DELETE_CHILDREN | K.DELETE_METADATA_ONLY | K.DELETE_CHILDREN_ONLY
        self.check_flags(flags, allowed, "DomainCheckpointDelete")
        record = self.table.get(checkpoint.dom)
        async with record.job("checkpoint"):
            for each in self.store.going(record.name, checkpoint.name, flags):
                self.store.remove(record.name, each.name or "")


__all__ = ["TestCheckpoints", "TestSnapshots"]
