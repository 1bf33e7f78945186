"""Rules about disks that hold for every hypervisor."""

from __future__ import annotations

from typing import Any

from roost.errors import From, InternalError, NoSource, XmlError
from roost.model.domain.device import DriveAddress
from roost.model.domain.devices.disk import (
    BlockSource,
    DirSource,
    FileSource,
    NetworkSource,
    VolumeSource,
)
from roost.model.domain.validate.images import VHOST_USER_RULES
from roost.model.domain.validate.rules import Rule, Rules, given, virtio_only

_DISK_NAMES = ("hd", "sd", "vd", "xvd", "ubd", "nvme")
BUSES = frozenset(("ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd", "nvme"))
_NOT_VIRTIO = BUSES - {"virtio"}
_DRIVE_BUSES = frozenset(("ide", "fdc", "scsi", "sata", "nvme"))
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
COMMON_RULES = Rules(
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


__all__ = ["BUSES", "COMMON_RULES", "is_empty"]
