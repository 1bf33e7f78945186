"""The test guest itself, under QEMU without any daemon."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from guests.build import build
from support.console import Console
from support.guests import READY, guest_images

pytestmark = pytest.mark.guest


@pytest.fixture
def machine() -> Iterator[subprocess.Popen[bytes]]:
    images = guest_images()
    command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "128", "-display", "none", "-nodefaults", "-no-user-config"]
    command += ["-kernel", str(images.kernel), "-initrd", str(images.initrd)]
    command += ["-append", "console=ttyS0 quiet roost.say=hello", "-serial", "stdio", "-monitor", "none"]
    command += ["-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n,mac=52:54:00:01:02:03"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_boots_answers_and_ends(machine: subprocess.Popen[bytes]) -> None:
    assert machine.stdin is not None
    assert machine.stdout is not None
    console = Console(machine.stdout.fileno(), machine.stdin.fileno())
    assert "roost-guest: hello" in console.wait_for(READY)
    console.ask("echo one two", "one two")
    console.ask("cpus", "1")
    assert "eth0 mac=52:54:00:01:02:03" in console.ask("net", "net: end")
    console.ask("sh exit 3", "sh: exit 3")
    console.ask("poweroff", "roost-guest: poweroff")
    assert machine.wait(60) == 0


def test_is_made_once() -> None:
    images = guest_images()
    made = images.kernel.stat()
    assert build() == images.dir
    assert images.kernel.stat().st_ino == made.st_ino


def test_unprivileged_qemu_can_read_it() -> None:
    images = guest_images()
    for path in (images.kernel, images.initrd):
        assert path.stat().st_mode & 0o004
    above: list[Path] = [images.dir, *images.dir.parents]
    assert all(path.stat().st_mode & 0o001 for path in above)
