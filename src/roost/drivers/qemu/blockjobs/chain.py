"""A disk's chain of images: read from a live document, looked up in, rebuilt. Dry."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from roost.drivers.qemu.plan.reservations import without_socket
from roost.errors import From, InvalidArg
from roost.model.domain import Domain
from roost.model.domain.devices.disk import AnyDiskSource, BackingStore, BlockSource, Disk, DiskDriver, FileSource
from roost.model.domain.devices.disksource import DiskFormat, Mirror
from roost.model.moment import is_empty, source_path


class Layer(NamedTuple):
    """One image of a chain. number: the one in its nodes' names; 0 in a document that does not run."""

    number: int
    source: AnyDiskSource
    format: DiskFormat
    metadata_cache: int | None = None

    @property
    def format_node(self) -> str:
        return f"libvirt-{self.number}-format"

    @property
    def storage_node(self) -> str:
        return f"libvirt-{self.number}-storage"

    @property
    def path(self) -> str:
        """What messages call it."""
        return source_path(self.source) or ""


class Chain(NamedTuple):
    """The images from the top down. end: what stands below the last: a mark that there is no more, or nothing."""

    layers: tuple[Layer, ...]
    end: BackingStore | None = None


def chain_of(disk: Disk) -> Chain:
    """The chain of a disk, as far as its document tells."""
    driver = disk.driver
    top = Layer(
        disk.source.index or 0,
        disk.source,
        driver.type if driver is not None and driver.type is not None else "raw",
        driver.metadata_cache_size if driver is not None else None,
    )
    return chain_from(top, disk.backing_store)


def chain_from(top: Layer, store: BackingStore | None) -> Chain:
    """A chain from its top and the elements below it."""
    layers = [top]
    while store is not None and store.source is not None:
        layers.append(_layer(store))
        store = store.backing_store
    return Chain(tuple(layers), store)


def _layer(store: BackingStore) -> Layer:
    assert store.source is not None
    return Layer(store.index or store.source.index or 0, store.source, store.format or "raw", store.metadata_cache_size)


def mirror_chain(mirror: Mirror) -> Chain:
    """The images of a copy, from the top down."""
    top = Layer(mirror.source.index or 0, mirror.source, mirror.format or "raw", mirror.metadata_cache_size)
    return chain_from(top, mirror.backing_store)


def stores(chain: Chain) -> BackingStore | None:
    """The images below the top as nested elements."""
    store = chain.end
    for layer in reversed(chain.layers[1:]):
        store = BackingStore(
            index=layer.number or None,
            format=layer.format,
            metadata_cache_size=layer.metadata_cache,
            source=replace(layer.source, index=None, startup_policy=None),
            backing_store=store,
        )
    return store


def with_chain(disk: Disk, chain: Chain) -> Disk:
    """The disk with another chain. Its login and key, which are the old top's, stay only with that."""
    top, driver = chain.layers[0], disk.driver or DiskDriver(name="qemu")
    driver = replace(
        driver,
        type=top.format,
        metadata_cache_size=top.metadata_cache,
    )
    same = (top.number or None) == disk.source.index and is_same_place(top.source, disk.source)
    return replace(
        disk,
        driver=driver,
        source=replace(top.source, index=top.number or None),
        backing_store=stores(chain),
        auth=disk.auth if same else None,
        encryption=disk.encryption if same else None,
    )


def as_defined(layer: Layer) -> Layer:
    """An image as a definition has it: without the number and the socket that are of the running guest alone."""
    return layer._replace(number=0, source=replace(without_socket(layer.source), index=None))


def is_same_place(one: AnyDiskSource, other: AnyDiskSource) -> bool:
    """Whether two sources are the same image."""
    if isinstance(one, FileSource | BlockSource) and isinstance(other, FileSource | BlockSource):
        path = source_path(one)
        return path is not None and path == source_path(other)
    bare: dict[str, Any] = {"index": None, "startup_policy": None, "data_store": None}
    return type(one) is type(other) and replace(one, **bare) == replace(other, **bare)


# -- finding -----------------------------------------------------------------------------------

_INDEXED = re.compile(r"(.*)\[([0-9]+)\]")


def disk_named(domain: Domain, name: str) -> Disk:
    """The disk with that target, or with that path. Raises InvalidArg naming those there are."""
    disks = domain.devices.disks
    for disk in disks:
        if name in (disk.target.dev, source_path(disk.source) if name.startswith("/") else None):
            return disk
    known = ", ".join(disk.target.dev for disk in disks) or "none"
    raise InvalidArg(f"disk '{name}' not found in domain", domain=From.QEMU, hint=f"its disks are {known}")


def find(chain: Chain, target: str, name: str | None, *, below: int | None = None) -> int:
    """Where an image stands in a chain: by `TARGET[N]`, by path, or None for the lowest.

    below: only images below that one. Raises InvalidArg with what there is.
    """
    start = 0 if below is None else below + 1
    layers = chain.layers
    number = 0
    if name is not None and (indexed := _INDEXED.fullmatch(name)) is not None:
        number = int(indexed[2])
        if number and indexed[1] != target:
            raise InvalidArg(f"requested target '{indexed[1]}' does not match target '{target}'", domain=From.STORAGE)
    for place in range(start, len(layers)):
        layer = layers[place]
        if name is None and not number:
            if place == len(layers) - 1 and place >= start:
                return place
        elif number:
            if layer.number == number:
                return place
        elif name is not None and _is_called(layers, place, name):
            return place
    known = ", ".join(f"{target}[{layer.number}] ({layer.path})" for layer in layers[start:]) or "none"
    hint = f"there {'are' if len(layers) - start > 1 else 'is'} {known}"
    if number:
        text = f"could not find backing store index '{number}' in chain for '{target}'"
    elif name is None:
        text = f"could not find base image in chain for '{target}'"
    elif below is not None:
        text = f"could not find image '{name}' beneath '{layers[below].path}' in chain for '{target}'"
    else:
        text = f"could not find image '{name}' in chain for '{target}'"
    raise InvalidArg(text, domain=From.STORAGE, hint=hint)


def _is_called(layers: Sequence[Layer], place: int, name: str) -> bool:
    path = layers[place].path
    if not path:
        return False
    above = layers[place - 1].path if place else ""
    return name == path or os.path.normpath(posixpath.join(posixpath.dirname(above), name)) == path


def image_at_node(domain: Domain, node: str) -> tuple[str, Layer, bool] | None:
    """The image that a storage node reaches: (target of its disk, image, whether it is the disk's own)."""
    for disk in domain.devices.disks:
        layers = list(chain_of(disk).layers)
        if disk.mirror is not None:
            layers += mirror_chain(disk.mirror).layers
        for layer in layers:
            if layer.number and layer.storage_node == node:
                return disk.target.dev, layer, layer is layers[0]
    return None


def with_disk(domain: Domain, disk: Disk) -> Domain:
    """The document with a changed disk; found by its target."""
    disks = tuple(disk if each.target.dev == disk.target.dev else each for each in domain.devices.disks)
    return replace(domain, devices=replace(domain.devices, disks=disks))


def with_same_disk(config: Domain, disk: Disk, change: Callable[[Disk], Disk]) -> Domain:
    """A definition with a disk changed, if it has it, and with the image that the running guest's `disk` has."""
    for own in config.devices.disks:
        if own.target.dev == disk.target.dev and is_same_place(own.source, disk.source):
            return with_disk(config, change(own))
    return config


__all__ = [
    "Chain", "Layer", "as_defined", "chain_from", "chain_of", "disk_named", "find",
    "image_at_node", "is_empty", "is_same_place", "mirror_chain", "stores", "with_chain", "with_disk", "with_same_disk",
]  # fmt: skip
