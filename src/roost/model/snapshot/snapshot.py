"""The snapshot document's root: <domainsnapshot>."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from roost.errors import ConfigUnsupported, From, InternalError
from roost.model.domain import Domain
from roost.model.domain.cpu import Cpu
from roost.model.domain.devices.disksource import AnyDiskSource, DiskFormat
from roost.xml import Bytes, Child, Complaint, Flag, Int, Long, Record, Uuid, at, inline

SnapshotState = Literal[
    "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended", "disk-snapshot"
]
SnapshotMode = Literal["no", "internal", "external", "manual"]


class SnapshotMemory(Record):
    """Where the guest's memory is: in a disk's image, in a file of its own, or nowhere."""

    snapshot: SnapshotMode | None = None
    file: str | None = None


class SnapshotDisk(Record):
    """One disk. source, format: the image that the guest writes to after an external snapshot.

    delete_in_progress: the snapshot is being deleted, and this disk is not done yet.
    """

    name: Annotated[
        str,
        at(
            "@name",
            missing=Complaint(InternalError, "missing name from disk snapshot element", domain=From.DOMAIN_SNAPSHOT),
        ),
    ]
    snapshot: SnapshotMode | None = None
    delete_in_progress: Annotated[Flag, at("snapshotDeleteInProgress")] = False
    format: Annotated[
        DiskFormat | None,
        at(
            "driver/@type",
            wrong=Complaint(ConfigUnsupported, "unknown disk snapshot driver '%s'", domain=From.DOMAIN_SNAPSHOT),
        ),
    ] = None
    metadata_cache_size: Annotated[Bytes | None, at("driver/metadata_cache/max_size")] = None
    source: Annotated[AnyDiskSource | None, inline("file", after="snapshot")] = None


class Cookie(Record):
    """What must be the same when the guest goes on: the processor as it was started."""

    cpu: Cpu | None = None
    slirp_helper: Annotated[Flag, at("slirpHelper")] = False


class Snapshot(Record):
    """A snapshot. creation_time: seconds since 1970.

    domain: as it ran then; inactive_domain: its definition, where that
    differed. domain_uuid: all that old snapshots say of the domain.
    revert_disks: images made when the domain went back to an external snapshot.
    """

    namespaces: ClassVar[dict[str, str]] = Domain.namespaces

    name: Child[str | None] = None
    description: Child[str | None] = None
    state: Annotated[
        SnapshotState | None,
        at(
            "state",
            wrong=Complaint(
                ConfigUnsupported, "Invalid state '%s' in domain snapshot XML", domain=From.DOMAIN_SNAPSHOT
            ),
        ),
    ] = None
    parent: Annotated[str | None, at("parent/name")] = None
    creation_time: Annotated[
        Long | None,
        at(
            "creationTime",
            wrong=Complaint(InternalError, "missing creationTime from existing snapshot", domain=From.DOMAIN_SNAPSHOT),
        ),
    ] = None
    memory: SnapshotMemory | None = None
    disks: Annotated[tuple[SnapshotDisk, ...], at("disks/disk")] = ()
    revert_disks: Annotated[tuple[SnapshotDisk, ...], at("revertDisks/disk")] = ()
    domain: Annotated[Domain | None, at("domain", only_with="type")] = None
    domain_uuid: Annotated[Uuid | None, at("domain/uuid")] = None
    inactive_domain: Annotated[Domain | None, at("inactiveDomain")] = None
    cookie: Annotated[Cookie | None, at("cookie", keep_empty=True, opened=True)] = None


class KeptSnapshot(Snapshot):
    """A snapshot as the daemon keeps it. active: it is the domain's current one."""

    active: Child[Int | None] = None


__all__ = ["Cookie", "KeptSnapshot", "Snapshot", "SnapshotDisk", "SnapshotMemory", "SnapshotMode", "SnapshotState"]
