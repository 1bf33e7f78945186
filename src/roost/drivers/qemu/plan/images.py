"""The images behind a disk, from the top down: what each is, and how its block nodes and objects are called."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.protocols import Keys
from roost.errors import From, InternalError
from roost.model.domain.devices.disk import (
    AnyDiskSource,
    Auth,
    BackingStore,
    BlockSource,
    DirSource,
    Disk,
    Encryption,
    FileSource,
    NetworkSource,
    VhostUserSource,
    VolumeSource,
)

#: Cache mode to (write cache of the device, cache.direct, cache.no-flush).
CACHE_MODES = {
    "none": (True, True, False),
    "writethrough": (False, False, False),
    "writeback": (True, False, False),
    "directsync": (False, True, False),
    "unsafe": (True, False, True),
}


def path_of(source: AnyDiskSource | None) -> str | None:
    """The path on this host of a source; None for an empty drive, and for what is not in its file systems."""
    if isinstance(source, FileSource):
        return source.file
    if isinstance(source, BlockSource):
        return source.dev
    return source.dir if isinstance(source, DirSource) else None


def is_empty(disk: Disk) -> bool:
    """Whether no medium is in the drive."""
    source = disk.source
    if isinstance(source, FileSource) and source.fdgroup is not None:
        return False
    if isinstance(source, FileSource | BlockSource | DirSource):
        return path_of(source) is None
    if isinstance(source, VolumeSource):
        return source.pool is None
    return isinstance(source, NetworkSource) and source.protocol is None


def cache_of(disk: Disk) -> str | None:
    """The cache mode; what several guests write to is cached by none."""
    cache = disk.driver.cache if disk.driver is not None else None
    return cache or ("none" if disk.shareable and not disk.readonly else None)


def sources(disk: Disk) -> Iterator[AnyDiskSource]:
    """What each image of a disk is, and each of a copy that follows it, as its document tells."""
    yield disk.source
    yield from _below(disk.backing_store)
    if disk.mirror is not None:
        yield disk.mirror.source
        yield from _below(disk.mirror.backing_store)


def _below(store: BackingStore | None) -> Iterator[AnyDiskSource]:
    while store is not None and store.source is not None:
        yield store.source
        store = store.backing_store


class Image:
    """One image of a chain, the way its block nodes need it.

    node: the first part of its nodes' names. backing: the node below, None at
    the chain's end, "" where QEMU is to find out. data: the image that holds
    its data, where that is another one.
    """

    __slots__ = ("auth", "backing", "data", "encryption", "format", "metadata_cache", "node", "readonly", "source")

    def __init__(
        self,
        source: AnyDiskSource,
        format: str | None,
        node: str,
        readonly: bool,
        metadata_cache: int | None = None,
        auth: Auth | None = None,
        encryption: Encryption | None = None,
    ) -> None:
        self.source = source
        self.format = format or "raw"
        self.node = node
        self.readonly = readonly
        self.metadata_cache = metadata_cache
        self.auth = auth or source.auth
        self.encryption = encryption or source.encryption
        self.backing: str | None = ""
        self.data: Image | None = None

    @property
    def storage_node(self) -> str:
        """The node that reaches the image."""
        return f"{self.node}-storage"

    @property
    def slice_node(self) -> str:
        """The node that shows the part of the storage in which the image is."""
        return f"{self.node}-slice-sto"

    @property
    def format_node(self) -> str:
        """The node that understands the image."""
        return f"{self.node}-format"

    @property
    def is_luks(self) -> bool:
        """Whether QEMU decrypts it."""
        encryption = self.encryption
        return encryption is not None and encryption.format == "luks" and encryption.engine in (None, "qemu")

    @property
    def needs_slice_node(self) -> bool:
        """Whether its part of the storage is not what the format's own node can be told."""
        return bool(self.source.slices) and (self.format != "raw" or self.is_luks)

    @property
    def _has_passphrase(self) -> bool:
        return self.encryption is not None and bool(self.encryption.secrets)

    @property
    def keys(self) -> Keys:
        """The names of its secrets and certificates."""
        source = self.source
        network = source if isinstance(source, NetworkSource) else None
        return Keys(
            auth=f"{self.storage_node}-auth-secret0" if self.auth is not None else None,
            encryption=f"{self.format_node}-encryption-secret0" if self._has_passphrase else None,
            cookies=f"{self.storage_node}-httpcookie-secret0" if network is not None and network.cookies else None,
            tls=f"obj{self.storage_node}_tls0" if network is not None and network.tls else None,
        )

    @property
    def cookie_text(self) -> str:
        """What an HTTP server is sent as cookies."""
        cookies = self.source.cookies if isinstance(self.source, NetworkSource) else ()
        return "; ".join(f"{cookie.name}={cookie.value or ''}" for cookie in cookies)


def chain(disk: Disk, ctx: Context) -> list[Image]:
    """The images of a disk from the top down, as far as the document tells them."""
    numbers = iter(ctx.nodes[alias_of(disk)])
    driver = disk.driver
    source = actual(disk.source, ctx)
    top = Image(
        source,
        driver.type if driver and driver.type else "fat" if isinstance(source, DirSource) else "raw",
        f"libvirt-{next(numbers)}",
        disk.readonly or disk.device == "cdrom",
        driver.metadata_cache_size if driver else None,
        disk.auth,
        disk.encryption,
    )
    images = [top]
    _add_data(top, numbers, ctx)
    store = disk.backing_store
    while store is not None:
        if store.source is None:
            images[-1].backing = None
            break
        below = Image(
            actual(store.source, ctx), store.format, f"libvirt-{next(numbers)}", True, store.metadata_cache_size
        )
        images[-1].backing = below.format_node
        images.append(below)
        _add_data(below, numbers, ctx)
        store = store.backing_store
    return images


def _add_data(image: Image, numbers: Iterator[int], ctx: Context) -> None:
    store = image.source.data_store
    if store is not None and store.source is not None:
        image.data = Image(actual(store.source, ctx), store.format, f"libvirt-{next(numbers)}", image.readonly)


def actual(source: AnyDiskSource, ctx: Context) -> AnyDiskSource:
    """What a volume is, and any other source itself. Raises InternalError for volumes that nobody has looked up."""
    if not isinstance(source, VolumeSource):
        return source
    found = ctx.grants.volumes.get((source.pool or "", source.volume or ""))
    if found is None:
        raise InternalError(
            f"storage source pool '{source.pool}' volume '{source.volume}' is not translated", domain=From.QEMU
        )
    # Who reserves it is a matter of the disk.
    return found if source.reservations is None else replace(found, reservations=source.reservations)


def all_images(ctx: Context) -> Iterator[tuple[Disk, Image]]:
    """Every image of every disk that QEMU opens."""
    for disk in ctx.domain.devices.disks:
        if is_empty(disk) or isinstance(disk.source, VhostUserSource):
            continue
        for image in chain(disk, ctx):
            yield disk, image
            if image.data is not None:
                yield disk, image.data


__all__ = [
    "CACHE_MODES", "Image", "actual", "all_images", "cache_of", "chain", "is_empty", "path_of", "sources",
]  # fmt: skip
