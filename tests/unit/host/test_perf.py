"""Counters of the host's: those of the kernel are there on every machine."""

from __future__ import annotations

import mmap
import os

import pytest

from roost.errors import ArgumentUnsupported, RoostError
from roost.host.linux.perf import LinuxCounters


@pytest.mark.root
def test_what_the_kernel_counts() -> None:
    counters = LinuxCounters()
    try:
        opened = counters.open("page_faults", [os.getpid()])
    except RoostError as error:
        pytest.skip(f"nothing is counted here: {error}")
    try:
        before = counters.read("page_faults", opened)
        # Memory that the interpreter cannot have had before.
        with mmap.mmap(-1, 1 << 22) as fresh:
            fresh.write(b"x" * len(fresh))
        assert counters.read("page_faults", opened) > before
    finally:
        for descriptor in opened:
            os.close(descriptor)


def test_what_is_not_counted_here() -> None:
    if not os.path.exists("/sys/devices/intel_cqm"):
        with pytest.raises(ArgumentUnsupported, match="unable to enable host cpu perf event for mbmt"):
            LinuxCounters().open("mbmt", [os.getpid()])
    with pytest.raises(RoostError, match="unable to open host cpu perf event for cpu_clock: No such process"):
        LinuxCounters().open("cpu_clock", [2**22 + 1])
