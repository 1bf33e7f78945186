"""Disks, CD-ROM and floppy drives: the device the guest sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from roost.drivers.qemu.plan.blocks import blockdevs, top_node
from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.images import CACHE_MODES, Image, all_images, cache_of, path_of
from roost.drivers.qemu.plan.iothreads import iothread_props
from roost.drivers.qemu.plan.pieces import Piece, Props, compact, device, escape, option
from roost.drivers.qemu.plan.resources import File, HostDevice, Need, Opened, Secret
from roost.errors import ConfigUnsupported, From, InternalError, InvalidArg
from roost.model.domain.device import DriveAddress
from roost.model.domain.devices.disk import (
    BlockSource,
    DirSource,
    Disk,
    DiskDriver,
    FileSource,
    NetworkSource,
    NvmeSource,
    VhostUserSource,
    VhostVdpaSource,
)
from roost.model.domain.diskname import disk_index


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
    if controller.model in _PARALLEL_SCSI:
        props |= {"bus": f"{name}.{address.bus}", "scsi-id": address.unit}
    else:
        props |= {"bus": f"{name}.0", "channel": address.bus, "scsi-id": address.target, "lun": address.unit}
    if disk.device != "lun":
        # The identification page of the guest's disk, which it may have stored.
        props["device_id"] = disk.serial or f"drive-{alias_of(disk)}"
    return props


def _virtio(disk: Disk, ctx: Context) -> Props:
    driver = disk.driver
    served = isinstance(disk.source, VhostUserSource)
    props = ctx.virtio("vhost-user-blk" if served else "virtio-blk", disk, driver, disk.model)
    if driver is not None:
        props |= {
            **iothread_props(driver.iothread, driver.iothreads),
            "ioeventfd": driver.ioeventfd,
            "event_idx": driver.event_idx,
            "num-queues": driver.queues or None,
            "queue-size": driver.queue_size or None,
        }
    if disk.device == "lun" and not served and ctx.caps.has("virtio-blk-pci.scsi"):
        props["scsi"] = True
    return props | ctx.address(disk)


def _usb(disk: Disk, ctx: Context) -> Props:
    props = {"driver": ctx.driver("usb-storage", "usb disk"), **ctx.address(disk)}
    if ctx.caps.has("usb-storage.removable"):
        props["removable"] = bool(disk.target.removable)
    return props


def _floppy(disk: Disk, ctx: Context) -> Props:
    return {"driver": ctx.driver("floppy", "floppy"), "unit": _drive_address(disk).unit}


def _nvme(disk: Disk, ctx: Context) -> Props:
    address = _drive_address(disk)
    bus = alias_of(ctx.controller("nvme", address.controller))
    return {"driver": ctx.driver("nvme-ns", "nvme namespace"), "bus": bus, "nsid": address.unit}


_BUSES: dict[str, Callable[[Disk, Context], Props]] = {
    "ide": _ide,
    "sata": _sata,
    "scsi": _scsi,
    "virtio": _virtio,
    "usb": _usb,
    "fdc": _floppy,
    "nvme": _nvme,
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


def _intervals(disk: Disk) -> list[int] | None:
    intervals = disk.driver.statistics if disk.driver is not None else ()
    return [each.interval for each in intervals] or None


def frontend(disk: Disk, ctx: Context) -> Piece:
    """The device the guest sees."""
    bus = _BUSES.get(disk.target.bus or "")
    if bus is None:
        raise ConfigUnsupported(
            f"unsupported disk bus '{disk.target.bus}' with device setup",
            domain=From.QEMU,
            hint="use one of " + ", ".join(sorted(_BUSES)),
        )
    geometry, blockio = disk.geometry, disk.blockio
    cache = cache_of(disk) if disk.device != "lun" else None
    werror, rerror = _error_policies(disk)
    props: dict[str, Any] = bus(disk, ctx)
    props |= {
        "share-rw": True if disk.shareable else None,
        "drive": top_node(disk, ctx),
        "chardev": _chardev_name(disk) if isinstance(disk.source, VhostUserSource) else None,
        "id": alias_of(disk),
        # A floppy's place in the order is its controller's property.
        "bootindex": ctx.boot.get(alias_of(disk)) if disk.device != "floppy" else None,
        "wwn": _wwn(disk),
        "rotation_rate": disk.target.rotation_rate or None,
        "dpofua": disk.target.dpofua,
        "vendor": disk.vendor,
        "product": disk.product,
        "write-cache": ("on" if CACHE_MODES[cache][0] else "off") if cache else None,
        "serial": _serial(disk),
        "werror": werror,
        "rerror": rerror,
        "stats-intervals": _intervals(disk),
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
    if disk.target.bus == "sd":
        yield _card(disk)
        return
    if isinstance(disk.source, VhostUserSource):
        yield _chardev(disk, disk.source)
    yield from blockdevs(disk, ctx)
    yield frontend(disk, ctx)


def _card(disk: Disk) -> Piece:
    """A card in the board's own reader, which takes no block node."""
    driver = disk.driver or DiskDriver()
    words = [
        f"file={escape(path_of(disk.source) or '')}",
        f"format={driver.type or 'raw'}",
        "if=sd",
        f"index={disk_index(disk.target.dev)}",
    ]
    if disk.readonly:
        words.append("readonly=on")
    words.extend(
        f"{name}={value}"
        for name, value in (("cache", cache_of(disk)), ("discard", driver.discard), ("aio", driver.io))
        if value is not None
    )
    return option("-drive", ",".join(words))


def _chardev_name(disk: Disk) -> str:
    return f"chr-vu-{alias_of(disk)}"


def _chardev(disk: Disk, source: VhostUserSource) -> Piece:
    """The way to the process that serves the disk."""
    data: Props = {"addr": {"type": "unix", "data": {"path": source.path}}}
    if source.reconnect is not None and source.reconnect.enabled is not None:
        data["reconnect"] = (source.reconnect.timeout or 0) if source.reconnect.enabled else 0
    return Piece("chardev", {"id": _chardev_name(disk), "backend": {"type": "socket", "data": data}})


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


_FILE_KINDS: dict[type, str] = {BlockSource: "block", DirSource: "directory"}
#: Kinds of secrets that servers want; those not listed take any of the web's.
_SECRET_KINDS = {"rbd": "ceph"}


def needs(ctx: Context) -> Iterator[Need]:
    for disk, image in all_images(ctx):
        yield from _image_needs(disk, image)
    for disk in ctx.domain.devices.disks:
        if isinstance(disk.source, VhostUserSource):
            yield File(disk.source.path, write=True, user=disk.target.dev, kind="socket")


def _image_needs(disk: Disk, image: Image) -> Iterator[Need]:
    source, user = image.source, disk.target.dev
    is_handed_over = isinstance(source, FileSource) and source.fdgroup is not None
    path = path_of(source)
    if path is not None and not is_handed_over:
        yield File(
            path,
            write=not image.readonly,
            user=user,
            kind=_FILE_KINDS.get(type(source), "image"),
            shared=disk.shareable,
            optional=source.startup_policy in ("optional", "requisite"),
        )
    if isinstance(source, NvmeSource):
        yield HostDevice(f"{image.storage_node}-nvme", "pci", str(source.address), managed=bool(source.managed))
    if isinstance(source, VhostVdpaSource) and source.dev is not None:
        complaint = f"Unable to open '{source.dev}' for vdpa device"
        yield Opened(image.storage_node, source.dev, complaint)
    if isinstance(source, NetworkSource):
        for host in source.hosts:
            if host.socket is not None:
                yield File(host.socket, write=True, user=user, kind="socket")
    held = source.reservations
    if held is not None and not held.managed and held.source is not None:
        yield File(held.source.path, write=True, user=user, kind="socket")
    yield from _secrets(image)


def _secrets(image: Image) -> Iterator[Secret]:
    source, keys = image.source, image.keys
    if image.auth is not None and keys.auth is not None:
        wanted = image.auth.secret
        kind = _SECRET_KINDS.get(source.protocol or "", "iscsi") if isinstance(source, NetworkSource) else "iscsi"
        yield Secret(keys.auth, kind, wanted.uuid, wanted.usage)
    if image.encryption is not None and keys.encryption is not None:
        first = image.encryption.secrets[0]
        yield Secret(keys.encryption, "volume", first.uuid, first.usage)
    if keys.cookies is not None:
        yield Secret(keys.cookies, value=image.cookie_text)
