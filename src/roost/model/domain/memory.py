"""How much memory a guest has, what backs it, and what bounds it: <maxMemory>, <memoryBacking>, <memtune>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, From, XmlError
from roost.model.domain.cpuset import BAD_LIST, CpuList
from roost.xml import Complaint, Flag, KiB, Record, Text, UInt, at


def _missing(path: str) -> Complaint:
    return Complaint(XmlError, f"missing element or attribute '{path}'", domain=From.XML)


def _unknown(what: str) -> Complaint:
    return Complaint(ConfigUnsupported, f"unknown memoryBacking/{what} '%s'")


def _limit(name: str) -> Complaint:
    return Complaint(XmlError, f"Invalid value '%s' for element or attribute './memtune/{name}[1]'", domain=From.XML)


class MaxMemory(Record):
    """The ceiling of memory hotplug: `size` in KiB, `slots` for memory devices."""

    slots: UInt | None = None
    size: Text[KiB] = 0


class HugePage(Record):
    """Pages of `size` KiB, for the guest's NUMA nodes in `nodeset` or for all the rest."""

    size: Annotated[KiB, at("@size", missing=_missing("./@size"))]
    nodeset: Annotated[CpuList | None, at("@nodeset", wrong=BAD_LIST)] = None


class MemoryBacking(Record):
    """hugepages without pages takes the host's default size."""

    hugepages: Annotated[Flag, at("hugepages")] = False
    pages: Annotated[tuple[HugePage, ...], at("hugepages/page")] = ()
    nosharepages: Flag = False
    locked: Flag = False
    source_type: Annotated[
        Literal["file", "anonymous", "memfd"] | None, at("source/@type", wrong=_unknown("source/type"))
    ] = None
    access_mode: Annotated[Literal["shared", "private"] | None, at("access/@mode", wrong=_unknown("access/mode"))] = (
        None
    )
    allocation_mode: Annotated[
        Literal["immediate", "ondemand"] | None, at("allocation/@mode", wrong=_unknown("allocation/mode"))
    ] = None
    allocation_threads: Annotated[
        UInt | None,
        at("allocation/@threads", unset=("0",), wrong=Complaint(XmlError, "Failed to parse memory allocation threads")),
    ] = None
    discard: Flag = False


class MemTune(Record):
    """Limits in KiB that the host puts on the guest's processes."""

    hard_limit: Annotated[KiB | None, at("hard_limit", wrong=_limit("hard_limit"))] = None
    soft_limit: Annotated[KiB | None, at("soft_limit", wrong=_limit("soft_limit"))] = None
    min_guarantee: Annotated[KiB | None, at("min_guarantee", unset=("0",), wrong=_limit("min_guarantee"))] = None
    swap_hard_limit: Annotated[KiB | None, at("swap_hard_limit", wrong=_limit("swap_hard_limit"))] = None


__all__ = ["HugePage", "MaxMemory", "MemTune", "MemoryBacking"]
