"""Counters of the host's processors and kernel, kept for single threads: perf_event_open(2)."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from roost.errors import ArgumentUnsupported
from roost.host.linux.system import system_error

#: The number of the system call, which the C library has no function for.
_CALLS = {"x86_64": 298, "aarch64": 241, "riscv64": 241, "loongarch64": 241, "ppc64le": 319, "ppc64": 319, "s390x": 331}
_HARDWARE, _SOFTWARE = 0, 1
#: By name: (type, number), as the kernel has them.
_EVENTS = {
    "cpu_cycles": (_HARDWARE, 0),
    "instructions": (_HARDWARE, 1),
    "cache_references": (_HARDWARE, 2),
    "cache_misses": (_HARDWARE, 3),
    "branch_instructions": (_HARDWARE, 4),
    "branch_misses": (_HARDWARE, 5),
    "bus_cycles": (_HARDWARE, 6),
    "stalled_cycles_frontend": (_HARDWARE, 7),
    "stalled_cycles_backend": (_HARDWARE, 8),
    "ref_cpu_cycles": (_HARDWARE, 9),
    "cpu_clock": (_SOFTWARE, 0),
    "task_clock": (_SOFTWARE, 1),
    "page_faults": (_SOFTWARE, 2),
    "context_switches": (_SOFTWARE, 3),
    "cpu_migrations": (_SOFTWARE, 4),
    "page_faults_min": (_SOFTWARE, 5),
    "page_faults_maj": (_SOFTWARE, 6),
    "alignment_faults": (_SOFTWARE, 7),
    "emulation_faults": (_SOFTWARE, 8),
}
#: Those that the processor's monitoring of caches tells, and their numbers among its events.
_RESCTRL = {"cmt": 1, "mbmt": 2, "mbml": 3}
_RESCTRL_TYPE = Path("/sys/devices/intel_cqm/type")
_CMT_SCALE = Path("/sys/devices/intel_cqm/events/llc_occupancy.scale")
_SIZE, _FLAGS_AT = 128, 40
_INHERIT = 1 << 1


class LinuxCounters:
    """See host.api.Counters."""

    def open(self, event: str, threads: Sequence[int]) -> tuple[int, ...]:
        kind, number = self._event(event)
        call = _CALLS.get(os.uname().machine)
        opened: list[int] = []
        try:
            if call is None:
                raise OSError(38, os.strerror(38))
            opened.extend(_open(call, kind, number, thread) for thread in threads)
        except OSError as error:
            for descriptor in opened:
                os.close(descriptor)
            text = f"unable to open host cpu perf event for {event}"
            raise system_error(text, error, "virtual machines often lack the counters of the processor") from error
        return tuple(opened)

    def _event(self, event: str) -> tuple[int, int]:
        if event not in _RESCTRL:
            return _EVENTS[event]
        try:
            return int(_RESCTRL_TYPE.read_text()), _RESCTRL[event]
        except OSError as error:
            text = f"unable to enable host cpu perf event for {event}"
            raise ArgumentUnsupported(text, hint="this processor or kernel does not monitor its caches") from error

    def read(self, event: str, descriptors: Sequence[int]) -> int:
        total = sum(int.from_bytes(os.read(descriptor, 8), sys.byteorder) for descriptor in descriptors)
        return total * int(_CMT_SCALE.read_text()) if event == "cmt" else total


def _open(call: int, kind: int, number: int, thread: int) -> int:
    """A counter that runs. Raises OSError."""
    attributes = bytearray(_SIZE)
    struct.pack_into("IIQ", attributes, 0, kind, _SIZE, number)
    struct.pack_into("Q", attributes, _FLAGS_AT, _INHERIT)
    library = ctypes.CDLL(None, use_errno=True)
    buffer = (ctypes.c_char * _SIZE).from_buffer(attributes)
    descriptor: int = library.syscall(
        ctypes.c_long(call), buffer, ctypes.c_int(thread), ctypes.c_int(-1), ctypes.c_int(-1), ctypes.c_ulong(8)
    )
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    return descriptor


__all__ = ["LinuxCounters"]
