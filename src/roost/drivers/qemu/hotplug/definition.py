"""The same changes in the definition, for the next start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from roost.drivers.qemu.hotplug import documents
from roost.drivers.qemu.hotplug.classes import CHANGEABLE, CONFIGURABLE, MISSING_CONFIG, PRESENT, class_of
from roost.drivers.qemu.hotplug.rules import check_room, is_serial_console
from roost.errors import ConfigUnsupported, From, InvalidArg, OperationInvalid, OperationUnsupported
from roost.model.domain import Domain
from roost.model.domain.devices.controller import Controller
from roost.model.domain.devices.memory import MemoryDevice, VirtioMem

#: Whether a definition has the device that is to be added already.
_IS_PRESENT: Mapping[str, Callable[[Domain, Any], bool]] = {
    "controller": lambda config, new: new.index is not None and documents.find(config, new) is not None,
    "watchdog": lambda config, new: bool(config.devices.watchdogs),
    "vsock": lambda config, new: config.devices.vsock is not None,
    **dict.fromkeys(
        ("disk", "hostdev", "lease", "filesystem", "shmem"),
        lambda config, new: documents.find(config, new) is not None,
    ),
}


def _require(called: str, known: frozenset[str], what: str) -> None:
    if called not in known:
        raise OperationUnsupported(
            f"persistent {what} of device '{called}' is not supported",
            domain=From.QEMU,
            hint="define the domain anew with it" if what == "attach" else "define the domain anew",
        )


def with_device(config: Domain, device: Any) -> Domain:
    """The definition with one more device, still to be completed. Raises for one that is there or cannot be added."""
    called = class_of(device).called
    _require(called, CONFIGURABLE, "attach")
    if is_serial_console(device):
        raise OperationUnsupported(
            "attaching serial console is not supported", domain=From.QEMU, hint="attach a <serial>, or type='virtio'"
        )
    is_present = _IS_PRESENT.get(called)
    if is_present is not None and is_present(config, device):
        raise PRESENT[called](device)
    if called == "memory":
        check_room(config, device.size)
        slots = config.max_memory.slots if config.max_memory is not None else 0
        if len(config.devices.memories) == slots:
            raise ConfigUnsupported(
                "no free memory device slot available", domain=From.QEMU, hint="<maxMemory slots='…'> says how many"
            )
    if isinstance(device, Controller) and device.index is None:
        used = [each.index or 0 for each in config.devices.controllers if each.type == device.type]
        device = replace(device, index=max(used, default=-1) + 1)
    return _with_current(documents.added(config, device), device, 1)


def _with_current(config: Domain, device: Any, sign: int) -> Domain:
    """Memory that the guest may plug counts as if it had it, as long as the guest does not run."""
    if not isinstance(device, VirtioMem) or config.current_memory is None:
        return config
    return replace(config, current_memory=max(config.current_memory + sign * device.size, 0))


def without_device(config: Domain, device: Any) -> Domain:
    """The definition without the device that is meant. Raises DeviceMissing and the like."""
    called = class_of(device).called
    _require(called, CONFIGURABLE, "detach")
    if is_serial_console(device):
        raise OperationInvalid("detaching serial console is not supported", domain=From.QEMU)
    found = documents.find(config, device)
    if found is None:
        raise MISSING_CONFIG[called](device)
    return _with_current(documents.removed(config, found), found, -1)


def with_changed(config: Domain, device: Any) -> Domain:
    """The definition with `device` in the place of the one that it means. Raises InvalidArg when there is none."""
    called = class_of(device).called
    _require(called, CHANGEABLE, "update")
    if isinstance(device, MemoryDevice):
        found = memory_meant(config, device)
        missing = "memory not found"
    else:
        found = documents.find(config, device)
        if called == "graphics":
            missing = f"cannot find existing graphics type '{device.type}' device to modify"
        else:
            missing = f"target {device.target.dev} doesn't exist." if called == "disk" else ""
    if found is None:
        raise InvalidArg(missing, domain=From.QEMU)
    return documents.exchanged(config, found, device)


def memory_meant(domain: Domain, device: Any) -> Any | None:
    """The memory device with the alias or place of `device`."""
    for each in domain.devices.memories:
        if device.alias is not None and each.alias == device.alias:
            return each
        if device.address is not None and each.address is not None and documents.agrees(each.address, device.address):
            return each
    return None


__all__ = ["memory_meant", "with_changed", "with_device", "without_device"]
