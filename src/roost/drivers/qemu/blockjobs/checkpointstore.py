"""Checkpoints on disk: STATE/checkpoint/DOMAIN/NAME.xml, synced before anybody hears that there is one."""

from __future__ import annotations

from pathlib import Path

from roost.engine import checkpoints
from roost.engine.moments import FileShelf
from roost.errors import From
from roost.model import checkpoint as model


class CheckpointStore(checkpoints.CheckpointStore):
    """directory: of all domains' checkpoints."""

    def __init__(self, directory: Path) -> None:
        shelf = FileShelf(
            directory,
            "checkpoint",
            encode=lambda _, checkpoint: model.format(checkpoint, secure=True),
            decode=lambda data: model.parse(data, validate=False),
        )
        super().__init__(shelf, From.QEMU)


__all__ = ["CheckpointStore"]
