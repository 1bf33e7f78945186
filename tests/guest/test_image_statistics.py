"""domstats of images that change between two looks, of which QEMU is asked as little as can be."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import RoostDaemon
from support.guests import domain_xml
from support.peer import virsh, virsh_ok

pytestmark = [pytest.mark.guest, pytest.mark.root]


@pytest.fixture
def daemon() -> Iterator[RoostDaemon]:
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-utils is not installed")
    with RoostDaemon() as running:
        yield running


@pytest.fixture
def image(daemon: RoostDaemon) -> Iterator[Path]:
    """The disk `vda` of the paused guest `g`."""
    path = daemon.root / "image"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "8M"], check=True)
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    document = daemon.root / "g.xml"
    document.write_text(domain_xml("g", devices=disk, graphics="", interfaces=""))
    virsh_ok(daemon.uri, "create", str(document), "--paused")
    yield path
    virsh(daemon.uri, "destroy", "g")


def sizes(daemon: RoostDaemon) -> dict[str, str]:
    """Of the disk's image, as two looks agree on."""

    def look() -> dict[str, str]:
        told = virsh_ok(daemon.uri, "domstats", "--block", "--raw", "g")
        lines = dict(line.strip().split("=", 1) for line in told.splitlines() if "block.0." in line)
        names = ("capacity", "physical", "allocation", "threshold", "path")
        return {name: lines[f"block.0.{name}"] for name in names if f"block.0.{name}" in lines}

    first = look()
    assert look() == first
    return first


def allocated(path: Path) -> str:
    return str(path.stat().st_blocks * 512)


def test_sizes_follow_every_change(daemon: RoostDaemon, image: Path, tmp_path: Path) -> None:
    before = sizes(daemon)
    assert before == {
        "capacity": str(8 << 20),
        "physical": allocated(image),
        "allocation": before["allocation"],
        "path": str(image),
    }
    virsh_ok(daemon.uri, "blockresize", "g", "vda", "16M")
    assert sizes(daemon)["capacity"] == str(16 << 20)
    # As a guest that writes makes it grow.
    with image.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(b"x" * (1 << 20))
        os.fsync(file.fileno())
    assert int(sizes(daemon)["physical"]) == int(allocated(image)) > int(before["physical"])
    virsh_ok(daemon.uri, "domblkthreshold", "g", "vda", "4096")
    assert sizes(daemon)["threshold"] == "4096"
    virsh_ok(daemon.uri, "domblkthreshold", "g", "vda", "0")
    assert "threshold" not in sizes(daemon)
    virsh_ok(daemon.uri, "snapshot-create-as", "g", "s", "--disk-only", "--no-metadata")
    top = sizes(daemon)
    assert (top["capacity"], top["physical"]) == (str(16 << 20), allocated(Path(top["path"])))
    assert top["path"] != str(image)


def test_a_monitor_command_changes_an_image(daemon: RoostDaemon, image: Path) -> None:
    assert sizes(daemon)["capacity"] == str(8 << 20)
    resize = '{"execute":"block_resize","arguments":{"node-name":"libvirt-1-format","size":33554432}}'
    virsh_ok(daemon.uri, "qemu-monitor-command", "g", resize)
    assert sizes(daemon)["capacity"] == str(32 << 20)
