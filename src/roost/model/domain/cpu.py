"""The processor the guest sees: <cpu>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, From
from roost.xml import Complaint, Int, Integer, KiB, OnOff, Record, Text, UInt, YesNo, at


class CpuModel(Record):
    fallback: Literal["allow", "forbid"] | None = None
    vendor_id: str | None = None
    name: Text[str | None] = None


class CpuTopology(Record):
    sockets: UInt
    dies: UInt | None = None
    cores: UInt
    threads: UInt


class CpuFeature(Record):
    policy: Literal["force", "require", "optional", "disable", "forbid"] | None = None
    name: str


class CpuCache(Record):
    level: Annotated[int, Integer(1, 3)] | None = None
    mode: Literal["emulate", "passthrough", "disable"]


class MaxPhysAddr(Record):
    mode: Literal["emulate", "passthrough"]
    bits: Int | None = None


class NumaSibling(Record):
    id: UInt
    value: UInt


class NumaCell(Record):
    id: UInt | None = None
    cpus: str | None = None
    memory: Annotated[KiB, at("@memory")]
    mem_access: Annotated[Literal["shared", "private"] | None, at("@memAccess")] = None
    discard: YesNo | None = None
    distances: Annotated[tuple[NumaSibling, ...], at("distances/sibling")] = ()


class Cpu(Record):
    mode: Annotated[
        Literal["custom", "host-model", "host-passthrough", "maximum"] | None,
        at("@mode", wrong=Complaint(ConfigUnsupported, "Invalid mode attribute '%s'", domain=From.CPU)),
    ] = None
    match: Literal["minimum", "exact", "strict"] | None = None
    check: Literal["none", "partial", "full"] | None = None
    migratable: OnOff | None = None
    model: CpuModel | None = None
    vendor: Annotated[str | None, at("vendor")] = None
    topology: CpuTopology | None = None
    cache: CpuCache | None = None
    maxphysaddr: MaxPhysAddr | None = None
    features: Annotated[tuple[CpuFeature, ...], at("feature")] = ()
    numa: Annotated[tuple[NumaCell, ...], at("numa/cell")] = ()


__all__ = ["Cpu", "CpuCache", "CpuFeature", "CpuModel", "CpuTopology", "MaxPhysAddr", "NumaCell", "NumaSibling"]
