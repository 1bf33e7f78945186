"""Snapshots on disk, in the form and place that libvirt has them: STATE/snapshot/DOMAIN/NAME.xml."""

from __future__ import annotations

from pathlib import Path

from roost.drivers.qemu.snapshots.companions import SUFFIXES
from roost.engine.files import file_header
from roost.engine.moments import FileShelf
from roost.engine.snapshots import SnapshotStore
from roost.errors import From
from roost.model import snapshot as model
from roost.model.snapshot import KeptSnapshot


def _encode(_: str, snapshot: KeptSnapshot) -> str:
    return file_header("virsh snapshot-edit") + model.format_kept(snapshot)


def open_store(directory: Path) -> SnapshotStore:
    """directory: of all domains' snapshots."""
    shelf = FileShelf(directory, "snapshot", encode=_encode, decode=model.parse_kept, companions=SUFFIXES)
    return SnapshotStore(shelf, From.QEMU)


__all__ = ["open_store"]
