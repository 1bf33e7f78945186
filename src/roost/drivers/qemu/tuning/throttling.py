"""Limits of single disks as QEMU takes and tells them. Dry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from msgspec.structs import replace

from roost.drivers.qemu.plan.blocks import THROTTLES
from roost.engine.edits.throttling import FAMILIES, PARAMETERS, find_group
from roost.errors import ConfigUnsupported, From
from roost.model.domain import Domain
from roost.model.domain.devices.disk import Disk, IoTune, ThrottleGroup, ThrottleLimits

LimitsT = TypeVar("LimitsT", bound=ThrottleLimits)

#: What is given together, as the families are: what is left out is 0.
_LENGTHS = ("bytes_sec_max_length", "iops_sec_max_length")
_WHOSE = ("total", "read", "write")


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
    after = replace(_changed(before, values), group_name=group if "group_name" in values else before.group_name)
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


def merged_group(document: Domain, name: str, values: Mapping[str, Any], *, live: bool = False) -> ThrottleGroup:
    """A throttle group with `values` set, as `merged` does it; a new one where there is none of that name."""
    after = _changed(find_group(document, name) or ThrottleGroup(group_name=name), values)
    if live:
        _check_bursts(after)
    return after


def _changed(before: LimitsT, values: Mapping[str, Any]) -> LimitsT:
    changes: dict[str, Any] = {}
    for family in (*FAMILIES, *_LENGTHS):
        names = [f"{whose}_{family}" for whose in _WHOSE]
        if any(name in values for name in names):
            changes |= {name: values.get(name) or None for name in names}
    if "size_iops_sec" in values:
        changes["size_iops_sec"] = values["size_iops_sec"] or None
    after = replace(before, **changes)
    return replace(after, **_lengths(before, after))


def _lengths(before: ThrottleLimits, after: ThrottleLimits) -> dict[str, int]:
    """QEMU refuses a length of 0 where there is a burst: taking one away makes it the shortest."""
    found = {}
    for whose in _WHOSE:
        for what in ("bytes_sec", "iops_sec"):
            name = f"{whose}_{what}_max_length"
            lost = getattr(before, name) and not getattr(after, name)
            if lost and (getattr(after, f"{whose}_{what}") or getattr(after, f"{whose}_{what}_max")):
                found[name] = 1
    return found


def _check_bursts(tune: ThrottleLimits) -> None:
    for _, field in THROTTLES:
        limit, burst = getattr(tune, f"{field}_sec") or 0, getattr(tune, f"{field}_sec_max") or 0
        if burst and not limit:
            text = f"cannot reset '{field}_sec' when '{field}_sec_max' is set"
            raise ConfigUnsupported(text, domain=From.QEMU, hint=f"set both, or {field}_sec_max to 0")
        if burst and burst < limit:
            text = f"value '{field}_sec_max' cannot be smaller than '{field}_sec'"
            raise ConfigUnsupported(text, domain=From.QEMU)


def from_qemu(inserted: Mapping[str, Any]) -> IoTune:
    """The limits that QEMU tells of a disk, from its answer to query-block."""
    values = {
        f"{field}_sec{ours}": inserted.get(f"{name}{theirs}")
        for name, field in THROTTLES
        for ours, theirs in (("", ""), ("_max", "_max"), ("_max_length", "_max_length"))
    }
    return IoTune(**values, size_iops_sec=inserted.get("iops_size"), group_name=inserted.get("group"))


__all__ = ["from_qemu", "merged", "merged_group"]
