"""contract.Checkpoints over a table and a domain's moments: what is the same for every driver."""

from __future__ import annotations

from msgspec.structs import replace

from roost.constants import checkpoint as K
from roost.constants import domain as D
from roost.contract.checkpoints import Checkpoints
from roost.engine.moments import Moments, RecordMoments, Shelf
from roost.engine.record import RuntimeT
from roost.errors import NoDomainCheckpoint
from roost.model.checkpoint import Checkpoint


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


class RecordCheckpoints(RecordMoments[RuntimeT, Checkpoint], Checkpoints):
    """All that only looks. A driver subclasses it and makes, describes and deletes."""

    word = "Checkpoint"
    list_flags = K.LIST_ROOTS | K.LIST_TOPOLOGICAL | K.LIST_LEAVES | K.LIST_NO_LEAVES
    has, has_not = D.LIST_DOMAINS_HAS_CHECKPOINT, D.LIST_DOMAINS_NO_CHECKPOINT
    no_moment = NoDomainCheckpoint
    store: CheckpointStore


__all__ = ["CheckpointStore", "RecordCheckpoints"]
