"""Control groups and threads that exist only in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from roost.errors import OperationInvalid, SystemCallError
from roost.host.api import Controller, DeviceRule, DeviceSetting, GroupSetting, GroupUsage

_EEXIST = 17
#: What a new group has.
_DEFAULTS: dict[GroupSetting, int | str] = {
    "cpu.shares": 1024,
    "cpu.period": 100000,
    "cpu.quota": -1,
    "cpuset.cpus": "0-3",
    "cpuset.mems": "0",
    "memory.hard_limit": (2**63 - 1) >> 10,
    "memory.soft_limit": (2**63 - 1) >> 10,
    "memory.swap_hard_limit": (2**63 - 1) >> 10,
    "blkio.weight": 100,
}


class FakeControlGroups:
    """See host.api.ControlGroups.

    controllers: those that are to be had. groups: what was set, by path and thread group. members: of each, in order.
    nodes: what is a device, by path. allowed: the devices of each group that is limited to some. refused: what cannot
    be allowed.
    """

    def __init__(self) -> None:
        self.controllers: set[Controller] = {"cpu", "cpuset", "memory", "blkio", "cpuacct", "devices"}
        self.groups: dict[tuple[str, str], dict[GroupSetting, int | str]] = {}
        self.members: dict[tuple[str, str], list[int]] = {}
        self.devices: dict[tuple[str, DeviceSetting, str], int] = {}
        self.nodes: dict[str, tuple[Literal["b", "c"], int, int]] = {}
        self.allowed: dict[str, set[DeviceRule]] = {}
        self.refused: set[DeviceRule] = set()

    def has(self, controller: Controller) -> bool:
        return controller in self.controllers

    def exists(self, path: str) -> bool:
        return (path, "") in self.groups

    def make(self, path: str) -> None:
        if (path, "") in self.groups:
            raise SystemCallError(f"Failed to create controller group {path}: File exists", int1=_EEXIST)
        self.groups[path, ""] = {}

    def make_threads(self, path: str, name: str) -> None:
        self.groups.setdefault((path, name), {})

    def is_populated(self, path: str) -> bool:
        return any(members for (group, _), members in self.members.items() if group == path)

    def remove(self, path: str) -> None:
        for key in [key for key in self.groups if key[0] == path]:
            del self.groups[key]

    def remove_threads(self, path: str, name: str) -> None:
        self.groups.pop((path, name), None)

    def add_process(self, path: str, pid: int, threads: str) -> None:
        self.members.setdefault((path, threads), []).append(pid)

    def add_helper(self, path: str, pid: int, threads: str) -> None:
        self.members.setdefault((path, threads), []).append(pid)

    def add_thread(self, path: str, thread: int, threads: str) -> None:
        self.members.setdefault((path, threads), []).append(thread)

    def get(self, path: str, setting: GroupSetting, threads: str = "") -> int | str:
        self._require(setting)
        return self.groups[path, threads].get(setting, _DEFAULTS[setting])

    def set(self, path: str, setting: GroupSetting, value: int | str, threads: str = "") -> None:
        self._require(setting)
        self.groups[path, threads][setting] = value

    def _require(self, setting: GroupSetting) -> None:
        controller = setting.partition(".")[0]
        if controller not in self.controllers:
            raise OperationInvalid(f"cgroup {controller} controller is not mounted")

    def set_device(self, path: str, setting: DeviceSetting, device: str, value: int) -> None:
        self.devices[path, setting, device] = value

    def device_rules(self, path: str, access: str) -> Sequence[DeviceRule]:
        return [DeviceRule(*self.nodes[path], access)] if path in self.nodes else []

    def limit_devices(self, path: str, rules: Collection[DeviceRule]) -> bool:
        if "devices" not in self.controllers:
            return False
        if self.refused & set(rules):
            raise SystemCallError(f"Unable to allow devices to {path}: Operation not permitted", int1=1)
        self.allowed[path] = set(rules)
        return True

    def usage(self, path: str, threads: str = "") -> GroupUsage:
        return GroupUsage(3_000_000_000, 2_000_000_000, 1_000_000_000, (1_000_000_000, 2_000_000_000))


class FakeThreads:
    """See host.api.Threads. affinities, schedulers: what was set."""

    def __init__(self) -> None:
        self.affinities: dict[int, frozenset[int]] = {}
        self.schedulers: dict[int, tuple[str, int]] = {}

    def of(self, pid: int) -> Sequence[int]:
        return [pid]

    def affinity(self, thread: int) -> frozenset[int]:
        return self.affinities.get(thread, frozenset(range(4)))

    def set_affinity(self, thread: int, cpus: frozenset[int]) -> None:
        self.affinities[thread] = cpus

    def set_scheduler(self, thread: int, policy: str, priority: int) -> None:
        self.schedulers[thread] = (policy, priority)

    def last_cpu(self, thread: int) -> int:
        return 0


class FakeCounters:
    """See host.api.Counters. opened: what was asked for."""

    def __init__(self) -> None:
        self.opened: list[tuple[str, tuple[int, ...]]] = []

    def open(self, event: str, threads: Sequence[int]) -> tuple[int, ...]:
        self.opened.append((event, tuple(threads)))
        return ()

    def read(self, event: str, descriptors: Sequence[int]) -> int:
        return 0


__all__ = ["FakeControlGroups", "FakeCounters", "FakeThreads"]
