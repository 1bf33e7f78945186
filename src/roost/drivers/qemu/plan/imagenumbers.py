"""The numbers that tell the images of a running guest apart: `index` in its document, N in its nodes' names. Dry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from roost.model.domain.devices.disk import (
    AnyDiskSource,
    BackingStore,
    BlockSource,
    Disk,
    FileSource,
    VhostUserSource,
)


def number_images(disks: Sequence[Disk]) -> Iterator[tuple[Disk, tuple[int, ...]]]:
    """Each disk with the numbers of its images from the top down, an image's data store after it.

    A number that the document has is kept. Others count up from the last disk:
    first the disks' own images and empty drives, then what lies below them.
    """
    known = [(disk, list(_known(disk))) for disk in reversed(disks)]
    following = 1 + max((number or 0 for _, numbers in known for number in numbers), default=0)
    for part in (slice(0, 1), slice(1, None)):
        for _, numbers in known:
            for place in range(len(numbers))[part]:
                if not numbers[place]:
                    numbers[place] = following
                    following += 1
    for disk, numbers in known:
        yield disk, tuple(number or 0 for number in numbers)


def _known(disk: Disk) -> Iterator[int | None]:
    """The number of each image, None where it has none yet."""
    if isinstance(disk.source, VhostUserSource):
        return
    yield disk.source.index
    yield from _data(disk.source)
    yield from _below(disk.backing_store)


def _below(store: BackingStore | None) -> Iterator[int | None]:
    while store is not None and store.source is not None:
        yield store.index or store.source.index
        yield from _data(store.source)
        store = store.backing_store


def _data(source: AnyDiskSource) -> Iterable[int | None]:
    store = source.data_store
    return (store.index,) if store is not None and store.source is not None else ()


def with_numbers(disks: Sequence[Disk], is_empty: frozenset[str]) -> tuple[Disk, ...]:
    """The disks with their images' numbers written down. is_empty: the targets of drives without a medium."""
    made = [_numbered(disk, list(numbers)) for disk, numbers in number_images(disks) if disk.target.dev not in is_empty]
    by_target = {disk.target.dev: disk for disk in made}
    return tuple(by_target.get(disk.target.dev, disk) for disk in disks)


def with_next_numbers(disk: Disk, others: Sequence[Disk], last: int = 0) -> Disk:
    """A disk that joins a running guest, its images numbered from one past the highest of the others and `last`."""
    if isinstance(disk.source, FileSource | BlockSource) and _path(disk.source) is None:
        return disk
    following = next_number(others, last)
    return _numbered(disk, list(range(following, following + len(tuple(_known(disk))))))


def next_number(disks: Sequence[Disk], last: int = 0) -> int:
    """One past the highest number of an image, and past `last`: the highest that block jobs have given."""
    return max(last, *(number or 0 for disk in disks for number in _used(disk)), 0) + 1


def _used(disk: Disk) -> Iterator[int | None]:
    """The numbers of a disk's images, and of the copy that is made of it."""
    yield from _known(disk)
    if disk.mirror is not None:
        yield disk.mirror.source.index
        yield from _below(disk.mirror.backing_store)


def _path(source: FileSource | BlockSource) -> str | None:
    return source.dev if isinstance(source, BlockSource) else source.file or source.fdgroup


def _numbered(disk: Disk, numbers: list[int]) -> Disk:
    if not numbers:
        return disk
    source = _with_data(replace(disk.source, index=numbers.pop(0)), numbers)
    return replace(disk, source=source, backing_store=_with_store(disk.backing_store, numbers))


def _with_store(store: BackingStore | None, numbers: list[int]) -> BackingStore | None:
    if store is None or store.source is None:
        return store
    number = numbers.pop(0)
    source = _with_data(store.source, numbers)
    return replace(store, index=number, source=source, backing_store=_with_store(store.backing_store, numbers))


def _with_data(source: AnyDiskSource, numbers: list[int]) -> AnyDiskSource:
    store = source.data_store
    if store is None or store.source is None:
        return source
    return replace(source, data_store=replace(store, index=numbers.pop(0)))


__all__ = ["next_number", "number_images", "with_next_numbers", "with_numbers"]
