"""A directory of the host in the guest: <filesystem>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, XmlError
from roost.model.domain.device import BootableDevice, VirtioOptions
from roost.model.domain.devices.disksource import DiskFormat
from roost.model.domain.tuning import IdMap
from roost.xml import Bytes, Complaint, Flag, Integer, OnOff, Record, Size, UInt, ULong, at, inline, tag_of

FilesystemDriverType = Literal["path", "handle", "loop", "nbd", "ploop", "virtiofs"]
AccessMode = Literal["passthrough", "mapped", "squash"]
Multidevs = Literal["remap", "forbid", "warn"]


class FileMode(Integer):
    """Permission bits, in octal."""

    def __init__(self) -> None:
        super().__init__(0, 2**32 - 1, base=8)
        self.formatted = "{v:04o}"
        self.table = {}
        self.expected = "permission bits in octal, such as 0755"

    def parse(self, text: str) -> int:
        number = int(text, 8)
        if not 0 <= number <= self.maximum or "_" in text:
            raise ValueError(text)
        return number


class RamSize(Size):
    """A size in KiB whose unit stands in the attribute `units`."""

    unit = "units"

    def __init__(self) -> None:
        super().__init__(1024, "KiB", "KiB")


class FilesystemSource(Record, tag_field="type"):
    """What the guest sees; `AnyFilesystemSource` is the union of its members."""


class MountSource(FilesystemSource, tag="mount"):
    """A directory; or the socket of a virtiofsd that runs already."""

    dir: Annotated[str | None, at("source/@dir")] = None
    socket: Annotated[str | None, at("source/@socket")] = None


class BindSource(FilesystemSource, tag="bind"):
    """A directory of the same container."""

    dir: Annotated[str | None, at("source/@dir")] = None


class FsFileSource(FilesystemSource, tag="file"):
    """An image file."""

    file: Annotated[str | None, at("source/@file")] = None


class FsBlockSource(FilesystemSource, tag="block"):
    """A block device."""

    dev: Annotated[str | None, at("source/@dev")] = None


class TemplateSource(FilesystemSource, tag="template"):
    """A template of OpenVZ, by its name."""

    name: Annotated[str | None, at("source/@name")] = None


class RamSource(FilesystemSource, tag="ram"):
    """A file system in memory, of so many KiB."""

    usage: Annotated[
        Annotated[int, RamSize()],
        at("source/@usage", missing=Complaint(XmlError, "missing 'usage' attribute for RAM filesystem")),
    ]


class FsVolumeSource(FilesystemSource, tag="volume"):
    """A volume of a storage pool."""

    pool: Annotated[str | None, at("source/@pool")] = None
    volume: Annotated[str | None, at("source/@volume")] = None


AnyFilesystemSource = (
    MountSource | BindSource | FsFileSource | FsBlockSource | TemplateSource | RamSource | FsVolumeSource
)


class FilesystemDriver(VirtioOptions):
    """Who serves it: QEMU itself (path), or virtiofsd. queue: requests that the guest may have outstanding."""

    type: FilesystemDriverType | None = None
    format: Annotated[
        DiskFormat | None, at("@format", wrong=Complaint(ConfigUnsupported, "unknown driver format value '%s'"))
    ] = None
    wrpolicy: Literal["immediate"] | None = None
    queue: Annotated[
        ULong | None,
        at("@queue", unset=("0",), wrong=Complaint(XmlError, "cannot parse queue size '%s' for virtiofs")),
    ] = None


class FilesystemBinary(Record):
    """The virtiofsd to run, and what it is told.

    xattr: whether the guest's extended attributes are kept; cache: what the
    guest may remember; thread_pool_size: 0 for one thread; max_open_files: its
    limit of descriptors.
    """

    path: str | None = None
    xattr: OnOff | None = None
    cache: Annotated[Literal["none", "always"] | None, at("cache/@mode")] = None
    sandbox: Annotated[Literal["namespace", "chroot"] | None, at("sandbox/@mode")] = None
    posix_lock: Annotated[OnOff | None, at("lock/@posix")] = None
    flock: Annotated[OnOff | None, at("lock/@flock")] = None
    thread_pool_size: Annotated[
        UInt | None,
        at("thread_pool/@size", wrong=Complaint(XmlError, "cannot parse thread pool size '%s' for virtiofs")),
    ] = None
    max_open_files: Annotated[ULong | None, at("openfiles/@max", unset=("0",))] = None


class Filesystem(BootableDevice):
    """A directory of the host in the guest.

    target: the mount tag. access_mode: whose permissions count. multidevs:
    what to do about the inode numbers of several file systems in one. fmode,
    dmode: permissions of new files and directories. idmap: the host's ids for those of the guest. space_hard_limit and
    space_soft_limit: bytes.
    """

    access_mode: Annotated[AccessMode | None, at("@accessmode")] = None
    model: Literal["virtio", "virtio-transitional", "virtio-non-transitional"] | None = None
    multidevs: Annotated[Multidevs | None, at("@multidevs", unset=("default",))] = None
    fmode: Annotated[Annotated[int, FileMode()] | None, at("@fmode", unset=("0",))] = None
    dmode: Annotated[Annotated[int, FileMode()] | None, at("@dmode", unset=("0",))] = None
    driver: FilesystemDriver | None = None
    binary: FilesystemBinary | None = None
    idmap: IdMap | None = None
    source: Annotated[AnyFilesystemSource, inline("mount")] = MountSource()
    target: Annotated[str | None, at("target/@dir")] = None
    readonly: Flag = False
    space_hard_limit: Annotated[Bytes | None, at("space_hard_limit", order=8)] = None
    space_soft_limit: Annotated[Bytes | None, at("space_soft_limit", order=8)] = None

    @property
    def type(self) -> str:
        """The kind of source: mount, bind, file, block, template, ram, volume."""
        return tag_of(self.source)

    @property
    def place(self) -> str:
        """The source as messages name it."""
        values = (getattr(self.source, name, None) for name in ("dir", "file", "dev", "name", "socket"))
        return next((value for value in values if value), "")


__all__ = [
    "AnyFilesystemSource", "BindSource", "Filesystem", "FilesystemBinary", "FilesystemDriver", "FilesystemSource",
    "FsBlockSource", "FsFileSource", "FsVolumeSource", "MountSource", "RamSource", "TemplateSource",
]  # fmt: skip
