"""What a snapshot's document says when the domain has had its word: name, state, memory, and every disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, InternalError, OperationUnsupported
from roost.model.domain import Domain
from roost.model.domain.compare import compare_abi
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.disksource import FileSource
from roost.model.moment import is_empty, numbered_disks, source_path
from roost.model.snapshot.rules import (
    check_disk_written,
    check_existing,
    check_memory,
    check_name,
    check_redefinition,
    check_selection,
    check_state,
    is_external,
)
from roost.model.snapshot.snapshot import Snapshot, SnapshotDisk, SnapshotMemory, SnapshotMode, SnapshotState
from roost.xml import tag_of

Default = Literal["internal", "external"]


def complete(
    snapshot: Snapshot,
    domain: Domain,
    *,
    now: int,
    state: SnapshotState,
    disk_only: bool = False,
    inactive: Domain | None = None,
    current: str | None = None,
    is_file: Callable[[str], bool] = lambda _: True,
    keeps_variables: bool = False,
    of_qemu: bool = True,
) -> Snapshot:
    """The document of a snapshot that is about to be taken.

    domain: as it is now, without what only a running guest has; inactive: its
    definition, where that differs. now: seconds since 1970. state: the
    domain's. current: the snapshot that becomes the parent. is_file: whether
    a path is a regular file, beside which a new image may be made.
    keeps_variables: as in `rules.check_selection`. of_qemu: what QEMU cannot
    do is refused, too. Raises libvirt's errors, with what to do about them.
    """
    active = state != "shutoff"
    check_state(replace(snapshot, state=state))
    snapshot = replace(
        snapshot,
        name=snapshot.name or str(now),
        creation_time=now,
        parent=current,
        domain=domain,
        domain_uuid=None,
        inactive_domain=inactive,
        cookie=None,
    )
    snapshot = _with_defaults(snapshot, offline=disk_only or not active)
    check_name(snapshot.name or "")
    memory = snapshot.memory.snapshot if snapshot.memory else None
    default: Default = "external" if disk_only or memory == "external" else "internal"
    if disk_only:
        snapshot = replace(snapshot, memory=SnapshotMemory(snapshot="no"))
    elif memory != "external":
        if active and memory == "no":
            raise OperationUnsupported(
                "internal snapshot of a running VM must include the memory state",
                domain=From.QEMU,
                hint="leave <memory> out, or take a disk-only snapshot",
            )
        snapshot = replace(snapshot, memory=SnapshotMemory(snapshot="internal" if active else "no"))
    snapshot = replace(snapshot, state="disk-snapshot" if disk_only and active else state)
    disks = _align(snapshot, domain, default, is_file)
    snapshot = replace(snapshot, disks=tuple(map(_with_format, disks)))
    if of_qemu:
        check_selection(snapshot, domain, active=active, keeps_variables=keeps_variables)
    return snapshot


def complete_redefined(
    snapshot: Snapshot,
    domain_uuid: str,
    others: Mapping[str, Snapshot],
    *,
    complete_domain: Callable[[Domain], Domain],
    compare_abi: Callable[[Domain, Domain], None] = compare_abi,
    disk_only: bool = False,
    is_file: Callable[[str], bool] = lambda _: True,
) -> Snapshot:
    """The document of a snapshot that was taken before and is made known again.

    domain_uuid: of the domain. others: its snapshots by name. complete_domain:
    fills in the domains in the document. compare_abi: raises for the first
    difference that the guest would see. disk_only: the caller says that it is
    one of disks alone. is_file: as in `complete`.
    """
    check_existing(snapshot)
    offline = snapshot.state in ("shutoff", "disk-snapshot")
    snapshot = _with_defaults(snapshot, offline=offline)
    if snapshot.memory is None or snapshot.memory.snapshot is None:
        snapshot = replace(snapshot, memory=SnapshotMemory(snapshot="no" if offline else "internal"))
    snapshot = replace(
        snapshot,
        creation_time=snapshot.creation_time or None,
        domain=complete_domain(snapshot.domain) if snapshot.domain else None,
        inactive_domain=complete_domain(snapshot.inactive_domain) if snapshot.inactive_domain else None,
        cookie=None if offline else snapshot.cookie,
    )
    check_name(snapshot.name or "")
    check_state(snapshot)
    check_redefinition(snapshot, domain_uuid, others, compare_abi, disk_only=disk_only)
    known = others.get(snapshot.name or "")
    domain = snapshot.domain or (known.domain if known else None)
    if domain is None:
        raise InternalError(
            "missing domain in snapshot",
            domain=From.DOMAIN_SNAPSHOT,
            hint="it can only be left out when the snapshot of that name is known",
        )
    default: Default = "external" if snapshot.state == "disk-snapshot" or is_external(snapshot) else "internal"
    disks = tuple(_align(snapshot, domain, default, is_file))
    return replace(snapshot, disks=disks, domain_uuid=None if snapshot.domain else domain_uuid)


def _with_defaults(snapshot: Snapshot, *, offline: bool) -> Snapshot:
    """What the document itself implies."""
    memory = snapshot.memory
    if memory is not None and memory.snapshot is None and memory.file is not None:
        memory = replace(memory, snapshot="external")
    check_memory(memory or SnapshotMemory(), offline=offline)
    for disk in snapshot.disks:
        check_disk_written(disk)
    disks = tuple(
        replace(disk, snapshot="external") if disk.snapshot is None and (disk.format or _has_path(disk)) else disk
        for disk in snapshot.disks
    )
    return replace(snapshot, memory=None if memory == SnapshotMemory() else memory, disks=disks)


def _align(snapshot: Snapshot, domain: Domain, default: Default, is_file: Callable[[str], bool]) -> list[SnapshotDisk]:
    """A disk of the snapshot for each of the domain's, in their order."""
    own = domain.devices.disks
    if len(snapshot.disks) > len(own):
        raise ConfigUnsupported("too many disk snapshot requests for domain", domain=From.DOMAIN_SNAPSHOT)
    asked: dict[int, SnapshotDisk] = {}
    names = [disk.name for disk in snapshot.disks]
    for wanted, (number, disk) in zip(snapshot.disks, numbered_disks(domain, names, From.DOMAIN_SNAPSHOT), strict=True):
        asked[number] = _settle(wanted, disk, default)
    aligned = [asked.get(number) or _implied(disk, default) for number, disk in enumerate(own)]
    for number, disk in enumerate(own):
        if aligned[number].snapshot == "external" and not _has_path(aligned[number]):
            aligned[number] = _generate(aligned[number], disk, snapshot.name or "", is_file)
            for other in aligned[:number]:
                if other.source == aligned[number].source:
                    raise ConfigUnsupported(
                        f"cannot generate external snapshot name for disk '{disk.target.dev}': "
                        f"collision with disk '{other.name}'",
                        domain=From.DOMAIN_SNAPSHOT,
                        hint="give each disk a <source> of its own",
                    )
    return [disk if disk.format or _has_path(disk) else replace(disk, source=None) for disk in aligned]


def _own_mode(disk: Disk) -> SnapshotMode | None:
    """How the domain wants this disk to be treated: those that cannot be written are left alone."""
    return disk.snapshot or ("no" if disk.readonly else None)


def _settle(wanted: SnapshotDisk, disk: Disk, default: Default) -> SnapshotDisk:
    """One disk that the document names."""
    own = _own_mode(disk)
    mode = wanted.snapshot
    uniform = default == "internal"
    if mode is None:
        mode = own if own is not None and (not uniform or own == "no") else default
    elif uniform and mode != default and not (mode == "no" and own == "no"):
        raise ConfigUnsupported(
            f"disk '{wanted.name}' must use snapshot mode '{default}'",
            domain=From.DOMAIN_SNAPSHOT,
            hint="an internal snapshot is of all disks; take a disk-only or external one for some",
        )
    path = source_path(wanted.source) if wanted.source else None
    if path is not None and mode != "external":
        raise ConfigUnsupported(
            f"file '{path}' for disk '{wanted.name}' requires use of external snapshot mode",
            domain=From.DOMAIN_SNAPSHOT,
        )
    return replace(wanted, name=disk.target.dev, snapshot=mode)


def _implied(disk: Disk, default: Default) -> SnapshotDisk:
    """One disk that the document does not name."""
    mode = "no" if is_empty(disk.source) else _own_mode(disk) or default
    return SnapshotDisk(name=disk.target.dev, snapshot=mode)


def _has_path(disk: SnapshotDisk) -> bool:
    return disk.source is not None and source_path(disk.source) is not None


def _generate(wanted: SnapshotDisk, disk: Disk, name: str, is_file: Callable[[str], bool]) -> SnapshotDisk:
    """The disk with a new file beside the present one, named after the snapshot."""
    kind = tag_of(wanted.source) if wanted.source else "file"
    text = f"cannot generate external snapshot name for disk '{wanted.name}'"
    if kind != "file":
        raise ConfigUnsupported(f"{text} on a '{kind}' device", domain=From.DOMAIN_SNAPSHOT, hint="name a <source>")
    path = source_path(disk.source)
    if path is None:
        raise ConfigUnsupported(f"{text} without source", domain=From.DOMAIN_SNAPSHOT)
    if not is_file(path):
        raise ConfigUnsupported(
            f"source for disk '{wanted.name}' is not a regular file; refusing to generate external snapshot name",
            domain=From.DOMAIN_SNAPSHOT,
            hint="name a <source>",
        )
    stem, dot, ending = path.rpartition(".")
    base = stem if dot and "/" not in ending else path
    source = wanted.source if isinstance(wanted.source, FileSource) else FileSource()
    return replace(wanted, source=replace(source, file=f"{base}.{name}"))


def _with_format(disk: SnapshotDisk) -> SnapshotDisk:
    return replace(disk, format=disk.format or "qcow2") if disk.snapshot == "external" else disk


__all__ = ["complete", "complete_redefined"]
