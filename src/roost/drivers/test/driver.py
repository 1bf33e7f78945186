"""The URI, and the bundle of interfaces behind it."""

from __future__ import annotations

import weakref

from roost.contract.agent import GuestAgent
from roost.contract.blocks import Blocks
from roost.contract.checkpoints import Checkpoints
from roost.contract.domains import Domains, Inspection, Lifecycle
from roost.contract.files import Files
from roost.contract.input import Input
from roost.contract.interface import Backend
from roost.contract.node import Node, Processors
from roost.contract.security import Security
from roost.contract.snapshots import Snapshots
from roost.contract.state import Memory, SavedState
from roost.contract.statistics import Statistics
from roost.contract.tuning import DeviceLimits, Pinning, ResourceLimits
from roost.contract.vcpus import Vcpus
from roost.drivers.test.agent import TestGuestAgent
from roost.drivers.test.devices import TestBlocks, TestInput, TestSecurity
from roost.drivers.test.domains import TestDomains, TestFiles, TestInspection, TestLifecycle
from roost.drivers.test.moments import TestCheckpoints, TestSnapshots
from roost.drivers.test.node import TestNode, TestProcessors
from roost.drivers.test.state import TestMemory, TestSavedState
from roost.drivers.test.statistics import TestStatistics
from roost.drivers.test.tuning import TestDeviceLimits, TestPinning, TestResourceLimits
from roost.drivers.test.vcpus import TestVcpus
from roost.drivers.test.world import World
from roost.errors import From, InternalError, InvalidArg


class TestDriver:
    """Opens test:///default."""

    __test__ = False  # for pytest, which collects classes by this name

    def __init__(self) -> None:
        #: The sessions keep it alive: the world ends with its last connection.
        self._backend: weakref.ref[Backend] | None = None

    def open(self, path: str) -> Backend:
        """path: of the URI. Raises InvalidArg without one, InternalError for a file."""
        if path in ("", "/"):
            raise InvalidArg(
                "test_open: supply a path or use test:///default", domain=From.TEST, hint="open test:///default"
            )
        if path != "/default":
            raise InternalError(
                f"test driver cannot read a world from the file '{path}'", domain=From.TEST, hint="open test:///default"
            )
        backend = self._backend() if self._backend else None
        if backend is None:
            backend = make_backend(World())
            self._backend = weakref.ref(backend)
        return backend


def make_backend(world: World) -> Backend:
    """The interfaces over one world."""
    domains, lifecycle = TestDomains(world), TestLifecycle(world)
    return Backend(
        "TEST",
        "test:///default",
        From.TEST,
        {
            Node: TestNode(),
            Processors: TestProcessors(),
            Domains: domains,
            Lifecycle: lifecycle,
            Inspection: TestInspection(world.table),
            Statistics: TestStatistics(world),
            SavedState: TestSavedState(world),
            Memory: TestMemory(world),
            Pinning: TestPinning(world),
            ResourceLimits: TestResourceLimits(world),
            DeviceLimits: TestDeviceLimits(world),
            Vcpus: TestVcpus(world),
            Blocks: TestBlocks(world.table),
            Snapshots: TestSnapshots(world),
            Checkpoints: TestCheckpoints(world),
            Input: TestInput(world.table),
            Files: TestFiles(domains, lifecycle),
            Security: TestSecurity(),
            GuestAgent: TestGuestAgent(world.table),
        },
        world.bus,
    )
