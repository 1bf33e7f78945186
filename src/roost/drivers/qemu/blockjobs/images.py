"""Images that jobs write to: named by a client, found or made on this host, formatted by the guest's QEMU."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import stat
from collections.abc import Mapping
from typing import Any, get_args

from msgspec.structs import replace

from roost.drivers.qemu import imageformats, plan
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs import names
from roost.drivers.qemu.blockjobs.runner import BlockJobs, run_all, undo_all
from roost.drivers.qemu.context import require_guest, require_monitor
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.qmp import QmpClient
from roost.drivers.qemu.tuning import access
from roost.errors import (
    ConfigUnsupported,
    From,
    InternalError,
    InvalidArg,
    NoSource,
    OperationUnsupported,
    RoostError,
    SystemCallError,
)
from roost.model import domain as model
from roost.model.domain.complete.sources import complete_backing, complete_source
from roost.model.domain.devices.disk import (
    AnyDiskSource,
    BlockSource,
    DirSource,
    Disk,
    DiskDriver,
    FileSource,
    NetworkSource,
    VhostUserSource,
    VolumeSource,
)
from roost.model.domain.devices.disksource import DiskFormat, Mirror
from roost.model.moment import is_empty, source_path

#: Formats whose images say what they are: what QEMU's blockdev-create is to be told of them.
_CREATED: Mapping[str, Mapping[str, Any]] = {
    "qcow2": {"driver": "qcow2", "version": "v3"}, "qcow": {"driver": "qcow"}, "qed": {"driver": "qed"},
    "vdi": {"driver": "vdi"}, "vmdk": {"driver": "vmdk"}, "vpc": {"driver": "vpc"}, "vhd": {"driver": "vhdx"},
    "ploop": {"driver": "parallels"},
}  # fmt: skip
_FORMATS: Mapping[str, DiskFormat] = {name: name for name in get_args(DiskFormat)}
#: Formats whose images can have one below.
BACKED = frozenset(("qcow2", "qcow", "qed", "vmdk"))


def destination(xml: str) -> Mirror:
    """The image that a <disk> document names, as the copy to be. Raises what is wrong with the document."""
    device = model.parse_destination(xml)
    driver, source = device.driver, complete_source(device.source)
    if isinstance(source, NetworkSource) and source.protocol == "nbd" and source.tls is None:
        source = replace(source, tls=False)
    return Mirror(
        source=source,
        format=driver.type if driver is not None else None,
        metadata_cache_size=driver.metadata_cache_size if driver is not None else None,
        backing_store=complete_backing(device.backing_store),
    )


def check_absolute(mirror: Mirror) -> None:
    """Raises InvalidArg for a path that means something else in every directory."""
    source = mirror.source
    path = source_path(source)
    if isinstance(source, FileSource | BlockSource) and path is not None and not path.startswith("/"):
        raise InvalidArg("absolute path must be used as block copy target", domain=From.QEMU)
    if is_empty(source):
        raise NoSource("", domain=From.DOMAIN, hint="<source file='/...'/>")
    if isinstance(source, DirSource) and mirror.format != "fat":
        raise ConfigUnsupported("storage type 'dir' requires use of storage format 'fat'", domain=From.QEMU)
    if isinstance(source, FileSource) and source.fdgroup is not None:
        raise ConfigUnsupported("copy to a FD passed disk source is not yet supported", domain=From.QEMU)
    if isinstance(source, VhostUserSource):
        raise OperationUnsupported("block jobs are not supported on vhostuser disk targets", domain=From.QEMU)


def check_passed_through(mirror: Mirror) -> None:
    """Raises ConfigUnsupported for a copy that the device of a disk which takes its guest's own commands cannot be."""
    source = mirror.source
    if isinstance(source, NetworkSource):
        if source.protocol != "iscsi":
            raise ConfigUnsupported(
                f"disk device='lun' is not supported for protocol='{source.protocol}'", domain=From.DOMAIN
            )
    elif not isinstance(source, BlockSource | VolumeSource):
        raise ConfigUnsupported(
            "disk device='lun' is only valid for block type disk source",
            domain=From.DOMAIN,
            hint="the copy must be a block device too: --blockdev",
        )
    if mirror.format not in (None, "raw"):
        raise ConfigUnsupported("disk device 'lun' must use 'raw' format", domain=From.DOMAIN)


def check_target(source: AnyDiskSource, dev: str, *, reuse: bool) -> bool:
    """Whether an image is there already and is to be written over as it is; looks at the file.

    reuse: the client says so; a device is there, what it holds is not looked at.
    Raises SystemCallError, ConfigUnsupported, InvalidArg for what cannot be written to.
    """
    if not isinstance(source, FileSource | BlockSource):
        return reuse
    path = source_path(source) or ""
    try:
        status = os.stat(path)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise _failed("unable to verify existence of block copy target", error) from error
        if reuse or isinstance(source, BlockSource):
            raise _failed(f"missing destination file for disk {dev}: {path}", error) from error
        return False
    if stat.S_ISBLK(status.st_mode):
        if isinstance(source, FileSource):
            raise ConfigUnsupported(
                f"destination of disk {dev} is a block device, not a file: {path}",
                domain=From.QEMU,
                hint="--blockdev, or <disk type='block'>",
            )
        return reuse
    if status.st_size and not reuse:
        raise ConfigUnsupported(
            f"external destination file for disk {dev} already exists and is not a block device: {path}",
            domain=From.QEMU,
            hint="remove it, or --reuse-external writes over it",
        )
    if isinstance(source, BlockSource):
        raise InvalidArg(
            f"blockdev flag requested for disk {dev}, but file '{path}' is not a block device", domain=From.QEMU
        )
    return reuse


def _failed(text: str, error: OSError, hint: str = "") -> SystemCallError:
    text = f"{text}: {error.strerror}"
    return SystemCallError(text, domain=From.QEMU, int1=error.errno or 0, str2=text, hint=hint)


def probed(source: AnyDiskSource) -> DiskFormat | None:
    """The format of an image that is there, by its first bytes; None when it is not a file of this host."""
    path = source_path(source) if isinstance(source, FileSource | BlockSource) else None
    if path is None:
        return None
    try:
        with open(path, "rb") as file:
            return _FORMATS[imageformats.probe(file.read(imageformats.HEADER_BYTES))]
    except OSError:
        return None


async def virtual_size(monitor: QmpClient, node: str) -> int:
    """How many bytes an image of the running guest shows. Raises InternalError for a node that is not there."""
    for entry in await monitor.execute("query-named-block-nodes", {"flat": True}):
        if entry.get("node-name") == node:
            return int(entry["image"]["virtual-size"])
    raise InternalError(f"QEMU has no block node '{node}'", domain=From.QEMU, hint="the guest may be about to end")


class Images:
    """Makes images known to running guests."""

    def __init__(self, jobs: BlockJobs) -> None:
        self._jobs = jobs

    async def make_file(self, source: AnyDiskSource, format: str, size: int) -> bool:
        """Make the file of a new image, empty, or of its size for a format without a header; whether it was made.

        Raises SystemCallError, with nothing left behind.
        """
        if not isinstance(source, FileSource) or source.file is None:
            return False
        path, length = source.file, size if format == "raw" else 0
        return await asyncio.to_thread(_make_file, path, length)

    async def lend(self, record: GuestRecord, source: AnyDiskSource, *, write: bool = True) -> None:
        """Let the guest's QEMU read an image, and write it. Raises SystemCallError naming what is in the way."""
        path = source_path(source) if isinstance(source, FileSource | BlockSource) else None
        if path is None:
            return
        context, guest = self._jobs.context, require_guest(record)
        context.host.ownership.check(path, write=write)
        await access.admit(context, record, guest, [path], write=write)
        if context.config.dynamic_ownership:
            guest.resources.lend([path], lambda: self._jobs.save(record))

    async def add(self, record: GuestRecord, disk: Disk, *, count: int = 1) -> list[plan.Command]:
        """Have QEMU open the first images of `disk`, lowest first; the commands carried out, to be undone."""
        commands = [command for each in await self._jobs.image_commands(record, disk, count) for command in each]
        await run_all(require_monitor(record), commands)
        return commands

    async def add_new(self, record: GuestRecord, disk: Disk, size: int, below: C.Layer | None) -> list[plan.Command]:
        """Format the top image of `disk`, whose file is there and empty, and have QEMU open it.

        size: in bytes. below: the image it is to build upon. The commands carried out, to be undone.
        """
        guest, monitor = require_guest(record), require_monitor(record)
        (commands,) = await self._jobs.image_commands(record, disk, 1)
        *first, last = commands
        top = C.chain_of(disk).layers[0]
        if top.format == "raw":
            await run_all(monitor, commands)
            return list(commands)
        await run_all(monitor, first)
        try:
            options = _creation(top, size, below, last.arguments)
            await self._jobs.create_image(monitor, guest, top.format_node, options)
            await run_all(monitor, [last])
        except RoostError:
            await undo_all(monitor, first)
            raise
        return list(commands)


def _creation(top: C.Layer, size: int, below: C.Layer | None, node: Mapping[str, Any]) -> dict[str, Any]:
    known = _CREATED.get(top.format)
    if known is None:
        raise ConfigUnsupported(
            f"can't create storage format '{top.format}'",
            domain=From.QEMU,
            hint=f"make it with qemu-img and use --reuse-external, or one of {', '.join(sorted(_CREATED))}",
        )
    options = {**known, "file": node["file"], "size": size}
    if below is not None:
        if top.format not in BACKED:
            raise ConfigUnsupported(f"storage format '{top.format}' can have no image below", domain=From.QEMU)
        options["backing-file"] = names.absolute_name(below)
        if top.format == "qcow2":
            options["backing-fmt"] = {"vhd": "vhdx", "ploop": "parallels"}.get(below.format, below.format)
    return options


def _make_file(path: str, length: int) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _failed("failed to create copy target", error, f"at '{path}'") from error
    try:
        if length:
            os.ftruncate(descriptor, length)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise _failed("failed to create copy target", error, f"at '{path}'") from error
    finally:
        os.close(descriptor)
    return True


def as_disk(disk: Disk, mirror: Mirror, number: int) -> Disk:
    """A disk like `disk` that reads the copy, writable."""
    driver = replace(
        disk.driver or DiskDriver(name="qemu"), type=mirror.format, metadata_cache_size=mirror.metadata_cache_size
    )
    return replace(
        disk,
        device="disk",
        driver=driver,
        source=replace(mirror.source, index=number),
        backing_store=mirror.backing_store,
        mirror=None,
        readonly=False,
        auth=None,
        encryption=None,
    )


__all__ = [
    "BACKED", "Images", "as_disk", "check_absolute", "check_passed_through", "check_target", "destination", "probed",
    "virtual_size",
]  # fmt: skip
