"""What control groups bound: processor time, memory, block I/O, memory nodes."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from roost.constants import domain as D
from roost.constants import typed_params as T
from roost.contract import flags as F
from roost.contract.references import DomainIdentity
from roost.contract.tuning import ResourceLimits
from roost.contract.typed_params import TypedParam, checked, llong, ullong
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.tuning import locking
from roost.drivers.qemu.tuning.change import Change, change, require_live
from roost.drivers.qemu.tuning.numa import check_nodes, refuse_live_change
from roost.drivers.qemu.tuning.plan import iothread_ids, present_vcpus
from roost.engine.affect import choose
from roost.engine.edits import blkio, memory, numa
from roost.engine.edits.cputune import with_cputune
from roost.errors import (
    ConfigUnsupported,
    From,
    InvalidArg,
    OperationInvalid,
    OperationUnsupported,
    RoostError,
    SystemCallError,
)
from roost.host.api import UNLIMITED, Controller, GroupSetting
from roost.model.domain import Domain
from roost.model.domain.memory import MemTune
from roost.model.domain.tuning import CpuTune

_AFFECT = D.AFFECT_LIVE | D.AFFECT_CONFIG
_READ = _AFFECT | T.STRING_OKAY
_QUOTA_RANGE, _PERIOD_RANGE = (1000, 17592186044415), (1000, 1000000)
_MOUNT_HINT = "mount the controller below /sys/fs/cgroup, and start the guest anew"


class SchedulerField(NamedTuple):
    """A parameter of the scheduler. field: of <cputune>. threads: whose groups have it; "" for the guest's own."""

    name: str
    kind: int
    field: str
    setting: GroupSetting
    threads: str
    bounds: tuple[int, int] | None = None


def _fields() -> tuple[SchedulerField, ...]:
    """In the order of libvirt's answer."""
    found = [SchedulerField(D.SCHEDULER_CPU_SHARES, T.ULLONG, "shares", "cpu.shares", "")]
    for name, prefix, threads in (
        ("vcpu", "", "vcpu"), ("emulator", "emulator_", "emulator"), ("global", "global_", ""),
        ("iothread", "iothread_", "iothread"),
    ):  # fmt: skip
        found += [
            SchedulerField(f"{name}_period", T.ULLONG, f"{prefix}period", "cpu.period", threads, _PERIOD_RANGE),
            SchedulerField(f"{name}_quota", T.LLONG, f"{prefix}quota", "cpu.quota", threads, _QUOTA_RANGE),
        ]
    return tuple(found)


_SCHEDULER = {each.name: each for each in _fields()}
#: What is set for each field of <memtune>.
_MEMORY: Mapping[str, GroupSetting] = {
    "hard_limit": "memory.hard_limit",
    "soft_limit": "memory.soft_limit",
    "swap_hard_limit": "memory.swap_hard_limit",
}
#: What the kernel answers for accounting of swap that is switched off.
_NO_SWAP = frozenset((errno.ENOENT, errno.EOPNOTSUPP))


def _groups_of(threads: str, live: Domain) -> tuple[str, ...]:
    """The groups of threads of a kind."""
    if threads == "vcpu":
        return tuple(f"vcpu{number}" for number in present_vcpus(live))
    if threads == "iothread":
        return tuple(f"iothread{id}" for id in iothread_ids(live))
    return (threads,)


class QemuResourceLimits(ResourceLimits):
    """contract.ResourceLimits. privileged: an ordinary user's daemon tunes nothing."""

    def __init__(self, context: Context, *, privileged: bool) -> None:
        self._context = context
        self._groups = context.host.groups
        self._privileged = privileged

    def _check_mode(self, what: str, error: type[RoostError] = ConfigUnsupported) -> None:
        if not self._privileged:
            text = f"{what} tuning is not available in session mode"
            raise error(text, domain=From.QEMU, hint="use qemu:///system")

    def _require(self, guest: Guest, controller: Controller, refusal: str) -> None:
        """Raises OperationInvalid for a guest without it."""
        if not guest.group or not self._groups.has(controller):
            raise OperationInvalid(refusal, domain=From.QEMU, hint=_MOUNT_HINT)

    def _chosen(self, domain: DomainIdentity, flags: int) -> tuple[GuestRecord, Domain, bool]:
        """The record, the document meant, and whether it is the live one."""
        record = self._context.table.get(domain)
        document = choose(record, flags)
        return record, document, document is record.live

    async def _change(self, domain: DomainIdentity, flags: int, plan: Change) -> None:
        await change(self._context, domain, flags, plan)

    # -- processor time

    def scheduler_type(self, domain: DomainIdentity) -> tuple[str, int]:
        record = self._context.table.get(domain)
        self._check_mode("CPU", OperationUnsupported)
        if record.is_active:
            self._require(require_live(record)[0], "cpu", "cgroup CPU controller is not mounted")
        return "posix", len(_SCHEDULER)

    def scheduler_parameters(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        F.check(flags, _READ, "qemuDomainGetSchedulerParametersFlags", From.QEMU)
        self._context.table.get(domain)
        self._check_mode("CPU")
        record, document, is_live = self._chosen(domain, flags)
        if is_live:
            guest, live = require_live(record)
            self._require(guest, "cpu", "cgroup CPU controller is not mounted")
            return [_scheduler_param(each, self._scheduler_value(guest, live, each)) for each in _SCHEDULER.values()]
        tune = document.cputune or CpuTune()
        return [_scheduler_param(each, getattr(tune, each.field) or 0) for each in _SCHEDULER.values()]

    def _scheduler_value(self, guest: Guest, live: Domain, field: SchedulerField) -> int:
        # Threads of which there are none have what the guest has.
        group, *_ = (*_groups_of(field.threads, live), "")
        return int(self._groups.get(guest.group, field.setting, group))

    async def set_scheduler_parameters(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        F.check(flags, _AFFECT, "qemuDomainSetSchedulerParametersFlags", From.QEMU)
        values = checked(params, {each.name: each.kind for each in _SCHEDULER.values()})
        self._context.table.get(domain)
        self._check_mode("CPU")
        # A time of 0 leaves a running guest as it is.
        wanted = {name: value for name, value in values.items() if value or name == D.SCHEDULER_CPU_SHARES}

        def check(document: Domain) -> None:
            for name, value in values.items():
                bounds = _SCHEDULER[name].bounds
                if bounds is not None and value > 0 and not bounds[0] <= value <= bounds[1]:
                    text = f"value of '{name}' is out of range [{bounds[0]}, {bounds[1]}]"
                    raise InvalidArg(text, domain=From.QEMU)

        def act(guest: Guest, live: Domain) -> None:
            self._require(guest, "cpu", "cgroup CPU controller is not mounted")
            check(live)
            for name, value in wanted.items():
                field = _SCHEDULER[name]
                for group in _groups_of(field.threads, live):
                    self._groups.set(guest.group, field.setting, value, group)

        def live_edit(document: Domain) -> Domain:
            return with_cputune(document, **{_SCHEDULER[name].field: value for name, value in wanted.items()})

        def edit(document: Domain) -> Domain:
            check(document)
            fields = ((_SCHEDULER[name], value) for name, value in values.items())
            kept = {field.field: value if field.bounds is None else value or None for field, value in fields}
            return with_cputune(document, **kept)

        event = tuple(TypedParam(f"cputune.{each.field}", each.value) for each in params if each.field in wanted)
        await self._change(domain, flags, Change(live_edit, act, event, edit))

    # -- memory

    def memory_parameters(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        F.check(flags, _READ, "qemuDomainGetMemoryParameters", From.QEMU)
        self._context.table.get(domain)
        self._check_mode("Memory", OperationUnsupported)
        record, document, is_live = self._chosen(domain, flags)
        if not is_live:
            return memory.shown(document)
        guest, _ = require_live(record)
        self._require(guest, "memory", "cgroup memory controller is not mounted")
        return [ullong(name, self._memory_limit(guest, setting)) for name, setting in _MEMORY.items()]

    def _memory_limit(self, guest: Guest, setting: GroupSetting) -> int:
        try:
            return int(self._groups.get(guest.group, setting))
        except SystemCallError as error:
            if setting == "memory.swap_hard_limit" and error.int1 in _NO_SWAP:
                return UNLIMITED
            raise

    async def set_memory_parameters(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        F.check(flags, _AFFECT, "qemuDomainSetMemoryParameters", From.QEMU)
        values: Mapping[str, int] = checked(params, memory.PARAMETERS)
        record = self._context.table.get(domain)
        self._check_mode("Memory", OperationUnsupported)

        def act(guest: Guest, live: Domain) -> None:
            self._require(guest, "memory", "cgroup memory controller is not mounted")
            for name in _memory_order(live, values):
                self._groups.set(guest.group, _MEMORY[name], values[name])

        def edit(document: Domain) -> Domain:
            memory.check_limits(record.document, values)
            return memory.with_limits(document, values)

        await self._change(domain, flags, Change(edit, act))
        if D.MEMORY_HARD_LIMIT in values and record.runtime is not None:
            locking.follow(self._context, record, record.runtime)

    # -- block I/O

    def blkio_parameters(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        F.check(flags, _READ, "qemuDomainGetBlkioParameters", From.QEMU)
        self._context.table.get(domain)
        self._check_mode("Block I/O")
        record, document, is_live = self._chosen(domain, flags)
        weight = None
        if is_live:
            guest, _ = require_live(record)
            self._require(guest, "blkio", "blkio cgroup isn't mounted")
            weight = int(self._groups.get(guest.group, "blkio.weight"))
        return blkio.shown(document, weight)

    async def set_blkio_parameters(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        F.check(flags, _AFFECT, "qemuDomainSetBlkioParameters", From.QEMU)
        values = checked(params, blkio.PARAMETERS)
        self._context.table.get(domain)
        self._check_mode("Block I/O")
        wanted = blkio.Limits(values)

        def act(guest: Guest, live: Domain) -> None:
            self._require(guest, "blkio", "blkio cgroup isn't mounted")
            if wanted.weight is not None:
                self._groups.set(guest.group, "blkio.weight", wanted.weight)
            for setting, limits in wanted.devices.items():
                for path, value in limits.items():
                    self._groups.set_device(guest.group, setting, path, value)

        await self._change(domain, flags, Change(wanted.edit, act))

    # -- memory nodes

    def numa_parameters(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        F.check(flags, _READ, "qemuDomainGetNumaParameters", From.QEMU)
        _, document, _ = self._chosen(domain, flags)
        return numa.shown(document)

    async def set_numa_parameters(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        F.check(flags, _AFFECT, "qemuDomainSetNumaParameters", From.QEMU)
        values = checked(params, numa.PARAMETERS)
        mode, nodeset = numa.read_nodeset(values)

        def edit(document: Domain) -> Domain:
            return numa.with_numatune(document, mode, nodeset)

        def act(guest: Guest, live: Domain) -> None:
            self._check_mode("NUMA", OperationUnsupported)
            self._require(guest, "cpuset", "cgroup cpuset controller is not mounted")
            refuse_live_change(live, mode, nodeset)
            if nodeset is None or mode == "strict":
                return
            check_nodes(self._context.host, nodeset)
            for threads in ("emulator", "vcpu", "iothread"):
                for group in _groups_of(threads, live):
                    self._groups.set(guest.group, "cpuset.mems", nodeset, group)

        await self._change(domain, flags, Change(edit, act))

    # -- what was used

    def _accounted(self, domain: DomainIdentity, flags: int) -> tuple[Guest, Domain]:
        F.check(flags, T.STRING_OKAY, "qemuDomainGetCPUStats", From.QEMU)
        guest, live = require_live(self._context.table.get_active(domain))
        self._require(guest, "cpuacct", "cgroup CPUACCT controller is not mounted")
        return guest, live

    def cpu_stats(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        guest, _ = self._accounted(domain, flags)
        usage = self._groups.usage(guest.group)
        return (
            ullong(D.CPU_STATS_CPUTIME, usage.total),
            ullong(D.CPU_STATS_USERTIME, usage.user),
            ullong(D.CPU_STATS_SYSTEMTIME, usage.system),
        )

    def each_cpu_stats(self, domain: DomainIdentity, flags: int) -> Sequence[Sequence[TypedParam]]:
        guest, live = self._accounted(domain, flags)
        usage = self._groups.usage(guest.group)
        if not usage.each_cpu:
            text = "operation 'getCpuacctPercpuUsage' not supported for backend 'cgroup V2'"
            raise OperationUnsupported(text, domain=From.CGROUP, hint="ask for the total: --total")
        vcpus = [self._groups.usage(guest.group, f"vcpu{number}").each_cpu for number in present_vcpus(live)]
        return [
            (ullong(D.CPU_STATS_CPUTIME, used), ullong(D.CPU_STATS_VCPUTIME, sum(each[cpu] for each in vcpus)))
            for cpu, used in enumerate(usage.each_cpu)
        ]


def _scheduler_param(field: SchedulerField, value: int) -> TypedParam:
    return (ullong if field.kind == T.ULLONG else llong)(field.name, value)


def _memory_order(live: Domain, changes: Mapping[str, int]) -> Sequence[str]:
    """The kernel refuses a limit of memory above that of memory and swap: the lower one goes first."""
    tune = live.memtune or MemTune()
    now = UNLIMITED if tune.hard_limit is None else tune.hard_limit
    falls = now > changes.get(D.MEMORY_HARD_LIMIT, now)
    hard_and_swap = (D.MEMORY_HARD_LIMIT, D.MEMORY_SWAP_HARD_LIMIT)
    order = (D.MEMORY_SOFT_LIMIT, *(hard_and_swap if falls else reversed(hard_and_swap)))
    return [name for name in order if name in changes]


__all__ = ["QemuResourceLimits"]
