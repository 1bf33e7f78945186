"""Snapshots that the daemon, QEMU or the disk does not live through."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from support import mortal
from support.daemon import RoostDaemon, read_up_to
from support.peer import virsh, virsh_ok

pytestmark = [pytest.mark.guest, pytest.mark.root]

DOCUMENT = """<domain type='qemu'><name>cut</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='{}/a.qcow2'/><target dev='vda' bus='virtio'/></disk>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='{}/b.qcow2'/><target dev='vdb' bus='virtio'/></disk>
</devices></domain>"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        made(running, running.root, tmp_path)
        yield running


def made(daemon: RoostDaemon, images: Path, scratch: Path) -> None:
    """A running domain `cut` whose images are there."""
    for name in "ab":
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", images / f"{name}.qcow2", "8M"], check=True)
        (images / f"{name}.qcow2").chmod(0o666)
    (scratch / "cut.xml").write_text(DOCUMENT.format(images, images))
    virsh_ok(daemon.uri, "define", str(scratch / "cut.xml"))
    virsh_ok(daemon.uri, "start", "cut")


def listed(daemon: RoostDaemon, *options: str) -> list[str]:
    return virsh_ok(daemon.uri, "snapshot-list", "cut", "--name", *options).split()


def in_image(path: Path) -> list[str]:
    """The internal snapshots that an image has."""
    answer = subprocess.run(["qemu-img", "info", "-U", "--output=json", path], capture_output=True, check=True)
    return [each["name"] for each in msgspec.json.decode(answer.stdout).get("snapshots", ())]


def sources(daemon: RoostDaemon, *options: str) -> list[str]:
    table = virsh_ok(daemon.uri, "domblklist", "cut", *options).splitlines()
    return [line.split()[1] for line in table if line.strip()]


def opened(daemon: RoostDaemon) -> list[str]:
    """What QEMU writes to."""
    answer = virsh_ok(daemon.uri, "qemu-monitor-command", "cut", '{"execute": "query-block"}')
    entries = msgspec.json.decode(answer)["return"]
    return sorted(entry["inserted"]["file"] for entry in entries if "inserted" in entry)


def killed_after(daemon: RoostDaemon, seconds: float, *words: str) -> None:
    """Kill the daemon so long after a command was sent, and start it again."""
    client = threading.Thread(target=virsh, args=(daemon.uri, *words))
    client.start()
    client.join(seconds)
    daemon.kill()
    client.join()
    daemon.start()
    # What is left to do for the guest is done in its turn.
    virsh_ok(daemon.uri, "setmem", "cut", "32M", "--config")


def check(daemon: RoostDaemon, replaced: str = "") -> None:
    """Documents, images and QEMU agree; the guest runs.

    replaced: a snapshot whose own images were gone back from, and are no more.
    """
    assert virsh_ok(daemon.uri, "domstate", "cut").strip() == "running"
    assert opened(daemon) == sources(daemon) == sources(daemon, "--inactive")
    internal = listed(daemon, "--internal")
    assert [in_image(daemon.root / f"{name}.qcow2") for name in "ab"] == [internal, internal]
    used = {Path(path).name for path in sources(daemon)}
    below = {f"{disk}.{name}" for disk in "ab" for name in listed(daemon, "--external") if name != replaced}
    there = {path.name for path in daemon.root.glob("?.*")}
    assert there == {"a.qcow2", "b.qcow2", *used, *below}
    assert not list((daemon.root / "run" / "qemu").glob("*.snapshot"))


def test_a_daemon_killed_while_snapshots_are_taken_and_deleted(daemon: RoostDaemon) -> None:
    for number in range(4):
        killed_after(daemon, 0.004 + 0.012 * number, "snapshot-create-as", "cut", f"i{number}")
        check(daemon)
    for name in listed(daemon)[:1]:
        killed_after(daemon, 0.03, "snapshot-delete", "cut", name)
        check(daemon)
    for number in range(4):
        killed_after(daemon, 0.006 + 0.012 * number, "snapshot-create-as", "cut", f"e{number}", "--disk-only")
        check(daemon)
    virsh_ok(daemon.uri, "snapshot-create-as", "cut", "last", "--disk-only")
    virsh_ok(daemon.uri, "snapshot-delete", "cut", "last")
    check(daemon)


#: What the daemon is killed over, before each file that it writes or removes for it.
LINES = (
    "snapshot-create-as cut i",
    "snapshot-create-as cut e --disk-only",
    "snapshot-create-as cut e --memspec ROOT/memory,snapshot=external",
    "snapshot-revert cut m",
    "snapshot-revert cut d",
    "snapshot-delete cut m",
    "snapshot-delete cut d",
)


def dies_over(root: Path, line: str, step: str, *, told: str = "") -> bool:
    """Whether the daemon comes to that step of the line; all is well after it. told: by the next one."""
    steps = root / "step"
    environment = {mortal.VARIABLE: str(steps)}
    with RoostDaemon(environment=environment, prefix=[sys.executable, mortal.__file__]) as daemon:
        made(daemon, daemon.root, root)
        words = line.replace("ROOT", str(daemon.root)).split()
        if "create" not in line:
            memory = f"{daemon.root}/memory,snapshot=external"
            virsh_ok(daemon.uri, "snapshot-create-as", "cut", "m", "--memspec", memory)
            virsh_ok(daemon.uri, "snapshot-create-as", "cut", "d", "--disk-only")
        if line == "snapshot-revert cut d":
            virsh_ok(daemon.uri, "snapshot-revert", "cut", "m")
        steps.write_text(step)
        answer = virsh(daemon.uri, *words)
        steps.unlink()
        if answer.ok:
            return False
        daemon.kill()  # it is dead, and is waited for
        begin = len(daemon.log)
        daemon.start()
        # What is left to do for the guest is done in its turn.
        virsh_ok(daemon.uri, "setmem", "cut", "32M", "--config")
        until_told(daemon, told)
        if line.startswith("snapshot-revert") and virsh_ok(daemon.uri, "domstate", "cut").strip() != "running":
            virsh_ok(daemon.uri, "start", "cut")
        finished(daemon, words[2])
        check(daemon, replaced="d" if "revert" in line else "")
        assert "Traceback" not in daemon.log[begin:]
    return True


def until_told(daemon: RoostDaemon, text: str) -> None:
    """As the last job; and in its messages, if it runs."""
    deadline = time.monotonic() + 60
    while text not in virsh_ok(daemon.uri, "domjobinfo", "cut", "--completed", "--keep-completed", "--anystats"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    if virsh_ok(daemon.uri, "domstate", "cut").strip() == "running":
        assert text in virsh_ok(daemon.uri, "dominfo", "cut")


def finished(daemon: RoostDaemon, name: str) -> None:
    """A deletion that was under way is done, by the daemon itself."""
    asked = ("snapshot-dumpxml", "cut", name, "--xpath", "//snapshotDeleteInProgress")
    deadline = time.monotonic() + 60
    while virsh(daemon.uri, *asked).stdout.strip():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_daemon_killed_before_the_definition_says_so(tmp_path: Path) -> None:
    """QEMU writes to the new images, and the status says so; the definition does not yet."""
    told = "the daemon ended while it took the snapshot e: it is complete"
    assert dies_over(tmp_path, "snapshot-create-as cut e --disk-only", "w6", told=told)


def test_a_daemon_killed_before_the_status_says_so(tmp_path: Path) -> None:
    """QEMU stands still for the snapshot, and the status has the guest running."""
    told = "the daemon ended while it took the snapshot i: there is none, the guest is as it was before"
    assert dies_over(tmp_path, "snapshot-create-as cut i", "w2", told=told)


def test_a_daemon_killed_before_a_deletion_is_through(tmp_path: Path) -> None:
    told = "the daemon ended while it deleted the snapshot d: the next one has deleted it"
    assert dies_over(tmp_path, "snapshot-delete cut d", "w4", told=told)


def test_a_daemon_killed_before_a_guest_has_gone_back(tmp_path: Path) -> None:
    """It does not run, and has no messages."""
    told = "the daemon ended while the domain went back to the snapshot m: go back to it again"
    assert dies_over(tmp_path, "snapshot-revert cut m", "w3", told=told)


@pytest.mark.soak
@pytest.mark.parametrize("line", LINES, ids=lambda line: line.replace(" ", "-").replace("/", "-"))
def test_a_daemon_killed_before_every_write(tmp_path: Path, line: str) -> None:
    step = 1
    while dies_over(tmp_path, line, f"w{step}"):
        step += 1
    assert step > 3


def test_a_daemon_killed_while_images_are_merged(daemon: RoostDaemon) -> None:
    """The next one goes on with it, by itself."""
    for number in range(3):
        for name in ("base", "top"):
            virsh_ok(daemon.uri, "snapshot-create-as", "cut", name, "--disk-only")
        going = ("base", "top")[number % 2]
        killed_after(daemon, 0.02 + 0.02 * number, "snapshot-delete", "cut", going)
        finished(daemon, going)
        for name in listed(daemon)[::-1]:
            virsh_ok(daemon.uri, "snapshot-delete", "cut", name)
        check(daemon)
        assert sources(daemon) == [str(daemon.root / f"{disk}.qcow2") for disk in "ab"]


def test_a_daemon_killed_while_a_guest_goes_back(daemon: RoostDaemon) -> None:
    """The domain is what it was, or what it was to be, or shut off in between; nothing is left over."""
    virsh_ok(daemon.uri, "snapshot-create-as", "cut", "m", "--memspec", f"{daemon.root}/memory,snapshot=external")
    virsh_ok(daemon.uri, "snapshot-create-as", "cut", "d", "--disk-only")
    for number in range(4):
        killed_after(daemon, 0.04 + 0.12 * number, "snapshot-revert", "cut", "md"[number % 2])
        if virsh_ok(daemon.uri, "domstate", "cut").strip() != "running":
            virsh_ok(daemon.uri, "start", "cut")
        assert opened(daemon) == sources(daemon) == sources(daemon, "--inactive")
        used = {Path(path).name for path in sources(daemon)}
        assert {path.name for path in daemon.root.glob("?.*")} == {"a.qcow2", "b.qcow2", "a.m", "b.m", *used}
        virsh_ok(daemon.uri, "snapshot-revert", "cut", "m")
    virsh_ok(daemon.uri, "snapshot-revert", "cut", "d", "--running")
    assert virsh_ok(daemon.uri, "domstate", "cut", "--reason").strip() == "running (booted)"


def test_a_daemon_killed_while_memory_is_written(daemon: RoostDaemon) -> None:
    pipe = daemon.root / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    client = threading.Thread(
        target=virsh, args=(daemon.uri, "snapshot-create-as", "cut", "m", "--memspec", f"{pipe},snapshot=external")
    )
    client.start()
    try:
        read_up_to(reader, 80_000)
        daemon.kill()
    finally:
        os.close(reader)
        client.join()
    daemon.start()
    virsh_ok(daemon.uri, "setmem", "cut", "32M", "--config")
    assert "cut: the daemon ended while it took the snapshot m: there is none" in daemon.log
    check(daemon)
    assert listed(daemon) == []
    virsh_ok(daemon.uri, "snapshot-create-as", "cut", "m", "--memspec", f"{daemon.root}/memory,snapshot=external")
    virsh_ok(daemon.uri, "snapshot-revert", "cut", "m")
    assert virsh_ok(daemon.uri, "domstate", "cut").strip() == "running"


def test_a_qemu_that_is_killed_while_memory_is_written(daemon: RoostDaemon) -> None:
    pipe = daemon.root / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    answers: list[str] = []

    def ask() -> None:
        words = ("snapshot-create-as", "cut", "m", "--memspec", f"{pipe},snapshot=external")
        answers.append(virsh(daemon.uri, *words).stderr)

    client = threading.Thread(target=ask)
    client.start()
    try:
        read_up_to(reader, 80_000)
        (guest,) = daemon.guest_pids()
        os.kill(guest, signal.SIGKILL)
        client.join()
    finally:
        os.close(reader)
    assert "domain is not running" in answers[0]
    assert virsh_ok(daemon.uri, "domstate", "cut", "--reason").strip() == "shut off (crashed)"
    assert listed(daemon) == []
    assert {path.name for path in daemon.root.glob("?.*")} == {"a.qcow2", "b.qcow2"}
    virsh_ok(daemon.uri, "start", "cut")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system with room for little more than two empty images."""
    place = Path(tempfile.mkdtemp(prefix="roost-full-", dir="/tmp"))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", place], check=False).returncode:
        place.rmdir()
        pytest.skip("no file system may be mounted here")
    try:
        place.chmod(0o777)
        yield place
    finally:
        with contextlib.suppress(OSError):
            subprocess.run(["umount", "-l", place], check=False)
            place.rmdir()


def test_a_disk_without_room(small_disk: Path, tmp_path: Path) -> None:
    with RoostDaemon() as daemon:
        made(daemon, small_disk, tmp_path)
        there = sorted(path.name for path in small_disk.iterdir())
        filler = small_disk / "filler"
        room = os.statvfs(small_disk)
        filler.write_bytes(bytes(room.f_bavail * room.f_frsize - (300 << 10)))
        answer = virsh(daemon.uri, "snapshot-create-as", "cut", "i")
        assert answer.returncode == 1
        assert virsh_ok(daemon.uri, "domstate", "cut").strip() == "running"
        assert listed(daemon) == []
        assert in_image(small_disk / "a.qcow2") == []
        answer = virsh(
            daemon.uri, "snapshot-create-as", "cut", "m", "--memspec", f"{small_disk}/memory,snapshot=external"
        )
        assert answer.returncode == 1
        assert virsh_ok(daemon.uri, "domstate", "cut").strip() == "running"
        filler.unlink()
        assert sorted(path.name for path in small_disk.iterdir()) == there
        virsh_ok(daemon.uri, "snapshot-create-as", "cut", "e", "--disk-only")
        virsh_ok(daemon.uri, "destroy", "cut")


def test_clients_that_do_opposite_things(daemon: RoostDaemon) -> None:
    """Each is done or refused; in the end documents, images and QEMU agree."""

    def act(words: list[tuple[str, ...]]) -> None:
        for each in words:
            virsh(daemon.uri, *each)

    names = ("one", "two")
    work: list[list[tuple[str, ...]]] = [
        [("snapshot-create-as", "cut", name, *options) for name in names * 3 for options in ((), ("--disk-only",))],
        [("snapshot-delete", "cut", name) for name in names * 6],
        [(word, "cut") for word in ("suspend", "resume") * 6],
    ]
    clients = [threading.Thread(target=act, args=(each,)) for each in work]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    virsh(daemon.uri, "resume", "cut")
    assert virsh_ok(daemon.uri, "domstate", "cut").strip() == "running"
    assert opened(daemon) == sources(daemon) == sources(daemon, "--inactive")


def test_a_guest_that_is_paused_for_a_snapshot_by_hand_stays_so(daemon: RoostDaemon) -> None:
    """Somebody copies its image: nothing was interrupted by a daemon that comes and goes."""
    disks = "<disk name='vda' snapshot='manual'/><disk name='vdb' snapshot='external'/>"
    (daemon.root / "manual.xml").write_text(f"<domainsnapshot><name>m</name><disks>{disks}</disks></domainsnapshot>")
    virsh_ok(daemon.uri, "snapshot-create", "cut", str(daemon.root / "manual.xml"), "--disk-only")
    for end in (RoostDaemon.stop, RoostDaemon.kill):
        assert virsh_ok(daemon.uri, "domstate", "cut", "--reason").strip() == "paused (creating snapshot)"
        end(daemon)
        daemon.start()
    assert virsh_ok(daemon.uri, "domstate", "cut", "--reason").strip() == "paused (creating snapshot)"
    virsh_ok(daemon.uri, "resume", "cut")
