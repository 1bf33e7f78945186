"""Parts of caches and of memory bandwidth, as resctrl's `schemata` tell of them, and what is left to give. Dry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from roost.errors import ConfigUnsupported, From, InternalError
from roost.host.api import CacheType, HostControl

#: In libvirt's order, with what a schema's name ends in.
_KINDS: Mapping[str, CacheType] = {"": "both", "CODE": "code", "DATA": "data"}
_SUFFIXES: Mapping[CacheType, str] = {kind: suffix for suffix, kind in _KINDS.items()}
_ORDER: Sequence[CacheType] = tuple(_SUFFIXES)
_CACHE_LINE = re.compile(r"\s*L(\d+)(CODE|DATA|):(.*)")
_BANDWIDTH_LINE = re.compile(r"\s*MB:(.*)")


class Place(NamedTuple):
    """A cache, or the part of it for code or data, that masks are of."""

    level: int
    type: CacheType
    cache: int


class Schemata(NamedTuple):
    """What a group has. masks: a bit for each part of a cache. bandwidths: by memory controller, in percent."""

    masks: Mapping[Place, int] = {}
    bandwidths: Mapping[int, int] = {}


class Shared(NamedTuple):
    """What there is of a kind of cache. size: bytes of each. parts: bits of a mask. least: of them in a mask."""

    size: int
    parts: int
    least: int

    @property
    def granularity(self) -> int:
        return self.size // self.parts


class Supply(NamedTuple):
    """What a host has to give.

    caches: by level and type. ids: of the caches, by level. bandwidth: None where it cannot be given.
    controllers: how many there are of memory. watches: whether what groups use can be told.
    """

    caches: Mapping[tuple[int, CacheType], Shared]
    ids: Mapping[int, frozenset[int]]
    bandwidth: HostControl | None
    controllers: int
    watches: bool

    @property
    def is_empty(self) -> bool:
        return not (self.caches or self.bandwidth is not None or self.watches)


class Wanted(NamedTuple):
    """What a group is to have. sizes: bytes. bandwidths: percent."""

    sizes: Mapping[Place, int]
    bandwidths: Mapping[int, int]


def parse(text: str) -> Schemata:
    """Raises InternalError for masks that are none; what is neither caches nor bandwidth is left out."""
    masks: dict[Place, int] = {}
    bandwidths: dict[int, int] = {}
    for line in text.splitlines():
        cache, bandwidth = _CACHE_LINE.fullmatch(line), _BANDWIDTH_LINE.fullmatch(line)
        try:
            if cache is not None:
                level, kind = int(cache[1]), _KINDS[cache[2]]
                masks |= {Place(level, kind, id): int(mask, 16) for id, mask in _pairs(cache[3])}
            elif bandwidth is not None:
                bandwidths |= {id: int(value) for id, value in _pairs(bandwidth[1])}
        except ValueError:
            raise InternalError(f"Cannot parse resctrl schema '{line}'", domain=From.RESCTRL) from None
    return Schemata(masks, bandwidths)


def _pairs(text: str) -> Iterator[tuple[int, str]]:
    for part in text.split(";"):
        id, separator, value = part.partition("=")
        if separator:
            yield int(id), value.strip()


def format(schemata: Schemata) -> str:
    """The inverse, a line for each kind of cache, in libvirt's order."""
    lines: dict[str, list[str]] = {}
    for place in sorted(schemata.masks, key=_rank):
        name = f"L{place.level}{_SUFFIXES[place.type]}"
        lines.setdefault(name, []).append(f"{place.cache}={schemata.masks[place]:x}")
    for id, value in sorted(schemata.bandwidths.items()):
        lines.setdefault("MB", []).append(f"{id}={value}")
    return "".join(f"{name}:{';'.join(values)}\n" for name, values in lines.items())


def _rank(place: Place) -> tuple[int, int, int]:
    return place.level, _ORDER.index(place.type), place.cache


def free(supply: Supply, groups: Iterable[Schemata]) -> dict[Place, int]:
    """The masks of what no group has."""
    left = {
        Place(level, kind, id): (1 << shared.parts) - 1
        for (level, kind), shared in supply.caches.items()
        for id in supply.ids[level]
    }
    for group in groups:
        for place, mask in group.masks.items():
            if place in left:
                left[place] &= ~mask
    return left


def assign(supply: Supply, groups: Mapping[str, Schemata], wanted: Wanted) -> Schemata:
    """What a new group gets: what it is to have, and of all else what everybody has.

    groups: those that are there, "" that of all tasks. Raises ConfigUnsupported for what is not to be had.
    """
    default = groups[""]
    _check_bandwidths(supply, wanted.bandwidths)
    left = free(supply, groups.values())
    masks = dict(default.masks)
    for place in sorted(wanted.sizes, key=_rank):
        masks[place] = _choose(supply, left, place, wanted.sizes[place])
    return Schemata(masks, {**default.bandwidths, **wanted.bandwidths})


def _check_bandwidths(supply: Supply, wanted: Mapping[int, int]) -> None:
    if not wanted:
        return
    control = supply.bandwidth
    if control is None:
        raise _refusal("RDT Memory Bandwidth allocation unsupported", "drop the <node>s of <memorytune>")
    for id, percent in sorted(wanted.items()):
        if percent % control.granularity:
            raise _refusal(
                f"Memory Bandwidth allocation of size {percent} is not divisible by granularity {control.granularity}",
                f"{_multiple(percent, control.granularity, control.minimum)} would be",
            )
        if percent < control.minimum:
            raise _refusal(
                f"Memory Bandwidth allocation of size {percent} is smaller than the minimum allowed allocation "
                f"{control.minimum}"
            )
        if id >= supply.controllers:
            raise _refusal(
                f"bandwidth controller id {id} does not exist, max controller id {max(supply.controllers - 1, 0)}"
            )


def _choose(supply: Supply, left: Mapping[Place, int], place: Place, size: int) -> int:
    """The mask for so many bytes of a cache."""
    level, kind, cache = place
    shared = supply.caches.get((level, kind))
    if level not in supply.ids or not any(known == level for known, _ in supply.caches):
        raise _refusal(f"Cache level {level} does not support tuning", _known_levels(supply))
    if shared is None:
        others = " and ".join(other for known, other in supply.caches if known == level)
        raise _refusal(
            f"Cache level {level} does not support tuning for scope type '{kind}'",
            f"type {others} does: resctrl is mounted {'without' if others == 'both' else 'with'} its option cdp",
        )
    if place not in left:
        ids = ", ".join(map(str, sorted(supply.ids[level])))
        raise _refusal(f"Cache with id {cache} does not exists for level {level}", f"there are {ids}")
    parts = _parts(shared, size)
    found = smallest_run(left[place], parts)
    if found is None:
        raise _refusal(
            f"Not enough room for allocation of {size} bytes for level {level} cache {cache} scope type '{kind}'",
            "take parts of the cache from /sys/fs/resctrl/schemata, which all other tasks have, or from other groups",
        )
    return (1 << parts) - 1 << found


def _parts(shared: Shared, size: int) -> int:
    """How many bits so many bytes are."""
    if size == shared.size:
        raise _refusal(
            f"Cache allocation for the whole cache is not possible, specify size smaller than {shared.size}"
        )  # fmt: skip
    least = shared.least * shared.granularity
    parts, rest = divmod(size, shared.granularity)
    if rest:
        raise _refusal(
            f"Cache allocation of size {size} is not divisible by granularity {shared.granularity}",
            f"{_multiple(size, shared.granularity, least)} would be",
        )
    if parts < shared.least:
        raise _refusal(
            f"Cache allocation of size {size} is smaller than the minimum allowed allocation {least}"
        )  # fmt: skip
    return parts


def smallest_run(mask: int, length: int) -> int | None:
    """Where in a mask the shortest run of bits begins that has room for so many; the lowest of equal ones."""
    runs = [(match.end() - match.start(), match.start()) for match in re.finditer("1+", f"{mask:b}"[::-1])]
    return min(((size, start) for size, start in runs if size >= length), default=(0, None))[1]


def _multiple(value: int, step: int, least: int) -> int:
    return max(value // step * step + step, least)


def _known_levels(supply: Supply) -> str:
    levels = sorted({level for level, _ in supply.caches})
    return f"level {' and '.join(map(str, levels))} does" if levels else "no cache of this host does"


def _refusal(text: str, hint: str = "") -> ConfigUnsupported:
    return ConfigUnsupported(text, domain=From.RESCTRL, hint=hint)


__all__ = ["Place", "Schemata", "Shared", "Supply", "Wanted", "assign", "format", "free", "parse", "smallest_run"]
