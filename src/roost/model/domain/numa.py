"""The guest's NUMA topology: <numa> in <cpu>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import From, XmlError
from roost.model.domain.cpuset import BAD_LIST, CpuList
from roost.xml import Complaint, KiB, Record, Size, UInt, ULong, YesNo, at

#: A size in bytes, written with the unit's short name.
_Line = Annotated[int, Size(1, "B", "B")]


def _missing(path: str) -> Complaint:
    return Complaint(XmlError, f"missing element or attribute '{path}'", domain=From.XML)


class NumaSibling(Record):
    """How far another node is: 10 is a node from itself, 20 the usual distance, 255 out of reach."""

    id: UInt
    value: UInt


class NumaCache(Record):
    """A cache in front of a node's memory, `size` in KiB and `line` in bytes."""

    level: UInt
    associativity: Annotated[
        Literal["none", "direct", "full"],
        at("@associativity", wrong=Complaint(XmlError, "Invalid cache associativity '%s'")),
    ]
    policy: Annotated[
        Literal["none", "writeback", "writethrough"],
        at(
            "@policy",
            wrong=Complaint(XmlError, "Invalid cache policy '%s'"),
            missing=Complaint(XmlError, "Invalid cache policy '(null)'"),
        ),
    ]
    size: Annotated[KiB, at("size/@value", missing=_missing("./size/@value"))]
    line: Annotated[_Line, at("line/@value", missing=_missing("./line/@value"))]


class NumaCell(Record):
    """A node with its processors and its memory in KiB."""

    id: UInt | None = None
    cpus: Annotated[CpuList | None, at("@cpus", wrong=BAD_LIST)] = None
    memory: Annotated[KiB, at("@memory", missing=_missing("./@memory"))]
    mem_access: Annotated[Literal["shared", "private"] | None, at("@memAccess")] = None
    discard: YesNo | None = None
    distances: Annotated[tuple[NumaSibling, ...], at("distances/sibling")] = ()
    caches: Annotated[tuple[NumaCache, ...], at("cache")] = ()


class Interconnect(Record, tag_field="element"):
    """How memory of node `target` performs from node `initiator`; `AnyInterconnect` is the union.

    cache: the level of the target's cache meant; None for its memory.
    """

    initiator: UInt
    target: UInt
    cache: Annotated[UInt | None, at("@cache", unset=("0",))] = None
    type: Literal["access", "read", "write"]


class Latency(Interconnect, tag="latency"):
    """In nanoseconds."""

    value: ULong


class NumaBandwidth(Interconnect, tag="bandwidth"):
    """In KiB each second."""

    value: Annotated[KiB, at("@value")]


AnyInterconnect = Latency | NumaBandwidth


class Interconnects(Record):
    links: tuple[AnyInterconnect, ...] = ()


class Numa(Record):
    cells: Annotated[tuple[NumaCell, ...], at("cell")] = ()
    interconnects: Interconnects | None = None


__all__ = [
    "AnyInterconnect", "Interconnect", "Interconnects", "Latency", "Numa", "NumaBandwidth", "NumaCache", "NumaCell",
    "NumaSibling",
]  # fmt: skip
