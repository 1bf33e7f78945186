"""The block nodes behind a disk: for each image of its chain one that reaches it and one that understands it."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.context import Context, alias_of, kind_of
from roost.drivers.qemu.plan.pieces import Piece, Props
from roost.errors import ConfigUnsupported, From
from roost.model.domain.devices.disk import AnyDiskSource, BackingStore, BlockSource, DirSource, Disk, FileSource

#: Cache mode to (write cache of the device, cache.direct, cache.no-flush).
CACHE_MODES = {
    "none": (True, True, False),
    "writethrough": (False, False, False),
    "writeback": (True, False, False),
    "directsync": (False, True, False),
    "unsafe": (True, False, True),
}
#: Image formats to QEMU's block drivers.
_FORMATS = {
    "raw": "raw", "fat": "raw", "qcow2": "qcow2", "qcow": "qcow", "qed": "qed", "vmdk": "vmdk", "vdi": "vdi",
    "vpc": "vpc", "vhd": "vhdx", "bochs": "bochs", "cloop": "cloop", "dmg": "dmg", "ploop": "parallels",
}  # fmt: skip
#: Formats with a backing file.
_BACKED = frozenset(("qcow2", "qcow", "qed", "vmdk"))


def path_of(source: AnyDiskSource | None) -> str | None:
    """The host path of a source, None when the drive is empty. Raises ConfigUnsupported for sources without one."""
    if source is None:
        return None
    if isinstance(source, FileSource):
        return source.file
    if isinstance(source, BlockSource):
        return source.dev
    if isinstance(source, DirSource):
        return source.dir
    raise ConfigUnsupported(
        f"disk source type '{kind_of(source)}' is not supported by this driver",
        domain=From.QEMU,
        hint="use type 'file' or 'block'",
    )


def is_empty(disk: Disk) -> bool:
    return path_of(disk.source) is None


def _is_readonly(disk: Disk) -> bool:
    return disk.readonly or disk.device == "cdrom"


class Image:
    """One image of a chain, the way its block nodes need it."""

    __slots__ = ("backing", "format", "metadata_cache", "node", "readonly", "source")

    def __init__(
        self, source: AnyDiskSource, format: str | None, node: str, readonly: bool, metadata_cache: int | None
    ) -> None:
        self.source = source
        self.format = format or "raw"
        self.node = node
        self.readonly = readonly
        self.metadata_cache = metadata_cache
        #: The node below; None ends the chain; "" leaves it to QEMU.
        self.backing: str | None = ""


def chain(disk: Disk, ctx: Context) -> list[Image]:
    """The images of a disk from the top down, as far as the document tells them."""
    numbers = iter(ctx.nodes[alias_of(disk)])
    driver = disk.driver
    top = Image(
        disk.source,
        driver.type if driver else None,
        f"libvirt-{next(numbers)}",
        _is_readonly(disk),
        driver.metadata_cache_size if driver else None,
    )
    images = [top]
    store: BackingStore | None = disk.backing_store
    while store is not None:
        if store.source is None or path_of(store.source) is None:
            images[-1].backing = None
            break
        node = f"libvirt-{next(numbers)}"
        images[-1].backing = f"{node}-format"
        images.append(Image(store.source, store.format, node, True, store.metadata_cache_size))
        store = store.backing_store
    return images


#: How device nodes of optical drives are called; a disc in any other block device is a disk to QEMU.
_OPTICAL = ("/dev/sr", "/dev/scd", "/dev/cdrom", "/dev/dvd")


def _file_driver(disk: Disk, source: AnyDiskSource) -> str:
    if not isinstance(source, BlockSource):
        return "file"
    optical = disk.device == "cdrom" and source.dev is not None and source.dev.startswith(_OPTICAL)
    return "host_cdrom" if optical else "host_device"


def _storage(disk: Disk, image: Image) -> Props:
    driver = disk.driver
    path = path_of(image.source)
    props: Props
    if isinstance(image.source, DirSource):
        props = {
            "driver": "vvfat",
            "dir": path,
            "floppy": disk.device == "floppy",
            "rw": not image.readonly,
        }
    else:
        props = {"driver": _file_driver(disk, image.source), "filename": path}
        if driver is not None and driver.io is not None:
            props["aio"] = driver.io
    props["node-name"] = f"{image.node}-storage"
    _add_cache(disk, props)
    props["auto-read-only"] = True
    props["discard"] = "unmap"
    return props


def _add_cache(disk: Disk, props: Props) -> None:
    if disk.driver is not None and disk.driver.cache is not None:
        _, direct, no_flush = CACHE_MODES[disk.driver.cache]
        props["cache"] = {"direct": direct, "no-flush": no_flush}


def _format(disk: Disk, image: Image, *, top: bool) -> Props:
    name = _FORMATS.get(image.format)
    if name is None:
        raise ConfigUnsupported(
            f"unsupported disk driver type '{image.format}'",
            domain=From.QEMU,
            hint="use one of " + ", ".join(sorted(_FORMATS)),
        )
    driver = disk.driver
    props: Props = {"node-name": f"{image.node}-format", "read-only": image.readonly}
    if driver is not None:
        if driver.discard is not None:
            props["discard"] = driver.discard
        if top and driver.detect_zeroes is not None:
            # Zeroes become holes only where discards reach the image.
            unmaps = driver.detect_zeroes != "unmap" or driver.discard == "unmap"
            props["detect-zeroes"] = driver.detect_zeroes if unmaps else "on"
    _add_cache(disk, props)
    props["driver"] = name
    if image.metadata_cache and image.format == "qcow2":
        props["cache-size"] = image.metadata_cache
    props["file"] = f"{image.node}-storage"
    if image.format in _BACKED:
        if image.backing != "":
            props["backing"] = image.backing
    elif image.backing:
        raise ConfigUnsupported(
            f"storage format '{image.format}' does not support backing store",
            domain=From.QEMU,
            hint="use qcow2, or drop <backingStore>",
        )
    return props


def blockdevs(disk: Disk, ctx: Context) -> Iterator[Piece]:
    """The block nodes of a disk, from the bottom of its chain up; none for an empty drive."""
    if is_empty(disk):
        return
    images = chain(disk, ctx)
    for image in reversed(images):
        yield Piece("blockdev", _storage(disk, image))
        yield Piece("blockdev", _format(disk, image, top=image is images[0]))
    if disk.driver is not None and disk.driver.copy_on_read:
        top = images[0]
        yield Piece(
            "blockdev",
            {
                "driver": "copy-on-read",
                "node-name": _copy_on_read_node(disk),
                "file": f"{top.node}-format",
                "discard": "unmap",
            },
        )


def _copy_on_read_node(disk: Disk) -> str:
    return f"libvirt-CoR-{disk.target.dev}"


def top_node(disk: Disk, ctx: Context) -> str | None:
    """The node a disk's device reads; None for an empty drive."""
    if is_empty(disk):
        return None
    if disk.driver is not None and disk.driver.copy_on_read:
        return _copy_on_read_node(disk)
    return f"libvirt-{ctx.nodes[alias_of(disk)][0]}-format"
