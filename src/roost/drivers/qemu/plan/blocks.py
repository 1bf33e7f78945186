"""The block nodes behind a disk: for each image of its chain one that reaches it and one that understands it."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan import reservations
from roost.drivers.qemu.plan.context import Context, alias_of, kind_of
from roost.drivers.qemu.plan.images import CACHE_MODES, Image, cache_of, chain, is_empty, path_of
from roost.drivers.qemu.plan.pieces import Piece, Props, compact
from roost.drivers.qemu.plan.protocols import network_props
from roost.drivers.qemu.plan.secrets import certificates, secret
from roost.errors import ConfigUnsupported, From, InvalidArg
from roost.model.domain.devices.disk import (
    BlockSource,
    DirSource,
    Disk,
    FileSource,
    NetworkSource,
    NvmeSource,
    ThrottleLimits,
    VhostUserSource,
    VhostVdpaSource,
)

#: Image formats to QEMU's block drivers.
_FORMATS = {
    "raw": "raw", "fat": "raw", "qcow2": "qcow2", "qcow": "qcow", "qed": "qed", "vmdk": "vmdk", "vdi": "vdi",
    "vpc": "vpc", "vhd": "vhdx", "bochs": "bochs", "cloop": "cloop", "dmg": "dmg", "ploop": "parallels",
}  # fmt: skip
#: Formats with a backing file.
_BACKED = frozenset(("qcow2", "qcow", "qed", "vmdk"))
#: How device nodes of optical drives are called; a disc in any other block device is a disk to QEMU.
_OPTICAL = ("/dev/sr", "/dev/scd", "/dev/cdrom", "/dev/dvd")


def _file(disk: Disk, image: Image, ctx: Context) -> Props:
    source = image.source
    props: Props = {"driver": "file", "filename": path_of(source)}
    if isinstance(source, BlockSource):
        optical = disk.device == "cdrom" and source.dev is not None and source.dev.startswith(_OPTICAL)
        props["driver"] = "host_cdrom" if optical else "host_device"
    elif isinstance(source, FileSource) and source.fdgroup is not None:
        props["filename"] = f"/dev/fdset/{ctx.fdset(image.storage_node)}"
    if disk.driver is not None:
        props["aio"] = disk.driver.io
    if source.reservations is not None:
        props["pr-manager"] = _manager(image)
    return compact(props)


def _manager(image: Image) -> str:
    held = image.source.reservations
    return reservations.MANAGED if held is not None and held.managed else f"pr-helper-{image.storage_node}"


def _directory(disk: Disk, image: Image, ctx: Context) -> Props:
    return {
        "driver": "vvfat",
        "dir": path_of(image.source),
        "floppy": disk.device == "floppy",
        "rw": not image.readonly,
    }


def _network(disk: Disk, image: Image, ctx: Context) -> Props:
    assert isinstance(image.source, NetworkSource)
    props = network_props(image.source, image.auth, image.keys)
    encryption = image.encryption
    if encryption is not None and encryption.engine == "librbd":
        props["encrypt"] = {"format": encryption.format, "key-secret": image.keys.encryption}
    return props


def _nvme(disk: Disk, image: Image, ctx: Context) -> Props:
    assert isinstance(image.source, NvmeSource)
    return {"driver": "nvme", "device": str(image.source.address), "namespace": image.source.namespace}


def _vdpa(disk: Disk, image: Image, ctx: Context) -> Props:
    assert isinstance(image.source, VhostVdpaSource)
    fds = ctx.grants.fds.get(image.storage_node)
    path = f"/dev/fdset/{ctx.fdset(image.storage_node)}" if fds else image.source.dev
    return {"driver": "virtio-blk-vhost-vdpa", "path": path}


_STORAGE = {
    FileSource: _file,
    BlockSource: _file,
    DirSource: _directory,
    NetworkSource: _network,
    NvmeSource: _nvme,
    VhostVdpaSource: _vdpa,
}


def _storage(disk: Disk, image: Image, ctx: Context) -> Props:
    make = _STORAGE.get(type(image.source))
    if make is None:
        raise ConfigUnsupported(
            f"disk source type '{kind_of(image.source)}' is not supported by this driver", domain=From.QEMU
        )
    props = make(disk, image, ctx)
    props["node-name"] = image.storage_node
    _add_cache(disk, props)
    fds = _given(image, ctx)
    if len(fds) == 1:
        # One descriptor cannot be opened a second time in the other mode.
        props["read-only"] = image.readonly
    else:
        props["auto-read-only"] = True
    props["discard"] = "unmap"
    return props


def _given(image: Image, ctx: Context) -> tuple[int, ...]:
    """The descriptors that were handed over for an image. Raises InvalidArg when there are none of its group."""
    source = image.source
    if not isinstance(source, FileSource) or source.fdgroup is None:
        return ()
    fds = ctx.grants.fds.get(f"fdgroup:{source.fdgroup}", ())
    if not fds:
        raise InvalidArg(
            f"file descriptor group '{source.fdgroup}' was not associated with the domain",
            domain=From.QEMU,
            hint="virDomainFDAssociate passes the descriptors, before the start",
        )
    return fds


def _add_cache(disk: Disk, props: Props) -> None:
    cache = cache_of(disk)
    if cache is not None:
        _, direct, no_flush = CACHE_MODES[cache]
        props["cache"] = {"direct": direct, "no-flush": no_flush}


def _format(disk: Disk, image: Image, ctx: Context, *, top: bool) -> Props:
    name = _FORMATS.get(image.format)
    if name is None:
        raise ConfigUnsupported(
            f"unsupported disk driver type '{image.format}'",
            domain=From.QEMU,
            hint="use one of " + ", ".join(sorted(_FORMATS)),
        )
    driver = disk.driver
    props: Props = {"node-name": image.format_node, "read-only": image.readonly}
    if driver is not None:
        if driver.discard is not None:
            props["discard"] = driver.discard
        if top and driver.detect_zeroes is not None:
            # Zeroes become holes only where discards reach the image.
            unmaps = driver.detect_zeroes != "unmap" or driver.discard == "unmap"
            props["detect-zeroes"] = driver.detect_zeroes if unmaps else "on"
    _add_cache(disk, props)
    props["driver"] = name
    props |= _inside(disk, image)
    props["file"] = image.slice_node if image.needs_slice_node else image.storage_node
    if image.data is not None:
        props["data-file"] = image.data.format_node
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


def _inside(disk: Disk, image: Image) -> Props:
    """What a format's driver has to be told: the key, the part of the file, how much of its tables to remember."""
    props: Props = {}
    if image.is_luks:
        if image.format == "raw":
            return {"driver": "luks", "key-secret": image.keys.encryption}
        props["encrypt"] = {"format": "luks", "key-secret": image.keys.encryption}
    if image.format == "raw" and image.source.slices:
        props |= {"offset": image.source.slices[0].offset, "size": image.source.slices[0].size}
    if image.format == "qcow2":
        if image.metadata_cache:
            props["cache-size"] = image.metadata_cache
        if disk.driver is not None and disk.driver.discard_no_unref is not None:
            props["discard-no-unref"] = disk.driver.discard_no_unref
    return props


def _slice(image: Image) -> Piece:
    part = image.source.slices[0]
    return Piece(
        "blockdev",
        {
            "driver": "raw",
            "node-name": image.slice_node,
            "offset": part.offset,
            "size": part.size,
            "file": image.storage_node,
            "auto-read-only": True,
            "discard": "unmap",
        },
    )


def _objects(image: Image, ctx: Context) -> Iterator[Piece]:
    """What an image's nodes refer to."""
    held, keys = image.source.reservations, image.keys
    if held is not None and not held.managed and held.source is not None:
        yield reservations.manager(_manager(image), held.source.path)
    for name in (keys.auth, keys.encryption, keys.cookies):
        if name is not None:
            yield secret(name, ctx)
    if keys.tls is not None:
        yield certificates(keys.tls, ctx.grants.nbd_certificates)


def _descriptors(image: Image, ctx: Context) -> Iterator[Piece]:
    fds = _given(image, ctx) or ctx.grants.fds.get(image.storage_node, ())
    for number, fd in enumerate(fds):
        if not ctx.running:
            ctx.use(fd)
        data = {"fdset-id": ctx.fdset(image.storage_node), "fd": fd, "opaque": f"{image.storage_node}{number}"}
        yield Piece("fdset", data)


def image_nodes(disk: Disk, image: Image, ctx: Context, *, top: bool) -> Iterator[Piece]:
    """The objects and nodes of one image. top: it is what the disk's device reads."""
    if image.data is not None:
        yield from image_nodes(disk, image.data, ctx, top=False)
    yield from _descriptors(image, ctx)
    yield from _objects(image, ctx)
    yield Piece("blockdev", _storage(disk, image, ctx))
    if image.needs_slice_node:
        yield _slice(image)
    yield Piece("blockdev", _format(disk, image, ctx, top=top))


def blockdevs(disk: Disk, ctx: Context) -> Iterator[Piece]:
    """The block nodes of a disk, from the bottom of its chain up; none for an empty drive."""
    if is_empty(disk) or isinstance(disk.source, VhostUserSource):
        return
    images = chain(disk, ctx)
    for image in reversed(images):
        yield from image_nodes(disk, image, ctx, top=image is images[0])
    node = images[0].format_node
    for name, props in _filters(disk):
        yield Piece("blockdev", {"driver": props.pop("driver"), "node-name": name, "file": node, **props})
        node = name


def _filters(disk: Disk) -> Iterator[tuple[str, Props]]:
    """The nodes above an image, by name: those that copy what is read, and those that slow down."""
    if disk.driver is not None and disk.driver.copy_on_read:
        yield f"libvirt-CoR-{disk.target.dev}", {"driver": "copy-on-read", "discard": "unmap"}
    for number, each in enumerate(disk.throttle_filters):
        group = throttle_object(each.group)
        # Named by the disk: another image may take the place of the one below.
        yield f"libvirt-{disk.target.dev}-filter{number}", {"driver": "throttle", "throttle-group": group}


def top_node(disk: Disk, ctx: Context) -> str | None:
    """The node a disk's device reads; None for an empty drive."""
    if is_empty(disk) or isinstance(disk.source, VhostUserSource):
        return None
    image = chain(disk, ctx)[0]
    return ([image.format_node] + [name for name, _ in _filters(disk)])[-1]


# -- throttle groups ---------------------------------------------------------------------------

#: QMP's names of the limits, and the first part of the document's.
THROTTLES = (
    ("bps", "total_bytes"),
    ("bps_rd", "read_bytes"),
    ("bps_wr", "write_bytes"),
    ("iops", "total_iops"),
    ("iops_rd", "read_iops"),
    ("iops_wr", "write_iops"),
)
_GROUP_NAMES = ("bps-total", "bps-read", "bps-write", "iops-total", "iops-read", "iops-write")


def throttle_object(group: str) -> str:
    """The object of a throttle group."""
    return f"throttle-{group}"


def throttle_groups_section(ctx: Context) -> Iterator[Piece]:
    for group in ctx.domain.throttle_groups:
        name = throttle_object(group.group_name or "")
        yield Piece("object", {"qom-type": "throttle-group", "id": name, "limits": _limits(group)})


def _limits(group: ThrottleLimits) -> Props:
    limits: Props = {}
    for name, (_, field) in zip(_GROUP_NAMES, THROTTLES, strict=True):
        limits[name] = getattr(group, f"{field}_sec")
        limits[f"{name}-max"] = getattr(group, f"{field}_sec_max")
        limits[f"{name}-max-length"] = getattr(group, f"{field}_sec_max_length")
    limits["iops-size"] = group.size_iops_sec
    return compact(limits)


def all_limits(group: ThrottleLimits) -> Props:
    """Every limit of a group, those it has not too: one that is left out of a change would stay."""
    none: Props = {"iops-size": 0}
    for name in _GROUP_NAMES:
        none |= {name: 0, f"{name}-max": 0, f"{name}-max-length": 1}
    return none | _limits(group)


def backend_id(disk: Disk) -> str:
    """What block commands call the device that has the disk's images: on some buses a part of what has the alias."""
    alias = alias_of(disk)
    if disk.target.bus == "usb":
        return f"/machine/peripheral/{alias}/{alias}.0/legacy[0]"
    return f"/machine/peripheral/{alias}/virtio-backend" if disk.target.bus == "virtio" else alias


def throttle(disk: Disk) -> Props | None:
    """The arguments of block_set_io_throttle for the disk's <iotune>; None without limits."""
    tune = disk.iotune
    if tune is None:
        return None
    limits: Props = {"id": backend_id(disk)}
    for qmp, field in THROTTLES:
        limits[qmp] = getattr(tune, field + "_sec") or 0
        limits[qmp + "_max"] = getattr(tune, field + "_sec_max")
        limits[qmp + "_max_length"] = getattr(tune, field + "_sec_max_length")
    limits["iops_size"] = tune.size_iops_sec
    limits["group"] = tune.group_name
    return compact(limits)


__all__ = [
    "all_limits", "backend_id", "blockdevs", "image_nodes", "throttle", "throttle_groups_section", "throttle_object",
    "top_node",
]  # fmt: skip
