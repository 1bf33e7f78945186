"""How much memory a guest has, what backs it, and what bounds it: <maxMemory>, <memoryBacking>, <memtune>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.model.domain.cpuset import BAD_LIST, CpuList
from roost.xml import Flag, KiB, Record, Text, UInt, at


class MaxMemory(Record):
    """The ceiling of memory hotplug: `size` in KiB, `slots` for memory devices."""

    slots: UInt | None = None
    size: Text[KiB]


class HugePage(Record):
    """Pages of `size` KiB, for the guest's NUMA nodes in `nodeset` or for all the rest."""

    size: Annotated[KiB, at("@size")]
    nodeset: Annotated[CpuList | None, at("@nodeset", wrong=BAD_LIST)] = None


class MemoryBacking(Record):
    """hugepages without pages takes the host's default size."""

    hugepages: Annotated[Flag, at("hugepages")] = False
    pages: Annotated[tuple[HugePage, ...], at("hugepages/page")] = ()
    nosharepages: Flag = False
    locked: Flag = False
    source_type: Annotated[Literal["file", "anonymous", "memfd"] | None, at("source/@type")] = None
    access_mode: Annotated[Literal["shared", "private"] | None, at("access/@mode")] = None
    allocation_mode: Annotated[Literal["immediate", "ondemand"] | None, at("allocation/@mode")] = None
    allocation_threads: Annotated[UInt | None, at("allocation/@threads", unset=("0",))] = None
    discard: Flag = False


class MemTune(Record):
    """Limits in KiB that the host puts on the guest's processes."""

    hard_limit: Annotated[KiB | None, at("hard_limit")] = None
    soft_limit: Annotated[KiB | None, at("soft_limit")] = None
    min_guarantee: Annotated[KiB | None, at("min_guarantee", unset=("0",))] = None
    swap_hard_limit: Annotated[KiB | None, at("swap_hard_limit")] = None


__all__ = ["HugePage", "MaxMemory", "MemTune", "MemoryBacking"]
