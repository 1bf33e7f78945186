"""Rules about processors, threads and what the host gives them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from roost.errors import ConfigUnsupported, From, InternalError, InvalidArg, RoostError, XmlDetail, XmlError
from roost.model.domain.cpuset import parse_cpus
from roost.model.domain.domain import Domain
from roost.model.domain.tuning import CacheTune, CpuTune, MemoryTune
from roost.model.domain.validate.rules import Rule, Rules

_MONITORED_LEVEL = 3
_REAL_TIME = frozenset(("fifo", "rr"))
_SHARES = (2, 262144)
_PERIOD = (1000, 1000000)
_PRINTABLE = re.compile(r"[ -~]*")
_QUOTA = (1000, 17592186044415)


def _wrong(text: str, hint: str = "", error: type[RoostError] = XmlError, domain: int = From.DOMAIN) -> RoostError:
    return error(text, domain=domain, hint=hint)


def _numbers(text: str, name: str = "cpuset") -> set[int]:
    """A list that names something."""
    found = parse_cpus(text)
    if not found:
        raise _wrong(f"Invalid value of '{name}': {text}", "name at least one", ConfigUnsupported)
    return found


def check_processors(domain: Domain) -> None:
    """What libvirt refuses in <vcpu>, <vcpus>, <iothreadids> and <cputune> while it reads them."""
    vcpu = domain.vcpu
    count = vcpu.count if vcpu is not None else 1
    if vcpu is not None and vcpu.cpuset is not None and vcpu.placement != "auto":
        _numbers(vcpu.cpuset)
    for state in domain.vcpus:
        if state.id >= count:
            raise _wrong(f"vcpu id '{state.id}' is out of range of maximum vcpu count", f"ids go from 0 to {count - 1}")
    seen: set[int] = set()
    for thread in domain.iothread_ids:
        if thread.id in seen:
            raise _wrong(f"duplicate iothread id '{thread.id}' found")
        seen.add(thread.id)
    if domain.cputune is not None:
        threads = seen | set(range(1, (domain.iothreads or 0) - len(seen) + 1))
        _check_pins(domain.cputune, count, threads)
        _check_schedulers(domain.cputune, count, threads)
        _check_groups(domain.cputune, count)


def _check_pins(tune: CpuTune, count: int, threads: set[int]) -> None:
    seen: set[int] = set()
    for pin in tune.vcpupins:
        if pin.vcpu >= count:
            continue
        if pin.vcpu in seen:
            raise _wrong(f"duplicate vcpupin for vcpu '{pin.vcpu}'", error=InternalError)
        _numbers(pin.cpuset)
        seen.add(pin.vcpu)
    if tune.emulatorpin is not None:
        _numbers(tune.emulatorpin.cpuset)
    seen = set()
    for each in tune.iothreadpins:
        if each.iothread not in threads:
            raise _wrong(f"Cannot find 'iothread' : {each.iothread}", _known(threads), ConfigUnsupported)
        _numbers(each.cpuset)
        if each.iothread in seen:
            raise _wrong(f"duplicate iothreadpin for same iothread '{each.iothread}'", error=InternalError)
        seen.add(each.iothread)


def _known(threads: set[int]) -> str:
    return f"there are {', '.join(map(str, sorted(threads)))}" if threads else "add <iothreads>"


def _check_schedulers(tune: CpuTune, count: int, threads: set[int]) -> None:
    _check_scheds(tune.vcpuscheds, "vcpusched", "vcpus", set(range(count)))
    _check_scheds(tune.iothreadscheds, "iothreadsched", "iothreads", threads)
    if tune.emulatorsched is not None:
        _check_priority(tune.emulatorsched, "emulatorsched")


def _check_scheds(scheds: Iterable[Any], element: str, attribute: str, known: set[int]) -> None:
    seen: set[int] = set()
    for sched in scheds:
        text = getattr(sched, attribute)
        numbers = parse_cpus(text)
        if not numbers:
            raise _wrong(f"'{attribute}' scheduler bitmap '{text}' is empty", error=ConfigUnsupported)
        _check_priority(sched, element)
        for number in sorted(numbers):
            if number not in known and attribute == "vcpus":
                raise _wrong(f"vCPU '{number}' is not present in domain definition", error=ConfigUnsupported)
            if number not in known:
                raise _wrong(f"Cannot find 'iothread' : {number}", _known(known), ConfigUnsupported)
            if number in seen:
                raise _wrong(f"'{element}' attributes '{attribute}' must not overlap", error=XmlDetail)
            seen.add(number)


def _check_priority(sched: Any, element: str) -> None:
    if sched.scheduler in _REAL_TIME and sched.priority is None:
        raise _wrong(
            f"Missing required attribute 'priority' in element '{element}'",
            f"scheduler '{sched.scheduler}' has priorities from 1 to 99",
            domain=From.XML,
        )


def _check_groups(tune: CpuTune, count: int) -> None:
    """Groups of processors with caches and bandwidth of their own: the same, or apart."""
    groups: list[tuple[set[int], bool]] = []
    for cache in tune.cachetunes:
        vcpus = {number for number in parse_cpus(cache.vcpus) if number < count}
        if vcpus:
            if _place(groups, vcpus):
                raise _wrong("Identical vcpus in cachetunes found", "one <cachetune> for them")
            _check_caches(cache)
            _check_monitors(cache, vcpus, count, empty=not cache.caches)
            if cache.caches or cache.monitors:
                groups.append((vcpus, bool(cache.caches)))
    bandwidths: dict[frozenset[int], set[int]] = {}
    for memory in tune.memorytunes:
        vcpus = {number for number in parse_cpus(memory.vcpus) if number < count}
        if not vcpus:
            continue
        known = _place(groups, vcpus)
        _check_bandwidths(memory, bandwidths.setdefault(frozenset(vcpus), set()))
        _check_monitors(
            memory, vcpus, count, empty=not memory.nodes and not any(g[0] == vcpus and g[1] for g in groups)
        )
        if not known and (memory.nodes or memory.monitors):
            groups.append((vcpus, bool(memory.nodes)))


def _place(groups: list[tuple[set[int], bool]], vcpus: set[int]) -> bool:
    """Whether these processors are a group already; refused where they are part of one."""
    for group, _ in groups:
        if group == vcpus:
            return True
        if group & vcpus:
            raise _wrong("Overlapping vcpus in resctrls", "a processor belongs to one group")
    return False


def _check_caches(tune: CacheTune) -> None:
    taken: set[tuple[int, int, str]] = set()
    for cache in tune.caches:
        kinds = ("both", "code", "data") if cache.type == "both" else ("both", cache.type)
        if any((cache.level, cache.id, kind) in taken for kind in kinds):
            raise _wrong(
                f"Colliding cache allocations for cache level '{cache.level}' id '{cache.id}', type '{cache.type}'",
                domain=From.RESCTRL,
            )
        taken.add((cache.level, cache.id, cache.type))


def _check_bandwidths(tune: MemoryTune, seen: set[int]) -> None:
    for node in tune.nodes:
        if node.bandwidth > 100:
            raise _wrong("Memory Bandwidth value exceeding 100 is invalid.", "it is a percentage", domain=From.RESCTRL)
        if node.id in seen:
            raise _wrong(f"Memory Bandwidth already defined for node {node.id}", domain=From.RESCTRL)
        seen.add(node.id)


def _check_monitors(tune: Any, vcpus: set[int], count: int, *, empty: bool) -> None:
    """empty: nothing is set aside for the group. Monitors are of the whole group, or of parts that stay apart."""
    seen: list[set[int]] = []
    for monitor in tune.monitors:
        level = getattr(monitor, "level", _MONITORED_LEVEL)
        if level != _MONITORED_LEVEL:
            raise _wrong(f"Invalid monitor cache level '{level}'", f"level {_MONITORED_LEVEL}")
        watched = {number for number in parse_cpus(monitor.vcpus) if number < count}
        if not watched:
            raise _wrong("vcpus is empty", error=InvalidArg)
        if watched - vcpus:
            raise _wrong("Monitor vcpus conflicts with allocation", error=InvalidArg)
        if watched in seen:
            raise _wrong("Identical vcpus found in same type monitors", error=InvalidArg)
        overlapping = [other for other in seen if other & watched]
        partly = watched != vcpus and any(other != vcpus for other in overlapping)
        if partly or (empty and overlapping):
            raise _wrong("vcpus overlaps in resctrl groups", error=InvalidArg)
        seen.append(watched)


# -- on a completed document


def _between(field: str, bounds: tuple[int, int]) -> Rule:
    low, high = bounds
    return Rule(
        lambda d, c: (getattr(d, field) or 0) > 0 and not low <= getattr(d, field) <= high,
        f"Value of cputune '{field}' must be in range [{low}, {high}]",
        origin=From.DOMAIN,
    )


#: On <cputune>, `{d}`.
CPUTUNE_RULES = Rules(
    _between("shares", _SHARES),
    *(_between(f"{whose}period", _PERIOD) for whose in ("", "global_", "emulator_", "iothread_")),
    *(_between(f"{whose}quota", _QUOTA) for whose in ("", "global_", "emulator_", "iothread_")),
)

#: On each <iothread> and on <defaultiothread>, `{d}`.
IOTHREAD_RULES = Rules(
    Rule(
        lambda d, c: d.thread_pool_max == 0, "thread_pool_max must be a positive integer", origin=From.DOMAIN,
        about="thread_pool_max",
    ),
    Rule(
        lambda d, c: d.thread_pool_min > (-1 if d.thread_pool_max is None else d.thread_pool_max),
        "thread_pool_min must be smaller or equal to thread_pool_max",
        "give thread_pool_max, too",
        origin=From.DOMAIN,
        about="thread_pool_min",
    ),
)  # fmt: skip

#: On <resource>, `{d}`.
RESOURCE_RULES = Rules(
    Rule(
        lambda d, c: not _PRINTABLE.fullmatch(d.fibrechannel_appid),
        "Fibre Channel 'appid' is not a printable string",
        "",
        XmlError,
        From.DOMAIN,
        about="fibrechannel_appid",
    ),
    Rule(
        lambda d, c: not 1 <= len(d.fibrechannel_appid) <= 128,
        "Fibre Channel 'appid' string length must be between [1, 128]",
        "",
        InvalidArg,
        From.DOMAIN,
        about="fibrechannel_appid",
    ),
)

#: On <idmap>, `{d}`.
IDMAP_RULES = Rules(
    Rule(lambda d, c: bool(d.uids) != bool(d.gids), "uid and gid should be mapped both", origin=From.DOMAIN),
    Rule(
        lambda d, c: any(ids and ids[0].start for ids in (d.uids, d.gids)),
        "You must map the root user of container",
        "start='0'",
        origin=From.DOMAIN,
    ),
)


def check_blkio(domain: Domain) -> None:
    """Raises for a device that is tuned twice."""
    seen: set[str] = set()
    for device in domain.blkiotune.devices if domain.blkiotune is not None else ():
        if device.path in seen:
            raise _wrong(f"duplicate blkio device path '{device.path}'", error=ConfigUnsupported)
        seen.add(device.path)


def check_perf(domain: Domain) -> None:
    """Raises for a counter that is named twice."""
    seen: set[str] = set()
    for event in domain.perf.events if domain.perf is not None else ():
        if event.name in seen:
            raise _wrong(f"perf event '{event.name}' was already specified")
        seen.add(event.name)


__all__ = [
    "CPUTUNE_RULES", "IDMAP_RULES", "IOTHREAD_RULES", "RESOURCE_RULES", "check_blkio", "check_perf",
    "check_processors",
]  # fmt: skip
