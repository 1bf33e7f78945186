"""Disks, CD-ROM and floppy drives: the device the guest sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.images import CACHE_MODES, blockdevs, chain, is_empty, path_of, top_node
from roost.drivers.qemu.plan.pieces import Piece, Props, compact, device, option
from roost.drivers.qemu.plan.resources import File
from roost.errors import ConfigUnsupported, From, InternalError, InvalidArg
from roost.model.domain.device import DriveAddress
from roost.model.domain.devices.disk import BlockSource, DirSource, Disk


def _drive_address(disk: Disk) -> DriveAddress:
    if not isinstance(disk.address, DriveAddress):
        raise InternalError(f"disk '{disk.target.dev}' has no drive address", domain=From.QEMU)
    return disk.address


def _ide(disk: Disk, ctx: Context) -> Props:
    address = _drive_address(disk)
    bus = "ide" if ctx.has_builtin_ide else alias_of(ctx.controller("ide", address.controller))
    return {
        "driver": "ide-cd" if disk.device == "cdrom" else "ide-hd",
        "bus": f"{bus}.{address.bus}",
        "unit": address.unit,
    }


def _sata(disk: Disk, ctx: Context) -> Props:
    address = _drive_address(disk)
    builtin = ctx.is_q35 and address.controller == 0
    bus = "ide" if builtin else alias_of(ctx.controller("sata", address.controller))
    return {"driver": "ide-cd" if disk.device == "cdrom" else "ide-hd", "bus": f"{bus}.{address.unit}"}


#: Controllers of parallel SCSI: a bus of targets without units.
_PARALLEL_SCSI = frozenset(("lsilogic", "ncr53c90", "dc390", "am53c974"))
_SCSI_DRIVERS = {"lun": "scsi-block", "cdrom": "scsi-cd"}


def _scsi(disk: Disk, ctx: Context) -> Props:
    address = _drive_address(disk)
    controller = ctx.controller("scsi", address.controller)
    name = alias_of(controller)
    props: Props = {"driver": ctx.driver(_SCSI_DRIVERS.get(disk.device, "scsi-hd"), f"scsi {disk.device}")}
    place = f"{address.controller}-{address.bus}-{address.target}-{address.unit}"
    if controller.model in _PARALLEL_SCSI:
        place = f"{address.controller}-{address.bus}-{address.unit}"
        props |= {"bus": f"{name}.{address.bus}", "scsi-id": address.unit}
    else:
        props |= {"bus": f"{name}.0", "channel": address.bus, "scsi-id": address.target, "lun": address.unit}
    if disk.device != "lun":
        # The identification page of the guest's disk, which it may have stored.
        props["device_id"] = disk.serial or f"drive-scsi{place}"
    return props


def _virtio(disk: Disk, ctx: Context) -> Props:
    driver = disk.driver
    props = ctx.virtio("virtio-blk", disk, driver, disk.model)
    if driver is not None:
        props |= {
            "iothread": f"iothread{driver.iothread}" if driver.iothread else None,
            "ioeventfd": driver.ioeventfd,
            "event_idx": driver.event_idx,
            "num-queues": driver.queues or None,
            "queue-size": driver.queue_size or None,
        }
    if disk.device == "lun" and ctx.caps.has("virtio-blk-pci.scsi"):
        props["scsi"] = True
    return props | ctx.address(disk)


def _usb(disk: Disk, ctx: Context) -> Props:
    props = {"driver": ctx.driver("usb-storage", "usb disk"), **ctx.address(disk)}
    if ctx.caps.has("usb-storage.removable"):
        props["removable"] = bool(disk.target.removable)
    return props


def _floppy(disk: Disk, ctx: Context) -> Props:
    return {"driver": ctx.driver("floppy", "floppy"), "unit": _drive_address(disk).unit}


_BUSES: dict[str, Callable[[Disk, Context], Props]] = {
    "ide": _ide,
    "sata": _sata,
    "scsi": _scsi,
    "virtio": _virtio,
    "usb": _usb,
    "fdc": _floppy,
}


def _error_policies(disk: Disk) -> tuple[str | None, str | None]:
    """(werror, rerror)."""
    driver = disk.driver
    if driver is None:
        return None, None
    if driver.error_policy == "enospace":
        return "enospc", driver.rerror_policy
    return driver.error_policy, driver.rerror_policy or driver.error_policy


def _wwn(disk: Disk) -> int | None:
    if disk.wwn is None:
        return None
    try:
        return int(disk.wwn, 16)
    except ValueError:
        raise InvalidArg(f"Failed to parse wwn '{disk.wwn}' as number", domain=From.QEMU) from None


def _serial(disk: Disk) -> str | None:
    # libvirt quotes spaces for an option parser that JSON never meets, so that is what guests have seen as serial.
    return disk.serial.replace("\\", "\\\\").replace(" ", "\\ ") if disk.serial else None


def frontend(disk: Disk, ctx: Context) -> Piece:
    """The device the guest sees."""
    bus = _BUSES.get(disk.target.bus or "")
    if bus is None:
        raise ConfigUnsupported(
            f"unsupported disk bus '{disk.target.bus}' with device setup",
            domain=From.QEMU,
            hint="use one of " + ", ".join(sorted(_BUSES)),
        )
    driver, geometry, blockio = disk.driver, disk.geometry, disk.blockio
    cache = driver.cache if driver is not None and disk.device != "lun" else None
    werror, rerror = _error_policies(disk)
    props: dict[str, Any] = bus(disk, ctx)
    props |= {
        "share-rw": True if disk.shareable else None,
        "drive": top_node(disk, ctx),
        "id": alias_of(disk),
        # A floppy's place in the order is its controller's property.
        "bootindex": ctx.boot.get(alias_of(disk)) if disk.device != "floppy" else None,
        "wwn": _wwn(disk),
        "rotation_rate": disk.target.rotation_rate or None,
        "vendor": disk.vendor,
        "product": disk.product,
        "write-cache": ("on" if CACHE_MODES[cache][0] else "off") if cache else None,
        "serial": _serial(disk),
        "werror": werror,
        "rerror": rerror,
    }
    if blockio is not None:
        props["logical_block_size"] = blockio.logical_block_size or None
        props["physical_block_size"] = blockio.physical_block_size or None
        props["discard_granularity"] = blockio.discard_granularity
    if geometry is not None:
        props |= {"cyls": geometry.cyls or None, "heads": geometry.heads or None, "secs": geometry.secs or None}
        props["bios-chs-trans"] = geometry.trans
    return device(props)


def pieces(disk: Disk, ctx: Context) -> Iterator[Piece]:
    """Everything of one disk, in the order it must be made."""
    yield from blockdevs(disk, ctx)
    yield frontend(disk, ctx)


def _floppy_controller(ctx: Context) -> Iterator[Piece]:
    floppies = [disk for disk in ctx.domain.devices.disks if disk.target.bus == "fdc"]
    if not floppies:
        return
    indices = {
        "bootindexB" if _drive_address(disk).unit else "bootindexA": ctx.boot.get(alias_of(disk)) for disk in floppies
    }
    if ctx.is_q35:
        yield device({"driver": ctx.driver("isa-fdc", "fdc"), **indices})
        return
    for name, index in sorted(compact(indices).items()):
        yield option("-global", f"isa-fdc.{name}={index}")


def section(ctx: Context) -> Iterator[Piece]:
    yield from _floppy_controller(ctx)
    for disk in ctx.domain.devices.disks:
        yield from pieces(disk, ctx)


def throttle(disk: Disk) -> Props | None:
    """The arguments of block_set_io_throttle for the disk's <iotune>; None without limits."""
    tune = disk.iotune
    if tune is None:
        return None
    limits: Props = {"id": alias_of(disk)}
    for qmp, field in _THROTTLES:
        limits[qmp] = getattr(tune, field + "_sec") or 0
        limits[qmp + "_max"] = getattr(tune, field + "_sec_max") or None
        limits[qmp + "_max_length"] = getattr(tune, field + "_sec_max_length") or None
    limits["iops_size"] = tune.size_iops_sec or None
    limits["group"] = tune.group_name
    return compact(limits)


_THROTTLES = (
    ("bps", "total_bytes"),
    ("bps_rd", "read_bytes"),
    ("bps_wr", "write_bytes"),
    ("iops", "total_iops"),
    ("iops_rd", "read_iops"),
    ("iops_wr", "write_iops"),
)


_FILE_KINDS: dict[type, str] = {BlockSource: "block", DirSource: "directory"}


def needs(ctx: Context) -> Iterator[File]:
    for disk in ctx.domain.devices.disks:
        if is_empty(disk):
            continue
        for image in chain(disk, ctx):
            path = path_of(image.source)
            assert path is not None
            yield File(
                path,
                write=not image.readonly,
                user=disk.target.dev,
                kind=_FILE_KINDS.get(type(image.source), "image"),
                shared=disk.shareable,
                optional=image.source.startup_policy in ("optional", "requisite"),
            )
