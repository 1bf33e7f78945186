"""<capabilities>: the host, and the kinds of guest that each emulator on it runs."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.model.cpu.document import Processor
from roost.xml import (
    Child,
    Flag,
    KiB,
    Record,
    Text,
    UInt,
    Uuid,
    YesNo,
    at,
    format_document,
    parse_document,
)

Associativity = Literal["none", "direct", "full"]
CachePolicy = Literal["none", "writeback", "writethrough"]


class PagePool(Record):
    """Pages of one size in a NUMA cell. size: KiB."""

    unit: Literal["KiB"] = "KiB"
    size: UInt
    count: Text[UInt]


class Distance(Record):
    id: UInt
    value: UInt


class SideCache(Record):
    """A memory-side cache of a NUMA cell."""

    level: UInt
    associativity: Associativity
    policy: CachePolicy
    size: Annotated[UInt, at("size/@value")]
    size_unit: Annotated[Literal["KiB"], at("size/@unit")] = "KiB"
    line: Annotated[UInt, at("line/@value")]
    line_unit: Annotated[Literal["B"], at("line/@unit")] = "B"


class HostCpu(Record):
    """One logical processor's place. siblings: the threads of its core, as ranges."""

    id: UInt
    socket_id: UInt
    die_id: UInt | None = None
    cluster_id: UInt | None = None
    core_id: UInt
    siblings: str


class CpuList(Record):
    num: UInt
    cpus: Annotated[tuple[HostCpu, ...], at("cpu")] = ()


class Cell(Record):
    """A NUMA cell."""

    id: UInt
    memory: Child[KiB | None] = None
    pages: Annotated[tuple[PagePool, ...], at("pages")] = ()
    distances: Annotated[tuple[Distance, ...], at("distances/sibling")] = ()
    caches: Annotated[tuple[SideCache, ...], at("cache")] = ()
    cpus: CpuList | None = None


class CellList(Record):
    num: UInt
    cells: Annotated[tuple[Cell, ...], at("cell")] = ()


class Interconnect(Record):
    """How quickly (`latency`: ns) or how much (`bandwidth`: KiB/s) one cell reaches another's memory."""

    initiator: UInt
    target: UInt
    cache: UInt | None = None
    type: Literal["access", "read", "write"]
    value: UInt
    unit: Literal["KiB"] | None = None


class Topology(Record):
    cells: CellList
    latencies: Annotated[tuple[Interconnect, ...], at("interconnects/latency")] = ()
    bandwidths: Annotated[tuple[Interconnect, ...], at("interconnects/bandwidth")] = ()


class Control(Record):
    """What of a cache or of memory bandwidth can be given to a group of tasks."""

    granularity: UInt
    min: UInt | None = None
    unit: str | None = None
    type: Literal["both", "code", "data"] | None = None
    max_allocs: Annotated[UInt, at("@maxAllocs")]


class Monitor(Record):
    """What can be measured of groups of tasks."""

    level: UInt | None = None
    reuse_threshold: Annotated[UInt | None, at("@reuseThreshold")] = None
    max_monitors: Annotated[UInt, at("@maxMonitors")]
    features: Annotated[tuple[str, ...], at("feature/@name")] = ()


class Bank(Record):
    """A cache. cpus: that share it, as ranges."""

    id: UInt
    level: UInt
    type: Literal["both", "code", "data"]
    size: UInt
    unit: str
    cpus: str
    controls: Annotated[tuple[Control, ...], at("control")] = ()


class Cache(Record):
    banks: Annotated[tuple[Bank, ...], at("bank")] = ()
    monitor: Monitor | None = None


class BandwidthNode(Record):
    id: UInt
    cpus: str
    controls: Annotated[tuple[Control, ...], at("control")] = ()


class MemoryBandwidth(Record):
    nodes: Annotated[tuple[BandwidthNode, ...], at("node")] = ()
    monitor: Monitor | None = None


class PowerManagement(Record):
    """How the host can be put to sleep."""

    suspend_mem: Flag = False
    suspend_disk: Flag = False
    suspend_hybrid: Flag = False


class BaseLabel(Record):
    type: str
    label: Text[str]


class SecurityModel(Record):
    model: Child[str]
    doi: Child[str]
    base_labels: Annotated[tuple[BaseLabel, ...], at("baselabel")] = ()


class Host(Record):
    uuid: Child[Uuid | None] = None
    cpu: Processor | None = None
    power_management: Annotated[PowerManagement | None, at("power_management", keep_empty=True)] = None
    iommu: Annotated[YesNo | None, at("iommu/@support")] = None
    live_migration: Annotated[Flag, at("migration_features/live")] = False
    migration_transports: Annotated[tuple[str, ...], at("migration_features/uri_transports/uri_transport")] = ()
    topology: Topology | None = None
    cache: Cache | None = None
    memory_bandwidth: MemoryBandwidth | None = None
    security_models: Annotated[tuple[SecurityModel, ...], at("secmodel")] = ()


class MachineName(Record):
    """A machine type. canonical: what an alias stands for."""

    canonical: str | None = None
    max_cpus: Annotated[UInt | None, at("@maxCpus")] = None
    deprecated: YesNo | None = None
    name: Text[str]


class DomainKind(Record):
    """A <domain type> with what differs from the architecture's own."""

    type: str
    emulator: Child[str | None] = None
    machines: Annotated[tuple[MachineName, ...], at("machine")] = ()


class GuestArch(Record):
    name: str
    wordsize: Child[UInt]
    emulator: Child[str]
    machines: Annotated[tuple[MachineName, ...], at("machine")] = ()
    domains: Annotated[tuple[DomainKind, ...], at("domain")] = ()


class GuestFeatures(Record):
    """What every guest of the kind can have; `toggle`: whether it can be switched."""

    pae: Flag = False
    nonpae: Flag = False
    acpi_default: Annotated[Literal["on", "off"] | None, at("acpi/@default")] = None
    acpi_toggle: Annotated[YesNo | None, at("acpi/@toggle")] = None
    apic_default: Annotated[Literal["on", "off"] | None, at("apic/@default")] = None
    apic_toggle: Annotated[YesNo | None, at("apic/@toggle")] = None
    cpuselection: Flag = False
    deviceboot: Flag = False
    disksnapshot_default: Annotated[Literal["on", "off"] | None, at("disksnapshot/@default")] = None
    disksnapshot_toggle: Annotated[YesNo | None, at("disksnapshot/@toggle")] = None
    external_snapshot: Annotated[Flag, at("externalSnapshot")] = False


class Guest(Record):
    os_type: Child[str]
    arch: GuestArch
    features: GuestFeatures | None = None


class HostCapabilities(Record):
    host: Host
    guests: Annotated[tuple[Guest, ...], at("guest")] = ()


def parse_capabilities(xml: str | bytes) -> HostCapabilities:
    return parse_document(xml, HostCapabilities, "capabilities", name="(capabilities)")


def format_capabilities(capabilities: HostCapabilities) -> str:
    return format_document(capabilities, "capabilities")
