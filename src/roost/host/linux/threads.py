"""Single threads: which CPUs they run on, and how they are scheduled."""

from __future__ import annotations

import os
from collections.abc import Sequence

from roost.host.linux.system import system_error

_POLICIES = {"batch": os.SCHED_BATCH, "idle": os.SCHED_IDLE, "fifo": os.SCHED_FIFO, "rr": os.SCHED_RR}
#: The place of the CPU among the fields of /proc/PID/stat from the third on.
_PROCESSOR = 36


class LinuxThreads:
    """See host.api.Threads."""

    def of(self, pid: int) -> Sequence[int]:
        try:
            return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
        except FileNotFoundError:
            return ()

    def affinity(self, thread: int) -> frozenset[int]:
        try:
            return frozenset(os.sched_getaffinity(thread))
        except OSError as error:
            raise system_error(f"cannot get CPU affinity of process {thread}", error) from error

    def set_affinity(self, thread: int, cpus: frozenset[int]) -> None:
        try:
            os.sched_setaffinity(thread, cpus)
        except OSError as error:
            raise system_error(f"cannot set CPU affinity on process {thread}", error) from error

    def set_scheduler(self, thread: int, policy: str, priority: int) -> None:
        try:
            os.sched_setscheduler(thread, _POLICIES[policy], os.sched_param(priority))
        except OSError as error:
            text = f"Cannot set scheduler parameters for pid {thread}"
            raise system_error(text, error, "real-time scheduling may need cpu.rt_runtime_us of the group") from error

    def last_cpu(self, thread: int) -> int:
        try:
            with open(f"/proc/{thread}/stat", "rb", buffering=0) as file:
                data = file.read(4096)
        except OSError:
            return -1
        return int(data[data.rindex(b")") + 2 :].split()[_PROCESSOR])


__all__ = ["LinuxThreads"]
