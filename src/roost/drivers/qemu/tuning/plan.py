"""What a document asks of the host for a guest and each of its threads. Dry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from roost.engine.edits.cputune import emulator_cpus, iothread_cpus, vcpu_cpus
from roost.engine.edits.iothreads import listed
from roost.host.api import UNLIMITED, Controller, GroupSetting
from roost.model.domain import Domain
from roost.model.domain.cpuset import parse_cpus
from roost.model.domain.tuning import CpuTune

_DEFAULT_PARTITION = "/machine"
_TOP = frozenset(("machine", "user", "system"))
_MACHINE_NAME = 64
#: Names that a control group may not have, for the kernel's own files begin so.
_RESERVED = re.compile(r"[_.]|cgroup\.|notify_on_release|release_agent|tasks")

#: How the memory of these follows the nodes that <numatune> names: by the control group.
_BOUND_MODES = frozenset(("strict", "restrictive"))


class ThreadPlan(NamedTuple):
    """A thread of a guest. group: its control group. cpus: None for all of the host's. mems: a list; "" for all.

    period, quota: microseconds; 0 for the kernel's default. scheduler: policy and priority.
    """

    group: str
    cpus: frozenset[int] | None = None
    mems: str = ""
    period: int = 0
    quota: int = 0
    scheduler: tuple[str, int] | None = None


def partition_of(domain: Domain) -> str:
    """The partition of the host that the guest belongs to."""
    named = domain.resource.partition if domain.resource is not None else None
    return named or _DEFAULT_PARTITION


def group_of(domain: Domain, id: int) -> str:
    """The path of a guest's control group, as libvirt names it on hosts without systemd."""
    parts = []
    for place, part in enumerate(partition_of(domain).strip("/").split("/")):
        plain = "." in part or (place == 0 and part in _TOP)
        parts.append(_escaped(part if plain else f"{part}.partition"))
    return "/" + "/".join((*parts, _escaped(f"{machine_name(domain.name, id)}.libvirt-qemu")))


def _escaped(part: str) -> str:
    return f"_{part}" if _RESERVED.match(part) else part


def machine_name(name: str, id: int) -> str:
    """What libvirt calls a guest to the rest of the host: `qemu-1-web`, of letters, digits and `_-.` alone."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "", f"qemu-{id}-{name}")
    return re.sub(r"([.-])[.-]+", r"\1", plain)[:_MACHINE_NAME]


def group_settings(domain: Domain) -> Iterator[tuple[GroupSetting, int | str]]:
    """What bounds the guest as a whole, in the order in which it must be set."""
    tune = domain.cputune
    if tune is not None:
        pairs: tuple[tuple[GroupSetting, int | None], ...] = (
            ("cpu.shares", tune.shares),
            ("cpu.period", tune.global_period),
            ("cpu.quota", tune.global_quota),
        )
        yield from ((setting, value) for setting, value in pairs if value is not None)
    memory = domain.memtune
    if memory is not None:
        limits: tuple[tuple[GroupSetting, int | None], ...] = (
            ("memory.hard_limit", memory.hard_limit),
            ("memory.soft_limit", memory.soft_limit),
            ("memory.swap_hard_limit", memory.swap_hard_limit),
        )
        yield from ((setting, value) for setting, value in limits if value is not None and value < UNLIMITED)
    if domain.blkiotune is not None and domain.blkiotune.weight:
        yield "blkio.weight", domain.blkiotune.weight


def missing_controller(domain: Domain, present: frozenset[Controller]) -> str | None:
    """Why a document cannot be started on a host with these controllers, in libvirt's words; None when it can."""
    tune = domain.cputune or CpuTune()
    if "cpu" not in present:
        if tune.shares is not None:
            return "CPU tuning is not available on this host"
        times = (getattr(tune, f"{whose}{what}") for whose in _WHOSE for what in ("period", "quota"))
        if any(times):
            return "cgroup cpu is required for scheduler tuning"
    if "memory" not in present and any(setting.startswith("memory") for setting, _ in group_settings(domain)):
        return "Memory cgroup is not available on this host"
    if "blkio" not in present and domain.blkiotune is not None:
        return "Block I/O tuning is not available on this host"
    return None


_WHOSE = ("", "global_", "emulator_", "iothread_")


def _mems(domain: Domain) -> str:
    memory = domain.numatune.memory if domain.numatune is not None else None
    return memory.nodeset or "" if memory is not None and memory.mode in _BOUND_MODES else ""


def present_vcpus(domain: Domain) -> tuple[int, ...]:
    """The numbers of the processors that are plugged in."""
    if domain.vcpus:
        return tuple(state.id for state in domain.vcpus if state.enabled)
    vcpu = domain.vcpu
    count = 1 if vcpu is None else vcpu.count if vcpu.current is None else vcpu.current
    return tuple(range(count))


def iothread_ids(domain: Domain) -> tuple[int, ...]:
    """The ids of the I/O threads."""
    return tuple(thread.id for thread in listed(domain))


def emulator_plan(domain: Domain) -> ThreadPlan:
    """All threads but the processors and I/O threads."""
    tune = domain.cputune or CpuTune()
    period, quota = tune.emulator_period or 0, tune.emulator_quota or 0
    return ThreadPlan("emulator", emulator_cpus(domain), _mems(domain), period, quota)


def vcpu_plan(domain: Domain, number: int) -> ThreadPlan:
    """A processor; its memory comes from where that of its NUMA cell is to come from."""
    tune = domain.cputune or CpuTune()
    mems = _mems(domain)
    cell = next((cell.id for cell in domain.cells if cell.cpus and number in parse_cpus(cell.cpus)), None)
    for node in domain.numatune.nodes if domain.numatune is not None else ():
        if node.cellid == cell and node.mode == "restrictive":
            mems = node.nodeset
    scheduler = next(((s.scheduler, s.priority or 0) for s in tune.vcpuscheds if number in parse_cpus(s.vcpus)), None)
    cpus = vcpu_cpus(domain, number)
    return ThreadPlan(f"vcpu{number}", cpus, mems, tune.period or 0, tune.quota or 0, scheduler)


def iothread_plan(domain: Domain, id: int) -> ThreadPlan:
    """An I/O thread."""
    tune = domain.cputune or CpuTune()
    scheduler = next(
        ((s.scheduler, s.priority or 0) for s in tune.iothreadscheds if id in parse_cpus(s.iothreads)), None
    )
    period, quota = tune.iothread_period or 0, tune.iothread_quota or 0
    return ThreadPlan(f"iothread{id}", iothread_cpus(domain, id), _mems(domain), period, quota, scheduler)


__all__ = [
    "ThreadPlan", "emulator_plan", "group_of", "group_settings", "iothread_ids", "iothread_plan", "machine_name",
    "missing_controller", "partition_of", "present_vcpus", "vcpu_plan",
]  # fmt: skip
