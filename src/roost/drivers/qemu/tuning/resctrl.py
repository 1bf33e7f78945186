"""The groups of resctrl that a guest's processors are in: what they get of caches and bandwidth, and what they use."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from roost.drivers.qemu.guest import Guest
from roost.drivers.qemu.tuning import schemata as S
from roost.drivers.qemu.tuning.plan import machine_name
from roost.errors import ConfigUnsupported, From, RoostError, SystemCallError
from roost.host.api import CacheType, Host
from roost.model.domain import Domain
from roost.model.domain.cpuset import parse_cpus
from roost.model.domain.tuning import CacheTune, CpuTune, MemoryTune

#: What names of features begin with that tell of caches and of memory bandwidth.
CACHE, BANDWIDTH = "llc_", "mbm_"
_WATCHED = "mon_groups"
#: How many guests of one name and number several daemons may run before something is wrong.
_ATTEMPTS = 100

_HINT = (
    "mount -t resctrl resctrl /sys/fs/resctrl, on a processor with RDT (Intel) or QoS (AMD) and a kernel with "
    "CONFIG_X86_CPU_RESCTRL, or drop <cachetune> and <memorytune>"
)


class Monitor(NamedTuple):
    """Processors that are watched. kind: CACHE or BANDWIDTH."""

    kind: str
    vcpus: str

    @property
    def id(self) -> str:
        return f"vcpus_{self.vcpus}"


class TaskGroup(NamedTuple):
    """Processors that share what <cachetune> and <memorytune> give them."""

    vcpus: str
    wanted: S.Wanted
    monitors: tuple[Monitor, ...]

    @property
    def is_empty(self) -> bool:
        """Nothing is given: only watched, its processors stay in the group of all tasks."""
        return not (self.wanted.sizes or self.wanted.bandwidths)

    def path(self, prefix: str) -> str:
        return "" if self.is_empty else f"{prefix}-vcpus_{self.vcpus}"

    def monitor_path(self, prefix: str, monitor: Monitor) -> str:
        own = self.path(prefix)
        if own and monitor.vcpus == self.vcpus:
            return own
        parent = f"{own}/{_WATCHED}" if own else _WATCHED
        return f"{parent}/{prefix}-{monitor.id}"

    def paths(self, prefix: str) -> Iterator[str]:
        """Those to make, parents first."""
        found = (self.path(prefix), *(self.monitor_path(prefix, monitor) for monitor in self.monitors))
        yield from (path for path in dict.fromkeys(found) if path)


class Reading(NamedTuple):
    """What a monitor tells. nodes: numbers by feature, by the number of the cache or memory controller."""

    name: str
    vcpus: str
    nodes: Sequence[tuple[int, Mapping[str, int]]]


def task_groups(live: Domain) -> list[TaskGroup]:
    """In libvirt's order: caches first, then bandwidth of other processors."""
    tune = live.cputune or CpuTune()
    caches = {each.vcpus: each for each in tune.cachetunes}
    memories = {each.vcpus: each for each in tune.memorytunes}
    return [_task_group(vcpus, caches.get(vcpus), memories.get(vcpus)) for vcpus in {**caches, **memories}]


def _task_group(vcpus: str, cache: CacheTune | None, memory: MemoryTune | None) -> TaskGroup:
    shares = cache.caches if cache is not None else ()
    nodes = memory.nodes if memory is not None else ()
    watched = [
        *(Monitor(CACHE, each.vcpus) for each in (cache.monitors if cache is not None else ())),
        *(Monitor(BANDWIDTH, each.vcpus) for each in (memory.monitors if memory is not None else ())),
    ]
    sizes = {S.Place(share.level, share.type, share.id): share.size << 10 for share in shares}
    return TaskGroup(vcpus, S.Wanted(sizes, {node.id: node.bandwidth for node in nodes}), tuple(watched))


def supply_of(host: Host) -> S.Supply:
    """What this host has to give."""
    caches: dict[tuple[int, CacheType], S.Shared] = {}
    ids: dict[int, frozenset[int]] = {}
    for cache in host.hardware.caches():
        ids[cache.level] = ids.get(cache.level, frozenset()) | {cache.id}
        for control in host.hardware.cache_controls(cache):
            if control.type is not None and control.granularity:
                least = control.minimum // control.granularity
                caches[cache.level, control.type] = S.Shared(cache.size << 10, control.parts, least)
    bandwidth = host.hardware.bandwidth_control()
    if bandwidth is not None and not bandwidth.granularity:
        bandwidth = None
    controllers = len(ids[max(ids)]) if ids else 0
    return S.Supply(caches, ids, bandwidth, controllers, host.hardware.monitor() is not None)


def reserve(host: Host, guest: Guest, live: Domain, id: int) -> Domain:
    """Decide on the groups that the guest needs, to be on disk before they are made; the live document with their ids.

    Raises ConfigUnsupported on a host without resctrl.
    """
    groups = task_groups(live)
    if not groups:
        return live
    if supply_of(host).is_empty:
        raise ConfigUnsupported("Resource control is not supported on this host", domain=From.RESCTRL, hint=_HINT)
    name = machine_name(live.name, id)
    prefix = next(each for each in _prefixes(name) if not _taken(host, groups, each))
    guest.resources.hold_task_groups(prefix, (path for group in groups for path in group.paths(prefix)))
    return _with_ids(live)


def _prefixes(name: str) -> Iterator[str]:
    """Another daemon may run a guest of the same name and number."""
    return iter((name, *(f"{name}-{number}" for number in range(2, _ATTEMPTS))))


def _taken(host: Host, groups: Sequence[TaskGroup], prefix: str) -> bool:
    return any(host.resource_control.exists(path) for group in groups for path in group.paths(prefix))


def _with_ids(live: Domain) -> Domain:
    tune = live.cputune or CpuTune()
    return replace(
        live,
        cputune=replace(
            tune,
            cachetunes=tuple(replace(each, id=f"vcpus_{each.vcpus}") for each in tune.cachetunes),
            memorytunes=tuple(replace(each, id=f"vcpus_{each.vcpus}") for each in tune.memorytunes),
        ),
    )


def make(host: Host, guest: Guest, live: Domain) -> None:
    """Make the groups and give them what they are to have. Blocks while others give out theirs.

    Raises ConfigUnsupported for what is not to be had, and what the kernel refuses.
    """
    if not guest.resources.held.task_groups:
        return
    control, supply, prefix = host.resource_control, supply_of(host), guest.resources.held.task_prefix
    with control.locked():
        for group in task_groups(live):
            own = group.path(prefix)
            if own:
                given = {path: S.parse(text) for path, text in control.schemata().items()}
                _make(host, guest, own, S.format(S.assign(supply, given, group.wanted)))
            for path in group.paths(prefix):
                if path != own:
                    _make(host, guest, path)


def _make(host: Host, guest: Guest, path: str, text: str = "") -> None:
    try:
        host.resource_control.make(path, text)
    except SystemCallError as error:
        if error.int1 == errno.EEXIST:
            # Another's since the name was chosen: neither it nor what was to be in it is ours to remove.
            held = guest.resources.held
            own = held.task_groups[: held.task_groups.index(path)]
            guest.resources.hold_task_groups(held.task_prefix, own)
        raise


def place_vcpu(host: Host, guest: Guest, live: Domain, number: int, thread: int) -> None:
    """Put the thread of a processor into its groups. Raises what the kernel refuses."""
    prefix = guest.resources.held.task_prefix
    if not prefix:
        return
    for group in task_groups(live):
        if number not in parse_cpus(group.vcpus):
            continue
        own = group.path(prefix)
        watched = (group.monitor_path(prefix, each) for each in group.monitors if number in parse_cpus(each.vcpus))
        part = next((path for path in watched if path != own), "")
        for path in (own, part):
            if path:
                host.resource_control.add_thread(path, thread)


def readings(host: Host, guest: Guest, live: Domain, kind: str) -> list[Reading]:
    """What the monitors of a kind tell; those that the kernel will not read at the moment are left out."""
    prefix = guest.resources.held.task_prefix
    monitor = host.hardware.monitor() if prefix else None
    features = [name for name in (monitor.features if monitor is not None else ()) if name.startswith(kind)]
    found = []
    for group in task_groups(live) if features else ():
        for each in (each for each in group.monitors if each.kind == kind):
            try:
                nodes = host.resource_control.measured(group.monitor_path(prefix, each), features)
            except RoostError:
                continue
            found.append(Reading(each.id, each.vcpus, nodes))
    return found


__all__ = [
    "BANDWIDTH", "CACHE", "Monitor", "Reading", "TaskGroup", "make", "place_vcpu", "readings", "reserve", "supply_of",
    "task_groups",
]  # fmt: skip
