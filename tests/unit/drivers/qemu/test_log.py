"""A guest's log, and what is made of QEMU's last words."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.drivers.qemu.log import GuestLog, hint_for
from roost.host.fake import FakeNode


@pytest.fixture
def log(tmp_path: Path) -> Iterator[GuestLog]:
    made = GuestLog(tmp_path / "qemu" / "g.log")
    yield made
    made.close()


def test_the_header_has_one_option_a_line(log: GuestLog) -> None:
    log.header(["/usr/bin/qemu", "-S", "-m", "64", "-object", '{"a":1}'], {"LC_ALL": "C"}, "7.2", FakeNode())
    lines = log.path.read_text().splitlines()
    assert ": starting up roost version: " in lines[0]
    assert "qemu version: 7.2, kernel: 6.0.0-fake, hostname: fake.example" in lines[0]
    assert lines[1:] == ["LC_ALL=C \\", "/usr/bin/qemu \\", "-S \\", "-m 64 \\", "-object '{\"a\":1}'"]


def test_the_words_are_what_came_after_the_header(log: GuestLog) -> None:
    log.write("an earlier guest's words\n")
    log.header(["/usr/bin/qemu"], {}, "7.2", FakeNode())
    assert log.words() == ""
    log.taint(1, "custom-argv")
    os.write(log.descriptor, b"char device redirected to /dev/pts/0 (label charserial0)\nqemu: it failed\n")
    assert log.words() == "qemu: it failed"
    os.write(log.descriptor, b"x" * 100_000)
    assert len(log.words()) <= 2048


def test_the_end(log: GuestLog) -> None:
    log.end("destroyed")
    assert log.path.read_text().endswith(": shutting down, reason=destroyed\n")
    log.close()
    log.close()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ('Failed to get "write" lock\nIs another process using the image [/a]?', "another process has this image open"),
        ("-vnc :1: Failed to find an available port: Address already in use", "another program listens there"),
        ("Could not open '/a': Permission denied", "may not open it"),
        ("Could not open '/a': No such file or directory", "does not exist on this host"),
        ("Image is not in qcow2 format", "the image's real format"),
        ("Could not access KVM kernel module: Permission denied", "KVM cannot be used here"),
        ("something else", ""),
    ],
)
def test_hints(words: str, hint: str) -> None:
    assert hint in hint_for(words)
    assert bool(hint) == bool(hint_for(words))
