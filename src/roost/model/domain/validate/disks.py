"""Rules about disks."""

from __future__ import annotations

from typing import Any

from roost.errors import ArgumentUnsupported, ConfigUnsupported, From, InternalError, NoSource, XmlError
from roost.model.domain.device import DriveAddress, UsbAddress
from roost.model.domain.devices.disk import (
    BlockSource,
    DirSource,
    Disk,
    FileSource,
    NetworkSource,
    ThrottleLimits,
    VolumeSource,
)
from roost.model.domain.diskname import disk_index, nvme_place
from roost.model.domain.domain import Domain
from roost.model.domain.validate.images import VHOST_USER_RULES, requires_shared_memory
from roost.model.domain.validate.rules import Rule, Rules, by_kind, given, virtio_only

_DISK_NAMES = ("hd", "sd", "vd", "xvd", "ubd", "nvme")
_SERIAL_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_ .+")
_BUSES = frozenset(("ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd", "nvme"))
_NOT_VIRTIO = _BUSES - {"virtio"}
_DRIVE_BUSES = frozenset(("ide", "fdc", "scsi", "sata", "nvme"))
#: Buses that disks are plugged into while the guest runs.
_HOTPLUGGED = frozenset(("usb", "virtio", "scsi"))
_TUNE_MAX = 1000000000000000
_TUNE_FIELDS = tuple(
    name for name in ThrottleLimits.__struct_fields__ if name != "group_name" and not name.endswith("_length")
)
#: What several guests may write to at once.
_SHAREABLE_FORMATS = frozenset(("raw", None))
_TUNED = (
    ("total_bytes_sec", "bytes_sec"),
    ("total_iops_sec", "iops_sec"),
    ("total_bytes_sec_max", "bytes_sec_max"),
    ("total_iops_sec_max", "iops_sec_max"),
)


def is_empty(disk: Any) -> bool:
    """Whether no medium is in the drive."""
    source = disk.source
    if isinstance(source, FileSource):
        return not source.file and not source.fdgroup
    if isinstance(source, BlockSource):
        return not source.dev
    if isinstance(source, DirSource):
        return not source.dir
    if isinstance(source, VolumeSource):
        return not source.pool
    return isinstance(source, NetworkSource) and source.protocol is None


def source_text(disk: Any) -> str:
    """A disk's source as messages name it."""
    source = disk.source
    for name in ("file", "dev", "dir", "name"):
        value = getattr(source, name, None)
        if value:
            return str(value)
    return "<null>"


def _limits_twice(total: str, kind: str) -> Rule:
    read, write = f"read_{kind}", f"write_{kind}"
    return Rule(
        lambda d, c: getattr(d.iotune, total) and (getattr(d.iotune, read) or getattr(d.iotune, write)),
        f"total and read/write {kind} cannot be set at the same time",
        "keep the total, or the two parts",
        XmlError,
        From.DOMAIN,
        about="iotune",
    )


def _has_geometry(d: Any) -> bool:
    g = d.geometry
    return bool(g.cyls and g.heads and g.secs)


def _has_limits(tune: Any) -> bool:
    return any(getattr(tune, name) for name in _TUNE_FIELDS)


#: Sources that are not of this host's file system.
_NOT_LOCAL = frozenset(("network", "nvme", "vhostuser", "vhostvdpa"))


def _scsi_text(name: str, size: int) -> tuple[Rule, Rule]:
    return (
        Rule(
            lambda d, c: not all(" " <= letter <= "~" for letter in getattr(d, name)),
            f"disk {name} is not printable string",
            error=XmlError,
            origin=From.DOMAIN,
            about=name,
        ),
        Rule(
            lambda d, c: len(getattr(d, name)) > size,
            f"disk {name} is more than {size} characters",
            origin=From.DOMAIN,
            about=name,
        ),
    )


#: What libvirt checks for every hypervisor, in its order.
_COMMON = Rules(
    Rule(
        given,
        "unfiltered sgio is no longer supported",
        "leave sgio out",
        origin=From.DOMAIN,
        about="sgio=unfiltered",
    ),
    Rule(
        lambda d, c: d.type == "network" and d.source.protocol != "iscsi",
        "disk device='lun' is not supported for protocol='{d.source.protocol}'",
        "protocol='iscsi'",
        origin=From.DOMAIN,
        about="device=lun",
    ),
    Rule(
        lambda d, c: d.type not in ("block", "network", "volume"),
        "disk device='lun' is only valid for block type disk source",
        "type='block' with <source dev='...'/>",
        origin=From.DOMAIN,
        about="device=lun",
    ),
    Rule(
        lambda d, c: d.driver.type not in ("raw", None),
        "disk device 'lun' must use 'raw' format",
        "type='raw' in <driver>",
        origin=From.DOMAIN,
        about="device=lun",
    ),
    Rule(
        lambda d, c: d.source.slices,
        "disk device 'lun' doesn't support storage slice",
        origin=From.DOMAIN,
        about="device=lun",
    ),
    Rule(
        lambda d, c: any(e and e.format != "default" for e in (d.encryption, d.source.encryption)),
        "disk device 'lun' doesn't support encryption",
        origin=From.DOMAIN,
        about="device=lun",
    ),
    Rule(
        lambda d, c: d.device != "lun",
        "<reservations/> allowed only for lun devices",
        "device='lun'",
        origin=From.DOMAIN,
        about="source.reservations",
    ),
    Rule(
        lambda d, c: d.device != "lun",
        "rawio can be used only with device='lun'",
        origin=From.DOMAIN,
        about="rawio",
    ),
    Rule(
        lambda d, c: d.device != "lun",
        "sgio can be used only with device='lun'",
        origin=From.DOMAIN,
        about="sgio",
    ),
    *(_limits_twice(total, kind) for total, kind in _TUNED),
    Rule(
        lambda d, c: d.target.bus in _DRIVE_BUSES and not isinstance(d.address, DriveAddress),
        "Invalid address type '{d.address.__struct_config__.tag}' for the disk '{d.target.dev}' "
        "with the bus type '{d.target.bus}'",
        "an address of type 'drive', or none",
        origin=From.DOMAIN,
        about="address",
    ),
    Rule(
        lambda d, c: d.model is not None,
        "disk model '{d.model}' not supported for bus '{d.target.bus}'",
        "models are for bus='virtio'",
        origin=From.DOMAIN,
        only=_NOT_VIRTIO,
        about="model",
    ),
    Rule(
        lambda d, c: d.driver.queues,
        "queues attribute in disk driver element is only supported by virtio-blk",
        origin=From.DOMAIN,
        only=_NOT_VIRTIO,
        about="driver.queues",
    ),
    Rule(
        lambda d, c: d.driver.event_idx is not None,
        "disk event_idx mode supported only for virtio bus",
        origin=From.DOMAIN,
        only=_NOT_VIRTIO,
        about="driver.event_idx",
    ),
    Rule(
        lambda d, c: d.driver.ioeventfd is not None,
        "disk ioeventfd mode supported only for virtio bus",
        origin=From.DOMAIN,
        only=_NOT_VIRTIO,
        about="driver.ioeventfd",
    ),
    *virtio_only(lambda d: False, _NOT_VIRTIO),
    Rule(
        lambda d, c: d.source.namespace == 0,
        "NVMe namespace can't be zero",
        "they count from 1",
        origin=From.DOMAIN,
        about="type=nvme",
    ),
    *VHOST_USER_RULES,
    Rule(
        lambda d, c: d.device not in ("floppy", "cdrom"),
        "tray is only valid for cdrom and floppy",
        origin=From.DOMAIN,
        about="target.tray",
    ),
    *(rule for name, size in (("vendor", 8), ("product", 16)) for rule in _scsi_text(name, size)),
    Rule(
        lambda d, c: d.target.bus != "fdc",
        "Invalid bus type '{d.target.bus}' for floppy disk",
        "bus='fdc'",
        InternalError,
        From.DOMAIN,
        about="device=floppy",
    ),
    Rule(
        lambda d, c: d.device != "floppy",
        "Invalid bus type '{d.target.bus}' for disk",
        "device='floppy', or another bus",
        InternalError,
        From.DOMAIN,
        about="target.bus=fdc",
    ),
    Rule(
        lambda d, c: d.target.bus != "usb",
        "removable is only valid for usb disks",
        "bus='usb'",
        XmlError,
        From.DOMAIN,
        about="target.removable",
    ),
    Rule(
        lambda d, c: d.type in _NOT_LOCAL,
        "disk startupPolicy '{d.source.startup_policy}' is not allowed for disk of '{d.type}' type",
        "it is for files, block devices, directories and volumes",
        XmlError,
        From.DOMAIN,
        about="source.startup_policy",
    ),
    Rule(
        lambda d, c: d.device not in ("cdrom", "floppy"),
        "disk startupPolicy 'requisite' is allowed only for cdrom or floppy",
        "'mandatory' or 'optional'",
        XmlError,
        From.DOMAIN,
        about="source.startup_policy=requisite",
    ),
    Rule(
        lambda d, c: d.device in ("disk", "lun") and not d.target.dev.startswith(_DISK_NAMES),
        "Invalid harddisk device name: {d.target.dev}",
        "a name such as vda, sda or hda",
        InternalError,
        From.DOMAIN,
    ),
    Rule(
        lambda d, c: not d.target.dev.startswith("fd"),
        "Invalid floppy device name: {d.target.dev}",
        "fda or fdb",
        InternalError,
        From.DOMAIN,
        about="device=floppy",
    ),
    Rule(
        lambda d, c: is_empty(d),
        "{d.target.dev}",
        "a disk needs a <source>; only cdrom and floppy drives may be empty",
        NoSource,
        From.DOMAIN,
        about="device=disk",
    ),
)

#: What QEMU cannot do.
_QEMU = Rules(
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


def check_groups(domain: Domain) -> None:
    """Raises for disks that share a throttle group and have different limits."""
    groups: dict[str, Disk] = {}
    for disk in domain.devices.disks:
        if disk.iotune is None or disk.iotune.group_name is None:
            continue
        first = groups.setdefault(disk.iotune.group_name, disk)
        if first.iotune != disk.iotune:
            raise ConfigUnsupported(
                f"different iotunes for disks {first.target.dev} and {disk.target.dev}",
                domain=From.QEMU,
                hint="disks of one group have the same limits",
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
_ADDRESS = Rules(
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

#: Of a disk whose process shares the guest's memory; the last of its rules.
LAST_RULES = Rules(requires_shared_memory("vhostuser", lambda d: d.type == "vhostuser"))

RULES_BY_BUS = by_kind((*_COMMON, *_ADDRESS, *_QEMU), _BUSES)

__all__ = ["LAST_RULES", "RULES_BY_BUS", "check_groups", "is_empty", "source_text"]
