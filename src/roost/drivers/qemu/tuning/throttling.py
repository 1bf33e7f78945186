"""Limits of single disks: what libvirt's parameters make of <iotune>. Dry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import fields, replace

from roost.constants import typed_params as T
from roost.contract.typed_params import TypedParam, string, ullong
from roost.drivers.qemu.plan.blocks import THROTTLES
from roost.errors import ArgumentUnsupported, ConfigUnsupported, From, InvalidArg
from roost.model.domain import Domain
from roost.model.domain.devices.disk import BlockSource, Disk, FileSource, IoTune

#: The parameters and their types; they have the names of the fields, in the order of libvirt's answer.
PARAMETERS: Mapping[str, int] = {
    field.name: T.STRING if field.name == "group_name" else T.ULLONG for field in fields(IoTune)
}
_LARGEST = 1_000_000_000_000_000
#: What is given together: of a family, what is left out is 0.
_FAMILIES = ("bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max")
_LENGTHS = ("bytes_sec_max_length", "iops_sec_max_length")
_WHOSE = ("total", "read", "write")


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
        raise ArgumentUnsupported(text, domain=From.QEMU)
    for family in _FAMILIES:
        if values.get(f"total_{family}") and (values.get(f"read_{family}") or values.get(f"write_{family}")):
            text = f"total and read/write of {family} cannot be set at the same time"
            raise InvalidArg(text, domain=From.QEMU)


def merged(document: Domain, disk: Disk, values: Mapping[str, Any], *, live: bool) -> IoTune | None:
    """The disk's limits with `values` set; None when that takes all of them away.

    What a family's values leave out is 0; families without values stay as they are in the disk, or in the group named.
    live: for a running guest, whose QEMU wants bursts to be above what they exceed. Raises ConfigUnsupported.
    """
    group = values.get("group_name")
    peers = (each.iotune for each in document.devices.disks if each.iotune is not None)
    own = disk.iotune or IoTune()
    before = own
    if group and own.group_name != group:
        before = next((tune for tune in peers if tune.group_name == group), own)
    changes: dict[str, Any] = {"group_name": group if "group_name" in values else before.group_name}
    for family in (*_FAMILIES, *_LENGTHS):
        names = [f"{whose}_{family}" for whose in _WHOSE]
        if any(name in values for name in names):
            changes |= {name: values.get(name) or None for name in names}
    if "size_iops_sec" in values:
        changes["size_iops_sec"] = values["size_iops_sec"] or None
    after = replace(before, **changes)
    after = replace(after, **_lengths(before, after))
    if all(getattr(after, name) is None for name in PARAMETERS if name != "group_name"):
        if after.group_name and after.group_name != own.group_name:
            raise ConfigUnsupported(
                "creating a new group/updating existing with all tune parameters zero is not supported",
                domain=From.QEMU,
                hint="give a limit that the group is to have",
            )
        return None
    if live:
        _check_bursts(after)
    return after


def _lengths(before: IoTune, after: IoTune) -> dict[str, int]:
    """QEMU refuses a length of 0 where there is a burst: taking one away makes it the shortest."""
    found = {}
    for whose in _WHOSE:
        for what in ("bytes_sec", "iops_sec"):
            name = f"{whose}_{what}_max_length"
            lost = getattr(before, name) and not getattr(after, name)
            if lost and (getattr(after, f"{whose}_{what}") or getattr(after, f"{whose}_{what}_max")):
                found[name] = 1
    return found


def _check_bursts(tune: IoTune) -> None:
    for _, field in THROTTLES:
        limit, burst = getattr(tune, f"{field}_sec") or 0, getattr(tune, f"{field}_sec_max") or 0
        if burst and not limit:
            text = f"cannot reset '{field}_sec' when '{field}_sec_max' is set"
            raise ConfigUnsupported(text, domain=From.QEMU, hint=f"set both, or {field}_sec_max to 0")
        if burst and burst < limit:
            text = f"value '{field}_sec_max' cannot be smaller than '{field}_sec'"
            raise ConfigUnsupported(text, domain=From.QEMU)


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


def shown(tune: IoTune | None) -> Sequence[TypedParam]:
    """All parameters."""
    own = tune or IoTune()
    return [
        string(name, getattr(own, name) or "") if kind == T.STRING else ullong(name, getattr(own, name) or 0)
        for name, kind in PARAMETERS.items()
    ]


def from_qemu(inserted: Mapping[str, Any]) -> IoTune:
    """The limits that QEMU tells of a disk, from its answer to query-block."""
    values = {
        f"{field}_sec{ours}": inserted.get(f"{name}{theirs}")
        for name, field in THROTTLES
        for ours, theirs in (("", ""), ("_max", "_max"), ("_max_length", "_max_length"))
    }
    return IoTune(**values, size_iops_sec=inserted.get("iops_size"), group_name=inserted.get("group"))


__all__ = ["PARAMETERS", "check", "find_disk", "from_qemu", "is_empty", "merged", "shown", "with_iotune"]
