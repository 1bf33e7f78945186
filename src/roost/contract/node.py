"""The host as a driver presents it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from roost.contract.interface import Interface, optional


class NodeInfo(NamedTuple):
    """model: at most 31 characters. memory: KiB. mhz: 0 when unknown."""

    model: str
    memory: int
    cpus: int
    mhz: int
    nodes: int
    sockets: int
    cores: int
    threads: int


class Node(Interface):
    """Facts about the host and the hypervisor."""

    @optional
    async def version(self) -> int:
        """The hypervisor's version: major * 1,000,000 + minor * 1,000 + release."""
        raise NotImplementedError

    @optional
    def hostname(self) -> str:
        raise NotImplementedError

    @optional
    async def capabilities(self) -> str:
        """The <capabilities> document."""
        raise NotImplementedError

    @optional
    async def domain_capabilities(
        self, emulator: str | None, arch: str | None, machine: str | None, virt_type: str | None, flags: int
    ) -> str:
        """The <domainCapabilities> document."""
        raise NotImplementedError

    @optional
    def supports_feature(self, feature: int) -> bool:
        """A driver feature by number (reference: protocol behaviour, section 2)."""
        raise NotImplementedError

    @optional
    def info(self) -> NodeInfo:
        raise NotImplementedError

    @optional
    def max_vcpus(self, virt_type: str | None) -> int:
        raise NotImplementedError

    @optional
    def free_memory(self) -> int:
        """Bytes."""
        raise NotImplementedError

    @optional
    def cells_free_memory(self, start: int, count: int) -> Sequence[int]:
        """Bytes of each NUMA cell from `start`, at most `count` of them."""
        raise NotImplementedError

    @optional
    def cpu_stats(self, cpu: int, flags: int) -> Sequence[tuple[str, int]]:
        """Nanoseconds since boot by kind; cpu -1 is the sum of all."""
        raise NotImplementedError

    @optional
    def memory_stats(self, cell: int, flags: int) -> Sequence[tuple[str, int]]:
        """KiB by kind; cell -1 is the sum of all."""
        raise NotImplementedError

    @optional
    def cpu_map(self, flags: int) -> tuple[bytes, int, int]:
        """(bitmap of online CPUs, number online, number present)."""
        raise NotImplementedError

    @optional
    def security_model(self) -> tuple[str, str]:
        """(model, doi); ("none", "0") without a security driver."""
        raise NotImplementedError

    @optional
    async def sysinfo(self, flags: int) -> str:
        """The <sysinfo> document of the host."""
        raise NotImplementedError


class Processors(Interface):
    """What processors are called, and how they compare. Documents are <cpu> as text."""

    @optional
    def model_names(self, arch: str, flags: int) -> Sequence[str]:
        """Models that documents may name, the oldest first."""
        raise NotImplementedError

    @optional
    def compare(self, document: str, flags: int) -> int:
        """With the host: one of COMPARE_INCOMPATIBLE, COMPARE_IDENTICAL, COMPARE_SUPERSET."""
        raise NotImplementedError

    @optional
    def baseline(self, documents: Sequence[str], flags: int) -> str:
        """The <cpu> that runs on all of them."""
        raise NotImplementedError

    @optional
    async def compare_hypervisor(
        self,
        emulator: str | None,
        arch: str | None,
        machine: str | None,
        virt_type: str | None,
        document: str,
        flags: int,
    ) -> int:
        """With what an emulator gives its guests."""
        raise NotImplementedError

    @optional
    async def baseline_hypervisor(
        self,
        emulator: str | None,
        arch: str | None,
        machine: str | None,
        virt_type: str | None,
        documents: Sequence[str],
        flags: int,
    ) -> str:
        """The <cpu> that runs on all of them under an emulator."""
        raise NotImplementedError
