"""What cannot join or leave a running guest, in libvirt's words. Dry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from roost.drivers.qemu.hotplug import documents
from roost.drivers.qemu.hotplug.classes import PRESENT, class_of
from roost.errors import ConfigUnsupported, From, InternalError, OperationFailed, OperationInvalid
from roost.errors import OperationUnsupported as Unsupported
from roost.model.domain import Domain
from roost.model.domain.device import DriveAddress, PciAddress
from roost.model.domain.devices.chardev import Console
from roost.model.domain.devices.controller import Controller
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.filesystem import Filesystem
from roost.model.domain.devices.lease import Lease
from roost.model.domain.devices.memory import AnyMemory, Dimm
from roost.model.domain.devices.shmem import Shmem
from roost.model.domain.devices.small import Input, Watchdog

#: Buses that a disk may come to and leave while the guest runs.
_DISK_BUSES = frozenset(("usb", "virtio", "scsi"))
_INPUT_BUSES = frozenset(("usb", "virtio"))


def _attach_disk(live: Domain, disk: Disk) -> None:
    if disk.device == "floppy":
        raise Unsupported("floppy device hotplug isn't supported", domain=From.QEMU)
    bus = disk.target.bus
    if bus is None:
        return
    if bus == "virtio" and disk.device == "cdrom":
        raise Unsupported("cdrom device with virtio bus isn't supported", domain=From.QEMU, hint="bus='scsi' has them")
    if bus == "usb" and disk.device == "lun":
        raise ConfigUnsupported("disk device='lun' is not supported for usb bus", domain=From.QEMU)
    if bus not in _DISK_BUSES:
        raise Unsupported(
            f"disk bus '{bus}' cannot be hotplugged.", domain=From.QEMU, hint="virtio, scsi and usb can be"
        )
    if bus == "scsi" and isinstance(disk.address, DriveAddress):
        others = (each for each in live.devices.disks if each.target.bus == "scsi" and each.alias != disk.alias)
        if any(each.address == disk.address for each in others):
            raise OperationInvalid("Domain already contains a disk with that address", domain=From.QEMU)


def _attach_controller(live: Domain, controller: Controller) -> None:
    if controller.type == "scsi" and controller.index is not None and documents.find(live, controller) is not None:
        raise OperationFailed(
            f"target scsi:{controller.index} already exists", domain=From.QEMU, hint="without index, it gets a free one"
        )
    if controller.type not in ("scsi", "virtio-serial"):
        raise Unsupported(f"'{controller.type}' controller cannot be hot plugged.", domain=From.QEMU)


def _attach_watchdog(live: Domain, watchdog: Watchdog) -> None:
    if live.devices.watchdogs:
        raise OperationInvalid("domain already has a watchdog", domain=From.QEMU)
    if watchdog.model != "i6300esb":
        raise Unsupported(f"hotplug of watchdog of model {watchdog.model} is not supported", domain=From.QEMU)


def _attach_input(live: Domain, device: Input) -> None:
    bus = "none" if device.type == "evdev" else device.bus
    if bus is not None and bus not in _INPUT_BUSES:
        raise Unsupported(
            f"input device on bus '{bus}' cannot be hot plugged.", domain=From.QEMU, hint="usb and virtio can be"
        )


def _attach_shmem(live: Domain, shmem: Shmem) -> None:
    if shmem.model == "ivshmem":
        raise Unsupported("live attach of shmem model 'ivshmem' is not supported", domain=From.QEMU)


def _attach_filesystem(live: Domain, filesystem: Filesystem) -> None:
    if filesystem.driver is None or filesystem.driver.type != "virtiofs":
        raise Unsupported("only virtiofs filesystems can be hotplugged", domain=From.QEMU)


def _attach_vsock(live: Domain, device: Any) -> None:
    if live.devices.vsock is not None:
        raise Unsupported("the domain already has a vsock device", domain=From.QEMU)


def _attach_chr(live: Domain, device: Any) -> None:
    if is_serial_console(device):
        raise ConfigUnsupported(
            "unsupported console target type serial", domain=From.QEMU, hint="attach a <serial>, or type='virtio'"
        )


def is_serial_console(device: Any) -> bool:
    """Whether it shows a serial port, and is no device of its own."""
    return isinstance(device, Console) and (device.target is None or device.target.type in (None, "serial"))


def _attach_lease(live: Domain, lease: Lease) -> None:
    if documents.find(live, lease) is not None:
        raise PRESENT["lease"](lease)


def check_room(domain: Domain, size: int) -> None:
    """size: in KiB. Raises for memory that goes beyond what the domain can have at most."""
    if domain.max_memory is not None and domain.memory + size > domain.max_memory.size:
        raise ConfigUnsupported(
            f"Attaching memory device with size '{size}' would exceed domain's maxMemory config size "
            f"'{domain.max_memory.size}'",
            domain=From.DOMAIN,
            hint=f"it has {domain.memory} KiB",
        )


def _attach_memory(live: Domain, device: AnyMemory) -> None:
    check_room(live, device.size)
    if live.max_memory is None or not live.max_memory.slots:
        if isinstance(device, Dimm):
            raise ConfigUnsupported(
                "cannot use/hotplug a memory device when domain 'maxMemory' is not defined",
                domain=From.QEMU,
                hint="set <maxMemory slots='16' unit='MiB'>…</maxMemory> and start the domain anew",
            )
        return
    slots = sum(not hasattr(each, "block") for each in live.devices.memories)
    if isinstance(device, Dimm) and slots >= live.max_memory.slots:
        raise ConfigUnsupported(
            f"memory device count '{slots + 1}' exceeds slots count '{live.max_memory.slots}'", domain=From.DOMAIN
        )


_ATTACH: Mapping[str, Callable[[Domain, Any], None]] = {
    "disk": _attach_disk,
    "controller": _attach_controller,
    "watchdog": _attach_watchdog,
    "input": _attach_input,
    "shmem": _attach_shmem,
    "filesystem": _attach_filesystem,
    "vsock": _attach_vsock,
    "memory": _attach_memory,
    "chr": _attach_chr,
    "lease": _attach_lease,
}


def check_attach(live: Domain, device: Any) -> None:
    """Raises for a device that cannot join the guest; what is not known of it yet is not checked."""
    rule = _ATTACH.get(class_of(device).called)
    if rule is not None:
        rule(live, device)


def check_implied(controllers: Iterable[Any]) -> None:
    """Raises for a new device's controllers that only a start can add."""
    for controller in controllers:
        if isinstance(controller, Controller) and controller.type == "pci":
            raise InternalError(
                "No more available PCI slots",
                domain=From.DOMAIN,
                hint="define more <controller type='pci' model='pcie-root-port'/> for devices that come later",
            )


# -- leaving -----------------------------------------------------------------------------------


def _detach_disk(live: Domain, disk: Disk) -> None:
    if disk.device == "floppy" or (disk.device == "cdrom" and disk.target.bus not in ("usb", "scsi")):
        raise Unsupported(
            f"disk device type '{disk.device}' cannot be detached", domain=From.QEMU, hint="change-media --eject"
        )
    if disk.target.bus not in _DISK_BUSES:
        raise Unsupported("This type of disk cannot be hot unplugged", domain=From.QEMU)


def _detach_controller(live: Domain, controller: Controller) -> None:
    if controller.type != "scsi":
        raise Unsupported(f"'{controller.type}' controller cannot be hot unplugged.", domain=From.QEMU)
    on_it = [
        name
        for name, address in (
            *((disk.target.dev, disk.address) for disk in live.devices.disks if disk.target.bus == "scsi"),
            *((str(hostdev.alias), hostdev.address) for hostdev in live.devices.hostdevs),
        )
        if isinstance(address, DriveAddress) and address.controller == (controller.index or 0)
    ]
    if on_it:
        raise OperationFailed(
            "device cannot be detached: device is busy",
            domain=From.QEMU,
            hint="it has " + ", ".join(on_it),
        )


def _detach_watchdog(live: Domain, watchdog: Watchdog) -> None:
    if watchdog.model != "i6300esb":
        raise Unsupported(f"hot unplug of watchdog of model {watchdog.model} is not supported", domain=From.QEMU)


def _detach_input(live: Domain, device: Input) -> None:
    if device.bus not in _INPUT_BUSES:
        raise Unsupported(f"input device on bus '{device.bus}' cannot be detached", domain=From.QEMU)


def _detach_shmem(live: Domain, shmem: Shmem) -> None:
    if shmem.model == "ivshmem":
        raise Unsupported("live detach of shmem model 'ivshmem' is not supported", domain=From.QEMU)


def _detach_filesystem(live: Domain, filesystem: Filesystem) -> None:
    if filesystem.driver is None or filesystem.driver.type != "virtiofs":
        raise Unsupported("only virtiofs filesystems can be hotplugged", domain=From.QEMU)


def _detach_chr(live: Domain, device: Any) -> None:
    if is_serial_console(device):
        raise OperationInvalid(
            "detaching serial console is not supported", domain=From.QEMU, hint="detach the <serial> it shows"
        )


_DETACH: Mapping[str, Callable[[Domain, Any], None]] = {
    "disk": _detach_disk,
    "controller": _detach_controller,
    "watchdog": _detach_watchdog,
    "input": _detach_input,
    "shmem": _detach_shmem,
    "filesystem": _detach_filesystem,
    "chr": _detach_chr,
}


def check_detach(live: Domain, device: Any) -> None:
    """Raises for a device of the guest that cannot leave it."""
    called = class_of(device).called
    rule = _DETACH.get(called)
    if rule is not None:
        rule(live, device)
    address = getattr(device, "address", None)
    if not isinstance(address, PciAddress):
        return
    where = f"{address.domain or 0:04x}:{address.bus or 0:02x}:{address.slot or 0:02x}.{address.function or 0:x}"
    if _shares_slot(live, device, address):
        raise OperationFailed(
            f"cannot hot unplug {called} device with multifunction PCI guest address: {where}", domain=From.QEMU
        )
    bus = next((c for c in live.devices.controllers if c.type == "pci" and (c.index or 0) == (address.bus or 0)), None)
    if bus is not None and bus.target is not None and bus.target.hotplug is False:
        raise OperationFailed(
            f"cannot hot unplug {called} device with PCI guest address: {where} - not allowed by controller",
            domain=From.QEMU,
        )


def _shares_slot(live: Domain, device: Any, address: PciAddress) -> bool:
    return any(
        isinstance(other := getattr(each, "address", None), PciAddress)
        and (other.domain, other.bus, other.slot) == (address.domain, address.bus, address.slot)
        for each in documents.all_devices(live)
        if each is not device
    )


__all__ = ["check_attach", "check_detach", "check_implied", "check_room", "is_serial_console"]
