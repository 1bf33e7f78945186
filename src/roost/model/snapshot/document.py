"""Snapshot documents in and out."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from roost.errors import From
from roost.model.domain.devices.disksource import FileSource
from roost.model.snapshot.snapshot import KeptSnapshot, Snapshot, SnapshotDisk
from roost.xml import format_document, parse_document

SnapshotT = TypeVar("SnapshotT", bound=Snapshot)


def parse(xml: str | bytes, *, validate: bool = False) -> Snapshot:
    """The snapshot an XML document describes. Raises RoostError with libvirt's code, nothing else."""
    return _parse(xml, Snapshot, validate=validate)


def parse_kept(xml: str | bytes) -> KeptSnapshot:
    """What `format_kept` has written, or libvirt in its own place. Raises as `parse`."""
    return _parse(xml, KeptSnapshot, validate=False)


def _parse(xml: str | bytes, cls: type[SnapshotT], *, validate: bool) -> SnapshotT:
    snapshot = parse_document(
        xml, cls, "domainsnapshot", name="(domain_snapshot)", origin=From.DOMAIN_SNAPSHOT, validate=validate
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
    if isinstance(snapshot, KeptSnapshot):
        snapshot = replace(snapshot, active=None)
    return format_document(snapshot, "domainsnapshot", secure=secure)


def format_kept(snapshot: KeptSnapshot) -> str:
    """The document as the daemon keeps it."""
    return format_document(replace(snapshot, active=int(bool(snapshot.active))), "domainsnapshot", secure=True)


def kept(snapshot: Snapshot, *, active: bool) -> KeptSnapshot:
    """A snapshot as the daemon keeps it. active: it is the domain's current one."""
    fields = {name: getattr(snapshot, name) for name in Snapshot.__struct_fields__}
    return KeptSnapshot(**fields, active=int(active))


__all__ = ["format", "format_kept", "kept", "parse", "parse_kept"]
