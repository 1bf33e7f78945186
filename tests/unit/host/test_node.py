"""Facts about the host, against what the kernel says elsewhere."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from roost.errors import InvalidArg
from roost.host.linux.node import LinuxNode, parse_ranges


@pytest.mark.parametrize(
    ("text", "numbers"), [("", []), ("0", [0]), ("0-3", [0, 1, 2, 3]), ("0-1,4,6-7\n", [0, 1, 4, 6, 7])]
)
def test_ranges(text: str, numbers: list[int]) -> None:
    assert parse_ranges(text) == numbers


@pytest.fixture
def node() -> Iterator[LinuxNode]:
    made = LinuxNode()
    yield made
    made.close()


def test_the_host(node: LinuxNode) -> None:
    info = node.info()
    assert info.cpus == os.sysconf("SC_NPROCESSORS_ONLN")
    assert info.cpus <= info.nodes * info.sockets * info.cores * info.threads
    assert info.model == os.uname().machine
    assert node.memory()["MemTotal"] == info.memory
    assert len(node.cells_memory()) == info.nodes
    assert len(node.topology()) == info.cpus
    assert node.kernel() == os.uname().release
    assert uuid.UUID(node.uuid())
    assert node.uuid() == LinuxNode().uuid()
    assert uuid.UUID(node.boot_id())
    assert node.hostname()


def test_cpus(node: LinuxNode) -> None:
    bitmap, online, present = node.cpu_map()
    assert online == sum(byte.bit_count() for byte in bitmap)
    assert online <= present <= 8 * len(bitmap)
    assert node.cpu_times(-1)["user"] >= node.cpu_times(0)["user"] // 2
    with pytest.raises(InvalidArg, match="Invalid cpuNum"):
        node.cpu_times(99999)
    assert node.cpu_identity()
