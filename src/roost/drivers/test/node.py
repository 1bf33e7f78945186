"""The host that test:///default pretends to run on."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from roost.contract import flags as F
from roost.contract.node import Node, NodeInfo
from roost.drivers.test.capabilities import capabilities
from roost.drivers.test.world import CELLS_FREE_MEMORY, CPU_MAP, CPU_STATS, FREE_MEMORY, NODE
from roost.errors import From, InvalidArg

#: Driver features answered yes: typed parameters with strings, network updates in the right order.
FEATURES = frozenset({9, 16})


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
        return 32

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

    def security_model(self) -> tuple[str, str]:
        return "testSecurity", ""
