"""The host and the hypervisor as clients see them."""

from __future__ import annotations

from collections.abc import Sequence

from roost.constants import connect as C
from roost.constants import node as N
from roost.contract import flags as F
from roost.contract.node import Node, NodeInfo
from roost.drivers.qemu.context import Context
from roost.errors import From, InvalidArg

#: Driver features by number (VIR_DRV_FEATURE_*): typed parameter strings, migratable XML, the order of network updates.
_FEATURES = frozenset((9, 11, 16))
#: libvirt's constants without a machine: getMaxVcpus by domain type.
_MAX_VCPUS = {None: 16, "qemu": 16, "kvm": 255}


class QemuNode(Node):
    """contract.Node."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._documents = context.documents
        self._facts = context.host.node

    async def version(self) -> int:
        return (await self._context.capabilities.for_arch(None)).version_number

    def hostname(self) -> str:
        return self._facts.hostname()

    async def capabilities(self) -> str:
        return await self._documents.host()

    async def domain_capabilities(
        self, emulator: str | None, arch: str | None, machine: str | None, virt_type: str | None, flags: int
    ) -> str:
        known = C.GET_DOMAIN_CAPABILITIES_DISABLE_DEPRECATED_FEATURES | C.GET_DOMAIN_CAPABILITIES_EXPAND_CPU_FEATURES
        F.check(flags, known, "qemuConnectGetDomainCapabilities", From.QEMU)
        choice = await self._documents.choose(emulator, arch, machine, virt_type)
        # No x86 feature is deprecated; the emulators that have such features tell no host model.
        expand_features = bool(flags & C.GET_DOMAIN_CAPABILITIES_EXPAND_CPU_FEATURES)
        return await self._documents.domain(choice, expand_features=expand_features)

    def supports_feature(self, feature: int) -> bool:
        return feature in _FEATURES

    def info(self) -> NodeInfo:
        return self._facts.info()

    def max_vcpus(self, virt_type: str | None) -> int:
        kind = virt_type.lower() if virt_type else None
        if kind not in _MAX_VCPUS:
            raise InvalidArg(f"unknown type '{virt_type}'", domain=From.QEMU)
        return _MAX_VCPUS[kind]

    def free_memory(self) -> int:
        return self._facts.memory()["MemFree"] * 1024

    def cells_free_memory(self, start: int, count: int) -> Sequence[int]:
        cells = self._facts.cells_memory()
        if start >= len(cells):
            raise InvalidArg(f"start cell {start} out of range (0-{len(cells) - 1})", domain=From.QEMU)
        return [cell["MemFree"] * 1024 for cell in cells[start : start + count]]

    def cpu_stats(self, cpu: int, flags: int) -> Sequence[tuple[str, int]]:
        F.check(flags, 0, "virHostCPUGetStats", From.QEMU)
        times = self._facts.cpu_times(cpu)
        return (
            (N.CPU_STATS_KERNEL, times["system"] + times["irq"] + times["softirq"]),
            (N.CPU_STATS_USER, times["user"] + times["nice"]),
            (N.CPU_STATS_IDLE, times["idle"]),
            (N.CPU_STATS_IOWAIT, times["iowait"]),
        )

    def memory_stats(self, cell: int, flags: int) -> Sequence[tuple[str, int]]:
        F.check(flags, 0, "virHostMemGetStats", From.QEMU)
        if cell == N.MEMORY_STATS_ALL_CELLS:
            memory = self._facts.memory()
            return (
                (N.MEMORY_STATS_TOTAL, memory["MemTotal"]),
                (N.MEMORY_STATS_FREE, memory["MemFree"]),
                (N.MEMORY_STATS_BUFFERS, memory["Buffers"]),
                (N.MEMORY_STATS_CACHED, memory["Cached"]),
            )
        cells = self._facts.cells_memory()
        if not 0 <= cell < len(cells):
            raise InvalidArg(f"cellNum in virNodeGetMemoryStats must be less than or equal to {len(cells) - 1}")
        return ((N.MEMORY_STATS_TOTAL, cells[cell]["MemTotal"]), (N.MEMORY_STATS_FREE, cells[cell]["MemFree"]))

    def cpu_map(self, flags: int) -> tuple[bytes, int, int]:
        F.check(flags, 0, "virHostCPUGetMap", From.QEMU)
        return self._facts.cpu_map()

    def security_model(self) -> tuple[str, str]:
        return "none", "0"
