"""A host that exists only in memory, for unit tests of drivers."""

from __future__ import annotations

import errno
import os
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from roost.contract.node import NodeInfo
from roost.errors import From, SystemCallError
from roost.host.api import (
    CellFacts,
    Command,
    HostCache,
    HostControl,
    HostMonitor,
    Owner,
    ProcessUsage,
    Rate,
    SwitchPort,
    Tap,
    ThreadUsage,
    Topology,
)
from roost.host.fake.groups import FakeControlGroups, FakeCounters, FakeThreads
from roost.host.fake.resctrl import FakeResourceControl


class FakeProcess:
    """See host.api.Process. `end` makes it exit. refuses_more: it may not lock more memory than it may."""

    def __init__(self, pid: int, command: Command | None = None) -> None:
        self.pid = pid
        self.started = pid * 100
        self.command = command
        self.exited = False
        self.returncode: int | None = None
        self.signals: list[int] = []
        self.locked = 8 << 20
        self.refuses_more = False
        self._callbacks: list[Callable[[], None]] = []

    def signal(self, number: int) -> None:
        self.signals.append(number)

    def terminate(self, grace: float) -> None:
        self.signals.append(signal.SIGTERM)

    async def wait(self) -> int | None:
        return self.returncode

    def on_exit(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def end(self, returncode: int = 0) -> None:
        self.exited, self.returncode = True, returncode
        for callback in self._callbacks:
            callback()
        self._callbacks.clear()

    def usage(self) -> ProcessUsage | None:
        return None if self.exited else ProcessUsage(2_000_000_000, 1_000_000_000, 4096)

    def threads(self, numbers: Sequence[int]) -> Sequence[ThreadUsage]:
        return [ThreadUsage(number, 3_000_000_000, 0, 0) for number in numbers]

    def lockable(self) -> int | None:
        return None if self.exited else self.locked

    def set_lockable(self, size: int) -> None:
        if self.refuses_more and (size < 0 or size > self.locked):
            raise SystemCallError("cannot limit locked memory", domain=From.NONE, int1=errno.EPERM)
        self.locked = size

    def release(self) -> None:
        self._callbacks.clear()


class FakeProcesses:
    """See host.api.Processes. spawned: every process, in order."""

    def __init__(self) -> None:
        self.spawned: list[FakeProcess] = []

    async def start(self, command: Command) -> FakeProcess:
        process = FakeProcess(1000 + len(self.spawned), command)
        self.spawned.append(process)
        return process

    def find(self, path: Path) -> FakeProcess | None:
        for process in self.spawned:
            words = process.command.argv if process.command is not None else ()
            if not process.exited and any(str(path) in word for word in words):
                return process
        return None

    def attach(self, pid: int, started: int) -> FakeProcess | None:
        for process in self.spawned:
            if (process.pid, process.started) == (pid, started) and not process.exited:
                return process
        return None


class FakeOwnership:
    """See host.api.Ownership. held: the paths taken, as often as they were."""

    def __init__(self) -> None:
        self.held: list[str] = []

    def check(self, path: str, *, write: bool) -> None:
        """Every path is reachable."""

    def owner(self, path: str) -> Owner | None:
        return Owner(path, 0, 0)

    def take(self, owner: Owner) -> None:
        self.held.append(owner.path)

    def adopt(self, owner: Owner) -> None:
        self.held.append(owner.path)

    def forget(self, owner: Owner) -> None:
        self.held.remove(owner.path)

    def restore(self, owner: Owner) -> None:
        self.held.remove(owner.path)

    def directory(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)


class FakeNetwork:
    """See host.api.Network. Taps are socket pairs' ends, sockets are real."""

    def __init__(self) -> None:
        self.ports: set[int] = set()
        self.taps: list[Tap] = []
        #: What was done beside making taps, in order.
        self.done: list[tuple[object, ...]] = []
        self._peers: list[socket.socket] = []

    def tap(
        self,
        name: str,
        *,
        mac: str,
        bridge: str | None,
        mtu: int | None = None,
        queues: int = 0,
        headers: bool = True,
        managed: bool = True,
        device: str = "/dev/net/tun",
    ) -> Tap:
        ours, theirs = socket.socketpair()
        self._peers.append(theirs)
        made = Tap(name or f"vnet{len(self.taps)}", (ours.detach(),))
        self.taps.append(made)
        return made

    def macvtap(
        self,
        name: str,
        *,
        mac: str,
        link: str,
        mode: str,
        mtu: int | None = None,
        queues: int = 0,
        headers: bool = True,
    ) -> Tap:
        self.done.append(("macvtap", name, link, mode))
        return self.tap(name, mac=mac, bridge=None)

    def remove_macvtap(self, name: str, mac: str) -> None:
        self.done.append(("remove_macvtap", name))

    def free_name(self, prefix: str) -> str:
        return f"{prefix}{len(self.taps)}"

    def address(self, interface: str) -> str:
        return "52:54:00:00:00:99"

    def set_address(self, interface: str, mac: str) -> None:
        self.done.append(("set_address", interface, mac))

    def shape(self, interface: str, *, sent: Rate | None, received: Rate | None) -> None:
        self.done.append(("shape", interface, sent, received))

    def move(self, interface: str, bridge: str) -> None:
        self.done.append(("move", interface, bridge))

    def isolate(self, interface: str) -> None:
        self.done.append(("isolate", interface))

    def coalesce(self, interface: str, packets: int) -> None:
        self.done.append(("coalesce", interface, packets))

    def plug(self, interface: str, bridge: str, port: SwitchPort) -> None:
        self.done.append(("plug", interface, bridge, port))

    def shape_port(self, interface: str, guest: str, *, sent: Rate | None, received: Rate | None) -> None:
        self.done.append(("shape_port", interface, guest, sent, received))

    def unplug(self, interface: str) -> None:
        self.done.append(("unplug", interface))

    def close(self) -> None:
        """Close the far ends of the taps."""
        for peer in self._peers:
            peer.close()

    def counters(self, interface: str) -> tuple[int, int, int, int, int, int, int, int]:
        return 1, 2, 3, 4, 5, 6, 7, 8

    def neighbours(self) -> list[tuple[str, str]]:
        return [("192.0.2.7", "52:54:00:00:00:01")]

    def claim_port(self, first: int, last: int, address: str = "") -> int:
        port = next(port for port in range(first, last + 1) if port not in self.ports)
        self.ports.add(port)
        return port

    def hold_port(self, port: int) -> bool:
        free = port not in self.ports
        self.ports.add(port)
        return free

    def settle_port(self, port: int) -> None:
        """Nothing was bound."""

    def release_port(self, port: int) -> None:
        self.ports.discard(port)

    def vsock(self, cid: int | None) -> tuple[int, int]:
        return os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC), cid or 3

    def listen(self, path: Path) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        return listener


class FakeNode:
    """See host.api.NodeFacts: two CPUs, 4 GiB."""

    def hostname(self) -> str:
        return "fake.example"

    def machine(self) -> str:
        return "x86_64"

    def kernel(self) -> str:
        return "6.0.0-fake"

    def boot_id(self) -> str:
        return "00000000-0000-4000-8000-000000000001"

    def uuid(self) -> str:
        return "00000000-0000-4000-8000-000000000002"

    def smbios(self) -> Mapping[str, Mapping[str, str]]:
        return {"system": {"manufacturer": "Fake"}}

    def info(self) -> NodeInfo:
        return NodeInfo("x86_64", 4 << 20, 2, 2000, 1, 1, 2, 1)

    def topology(self) -> Sequence[Topology]:
        return [Topology(0, 0, 0, 0, "0"), Topology(1, 0, 0, 1, "1")]

    def memory(self) -> Mapping[str, int]:
        return {"MemTotal": 4 << 20, "MemFree": 3 << 20, "Buffers": 16, "Cached": 32, "SReclaimable": 8}

    def cells_memory(self) -> Sequence[Mapping[str, int]]:
        return [self.memory()]

    def cpu_times(self, cpu: int) -> Mapping[str, int]:
        return dict.fromkeys(("user", "nice", "system", "idle", "iowait", "irq", "softirq"), 1_000_000_000)

    def cpu_map(self) -> tuple[bytes, int, int]:
        return b"\x03", 2, 2

    def cpu_identity(self) -> Mapping[str, str]:
        return {"vendor_id": "FakeVendor", "cpu family": "6", "model": "1", "stepping": "1"}


class FakeHardware:
    """See host.api.Hardware: one cell, no CPUID, nothing special.

    shares, bandwidth, monitoring: what resctrl has to give and to tell.
    """

    def __init__(self) -> None:
        self.shares: tuple[HostControl, ...] = ()
        self.bandwidth: HostControl | None = None
        self.monitoring: HostMonitor | None = None

    def cpuid(self) -> Mapping[tuple[int, int, str], int]:
        return {}

    def placement(self, vcpus: int, memory: int) -> frozenset[int]:
        return frozenset((0,))

    def cells(self) -> Sequence[CellFacts]:
        return [CellFacts(0, 4 << 20, ((4, 1 << 20),), ((0, 10),), (0, 1))]

    def page_sizes(self) -> Sequence[int]:
        return (4,)

    def page_mounts(self) -> Mapping[int, str]:
        return {}

    def default_huge_page(self) -> int:
        return 0

    def caches(self) -> Sequence[HostCache]:
        return [HostCache(0, 3, "both", 8192, "0-1")]

    def has_iommu(self) -> bool:
        return False

    def kvm_max_vcpus(self) -> int:
        return 0

    def tsc(self) -> tuple[int, bool] | None:
        return None

    def sleep_states(self) -> Sequence[str]:
        return ()

    def cache_controls(self, cache: HostCache) -> Sequence[HostControl]:
        return self.shares

    def bandwidth_control(self) -> HostControl | None:
        return self.bandwidth

    def monitor(self) -> HostMonitor | None:
        return self.monitoring


class FakeHost:
    """See host.api.Host."""

    def __init__(self) -> None:
        self.processes = FakeProcesses()
        self.ownership = FakeOwnership()
        self.network = FakeNetwork()
        self.node = FakeNode()
        self.hardware = FakeHardware()
        self.groups = FakeControlGroups()
        self.resource_control = FakeResourceControl()
        self.threads = FakeThreads()
        self.counters = FakeCounters()
