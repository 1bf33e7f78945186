"""Which images of a domain's snapshots stand on which: read from their documents, and from the images themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.storage import find_chain
from roost.errors import RoostError
from roost.model.domain import Domain
from roost.model.domain.devices.disk import AnyDiskSource, Disk
from roost.model.snapshot import KeptSnapshot, Snapshot, SnapshotDisk


class Branch(NamedTuple):
    """One disk of a snapshot as it was then: what the snapshot keeps, inside of its image when it is internal.

    name: of the snapshot.
    """

    name: str
    disk: Disk
    is_internal: bool


def whole(disk: Disk) -> Disk:
    """The disk with all images below it: those that its document leaves open are read from the images."""
    chain = C.chain_of(disk)
    if chain.end is not None:
        return disk
    last = chain.layers[-1]
    below = find_chain(last.source, last.format, disk.target.dev)
    rest = C.chain_from(last, below)
    return C.with_chain(disk, C.Chain((*chain.layers[:-1], *rest.layers), rest.end))


def known(disk: Disk) -> Disk:
    """The same as far as it can be found: images of another snapshot may be gone, which is that one's trouble."""
    try:
        return whole(disk)
    except RoostError:
        return disk


def find_disk(domain: Domain | None, target: str) -> Disk | None:
    """The disk with that target."""
    disks = domain.devices.disks if domain is not None else ()
    return next((disk for disk in disks if disk.target.dev == target), None)


def place_of(disk: Disk, source: AnyDiskSource) -> int | None:
    """Where an image stands in a disk's chain."""
    layers = C.chain_of(disk).layers
    return next((place for place, layer in enumerate(layers) if C.is_same_place(layer.source, source)), None)


def made_by(snapshot: Snapshot, target: str) -> Iterator[SnapshotDisk]:
    """The images that an external snapshot put on top of a disk, when it was taken and when it was gone back to."""
    for part in (*snapshot.revert_disks, *snapshot.disks):
        if part.name == target and part.snapshot == "external" and part.source is not None:
            yield part


def branches(snapshots: Iterable[Snapshot], target: str) -> Iterator[Branch]:
    """What all snapshots keep of a disk, by their own documents."""
    for snapshot in snapshots:
        disk = find_disk(snapshot.domain, target)
        part = next((part for part in snapshot.disks if part.name == target), None)
        if disk is not None and part is not None and part.snapshot in ("internal", "external"):
            yield Branch(snapshot.name or "", disk, part.snapshot == "internal")


def without_image(domain: Domain, target: str, source: AnyDiskSource, base: C.Layer) -> Domain:
    """A document whose disk no more has an image that was merged into `base` below it."""
    disk = find_disk(domain, target)
    place = place_of(disk, source) if disk is not None else None
    if disk is None or place is None:
        return domain
    chain = C.chain_of(disk)
    rest = chain.layers[place + 1 :] or (base,)
    return C.with_disk(domain, C.with_chain(disk, C.Chain((*chain.layers[:place], *rest), chain.end)))


def merged(snapshot: KeptSnapshot, target: str, source: AnyDiskSource, base: C.Layer) -> KeptSnapshot:
    """Another snapshot's documents after that."""
    base = C.as_defined(base)
    domain, inactive = snapshot.domain, snapshot.inactive_domain
    return replace(
        snapshot,
        domain=without_image(domain, target, source, base) if domain is not None else None,
        inactive_domain=without_image(inactive, target, source, base) if inactive is not None else None,
    )


__all__ = ["Branch", "branches", "find_disk", "known", "made_by", "merged", "place_of", "whole", "without_image"]
