"""What the host gives a domain: places and time of its threads, memory, block I/O, bandwidth, counters.

Flags are AFFECT_LIVE and AFFECT_CONFIG; neither means what the domain is now. Reads take one of them at most. Sets of
CPUs hold the host's numbers. Typed parameters have the public API's names and units.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam


class VcpuPlace(NamedTuple):
    """A processor. state: 1 for running. cpu_time: nanoseconds. cpu: the host's that it runs on, -1: not known."""

    number: int
    state: int
    cpu_time: int
    cpu: int
    affinity: frozenset[int]


class Pinning(Interface):
    """Which CPUs of the host a domain's threads may run on."""

    @optional
    async def pin_vcpu(self, domain: DomainIdentity, vcpu: int, cpus: frozenset[int], flags: int) -> None:
        raise NotImplementedError

    @optional
    def vcpu_pins(self, domain: DomainIdentity, flags: int) -> Sequence[frozenset[int]]:
        """Of each processor there can be."""
        raise NotImplementedError

    @optional
    def vcpu_places(self, domain: DomainIdentity) -> Sequence[VcpuPlace]:
        """Of each processor there is."""
        raise NotImplementedError

    @optional
    async def pin_emulator(self, domain: DomainIdentity, cpus: frozenset[int], flags: int) -> None:
        raise NotImplementedError

    @optional
    def emulator_pin(self, domain: DomainIdentity, flags: int) -> frozenset[int]:
        raise NotImplementedError

    @optional
    async def pin_iothread(self, domain: DomainIdentity, id: int, cpus: frozenset[int], flags: int) -> None:
        raise NotImplementedError

    @optional
    def iothread_pins(self, domain: DomainIdentity, flags: int) -> Sequence[tuple[int, frozenset[int]]]:
        """(id, CPUs) of each I/O thread."""
        raise NotImplementedError


class ResourceLimits(Interface):
    """What control groups and the hypervisor bound."""

    @optional
    def scheduler_type(self, domain: DomainIdentity) -> tuple[str, int]:
        """(name, number of its parameters)."""
        raise NotImplementedError

    @optional
    def scheduler_parameters(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        """Shares; periods and quotas in microseconds."""
        raise NotImplementedError

    @optional
    async def set_scheduler_parameters(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        raise NotImplementedError

    @optional
    def memory_parameters(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        """KiB."""
        raise NotImplementedError

    @optional
    async def set_memory_parameters(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        raise NotImplementedError

    @optional
    def blkio_parameters(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        """A weight, and lists of `path,value` for devices of the host."""
        raise NotImplementedError

    @optional
    async def set_blkio_parameters(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        raise NotImplementedError

    @optional
    def numa_parameters(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        """constants.domain.NUMATUNE_MEM_*, and a list of nodes."""
        raise NotImplementedError

    @optional
    async def set_numa_parameters(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        raise NotImplementedError

    @optional
    def cpu_stats(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        """Nanoseconds of the domain as a whole."""
        raise NotImplementedError

    @optional
    def each_cpu_stats(self, domain: DomainIdentity, flags: int) -> Sequence[Sequence[TypedParam]]:
        """Nanoseconds by CPU of the host."""
        raise NotImplementedError


class DeviceLimits(Interface):
    """What bounds single disks and interfaces, how much memory the guest may have, and counters of the host's."""

    @optional
    async def block_io_tune(self, domain: DomainIdentity, disk: str | None, flags: int) -> Sequence[TypedParam]:
        """disk: its target, path or alias; None only to learn how many parameters there are."""
        raise NotImplementedError

    @optional
    async def set_block_io_tune(
        self, domain: DomainIdentity, disk: str, params: Sequence[TypedParam], flags: int
    ) -> None:
        raise NotImplementedError

    @optional
    def interface_parameters(self, domain: DomainIdentity, device: str | None, flags: int) -> Sequence[TypedParam]:
        """device: its name on the host or MAC address; None as above. Kilobytes a second, and kilobytes."""
        raise NotImplementedError

    @optional
    async def set_interface_parameters(
        self, domain: DomainIdentity, device: str, params: Sequence[TypedParam], flags: int
    ) -> None:
        raise NotImplementedError

    @optional
    def perf_events(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        """Whether each is counted."""
        raise NotImplementedError

    @optional
    async def set_perf_events(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        raise NotImplementedError

    @optional
    async def set_memory(self, domain: DomainIdentity, memory: int, flags: int) -> None:
        """KiB. Also constants.domain.MEM_MAXIMUM: the most that it may have."""
        raise NotImplementedError

    @optional
    async def set_memory_stats_period(self, domain: DomainIdentity, seconds: int, flags: int) -> None:
        """How often the guest's balloon driver reports; 0: not."""
        raise NotImplementedError


class ThrottleGroups(Interface):
    """Limits that several disks share; parameters as of `DeviceLimits.block_io_tune`, but for the group's name."""

    @optional
    async def set(self, domain: DomainIdentity, group: str, params: Sequence[TypedParam], flags: int) -> None:
        """Make a group, or change one."""
        raise NotImplementedError

    @optional
    async def delete(self, domain: DomainIdentity, group: str | None, flags: int) -> None:
        raise NotImplementedError
