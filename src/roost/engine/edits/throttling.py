"""<iotune> of a single disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import fields, replace

from roost.constants import typed_params as T
from roost.contract.typed_params import TypedParam, string, ullong
from roost.errors import ArgumentUnsupported, InvalidArg
from roost.model.domain import Domain
from roost.model.domain.devices.disk import BlockSource, Disk, FileSource, IoTune, ThrottleGroup

#: The parameters and their types; they have the names of the fields, in the order of libvirt's answer.
PARAMETERS: Mapping[str, int] = {
    field.name: T.STRING if field.name == "group_name" else T.ULLONG for field in fields(IoTune)
}
_LARGEST = 1_000_000_000_000_000
#: What bounds something as a whole bounds its parts, so that only one of the two can be given.
FAMILIES = ("bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max")


def find_disk(document: Domain, name: str) -> Disk | None:
    """By its target or the path of its image."""
    for disk in document.devices.disks:
        source = disk.source
        path = source.file if isinstance(source, FileSource) else getattr(source, "dev", None)
        if name in (disk.target.dev, path):
            return disk
    return None


def is_empty(disk: Disk) -> bool:
    """A drive without a medium."""
    source = disk.source
    if isinstance(source, FileSource):
        return source.file is None
    return isinstance(source, BlockSource) and source.dev is None


def check(values: Mapping[str, Any]) -> None:
    """Raises for values that do not go together."""
    if any(value > _LARGEST for name, value in values.items() if name != "group_name"):
        text = f"block I/O throttle limit value must be no more than {_LARGEST}"
        raise ArgumentUnsupported(text)
    for family in FAMILIES:
        if values.get(f"total_{family}") and (values.get(f"read_{family}") or values.get(f"write_{family}")):
            text = f"total and read/write of {family} cannot be set at the same time"
            raise InvalidArg(text)


def with_iotune(document: Domain, disk: Disk, tune: IoTune | None) -> Domain:
    """The document with the limits of a disk changed, and of all disks of its group."""
    group = tune.group_name if tune is not None else None
    disks = tuple(
        replace(each, iotune=tune)
        if each.target.dev == disk.target.dev or (group and each.iotune and each.iotune.group_name == group)
        else each
        for each in document.devices.disks
    )
    return replace(document, devices=replace(document.devices, disks=disks))


def find_group(document: Domain, name: str) -> ThrottleGroup | None:
    return next((each for each in document.throttle_groups if each.group_name == name), None)


def with_group(document: Domain, group: ThrottleGroup) -> Domain:
    """The document with a new throttle group, or another in the place of the one with its name."""
    groups = document.throttle_groups
    if find_group(document, group.group_name or "") is None:
        return replace(document, throttle_groups=(*groups, group))
    return replace(
        document, throttle_groups=tuple(group if each.group_name == group.group_name else each for each in groups)
    )


def without_group(document: Domain, name: str) -> Domain:
    return replace(
        document, throttle_groups=tuple(each for each in document.throttle_groups if each.group_name != name)
    )


def shown(tune: IoTune | None) -> Sequence[TypedParam]:
    """All parameters."""
    own = tune or IoTune()
    return [
        string(name, getattr(own, name) or "") if kind == T.STRING else ullong(name, getattr(own, name) or 0)
        for name, kind in PARAMETERS.items()
    ]


__all__ = [
    "FAMILIES", "PARAMETERS", "check", "find_disk", "find_group", "is_empty", "shown", "with_group", "with_iotune",
    "without_group",
]  # fmt: skip
