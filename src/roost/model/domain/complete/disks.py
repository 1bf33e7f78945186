"""Defaults of disks: bus from the name, driver, drive addresses, and the controllers those need."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from roost.errors import From, InternalError, XmlError
from roost.model.domain.complete.sources import complete_backing, complete_encryption, complete_source
from roost.model.domain.device import DriveAddress
from roost.model.domain.devices.disk import (
    AnyDiskSource,
    Disk,
    DiskBus,
    DiskDriver,
    DiskTarget,
    FileSource,
    IoTune,
)
from roost.model.domain.devices.disksource import MAY_BE_EMPTY
from roost.model.domain.diskname import disk_index, nvme_place
from roost.model.domain.draft import Draft

#: Bus meant by the first letters of a device name; longest first. Anything else is IDE.
_BUS_BY_PREFIX: tuple[tuple[str, DiskBus], ...] = (
    ("hd", "ide"),
    ("sd", "scsi"),
    ("vd", "virtio"),
    ("xvd", "xen"),
    ("ubd", "uml"),
    ("nvme", "nvme"),
)

#: Controllers made for disks, in this order.
CONTROLLER_BUSES: tuple[DiskBus, ...] = ("scsi", "fdc", "ide", "sata", "nvme")

#: A disk on a controller asks for all those before it; no machine has slots for more.
_MAX_CONTROLLER = 255

_EMPTY_SOURCES: dict[type, AnyDiskSource] = {kind: kind() for kind in MAY_BE_EMPTY}
_DEFAULT_DRIVER = DiskDriver(name="qemu", type="raw")


def complete_disks(draft: Draft, driver: DiskDriver | None = _DEFAULT_DRIVER) -> None:
    """Disks of one bus, as it was written, stand together, by name, where the first of them stood.

    driver: of those that name none.
    """
    by_bus: dict[str | None, list[Disk]] = {}
    for disk in draft.disks:
        done = _with_group(_complete(disk, driver), draft.disks)
        by_bus.setdefault(disk.target.bus, []).append(done)
    draft.disks[:] = [disk for disks in by_bus.values() for disk in sorted(disks, key=_order)]


def _order(disk: Disk) -> tuple[int, int]:
    return nvme_place(disk.target.dev) or (disk_index(disk.target.dev), 0)


def _complete(disk: Disk, driver: DiskDriver | None) -> Disk:
    changes: dict[str, Any] = {
        "target": _target(disk),
        "driver": _driver(disk, driver) if driver is not None else disk.driver,
        "readonly": disk.readonly or disk.device == "cdrom",
        "source": _source(disk),
        "backing_store": complete_backing(disk.backing_store),
    }
    if disk.address is None:
        changes["address"] = drive_address(changes["target"].dev, changes["target"].bus)
    if disk.encryption is not None:
        changes["encryption"] = complete_encryption(disk.encryption)
    if disk.geometry is not None and not (disk.geometry.cyls and disk.geometry.heads and disk.geometry.secs):
        changes["geometry"] = None
    if disk.mirror is not None and disk.mirror.format is None:
        changes["mirror"] = replace(disk.mirror, format="raw")
    if changes["readonly"] and disk.snapshot == "no":
        # What cannot be written needs no snapshot, so it is not said.
        changes["snapshot"] = None
    elif disk.type == "vhostuser" and disk.snapshot is None:
        changes["snapshot"] = "no"
    changes = {name: value for name, value in changes.items() if value is not getattr(disk, name)}
    return replace(disk, **changes) if changes else disk


def _target(disk: Disk) -> DiskTarget:
    target = disk.target
    name = target.dev.removeprefix("ioemu:")
    if target.bus is None or name != target.dev:
        target = replace(target, dev=name, bus=target.bus or _bus(disk))
    return target


def _driver(disk: Disk, default: DiskDriver) -> DiskDriver:
    driver = disk.driver
    if driver is None:
        return replace(default, type=None) if disk.type == "volume" else default
    if driver.name is None or (driver.type is None and disk.type != "volume"):
        return replace(driver, name=driver.name or default.name, type=driver.type or default.type)
    return driver


def _source(disk: Disk) -> AnyDiskSource:
    """The source; that of a drive without any <source> is a file, whatever type was named."""
    source = disk.source
    if source == _EMPTY_SOURCES.get(type(source)):
        return FileSource()
    return complete_source(source)


def _with_group(disk: Disk, disks: list[Disk]) -> Disk:
    """A disk that only names its throttle group gets the limits of another in the group."""
    tune = disk.iotune
    if tune is None or tune.group_name is None or tune != IoTune(group_name=tune.group_name):
        return disk
    for other in disks:
        if other.iotune is not None and other.iotune.group_name == tune.group_name and other.iotune != tune:
            return replace(disk, iotune=other.iotune)
    return disk


def _bus(disk: Disk) -> DiskBus:
    if disk.device == "floppy":
        return "fdc"
    for prefix, bus in _BUS_BY_PREFIX:
        if disk.target.dev.startswith(prefix):
            return bus
    return "ide"


def drive_address(name: str, bus: str) -> DriveAddress | None:
    """Where a disk without an address sits on its bus; None for buses without drives. Raises XmlError."""
    nvme = nvme_place(name)
    if nvme is not None and bus == "nvme":
        return DriveAddress(controller=nvme[0], unit=nvme[1])
    number = disk_index(name)
    if number < 0:
        raise XmlError(
            f"Unknown disk name '{name}' and no address specified",
            domain=From.DOMAIN,
            hint="names are like vda, sdb, hdc, fda",
        )
    if bus == "scsi":
        return DriveAddress(controller=number // 7, unit=number % 7)
    if bus == "ide":
        return DriveAddress(controller=number // 4, bus=number % 4 // 2, unit=number % 2)
    if bus == "sata":
        return DriveAddress(controller=number // 6, unit=number % 6)
    if bus == "fdc":
        return DriveAddress(controller=number // 2, unit=number % 2)
    return None


def add_disk_controllers(draft: Draft) -> None:
    """One controller for each number up to the highest that a disk's address names."""
    if not draft.disks:
        return
    highest: dict[str, int] = {}
    for disk in draft.disks:
        if isinstance(disk.address, DriveAddress) and disk.target.bus:
            bus = disk.target.bus
            highest[bus] = max(highest.get(bus, -1), disk.address.controller)
            if disk.address.controller > _MAX_CONTROLLER:
                raise InternalError(
                    "a PCI slot is needed to connect a PCI controller model='pci-bridge', but none is available, "
                    "and it cannot be automatically added",
                    domain=From.DOMAIN,
                    hint=f"disk {disk.target.dev} is on {bus} controller {disk.address.controller}",
                )
    for bus in CONTROLLER_BUSES:
        for index in range(highest.get(bus, -1) + 1):
            draft.ensure_controller(bus, index)


__all__ = ["add_disk_controllers", "complete_disks", "drive_address"]
