"""Statistics of disks and their images. Dry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from roost.contract.typed_params import TypedParam, string, uint, ullong
from roost.drivers.qemu.statistics.answers import Answers, BlockCounters, BlockEntry, NamedNode
from roost.model.domain.devices.disk import (
    AnyDiskSource,
    BlockSource,
    DirSource,
    Disk,
    FileSource,
    VhostUserSource,
    VolumeSource,
)

#: Counter of a drive -> its name in all-domain statistics, in libvirt's order.
_COUNTERS = (
    ("rd_operations", "rd.reqs"),
    ("rd_bytes", "rd.bytes"),
    ("rd_total_time_ns", "rd.times"),
    ("wr_operations", "wr.reqs"),
    ("wr_bytes", "wr.bytes"),
    ("wr_total_time_ns", "wr.times"),
    ("flush_operations", "fl.reqs"),
    ("flush_total_time_ns", "fl.times"),
)
Volumes = Mapping[tuple[str, str], AnyDiskSource]
_PERIPHERAL = "/machine/peripheral/"


class Size(NamedTuple):
    """Bytes: up to where it has been written, what the guest sees, what the host has of it."""

    allocation: int
    capacity: int
    physical: int


class FoundImage(NamedTuple):
    """What QEMU says of an image: of its use, of itself, and of the node that it is stored in."""

    counters: BlockEntry | None
    image: NamedNode | None
    storage: NamedNode | None


class BlockAnswers:
    """QEMU's answers about storage, found by device and by node."""

    def __init__(self, answers: Answers) -> None:
        self.known = answers.drives is not None
        self._by_device = {_device(entry): entry for entry in answers.drives or ()}
        self._by_node: dict[str, BlockEntry] = {}
        for drive in (*(answers.drives or ()), *answers.nodes):
            entry: BlockEntry | None = drive
            while entry is not None:
                self._by_node.setdefault(entry.node_name, entry)
                entry = entry.backing
        self._images = {image.node_name: image for image in answers.images}

    def counters(self, disk: Disk) -> BlockCounters | None:
        """Of a disk's own device; None when QEMU tells nothing of it."""
        entry = self._by_device.get(disk.alias or "")
        return entry.stats if entry is not None else None

    def image(self, index: int) -> FoundImage:
        """The image with that number."""
        node, storage = f"libvirt-{index}-format", f"libvirt-{index}-storage"
        if node not in self._images:
            node = storage  # a raw image needs no node of its own
        return FoundImage(self._by_node.get(node), self._images.get(node), self._images.get(storage))


def _device(entry: BlockEntry) -> str:
    """The alias of the device that a drive belongs to."""
    if entry.qdev.startswith(_PERIPHERAL):
        return entry.qdev[len(_PERIPHERAL) :].partition("/")[0]
    return entry.qdev or entry.device.removeprefix("drive-")


def sum_of(counters: Sequence[BlockCounters]) -> BlockCounters:
    """All of them together."""
    return BlockCounters(*(sum(getattr(each, field) for each in counters) for field in BlockCounters.__struct_fields__))


def path_of(source: AnyDiskSource) -> str | None:
    """The path of an image on the host; None for what has none, an empty drive among them."""
    if isinstance(source, FileSource):
        return source.file
    if isinstance(source, BlockSource):
        return source.dev
    return source.dir if isinstance(source, DirSource) else None


def is_vhost_user(disk: Disk) -> bool:
    """Another process serves it: QEMU knows nothing about its use."""
    return isinstance(disk.source, VhostUserSource)


class Reported(NamedTuple):
    """An image to report, with the number that its nodes' names have."""

    source: AnyDiskSource
    number: int | None


def images_of(disk: Disk, *, backing: bool) -> Iterator[Reported]:
    """The disk's own image; with `backing` those below it, and the copy that is being made of it."""
    yield Reported(disk.source, disk.source.index)
    if not backing:
        return
    store = disk.backing_store
    while store is not None and store.source is not None:
        yield Reported(store.source, store.index or store.source.index)
        store = store.backing_store
    mirror = disk.mirror
    if mirror is not None and mirror.job == "copy":
        yield Reported(mirror.source, mirror.source.index)


def _header(prefix: str, disk: Disk, path: str | None, index: int | None) -> Iterator[TypedParam]:
    yield string(prefix + "name", disk.target.dev)
    if path is not None:
        yield string(prefix + "path", path)
    if index is not None:
        yield uint(prefix + "backingIndex", index)


def _use(prefix: str, counters: BlockCounters) -> Iterator[TypedParam]:
    for field, name in _COUNTERS:
        yield ullong(prefix + name, getattr(counters, field))


def _state(prefix: str, found: FoundImage) -> Iterator[TypedParam]:
    """What QEMU says of an image: its highest byte written, its sizes, and its threshold."""
    counters, image, storage = found
    written = counters.parent if counters is not None else None
    yield ullong(prefix + "allocation", written.stats.wr_highest_offset if written is not None else 0)
    if image is not None:
        capacity, actual = image.image.virtual_size, image.image.actual_size
        if capacity:
            yield ullong(prefix + "capacity", capacity)
        physical = capacity if actual is None else actual
        if not physical and storage is not None:
            physical = storage.image.virtual_size  # a device, or a file with nothing but holes
        if physical:
            yield ullong(prefix + "physical", physical)
    if storage is not None and storage.write_threshold:
        yield ullong(prefix + "threshold", storage.write_threshold)


def running(disks: Sequence[Disk], answers: Answers, volumes: Volumes, *, backing: bool) -> Iterator[TypedParam]:
    """The group `block` of a running guest. volumes: what the volumes of pools are."""
    known = BlockAnswers(answers)
    params: list[TypedParam] = []
    number = 0
    for disk in disks:
        counters = known.counters(disk)
        for place, (source, image) in enumerate(images_of(disk, backing=backing)):
            prefix = f"block.{number}."
            params += _header(prefix, disk, path_of(actual(source, volumes)), image)
            if place == 0 and counters is not None:
                params += _use(prefix, counters)
            if known.known and image is not None and not is_vhost_user(disk):
                params += _state(prefix, known.image(image))
            number += 1
    yield uint("block.count", number)
    yield from params


def actual(source: AnyDiskSource, volumes: Volumes) -> AnyDiskSource:
    if isinstance(source, VolumeSource):
        return volumes.get((source.pool or "", source.volume or ""), source)
    return source


class RestingImage(NamedTuple):
    """An image of a stopped domain. path: None for what has no size to ask the host for."""

    header: tuple[TypedParam, ...]
    path: str | None
    format: str


def resting(disks: Sequence[Disk]) -> tuple[RestingImage, ...]:
    """The same of a stopped domain, as far as its definition goes; only disks' own images are known."""
    found = []
    for number, disk in enumerate(disks):
        path = path_of(disk.source)
        format = disk.driver.type if disk.driver is not None else None
        found.append(RestingImage(tuple(_header(f"block.{number}.", disk, path, None)), path, format or "raw"))
    return tuple(found)


def with_sizes(images: Sequence[RestingImage], sizes: Mapping[tuple[str, str], Size]) -> Iterator[TypedParam]:
    """The group `block` of a stopped domain. sizes: by path and format, of those that could be asked."""
    yield uint("block.count", len(images))
    for number, image in enumerate(images):
        yield from image.header
        size = sizes.get((image.path, image.format)) if image.path is not None else None
        if size is not None:
            for name, value in zip(Size._fields, size, strict=True):
                if value:
                    yield ullong(f"block.{number}.{name}", value)


__all__ = [
    "BlockAnswers", "Reported", "RestingImage", "Size", "actual", "images_of", "is_vhost_user", "path_of", "resting",
    "running", "sum_of", "with_sizes",
]  # fmt: skip
