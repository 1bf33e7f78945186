"""Aliases: the names by which QEMU, events and clients know the devices of a running guest."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from roost.errors import From, InternalError
from roost.model.domain.boards import is_i440fx, is_q35
from roost.model.domain.device import DimmAddress, DriveAddress, is_generated_alias
from roost.model.domain.devices.controller import Controller
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.hostdev import Hostdev
from roost.model.domain.devices.interface import Interface
from roost.model.domain.devices.memory import AnyMemory, Dimm, MemoryDevice, Nvdimm, SgxEpc, VirtioMem, VirtioPmem
from roost.model.domain.diskname import disk_index
from roost.model.domain.domain import Domain

#: Fields of Devices whose members are simply numbered, with the word before the number.
_NUMBERED = (
    ("serials", "serial"), ("parallels", "parallel"), ("consoles", "console"), ("channels", "channel"),
    ("inputs", "input"), ("sounds", "sound"), ("videos", "video"), ("hubs", "hub"), ("watchdogs", "watchdog"),
    ("redirdevs", "redir"), ("shmems", "shmem"), ("smartcards", "smartcard"), ("tpms", "tpm"), ("cryptos", "crypto"),
    ("iommus", "iommu"),
)  # fmt: skip
#: Where a device with an alias of its own uses up no number.
_COUNTED = (("interfaces", "net"), ("filesystems", "fs"), ("hostdevs", "hostdev"), ("rngs", "rng"))
_SINGLE = (("memballoon", "balloon0"), ("vsock", "vsock0"), ("nvram", "nvram"), ("pstore", "pstore0"))

_MEMORIES: dict[type[MemoryDevice], str] = {
    Dimm: "dimm", Nvdimm: "nvdimm", VirtioPmem: "virtiopmem", VirtioMem: "virtiomem", SgxEpc: "epc",
}  # fmt: skip


def assign_aliases(domain: Domain) -> Domain:
    """The document with an alias for every device; those given (`ua-...`) are kept.

    Raises InternalError for a SCSI disk whose controller is missing.
    """
    devices = domain.devices
    machine = domain.os.machine or ""
    changes: dict[str, Any] = {}
    for field, word in _NUMBERED:
        listed = getattr(devices, field)
        if listed:
            changes[field] = _number(listed, word)
    for field, word in _COUNTED:
        listed = getattr(devices, field)
        if listed:
            changes[field] = _count(listed, word)
    if any(panic.model == "pvpanic" for panic in devices.panics):
        # The others are no devices of QEMU's that could be named.
        changes["panics"] = tuple(
            replace(panic, alias=f"panic{number}") if panic.model == "pvpanic" and panic.alias is None else panic
            for number, panic in enumerate(devices.panics)
        )
    for field, alias in _SINGLE:
        device = getattr(devices, field)
        if device is not None and device.alias is None and getattr(device, "model", None) != "none":
            changes[field] = replace(device, alias=alias)
    if any(interface.type == "hostdev" for interface in devices.interfaces):
        changes |= _host_devices(devices.interfaces, devices.hostdevs)
    if devices.memories:
        changes["memories"] = _memories(devices.memories)
    changes["disks"] = _each(devices.disks, lambda disk: disk_alias(disk, devices.controllers))
    changes["controllers"] = _each(devices.controllers, lambda c: controller_alias(c, machine))
    if devices.consoles and devices.serials:
        first = changes["consoles"][0]
        if first.target is None or first.target.type in (None, "serial"):
            alias = changes["serials"][0].alias
            changes["consoles"] = (replace(first, alias=alias), *changes["consoles"][1:])
    return replace(domain, devices=replace(devices, **changes))


def _each(listed: tuple[Any, ...], name: Callable[[Any], str]) -> tuple[Any, ...]:
    return tuple(d if d.alias is not None else replace(d, alias=name(d)) for d in listed)


def _number(listed: tuple[Any, ...], word: str) -> tuple[Any, ...]:
    return tuple(
        device if device.alias is not None else replace(device, alias=f"{word}{number}")
        for number, device in enumerate(listed)
    )


def _count(listed: tuple[Any, ...], word: str) -> tuple[Any, ...]:
    """Like _number, but those that have an alias use up no number."""
    numbers = itertools.count()
    return tuple(
        device if device.alias is not None else replace(device, alias=f"{word}{next(numbers)}") for device in listed
    )


def _memories(listed: tuple[AnyMemory, ...]) -> tuple[AnyMemory, ...]:
    """Modules by their slot, others counted by model."""
    numbers = {word: itertools.count() for word in _MEMORIES.values()}
    named: list[AnyMemory] = []
    for device in listed:
        if device.alias is None:
            word = _MEMORIES[type(device)]
            slot = device.address.slot if isinstance(device.address, DimmAddress) else next(numbers[word])
            device = replace(device, alias=f"{word}{slot}")
        named.append(device)
    return tuple(named)


def _host_devices(interfaces: tuple[Interface, ...], hostdevs: tuple[Hostdev, ...]) -> dict[str, Any]:
    """Network cards of the host count among the host devices, before the others."""
    cards = _count(tuple(each for each in interfaces if each.type == "hostdev"), "hostdev")
    named = iter(cards)
    others = iter(_count(tuple(each for each in interfaces if each.type != "hostdev"), "net"))
    numbers = itertools.count(len([each for each in cards if is_generated_alias(each.alias)]))
    return {
        "interfaces": tuple(next(named) if each.type == "hostdev" else next(others) for each in interfaces),
        "hostdevs": tuple(d if d.alias is not None else replace(d, alias=f"hostdev{next(numbers)}") for d in hostdevs),
    }


def next_alias(domain: Domain, field: str, device: Any) -> str:
    """A name for a device that joins a running guest: one past the highest of its kind. field: of Devices."""
    devices = domain.devices
    if field == "disks":
        return disk_alias(device, devices.controllers)
    if field == "controllers":
        return controller_alias(device, domain.os.machine or "")
    single = dict(_SINGLE).get(field)
    if single is not None:
        return single
    if isinstance(device, MemoryDevice):
        word = _MEMORIES[type(device)]
        if isinstance(device.address, DimmAddress):
            return f"{word}{device.address.slot}"
    elif isinstance(device, Interface) and device.type == "hostdev":
        word = "hostdev"
    else:
        word = dict((*_NUMBERED, *_COUNTED))[field]
    listed = (*devices.interfaces, *devices.hostdevs) if word == "hostdev" else getattr(devices, field)
    aliases = [each.alias or "" for each in listed]
    # The first console may be a serial port, and has its name then.
    words = ("console", "serial") if word == "console" else (word,)
    numbers = [alias.removeprefix(each) for alias in aliases for each in words if alias.startswith(each)]
    return f"{word}{max((int(number) for number in numbers if number.isdecimal()), default=-1) + 1}"


def controller_alias(controller: Controller, machine: str) -> str:
    """QEMU's own names for what is built into the board, else the type and index."""
    kind, index = controller.type, controller.index or 0
    if kind == "pci":
        return f"pcie.{index}" if controller.model == "pcie-root" else f"pci.{index}"
    if index == 0:
        if (kind == "ide" and is_i440fx(machine)) or (kind == "sata" and is_q35(machine)):
            return "ide"
        if kind == "usb":
            return "usb"
    return f"{kind}{index}"


def disk_alias(disk: Disk, controllers: tuple[Controller, ...]) -> str:
    """By drive address where there is one (`ide0-0-1`), else by name (`virtio-disk0`)."""
    bus, address = disk.target.bus, disk.address
    if not isinstance(address, DriveAddress):
        return f"{bus}-disk{disk_index(disk.target.dev)}"
    if bus == "scsi":
        model = next((c.model for c in controllers if c.type == "scsi" and c.index == address.controller), "")
        if model == "":
            raise InternalError(f"unable to find a SCSI controller for idx={address.controller}", domain=From.QEMU)
        if model != "lsilogic":
            return f"scsi{address.controller}-{address.bus}-{address.target}-{address.unit}"
    return f"{bus}{address.controller}-{address.bus}-{address.unit}"


__all__ = ["assign_aliases", "controller_alias", "disk_alias", "next_alias"]
