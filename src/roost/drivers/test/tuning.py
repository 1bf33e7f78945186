"""What bounds domains that use nothing: documents remember it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import typed_params as T
from roost.contract import flags as F
from roost.contract.references import DomainIdentity
from roost.contract.tuning import DeviceLimits, Pinning, ResourceLimits, VcpuPlace
from roost.contract.typed_params import TypedParam, checked, uint, ullong
from roost.drivers.test.changes import change_one
from roost.drivers.test.world import NODE, World
from roost.engine.affect import choose
from roost.engine.edits import bandwidth, blkio, cputune, iothreads, numa, perf, processors, throttling
from roost.engine.edits import memory as sizes
from roost.errors import From, InvalidArg, OperationInvalid
from roost.model.domain import Domain
from roost.model.domain.devices.disk import Disk, IoTune

_AFFECT = D.AFFECT_LIVE | D.AFFECT_CONFIG
_READ = _AFFECT | T.STRING_OKAY
_RUNNING = 1

#: As many CPUs as there is room for on the host.
HOST_CPUS = frozenset(range(NODE.nodes * NODE.sockets * NODE.cores * NODE.threads))

#: Every domain's part of the host, which stays.
WEIGHT = 50

#: Nanoseconds that every domain has used.
CPU_TIME, USER_TIME, SYSTEM_TIME = 48_772_617_035, 5_540_000_000, 6_460_000_000
_NOT_IN_GUEST = 1_234_567_890


def check(flags: int, allowed: int, function: str) -> None:
    F.check(flags, allowed, f"testDomain{function}", From.TEST)


class _Tuned:
    """What all three know."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _chosen(self, domain: DomainIdentity, flags: int) -> Domain:
        return choose(self._world.table.get(domain), flags)


class TestPinning(_Tuned, Pinning):
    """contract.Pinning."""

    __test__ = False

    async def pin_vcpu(self, domain: DomainIdentity, vcpu: int, cpus: frozenset[int], flags: int) -> None:
        check(flags, D.AFFECT_LIVE, "PinVcpuFlags")
        record = self._world.table.get(domain)
        if not record.is_active:
            raise OperationInvalid("cannot pin vcpus on an inactive domain", domain=From.TEST)
        present = [state.id for state in processors.states(record.document) if state.enabled]
        if vcpu not in present:
            text = f"requested vcpu '{vcpu}' is not present in the domain"
            raise InvalidArg(text, domain=From.TEST, hint=f"there are {', '.join(map(str, present))}")
        text = cputune.require_cpus(cpus)
        await change_one(
            self._world, domain, D.AFFECT_LIVE, lambda document: cputune.with_vcpu_pin(document, vcpu, text)
        )

    def vcpu_pins(self, domain: DomainIdentity, flags: int) -> Sequence[frozenset[int]]:
        document = self._chosen(domain, flags)
        return [cputune.vcpu_cpus(document, each.id) or HOST_CPUS for each in processors.states(document)]

    def vcpu_places(self, domain: DomainIdentity) -> Sequence[VcpuPlace]:
        record = self._world.table.get(domain)
        if not record.is_active:
            raise OperationInvalid("cannot list vcpus for an inactive domain", domain=From.TEST)
        present = [state.id for state in processors.states(record.document) if state.enabled]
        places = {number: cputune.vcpu_cpus(record.document, number) or HOST_CPUS for number in present}
        used = time.time_ns() // 1000 // 10
        return [VcpuPlace(number, _RUNNING, used, max(cpus), cpus) for number, cpus in places.items()]

    async def pin_emulator(self, domain: DomainIdentity, cpus: frozenset[int], flags: int) -> None:
        check(flags, _AFFECT, "PinEmulator")
        await change_one(
            self._world,
            domain,
            flags,
            lambda document: cputune.with_emulator_pin(document, cputune.require_cpus(cpus)),
        )

    def emulator_pin(self, domain: DomainIdentity, flags: int) -> frozenset[int]:
        check(flags, _AFFECT, "GetEmulatorPinInfo")
        return cputune.emulator_cpus(self._chosen(domain, flags)) or HOST_CPUS

    async def pin_iothread(self, domain: DomainIdentity, id: int, cpus: frozenset[int], flags: int) -> None:
        check(flags, _AFFECT, "PinIOThread")

        def edit(document: Domain) -> Domain:
            text = cputune.require_cpus(cpus, "Empty iothread cpumap list for pinning")
            return cputune.with_iothread_pin(document, id, text)

        await change_one(self._world, domain, flags, edit)

    def iothread_pins(self, domain: DomainIdentity, flags: int) -> Sequence[tuple[int, frozenset[int]]]:
        """A thread that may run anywhere is shown on as many CPUs as the domain has processors."""
        check(flags, _AFFECT, "GetIOThreadInfo")
        document = self._chosen(domain, flags)
        anywhere = frozenset(range(sum(state.enabled for state in processors.states(document))))
        return [(each.id, cputune.iothread_cpus(document, each.id) or anywhere) for each in iothreads.listed(document)]


class TestResourceLimits(_Tuned, ResourceLimits):
    """contract.ResourceLimits."""

    __test__ = False

    def scheduler_type(self, domain: DomainIdentity) -> tuple[str, int]:
        return "fair", 1

    def scheduler_parameters(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        check(flags, 0, "GetSchedulerParametersFlags")
        self._world.table.get(domain)
        return [uint(D.SCHEDULER_WEIGHT, WEIGHT)]

    async def set_scheduler_parameters(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        """Nobody is scheduled, so that it changes nothing."""
        check(flags, 0, "SetSchedulerParametersFlags")
        checked(params, {D.SCHEDULER_WEIGHT: T.UINT})
        self._world.table.get(domain)

    def memory_parameters(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        check(flags, _READ, "GetMemoryParameters")
        return sizes.shown(self._chosen(domain, flags))

    async def set_memory_parameters(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        check(flags, _AFFECT, "SetMemoryParameters")
        values = checked(params, sizes.PARAMETERS)
        present = self._world.table.get(domain).document

        def edit(document: Domain) -> Domain:
            sizes.check_limits(present, values)
            return sizes.with_limits(document, values)

        await change_one(self._world, domain, flags, edit)

    def blkio_parameters(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        check(flags, _READ, "GetBlkioParameters")
        return blkio.shown(self._chosen(domain, flags))

    async def set_blkio_parameters(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        check(flags, _AFFECT, "SetBlkioParameters")
        values = checked(params, blkio.PARAMETERS)
        await change_one(self._world, domain, flags, lambda document: blkio.Limits(values).edit(document))

    def numa_parameters(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        check(flags, _READ, "GetNumaParameters")
        return numa.shown(self._chosen(domain, flags))

    async def set_numa_parameters(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        check(flags, _AFFECT, "SetNumaParameters")
        values = checked(params, numa.PARAMETERS)
        record = self._world.table.get(domain)

        def edit(document: Domain) -> Domain:
            mode, nodeset = numa.read_nodeset(values)
            if document is record.live:
                numa.refuse_other_mode(document, mode)
            return numa.with_numatune(document, mode, nodeset)

        await change_one(self._world, domain, flags, edit)

    def cpu_stats(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        check(flags, T.STRING_OKAY, "GetCPUStats")
        self._world.table.get_active(domain)
        return [
            ullong(D.CPU_STATS_CPUTIME, CPU_TIME),
            ullong(D.CPU_STATS_USERTIME, USER_TIME),
            ullong(D.CPU_STATS_SYSTEMTIME, SYSTEM_TIME),
        ]

    def each_cpu_stats(self, domain: DomainIdentity, flags: int) -> Sequence[Sequence[TypedParam]]:
        check(flags, T.STRING_OKAY, "GetCPUStats")
        self._world.table.get_active(domain)
        share = CPU_TIME // NODE.cores
        return [
            [ullong(D.CPU_STATS_CPUTIME, share + cpu), ullong(D.CPU_STATS_VCPUTIME, share + cpu - _NOT_IN_GUEST)]
            for cpu in range(NODE.cores)
        ]


class TestDeviceLimits(_Tuned, DeviceLimits):
    """contract.DeviceLimits."""

    __test__ = False

    async def block_io_tune(self, domain: DomainIdentity, disk: str | None, flags: int) -> Sequence[TypedParam]:
        check(flags, _READ, "GetBlockIoTune")
        if disk is None:
            return throttling.shown(None)
        text = f"disk '{disk}' was not found in the domain config"
        return throttling.shown(_disk(self._chosen(domain, flags), disk, text).iotune)

    async def set_block_io_tune(
        self, domain: DomainIdentity, disk: str, params: Sequence[TypedParam], flags: int
    ) -> None:
        check(flags, _AFFECT, "SetBlockIoTune")
        values = checked(params, throttling.PARAMETERS)

        def edit(document: Domain) -> Domain:
            found = _disk(document, disk, f"missing persistent configuration for disk '{disk}'")
            return throttling.with_iotune(document, found, _throttled(found, values))

        await change_one(self._world, domain, flags, edit)

    def interface_parameters(self, domain: DomainIdentity, device: str | None, flags: int) -> Sequence[TypedParam]:
        check(flags, _READ, "GetInterfaceParameters")
        if device is None:
            return bandwidth.shown(None)
        return bandwidth.shown(bandwidth.find_interface(self._chosen(domain, flags), device).bandwidth)

    async def set_interface_parameters(
        self, domain: DomainIdentity, device: str, params: Sequence[TypedParam], flags: int
    ) -> None:
        check(flags, _AFFECT, "SetInterfaceParameters")
        values = checked(params, bandwidth.PARAMETERS)

        def edit(document: Domain) -> Domain:
            interface = bandwidth.find_interface(document, device)
            return bandwidth.with_bandwidth(document, interface, bandwidth.merged(interface, values))

        await change_one(self._world, domain, flags, edit)

    def perf_events(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        check(flags, _READ, "GetPerfEvents")
        return perf.shown(perf.enabled(self._chosen(domain, flags)))

    async def set_perf_events(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        check(flags, _AFFECT, "SetPerfEvents")
        values = checked(params, perf.PARAMETERS)
        await change_one(self._world, domain, flags, lambda document: perf.with_events(document, values))

    async def set_memory(self, domain: DomainIdentity, memory: int, flags: int) -> None:
        check(flags, _AFFECT | D.MEM_MAXIMUM, "SetMemoryFlags")
        record = self._world.table.get(domain)

        def edit(document: Domain) -> Domain:
            if not flags & D.MEM_MAXIMUM:
                sizes.check_balloon(memory, document.memory)
                return replace(document, current_memory=memory)
            if document is record.live:
                raise sizes.refuse_live_maximum()
            return sizes.with_maximum(document, memory)

        await change_one(self._world, domain, flags, edit)

    async def set_memory_stats_period(self, domain: DomainIdentity, seconds: int, flags: int) -> None:
        check(flags, _AFFECT, "SetMemoryStatsPeriod")
        await change_one(self._world, domain, flags, lambda document: sizes.with_period(document, seconds))


def _disk(document: Domain, name: str, missing: str) -> Disk:
    found = throttling.find_disk(document, name)
    if found is None:
        known = ", ".join(disk.target.dev for disk in document.devices.disks)
        raise InvalidArg(missing, domain=From.TEST, hint=f"there are {known or 'none'}")
    return found


def _throttled(disk: Disk, values: Mapping[str, Any]) -> IoTune | None:
    """The disk's limits with these set, one by one. Raises InvalidArg for a limit without a burst above it."""
    tune = replace(disk.iotune or IoTune(), **{name: value or None for name, value in values.items()})
    throttling.check({name: getattr(tune, name) or 0 for name in throttling.PARAMETERS if name != "group_name"})
    for whose in ("total", "read", "write"):
        for what in ("bytes", "iops"):
            name = f"{whose}_{what}_sec"
            if (getattr(tune, name) or 0) > (getattr(tune, f"{name}_max") or 0):
                raise InvalidArg(f"{name} cannot be set higher than {name}_max ", domain=From.TEST)
    return None if tune == IoTune() else tune


__all__ = ["TestDeviceLimits", "TestPinning", "TestResourceLimits"]
