"""New images above those that an external snapshot keeps, for what is written after going back to it."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Iterator

from msgspec.structs import replace

from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.snapshots import lineage
from roost.drivers.qemu.snapshots.overlays import Overlays, external_disks, remove_file
from roost.engine.snapshots import SnapshotStore
from roost.model import snapshot as model
from roost.model.domain import Domain
from roost.model.domain.devices.disk import Disk, FileSource
from roost.model.moment import source_path
from roost.model.snapshot import KeptSnapshot, Snapshot, SnapshotDisk


async def make(
    overlays: Overlays, made: Snapshot, snapshot: Snapshot, defined: Domain, stack: contextlib.AsyncExitStack
) -> Domain:
    """The definition with images made upon what `snapshot` keeps. Undone when `stack` is unwound.

    made: what `named` has called them.
    """
    assert snapshot.domain is not None
    then = await overlays.make_offline(made, snapshot.domain, stack, reuse=False)
    document = defined
    for part, disk in external_disks(made, snapshot.domain):
        own, new = lineage.find_disk(defined, part.name), lineage.find_disk(then, part.name)
        if own is not None and new is not None and C.is_same_place(own.source, disk.source):
            document = C.with_disk(document, _on_top(own, new))
    return document


def above(made: Snapshot, document: Domain) -> Domain:
    """The document of the guest that goes on, with the new images."""
    for part, disk in external_disks(made, document):
        assert part.source is not None
        layer = C.Layer(0, part.source, part.format or "qcow2", part.metadata_cache_size)
        chain = C.chain_of(disk)
        document = C.with_disk(document, C.with_chain(disk, C.Chain((layer, *chain.layers), chain.end)))
    return document


def tops(record: GuestRecord) -> tuple[str, ...]:
    """The images that the domain writes to now."""
    documents = [record.document, *([record.config] if record.is_persistent else [])]
    return tuple(dict.fromkeys(path for each in documents for path in _tops(each)))


def keep(
    store: SnapshotStore, record: GuestRecord, snapshot: KeptSnapshot, made: Snapshot, before: tuple[str, ...]
) -> None:
    """The snapshot is the current one, and says which images are on top of it; those that nothing needs go.

    before: what the domain wrote to.
    """
    name = record.name
    known = tuple(store.of(name).values())
    fresh = tuple(part for part in made.disks if part.snapshot == "external")
    if any(each.parent == snapshot.name for each in known):
        changed = replace(snapshot, revert_disks=fresh)
    else:
        # Nothing was made of what its own images have got: the new ones take their place.
        by_name = {part.name: part for part in fresh}
        changed = replace(
            snapshot, disks=tuple(by_name.get(part.name, part) for part in snapshot.disks), revert_disks=()
        )
    own = {path for each in (*known, snapshot) for path in _made_by(each)}
    store.put(name, changed)
    store.set_current(name, snapshot.name)
    needed = {path for each in known for path in _kept_by(each)}
    needed |= set(_made_by(changed))
    documents = (record.document, *((record.config,) if record.is_persistent else ()))
    needed |= {layer.path for each in documents for disk in each.devices.disks for layer in C.chain_of(disk).layers}
    for path in before:
        if path in own and path not in needed:
            remove_file(path)
    # Last: a daemon that dies before leaves the next one the knowledge of whose images they are.
    for each in tuple(store.of(name).values()):
        if each.revert_disks and each.name != snapshot.name:
            store.put(name, replace(each, revert_disks=()))


def named(snapshot: Snapshot) -> Snapshot:
    """A snapshot of the same disks, its images called after the time, like none that is there."""
    assert snapshot.domain is not None
    wanted = {part.name for part in snapshot.disks if part.snapshot == "external"}
    parts = tuple(
        SnapshotDisk(name=disk.target.dev, snapshot="external" if disk.target.dev in wanted else "no")
        for disk in snapshot.domain.devices.disks
    )
    if not wanted:
        # Memory alone: there is nothing to be on top of.
        return replace(snapshot, disks=parts, memory=None)
    for second in itertools.count(int(time.time())):
        made = model.complete(
            Snapshot(name=str(second), disks=parts),
            snapshot.domain,
            now=second,
            state="shutoff",
            disk_only=True,
            is_file=os.path.isfile,
        )
        if not any(os.path.lexists(source_path(part.source) or "") for part in made.disks if part.source is not None):
            return made
    raise AssertionError("there is always a later second")


def _on_top(own: Disk, new: Disk) -> Disk:
    """A definition's disk with the new image on top, and below it what it says itself."""
    top, chain = C.chain_of(new).layers[0], C.chain_of(own)
    return C.with_chain(own, C.Chain((top, *chain.layers), chain.end))


def _tops(domain: Domain) -> Iterator[str]:
    for disk in domain.devices.disks:
        if isinstance(disk.source, FileSource) and disk.source.file is not None:
            yield disk.source.file


def _made_by(snapshot: Snapshot) -> Iterator[str]:
    for part in snapshot.disks:
        for made in lineage.made_by(snapshot, part.name):
            if made.source is not None:
                yield source_path(made.source) or ""


def _kept_by(snapshot: Snapshot) -> Iterator[str]:
    for document in (snapshot.domain, snapshot.inactive_domain):
        for disk in document.devices.disks if document is not None else ():
            yield from (layer.path for layer in C.chain_of(lineage.known(disk)).layers)


__all__ = ["above", "keep", "make", "named", "tops"]
