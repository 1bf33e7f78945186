"""The groups of all-domain statistics: what each makes of what is known of a guest. Dry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from roost.constants import statistics as S
from roost.contract.typed_params import TypedParam, boolean, int_, llong, string, uint, ullong
from roost.drivers.qemu.statistics import blocks
from roost.drivers.qemu.statistics.answers import Answers, BalloonStats, StatsEntry, StatsSchema
from roost.drivers.qemu.tuning.resctrl import Reading
from roost.engine.inspection import current_vcpus
from roost.host.api import ProcessUsage, ThreadUsage
from roost.model.domain import Domain

#: libvirt's tag -> (QEMU's name, divisor, name in all-domain statistics), in libvirt's order.
MEMORY_STATS: Mapping[int, tuple[str, int, str]] = {
    S.MEMORY_STAT_SWAP_IN: ("stat-swap-in", 1024, "swap_in"),
    S.MEMORY_STAT_SWAP_OUT: ("stat-swap-out", 1024, "swap_out"),
    S.MEMORY_STAT_MAJOR_FAULT: ("stat-major-faults", 1, "major_fault"),
    S.MEMORY_STAT_MINOR_FAULT: ("stat-minor-faults", 1, "minor_fault"),
    S.MEMORY_STAT_UNUSED: ("stat-free-memory", 1024, "unused"),
    S.MEMORY_STAT_AVAILABLE: ("stat-total-memory", 1024, "available"),
    S.MEMORY_STAT_USABLE: ("stat-available-memory", 1024, "usable"),
    S.MEMORY_STAT_LAST_UPDATE: ("last-update", 1, "last-update"),
    S.MEMORY_STAT_DISK_CACHES: ("stat-disk-caches", 1024, "disk_caches"),
    S.MEMORY_STAT_HUGETLB_PGALLOC: ("stat-htlb-pgalloc", 1, "hugetlb_pgalloc"),
    S.MEMORY_STAT_HUGETLB_PGFAIL: ("stat-htlb-pgfail", 1, "hugetlb_pgfail"),
}
_UNKNOWN = 2**64 - 1
#: What is told of a cache's bytes, whatever the kernel says.
_UINT = 2**32 - 1
#: resctrl's names of what passes memory controllers.
_BANDWIDTHS = {"mbm_local_bytes": "local", "mbm_total_bytes": "total"}

_NET_COUNTERS = ("rx.bytes", "rx.pkts", "rx.errs", "rx.drop", "tx.bytes", "tx.pkts", "tx.errs", "tx.drop")
_DIRTY_RATE_STATUS = ("unstarted", "measuring", "measured")
_MEASURED = _DIRTY_RATE_STATUS.index("measured")
#: virVcpuInfo's state of every processor that is plugged in.
_RUNNING = 1
#: KVM's type of a statistic -> the end of its name; histograms have none and are left out.
_KVM_TYPES = {"cumulative": "sum", "instant": "cur", "peak": "max"}


class OnHost(NamedTuple):
    """What the host knows of a guest.

    usage: of its process. threads: of its virtual processors, by thread. vcpus: the thread of each.
    interfaces: the counters of those that the host can count, by the name of their target.
    events: of the processors and the kernel that are counted, and how many there were.
    caches, bandwidths: what <monitor>s tell.
    """

    usage: ProcessUsage | None = None
    vcpus: Sequence[int] = ()
    threads: Mapping[int, ThreadUsage] = {}
    interfaces: Mapping[str, Sequence[int]] = {}
    events: Sequence[tuple[str, int]] = ()
    caches: Sequence[Reading] = ()
    bandwidths: Sequence[Reading] = ()


class Observed(NamedTuple):
    """What is known of a running domain at one moment; answers are QEMU's."""

    state: int
    reason: int
    document: Domain
    answers: Answers
    host: OnHost
    volumes: blocks.Volumes
    backing: bool = False


Collector = Callable[[Observed], Iterable[TypedParam]]


def states(state: int, reason: int) -> tuple[TypedParam, ...]:
    return int_("state.state", state), int_("state.reason", reason)


def _state(seen: Observed) -> Iterable[TypedParam]:
    return states(seen.state, seen.reason)


def _cpu(seen: Observed) -> Iterator[TypedParam]:
    if seen.host.usage is None:
        return
    user, system = seen.host.usage.user, seen.host.usage.system
    yield ullong("cpu.time", user + system)
    yield ullong("cpu.user", user)
    yield ullong("cpu.system", system)
    yield from _caches(seen.host.caches)
    polled = _polled(seen)
    if polled is not None:
        yield ullong("cpu.haltpoll.success.time", polled[0])
        yield ullong("cpu.haltpoll.fail.time", polled[1])


def _caches(readings: Sequence[Reading]) -> Iterator[TypedParam]:
    yield uint("cpu.cache.monitor.count", len(readings))
    yield from _monitors("cpu.cache.monitor", "bank", readings, _occupied)


def _occupied(bank: str, told: Mapping[str, int]) -> Iterator[TypedParam]:
    yield uint(f"{bank}.bytes", next(iter(told.values())) & _UINT)


def _monitors(
    group: str,
    what: str,
    readings: Sequence[Reading],
    numbers: Callable[[str, Mapping[str, int]], Iterator[TypedParam]],
) -> Iterator[TypedParam]:
    """what: of which each monitor tells `numbers`."""
    for place, reading in enumerate(readings):
        name = f"{group}.{place}"
        yield string(f"{name}.name", reading.name)
        yield string(f"{name}.vcpus", reading.vcpus)
        yield uint(f"{name}.{what}.count", len(reading.nodes))
        for number, (id, told) in enumerate(reading.nodes):
            yield uint(f"{name}.{what}.{number}.id", id)
            yield from numbers(f"{name}.{what}.{number}", told)


def _polled(seen: Observed) -> tuple[int, int] | None:
    """Nanoseconds that KVM's processors waited by polling, with and without success; None where nobody knows."""
    if seen.document.type != "kvm":
        return 0, 0
    if seen.answers.vcpus is None:
        return None
    totals = {"halt_poll_success_ns": 0, "halt_poll_fail_ns": 0}
    for entry in seen.answers.vcpus:
        for named in entry.stats:
            if named.name in totals and isinstance(named.value, int):
                totals[named.name] += named.value
    return totals["halt_poll_success_ns"], totals["halt_poll_fail_ns"]


def guest_memory(answer: BalloonStats | None) -> Iterator[tuple[int, int]]:
    """libvirt's tags and values from a balloon's guest-stats; only what the guest has told."""
    if answer is None:
        return
    for tag, (name, divisor, _) in MEMORY_STATS.items():
        value = answer.last_update if tag == S.MEMORY_STAT_LAST_UPDATE else answer.stats.get(name, _UNKNOWN)
        if 0 <= value < _UNKNOWN:
            yield tag, value // divisor


def current_memory(document: Domain) -> int:
    """KiB the guest has: all of it without a balloon, whatever the document wishes for."""
    balloon = document.devices.memballoon
    if balloon is None or balloon.model == "none" or document.current_memory is None:
        return document.memory
    return document.current_memory


def memory(document: Domain) -> tuple[TypedParam, ...]:
    return ullong("balloon.current", current_memory(document)), ullong("balloon.maximum", document.memory)


def _balloon(seen: Observed) -> Iterator[TypedParam]:
    yield from memory(seen.document)
    for tag, value in guest_memory(seen.answers.balloon):
        yield ullong(f"balloon.{MEMORY_STATS[tag][2]}", value)
    if seen.host.usage is not None:
        yield ullong("balloon.rss", seen.host.usage.resident)


def processors(document: Domain) -> tuple[TypedParam, ...]:
    maximum = document.vcpu.count if document.vcpu is not None else 1
    return uint("vcpu.current", current_vcpus(document)), uint("vcpu.maximum", maximum)


def _online(document: Domain, count: int) -> Sequence[int]:
    """The numbers of the processors that are plugged in."""
    if document.vcpus:
        return [state.id for state in document.vcpus if state.enabled]
    return range(count)


def _vcpu(seen: Observed) -> Iterator[TypedParam]:
    yield from processors(seen.document)
    told = seen.answers.vcpus or ()
    units = _units(seen.answers.schemas)
    for place, (number, thread) in enumerate(
        zip(_online(seen.document, len(seen.host.vcpus)), seen.host.vcpus, strict=False)
    ):
        prefix = f"vcpu.{number}"
        usage = seen.host.threads.get(thread) or ThreadUsage(thread, 0, 0, 0)
        yield int_(f"{prefix}.state", _RUNNING)
        yield ullong(f"{prefix}.time", usage.used)
        yield ullong(f"{prefix}.wait", usage.waited)
        yield ullong(f"{prefix}.delay", usage.delayed)
        if place < len(told):
            yield from _kvm(prefix, told[place], units)


def _units(schemas: Sequence[StatsSchema]) -> Mapping[str, tuple[str, str]]:
    """(type, unit) of KVM's statistics by name."""
    return {field.name: (field.type, field.unit) for schema in schemas for field in schema.stats}


def _kvm(prefix: str, entry: StatsEntry, units: Mapping[str, tuple[str, str]]) -> Iterator[TypedParam]:
    for named in entry.stats:
        kind, unit = units.get(named.name, ("", ""))
        ending, value = _KVM_TYPES.get(kind), named.value
        if ending is None or isinstance(value, list):
            continue
        name = f"{prefix}.{named.name}.{ending}"
        yield boolean(name, bool(value)) if unit == "boolean" else ullong(name, int(value))


def _interface(seen: Observed) -> Iterator[TypedParam]:
    interfaces = seen.document.devices.interfaces
    yield uint("net.count", len(interfaces))
    for number, interface in enumerate(interfaces):
        target = interface.target.dev if interface.target is not None else None
        if not target:
            continue
        yield string(f"net.{number}.name", target)
        for name, value in zip(_NET_COUNTERS, seen.host.interfaces.get(target, ()), strict=False):
            yield ullong(f"net.{number}.{name}", value)


def _block(seen: Observed) -> Iterable[TypedParam]:
    return blocks.running(seen.document.devices.disks, seen.answers, seen.volumes, backing=seen.backing)


def _iothread(seen: Observed) -> Iterator[TypedParam]:
    threads = [thread for thread in seen.answers.iothreads if thread.id.startswith("iothread")]
    if not threads:
        return
    yield uint("iothread.count", len(threads))
    for thread in threads:
        prefix = f"iothread.{thread.id.removeprefix('iothread')}"
        if thread.poll_max_ns is None or thread.poll_grow is None or thread.poll_shrink is None:
            continue
        yield ullong(f"{prefix}.poll-max-ns", thread.poll_max_ns)
        yield uint(f"{prefix}.poll-grow", thread.poll_grow)
        yield uint(f"{prefix}.poll-shrink", thread.poll_shrink)


def _dirty_rate(seen: Observed) -> Iterator[TypedParam]:
    rate = seen.answers.dirty_rate
    if rate is None or rate.status not in _DIRTY_RATE_STATUS:
        return
    status = _DIRTY_RATE_STATUS.index(rate.status)
    yield int_("dirtyrate.calc_status", status)
    yield llong("dirtyrate.calc_start_time", rate.start_time)
    yield int_("dirtyrate.calc_period", rate.calc_time)
    yield string("dirtyrate.calc_mode", rate.mode)
    if status == _MEASURED:
        yield llong("dirtyrate.megabytes_per_second", rate.dirty_rate)
        if rate.mode == "dirty-ring":
            for vcpu in rate.vcpu_dirty_rate:
                yield ullong(f"dirtyrate.vcpu.{vcpu.id}.megabytes_per_second", vcpu.dirty_rate)


def _vm(seen: Observed) -> Iterator[TypedParam]:
    told = seen.answers.machine or ()
    if len(told) == 1:
        yield from _kvm("vm", told[0], _units(seen.answers.schemas))


def _perf(seen: Observed) -> Iterator[TypedParam]:
    for event, count in seen.host.events:
        yield ullong(f"perf.{event}", count)


def _bandwidths(seen: Observed) -> Iterator[TypedParam]:
    readings = seen.host.bandwidths
    if readings:
        yield uint("memory.bandwidth.monitor.count", len(readings))
    yield from _monitors("memory.bandwidth.monitor", "node", readings, _passed)


def _passed(node: str, told: Mapping[str, int]) -> Iterator[TypedParam]:
    for feature, count in told.items():
        if feature in _BANDWIDTHS:
            yield ullong(f"{node}.bytes.{_BANDWIDTHS[feature]}", count)


#: The groups in the order of libvirt's answer.
COLLECTORS: Mapping[int, Collector] = {
    S.STATE: _state,
    S.CPU_TOTAL: _cpu,
    S.BALLOON: _balloon,
    S.VCPU: _vcpu,
    S.INTERFACE: _interface,
    S.BLOCK: _block,
    S.PERF: _perf,
    S.IOTHREAD: _iothread,
    S.MEMORY: _bandwidths,
    S.DIRTYRATE: _dirty_rate,
    S.VM: _vm,
}
ALL = sum(COLLECTORS)
#: What a stopped domain has no emulator for.
RESTING = ALL & ~(S.IOTHREAD | S.DIRTYRATE | S.VM)


def collect(seen: Observed, groups: int) -> list[TypedParam]:
    """The parameters of the groups, of a running guest."""
    params: list[TypedParam] = []
    for group, collector in COLLECTORS.items():
        if groups & group:
            params += collector(seen)
    return params


__all__ = [
    "ALL", "COLLECTORS", "MEMORY_STATS", "RESTING", "Observed", "collect", "current_memory", "guest_memory", "memory",
    "processors", "states",
]  # fmt: skip
