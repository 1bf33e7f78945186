"""Counters of interfaces, beside what the kernel shows in a file."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from roost.host.linux import counters


def shown(name: str) -> list[int]:
    line = next(line for line in Path("/proc/net/dev").read_text().splitlines() if line.strip().startswith(f"{name}:"))
    fields = [int(field) for field in line.partition(":")[2].split()]
    return fields[:4] + fields[8:12]


def test_as_the_kernel_shows_them() -> None:
    before, found, after = shown("lo"), counters.read("lo"), shown("lo")
    assert all(low <= value <= high for low, value, high in zip(before, found, after, strict=True))


def test_packets_without_room_are_drops() -> None:
    numbers = struct.pack("=16Q", *range(1, 17))
    answer = struct.pack("=IHHII", 16 + 12 + 4 + 128, 92, 0, 1, 0) + bytes(12)
    other = struct.pack("=HH", 7, 9) + b"abc\0"
    assert counters.parse(answer + other + struct.pack("=HH", 132, 1) + numbers) == (3, 1, 5, 7 + 16, 4, 2, 6, 8)


def test_an_interface_that_is_not_there() -> None:
    with pytest.raises(OSError, match="No such device"):
        counters.read("no-such-dev0")


def test_an_answer_without_counters() -> None:
    with pytest.raises(OSError, match="counts nothing"):
        counters.parse(struct.pack("=IHHII", 28, 92, 0, 1, 0) + bytes(12))
    with pytest.raises(OSError, match="Operation not permitted"):
        counters.parse(struct.pack("=IHHIIi", 20, 2, 0, 1, 0, -1))
