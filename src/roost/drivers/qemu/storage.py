"""What a start finds out about a guest's disks: volumes, missing media, the images below those the document names."""

from __future__ import annotations

import asyncio
import errno
import os
import posixpath
import stat
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from roost.contract.lookups import Lookups
from roost.drivers.qemu import imageformats, plan
from roost.drivers.qemu.backingnames import BadName, source_of
from roost.errors import (
    ConfigUnsupported,
    From,
    InternalError,
    OperationInvalid,
    OperationUnsupported,
    SystemCallError,
)
from roost.host.api import Account
from roost.model.domain import Domain
from roost.model.domain.complete.sources import complete_source
from roost.model.domain.devices.disk import (
    AnyDiskSource,
    BackingStore,
    BlockSource,
    Disk,
    DiskDriver,
    FileSource,
    NetworkSource,
    VolumeSource,
)
from roost.model.domain.devices.disksource import DataStore

_replace = msgspec.structs.replace

Volumes = Mapping[tuple[str, str], AnyDiskSource]
#: How many images libvirt lets one disk be made of.
MAX_DEPTH = 200


class Overlay(NamedTuple):
    """The image that takes what a guest writes to a transient disk, and goes with it."""

    path: str
    size: int
    backing: str
    format: str

    def write(self) -> None:
        """Make it; nobody else may read it yet."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(imageformats.overlay(self.size, self.backing, self.format))


class Found(NamedTuple):
    """The document as it starts, what its volumes are, and the overlays that its transient disks need.

    missing: disks as they were, of which the medium or the whole is left out since it may be missing, and is.
    """

    document: Domain
    volumes: Volumes
    overlays: tuple[Overlay, ...]
    missing: tuple[Disk, ...] = ()


async def prepare(document: Domain, lookups: Lookups, account: Account | None) -> Found:
    """Look up volumes, drop media that may be missing and are, and follow the chains of images to their ends.

    account: whom the guest runs as, for messages. Raises NoStoragePool and
    NoStorageVol for volumes, SystemCallError for images that are missing,
    InternalError for chains that never end.
    """
    volumes: dict[tuple[str, str], AnyDiskSource] = {}
    disks: Sequence[Disk] = document.devices.disks
    for disk in disks:
        source = disk.source
        if isinstance(source, VolumeSource) and source.pool is not None and source.volume is not None:
            volumes[source.pool, source.volume] = await lookups.volumes.source(source.pool, source.volume, source.mode)
    overlays: list[Overlay] = []
    missing: list[Disk] = []
    if disks:
        who = f" (as uid:{account.uid}, gid:{account.gid})" if account is not None else ""
        # A file system that does not answer holds up this guest, not the daemon.
        disks = await asyncio.to_thread(_inspect, disks, volumes, who, missing)
        disks = [_over(disk, document.name, overlays) for disk in disks]
    changed = _replace(document, devices=_replace(document.devices, disks=tuple(disks)))
    return Found(changed, volumes, tuple(overlays), tuple(missing))


def _over(disk: Disk, name: str, overlays: list[Overlay]) -> Disk:
    """A transient disk on an overlay of its own; any other as it is."""
    path = _path(disk.source)
    if disk.transient is None or path is None or not isinstance(disk.source, FileSource):
        return disk
    format = disk.driver.type if disk.driver is not None and disk.driver.type is not None else "raw"
    made = f"{path}.TRANSIENT-{name}"
    if os.path.lexists(made):
        raise ConfigUnsupported(
            f"overlay file '{made}' for transient disk '{disk.target.dev}' already exists",
            domain=From.QEMU,
            hint="remove it if no other guest uses it",
        )
    size = _virtual_size(path, format, disk.target.dev)
    overlays.append(Overlay(made, size, path, format))
    below = BackingStore(format=format, source=FileSource(file=path), backing_store=disk.backing_store)
    return _replace(
        disk,
        source=_replace(disk.source, file=made),
        driver=_replace(disk.driver or DiskDriver(), type="qcow2"),
        backing_store=below,
    )


def _virtual_size(path: str, format: str, target: str) -> int:
    read = _read(path)
    size = imageformats.virtual_size(read[1], format) if read is not None else None
    if format == "raw":
        try:
            size = os.stat(path).st_size
        except OSError as error:
            text = f"Cannot access storage file '{path}': {error.strerror}"
            raise SystemCallError(text, domain=From.QEMU, int1=error.errno or 0, str2=text) from error
    if size is None:
        raise ConfigUnsupported(
            f"transient disk '{target}' has an image of a format without a known size",
            domain=From.QEMU,
            hint="use raw or qcow2",
        )
    return size


async def secret_values(needs: plan.Needs, lookups: Lookups) -> dict[str, bytes]:
    """The values of the secrets that the guest's disks need, by object. Raises NoSecret."""
    values = {}
    for secret in needs.secrets:
        if secret.value is not None:
            values[secret.key] = secret.value.encode()
        else:
            values[secret.key] = await lookups.secrets.value(secret.kind, uuid=secret.uuid, usage=secret.usage)
    return values


def _inspect(disks: Sequence[Disk], volumes: Volumes, who: str, missing: list[Disk]) -> list[Disk]:
    """missing: gets those that are to be left out, as they were."""
    missing.extend(disk for disk in disks if _is_missing(disk))
    present = [found for disk in disks if (found := _with_medium(disk)) is not None]
    return [_with_chain(disk, volumes, who) for disk in present]


def _is_missing(disk: Disk) -> bool:
    """Whether a medium that may be missing is."""
    path = _path(disk.source)
    return disk.source.startup_policy == "optional" and path is not None and not os.path.exists(path)


def _with_medium(disk: Disk) -> Disk | None:
    """The disk, without its medium where that may be missing and is; None for a hard disk that may be missing."""
    source = disk.source
    if _is_missing(disk):
        if disk.device not in ("cdrom", "floppy"):
            return None
        disk = _replace(disk, source=FileSource(), backing_store=None)
    if _is_empty(disk) and disk.driver is not None and disk.driver.type is not None:
        # What comes into the drive later has a format of its own.
        disk = _replace(disk, driver=_replace(disk.driver, type=None))
    if isinstance(source, NetworkSource) and source.protocol == "nbd" and source.tls is None:
        disk = _replace(disk, source=_replace(source, tls=False))
    return disk


def _is_empty(disk: Disk) -> bool:
    return isinstance(disk.source, FileSource | BlockSource) and _path(disk.source) is None


def _path(source: AnyDiskSource) -> str | None:
    """The path of an image on this host; None for what is none, or is not an image but descriptors or a directory."""
    if isinstance(source, FileSource):
        return source.file if source.fdgroup is None else None
    return source.dev if isinstance(source, BlockSource) else None


# -- chains ------------------------------------------------------------------------------------


def _with_chain(disk: Disk, volumes: Volumes, who: str) -> Disk:
    """The disk with the images below it, as far as their headers tell; the end of the chain is said too."""
    source = disk.source
    if isinstance(source, VolumeSource) and source.pool is not None:
        source = volumes[source.pool, source.volume or ""]
    if _is_empty(disk) or disk.type in ("vhostuser", "vhostvdpa"):
        return disk
    chain = _Chain(str(_path(source)), disk.target.dev, who)
    format = disk.driver.type if disk.driver is not None else None
    store, data = chain.below(source, format, disk.backing_store)
    if data is not None and not isinstance(disk.source, VolumeSource):
        disk = _replace(disk, source=_replace(disk.source, data_store=data))
    return _replace(disk, backing_store=store)


def find_chain(source: AnyDiskSource, format: str | None, target: str) -> BackingStore | None:
    """What stands below an image, as the images tell; reads files. Raises as `prepare`. target: for messages."""
    store, _ = _Chain(str(_path(source)), target, "").below(source, format, None)
    return store


class _Chain:
    """One disk's chain on the way down. top: the first image's path; who: reads it, for messages."""

    def __init__(self, top: str, target: str, who: str) -> None:
        self.top = top
        self.target = target
        self.who = who
        self._seen: set[Any] = set()
        self._depth = 0

    def below(
        self, source: AnyDiskSource, format: str | None, store: BackingStore | None
    ) -> tuple[BackingStore | None, DataStore | None]:
        """What stands below an image, and where its data is: as the document says, else as the image itself does."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise OperationUnsupported(
                f"backing chains more than {MAX_DEPTH} layers deep are not supported for disk '{self.target}'",
                domain=From.QEMU,
            )
        path = _path(source)
        found = self._header(path, format)
        data = None
        if found is not None and found.data is not None and path is not None and source.data_store is None:
            data = DataStore(format="raw", source=_resolve(found.data, path))
        if store is not None:
            return self._written(store), data
        if found is None:
            # An image at a server is QEMU's to read; one that cannot have another below ends the chain.
            return (None if path is None and format in _READABLE else BackingStore()), data
        if found.backing is None or path is None:
            return BackingStore(), data
        return self._told(found, path), data

    def _written(self, store: BackingStore) -> BackingStore:
        """An image that the document names."""
        if store.source is None:
            return store
        following, data = self.below(store.source, store.format, store.backing_store)
        source = _replace(store.source, data_store=data) if data is not None else store.source
        return _replace(store, source=source, backing_store=following)

    def _told(self, found: imageformats.Header, above: str) -> BackingStore:
        """An image that the one at `above` names."""
        name = found.backing or ""
        source = _resolve(name, above)
        path = _path(source)
        if path is not None and not os.path.exists(path):
            text = (
                f"Cannot access backing file '{path}' of storage file '{above}'{self.who}: {os.strerror(errno.ENOENT)}"
            )
            raise SystemCallError(text, int1=errno.ENOENT, str2=text, hint=f"it is written as '{name}' in {above}")
        format = _known_format(found.backing_format or _probed(source, name, above), above)
        following, data = self.below(source, format, None)
        if data is not None:
            source = _replace(source, data_store=data)
        return BackingStore(format=format, source=source, backing_store=following)

    def _header(self, path: str | None, format: str | None) -> imageformats.Header | None:
        """What an image says of itself; None for formats and places that say nothing. Raises for one seen before."""
        read = _read(path) if path is not None else None
        if read is None:
            return None
        identity, data = read
        if identity in self._seen:
            raise InternalError(
                f"backing store for {self.top} is self-referential or too deeply nested",
                domain=From.STORAGE,
                hint=f"{path} stands in its own backing chain",
            )
        self._seen.add(identity)
        if format not in _READABLE:
            return None
        try:
            return imageformats.header(data, str(format))
        except imageformats.BadImage as error:
            raise InternalError(
                f"cannot read the header of '{path}' as {format}: {error}",
                domain=From.STORAGE,
                hint="say its true format in <driver type='...'/>",
            ) from None


#: Formats that can have an image below.
_READABLE = frozenset(("qcow", "qcow2", "qed", "vmdk"))
_FORMATS = frozenset(
    ("raw", "bochs", "cloop", "dmg", "vpc", "vdi", "vhd", "ploop", "qcow", "qcow2", "qed", "vmdk")
)  # fmt: skip


def _known_format(format: str, path: str) -> Any:
    if format not in _FORMATS:
        raise InternalError(
            f"unknown backing store format '{format}'",
            domain=From.STORAGE,
            hint=f"in {path}; qemu-img rebase -u -F FORMAT corrects it",
        )
    return format


def _read(path: str) -> tuple[Any, bytes] | None:
    """Which file a path is, and its first bytes; None for what is not there or no image."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        # Whether the guest may have it is asked of every path before the launch, with libvirt's words for the answer.
        return None
    try:
        about = os.fstat(descriptor)
        if stat.S_ISBLK(about.st_mode):
            return (about.st_rdev,), os.pread(descriptor, imageformats.HEADER_BYTES, 0)
        if stat.S_ISREG(about.st_mode):
            return (about.st_dev, about.st_ino), os.pread(descriptor, imageformats.HEADER_BYTES, 0)
        return None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _resolve(name: str, above: str) -> AnyDiskSource:
    """The source that a name in the image at the path `above` means; block devices are told from files."""
    try:
        source = complete_source(source_of(name, posixpath.dirname(above) or "/"))
    except BadName as error:
        raise InternalError(
            f"failed to parse backing file location '{name}' of '{above}': {error}",
            domain=From.STORAGE,
            hint="write the chain into the document with <backingStore>",
        ) from None
    if isinstance(source, FileSource) and source.file is not None:
        try:
            if stat.S_ISBLK(os.stat(source.file).st_mode):
                return BlockSource(dev=source.file)
        except OSError:
            pass
    return source


def _probed(source: AnyDiskSource, name: str, above: str) -> str:
    """The format of a backing image that nobody told: found out, but not believed where it would lead further."""
    path = _path(source)
    read = _read(path) if path is not None else None
    if read is not None:
        data = read[1]
        format = imageformats.probe(data)
        try:
            if imageformats.header(data, format) == imageformats.Header():
                return format
        except imageformats.BadImage:
            pass
    raise OperationInvalid(
        f"format of backing image '{path or name}' of image '{above}' was not specified in the image metadata "
        "(See https://libvirt.org/kbase/backing_chains.html for troubleshooting)",
        domain=From.STORAGE,
        hint=f"qemu-img rebase -u -b '{name}' -F FORMAT '{above}'",
    )


__all__ = ["MAX_DEPTH", "Found", "Overlay", "find_chain", "prepare", "secret_values"]
