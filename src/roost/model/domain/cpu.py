"""The processor the guest sees: <cpu>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, From, XmlError
from roost.model.domain.numa import Numa
from roost.model.domain.processors import Natural
from roost.xml import Complaint, Integer, OnOff, Positive, Record, Text, at


def _complaint(text: str) -> Complaint:
    return Complaint(XmlError, text, domain=From.CPU)


_NAMELESS = _complaint("Invalid CPU feature name")


class CpuModel(Record):
    """A model by name. fallback: whether another may be taken where the host lacks it; vendor_id: what CPUID says."""

    fallback: Annotated[
        Literal["allow", "forbid"] | None,
        at("@fallback", wrong=Complaint(ConfigUnsupported, "Invalid fallback attribute", domain=From.CPU)),
    ] = None
    vendor_id: str | None = None
    name: Text[str | None] = None


class CpuTopology(Record):
    """dies in a socket, clusters in a die, cores in a cluster, threads in a core."""

    sockets: Positive
    dies: Positive | None = None
    clusters: Positive | None = None
    cores: Positive
    threads: Positive


class CpuFeature(Record):
    policy: Annotated[
        Literal["force", "require", "optional", "disable", "forbid"] | None,
        at("@policy", wrong=Complaint(ConfigUnsupported, "Invalid CPU feature policy", domain=From.CPU)),
    ] = None
    name: Annotated[str, at("@name", missing=_NAMELESS)]


class CpuCache(Record):
    """What CPUID tells of caches: emulated ones of `level`, the host's, or none."""

    level: Annotated[
        Annotated[int, Integer(1, 3)] | None,
        at("@level", wrong=_complaint("invalid CPU cache level, must be in range [1,3]")),
    ] = None
    mode: Literal["emulate", "passthrough", "disable"]


class MaxPhysAddr(Record):
    """How many bits of physical address the guest sees; at most `limit` where they are the host's."""

    mode: Literal["emulate", "passthrough"]
    bits: Natural | None = None
    limit: Natural | None = None


class Cpu(Record):
    mode: Annotated[
        Literal["custom", "host-model", "host-passthrough", "maximum"] | None,
        at("@mode", wrong=Complaint(ConfigUnsupported, "Invalid mode attribute '%s'", domain=From.CPU)),
    ] = None
    match: Literal["minimum", "exact", "strict"] | None = None
    check: Literal["none", "partial", "full"] | None = None
    migratable: OnOff | None = None
    deprecated_features: OnOff | None = None
    model: CpuModel | None = None
    vendor: Annotated[str | None, at("vendor")] = None
    topology: CpuTopology | None = None
    cache: Annotated[
        CpuCache | None, at("cache", once=_complaint("at most one CPU cache element may be specified"))
    ] = None  # fmt: skip
    maxphysaddr: MaxPhysAddr | None = None
    features: Annotated[tuple[CpuFeature, ...], at("feature")] = ()
    numa: Annotated[Numa | None, at("numa", keep_empty=True)] = None


__all__ = ["Cpu", "CpuCache", "CpuFeature", "CpuModel", "CpuTopology", "MaxPhysAddr"]
