"""A save that the daemon does not live through, and one that the disk has no room for."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.daemon import RoostDaemon, read_up_to
from support.emulators import need_mapped_ram
from support.peer import virsh, virsh_ok

pytestmark = [pytest.mark.guest, pytest.mark.root]

DOCUMENT = """<domain type='qemu'><name>saved</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><serial type='pty'/></devices></domain>"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RoostDaemon]:
    (tmp_path / "saved.xml").write_text(DOCUMENT)
    with RoostDaemon() as running:
        virsh_ok(running.uri, "define", str(tmp_path / "saved.xml"))
        virsh_ok(running.uri, "start", "saved")
        yield running


@pytest.mark.parametrize(
    ("word", "end"),
    [
        pytest.param("save", RoostDaemon.kill, id="save-killed"),
        pytest.param("dump", RoostDaemon.kill, id="dump-killed"),
        pytest.param("save", RoostDaemon.stop, id="save-stopped"),
        pytest.param("dump", RoostDaemon.stop, id="dump-stopped"),
    ],
)
def test_a_daemon_that_ends_while_it_saves(daemon: RoostDaemon, word: str, end: Callable[[RoostDaemon], None]) -> None:
    """The guest was stopped for it and goes on: one that has the time sees to that itself, else the next one does."""
    pipe = daemon.root / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    (guest,) = daemon.guest_pids()
    client = threading.Thread(target=virsh, args=(daemon.uri, word, "saved", str(pipe)))
    client.start()
    try:
        read_up_to(reader, 80_000)
        end(daemon)
    finally:
        os.close(reader)
        client.join()
    daemon.start()
    assert virsh_ok(daemon.uri, "domstate", "saved").strip() == "running"
    assert daemon.guest_pids() == [guest]
    if end is RoostDaemon.stop:
        (message,) = interrupted(daemon)
        assert message.startswith(f"interrupted: the daemon was stopped while it {word[:4]}")
        assert message.endswith(f"to {pipe}: there is no image of it, the guest is as it was before")
    else:
        assert virsh_ok(daemon.uri, "domstate", "saved", "--reason").strip() == "running (save canceled)"
        (message,) = interrupted(daemon)
        assert message.startswith(f"interrupted: the daemon ended while it {word[:4]}")
        assert f"to {pipe}: that file" in message
        what = virsh_ok(daemon.uri, "domjobinfo", "saved", "--completed", "--anystats").split("\n")
        assert what[0].split() == ["Job", "type:", "Failed"]
        assert what[1].split() == ["Operation:", word.title()]
        assert "Error message:" + message.removeprefix("interrupted:") in "\n".join(what).replace("    ", " ")
        # It is told until one succeeds, by a daemon after that too.
        daemon.restart()
        assert interrupted(daemon) == [message]
        virsh_ok(daemon.uri, "dump", "saved", str(daemon.root / "dumped"))
        assert interrupted(daemon) == ([] if word == "dump" else [message])
    # It is a guest like any other: saved, restored, ended.
    virsh_ok(daemon.uri, "save", "saved", str(daemon.root / "image"))
    virsh_ok(daemon.uri, "restore", str(daemon.root / "image"))
    assert interrupted(daemon) == []


def interrupted(daemon: RoostDaemon) -> list[str]:
    """What the guest's messages say of work that was not finished."""
    words = virsh_ok(daemon.uri, "dominfo", "saved").replace("Messages:", "").split("\n")
    return [word.strip() for word in words if "interrupted:" in word]


def test_a_guest_that_ends_with_the_daemon(daemon: RoostDaemon) -> None:
    """It has no messages any more; what became of the image is the last job."""
    pipe = daemon.root / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    (guest,) = daemon.guest_pids()
    client = threading.Thread(target=virsh, args=(daemon.uri, "save", "saved", str(pipe)))
    client.start()
    try:
        read_up_to(reader, 80_000)
        daemon.kill()
        os.kill(guest, signal.SIGKILL)
    finally:
        os.close(reader)
        client.join()
    daemon.start()
    assert virsh_ok(daemon.uri, "domstate", "saved").strip() == "shut off"
    told = f"the daemon and the guest ended while it was saved to {pipe}: that file is incomplete"
    assert told in virsh_ok(daemon.uri, "domjobinfo", "saved", "--completed", "--anystats")
    assert interrupted(daemon) == []
    assert not (daemon.root / "run" / "qemu" / "saved.saving").exists()


def test_a_guest_that_was_paused_stays_so(daemon: RoostDaemon) -> None:
    pipe = daemon.root / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    virsh_ok(daemon.uri, "suspend", "saved")
    client = threading.Thread(target=virsh, args=(daemon.uri, "save", "saved", str(pipe)))
    client.start()
    try:
        read_up_to(reader, 80_000)
        daemon.kill()
    finally:
        os.close(reader)
        client.join()
    daemon.start()
    assert virsh_ok(daemon.uri, "domstate", "saved", "--reason").strip() == "paused (user)"
    virsh_ok(daemon.uri, "resume", "saved")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system with less room than the guest has memory."""
    with tempfile.TemporaryDirectory(prefix="roost-full-", dir="/tmp") as directory:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", directory], check=True)
        try:
            yield Path(directory)
        finally:
            subprocess.run(["umount", directory], check=True)


@pytest.mark.parametrize("format", ["raw", "gzip", "sparse"])
def test_a_disk_without_room(small_disk: Path, tmp_path: Path, format: str) -> None:
    if format == "sparse":
        need_mapped_ram()
    with tempfile.TemporaryDirectory(prefix="roost-", dir="/tmp") as directory:
        root = Path(directory)
        root.chmod(0o755)
        (root / "etc").mkdir()
        (root / "etc" / "qemu.conf").write_text(f'save_image_format = "{format}"\n')
        # Random bytes, which do not become fewer when they are compressed.
        (root / "noise").write_bytes(os.urandom(8 << 20))
        os.chmod(root / "noise", 0o644)
        loader = "<qemu:commandline><qemu:arg value='-device'/>" + (
            f"<qemu:arg value='loader,file={root}/noise,addr=0x800000,force-raw=on'/></qemu:commandline>"
        )
        document = DOCUMENT.replace(
            "type='qemu'>", "type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
        )
        (tmp_path / "saved.xml").write_text(document.replace("</domain>", f"{loader}</domain>"))
        with RoostDaemon(root) as daemon:
            virsh_ok(daemon.uri, "define", str(tmp_path / "saved.xml"))
            virsh_ok(daemon.uri, "start", "saved")
            for words in (("save", "saved"), ("dump", "saved"), ("dump", "saved", "--memory-only")):
                refused = virsh(daemon.uri, *words[:2], str(small_disk / "image"), *words[2:])
                assert not refused.ok
                assert "No space left on device" in refused.stderr, refused.stderr
                assert virsh_ok(daemon.uri, "domstate", "saved").strip() == "running"
                assert not list(small_disk.iterdir())
            with contextlib.suppress(FileNotFoundError):
                os.unlink(root / "noise")
