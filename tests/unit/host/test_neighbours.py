"""The table of neighbours: netlink's messages, and the kernel's own."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.host.linux import LinuxHost
from roost.host.linux.neighbours import messages, neighbour

REACHABLE, STALE, FAILED = 0x02, 0x04, 0x20
MAC = bytes.fromhex("525400000001")


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def body(family: int, state: int, *attributes: bytes) -> bytes:
    return struct.pack("BxxxiHBB", family, 1, state, 0, 0) + b"".join(attributes)


def framed(kind: int, content: bytes) -> bytes:
    message = struct.pack("IHHII", 16 + len(content), kind, 0, 1, 0) + content
    return message + bytes(-len(message) % 4)


ADDRESS = attribute(1, bytes((192, 0, 2, 7)))


def test_messages_are_cut_where_they_end() -> None:
    assert list(messages(framed(28, b"one") + framed(3, b"") + framed(2, b"four"))) == [
        (28, b"one"),
        (3, b""),
        (2, b"four"),
    ]
    for wrong in (b"short", framed(28, b"")[:-4], struct.pack("IHHII", 4, 28, 0, 1, 0)):
        with pytest.raises(OSError, match="netlink message"):
            list(messages(wrong))


@given(st.binary())
def test_any_datagram_is_messages_or_refused(data: bytes) -> None:
    try:
        found = list(messages(data))
    except OSError:
        return
    assert sum(len(content) + 16 for _, content in found) <= len(data)


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (body(socket.AF_INET, REACHABLE, ADDRESS, attribute(9, b"x"), attribute(2, MAC)), True),
        (body(socket.AF_INET, STALE, attribute(2, MAC), ADDRESS), True),
        (body(socket.AF_INET, 0, attribute(2, MAC), ADDRESS), True),
        (body(socket.AF_INET, FAILED, ADDRESS, attribute(2, MAC)), False),
        (body(socket.AF_INET, REACHABLE, ADDRESS), False),
        (body(socket.AF_INET6, REACHABLE, attribute(1, bytes(16)), attribute(2, MAC)), False),
        (body(socket.AF_INET, REACHABLE, ADDRESS, attribute(2, bytes(20))), False),
        (body(socket.AF_INET, REACHABLE, struct.pack("HH", 0, 1), struct.pack("HH", 60000, 2)), False),
    ],
)
def test_one_neighbour(message: bytes, found: bool) -> None:
    assert list(neighbour(message)) == ([("192.0.2.7", "52:54:00:00:00:01")] if found else [])


@pytest.fixture
def interface() -> Iterator[str]:
    name = f"rn{os.getpid() % 10**9}"
    commands = (
        ("link", "add", name, "type", "veth", "peer", "name", f"{name}p"),
        ("link", "set", name, "up"),
        ("link", "set", f"{name}p", "up"),
        ("neigh", "add", "192.0.2.77", "lladdr", "52:54:00:5e:cc:77", "nud", "reachable", "dev", name),
    )
    try:
        for words in commands:
            if subprocess.run(["ip", *words], capture_output=True, check=False).returncode:
                pytest.skip("no interfaces can be made here")
        yield name
    finally:
        subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)


@pytest.mark.root
def test_the_kernels_table(interface: str) -> None:
    assert ("192.0.2.77", "52:54:00:5e:cc:77") in LinuxHost(None).network.neighbours()
