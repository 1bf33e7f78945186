"""contract.Checkpoints over a table and a domain's moments: what is the same for every driver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic

from msgspec.structs import replace

from roost.constants import checkpoint as K
from roost.constants import domain as D
from roost.contract import flags as F
from roost.contract.checkpoints import Checkpoints
from roost.contract.references import DomainIdentity, MomentIdentity, MomentRef
from roost.engine.moments import Moments, Shelf
from roost.engine.record import Record, RuntimeT
from roost.engine.table import DomainTable
from roost.errors import From, NoDomainCheckpoint, OperationFailed
from roost.model.checkpoint import Checkpoint

_LIST_FLAGS = K.LIST_ROOTS | K.LIST_TOPOLOGICAL | K.LIST_LEAVES | K.LIST_NO_LEAVES


class CheckpointStore(Moments[Checkpoint]):
    """Those of all domains. They follow the domain's name. origin: of errors, errors.From."""

    def __init__(self, shelf: Shelf[Checkpoint], origin: int) -> None:
        super().__init__(
            shelf,
            missing=lambda name, hint: NoDomainCheckpoint(
                f"no domain checkpoint with matching name '{name}'", domain=origin, hint=hint
            ),
            reparent=lambda checkpoint, parent: replace(checkpoint, parent=parent),
        )

    def current(self, domain: str) -> str | None:
        """The one that the next is counted from: of those nothing was counted from yet, the youngest."""
        known = self.of(domain)
        parents = {each.parent for each in known.values()}
        return next((name for name in reversed(known) if name not in parents), None)

    def check_new(self, domain: str, name: str | None) -> None:
        """Raises OperationFailed for a name that is taken."""
        if name in self.of(domain):
            raise OperationFailed(
                f"domain moment {name} already exists",
                domain=From.DOMAIN,
                hint="choose another name, or delete it first",
            )

    def going(self, domain: str, name: str, flags: int) -> list[Checkpoint]:
        """What K.DELETE_* of a checkpoint deletes, those with nothing below them first. Raises NoDomainCheckpoint."""
        found = self.get(domain, name)
        below = bool(flags & (K.DELETE_CHILDREN | K.DELETE_CHILDREN_ONLY))
        going = list(self.descendants(domain, name))[::-1] if below else []
        return going if flags & K.DELETE_CHILDREN_ONLY else [*going, found]


class RecordCheckpoints(Checkpoints, Generic[RuntimeT]):
    """All that only looks. A driver subclasses it and makes, describes and deletes.

    prefix: as in RegistryDomains.
    """

    prefix = ""

    def __init__(self, table: DomainTable[RuntimeT], store: CheckpointStore) -> None:
        self.table: DomainTable[RuntimeT] = table
        self.store = store
        table.filter_by(
            D.LIST_DOMAINS_HAS_CHECKPOINT, D.LIST_DOMAINS_NO_CHECKPOINT, lambda record: bool(store.of(record.name))
        )
        table.removed.append(lambda record: store.remove_all(record.name))

    def check_flags(self, flags: int, allowed: int, function: str) -> None:
        F.check(flags, allowed, self.prefix + function, self.table.error_domain)

    def find(self, checkpoint: MomentIdentity) -> tuple[Record[RuntimeT], Checkpoint]:
        """The domain and the checkpoint that a client means. Raises NoDomain, NoDomainCheckpoint."""
        record = self.table.get(checkpoint.dom)
        return record, self.store.get(record.name, checkpoint.name)

    def list_all(self, domain: DomainIdentity, flags: int) -> Sequence[MomentRef]:
        self.check_flags(flags, _LIST_FLAGS, "DomainListAllCheckpoints")
        record = self.table.get(domain)
        return [MomentRef(each.name or "", record.ref) for each in self.store.listed(record.name, flags)]

    def children(self, checkpoint: MomentIdentity, flags: int) -> Sequence[MomentRef]:
        self.check_flags(flags, _LIST_FLAGS, "DomainCheckpointListAllChildren")
        record, _ = self.find(checkpoint)
        found = self.store.listed(record.name, flags, checkpoint.name)
        return [MomentRef(each.name or "", record.ref) for each in found]

    def lookup(self, domain: DomainIdentity, name: str, flags: int) -> MomentRef:
        self.check_flags(flags, 0, "DomainCheckpointLookupByName")
        record = self.table.get(domain)
        self.store.get(record.name, name)
        return MomentRef(name, record.ref)

    def parent(self, checkpoint: MomentIdentity, flags: int) -> MomentRef:
        self.check_flags(flags, 0, "DomainCheckpointGetParent")
        record, found = self.find(checkpoint)
        if found.parent is None:
            text = f"checkpoint '{found.name}' does not have a parent"
            raise NoDomainCheckpoint(text, domain=self.table.error_domain)
        return MomentRef(found.parent, record.ref)


__all__ = ["CheckpointStore", "RecordCheckpoints"]
