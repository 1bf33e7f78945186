"""The backup document's root: <domainbackup>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, XmlError
from roost.model.domain.device import SourceSeclabel
from roost.model.domain.devices.disksource import DiskFormat, Encryption
from roost.xml import Child, Complaint, Pattern, Record, UInt, YesNo, at, inline

_DiskName = Annotated[str, Pattern(r"(?:ioemu:)?(?:fd|hd|sd|vd|xvd|ubd)[a-zA-Z0-9_]+", "a disk's target such as vda")]


class BackupServer(Record):
    """Where the NBD server of a pull backup listens."""

    transport: Annotated[
        Literal["tcp", "unix", "rdma"],
        at("@transport", wrong=Complaint(ConfigUnsupported, "unknown protocol transport type '%s'")),
    ] = "tcp"
    tls: YesNo | None = None
    name: str | None = None
    port: Annotated[
        UInt | None, at("@port", unset=("0",), wrong=Complaint(XmlError, "failed to parse port number '%s'"))
    ] = None
    socket: str | None = None


class BackupImage(Record):
    """What stands beside the path of a backup's image."""

    seclabels: Annotated[tuple[SourceSeclabel, ...], at("seclabel")] = ()
    encryption: Encryption | None = None


class BackupFile(BackupImage):
    file: str | None = None


class BackupDevice(BackupImage):
    dev: str | None = None


class BackupStore(Record, tag_field="type"):
    """The image a backup writes: `target` of a push, `scratch` of a pull."""


class FileStore(BackupStore, tag="file"):
    target: BackupFile | None = None
    scratch: BackupFile | None = None


class BlockStore(BackupStore, tag="block"):
    target: BackupDevice | None = None
    scratch: BackupDevice | None = None


AnyBackupStore = FileStore | BlockStore


class BackupDisk(Record):
    """One disk. incremental: the checkpoint since which changes are copied.

    export_name, export_bitmap: what the server calls disk and changes. index:
    the number by which the image is known while the backup runs.
    """

    name: Annotated[_DiskName, at("@name", missing=Complaint(XmlError, "missing name from disk backup element"))]
    backup: YesNo = True
    backup_mode: Annotated[Literal["full", "incremental"] | None, at("@backupmode")] = None
    incremental: str | None = None
    export_name: Annotated[str | None, at("@exportname")] = None
    export_bitmap: Annotated[str | None, at("@exportbitmap")] = None
    index: UInt | None = None
    format: Annotated[DiskFormat | None, at("driver/@type")] = None
    store: Annotated[
        AnyBackupStore | None,
        inline("file", after="backup", wrong=Complaint(XmlError, "unsupported disk backup type '%s'")),
    ] = None


class Backup(Record):
    """A backup. incremental: the checkpoint since which changes of all disks are copied."""

    mode: Annotated[
        Literal["push", "pull"], at("@mode", wrong=Complaint(ConfigUnsupported, "unknown backup mode '%s'"))
    ] = "push"
    incremental: Child[str | None] = None
    server: BackupServer | None = None
    disks: Annotated[tuple[BackupDisk, ...], at("disks/disk")] = ()


__all__ = [
    "AnyBackupStore", "Backup", "BackupDevice", "BackupDisk", "BackupFile", "BackupImage", "BackupServer",
    "BackupStore", "BlockStore", "FileStore",
]  # fmt: skip
