"""What the host gives a guest: processor time and places, I/O weights, NUMA policy, partitions, counters."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, InternalError, XmlError
from roost.model.domain.cpuset import BAD_LIST, CpuList
from roost.xml import Complaint, Int, Long, Positive, PrettyKiB, Record, UInt, ULong, YesNo, at

Scheduler = Literal["batch", "idle", "fifo", "rr"]
NumaMode = Literal["strict", "preferred", "interleave", "restrictive"]


def _number(what: str) -> Complaint:
    return Complaint(XmlError, f"can't parse cputune {what} value")


def _without_cpuset(element: str) -> Complaint:
    return Complaint(InternalError, f"missing cpuset for {element}")


def _without_vcpus(element: str) -> Complaint:
    return Complaint(XmlError, f"Missing {element} attribute 'vcpus'")


def _bad_vcpus(element: str) -> Complaint:
    return Complaint(XmlError, f"Invalid {element} attribute 'vcpus' value '%s'")


def _without_threads(attribute: str, element: str) -> Complaint:
    return Complaint(XmlError, f"Missing attribute '{attribute}' in element '{element}'")


def _only_one(element: str) -> Complaint:
    return Complaint(XmlError, f"only one {element} is supported")


class VcpuPin(Record):
    vcpu: UInt
    cpuset: Annotated[CpuList, at("@cpuset", wrong=BAD_LIST, missing=_without_cpuset("vcpupin"))]


class EmulatorPin(Record):
    cpuset: Annotated[CpuList, at("@cpuset", wrong=BAD_LIST, missing=_without_cpuset("emulatorpin"))]


class IoThreadPin(Record):
    iothread: Positive
    cpuset: Annotated[CpuList, at("@cpuset", wrong=BAD_LIST, missing=_without_cpuset("iothreadpin"))]


class EmulatorSched(Record):
    """How the host schedules threads; `priority` is for the real-time schedulers fifo and rr."""

    scheduler: Scheduler
    priority: Int | None = None


class VcpuSched(Record):
    vcpus: Annotated[CpuList, at("@vcpus", wrong=BAD_LIST, missing=_without_threads("vcpus", "vcpusched"))]
    scheduler: Scheduler
    priority: Int | None = None


class IoThreadSched(Record):
    iothreads: Annotated[
        CpuList, at("@iothreads", wrong=BAD_LIST, missing=_without_threads("iothreads", "iothreadsched"))
    ]  # fmt: skip
    scheduler: Scheduler
    priority: Int | None = None


class CacheShare(Record):
    """A part of a host cache: bank `id` at `level`, of `size` KiB."""

    id: UInt
    level: UInt
    type: Literal["both", "code", "data"]
    size: Annotated[PrettyKiB, at("@size")]


class CacheMonitor(Record):
    level: UInt
    vcpus: Annotated[
        CpuList, at("@vcpus", wrong=_bad_vcpus("monitor"), missing=_without_vcpus("monitor"))
    ]  # fmt: skip


class Monitor(Record):
    vcpus: Annotated[
        CpuList, at("@vcpus", wrong=_bad_vcpus("monitor"), missing=_without_vcpus("monitor"))
    ]  # fmt: skip


class CacheTune(Record):
    """Cache set aside for processors. id: of the host's control group, while the guest runs."""

    vcpus: Annotated[
        CpuList, at("@vcpus", wrong=_bad_vcpus("cachetune"), missing=_without_vcpus("cachetune"))
    ]  # fmt: skip
    id: Annotated[str | None, at("@id", live=True)] = None
    caches: Annotated[tuple[CacheShare, ...], at("cache")] = ()
    monitors: Annotated[tuple[CacheMonitor, ...], at("monitor")] = ()


class BandwidthShare(Record):
    """At most `bandwidth` percent of memory node `id`."""

    id: UInt
    bandwidth: UInt


class MemoryTune(Record):
    """Memory bandwidth set aside for processors. id: as of CacheTune."""

    vcpus: Annotated[
        CpuList, at("@vcpus", wrong=_bad_vcpus("memorytune"), missing=_without_vcpus("memorytune"))
    ]  # fmt: skip
    id: Annotated[str | None, at("@id", live=True)] = None
    nodes: Annotated[tuple[BandwidthShare, ...], at("node")] = ()
    monitors: Annotated[tuple[Monitor, ...], at("monitor")] = ()


class EnergyTune(Record):
    """Energy counters of processors."""

    vcpus: Annotated[
        CpuList, at("@vcpus", wrong=_bad_vcpus("energytune"), missing=_without_vcpus("energytune"))
    ]  # fmt: skip
    monitors: Annotated[tuple[Monitor, ...], at("monitor")] = ()


class CpuTune(Record):
    """Shares and quotas of processor time, in microseconds each period, and which threads run where."""

    shares: Annotated[ULong | None, at("shares", wrong=_number("shares"))] = None
    period: Annotated[ULong | None, at("period", unset=("0",), wrong=_number("period"))] = None
    quota: Annotated[Long | None, at("quota", unset=("0",), wrong=_number("quota"))] = None
    global_period: Annotated[ULong | None, at("global_period", unset=("0",), wrong=_number("global period"))] = None
    global_quota: Annotated[Long | None, at("global_quota", unset=("0",), wrong=_number("global quota"))] = None
    emulator_period: Annotated[
        ULong | None, at("emulator_period", unset=("0",), wrong=_number("emulator period"))
    ] = None  # fmt: skip
    emulator_quota: Annotated[Long | None, at("emulator_quota", unset=("0",), wrong=_number("emulator quota"))] = None
    iothread_period: Annotated[
        ULong | None, at("iothread_period", unset=("0",), wrong=_number("iothread period"))
    ] = None  # fmt: skip
    iothread_quota: Annotated[Long | None, at("iothread_quota", unset=("0",), wrong=_number("iothread quota"))] = None
    vcpupins: Annotated[tuple[VcpuPin, ...], at("vcpupin")] = ()
    emulatorpin: Annotated[EmulatorPin | None, at("emulatorpin", once=_only_one("emulatorpin"))] = None
    iothreadpins: Annotated[tuple[IoThreadPin, ...], at("iothreadpin")] = ()
    emulatorsched: Annotated[EmulatorSched | None, at("emulatorsched", once=_only_one("emulatorsched"))] = None
    vcpuscheds: Annotated[tuple[VcpuSched, ...], at("vcpusched")] = ()
    iothreadscheds: Annotated[tuple[IoThreadSched, ...], at("iothreadsched")] = ()
    cachetunes: Annotated[tuple[CacheTune, ...], at("cachetune")] = ()
    memorytunes: Annotated[tuple[MemoryTune, ...], at("memorytune")] = ()
    energytunes: Annotated[tuple[EnergyTune, ...], at("energytune")] = ()


def _device_number(what: str) -> Complaint:
    return Complaint(ConfigUnsupported, f"could not parse {what} %s")


class BlkioDevice(Record):
    """Limits for one block device of the host."""

    path: Annotated[str, at("path", missing=Complaint(ConfigUnsupported, "missing per-device path"))]
    weight: Annotated[UInt | None, at("weight", unset=("0",), wrong=_device_number("weight"))] = None
    read_iops_sec: Annotated[
        UInt | None, at("read_iops_sec", unset=("0",), wrong=_device_number("read iops sec"))
    ] = None  # fmt: skip
    write_iops_sec: Annotated[
        UInt | None, at("write_iops_sec", unset=("0",), wrong=_device_number("write iops sec"))
    ] = None  # fmt: skip
    read_bytes_sec: Annotated[
        ULong | None, at("read_bytes_sec", unset=("0",), wrong=_device_number("read bytes sec"))
    ] = None  # fmt: skip
    write_bytes_sec: Annotated[
        ULong | None, at("write_bytes_sec", unset=("0",), wrong=_device_number("write bytes sec"))
    ] = None  # fmt: skip


class BlkioTune(Record):
    weight: Annotated[UInt | None, at("weight", unset=("0",))] = None
    devices: Annotated[tuple[BlkioDevice, ...], at("device")] = ()


class NumaMemory(Record):
    """Which nodes of the host all memory of the guest comes from."""

    mode: Annotated[
        NumaMode | None, at("@mode", wrong=Complaint(ConfigUnsupported, "Unsupported NUMA memory tuning mode '%s'"))
    ] = None
    placement: Annotated[
        Literal["static", "auto"] | None,
        at("@placement", wrong=Complaint(ConfigUnsupported, "Unsupported NUMA memory placement mode '%s'")),
    ] = None
    nodeset: Annotated[CpuList | None, at("@nodeset", wrong=BAD_LIST)] = None


class NumaNode(Record):
    """Which nodes of the host the memory of one guest node comes from."""

    cellid: UInt
    mode: NumaMode | None = None
    nodeset: Annotated[
        CpuList,
        at(
            "@nodeset",
            wrong=BAD_LIST,
            missing=Complaint(XmlError, "Missing required nodeset attribute in memnode element"),
        ),
    ]


class NumaTune(Record):
    memory: Annotated[NumaMemory | None, at("memory", keep_empty=True)] = None
    nodes: Annotated[tuple[NumaNode, ...], at("memnode")] = ()


class Resource(Record):
    """partition: the control group that the guest's is made in. fibrechannel_appid: marks its traffic in the fabric."""

    partition: Annotated[str | None, at("partition")] = None
    fibrechannel_appid: Annotated[str | None, at("fibrechannel/@appid")] = None


_BAD_MAP = Complaint(XmlError, "invalid idmap start/target/count settings")


class IdRange(Record):
    """`count` ids from `start` on in a container are those from `target` on in the host."""

    start: Annotated[UInt, at("@start", wrong=_BAD_MAP, missing=_BAD_MAP)]
    target: Annotated[UInt, at("@target", wrong=_BAD_MAP, missing=_BAD_MAP)]
    count: Annotated[UInt, at("@count", wrong=_BAD_MAP, missing=_BAD_MAP)]


class IdMap(Record):
    """For containers; kept for QEMU's guests and of no effect."""

    uids: Annotated[tuple[IdRange, ...], at("uid")] = ()
    gids: Annotated[tuple[IdRange, ...], at("gid")] = ()


PerfEventName = Literal[
    "cmt", "mbmt", "mbml", "cpu_cycles", "instructions", "cache_references", "cache_misses", "branch_instructions",
    "branch_misses", "bus_cycles", "stalled_cycles_frontend", "stalled_cycles_backend", "ref_cpu_cycles", "cpu_clock",
    "task_clock", "page_faults", "context_switches", "cpu_migrations", "page_faults_min", "page_faults_maj",
    "alignment_faults", "emulation_faults",
]  # fmt: skip


class PerfEvent(Record):
    """A counter of the host's that is kept for the guest."""

    name: PerfEventName
    enabled: YesNo


class Perf(Record):
    events: Annotated[tuple[PerfEvent, ...], at("event")] = ()


__all__ = [
    "BandwidthShare", "BlkioDevice", "BlkioTune", "CacheMonitor", "CacheShare", "CacheTune", "CpuTune", "EmulatorPin",
    "EmulatorSched", "EnergyTune", "IdMap", "IdRange", "IoThreadPin", "IoThreadSched", "MemoryTune", "Monitor",
    "NumaMemory", "NumaMode", "NumaNode", "NumaTune", "Perf", "PerfEvent", "PerfEventName", "Resource", "Scheduler",
    "VcpuPin", "VcpuSched",
]  # fmt: skip
