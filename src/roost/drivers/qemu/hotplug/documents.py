"""Where a device stands in a document: found, added, replaced, taken out. Dry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from roost.drivers.qemu.hotplug.classes import class_of
from roost.errors import DeviceMissing, From, InternalError, OperationFailed
from roost.model.domain import Domain
from roost.model.domain.device import CcwAddress, Device, PciAddress
from roost.model.domain.devices import DEVICE_CLASSES, Devices
from roost.model.domain.devices.chardev import Console, ConsoleTarget, PtyChar
from roost.model.domain.devices.controller import Controller
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.filesystem import Filesystem
from roost.model.domain.devices.graphics import Graphics
from roost.model.domain.devices.interface import Interface
from roost.model.domain.devices.memory import Dimm, MemoryDevice, Nvdimm
from roost.model.domain.diskname import disk_index

DeviceT = TypeVar("DeviceT")


def listed(domain: Domain, field: str) -> tuple[Any, ...]:
    """The devices in a field of Devices, those that a guest has once too."""
    value = getattr(domain.devices, field)
    if isinstance(value, tuple):
        return value
    return () if value is None else (value,)


def with_listed(domain: Domain, field: str, devices: Sequence[Any]) -> Domain:
    """The document with these devices in the field. The first alone where a guest has one at most."""
    single = not isinstance(getattr(domain.devices, field), tuple)
    value: Any = (devices[0] if devices else None) if single else tuple(devices)
    return replace(domain, devices=replace(domain.devices, **{field: value}))


def all_devices(domain: Domain) -> Iterator[Any]:
    """Every device, by class."""
    for field, _ in DEVICE_CLASSES:
        yield from listed(domain, field)


def alone(domain: Domain, devices: Sequence[Any]) -> Domain:
    """A document with no other devices than these."""
    made = replace(domain, devices=Devices(emulator=domain.devices.emulator))
    for device in devices:
        field = class_of(device).field
        made = with_listed(made, field, (*listed(made, field), device))
    return made


# -- finding -----------------------------------------------------------------------------------


def agrees(there: Any, wanted: Any) -> bool:
    """Whether a record is as another says that it is; what that leaves at its default is not said."""
    if not isinstance(wanted, msgspec.Struct):
        return bool(there == wanted)
    if type(there) is not type(wanted):
        return False
    for field in msgspec.structs.fields(wanted):
        value = getattr(wanted, field.name)
        if value is None or value == () or value == field.default:
            continue
        if not agrees(getattr(there, field.name), value):
            return False
    return True


def find(domain: Domain, wanted: Any) -> Any | None:
    """The device that `wanted` means; None when there is none. Raises as `find_interface` for interfaces."""
    devices = listed(domain, class_of(wanted).field)
    if isinstance(wanted, Interface):
        return find_interface(devices, wanted)
    return next((device for device in devices if _is_meant(device, wanted)), None)


def _is_meant(there: Any, wanted: Any) -> bool:
    if isinstance(wanted, Disk):
        return bool(there.target.dev == wanted.target.dev)
    if isinstance(wanted, Controller):
        return bool((there.type, there.index or 0) == (wanted.type, wanted.index or 0))
    if isinstance(wanted, Filesystem):
        return bool(there.target == wanted.target)
    if isinstance(wanted, Graphics):
        return type(there) is type(wanted)
    return agrees(there, wanted)


def find_interface(interfaces: Sequence[Interface], wanted: Interface) -> Interface:
    """By MAC address, guest address and alias, as far as given.

    Raises DeviceMissing for none and OperationFailed for several.
    """
    placed = wanted.address if isinstance(wanted.address, PciAddress | CcwAddress) else None
    found = [
        each
        for each in interfaces
        if wanted.mac in (None, each.mac)
        and (placed is None or each.address is None or agrees(each.address, placed))
        and (wanted.alias is None or each.alias in (None, wanted.alias))
    ]
    if len(found) == 1:
        return found[0]
    where = _place_text(placed)
    if not found:
        raise DeviceMissing(
            f"no device found at address '{where}' matching MAC address '{wanted.mac or '(<null>)'}' "
            f"and alias '{wanted.alias or '(<null>)'}'",
            domain=From.DOMAIN,
            hint="there are " + (", ".join(str(each.mac) for each in interfaces) or "no interfaces"),
        )
    if wanted.mac is not None:
        text = f"multiple devices matching MAC address {wanted.mac} found"
    else:
        text = "multiple matching devices found"
    raise OperationFailed(text, domain=From.DOMAIN, hint="give the <mac> or the guest's <address>")


def _place_text(address: PciAddress | CcwAddress | None) -> str:
    if isinstance(address, PciAddress):
        return f"{address.domain or 0:04x}:{address.bus or 0:02x}:{address.slot or 0:02x}.{address.function or 0:x}"
    if isinstance(address, CcwAddress):
        return f"{address.cssid or 0:x}.{address.ssid or 0:x}.{address.devno or 0:04x}"
    return "(<null>)"


def by_alias(domain: Domain, alias: str) -> Any:
    """The device with that alias. Raises InternalError."""
    for device in all_devices(domain):
        if getattr(device, "alias", None) == alias:
            return device
    raise InternalError(f"no device found with alias {alias}", domain=From.DOMAIN)


# -- changing ----------------------------------------------------------------------------------


def added(domain: Domain, device: Any) -> Domain:
    """The document with one more device, where libvirt puts it."""
    field = class_of(device).field
    devices = list(listed(domain, field))
    devices.insert(_position(devices, device), device)
    return _counted(with_listed(domain, field, devices), device, 1)


def removed(domain: Domain, device: Any) -> Domain:
    """The document without the device, and without the console that shows the same as the first serial port."""
    field = class_of(device).field
    devices = listed(domain, field)
    made = with_listed(domain, field, [each for each in devices if each is not device])
    first = next(iter(domain.devices.consoles), None)
    if field == "serials" and devices and devices[0] is device and first is not None and _is_serial(first):
        made = with_listed(made, "consoles", domain.devices.consoles[1:])
    return _counted(made, device, -1)


def exchanged(domain: Domain, device: Any, new: Any) -> Domain:
    """The document with `new` in the place of `device`."""
    field = class_of(device).field
    return with_listed(domain, field, [new if each is device else each for each in listed(domain, field)])


def _is_serial(console: Console) -> bool:
    return console.target is None or console.target.type in (None, "serial")


def _position(devices: Sequence[Any], device: Any) -> int:
    """Disks of one bus and controllers of one type stand together, in order; others come last."""
    if isinstance(device, Disk):
        keys = [(each.target.bus, disk_index(each.target.dev)) for each in devices]
        own: tuple[Any, int] = (device.target.bus, disk_index(device.target.dev))
    elif isinstance(device, Controller):
        keys = [(each.type, each.index or 0) for each in devices]
        own = (device.type, device.index or 0)
    else:
        return len(devices)
    same = [place for place, key in enumerate(keys) if key[0] == own[0]]
    if not same:
        return len(devices)
    return next((place for place in same if keys[place][1] > own[1]), same[-1] + 1)


def _counted(domain: Domain, device: Any, sign: int) -> Domain:
    """With the memory that a memory device brings or takes away; of virtio-mem the guest has what it plugs."""
    if not isinstance(device, MemoryDevice):
        return domain
    size = device.size * sign  # type: ignore[attr-defined]  # every member of the union has one
    current = domain.current_memory or domain.memory
    if isinstance(device, Dimm | Nvdimm):
        current += size
    return replace(domain, memory=domain.memory + size, current_memory=max(current, 0))


def with_console(domain: Domain) -> Domain:
    """The live document with the console that shows the same as its first serial port, if it has no console."""
    devices = domain.devices
    if devices.consoles or not devices.serials:
        return domain
    serial = devices.serials[0]
    console = Console(
        alias=serial.alias,
        address=serial.address,
        source=serial.source,
        tty=serial.source.path if isinstance(serial.source, PtyChar) else None,
        target=ConsoleTarget(type="serial", port=0),
    )
    return with_listed(domain, "consoles", (console,))


def newcomers(before: Domain, completed: Domain, field: str) -> list[Any]:
    """The devices of a completed document that a live one has not: they have no alias yet, or one of their own."""
    known = {each.alias for each in listed(before, field) if each.alias is not None}
    old = listed(before, field)
    return [each for each in listed(completed, field) if each.alias not in known and each not in old]


def scsi_controllers_alike(before: Domain, completed: Domain) -> list[Controller]:
    """The SCSI controllers that completion added and that would be of another model than those there, made alike."""
    there = [each for each in before.devices.controllers if each.type == "scsi"]
    if not there:
        return []
    new = [each for each in newcomers(before, completed, "controllers") if each.type == "scsi"]
    model = there[-1].model
    return [Controller(type="scsi", index=each.index, model=model) for each in new if each.model != model]


def implied(before: Domain, completed: Domain, device: Any) -> list[Device]:
    """Controllers and hubs that completion added for a device, in the order they must be made."""
    made: list[Device] = []
    for field in ("controllers", "hubs"):
        if field != class_of(device).field:
            made.extend(newcomers(before, completed, field))
    return made


__all__ = [
    "added", "agrees", "all_devices", "alone", "by_alias", "exchanged", "find", "find_interface", "implied", "listed",
    "newcomers", "removed", "scsi_controllers_alike", "with_console", "with_listed",
]  # fmt: skip
