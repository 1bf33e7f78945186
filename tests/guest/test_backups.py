"""Checkpoints and backups of running guests, with what the guest has written."""

from __future__ import annotations

import json
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
from support.peer import virsh, virsh_ok

pytestmark = [pytest.mark.guest, pytest.mark.root]


@pytest.fixture
def daemon() -> Iterator[RoostDaemon]:
    if shutil.which("qemu-img") is None or shutil.which("qemu-io") is None:
        pytest.skip("qemu-utils is not installed")
    with RoostDaemon() as running:
        yield running


def tool(*words: str) -> str:
    return subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout


def started(daemon: RoostDaemon, name: str, *options: str) -> Path:
    """A guest on one image, with a megabyte of ones at its beginning; the directory of the image."""
    # The guest's QEMU makes the socket of a pull backup in it.
    images = daemon.root / "images"
    images.mkdir()
    images.chmod(0o777)
    tool("qemu-img", "create", "-q", "-f", "qcow2", str(images / "disk"), "32M")
    tool("qemu-io", "-c", "write -P 1 0 1M", str(images / "disk"))
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{images}/disk'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    path = daemon.root / "guest.xml"
    path.write_text(domain_xml(name, devices=disk, graphics="", interfaces=""))
    virsh_ok(daemon.uri, "define", str(path))
    virsh_ok(daemon.uri, "start", name, *options)
    return images


def document(daemon: RoostDaemon, text: str) -> str:
    path = daemon.root / "document.xml"
    path.write_text(text)
    return str(path)


def checkpoint(daemon: RoostDaemon, name: str) -> str:
    path = daemon.root / f"{name}.xml"
    path.write_text(f"<domaincheckpoint><name>{name}</name></domaincheckpoint>")
    return str(path)


def push(images: Path, file: str, since: str = "") -> str:
    return (
        f"<domainbackup>{since and f'<incremental>{since}</incremental>'}<disks><disk name='vda' type='file'>"
        f"<target file='{images / file}'/></disk></disks></domainbackup>"
    )


def pull(images: Path, since: str = "") -> str:
    return (
        f"<domainbackup mode='pull'>{since and f'<incremental>{since}</incremental>'}"
        f"<server transport='unix' socket='{images}/nbd.sock'/><disks><disk name='vda' type='file'>"
        f"<scratch file='{images}/scratch'/></disk></disks></domainbackup>"
    )


def begin(daemon: RoostDaemon, name: str, text: str, *options: str) -> None:
    virsh_ok(daemon.uri, "backup-begin", name, document(daemon, text), *options)


def until_ended(daemon: RoostDaemon, name: str) -> str:
    """What the statistics of the ended job say."""
    deadline = time.monotonic() + 60
    while virsh(daemon.uri, "backup-dumpxml", name).ok:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return virsh_ok(daemon.uri, "domjobinfo", name, "--completed", "--anystats")


def holds(path: Path, pattern: int, offset: str, size: str) -> bool:
    words = ["qemu-io", "-U", "-r", "-f", "qcow2", "-c", f"read -P {pattern} {offset} {size}", str(path)]
    return "verification failed" not in tool(*words)


def changed(socket: Path) -> list[tuple[int, int]]:
    """(offset, size) of what a pull backup says has changed."""
    options = f"driver=nbd,server.type=unix,server.path={socket},export=vda,x-dirty-bitmap=qemu:dirty-bitmap:backup-vda"
    found = json.loads(tool("qemu-img", "map", "--output=json", "--image-opts", options))
    return [(each["start"], each["length"]) for each in found if not each["data"]]


def test_a_guest_is_backed_up_while_it_writes_and_put_together_again(daemon: RoostDaemon) -> None:
    images = started(daemon, "writer")
    terminal = os.open(virsh_ok(daemon.uri, "ttyconsole", "writer").strip(), os.O_RDWR | os.O_NOCTTY)
    try:
        console = Console(terminal)
        os.write(terminal, b"\n")
        console.wait_for(READY)
        begin(daemon, "writer", push(images, "full"), checkpoint(daemon, "first"))
        assert re.search(r"File total: +32.000 MiB", until_ended(daemon, "writer"))
        fill = "sh yes {} | tr -d '\\n' | dd of=/dev/vda bs=64k seek={} count=2 iflag=fullblock conv=fsync 2>/dev/null"
        console.ask(fill.format("A", 32), "sh: exit 0")
        size = virsh_ok(daemon.uri, "checkpoint-dumpxml", "writer", "first", "--size", "--no-domain")
        assert "bitmap='first' size='131072'" in size
        begin(daemon, "writer", push(images, "second", "first"), checkpoint(daemon, "later"))
        until_ended(daemon, "writer")
        console.ask(fill.format("B", 48), "sh: exit 0")
        begin(daemon, "writer", pull(images, "later"))
        assert changed(images / "nbd.sock") == [(48 << 16, 2 << 16)]
        # The backup shows the moment it began, whatever the guest writes.
        console.ask(fill.format("C", 48), "sh: exit 0")
        tool("qemu-img", "convert", "-f", "raw", "-O", "qcow2", f"nbd+unix:///vda?socket={images}/nbd.sock",
             str(images / "pulled"))  # fmt: skip
        virsh_ok(daemon.uri, "domjobabort", "writer")
        until_ended(daemon, "writer")
        assert not (images / "scratch").exists()
    finally:
        os.close(terminal)
    virsh_ok(daemon.uri, "destroy", "writer")
    assert holds(images / "full", 1, "0", "1M")
    assert holds(images / "full", 0, "2M", "128k")
    tool("qemu-img", "rebase", "-u", "-f", "qcow2", "-b", "full", "-F", "qcow2", str(images / "second"))
    assert holds(images / "second", 1, "0", "1M")
    assert holds(images / "second", ord("A"), "2M", "128k")
    assert holds(images / "pulled", ord("B"), "3M", "128k")
    assert holds(images / "disk", ord("C"), "3M", "128k")


def names(daemon: RoostDaemon, *options: str) -> list[str]:
    return virsh_ok(daemon.uri, "checkpoint-list", "kept", "--name", *options).split()


def test_checkpoints_outlive_daemon_and_guest(daemon: RoostDaemon) -> None:
    images = started(daemon, "kept", "--paused")
    for name in ("a", "b", "c"):
        virsh_ok(daemon.uri, "checkpoint-create", "kept", checkpoint(daemon, name))
    assert "already exists" in virsh(daemon.uri, "checkpoint-create", "kept", checkpoint(daemon, "a")).stderr
    daemon.kill()
    daemon.start()
    assert names(daemon) == ["a", "b", "c"]
    assert names(daemon, "--roots") == ["a"]
    assert names(daemon, "--leaves") == ["c"]
    assert virsh_ok(daemon.uri, "checkpoint-parent", "kept", "b").strip() == "a"
    virsh_ok(daemon.uri, "checkpoint-delete", "kept", "b")
    assert virsh_ok(daemon.uri, "checkpoint-parent", "kept", "c").strip() == "a"
    virsh_ok(daemon.uri, "destroy", "kept")
    inactive = virsh(daemon.uri, "checkpoint-delete", "kept", "c")
    assert "cannot delete checkpoint for inactive domain" in inactive.stderr
    virsh_ok(daemon.uri, "start", "kept", "--paused")
    begin(daemon, "kept", pull(images, "a"))
    assert changed(images / "nbd.sock") == []
    virsh_ok(daemon.uri, "domjobabort", "kept")
    until_ended(daemon, "kept")
    told = virsh_ok(daemon.uri, "checkpoint-dumpxml", "kept", "a")
    virsh_ok(daemon.uri, "checkpoint-delete", "kept", "a", "--children", "--metadata")
    assert names(daemon) == []
    virsh_ok(daemon.uri, "checkpoint-create", "kept", document(daemon, told), "--redefine", "--redefine-validate")
    begin(daemon, "kept", pull(images, "a"))
    virsh_ok(daemon.uri, "domjobabort", "kept")
    until_ended(daemon, "kept")
    virsh_ok(daemon.uri, "destroy", "kept")
    virsh_ok(daemon.uri, "domrename", "kept", "other")
    assert virsh_ok(daemon.uri, "checkpoint-list", "other", "--name").split() == ["a"]
    virsh_ok(daemon.uri, "domrename", "other", "kept")
    assert names(daemon) == ["a"]
    assert "cannot delete inactive domain with 1 checkpoints" in virsh(daemon.uri, "undefine", "kept").stderr
    virsh_ok(daemon.uri, "undefine", "kept", "--checkpoints-metadata")
    assert not (daemon.root / "lib" / "qemu" / "checkpoint" / "kept").exists()


def test_a_broken_bitmap_is_told_and_a_full_backup_still_works(daemon: RoostDaemon) -> None:
    images = started(daemon, "broken", "--paused")
    virsh_ok(daemon.uri, "checkpoint-create", "broken", checkpoint(daemon, "a"))
    # A QEMU that is killed leaves its bitmaps in use, which is as good as wrong.
    pid = int((daemon.root / "run" / "qemu" / "broken.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while virsh_ok(daemon.uri, "domstate", "broken").strip() != "shut off":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    virsh_ok(daemon.uri, "start", "broken", "--paused")
    refused = virsh(daemon.uri, "backup-begin", "broken", document(daemon, push(images, "increment", "a")))
    assert "missing or broken bitmap 'a' for disk 'vda'; " in refused.stderr
    assert "a full backup still works" in refused.stderr
    assert not (images / "increment").exists()
    begin(daemon, "broken", push(images, "full"))
    until_ended(daemon, "broken")
    assert holds(images / "full", 1, "0", "1M")
    # It never reached the image; nothing but the document is left of it.
    virsh_ok(daemon.uri, "checkpoint-delete", "broken", "a", "--metadata")
    virsh_ok(daemon.uri, "destroy", "broken")


def test_bitmaps_stay_true_when_the_disk_is_copied(daemon: RoostDaemon) -> None:
    images = started(daemon, "moved", "--paused")
    virsh_ok(daemon.uri, "checkpoint-create", "moved", checkpoint(daemon, "a"))
    virsh_ok(
        daemon.uri, "blockcopy", "moved", "vda", str(images / "copy"), "--transient-job", "--wait", "--pivot"
    )  # fmt: skip
    begin(daemon, "moved", pull(images, "a"))
    assert changed(images / "nbd.sock") == []
    virsh_ok(daemon.uri, "domjobabort", "moved")
    until_ended(daemon, "moved")
    virsh_ok(daemon.uri, "destroy", "moved")
    assert '"name": "a"' in tool("qemu-img", "info", "--output=json", str(images / "copy"))


def test_how_a_pushed_backup_ended_is_its_jobs_type(daemon: RoostDaemon) -> None:
    """Cancelled, as libvirt tells it; and failed, in QEMU's words."""
    images = started(daemon, "pushed", "--paused")
    # So much that it is not through before it is cancelled.
    virsh_ok(daemon.uri, "destroy", "pushed")
    tool("qemu-io", "-c", "write -P 2 0 32M", str(images / "disk"))
    virsh_ok(daemon.uri, "start", "pushed", "--paused")
    lines = f"backup-begin pushed {document(daemon, push(images, 'given-up'))}\ndomjobabort pushed\n"
    virsh_ok(daemon.uri, input=lines)
    assert until_ended(daemon, "pushed").split()[:5] == ["Job", "type:", "Cancelled", "Operation:", "Backup"]
    assert not (images / "given-up").exists()
    small = images / "small"
    small.mkdir()
    tool("mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "none", str(small))
    try:
        begin(daemon, "pushed", push(small, "full"))
        assert until_ended(daemon, "pushed").split()[:5] == ["Job", "type:", "Failed", "Operation:", "Backup"]
    finally:
        tool("umount", "--lazy", str(small))
    virsh_ok(daemon.uri, "destroy", "pushed")


def test_a_backup_outlives_the_daemon_and_ends_with_the_guest(daemon: RoostDaemon) -> None:
    images = started(daemon, "both", "--paused")
    begin(daemon, "both", pull(images))
    busy = virsh(daemon.uri, "backup-begin", "both", document(daemon, push(images, "other")))
    assert not busy.ok
    # It would end with the guest.
    refused = virsh(daemon.uri, "save", "both", str(images / "saved"))
    assert "domain has active block job; on vda; domjobabort ends the backup" in refused.stderr
    daemon.kill()
    daemon.start()
    assert "exportname='vda'" in virsh_ok(daemon.uri, "backup-dumpxml", "both")
    assert "Backup" in virsh_ok(daemon.uri, "domjobinfo", "both")
    virsh_ok(daemon.uri, "destroy", "both")
    assert not (images / "scratch").exists()
    virsh_ok(daemon.uri, "start", "both", "--paused")
    assert "no domain backup job present" in virsh(daemon.uri, "backup-dumpxml", "both").stderr
    exists = images / "exists"
    exists.write_bytes(b"precious")
    refused = virsh(daemon.uri, "backup-begin", "both", document(daemon, push(images, "exists")))
    assert f"store '{exists}' for backup of 'vda' exists" in refused.stderr
    assert exists.read_bytes() == b"precious"
    virsh_ok(daemon.uri, "destroy", "both")


def test_a_target_without_room(daemon: RoostDaemon) -> None:
    """The backup fails and says why; the half of it is removed, and the next one works."""
    images = started(daemon, "full", "--paused")
    small = images / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k,mode=755", "none", str(small)], check=True)
    try:
        begin(daemon, "full", push(small, "target"))
        told = until_ended(daemon, "full")
        assert "Error message:" in told
        assert "No space left on device" in told
        assert not (small / "target").exists()
        begin(daemon, "full", push(images, "target"))
        assert "Error message:" not in until_ended(daemon, "full")
        assert holds(images / "target", 1, "0", "1M")
    finally:
        virsh_ok(daemon.uri, "destroy", "full")
        subprocess.run(["umount", str(small)], check=True)
