"""What the host gives a guest, in one spelling: an entry a thread, in order; what says nothing is dropped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, get_args

from msgspec.structs import replace

from roost.model.domain.cpuset import format_cpus, parse_cpus
from roost.model.domain.domain import Domain
from roost.model.domain.draft import Draft
from roost.model.domain.processors import IoThread
from roost.model.domain.tuning import (
    BlkioDevice,
    BlkioTune,
    CacheTune,
    CpuTune,
    IdMap,
    MemoryTune,
    NumaMemory,
    NumaTune,
    PerfEventName,
)

Tuned = TypeVar("Tuned", CacheTune, MemoryTune)
_REAL_TIME = frozenset(("fifo", "rr"))
_EVENT_ORDER = {name: place for place, name in enumerate(get_args(PerfEventName))}
_CACHE_TYPES = {"both": 0, "code": 1, "data": 2}


def complete_tuning(draft: Draft) -> None:
    _complete_cputune(draft)
    _complete_numatune(draft)
    _complete_blkiotune(draft)
    domain, changes = draft.domain, draft.changes
    if domain.perf is not None:
        events = sorted(domain.perf.events, key=lambda event: _EVENT_ORDER[event.name])
        changes["perf"] = replace(domain.perf, events=tuple(events)) if events else None
    if domain.idmap is not None:
        uids, gids = (tuple(sorted(r, key=lambda one: one.start)) for r in (domain.idmap.uids, domain.idmap.gids))
        changes["idmap"] = IdMap(uids=uids, gids=gids)


def _complete_cputune(draft: Draft) -> None:
    tune = draft.domain.cputune
    if tune is None:
        return
    count = draft.domain.vcpu.count if draft.domain.vcpu is not None else 1
    # The named threads come first, as everywhere.
    threads: tuple[IoThread, ...] = draft.changes.get("iothread_ids", ())
    numbers = [thread.id for thread in threads] or list(range(1, (draft.domain.iothreads or 0) + 1))
    pins = {pin.iothread: pin for pin in tune.iothreadpins}
    changes: dict[str, Any] = {
        "vcpupins": tuple(sorted((pin for pin in tune.vcpupins if pin.vcpu < count), key=lambda pin: pin.vcpu)),
        "iothreadpins": tuple(pins[number] for number in numbers if number in pins),
        "emulatorsched": tune.emulatorsched and _plain(tune.emulatorsched),
        "vcpuscheds": _each(tune.vcpuscheds, "vcpus", range(count)),
        "iothreadscheds": _each(tune.iothreadscheds, "iothreads", numbers),
        "cachetunes": _cachetunes(tune, count),
        "memorytunes": _memorytunes(tune, count),
    }
    tune = replace(tune, **changes)
    draft.changes["cputune"] = None if tune == CpuTune() else tune


def _plain(sched: Any) -> Any:
    """Priorities are for the real-time schedulers."""
    return sched if sched.scheduler in _REAL_TIME else replace(sched, priority=None)


def _each(scheds: Iterable[Any], field: str, numbers: Iterable[int]) -> tuple[Any, ...]:
    """One entry a thread."""
    by_number = {number: sched for sched in scheds for number in parse_cpus(getattr(sched, field))}
    return tuple(
        replace(_plain(by_number[number]), **{field: str(number)}) for number in numbers if number in by_number
    )


def _shrunk(tune: Tuned, count: int) -> Tuned:
    return replace(tune, vcpus=format_cpus({cpu for cpu in parse_cpus(tune.vcpus) if cpu < count}))


def _cachetunes(tune: CpuTune, count: int) -> tuple[CacheTune, ...]:
    """Those that name processors and caches of theirs."""
    found = (
        replace(
            _shrunk(each, count),
            caches=tuple(sorted(each.caches, key=lambda cache: (cache.level, _CACHE_TYPES[cache.type], cache.id))),
        )
        for each in tune.cachetunes
    )
    return tuple(each for each in found if each.vcpus and (each.caches or each.monitors))


def _memorytunes(tune: CpuTune, count: int) -> tuple[MemoryTune, ...]:
    """One a group of processors: groups that have caches set aside come first, in their order."""
    order: dict[str, MemoryTune | None] = {each.vcpus: None for each in _cachetunes(tune, count)}
    for each in (_shrunk(given, count) for given in tune.memorytunes):
        if not each.vcpus or not (each.nodes or each.monitors):
            continue
        before = order.get(each.vcpus)
        nodes = (*(before.nodes if before else ()), *each.nodes)
        monitors = (*(before.monitors if before else ()), *each.monitors)
        order[each.vcpus] = replace(
            each, nodes=tuple(sorted(nodes, key=lambda node: node.id)), monitors=monitors
        )  # fmt: skip
    return tuple(each for each in order.values() if each is not None)


def _complete_numatune(draft: Draft) -> None:
    """Memory follows the processors where numad places them, and the processors follow the memory."""
    domain = draft.domain
    tune = domain.numatune or NumaTune()
    automatic = domain.vcpu is not None and domain.vcpu.placement == "auto"
    memory = tune.memory
    if memory is None and automatic:
        memory = NumaMemory(placement="auto")
    if memory == NumaMemory():
        memory = None
    if memory is not None:
        placement = memory.placement or ("static" if memory.nodeset or not automatic else "auto")
        memory = NumaMemory(
            mode=memory.mode or "strict",
            placement="auto" if placement == "auto" else None,
            nodeset=None if placement == "auto" else memory.nodeset,
        )
    nodes = tuple(
        replace(node, mode=node.mode or "strict") for node in sorted(tune.nodes, key=lambda node: node.cellid)
    )
    completed = NumaTune(memory=memory, nodes=nodes)
    draft.changes["numatune"] = None if completed == NumaTune() else completed


def processors_follow_memory(domain: Domain) -> bool:
    """Whether numad places the processors because it places the memory, and nothing is pinned."""
    memory = domain.numatune.memory if domain.numatune is not None else None
    if memory is None or memory.placement != "auto" or (domain.vcpu is not None and domain.vcpu.cpuset):
        return False
    tune = domain.cputune
    return tune is None or not (tune.vcpupins or tune.emulatorpin or tune.iothreadpins)


_LIMITS = ("weight", "read_iops_sec", "write_iops_sec", "read_bytes_sec", "write_bytes_sec")


def _complete_blkiotune(draft: Draft) -> None:
    tune = draft.domain.blkiotune
    if tune is None:
        return
    kept: list[BlkioDevice] = [
        device for device in tune.devices if any(getattr(device, limit) is not None for limit in _LIMITS)
    ]
    tune = replace(tune, devices=tuple(kept))
    draft.changes["blkiotune"] = None if tune == BlkioTune() else tune


__all__ = ["complete_tuning", "processors_follow_memory"]
