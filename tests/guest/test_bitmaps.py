"""What changed since a checkpoint, after all that can happen to a disk and to those who look after it."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import RoostDaemon
from support.guests import domain_xml
from support.peer import virsh, virsh_ok

pytestmark = [pytest.mark.guest, pytest.mark.root]

MIB = 1 << 20
WRITTEN = 64 << 10
NAME = "counted"
OVERLAY = "snapshot-create-as % s1 --disk-only --no-metadata --diskspec vda,file=@/overlay"

#: virsh's words, % the guest and @ the directory of its images; `write` a piece after the one before. Then all the
#: pieces are what has changed since checkpoint c.
SCENES = {
    "copied": "write; blockcopy % vda @/copy --transient-job --wait --pivot --shallow; write; save % @/saved;"
    " restore @/saved; blockcopy % vda @/whole --transient-job --wait --pivot; write",
    "committed": f"write; {OVERLAY}; write; blockcommit % vda --active --shallow --wait --pivot; blockresize % vda 40M;"
    " write; blockcommit % vda --active --wait; write; blockjob % vda --pivot; write",
    "committed below": f"write; {OVERLAY}; checkpoint-create-as % d; write; {OVERLAY}2; checkpoint-delete % d; write;"
    " blockcommit % vda --top @/overlay --base @/top --wait; write; destroy %; start % --paused; write",
    "pulled": f"write; {OVERLAY}; write; blockpull % vda --wait; write",
}


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-utils is not installed")
    with RoostDaemon() as running:
        yield running


@pytest.fixture
def images(daemon: RoostDaemon) -> Iterator[Path]:
    with guest(daemon) as path:
        yield path


@contextlib.contextmanager
def guest(daemon: RoostDaemon) -> Iterator[Path]:
    """A paused guest on a chain of two, with a checkpoint; their directory."""
    path = daemon.root / "images"
    path.mkdir()
    path.chmod(0o777)
    create = ["qemu-img", "create", "-q", "-f", "qcow2"]
    subprocess.run([*create, str(path / "base"), "32M"], check=True)
    subprocess.run([*create, "-b", str(path / "base"), "-F", "qcow2", str(path / "top")], check=True)
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}/top'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    document = path / "guest.xml"
    document.write_text(domain_xml(NAME, memory_mib=32, devices=disk, graphics="", interfaces=""))
    try:
        virsh_ok(daemon.uri, "define", str(document))
        virsh_ok(daemon.uri, "start", NAME, "--paused")
        virsh_ok(daemon.uri, "checkpoint-create-as", NAME, "c")
        yield path
    finally:
        virsh(daemon.uri, "destroy", NAME)
        virsh(daemon.uri, "undefine", NAME, "--checkpoints-metadata")
        shutil.rmtree(path)


def write(daemon: RoostDaemon, place: int) -> None:
    """Write as the guest's disk does."""
    command = f'qemu-io -d /machine/peripheral/virtio-disk0/virtio-backend "write {place} {WRITTEN}"'
    assert "error" not in virsh_ok(daemon.uri, "qemu-monitor-command", NAME, "--hmp", command).lower()


def changed(daemon: RoostDaemon, images: Path) -> list[tuple[int, int]]:
    """(offset, size) of what a pull backup shows as changed since the checkpoint."""
    document = images / "backup.xml"
    document.write_text(
        f"<domainbackup mode='pull'><incremental>c</incremental><server transport='unix' socket='{images}/nbd'/><disks>"
        f"<disk name='vda' type='file'><scratch file='{images}/scratch'/></disk></disks></domainbackup>"
    )
    virsh_ok(daemon.uri, "backup-begin", NAME, str(document))
    bitmap = "x-dirty-bitmap=qemu:dirty-bitmap:backup-vda"
    options = f"driver=nbd,server.type=unix,server.path={images}/nbd,export=vda,{bitmap}"
    said = subprocess.run(
        ["qemu-img", "map", "--output=json", "--image-opts", options], check=True, capture_output=True
    ).stdout
    virsh_ok(daemon.uri, "domjobabort", NAME)
    deadline = time.monotonic() + 60
    while virsh(daemon.uri, "backup-dumpxml", NAME).ok:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return [(each["start"], each["length"]) for each in json.loads(said) if not each["data"]]


@pytest.mark.parametrize("scene", SCENES)
def test_what_changed(daemon: RoostDaemon, images: Path, scene: str) -> None:
    written: list[tuple[int, int]] = []
    for step in SCENES[scene].split("; "):
        if step == "write":
            written.append((len(written) * 2 * MIB, WRITTEN))
            write(daemon, written[-1][0])
        else:
            virsh_ok(daemon.uri, *step.replace("%", NAME).replace("@", str(images)).split())
    assert changed(daemon, images) == written


def test_what_changed_under_three_daemons() -> None:
    with RoostDaemon() as daemon, guest(daemon) as images:
        write(daemon, 0)
        daemon.restart()
        write(daemon, MIB)
        daemon.kill()
        daemon.start()
        write(daemon, 2 * MIB)
        assert changed(daemon, images) == [(0, WRITTEN), (MIB, WRITTEN), (2 * MIB, WRITTEN)]
