"""Snapshot documents in and out."""

from __future__ import annotations

from msgspec.structs import replace

from roost.errors import From
from roost.model.domain.devices.disksource import FileSource
from roost.model.snapshot.snapshot import Snapshot, SnapshotDisk
from roost.xml import format_document, parse_document


def parse(xml: str | bytes, *, validate: bool = False) -> Snapshot:
    """The snapshot an XML document describes. Raises RoostError with libvirt's code, nothing else."""
    snapshot = parse_document(
        xml, Snapshot, "domainsnapshot", name="(domain_snapshot)", origin=From.DOMAIN_SNAPSHOT, validate=validate
    )
    return replace(
        snapshot,
        disks=tuple(map(_with_source, snapshot.disks)),
        revert_disks=tuple(map(_with_source, snapshot.revert_disks)),
        domain_uuid=None if snapshot.domain is not None else snapshot.domain_uuid,
    )


def _with_source(disk: SnapshotDisk) -> SnapshotDisk:
    """A disk that says nothing of an image has none."""
    return replace(disk, source=None) if disk.source == _NOTHING and disk.format is None else disk


_NOTHING = FileSource()


def format(snapshot: Snapshot, *, secure: bool = True) -> str:
    """The document, laid out as libvirt does. secure: with passwords."""
    return format_document(snapshot, "domainsnapshot", secure=secure)


__all__ = ["format", "parse"]
