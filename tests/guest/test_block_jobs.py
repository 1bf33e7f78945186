"""Jobs on the images of running guests: what they leave in the documents, in the files, and in what the guest reads."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.console import Console
from support.daemon import RoostDaemon
from support.guests import READY, domain_xml
from support.peer import libvirt_result, virsh, virsh_ok

pytestmark = [pytest.mark.guest, pytest.mark.root]

MIB = 1 << 20


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


@pytest.fixture
def images(daemon: RoostDaemon) -> Iterator[Path]:
    path = made_chain(daemon)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def mortal() -> Iterator[RoostDaemon]:
    """A daemon for tests that kill it: the next one is another process."""
    with RoostDaemon() as running:
        yield running


def made_chain(daemon: RoostDaemon) -> Path:
    """A chain of three, each with a megabyte of its own: 1 at 0, 2 at 1 MiB, 3 at 2 MiB."""
    if shutil.which("qemu-img") is None or shutil.which("qemu-io") is None:
        pytest.skip("qemu-utils is not installed")
    path = daemon.root / "images"
    path.mkdir()
    path.chmod(0o755)
    tool("qemu-img", "create", "-q", "-f", "qcow2", str(path / "base"), "32M")
    for below, above in (("base", "middle"), ("middle", "top")):
        tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", below, "-F", "qcow2", str(path / above))
    for number, name in enumerate(("base", "middle", "top"), 1):
        tool("qemu-io", "-f", "qcow2", "-c", f"write -P {number} {number - 1}M 1M", str(path / name))
    return path


def tool(*words: str) -> str:
    return subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout


@contextlib.contextmanager
def guest(daemon: RoostDaemon, top: Path, name: str) -> Iterator[str]:
    """A defined guest on the chain, running but paused: its images are written by nobody but jobs."""
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{top}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    document = daemon.root / f"{name}.xml"
    document.write_text(domain_xml(name, devices=disk, graphics="", interfaces=""))
    virsh_ok(daemon.uri, "define", str(document))
    try:
        virsh_ok(daemon.uri, "start", name, "--paused")
        yield name
    finally:
        virsh(daemon.uri, "destroy", name)
        virsh_ok(daemon.uri, "undefine", name)


def chain(daemon: RoostDaemon, name: str, *options: str) -> list[str]:
    """The names of the files of the disk's chain, as the document tells."""
    text = virsh_ok(daemon.uri, "dumpxml", name, *options)
    disk = re.search(r"<disk .*?</disk>", text, re.DOTALL)
    assert disk is not None
    return [Path(path).name for path in re.findall(r"<source file='([^']*)'", disk[0])]


def nodes(daemon: RoostDaemon, name: str) -> set[str]:
    """The numbers of the images that QEMU has open."""
    text = virsh_ok(
        daemon.uri, "qemu-monitor-command", name, '{"execute":"query-named-block-nodes","arguments":{"flat":true}}'
    )
    return set(re.findall(r'"node-name":"libvirt-(\d+)-format"', text))


def holds(path: Path, *numbers: int, format: str = "qcow2") -> None:
    """The image shows these megabytes from its beginning on."""
    for place, number in enumerate(numbers):
        said = tool("qemu-io", "-U", "-r", "-f", format, "-c", f"read -P {number} {place}M 1M", str(path))
        assert "Pattern verification failed" not in said


def backing(path: Path) -> str | None:
    found = re.search(r'"backing-filename": "([^"]*)"', tool("qemu-img", "info", "-U", "--output=json", str(path)))
    return found[1] if found is not None else None


def test_an_intermediate_image_is_committed(daemon: RoostDaemon, images: Path) -> None:
    with guest(daemon, images / "top", "committed") as name:
        virsh_ok(daemon.uri, "blockcommit", name, "vda", "--top", "vda[2]", "--shallow", "--delete", "--wait")
        assert chain(daemon, name) == ["top", "base"]
        assert nodes(daemon, name) == {"1", "3"}
        assert not (images / "middle").exists()
        assert backing(images / "top") == str(images / "base")
        holds(images / "base", 1, 2)
    holds(images / "top", 1, 2, 3)


def test_the_top_is_committed_and_pivoted_away_from(daemon: RoostDaemon, images: Path) -> None:
    with guest(daemon, images / "top", "pivoted") as name:
        assert "requires active flag" in virsh(daemon.uri, "blockcommit", name, "vda").stderr
        virsh_ok(daemon.uri, "blockcommit", name, "vda", "--active", "--wait")
        live = virsh_ok(daemon.uri, "dumpxml", name)
        assert "<mirror type='file' job='active-commit' ready='yes'>" in live
        assert "already in active block job" in virsh(daemon.uri, "blockpull", name, "vda").stderr
        virsh_ok(daemon.uri, "blockjob", name, "vda", "--pivot")
        assert chain(daemon, name) == chain(daemon, name, "--inactive") == ["base"]
        assert nodes(daemon, name) == {"3"}
        assert "mirror" not in virsh_ok(daemon.uri, "dumpxml", name)
    holds(images / "base", 1, 2, 3)


def test_a_pull_down_to_a_base_and_down_to_nothing(daemon: RoostDaemon, images: Path) -> None:
    with guest(daemon, images / "top", "pulled") as name:
        virsh_ok(daemon.uri, "blockpull", name, "vda", "--base", "vda[3]", "--keep-relative", "--wait")
        assert chain(daemon, name) == ["top", "base"]
        assert backing(images / "top") == "base"
        virsh_ok(daemon.uri, "blockpull", name, "vda", "--wait")
        assert chain(daemon, name) == ["top"]
        assert backing(images / "top") is None
        assert nodes(daemon, name) == {"1"}
    holds(images / "top", 1, 2, 3)


@pytest.mark.parametrize(
    ("options", "live", "below"),
    [
        ((), ["copy"], None),
        (("--shallow",), ["copy", "middle", "base"], "middle"),
        (("--format", "raw"), ["copy"], None),
    ],
    ids=["whole", "shallow", "raw"],
)  # fmt: skip
def test_a_copy_takes_the_place_of_the_disk(
    daemon: RoostDaemon, images: Path, options: tuple[str, ...], live: list[str], below: str | None
) -> None:
    copy = images / "copy"
    with guest(daemon, images / "top", "copied") as name:
        assert "domain is not transient" in virsh(daemon.uri, "blockcopy", name, "vda", str(copy)).stderr
        assert not copy.exists()
        virsh_ok(daemon.uri, "blockcopy", name, "vda", str(copy), "--transient-job", "--wait", "--pivot", *options)
        assert chain(daemon, name) == live
        assert chain(daemon, name, "--inactive") == ["copy"]
        assert (images / "top").stat().st_uid == 0
        if below is not None:
            assert backing(copy) == str(images / below)
    holds(copy, 1, 2, 3, format="raw" if "raw" in options else "qcow2")
    assert copy.stat().st_uid == 0


def test_a_copy_is_let_go_of(daemon: RoostDaemon, images: Path) -> None:
    copy = images / "copy"
    with guest(daemon, images / "top", "let-go") as name:
        virsh_ok(daemon.uri, "blockcopy", name, "vda", str(copy), "--transient-job", "--wait", "--finish")
        assert chain(daemon, name) == ["top", "middle", "base"]
        assert nodes(daemon, name) == {"1", "2", "3"}
        assert copy.stat().st_uid == 0
        again = virsh(daemon.uri, "blockcopy", name, "vda", str(copy), "--transient-job")
        assert "already exists and is not a block device" in again.stderr
    holds(copy, 1, 2, 3)


def test_a_shallow_copy_into_an_image_with_a_chain_of_its_own(daemon: RoostDaemon, images: Path) -> None:
    shutil.copy(images / "middle", images / "other")
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", "other", "-F", "qcow2", str(images / "copy"), "32M")
    with guest(daemon, images / "top", "reused") as name:
        virsh_ok(
            daemon.uri, "blockcopy", name, "vda", str(images / "copy"), "--shallow", "--reuse-external",
            "--transient-job", "--wait", "--pivot",
        )  # fmt: skip
        assert chain(daemon, name) == ["copy", "other", "base"]
        assert nodes(daemon, name) == {"4", "5", "6"}
    holds(images / "copy", 1, 2, 3)


def started(daemon: RoostDaemon, name: str, copy: Path) -> None:
    """A copy that is slow enough to be met half way."""
    virsh_ok(daemon.uri, "blockcopy", name, "vda", str(copy), "--transient-job", "--bandwidth", "65536", "--bytes")


def test_a_daemon_that_comes_back_finds_a_job(mortal: RoostDaemon) -> None:
    images = made_chain(mortal)
    copy = images / "copy"
    with guest(mortal, images / "top", "found") as name:
        started(mortal, name, copy)
        mortal.kill()
        mortal.start()
        assert "Block Copy: [" in virsh(mortal.uri, "blockjob", name, "vda", "--info").stderr
        assert "not ready for pivot yet" in virsh(mortal.uri, "blockjob", name, "vda", "--pivot").stderr
        virsh_ok(mortal.uri, "blockjob", name, "vda", "--bandwidth", "0")
        until_ready(mortal, name)
        mortal.kill()
        mortal.start()
        virsh_ok(mortal.uri, "blockjob", name, "vda", "--pivot")
        assert chain(mortal, name) == chain(mortal, name, "--inactive") == ["copy"]
    holds(copy, 1, 2, 3)


def until_ready(daemon: RoostDaemon, name: str) -> None:
    deadline = time.monotonic() + 60
    while "ready='yes'" not in virsh_ok(daemon.uri, "dumpxml", name):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_job_that_ends_while_no_daemon_runs(mortal: RoostDaemon) -> None:
    images = made_chain(mortal)
    with guest(mortal, images / "top", "alone") as name:
        virsh_ok(mortal.uri, "blockcommit", name, "vda", "--top", "vda[2]", "--bandwidth", "1500000", "--bytes")
        mortal.kill()
        deadline = time.monotonic() + 60
        while backing(images / "top") != str(images / "base"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        mortal.start()
        assert chain(mortal, name) == ["top", "base"]
        assert nodes(mortal, name) == {"1", "3"}
        assert virsh(mortal.uri, "blockjob", name, "vda", "--abort").stderr.endswith("an active block job\n")


def test_a_qemu_killed_in_the_middle(daemon: RoostDaemon, images: Path) -> None:
    with guest(daemon, images / "top", "killed") as name:
        started(daemon, name, images / "copy")
        pid = int((daemon.root / "run" / "qemu" / f"{name}.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 60
        while virsh_ok(daemon.uri, "domstate", name).strip() != "shut off":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert chain(daemon, name) == ["top"]
        assert (images / "top").stat().st_uid == 0
        # Nothing of the job is left to stand in the way.
        virsh_ok(daemon.uri, "start", name, "--paused")
        assert virsh(daemon.uri, "blockjob", name, "vda", "--abort").stderr.endswith("an active block job\n")


EVENTS = """
import threading
conn = libvirt.open(sys.argv[1])
seen, lock = [], threading.Event()
libvirt.virEventRegisterDefaultImpl()
conn = libvirt.open(sys.argv[1])
def note(conn, dom, path, kind, status, which):
    seen.append((which, path.rpartition("/")[2], kind, status))
domain = conn.lookupByName(sys.argv[2])
conn.domainEventRegisterAny(domain, libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB, note, 1)
conn.domainEventRegisterAny(domain, libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, note, 2)
def until(count):
    while len(seen) < count:
        libvirt.virEventRunDefaultImpl()
timer = libvirt.virEventAddTimeout(100, lambda *_: None, None)
domain.blockCommit("vda", None, None, 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE)
until(2)
domain.blockJobAbort("vda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC)
until(4)
domain.blockCommit("vda", None, None, 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE)
until(6)
domain.blockJobAbort("vda", libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
until(8)
print(json.dumps(seen))
"""


def test_events(daemon: RoostDaemon, images: Path) -> None:
    """Both styles, in libvirt's order: ready and cancelled, then ready and completed with the new image's name."""
    with guest(daemon, images / "top", "events") as name:
        assert libvirt_result(EVENTS, daemon.uri, name) == [
            [1, "top", 4, 3], [2, "vda", 4, 3], [1, "top", 4, 2], [2, "vda", 4, 2],
            [1, "top", 4, 3], [2, "vda", 4, 3], [1, "base", 4, 0], [2, "vda", 4, 0],
        ]  # fmt: skip


def test_a_target_without_room(daemon: RoostDaemon, images: Path) -> None:
    """The copy fails, is told, and leaves the disk as it was."""
    small = images / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "none", str(small)], check=True)
    try:
        with guest(daemon, images / "top", "full") as name:
            answer = virsh(
                daemon.uri, "blockcopy", name, "vda", str(small / "copy"), "--transient-job", "--wait"
            )  # fmt: skip
            assert not answer.ok
            assert "mirror" not in virsh_ok(daemon.uri, "dumpxml", name)
            assert nodes(daemon, name) == {"1", "2", "3"}
            assert (small / "copy").stat().st_uid == 0
            assert virsh(daemon.uri, "blockjob", name, "vda", "--abort").stderr.endswith("an active block job\n")
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_readers_do_not_wait_for_a_job_and_opposites_do_no_harm(daemon: RoostDaemon, images: Path) -> None:
    """Two clients begin and end jobs on one disk at once: each is served or refused, and all is well in the end."""
    script = (
        "import threading\n"
        "uri, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])\n"
        "def act(begin):\n"
        "    domain = libvirt.open(uri).lookupByName(name)\n"
        "    for _ in range(rounds):\n"
        "        try:\n"
        "            if begin: domain.blockCommit('vda', None, None, 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE)\n"
        "            else: domain.blockJobAbort('vda', 0)\n"
        "        except libvirt.libvirtError as error:\n"
        "            codes.add(error.get_error_code())\n"
        "codes = set()\n"
        "threads = [threading.Thread(target=act, args=(begin,)) for begin in (True, False)]\n"
        "[thread.start() for thread in threads]\n"
        "[thread.join() for thread in threads]\n"
        "print(json.dumps(sorted(codes)))\n"
    )
    with guest(daemon, images / "top", "opposites") as name:
        codes = libvirt_result(script, daemon.uri, name, "100")
        # Invalid argument (no job), block copy active, operation unsupported, operation invalid (being ended).
        assert set(codes) <= {8, 55, 83, 84}
        virsh(daemon.uri, "blockjob", name, "vda", "--abort")
        assert "mirror" not in virsh_ok(daemon.uri, "dumpxml", name)
        virsh_ok(daemon.uri, "blockcommit", name, "vda", "--active", "--pivot")
        assert chain(daemon, name) == ["base"]
    holds(images / "base", 1, 2, 3)


def test_a_disk_with_a_filter_and_a_disc_are_copied(daemon: RoostDaemon, images: Path) -> None:
    """The filter stays above whatever image the disk has; a disc that is read-only stays so."""
    (images / "disc").write_bytes(b"disc".ljust(MIB, b"\0"))
    disks = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2' copy_on_read='on'/>"
        f"<source file='{images}/top'/><target dev='vda' bus='virtio'/></disk>"
        f"<disk type='file' device='cdrom'><source file='{images}/disc'/><target dev='hda' bus='ide'/></disk>"
    )
    document = daemon.root / "filtered.xml"
    document.write_text(domain_xml("filtered", devices=disks, graphics="", interfaces=""))
    virsh_ok(daemon.uri, "create", str(document), "--paused")
    try:
        for target, copy in (("vda", "one"), ("vda", "two"), ("hda", "disc2")):
            words = ("blockcopy", "filtered", target, str(images / copy), "--transient-job", "--wait", "--pivot")
            virsh_ok(daemon.uri, *words)
        assert chain(daemon, "filtered") == ["two"]
        assert len(nodes(daemon, "filtered")) == 2
        said = virsh_ok(daemon.uri, "qemu-monitor-command", "filtered", "--hmp", "info block -n")
        assert re.search(r"libvirt-\d+-format: \S+/disc2 \(raw, read-only\)", said)
        assert re.search(r"libvirt-CoR-vda: .*/images/two\"", said)
    finally:
        virsh_ok(daemon.uri, "destroy", "filtered")
    holds(images / "two", 1, 2, 3)
    assert (images / "disc2").read_bytes() == (images / "disc").read_bytes()


def test_disks_come_and_go_beside_a_job(daemon: RoostDaemon, images: Path) -> None:
    """A disk that joins takes no number of the copy's; the one that is copied stays until that is over."""
    tool("qemu-img", "create", "-q", "-f", "qcow2", str(images / "second"), "1M")
    with guest(daemon, images / "top", "beside") as name:
        virsh_ok(daemon.uri, "blockcopy", name, "vda", str(images / "copy"), "--transient-job", "--wait")
        virsh_ok(
            daemon.uri, "attach-disk", name, str(images / "second"), "vdb", "--subdriver", "qcow2", "--live"
        )  # fmt: skip
        assert nodes(daemon, name) == {"1", "2", "3", "4", "5"}
        refused = virsh(daemon.uri, "detach-disk", name, "vda", "--live")
        assert "block copy still active: disk 'vda' already in active block job" in refused.stderr
        virsh_ok(daemon.uri, "blockjob", name, "vda", "--pivot")
        virsh_ok(daemon.uri, "blockcopy", name, "vdb", str(images / "third"), "--transient-job", "--wait", "--pivot")
        assert nodes(daemon, name) == {"4", "6"}


def test_a_guest_that_writes_all_the_while(daemon: RoostDaemon, images: Path) -> None:
    """What it wrote before, during and after a copy, a pivot, a pull and a commit is what it reads, and in the file."""
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{images}/top'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    document = daemon.root / "writer.xml"
    document.write_text(domain_xml("writer", devices=disk, graphics="", interfaces=""))
    virsh_ok(daemon.uri, "create", str(document))
    terminal = os.open(virsh_ok(daemon.uri, "ttyconsole", "writer").strip(), os.O_RDWR | os.O_NOCTTY)
    try:
        console = Console(terminal)
        os.write(terminal, b"\n")
        console.wait_for(READY)
        # A counter on the disk, ten times a second, and how far it has come in a file in memory.
        console.ask(
            "sh (n=0; while :; do n=$((n+1)); printf %08d $n | dd of=/dev/vda bs=8 seek=524288 conv=fsync 2>/dev/null;"
            " echo $n > /tmp/n; usleep 100000; done) & echo $! > /tmp/pid; echo begun",
            "begun",
        )
        copy = ("blockcopy", "writer", "vda", str(images / "copy"), "--shallow")
        virsh_ok(daemon.uri, *copy, "--wait", "--pivot")
        assert chain(daemon, "writer") == ["copy", "middle", "base"]
        virsh_ok(daemon.uri, "blockpull", "writer", "vda", "--base", "vda[3]", "--wait")
        virsh_ok(daemon.uri, "blockcommit", "writer", "vda", "--active", "--wait", "--pivot")
        assert chain(daemon, "writer") == ["base"]
        console.ask("sh head -c 1 /dev/vda | od -An -tx1", " 01")
        console.ask("sh kill $(cat /tmp/pid); sleep 1; sync; echo stopped", "stopped")
        console.ask("sh echo 3 > /proc/sys/vm/drop_caches; echo memory $(cat /tmp/n)", "memory ")
        in_memory = int(console.wait_for("\n"))
        console.ask("sh echo disk $(dd if=/dev/vda bs=512 skip=8192 count=1 2>/dev/null | head -c 8)", "disk ")
        on_disk = int(console.wait_for("\n"))
    finally:
        os.close(terminal)
    virsh_ok(daemon.uri, "destroy", "writer")
    # It may have been stopped between the one and the other.
    assert 0 < in_memory <= on_disk <= in_memory + 1
    tool("qemu-img", "convert", "-O", "raw", str(images / "base"), str(images / "raw"))
    with (images / "raw").open("rb") as file:
        file.seek(4 * MIB)
        assert int(file.read(8)) == on_disk
    holds(images / "base", 1, 2, 3)
