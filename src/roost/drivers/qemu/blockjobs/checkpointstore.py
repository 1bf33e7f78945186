"""Checkpoints on disk: STATE/checkpoint/DOMAIN/NAME.xml, synced before anybody hears that there is one."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from roost.engine.moments import FileShelf, Moments
from roost.errors import From, NoDomainCheckpoint
from roost.model import checkpoint as model
from roost.model.checkpoint import Checkpoint


class CheckpointStore(Moments[Checkpoint]):
    """Those of all domains. They follow the domain's name."""

    def __init__(self, directory: Path) -> None:
        shelf = FileShelf(
            directory,
            "checkpoint",
            encode=lambda _, checkpoint: model.format(checkpoint, secure=True),
            decode=lambda data: model.parse(data, validate=False),
        )
        super().__init__(
            shelf,
            missing=lambda name, hint: NoDomainCheckpoint(
                f"no domain checkpoint with matching name '{name}'", domain=From.QEMU, hint=hint
            ),
            reparent=lambda checkpoint, parent: replace(checkpoint, parent=parent),
        )

    def current(self, domain: str) -> str | None:
        """The one that the next is counted from: of those nothing was counted from yet, the youngest."""
        known = self.of(domain)
        parents = {each.parent for each in known.values()}
        return next((name for name in reversed(known) if name not in parents), None)


__all__ = ["CheckpointStore"]
