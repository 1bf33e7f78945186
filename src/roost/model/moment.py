"""What snapshots, checkpoints and backups have in common: a place among their like, and disks of the domain by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from roost.errors import ConfigUnsupported, From, InvalidArg
from roost.model.domain import Domain
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.disksource import (
    AnyDiskSource,
    BlockSource,
    DirSource,
    FileSource,
    NetworkSource,
    VhostUserSource,
    VhostVdpaSource,
)
from roost.xml import tag_of


def check_lineage(name: str, parent: str | None, parents: Mapping[str, str | None]) -> None:
    """A moment's parent must exist and not descend from it.

    parents: of the domain's other moments, by name. Raises InvalidArg.
    """
    if parent is None:
        return
    if parent == name:
        raise InvalidArg(f"cannot set moment {name} as its own parent", domain=From.DOMAIN)
    if parent not in parents:
        known = ", ".join(parents) or "none"
        raise InvalidArg(f"parent {parent} for moment {name} not found", domain=From.DOMAIN, hint=f"there are {known}")
    elder: str | None = parent
    seen = set()
    while elder is not None and elder in parents and elder not in seen:
        seen.add(elder)
        before = parents[elder]
        if before == name:
            raise InvalidArg(f"parent {elder} would create cycle to {name}", domain=From.DOMAIN)
        elder = before


def source_path(source: AnyDiskSource) -> str | None:
    """The file, device, directory or export that a source names."""
    match source:
        case FileSource():
            return source.file
        case BlockSource() | VhostVdpaSource():
            return source.dev
        case DirSource():
            return source.dir
        case NetworkSource():
            return source.name
        case VhostUserSource():
            return source.path
    return None


def source_type(source: AnyDiskSource) -> str:
    """What kind of source it is, as documents call it."""
    return tag_of(source)


def is_empty(source: AnyDiskSource) -> bool:
    """Whether a drive with this source has nothing in it."""
    if isinstance(source, NetworkSource):
        return source.protocol is None
    return isinstance(source, FileSource | BlockSource | DirSource) and source_path(source) is None


def disk_number(domain: Domain, name: str, origin: int) -> int:
    """Which disk is meant by its target, or by a path that only it has. Raises ConfigUnsupported of `origin`."""
    disks = domain.devices.disks
    for number, disk in enumerate(disks):
        if disk.target.dev == name:
            return number
    if name.startswith("/"):
        found = [number for number, disk in enumerate(disks) if source_path(disk.source) == name]
        if len(found) == 1:
            return found[0]
    known = ", ".join(disk.target.dev for disk in disks) or "none"
    raise ConfigUnsupported(f"no disk named '{name}'", domain=origin, hint=f"the domain's disks are {known}")


def numbered_disks(domain: Domain, names: Iterable[str], origin: int) -> Iterator[tuple[int, Disk]]:
    """The disk that each name means, with its number. Raises ConfigUnsupported of `origin`."""
    seen = set()
    for name in names:
        number = disk_number(domain, name, origin)
        if number in seen:
            raise ConfigUnsupported(f"disk '{name}' specified twice", domain=origin)
        seen.add(number)
        yield number, domain.devices.disks[number]


__all__ = ["check_lineage", "disk_number", "is_empty", "numbered_disks", "source_path", "source_type"]
