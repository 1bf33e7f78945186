"""Defaults of disks: bus from the name, driver, drive addresses, and the controllers those need."""

from __future__ import annotations

from msgspec.structs import replace

from roost.errors import From, InternalError, XmlError
from roost.model.domain.device import DriveAddress
from roost.model.domain.devices.disk import Disk, DiskBus, DiskDriver
from roost.model.domain.diskname import disk_index
from roost.model.domain.draft import Draft

#: Bus meant by the first letters of a device name; longest first. Anything else is IDE.
_BUS_BY_PREFIX: tuple[tuple[str, DiskBus], ...] = (
    ("hd", "ide"),
    ("sd", "scsi"),
    ("vd", "virtio"),
    ("xvd", "xen"),
    ("ubd", "uml"),
)

#: Controllers made for disks, in this order.
CONTROLLER_BUSES: tuple[DiskBus, ...] = ("scsi", "fdc", "ide", "sata")

#: A disk on a controller asks for all those before it; no machine has slots for more.
_MAX_CONTROLLER = 255

_DEFAULT_DRIVER = DiskDriver(name="qemu", type="raw")


def complete_disks(draft: Draft) -> None:
    """Disks of one bus stand together, by name, where the first of them stood."""
    by_bus: dict[str | None, list[Disk]] = {}
    for disk in draft.disks:
        done = _complete(disk)
        by_bus.setdefault(done.target.bus, []).append(done)
    draft.disks[:] = [
        disk for disks in by_bus.values() for disk in sorted(disks, key=lambda d: disk_index(d.target.dev))
    ]


def _complete(disk: Disk) -> Disk:
    target = disk.target
    if target.bus is None:
        target = replace(target, bus=_bus(disk))
    driver = disk.driver
    if driver is None:
        driver = replace(_DEFAULT_DRIVER, type=None) if disk.type == "volume" else _DEFAULT_DRIVER
    elif driver.name is None or (driver.type is None and disk.type != "volume"):
        driver = replace(driver, name=driver.name or "qemu", type=driver.type or "raw")
    readonly = disk.readonly or disk.device == "cdrom"
    address = disk.address
    if address is None:
        address = drive_address(target.dev, str(target.bus))
    if target is disk.target and driver is disk.driver and address is disk.address and readonly == disk.readonly:
        return disk
    return replace(disk, target=target, driver=driver, readonly=readonly, address=address)


def _bus(disk: Disk) -> DiskBus:
    if disk.device == "floppy":
        return "fdc"
    for prefix, bus in _BUS_BY_PREFIX:
        if disk.target.dev.startswith(prefix):
            return bus
    return "ide"


def drive_address(name: str, bus: str) -> DriveAddress | None:
    """Where a disk without an address sits on its bus; None for buses without drives. Raises XmlError."""
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
