"""Numbers of running guests. Nothing here waits for a job; what asks QEMU has a deadline."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from roost.constants import statistics as S
from roost.contract import flags as F
from roost.contract.references import DomainIdentity, DomainRef
from roost.contract.statistics import Statistics
from roost.contract.typed_params import TypedParam, int_, string, uint, ullong
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.qmp import QmpCommandError
from roost.engine.inspection import current_vcpus
from roost.engine.table import LIST_FLAGS
from roost.errors import ArgumentUnsupported, From, InvalidArg, RoostError
from roost.model.domain import Domain
from roost.model.domain.devices.disk import BlockSource, Disk, FileSource

#: Seconds a guest has to answer for statistics; one that does not only lacks QEMU's numbers.
DEADLINE = 5.0

_UNKNOWN = 2**64 - 1
_KIB = 1024

#: libvirt's tag -> (QEMU's name, divisor, name in all-domain statistics), in libvirt's order.
MEMORY_STATS: Mapping[int, tuple[str, int, str]] = {
    S.MEMORY_STAT_SWAP_IN: ("stat-swap-in", _KIB, "swap_in"),
    S.MEMORY_STAT_SWAP_OUT: ("stat-swap-out", _KIB, "swap_out"),
    S.MEMORY_STAT_MAJOR_FAULT: ("stat-major-faults", 1, "major_fault"),
    S.MEMORY_STAT_MINOR_FAULT: ("stat-minor-faults", 1, "minor_fault"),
    S.MEMORY_STAT_UNUSED: ("stat-free-memory", _KIB, "unused"),
    S.MEMORY_STAT_AVAILABLE: ("stat-total-memory", _KIB, "available"),
    S.MEMORY_STAT_USABLE: ("stat-available-memory", _KIB, "usable"),
    S.MEMORY_STAT_LAST_UPDATE: ("last-update", 1, "last-update"),
    S.MEMORY_STAT_DISK_CACHES: ("stat-disk-caches", _KIB, "disk_caches"),
    S.MEMORY_STAT_HUGETLB_PGALLOC: ("stat-htlb-pgalloc", 1, "hugetlb_pgalloc"),
    S.MEMORY_STAT_HUGETLB_PGFAIL: ("stat-htlb-pgfail", 1, "hugetlb_pgfail"),
}

#: QEMU's counter of a drive -> name in all-domain statistics, in libvirt's order.
BLOCK_COUNTERS = {
    "rd_operations": "rd.reqs",
    "rd_bytes": "rd.bytes",
    "rd_total_time_ns": "rd.times",
    "wr_operations": "wr.reqs",
    "wr_bytes": "wr.bytes",
    "wr_total_time_ns": "wr.times",
    "flush_operations": "fl.reqs",
    "flush_total_time_ns": "fl.times",
}
_NET_COUNTERS = ("rx.bytes", "rx.pkts", "rx.errs", "rx.drop", "tx.bytes", "tx.pkts", "tx.errs", "tx.drop")

#: The groups served; the others of libvirt's answer nothing, as for a guest without them.
GROUPS = S.STATE | S.CPU_TOTAL | S.BALLOON | S.VCPU | S.INTERFACE | S.BLOCK
_STATS_FLAGS = LIST_FLAGS | S.STATS_NOWAIT | S.STATS_BACKING | S.STATS_ENFORCE_STATS

#: QEMU's answers for one guest, by command.
Answers = Mapping[str, Any]


def _balloon_query(live: Domain) -> tuple[str, Mapping[str, Any]] | None:
    balloon = live.devices.memballoon
    if balloon is None or balloon.model == "none":
        return None
    return "qom-get", {"path": f"/machine/peripheral/{balloon.alias}", "property": "guest-stats"}


def guest_memory(answer: Any) -> dict[int, int]:
    """libvirt's tags and values from a balloon's guest-stats; only what the guest has told."""
    if not isinstance(answer, Mapping):
        return {}
    values = {**answer.get("stats", {}), "last-update": answer.get("last-update", 0)}
    found = {}
    for tag, (name, divisor, _) in MEMORY_STATS.items():
        value = values.get(name, _UNKNOWN)
        if 0 <= value < _UNKNOWN:
            found[tag] = value // divisor
    return found


def drive_stats(answer: Any, alias: str) -> Mapping[str, int]:
    """One disk's counters from query-blockstats; {} when QEMU has none for it."""
    for entry in answer if isinstance(answer, list) else ():
        if f"/{alias}/" in f"/{entry.get('qdev', '')}/" or entry.get("device") == f"drive-{alias}":
            stats: Mapping[str, int] = entry["stats"]
            return stats
    return {}


def disk_path(disk: Disk) -> str | None:
    source = disk.source
    if isinstance(source, FileSource):
        return source.file
    return source.dev if isinstance(source, BlockSource) else None


class QemuStatistics(Statistics):
    """contract.Statistics."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def memory_stats(self, domain: DomainIdentity, limit: int, flags: int) -> Sequence[tuple[int, int]]:
        F.check(flags, 0, "qemuDomainMemoryStats", From.QEMU)
        record = self._context.table.get_active(domain)
        guest, live = require_guest(record), record.document
        found = [(S.MEMORY_STAT_ACTUAL_BALLOON, live.memory if live.current_memory is None else live.current_memory)]
        query = _balloon_query(live)
        if query is not None:
            answer = (await require_monitor(record).batch([query], deadline=DEADLINE))[0]
            found.extend(guest_memory(answer).items())
        usage = guest.process.usage() if guest.process is not None else None
        if usage is not None:
            found.append((S.MEMORY_STAT_RSS, usage.resident))
        return found[:limit]

    async def block_stats(self, domain: DomainIdentity, path: str) -> tuple[int, int, int, int, int]:
        record = self._context.table.get_active(domain)
        monitor = require_monitor(record)
        disks = record.document.devices.disks
        wanted = [disk for disk in disks if path in ("", disk.target.dev, disk_path(disk))]
        if not wanted:
            raise InvalidArg(f"invalid path: {path}", domain=From.QEMU, hint="name a <target dev> of the domain")
        answer = await monitor.execute("query-blockstats", deadline=DEADLINE)
        stats = [drive_stats(answer, disk.alias or "") for disk in wanted]
        totals = [
            sum(each.get(name, 0) for each in stats)
            for name in ("rd_operations", "rd_bytes", "wr_operations", "wr_bytes")
        ]
        return totals[0], totals[1], totals[2], totals[3], -1

    async def interface_stats(self, domain: DomainIdentity, device: str) -> tuple[int, ...]:
        record = self._context.table.get_active(domain)
        for interface in record.document.devices.interfaces:
            target = interface.target.dev if interface.target is not None else None
            if target and device in (target, interface.mac):
                return self._context.host.network.counters(target)
        raise InvalidArg(
            f"'{device}' is not a known interface", domain=From.DOMAIN, hint="name its target device or MAC address"
        )

    # -- all domains at once ---------------------------------------------------------------

    async def all_stats(
        self, domains: Sequence[DomainIdentity], groups: int, flags: int
    ) -> Sequence[tuple[DomainRef, Sequence[TypedParam]]]:
        F.check(flags, _STATS_FLAGS, "qemuConnectGetAllDomainStats", From.QEMU)
        if flags & S.STATS_ENFORCE_STATS and groups & ~GROUPS:
            raise ArgumentUnsupported(
                f"Stats types bits 0x{groups & ~GROUPS:x} are not supported by this daemon", domain=From.QEMU
            )
        table = self._context.table
        wanted = groups or GROUPS
        if domains:
            records = [table.get(domain) for domain in domains]
        else:
            records = [table.by_uuid(ref.uuid) for ref in table.list(flags & LIST_FLAGS)]
        asked = [record for record in records if record.is_active]
        answers = dict(zip(asked, await asyncio.gather(*(self._ask(record, wanted) for record in asked)), strict=True))
        return [(record.ref, self._collect(record, wanted, answers.get(record))) for record in records]

    def _collect(self, record: GuestRecord, wanted: int, answers: Answers | None) -> list[TypedParam]:
        params: list[TypedParam] = []
        if not record.is_active and record.definition is not None:
            _collect_resting(record, record.definition.derive(_rest), wanted, params)
            return params
        for group, collect in _COLLECTORS.items():
            if wanted & group:
                collect(self._context, record, answers or {}, params)
        return params

    async def _ask(self, record: GuestRecord, groups: int) -> Answers:
        """What only QEMU knows, in one write; {} for a guest that is stopped or does not answer."""
        guest, live = record.runtime, record.live
        if guest is None or live is None or guest.monitor is None or guest.starting:
            return {}
        queries: list[tuple[str, Mapping[str, Any] | None]] = []
        balloon = _balloon_query(live)
        if groups & S.BALLOON and balloon is not None:
            queries.append(balloon)
        if groups & S.BLOCK and live.devices.disks:
            queries += [("query-blockstats", None), ("query-block", None)]
        if not queries:
            return {}
        try:
            results = await guest.monitor.batch(queries, deadline=DEADLINE)
        except RoostError:
            return {}
        return {
            command: result
            for (command, _), result in zip(queries, results, strict=True)
            if not isinstance(result, QmpCommandError)
        }


Collector = Callable[[Context, GuestRecord, Answers, list[TypedParam]], None]


def _state(context: Context, record: GuestRecord, answers: Answers, params: list[TypedParam]) -> None:
    params += _states(record)


def _states(record: GuestRecord) -> tuple[TypedParam, ...]:
    return int_("state.state", record.state), int_("state.reason", record.reason)


def _cpu(context: Context, record: GuestRecord, answers: Answers, params: list[TypedParam]) -> None:
    process = record.runtime.process if record.runtime is not None else None
    usage = process.usage() if process is not None else None
    if usage is not None:
        params += (
            ullong("cpu.time", usage.user + usage.system),
            ullong("cpu.user", usage.user),
            ullong("cpu.system", usage.system),
        )


def _balloon(context: Context, record: GuestRecord, answers: Answers, params: list[TypedParam]) -> None:
    params += _memory(record.document)
    for tag, value in guest_memory(answers.get("qom-get")).items():
        params.append(ullong(f"balloon.{MEMORY_STATS[tag][2]}", value))
    process = record.runtime.process if record.runtime is not None else None
    usage = process.usage() if process is not None else None
    if usage is not None:
        params.append(ullong("balloon.rss", usage.resident))


def _vcpu(context: Context, record: GuestRecord, answers: Answers, params: list[TypedParam]) -> None:
    params += _processors(record.document)
    guest = record.runtime
    if guest is None or guest.process is None:
        return
    threads = {thread: (used, delay) for thread, used, delay in guest.process.threads()}
    for number, thread in enumerate(guest.vcpus):
        used, delay = threads.get(thread, (0, 0))
        params += (
            int_(f"vcpu.{number}.state", 1),  # running, as libvirt says of every plugged one
            ullong(f"vcpu.{number}.time", used),
            ullong(f"vcpu.{number}.wait", 0),
            ullong(f"vcpu.{number}.delay", delay),
        )


def _interface(context: Context, record: GuestRecord, answers: Answers, params: list[TypedParam]) -> None:
    if not record.is_active:
        return
    interfaces = record.document.devices.interfaces
    params.append(uint("net.count", len(interfaces)))
    for number, interface in enumerate(interfaces):
        target = interface.target.dev if interface.target is not None else None
        if not target:
            continue
        params.append(string(f"net.{number}.name", target))
        try:
            counters = context.host.network.counters(target)
        except RoostError:
            continue
        params += (ullong(f"net.{number}.{name}", value) for name, value in zip(_NET_COUNTERS, counters, strict=True))


def _block(context: Context, record: GuestRecord, answers: Answers, params: list[TypedParam]) -> None:
    disks = record.document.devices.disks
    params.append(uint("block.count", len(disks)))
    for number, disk in enumerate(disks):
        prefix, path = f"block.{number}.", disk_path(disk)
        params.append(string(prefix + "name", disk.target.dev))
        if path is None:
            continue  # an empty drive has a name and no numbers
        params.append(string(prefix + "path", path))
        if disk.source.index is not None:
            params.append(uint(prefix + "backingIndex", disk.source.index))
        stats = drive_stats(answers.get("query-blockstats"), disk.alias or "")
        params += (ullong(prefix + name, stats[key]) for key, name in BLOCK_COUNTERS.items() if key in stats)
        params += _sizes(prefix, path, stats, _image(answers.get("query-block"), disk.alias or ""))


class Rest(NamedTuple):
    """What statistics say of a stopped domain, by group; disks: their parameters and paths, in order."""

    balloon: tuple[TypedParam, ...]
    vcpu: tuple[TypedParam, ...]
    disks: tuple[tuple[tuple[TypedParam, ...], str | None], ...]


def _rest(document: Domain) -> Rest:
    """Worked out once for each definition: a host has many more stopped domains than it could parse at every poll."""
    disks = []
    for number, disk in enumerate(document.devices.disks):
        prefix, path = f"block.{number}.", disk_path(disk)
        named = (string(prefix + "name", disk.target.dev),)
        disks.append((named if path is None else (*named, string(prefix + "path", path)), path))
    return Rest(_memory(document), _processors(document), tuple(disks))


def _collect_resting(record: GuestRecord, rest: Rest, wanted: int, params: list[TypedParam]) -> None:
    if wanted & S.STATE:
        params += _states(record)
    if wanted & S.BALLOON:
        params += rest.balloon
    if wanted & S.VCPU:
        params += rest.vcpu
    if wanted & S.BLOCK:
        params.append(uint("block.count", len(rest.disks)))
        for number, (named, path) in enumerate(rest.disks):
            params += named
            if path is not None:
                params += _sizes(f"block.{number}.", path, {}, {})


def _memory(document: Domain) -> tuple[TypedParam, ...]:
    current = document.memory if document.current_memory is None else document.current_memory
    return ullong("balloon.current", current), ullong("balloon.maximum", document.memory)


def _processors(document: Domain) -> tuple[TypedParam, ...]:
    maximum = document.vcpu.count if document.vcpu is not None else 1
    return uint("vcpu.current", current_vcpus(document)), uint("vcpu.maximum", maximum)


def _image(answer: Any, alias: str) -> Mapping[str, Any]:
    for entry in answer if isinstance(answer, list) else ():
        if f"/{alias}/" in f"/{entry.get('qdev', '')}/" or entry.get("device") == f"drive-{alias}":
            image: Mapping[str, Any] = entry.get("inserted", {}).get("image", {})
            return image
    return {}


def _sizes(prefix: str, path: str, stats: Mapping[str, int], image: Mapping[str, Any]) -> list[TypedParam]:
    """allocation, capacity and physical: the highest byte written, what the guest sees, what the host has."""
    found: list[TypedParam] = []
    try:
        status = os.stat(path)
    except OSError:
        return found
    highest = stats.get("wr_highest_offset", 0)
    allocated = status.st_blocks * 512
    found.append(ullong(prefix + "allocation", highest or allocated))
    if "virtual-size" in image:
        found.append(ullong(prefix + "capacity", image["virtual-size"]))
    found.append(ullong(prefix + "physical", allocated or status.st_size))
    return found


#: The groups in the order of libvirt's answer.
_COLLECTORS: Mapping[int, Collector] = {
    S.STATE: _state,
    S.CPU_TOTAL: _cpu,
    S.BALLOON: _balloon,
    S.VCPU: _vcpu,
    S.INTERFACE: _interface,
    S.BLOCK: _block,
}
