"""Daemons that die in the middle of what they do to a disk: the next one finishes it, or takes it back."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.daemon import RoostDaemon
from support.guests import domain_xml
from support.peer import virsh, virsh_ok

pytestmark = [pytest.mark.guest, pytest.mark.root]

DYING = Path(__file__).parents[1] / "support" / "dying"
NAME = "orphan"

COPY = "blockcopy % vda @/copy --transient-job --wait --pivot"
PUSH, PULL = "backup-begin % @/push.xml", "backup-begin % @/pull.xml @/checkpoint.xml"

#: What a client asks for, and the command to QEMU that the daemon dies before; what is asked for is undone.
UNDONE = [
    (COPY, "blockdev-create"),
    (COPY, "blockdev-mirror"),
    ("blockcommit % vda --active --wait --pivot", "block-commit"),
    (PUSH, "transaction"),
    (PULL, "transaction"),
    (PULL, "block-export-add"),
]
#: The same, of what is done all the same: files of the chain after that.
DONE = [
    (COPY, "job-complete", ["copy"]),
    ("blockcommit % vda --active --wait --pivot", "job-dismiss", ["base"]),
    ("blockpull % vda --wait", "job-dismiss", ["top"]),
]


@pytest.fixture(scope="module")
def root() -> Iterator[RoostDaemon]:
    """One that does not run: it has the directory, and ends what is left there."""
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-utils is not installed")
    with RoostDaemon() as daemon:
        daemon.stop()
        yield daemon


@pytest.fixture
def images(root: RoostDaemon) -> Iterator[Path]:
    """A running daemon with a paused guest on a chain of two images: their directory."""
    path = root.root / "images"
    path.mkdir()
    path.chmod(0o777)
    create = ["qemu-img", "create", "-q", "-f", "qcow2"]
    subprocess.run([*create, str(path / "base"), "8M"], check=True)
    subprocess.run([*create, "-b", str(path / "base"), "-F", "qcow2", str(path / "top")], check=True)
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{path}/top'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    (path / "guest.xml").write_text(domain_xml(NAME, memory_mib=32, devices=disk, graphics="", interfaces=""))
    part = "<disks><disk name='vda' type='file'>"
    server = f"<server transport='unix' socket='{path}/nbd'/>"
    (path / "push.xml").write_text(f"<domainbackup>{part}<target file='{path}/made'/></disk></disks></domainbackup>")
    (path / "pull.xml").write_text(
        f"<domainbackup mode='pull'>{server}{part}<scratch file='{path}/made'/></disk></disks></domainbackup>"
    )
    (path / "checkpoint.xml").write_text("<domaincheckpoint><name>c</name></domaincheckpoint>")
    root.start()
    try:
        virsh_ok(root.uri, "define", str(path / "guest.xml"))
        virsh_ok(root.uri, "start", NAME, "--paused")
        yield path
    finally:
        virsh(root.uri, "destroy", NAME)
        virsh(root.uri, "undefine", NAME, "--checkpoints-metadata")
        root.stop()
        shutil.rmtree(path)


def asked(root: RoostDaemon, images: Path, words: str) -> bool:
    return virsh(root.uri, *words.replace("%", NAME).replace("@", str(images)).split()).ok


def dies(root: RoostDaemon, images: Path, words: str, command: str) -> None:
    """Have a daemon die of it, and another one come back."""
    root.stop()
    mortal = RoostDaemon(root.root, environment={"PYTHONPATH": str(DYING), "ROOST_DIES_AT": command})
    mortal.start()
    asked(mortal, images, words)
    until(lambda: not mortal.is_running)
    root.start()
    until(lambda: not jobs(root))


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def monitor(root: RoostDaemon, command: str) -> list[dict[str, object]]:
    answer = virsh_ok(root.uri, "qemu-monitor-command", NAME, command)
    found: list[dict[str, object]] = json.loads(answer)["return"]
    return found


def jobs(root: RoostDaemon) -> list[dict[str, object]]:
    return monitor(root, '{"execute":"query-jobs"}')


def chain(root: RoostDaemon) -> list[str]:
    """The files of the disk; QEMU has these open and no other."""
    found = re.search(r"<disk .*?</disk>", virsh_ok(root.uri, "dumpxml", NAME), re.DOTALL)
    assert found is not None
    text = found[0]
    assert "<mirror" not in text
    command = '{"execute":"query-named-block-nodes","arguments":{"flat":true}}'
    nodes = {str(node["node-name"]) for node in monitor(root, command)}
    numbers = re.findall(r"index='(\d+)'", text)
    assert nodes == {f"libvirt-{number}-{kind}" for number in numbers for kind in ("format", "storage")}
    return [Path(path).name for path in re.findall(r"<source file='([^']*)'", text)]


def test_what_nobody_was_told_of_is_undone(root: RoostDaemon, images: Path) -> None:
    owner = (images / "top").stat().st_uid
    for words, command in UNDONE:
        dies(root, images, words, command)
        assert chain(root) == ["top", "base"], (words, command)
        assert "no domain backup job present" in virsh(root.uri, "backup-dumpxml", NAME).stderr
        assert not {"copy", "made", "nbd"} & {path.name for path in images.iterdir()}, (words, command)
        assert {path.stat().st_uid for path in images.iterdir()} <= {0, owner}
    # Nothing is in the way of the next ones.
    virsh_ok(root.uri, "checkpoint-delete", NAME, "c")
    assert asked(root, images, PULL)
    virsh_ok(root.uri, "domjobabort", NAME)
    until(lambda: not jobs(root))
    assert asked(root, images, COPY)


@pytest.mark.parametrize(("words", "command", "files"), DONE)
def test_what_is_done_is_known(root: RoostDaemon, images: Path, words: str, command: str, files: list[str]) -> None:
    dies(root, images, words, command)
    assert chain(root) == files
    assert asked(root, images, "blockcopy % vda @/another --transient-job --wait --pivot")
    assert chain(root) == ["another"]
