"""Daemons that die in the middle of what they do to a disk: the next one finishes it, or takes it back."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roost.constants import blocks as B
from roost.constants import domain_events as E
from support.daemon import RoostDaemon
from support.guests import domain_xml
from support.peer import virsh, virsh_ok
from support.world import World

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
    if shutil.which("qemu-img") is None or shutil.which("qemu-io") is None:
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


def interrupted(root: RoostDaemon) -> list[str]:
    return [line for line in virsh_ok(root.uri, "dominfo", NAME).split("\n") if "interrupted:" in line]


def concluded_alone(root: RoostDaemon, images: Path, words: str) -> None:
    """Have a job end while no daemon runs."""
    virsh_ok(root.uri, "destroy", NAME)
    subprocess.run(["qemu-io", "-c", "write -P 1 0 6M", str(images / "base")], check=True, stdout=subprocess.DEVNULL)
    virsh_ok(root.uri, "start", NAME, "--paused")
    assert asked(root, images, f"{words} --bandwidth 4")
    root.kill()
    (status,) = (root.root / "run" / "qemu").glob(f"{NAME}.json")
    path = json.loads(status.read_bytes())["driver"]["monitor"]
    with socket.socket(socket.AF_UNIX) as link, link.makefile("rw") as lines:
        link.connect(path)

        def ask(command: str) -> list[dict[str, object]]:
            lines.write(json.dumps({"execute": command}) + "\n")
            lines.flush()
            while "return" not in (answer := json.loads(lines.readline())):
                assert "error" not in answer
            found: list[dict[str, object]] = answer["return"]
            return found

        # What has happened meanwhile may come first.
        while "QMP" not in json.loads(lines.readline()):
            pass
        ask("qmp_capabilities")
        until(lambda: [job["status"] for job in ask("query-jobs")] == ["concluded"])


def test_a_job_that_ends_alone_has_its_events(root: RoostDaemon, images: Path) -> None:
    """libvirt gives them too, to whom it finds connected by then; nothing was interrupted."""
    concluded_alone(root, images, "blockpull % vda")

    async def scenario() -> None:
        world = World(root.root)
        await world.start()
        try:
            assert (E.ID_BLOCK_JOB, str(images / "top"), B.JOB_TYPE_PULL, B.JOB_COMPLETED) in world.events
            assert (E.ID_BLOCK_JOB_2, "vda", B.JOB_TYPE_PULL, B.JOB_COMPLETED) in world.events
        finally:
            await world.driver.stop()

    asyncio.run(scenario())
    root.start()
    assert chain(root) == ["top"]
    assert interrupted(root) == []


def test_a_copy_that_fails_alone_is_told_of(root: RoostDaemon, images: Path) -> None:
    """Its file stays, as libvirt's does."""
    small = images / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "none", str(small)], check=True)
    try:
        concluded_alone(root, images, "blockcopy % vda @/small/copy --transient-job")
        root.start()
        (message,) = interrupted(root)
        told = f"the copy of disk vda failed while no daemon ran: No space left on device; {small}/copy stays"
        assert told in message
        what = virsh_ok(root.uri, "domjobinfo", NAME, "--completed", "--anystats")
        assert "Failed" in what
        assert told in what
        assert chain(root) == ["top", "base"]
        # One that succeeds ends it.
        assert asked(root, images, "blockpull % vda --wait")
        assert len(interrupted(root)) == 1
        assert asked(root, images, "blockcopy % vda @/copy --transient-job --wait --finish")
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)


#: What is asked for, the command to QEMU that the daemon dies before, and what is told of it.
TOLD = [
    ("blockcommit % vda --active", "block-commit", "the active-commit of disk vda had begun: there is none"),
    (COPY, "blockdev-mirror", "before the copy of disk vda had begun: there is none (@/copy removed)"),
    (PULL, "block-export-add", "before the backup had begun: it is ended, what was made for it is removed"),
    ("snapshot-create-as % s --disk-only --diskspec vda,file=@/over", "transaction", "there is none (@/over removed)"),
]


def test_what_was_not_begun_is_told(root: RoostDaemon, images: Path) -> None:
    """Each with its own kind of work, until that succeeds."""
    for number, (words, command, told) in enumerate(TOLD, 1):
        dies(root, images, words, command)
        told = told.replace("@", str(images))
        messages = interrupted(root)
        assert len(messages) == number
        assert told in messages[-1]
        what = virsh_ok(root.uri, "domjobinfo", NAME, "--completed", "--anystats")
        assert told in what
        assert what.startswith("Job type:         Failed")
    virsh_ok(root.uri, "checkpoint-delete", NAME, "c")
    assert asked(root, images, PULL)
    virsh_ok(root.uri, "domjobabort", NAME)
    until(lambda: len(interrupted(root)) == 3)
    assert asked(root, images, TOLD[-1][0])
    assert asked(root, images, COPY)
    until(lambda: len(interrupted(root)) == 1)
    virsh_ok(root.uri, "destroy", NAME)
    virsh_ok(root.uri, "snapshot-delete", NAME, "s", "--metadata")
    virsh_ok(root.uri, "start", NAME, "--paused")
    assert interrupted(root) == []
