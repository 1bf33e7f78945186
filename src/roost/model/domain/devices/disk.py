"""Disks, CD-ROM and floppy drives: <disk>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import NoTarget
from roost.model.domain.device import BootableDevice, SourceSeclabel, VirtioOptions
from roost.xml import (
    Bytes,
    Child,
    Complaint,
    Flag,
    OnOff,
    Pattern,
    Record,
    UInt,
    ULong,
    Uuid,
    YesNo,
    at,
    inline,
    tag_of,
)

DiskDevice = Literal["disk", "cdrom", "floppy", "lun"]
DiskBus = Literal["ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd"]
DiskFormat = Literal[
    "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow", "qcow", "qcow2", "qed",
    "vmdk",
]  # fmt: skip
DiskCache = Literal["none", "writethrough", "writeback", "directsync", "unsafe"]
DiskErrorPolicy = Literal["stop", "report", "ignore", "enospace"]
DiskIo = Literal["native", "threads", "io_uring"]
DiskDiscard = Literal["unmap", "ignore"]
DetectZeroes = Literal["off", "on", "unmap"]
DiskModel = Literal["virtio", "virtio-transitional", "virtio-non-transitional"]
DiskSnapshot = Literal["no", "internal", "external", "manual"]
NetworkProtocol = Literal[
    "nbd", "rbd", "sheepdog", "gluster", "iscsi", "http", "https", "ftp", "ftps", "tftp", "ssh", "vxhs", "nfs"
]
StartupPolicy = Literal["mandatory", "requisite", "optional"]
Wwn = Annotated[str, Pattern(r"(?:0x)?[0-9a-fA-F]{16}", "16 hexadecimal digits")]


class DiskDriver(VirtioOptions):
    name: str | None = None
    type: DiskFormat | None = None
    cache: Annotated[DiskCache | None, at("@cache", unset=("default",))] = None
    error_policy: Annotated[DiskErrorPolicy | None, at("@error_policy", unset=("default",))] = None
    rerror_policy: Annotated[
        Literal["stop", "report", "ignore"] | None, at("@rerror_policy", unset=("default",))
    ] = None  # fmt: skip
    io: Annotated[DiskIo | None, at("@io", unset=("default",))] = None
    ioeventfd: OnOff | None = None
    event_idx: OnOff | None = None
    copy_on_read: OnOff | None = None
    discard: Annotated[DiskDiscard | None, at("@discard", unset=("default",))] = None
    iothread: Annotated[UInt | None, at("@iothread", unset=("0",))] = None
    detect_zeroes: Annotated[DetectZeroes | None, at("@detect_zeroes", unset=("default",))] = None
    queues: Annotated[UInt | None, at("@queues", unset=("0",))] = None
    queue_size: Annotated[UInt | None, at("@queue_size", unset=("0",))] = None
    metadata_cache_size: Annotated[Bytes | None, at("metadata_cache/max_size")] = None


class EncryptionSecret(Record):
    type: Literal["passphrase"] = "passphrase"
    uuid: Uuid | None = None
    usage: str | None = None


class Cipher(Record):
    name: str
    size: UInt
    mode: str | None = None
    hash: str | None = None


class Ivgen(Record):
    name: str
    hash: str | None = None


class Encryption(Record):
    format: Literal["default", "qcow", "luks", "luks2"] = "default"
    engine: Literal["qemu", "librbd"] | None = None
    secrets: Annotated[tuple[EncryptionSecret, ...], at("secret")] = ()
    cipher: Cipher | None = None
    ivgen: Ivgen | None = None


class AuthSecret(Record):
    type: Literal["ceph", "iscsi"] | None = None
    uuid: Uuid | None = None
    usage: str | None = None


class Auth(Record):
    username: str
    secret: AuthSecret | None = None


class Slice(Record):
    type: Literal["storage"] = "storage"
    offset: ULong
    size: ULong


class DiskSource(Record, tag_field="type"):
    """What backs a disk; `AnyDiskSource` is the union of its members."""

    startup_policy: Annotated[StartupPolicy | None, at("source/@startupPolicy", order=1)] = None
    index: Annotated[UInt | None, at("source/@index", order=1, live=True, unset=("0",))] = None
    slices: Annotated[tuple[Slice, ...], at("source/slices/slice", order=2)] = ()
    seclabels: Annotated[tuple[SourceSeclabel, ...], at("source/seclabel", order=2)] = ()
    auth: Annotated[Auth | None, at("source/auth", order=2)] = None
    encryption: Annotated[Encryption | None, at("source/encryption", order=2)] = None


class FileSource(DiskSource, tag="file"):
    """A file; `file` is None for an empty drive."""

    file: Annotated[str | None, at("source/@file")] = None
    fdgroup: Annotated[str | None, at("source/@fdgroup")] = None


class BlockSource(DiskSource, tag="block"):
    dev: Annotated[str | None, at("source/@dev")] = None


class DirSource(DiskSource, tag="dir"):
    dir: Annotated[str | None, at("source/@dir")] = None


class VolumeSource(DiskSource, tag="volume"):
    pool: Annotated[str | None, at("source/@pool")] = None
    volume: Annotated[str | None, at("source/@volume")] = None
    mode: Annotated[Literal["host", "direct"] | None, at("source/@mode")] = None


class NetworkDiskHost(Record):
    name: str | None = None
    port: UInt | None = None
    transport: Annotated[Literal["tcp", "unix", "rdma"] | None, at("@transport")] = None
    socket: str | None = None


class NetworkSource(DiskSource, tag="network"):
    protocol: Annotated[NetworkProtocol | None, at("source/@protocol")] = None
    name: Annotated[str | None, at("source/@name")] = None
    query: Annotated[str | None, at("source/@query")] = None
    tls: Annotated[YesNo | None, at("source/@tls")] = None
    tls_hostname: Annotated[str | None, at("source/@tlsHostname")] = None
    hosts: Annotated[tuple[NetworkDiskHost, ...], at("source/host")] = ()
    snapshot: Annotated[str | None, at("source/snapshot/@name")] = None
    config: Annotated[str | None, at("source/config/@file")] = None


AnyDiskSource = FileSource | BlockSource | DirSource | VolumeSource | NetworkSource


class BackingStore(Record):
    """The next image of a backing chain; one without a format ends the chain."""

    index: Annotated[UInt | None, at("@index", live=True, unset=("0",))] = None
    format: Annotated[DiskFormat | None, at("format/@type")] = None
    metadata_cache_size: Annotated[Bytes | None, at("format/metadata_cache/max_size")] = None
    source: Annotated[AnyDiskSource | None, inline()] = None
    backing_store: Annotated[BackingStore | None, at("backingStore", keep_empty=True)] = None


class Mirror(Record):
    """The copy a block job writes; only in live documents."""

    file: str | None = None
    file_format: Annotated[str | None, at("@format")] = None
    job: Literal["copy", "active-commit"] | None = None
    ready: Literal["yes", "abort", "pivot"] | None = None
    format: Annotated[DiskFormat | None, at("format/@type")] = None
    source: Annotated[AnyDiskSource, inline("file")] = FileSource()
    backing_store: Annotated[BackingStore | None, at("backingStore", keep_empty=True)] = None


NO_TARGET = Complaint(NoTarget)


class DiskTarget(Record):
    dev: Annotated[str, at("@dev", missing=NO_TARGET)]
    bus: DiskBus | None = None
    tray: Annotated[Literal["open"] | None, at("@tray", unset=("closed",))] = None
    removable: OnOff | None = None
    rotation_rate: Annotated[UInt | None, at("@rotation_rate", unset=("0",))] = None


class Geometry(Record):
    cyls: UInt | None = None
    heads: UInt | None = None
    secs: UInt | None = None
    trans: Literal["auto", "none", "lba"] | None = None


class BlockIo(Record):
    logical_block_size: Annotated[UInt | None, at("@logical_block_size", unset=("0",))] = None
    physical_block_size: Annotated[UInt | None, at("@physical_block_size", unset=("0",))] = None
    discard_granularity: Annotated[UInt | None, at("@discard_granularity")] = None


class IoTune(Record):
    """Limits on a disk's traffic: bytes and operations a second, bursts and their length in seconds."""

    total_bytes_sec: Child[ULong | None] = None
    read_bytes_sec: Child[ULong | None] = None
    write_bytes_sec: Child[ULong | None] = None
    total_iops_sec: Child[ULong | None] = None
    read_iops_sec: Child[ULong | None] = None
    write_iops_sec: Child[ULong | None] = None
    total_bytes_sec_max: Child[ULong | None] = None
    read_bytes_sec_max: Child[ULong | None] = None
    write_bytes_sec_max: Child[ULong | None] = None
    total_iops_sec_max: Child[ULong | None] = None
    read_iops_sec_max: Child[ULong | None] = None
    write_iops_sec_max: Child[ULong | None] = None
    size_iops_sec: Child[ULong | None] = None
    group_name: Child[str | None] = None
    total_bytes_sec_max_length: Child[ULong | None] = None
    read_bytes_sec_max_length: Child[ULong | None] = None
    write_bytes_sec_max_length: Child[ULong | None] = None
    total_iops_sec_max_length: Child[ULong | None] = None
    read_iops_sec_max_length: Child[ULong | None] = None
    write_iops_sec_max_length: Child[ULong | None] = None


class Transient(Record):
    share_backing: Annotated[YesNo | None, at("@shareBacking")] = None


class Disk(BootableDevice):
    device: DiskDevice = "disk"
    model: DiskModel | None = None
    rawio: YesNo | None = None
    sgio: Literal["filtered", "unfiltered"] | None = None
    snapshot: DiskSnapshot | None = None
    driver: DiskDriver | None = None
    auth: Auth | None = None
    source: Annotated[AnyDiskSource, inline("file")] = FileSource()
    backing_store: Annotated[BackingStore | None, at("backingStore", keep_empty=True)] = None
    geometry: Geometry | None = None
    blockio: BlockIo | None = None
    mirror: Annotated[Mirror | None, at("mirror", live=True)] = None
    target: Annotated[DiskTarget, at("target", missing=NO_TARGET)]
    iotune: IoTune | None = None
    readonly: Flag = False
    shareable: Flag = False
    transient: Annotated[Transient | None, at("transient", keep_empty=True)] = None
    serial: Child[str | None] = None
    wwn: Child[Wwn | None] = None
    vendor: Annotated[str | None, Pattern(r"[ -~]{1,8}", "up to 8 printable characters"), at("vendor")] = None
    product: Annotated[str | None, Pattern(r"[ -~]{1,16}", "up to 16 printable characters"), at("product")] = None
    encryption: Encryption | None = None

    @property
    def type(self) -> str:
        """The kind of source: file, block, dir, volume, network."""
        return tag_of(self.source)


__all__ = [
    "AnyDiskSource", "Auth", "AuthSecret", "BackingStore", "BlockIo", "BlockSource", "Cipher", "DirSource", "Disk",
    "DiskDriver", "DiskSource", "DiskTarget", "Encryption", "EncryptionSecret", "FileSource", "Geometry", "IoTune",
    "Ivgen", "Mirror", "NetworkDiskHost", "NetworkSource", "Slice", "Transient", "VolumeSource",
]  # fmt: skip
