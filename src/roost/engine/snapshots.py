"""contract.Snapshots over a table and a domain's moments: what is the same for every driver."""

from __future__ import annotations

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import snapshot as S
from roost.contract.references import DomainIdentity, MomentIdentity, MomentRef
from roost.contract.snapshots import Snapshots
from roost.engine.moments import Moments, RecordMoments, Shelf
from roost.engine.record import RuntimeT
from roost.errors import NoDomainSnapshot
from roost.model import snapshot as model
from roost.model.snapshot import KeptSnapshot, Snapshot

_STATUS = S.LIST_INACTIVE | S.LIST_ACTIVE | S.LIST_DISK_ONLY
_LOCATION = S.LIST_INTERNAL | S.LIST_EXTERNAL
_METADATA = S.LIST_METADATA | S.LIST_NO_METADATA
_LIST_FLAGS = S.LIST_ROOTS | S.LIST_LEAVES | S.LIST_NO_LEAVES | S.LIST_TOPOLOGICAL | _STATUS | _LOCATION | _METADATA

#: What filter a snapshot's state passes; that of one that ran passes LIST_ACTIVE.
_BY_STATE = {"shutoff": S.LIST_INACTIVE, "disk-snapshot": S.LIST_DISK_ONLY}


class SnapshotStore(Moments[KeptSnapshot]):
    """The snapshots of all domains, and which one is each domain's current one. origin: of errors, errors.From."""

    def __init__(self, shelf: Shelf[KeptSnapshot], origin: int) -> None:
        super().__init__(
            shelf,
            missing=lambda name, hint: NoDomainSnapshot(
                f"no domain snapshot with matching name '{name}'", domain=origin, hint=hint
            ),
            reparent=lambda snapshot, parent: replace(snapshot, parent=parent),
        )

    def current(self, domain: str) -> KeptSnapshot | None:
        return next((each for each in reversed(self.of(domain).values()) if each.active), None)

    def set_current(self, domain: str, name: str | None) -> None:
        """Make one the current one; None for none. Raises SystemCallError.

        The new one is written first: of two that say so, the younger one is it.
        """
        if name is not None:
            self._mark(domain, self.get(domain, name), active=True)
        for each in tuple(self.of(domain).values()):
            if each.name != name:
                self._mark(domain, each, active=False)

    def _mark(self, domain: str, snapshot: KeptSnapshot, *, active: bool) -> None:
        if bool(snapshot.active) != active:
            self.put(domain, replace(snapshot, active=int(active)))

    def keep(self, domain: str, snapshot: Snapshot, *, current: bool = True) -> None:
        """Put a snapshot that was taken, or made known again; a known one stays where it is in the tree of others.

        current: make it the current one. Without, one that is that stays it.
        """
        known = self.of(domain).get(snapshot.name or "")
        active = current or bool(known and known.active)
        self.put(domain, model.kept(snapshot, active=active))
        if current:
            self.set_current(domain, snapshot.name)

    def forget(self, domain: str, name: str) -> None:
        """Remove one; if it was the current one, its parent is that then. Raises NoDomainSnapshot, SystemCallError."""
        gone = self.get(domain, name)
        if gone.active and gone.parent in self.of(domain):
            self._mark(domain, self.get(domain, gone.parent or ""), active=True)
        self.remove(domain, name)


class RecordSnapshots(RecordMoments[RuntimeT, KeptSnapshot], Snapshots):
    """All that only looks. A driver subclasses it and takes, reverts and deletes."""

    word = "Snapshot"
    list_flags = _LIST_FLAGS
    has, has_not = D.LIST_DOMAINS_HAS_SNAPSHOT, D.LIST_DOMAINS_NO_SNAPSHOT
    no_moment = NoDomainSnapshot
    store: SnapshotStore

    def passes(self, moment: KeptSnapshot, flags: int) -> bool:
        location = S.LIST_EXTERNAL if model.is_external(moment) else S.LIST_INTERNAL
        status = _BY_STATE.get(moment.state or "", S.LIST_ACTIVE)
        # Nothing is known of snapshots that nothing is kept of.
        asked = ((_METADATA, S.LIST_METADATA), (_STATUS, status), (_LOCATION, location))
        return all(not flags & group or flags & own for group, own in asked)

    def describe(self, snapshot: MomentIdentity, flags: int) -> str:
        self.check_flags(flags, S.XML_SECURE, "DomainSnapshotGetXMLDesc")
        _, found = self.find(snapshot)
        return model.format(found, secure=bool(flags & S.XML_SECURE))

    def has_current(self, domain: DomainIdentity, flags: int) -> bool:
        self.check_flags(flags, 0, "DomainHasCurrentSnapshot")
        return self.store.current(self.table.get(domain).name) is not None

    def current(self, domain: DomainIdentity, flags: int) -> MomentRef:
        self.check_flags(flags, 0, "DomainSnapshotCurrent")
        record = self.table.get(domain)
        found = self.store.current(record.name)
        if found is None:
            raise NoDomainSnapshot("the domain does not have a current snapshot", domain=self.table.error_domain)
        return MomentRef(found.name or "", record.ref)

    def is_current(self, snapshot: MomentIdentity, flags: int) -> bool:
        self.check_flags(flags, 0, "DomainSnapshotIsCurrent")
        record, found = self.find(snapshot)
        return self.store.current(record.name) is found

    def has_metadata(self, snapshot: MomentIdentity, flags: int) -> bool:
        self.check_flags(flags, 0, "DomainSnapshotHasMetadata")
        self.find(snapshot)
        return True


__all__ = ["RecordSnapshots", "SnapshotStore"]
