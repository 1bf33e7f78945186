"""What makes libvirt refuse a snapshot: by itself, beside the domain's other snapshots, and of that domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from roost.errors import ConfigUnsupported, From, InternalError, InvalidArg, OperationUnsupported, XmlDetail, XmlError
from roost.model.domain import Domain
from roost.model.moment import check_lineage, is_empty, source_path
from roost.model.snapshot.snapshot import Snapshot, SnapshotDisk, SnapshotMemory
from roost.xml import tag_of

_ONLINE = ("running", "paused")


def check_name(name: str) -> None:
    """A snapshot is kept in a file of its name."""
    for wrong, text in ((("/" in name), "contain '/'"), (name.startswith("."), "start with '.'")):
        if wrong:
            raise XmlDetail(f"invalid snapshot name '{name}': name can't {text}", domain=From.QEMU)


def check_memory(memory: SnapshotMemory, *, offline: bool) -> None:
    """The rules on <memory>. offline: the snapshot is of disks only."""
    problem = ""
    if memory.snapshot == "manual":
        problem = "'manual' memory snapshot mode not supported"
    elif memory.file is not None and memory.snapshot not in (None, "external"):
        problem = f"memory filename '{memory.file}' requires external snapshot"
    elif memory.file is None and memory.snapshot == "external":
        problem = "external memory snapshots require a filename"
    elif offline and memory.snapshot not in (None, "no"):
        problem = "memory state cannot be saved with offline or disk-only snapshot"
    elif memory.file is not None and not memory.file.startswith("/"):
        problem = f"memory snapshot file path ({memory.file}) must be absolute"
    if problem:
        raise XmlError(problem, domain=From.DOMAIN_SNAPSHOT)


def check_disk_written(disk: SnapshotDisk) -> None:
    """The rules on a <disk> by itself."""
    if disk.source is None:
        return
    kind, path = tag_of(disk.source), source_path(disk.source)
    if kind in ("volume", "dir"):
        raise XmlError(f"unsupported disk snapshot type '{kind}'", domain=From.DOMAIN_SNAPSHOT)
    if kind in ("file", "block") and path is not None and not path.startswith("/"):
        raise XmlError(f"disk snapshot image path '{path}' must be absolute", domain=From.DOMAIN_SNAPSHOT)


def is_external(snapshot: Snapshot) -> bool:
    """Whether any part of it is in files of its own."""
    memory = snapshot.memory is not None and snapshot.memory.snapshot == "external"
    return memory or any(disk.snapshot == "external" for disk in snapshot.disks)


def check_redefinition(
    snapshot: Snapshot,
    domain_uuid: str,
    others: Mapping[str, Snapshot],
    compare_abi: Callable[[Domain, Domain], None],
    *,
    disk_only: bool = False,
) -> None:
    """The rules on a snapshot that was taken before and is made known again.

    domain_uuid: of the domain. others: its snapshots by name. compare_abi:
    raises for the first difference that the guest would see.
    disk_only: the caller says that it is one of disks alone.
    """
    name = snapshot.name or ""
    check_lineage(name, snapshot.parent, {other: known.parent for other, known in others.items()})
    if disk_only and snapshot.state != "disk-snapshot":
        raise InvalidArg(
            f"disk-only flag for snapshot {name} requires disk-snapshot state", domain=From.DOMAIN_SNAPSHOT
        )
    if snapshot.domain is not None and snapshot.domain.uuid != domain_uuid:
        raise InvalidArg(f"definition for snapshot {name} must use uuid {domain_uuid}", domain=From.DOMAIN_SNAPSHOT)
    old = others.get(name)
    if old is None:
        return
    if (old.state in _ONLINE) != (snapshot.state in _ONLINE):
        raise InvalidArg(
            f"cannot change between online and offline snapshot state in snapshot {name}", domain=From.DOMAIN_SNAPSHOT
        )
    if (old.state == "disk-snapshot") != (snapshot.state == "disk-snapshot"):
        raise InvalidArg(
            f"cannot change between disk only and full system in snapshot {name}", domain=From.DOMAIN_SNAPSHOT
        )
    if old.domain is not None and snapshot.domain is not None:
        compare_abi(old.domain, snapshot.domain)


def check_existing(snapshot: Snapshot) -> None:
    """What the document of a snapshot that was taken before must say."""
    if snapshot.name is None:
        raise XmlError("a redefined snapshot must have a name", domain=From.DOMAIN_SNAPSHOT)
    if snapshot.creation_time is None:
        raise InternalError("missing creationTime from existing snapshot", domain=From.DOMAIN_SNAPSHOT)
    if snapshot.state is None:
        raise XmlError("missing state from existing snapshot", domain=From.DOMAIN_SNAPSHOT)


def check_state(snapshot: Snapshot) -> None:
    """A snapshot is of a domain in a state that it can go back to."""
    if snapshot.state == "pmsuspended":
        raise OperationUnsupported("qemu doesn't support taking snapshots of PMSUSPENDED guests", domain=From.QEMU)
    if snapshot.state == "blocked":
        raise InternalError(f"Invalid domain state {snapshot.state}", domain=From.QEMU)


def check_selection(snapshot: Snapshot, domain: Domain, *, active: bool, keeps_variables: bool = False) -> None:
    """The rules on which disks of the domain a completed snapshot is of, and how. active: the guest runs.

    keeps_variables: those of the firmware are kept with the snapshot, which libvirt does not.
    """
    internal = [disk for disk in snapshot.disks if disk.snapshot == "internal"]
    external = [disk for disk in snapshot.disks if disk.snapshot == "external"]
    for disk, own in zip(snapshot.disks, domain.devices.disks, strict=True):
        if disk.snapshot == "internal":
            _check_internal(disk.name, own.driver.type if own.driver else None, snapshot, active=active)
        elif disk.snapshot == "external" and disk.format not in ("qcow2", "qed"):
            raise ConfigUnsupported(
                f"external snapshot format for disk {disk.name} is unsupported: {disk.format}",
                domain=From.QEMU,
                hint="it is qcow2 or qed",
            )
        elif disk.snapshot == "external" and disk.metadata_cache_size and disk.format != "qcow2":
            raise ConfigUnsupported(
                "metadata cache max size control is supported only with qcow2 images", domain=From.QEMU
            )
    forbids_internal = any(
        disk.snapshot == "manual" or (disk.snapshot == "no" and not is_empty(own.source) and not own.readonly)
        for disk, own in zip(snapshot.disks, domain.devices.disks, strict=True)
    )
    memory = snapshot.memory.snapshot if snapshot.memory else None
    problem = ""
    if not internal and not external and memory == "no":
        problem = "nothing selected for snapshot"
    elif (memory == "internal" and not internal) or (internal and forbids_internal):
        problem = "internal and full system snapshots require all disks to be selected for snapshot"
    elif snapshot.state == "disk-snapshot" and not external:
        problem = "disk-only snapshots require at least one disk to be selected for snapshot"
    elif (internal and external) or (memory == "internal" and external) or (memory == "external" and internal):
        problem = "mixing internal and external targets for a snapshot is not yet supported"
    if problem:
        raise ConfigUnsupported(problem, domain=From.QEMU)
    if internal and not keeps_variables and domain.os.loader is not None and domain.os.loader.type == "pflash":
        raise OperationUnsupported(
            "internal snapshots of a VM with pflash based firmware are not supported", domain=From.QEMU
        )


def _check_internal(name: str, format: str | None, snapshot: Snapshot, *, active: bool) -> None:
    if snapshot.state == "disk-snapshot" and active:
        raise ConfigUnsupported(
            f"active qemu domains require external disk snapshots; disk {name} requested internal", domain=From.QEMU
        )
    if format not in (None, "qcow2"):
        raise ConfigUnsupported(
            f"internal snapshot for disk {name} unsupported for storage type {format}",
            domain=From.QEMU,
            hint="it takes a qcow2 image",
        )


__all__ = [
    "check_disk_written", "check_existing", "check_memory", "check_name", "check_redefinition", "check_selection",
    "check_state", "is_external",
]  # fmt: skip
