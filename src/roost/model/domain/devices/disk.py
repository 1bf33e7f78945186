"""Disks, CD-ROM and floppy drives: <disk>."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from roost.errors import ConfigUnsupported, From, InternalError, NoTarget, XmlError
from roost.model.domain.device import BootableDevice, VirtioOptions
from roost.model.domain.devices.disksource import (
    AnyDiskSource,
    Auth,
    AuthSecret,
    BackingStore,
    BlockSource,
    Cipher,
    DirSource,
    DiskFormat,
    DiskSource,
    Encryption,
    EncryptionSecret,
    FileSource,
    Ivgen,
    Mirror,
    NetworkDiskHost,
    NetworkSource,
    NvmeSource,
    Slice,
    VhostUserSource,
    VhostVdpaSource,
    VolumeSource,
)
from roost.xml import (
    Bytes,
    Child,
    Choice,
    Complaint,
    Flag,
    OnOff,
    Pattern,
    Positive,
    Record,
    UInt,
    ULong,
    YesNo,
    at,
    inline,
    tag_of,
)

DiskDevice = Literal["disk", "cdrom", "floppy", "lun"]
DiskBus = Literal["ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd", "nvme"]
DiskCache = Literal["none", "writethrough", "writeback", "directsync", "unsafe"]
DiskErrorPolicy = Literal["stop", "report", "ignore", "enospace"]
DiskIo = Literal["native", "threads", "io_uring"]
DiskDiscard = Literal["unmap", "ignore"]
DetectZeroes = Literal["off", "on", "unmap"]
DiskModel = Literal["virtio", "virtio-transitional", "virtio-non-transitional"]
DiskSnapshot = Literal["no", "internal", "external", "manual"]
Wwn = Annotated[str, Pattern(r"(?:0x)?[0-9a-fA-F]{16}", "16 hexadecimal digits")]


class QueueId(Record):
    """A virtqueue, by its number."""

    id: UInt


class IoThreadMapping(Record):
    """An iothread that serves a device, and which of its queues; without queues they are dealt out in turn."""

    id: Positive
    queues: Annotated[tuple[QueueId, ...], at("queue")] = ()


class StatisticInterval(Record):
    """Statistics over the last so many seconds."""

    interval: Positive


class LatencyBin(Record):
    """A bar of a histogram: from so many nanoseconds to the next one's start."""

    start: ULong


class LatencyHistogram(Record):
    """type: of which operations; None for all of them."""

    type: Literal["read", "write", "zone", "flush"] | None = None
    bins: Annotated[tuple[LatencyBin, ...], at("bin")] = ()


class DriverFormat(Choice):
    """An image format; `aio` is what Xen called the plain one."""

    def __init__(self) -> None:
        super().__init__(*get_args(DiskFormat))
        self.table = {**self.table, "aio": "raw"}


class DiskDriver(VirtioOptions):
    """How QEMU serves the disk.

    discard_no_unref: discarded clusters stay allocated in a qcow2 image.
    metadata_cache_size: bytes of a qcow2 image's tables kept in memory.
    """

    name: str | None = None
    type: Annotated[
        Annotated[DiskFormat, DriverFormat()] | None,
        at("@type", wrong=Complaint(ConfigUnsupported, "unknown driver format value '%s'")),
    ] = None
    cache: Annotated[DiskCache | None, at("@cache", unset=("default",))] = None
    error_policy: DiskErrorPolicy | None = None
    rerror_policy: DiskErrorPolicy | None = None
    io: DiskIo | None = None
    ioeventfd: OnOff | None = None
    event_idx: OnOff | None = None
    copy_on_read: OnOff | None = None
    discard: DiskDiscard | None = None
    discard_no_unref: OnOff | None = None
    iothread: Positive | None = None
    detect_zeroes: DetectZeroes | None = None
    queues: Annotated[UInt | None, at("@queues", unset=("0",))] = None
    queue_size: Annotated[UInt | None, at("@queue_size", unset=("0",))] = None
    iothreads: Annotated[tuple[IoThreadMapping, ...], at("iothreads/iothread")] = ()
    statistics: Annotated[tuple[StatisticInterval, ...], at("statistics/statistic")] = ()
    latency_histograms: Annotated[tuple[LatencyHistogram, ...], at("statistics/latency-histogram")] = ()
    metadata_cache_size: Annotated[Bytes | None, at("metadata_cache/max_size")] = None


NO_TARGET = Complaint(NoTarget)


class DiskTarget(Record):
    """Where the guest sees the disk.

    rotation_rate: revolutions a minute, 1 for a drive without moving parts.
    dpofua: whether a SCSI disk offers to bypass its cache for one write.
    """

    dev: Annotated[str, at("@dev", missing=NO_TARGET)]
    bus: DiskBus | None = None
    tray: Annotated[Literal["open"] | None, at("@tray", unset=("closed",))] = None
    removable: OnOff | None = None
    rotation_rate: Annotated[UInt | None, at("@rotation_rate", unset=("0",))] = None
    dpofua: OnOff | None = None


class Geometry(Record):
    cyls: UInt | None = None
    heads: UInt | None = None
    secs: UInt | None = None
    trans: Literal["auto", "none", "lba"] | None = None


class BlockIo(Record):
    logical_block_size: Annotated[UInt | None, at("@logical_block_size", unset=("0",))] = None
    physical_block_size: Annotated[UInt | None, at("@physical_block_size", unset=("0",))] = None
    discard_granularity: Annotated[UInt | None, at("@discard_granularity")] = None


def _limit(name: str) -> Any:
    return at(name, unset=("0",), wrong=Complaint(XmlError, f"disk iotune field '{name}' must be an integer"))


class ThrottleLimits(Record):
    """Limits on a disk's traffic: bytes and operations a second, bursts and their length in seconds.

    size_iops_sec: the bytes that count as one operation.
    """

    total_bytes_sec: Annotated[ULong | None, _limit("total_bytes_sec")] = None
    read_bytes_sec: Annotated[ULong | None, _limit("read_bytes_sec")] = None
    write_bytes_sec: Annotated[ULong | None, _limit("write_bytes_sec")] = None
    total_iops_sec: Annotated[ULong | None, _limit("total_iops_sec")] = None
    read_iops_sec: Annotated[ULong | None, _limit("read_iops_sec")] = None
    write_iops_sec: Annotated[ULong | None, _limit("write_iops_sec")] = None
    total_bytes_sec_max: Annotated[ULong | None, _limit("total_bytes_sec_max")] = None
    read_bytes_sec_max: Annotated[ULong | None, _limit("read_bytes_sec_max")] = None
    write_bytes_sec_max: Annotated[ULong | None, _limit("write_bytes_sec_max")] = None
    total_iops_sec_max: Annotated[ULong | None, _limit("total_iops_sec_max")] = None
    read_iops_sec_max: Annotated[ULong | None, _limit("read_iops_sec_max")] = None
    write_iops_sec_max: Annotated[ULong | None, _limit("write_iops_sec_max")] = None
    size_iops_sec: Annotated[ULong | None, _limit("size_iops_sec")] = None
    group_name: Child[str | None] = None
    total_bytes_sec_max_length: Annotated[ULong | None, _limit("total_bytes_sec_max_length")] = None
    read_bytes_sec_max_length: Annotated[ULong | None, _limit("read_bytes_sec_max_length")] = None
    write_bytes_sec_max_length: Annotated[ULong | None, _limit("write_bytes_sec_max_length")] = None
    total_iops_sec_max_length: Annotated[ULong | None, _limit("total_iops_sec_max_length")] = None
    read_iops_sec_max_length: Annotated[ULong | None, _limit("read_iops_sec_max_length")] = None
    write_iops_sec_max_length: Annotated[ULong | None, _limit("write_iops_sec_max_length")] = None


class IoTune(ThrottleLimits):
    """Limits of one disk, or of all that name the same group."""


class ThrottleGroup(ThrottleLimits):
    """Limits that disks share by naming the group as a filter."""


class ThrottleFilter(Record):
    """A throttle group that a disk's requests pass through."""

    group: str


class Transient(Record):
    """What the guest writes is forgotten when it ends. share_backing: others may use the image meanwhile."""

    share_backing: Annotated[YesNo | None, at("@shareBacking", unset=("no",))] = None


class Disk(BootableDevice):
    """A drive and what is in it.

    model: which virtio devices the guest sees. rawio: the guest may send any
    SCSI command. backend_domain: for Xen.
    """

    device: DiskDevice = "disk"
    model: DiskModel | None = None
    rawio: YesNo | None = None
    sgio: Literal["filtered", "unfiltered"] | None = None
    snapshot: DiskSnapshot | None = None
    driver: DiskDriver | None = None
    auth: Auth | None = None
    source: Annotated[AnyDiskSource, inline("file")] = FileSource()
    backing_store: Annotated[BackingStore | None, at("backingStore", keep_empty=True)] = None
    backend_domain: Annotated[str | None, at("backenddomain/@name")] = None
    geometry: Geometry | None = None
    blockio: BlockIo | None = None
    mirror: Annotated[Mirror | None, at("mirror", live=True)] = None
    target: Annotated[DiskTarget, at("target", missing=NO_TARGET)]
    iotune: IoTune | None = None
    throttle_filters: Annotated[tuple[ThrottleFilter, ...], at("throttlefilters/throttlefilter")] = ()
    readonly: Flag = False
    shareable: Flag = False
    transient: Annotated[Transient | None, at("transient", keep_empty=True)] = None
    serial: Child[str | None] = None
    wwn: Annotated[Wwn | None, at("wwn", wrong=Complaint(InternalError, "Malformed wwn: %s", domain=From.NONE))] = None
    vendor: Child[str | None] = None
    product: Child[str | None] = None
    encryption: Annotated[Encryption | None, at("encryption", opened=True)] = None

    @property
    def type(self) -> str:
        """The kind of source: file, block, dir, volume, network, nvme, vhostuser, vhostvdpa."""
        return tag_of(self.source)


class DiskDestination(Record):
    """Where a disk is copied to: a <disk> of which nothing else counts."""

    driver: DiskDriver | None = None
    source: Annotated[AnyDiskSource, inline("file")] = FileSource()
    backing_store: Annotated[BackingStore | None, at("backingStore", keep_empty=True)] = None


__all__ = [
    "AnyDiskSource", "Auth", "AuthSecret", "BackingStore", "BlockIo", "BlockSource", "Cipher", "DirSource", "Disk",
    "DiskBus", "DiskDestination", "DiskDriver", "DiskFormat", "DiskSource", "DiskTarget", "Encryption",
    "EncryptionSecret", "FileSource",
    "Geometry", "IoThreadMapping", "IoTune", "Ivgen", "LatencyHistogram", "Mirror", "NetworkDiskHost", "NetworkSource",
    "NvmeSource", "Slice", "ThrottleFilter", "ThrottleGroup", "ThrottleLimits", "Transient", "VhostUserSource",
    "VhostVdpaSource", "VolumeSource",
]  # fmt: skip
