"""Rules about disks that are QEMU's own."""

from __future__ import annotations

from typing import Any

from roost.errors import ArgumentUnsupported, ConfigUnsupported, InternalError
from roost.model.domain.device import DriveAddress, UsbAddress
from roost.model.domain.devices.disk import (
    ThrottleLimits,
)
from roost.model.domain.diskname import disk_index, nvme_place
from roost.model.domain.validate.disks_common import is_empty
from roost.model.domain.validate.rules import Rule, Rules

_SERIAL_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_ .+")
#: Buses that disks are plugged into while the guest runs.
_HOTPLUGGED = frozenset(("usb", "virtio", "scsi"))
_TUNE_MAX = 1000000000000000
_TUNE_FIELDS = tuple(
    name for name in ThrottleLimits.__struct_fields__ if name != "group_name" and not name.endswith("_length")
)
#: What several guests may write to at once.
_SHAREABLE_FORMATS = frozenset(("raw", None))


def _has_geometry(d: Any) -> bool:
    g = d.geometry
    return bool(g.cyls and g.heads and g.secs)


def _has_limits(tune: Any) -> bool:
    return any(getattr(tune, name) for name in _TUNE_FIELDS)


#: What QEMU cannot do.
QEMU_RULES = Rules(
    Rule(
        lambda d, c: _has_geometry(d) and d.target.bus in ("usb", "sd"),
        "CHS geometry can not be set for '{d.target.bus}' bus",
        about="geometry",
    ),
    Rule(
        lambda d, c: _has_geometry(d) and d.target.bus != "ide",
        "CHS translation mode can only be set for 'ide' bus not '{d.target.bus}'",
        about="geometry.trans",
    ),
    Rule(
        lambda d, c: d.serial and d.target.bus == "sd",
        "Serial property not supported for drive bus '{d.target.bus}'",
        error=InternalError,
        about="serial",
    ),
    Rule(
        lambda d, c: d.target.bus in ("virtio", "sd"),
        "disk type of '{d.target.dev}' does not support ejectable media",
        "bus='sata', 'scsi', 'ide' or 'usb'",
        about="device=cdrom",
    ),
    Rule(
        lambda d, c: d.driver.copy_on_read and d.readonly,
        "copy_on_read is not compatible with read-only disk '{d.target.dev}'",
        about="driver.copy_on_read",
    ),
    Rule(
        lambda d, c: d.driver.copy_on_read and d.device in ("cdrom", "floppy"),
        "copy_on_read is not supported with removable disk '{d.target.dev}'",
        about="driver.copy_on_read",
    ),
    Rule(
        lambda d, c: d.wwn and d.target.bus not in ("ide", "scsi"),
        "Only ide and scsi disk support wwn",
        about="wwn",
    ),
    Rule(
        lambda d, c: (d.vendor or d.product) and d.target.bus != "scsi",
        "Only scsi disk supports vendor and product",
    ),
    Rule(
        lambda d, c: d.target.bus not in ("virtio", "scsi"),
        "disk device='lun' is not supported for bus='{d.target.bus}'",
        about="device=lun",
    ),
    Rule(
        lambda d, c: d.driver.copy_on_read,
        "copy_on_read is not compatible with 'lun' disk '{d.target.dev}'",
        about="device=lun",
    ),
    Rule(
        lambda d, c: d.wwn,
        "Setting wwn is not supported for lun device",
        about="device=lun",
    ),
    Rule(
        lambda d, c: d.vendor or d.product,
        "Setting vendor or product is not supported for lun device",
        about="device=lun",
    ),
    Rule(
        lambda d, c: d.target.rotation_rate and d.target.bus not in ("scsi", "ide", "sata"),
        "rotation rate is only valid for SCSI/IDE/SATA bus",
        error=InternalError,
        about="target.rotation_rate",
    ),
    Rule(
        lambda d, c: d.target.rotation_rate and d.device != "disk",
        "rotation rate is only valid for disk device",
        error=InternalError,
        about="target.rotation_rate",
    ),
    Rule(
        lambda d, c: d.address is not None and not isinstance(d.address, UsbAddress),
        "unexpected address type for usb disk",
        error=InternalError,
        about="target.bus=usb",
    ),
    Rule(
        lambda d, c: d.readonly and d.device == "disk" and d.target.bus in ("ide", "sata"),
        "readonly {d.target.bus} disks are not supported",
        "leave <readonly/> out, or bus='virtio' or 'scsi'",
        about="readonly",
    ),
    Rule(
        lambda d, c: d.driver.cache not in ("none", "directsync"),
        "io='native' needs either no disk cache or directsync cache mode",
        "cache='none'",
        about="driver.io=native",
    ),
    Rule(
        lambda d, c: d.serial and d.target.bus == "scsi" and d.device == "lun",
        "scsi-block 'lun' devices do not support the serial property",
        about="serial",
    ),
    Rule(
        lambda d, c: d.serial and not _SERIAL_CHARS.issuperset(d.serial),
        "driver serial '{d.serial}' contains unsafe characters",
        "letters, digits, blanks and any of - _ . +",
        InternalError,
        about="serial",
    ),
    Rule(
        lambda d, c: d.driver.iothread and d.target.bus != "virtio",
        "IOThreads not available for bus {d.target.bus} target {d.target.dev}",
        "bus='virtio', or iothread in the <driver> of a virtio-scsi controller",
        about="driver.iothread",
    ),
    Rule(
        lambda d, c: not c.has_iothread(d.driver.iothread),
        "Disk iothread '{d.driver.iothread}' not defined in iothreadid",
        "add <iothreads>{d.driver.iothread}</iothreads>",
        about="driver.iothread",
    ),
    Rule(
        lambda d, c: d.iotune.group_name and not _has_limits(d.iotune),
        "group_name can be configured only together with settings",
        "add the limits, in one of the group's disks at least",
        about="iotune",
    ),
    Rule(
        lambda d, c: any((getattr(d.iotune, name) or 0) > _TUNE_MAX for name in _TUNE_FIELDS),
        f"block I/O throttle limit must be no more than {_TUNE_MAX} using QEMU",
        error=ArgumentUnsupported,
        about="iotune",
    ),
    Rule(
        lambda d, c: d.throttle_filters and d.iotune is not None,
        "block 'throttlefilters' can't be used together with 'iotune'",
        "keep one of them",
        about="throttle_filters",
    ),
    Rule(
        lambda d, c: any(f.group not in {g.group_name for g in c.domain.throttle_groups} for f in d.throttle_filters),
        "throttle group of disk '{d.target.dev}' not found",
        "define it in <throttlegroups>",
        about="throttle_filters",
    ),
    Rule(
        lambda d, c: is_empty(d),
        "transient disk '{d.target.dev}' must not be empty",
        about="transient",
    ),
    Rule(
        lambda d, c: d.readonly,
        "transient disk '{d.target.dev}' must not be read-only",
        about="transient",
    ),
    Rule(
        lambda d, c: d.type != "file",
        "transient disk supported only with 'file' type ({d.target.dev})",
        about="transient",
    ),
    Rule(
        lambda d, c: d.device != "disk",
        "transient disk supported only with 'disk' device ({d.target.dev})",
        about="transient",
    ),
    Rule(
        lambda d, c: d.transient.share_backing and d.target.bus not in _HOTPLUGGED,
        "disk bus '{d.target.bus}' doesn't support transiend disk backing image sharing",
        "bus='virtio', 'scsi' or 'usb'",
        about="transient",
    ),
    Rule(
        lambda d, c: d.shareable and not d.readonly and d.driver.type not in _SHAREABLE_FORMATS,
        "shared access for disk '{d.target.dev}' requires use of supported storage format",
        "type='raw' in <driver>",
        about="shareable",
    ),
    Rule(
        lambda d, c: d.driver.name != "qemu",
        "unsupported driver name '{d.driver.name}' for disk '{d.target.dev}'",
        "name='qemu'",
    ),
    Rule(
        lambda d, c: disk_index(d.target.dev) < 0 and (d.target.bus != "nvme" or nvme_place(d.target.dev) is None),
        "invalid disk target '{d.target.dev}'",
    ),
    Rule(
        lambda d, c: d.target.dev[-1].isdigit() and d.target.bus != "nvme",
        "invalid disk target '{d.target.dev}', partitions can't appear in disk targets",
    ),
)


def _drive(bus: str, field: str, text: str, *, internal: bool = False, hint: str = "") -> Rule:
    return Rule(
        lambda d, c: isinstance(d.address, DriveAddress) and getattr(d.address, field) != 0,
        text,
        hint,
        InternalError if internal else ConfigUnsupported,
        only=frozenset((bus,)),
    )


#: Drive addresses that QEMU's controllers do not have.
ADDRESS_RULES = Rules(
    _drive("scsi", "bus", "SCSI controller only supports 1 bus", internal=True),
    Rule(
        lambda d, c: (
            isinstance(d.address, DriveAddress)
            and d.address.target != 0
            and any(
                k.type == "scsi" and k.index == d.address.controller and k.model == "lsilogic"
                for k in c.domain.devices.controllers
            )
        ),
        "target must be 0 for controller model 'lsilogic'",
        "model='virtio-scsi' has more",
        about="target.bus=scsi",
    ),
    _drive(
        "ide", "controller", "Only 1 IDE controller is supported", internal=True, hint="hda to hdd, the rest elsewhere"
    ),
    _drive("ide", "target", "target must be 0 for ide controller"),
    _drive("fdc", "controller", "Only 1 fdc controller is supported", internal=True, hint="fda and fdb"),
    _drive("fdc", "bus", "Only 1 fdc bus is supported", internal=True),
    _drive("fdc", "target", "target must be 0 for controller fdc"),
    _drive("sata", "bus", "bus must be 0 for sata controller"),
    _drive("sata", "target", "target must be 0 for sata controller"),
)


__all__ = ["ADDRESS_RULES", "QEMU_RULES"]
