"""The host that test:///default pretends to run on."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from roost.constants import connect as C
from roost.contract import flags as F
from roost.contract.node import Node, NodeInfo, Processors
from roost.drivers.test.capabilities import capabilities
from roost.drivers.test.world import CELLS_FREE_MEMORY, CPU_MAP, CPU_STATS, FREE_MEMORY, NODE
from roost.errors import From, InvalidArg
from roost.model.cpu.arches import model_names
from roost.model.cpu.baseline import baseline, expand
from roost.model.cpu.document import format_processor, parse_processor

#: Driver features answered yes: typed parameters with strings, network updates in the right order.
FEATURES = frozenset({9, 16})


#: The most processors that a domain may have.
MAX_VCPUS = 32

SYSINFO = """\
<sysinfo type='smbios'>
  <bios>
    <entry name='vendor'>LENOVO</entry>
    <entry name='version'>G4ETA1WW (2.61 )</entry>
    <entry name='date'>05/07/2014</entry>
    <entry name='release'>2.61</entry>
  </bios>
</sysinfo>
"""


class TestNode(Node):
    """Constant facts."""

    __test__ = False

    async def version(self) -> int:
        return 2

    def hostname(self) -> str:
        return socket.gethostname()

    async def capabilities(self) -> str:
        return capabilities()

    def supports_feature(self, feature: int) -> bool:
        return feature in FEATURES

    def info(self) -> NodeInfo:
        return NODE

    def max_vcpus(self, virt_type: str | None) -> int:
        return MAX_VCPUS

    def free_memory(self) -> int:
        return FREE_MEMORY

    def cells_free_memory(self, start: int, count: int) -> Sequence[int]:
        if start >= len(CELLS_FREE_MEMORY):
            raise InvalidArg("Range exceeds available cells", domain=From.TEST)
        return CELLS_FREE_MEMORY[start : start + count]

    def cpu_stats(self, cpu: int, flags: int) -> Sequence[tuple[str, int]]:
        F.check(flags, 0, "testNodeGetCPUStats", From.TEST)
        return CPU_STATS

    def cpu_map(self, flags: int) -> tuple[bytes, int, int]:
        F.check(flags, 0, "testNodeGetCPUMap", From.TEST)
        return CPU_MAP

    async def sysinfo(self, flags: int) -> str:
        F.check(flags, 0, "testConnectGetSysinfo", From.TEST)
        return SYSINFO

    def security_model(self) -> tuple[str, str]:
        return "testSecurity", ""


class TestProcessors(Processors):
    """contract.Processors."""

    __test__ = False

    def model_names(self, arch: str, flags: int) -> Sequence[str]:
        F.check(flags, 0, "testConnectGetCPUModelNames", From.TEST)
        return model_names(arch)

    def baseline(self, documents: Sequence[str], flags: int) -> str:
        F.check(flags, C.BASELINE_CPU_EXPAND_FEATURES, "testConnectBaselineCPU", From.TEST)
        if not documents:
            raise InvalidArg("no CPUs given", domain=From.CPU, hint="give at least one <cpu> document")
        found = baseline([parse_processor(document, host=True) for document in documents])
        return format_processor(expand(found) if flags & C.BASELINE_CPU_EXPAND_FEATURES else found)
