"""Disks on block devices and NBD servers: their chains, jobs from and to them, backups, and what is known of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from support.console import Console
from support.daemon import RoostDaemon
from support.guests import READY, domain_xml
from support.loops import loop_device
from support.peer import libvirt_result, virsh, virsh_ok

pytestmark = [pytest.mark.guest, pytest.mark.root]


UUID = "0a2f7a0e-6a3f-4a0c-8f0e-2d5f1f6f7b01"


class Places(NamedTuple):
    """dir: of images, with a base that holds a megabyte of ones. top: the device of an overlay on it. free: another.

    served: the socket of an NBD server of an empty image, `kept`: the image.
    """

    dir: Path
    top: Path
    free: Path
    served: Path
    kept: Path


def tool(*words: str) -> str:
    return subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True).stdout


def wait_for(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def nbd_server(stack: ExitStack, image: Path, path: Path) -> None:
    command = ["qemu-nbd", "-t", "-f", "raw", "-x", "it", "--shared=10", "-k", str(path), str(image)]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stack.callback(server.wait)
    stack.callback(server.kill)

    def answers() -> bool:
        assert server.poll() is None
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(path)) == 0

    wait_for(answers)
    path.chmod(0o777)


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    if any(shutil.which(program) is None for program in ("qemu-img", "qemu-io", "qemu-nbd", "losetup")):
        pytest.skip("qemu-utils or losetup is not installed")
    with RoostDaemon() as running:
        yield running


@pytest.fixture
def places(daemon: RoostDaemon) -> Iterator[Places]:
    images = daemon.root / "places"
    images.mkdir()
    images.chmod(0o777)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, images)
        stack.callback(virsh, daemon.uri, "undefine", "placed", "--checkpoints-metadata")
        stack.callback(virsh, daemon.uri, "destroy", "placed")
        top, free = (loop_device(stack, images / name) for name in ("device0", "device1"))
        tool("qemu-img", "create", "-q", "-f", "qcow2", str(images / "base"), "8M")
        tool("qemu-io", "-c", "write -P 1 0 1M", str(images / "base"))
        tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(images / "base"), "-F", "qcow2", str(top), "8M")
        tool("qemu-io", "-f", "qcow2", "-c", "write -P 2 1M 1M", str(top))
        tool("qemu-img", "create", "-q", "-f", "raw", str(images / "kept"), "8M")
        nbd_server(stack, images / "kept", images / "nbd")
        yield Places(images, top, free, images / "nbd", images / "kept")


def started(daemon: RoostDaemon, places: Places) -> None:
    """A paused guest on the overlay."""
    disk = (
        f"<disk type='block' device='disk'><driver name='qemu' type='qcow2'/><source dev='{places.top}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    path = places.dir / "guest.xml"
    path.write_text(domain_xml("placed", uuid_=UUID, devices=disk, graphics="", interfaces=""))
    virsh_ok(daemon.uri, "define", str(path))
    virsh_ok(daemon.uri, "start", "placed", "--paused")


def on_server(places: Places, target: str = "") -> str:
    return (
        f"<disk type='network' device='disk'><driver name='qemu' type='raw'/><source protocol='nbd' name='it'>"
        f"<host transport='unix' socket='{places.served}'/></source>{target}</disk>"
    )


def document(places: Places, text: str) -> str:
    path = places.dir / "document.xml"
    path.write_text(text)
    return str(path)


def disk_of(daemon: RoostDaemon, *options: str) -> str:
    found = re.search(r"<disk .*?</disk>", virsh_ok(daemon.uri, "dumpxml", "placed", *options), re.DOTALL)
    assert found is not None
    return found[0]


def copied(daemon: RoostDaemon, *words: str) -> None:
    virsh_ok(daemon.uri, "blockcopy", "placed", "vda", *words, "--transient-job", "--wait", "--pivot")


def holds(path: Path, format: str) -> None:
    """The image shows what base and overlay hold."""
    for number in (1, 2):
        place = f"read -P {number} {number - 1}M 1M"
        said = tool("qemu-io", "-U", "-r", "-f", format, "-c", place, str(path))
        assert "verification failed" not in said


def test_from_device_to_device_to_server_to_device(daemon: RoostDaemon, places: Places) -> None:
    started(daemon, places)
    assert f"<source dev='{places.top}' index='1'/>" in disk_of(daemon)
    assert f"<source file='{places.dir}/base'/>" in disk_of(daemon)
    # A device holds anything before: it is formatted unless the client says that it is to be taken as it is.
    target = f"<disk type='block' device='disk'><driver name='qemu' type='qcow2'/><source dev='{places.free}'/></disk>"
    copied(daemon, "--xml", document(places, target), "--shallow")
    assert f"<source dev='{places.free}' index='3'/>" in disk_of(daemon)
    assert f"<source file='{places.dir}/base'/>" in disk_of(daemon)
    copied(daemon, "--xml", document(places, on_server(places)), "--reuse-external")
    for text in (disk_of(daemon), disk_of(daemon, "--inactive")):
        assert "<disk type='network'" in text
        assert f"<host transport='unix' socket='{places.served}'/>" in text
    holds(places.kept, "raw")
    holds(places.free, "qcow2")
    refused = virsh(daemon.uri, "blockcopy", "placed", "vda", str(places.top), "--transient-job")
    assert f"destination of disk vda is a block device, not a file: {places.top}; --blockdev" in refused.stderr
    raw = ("--dest", str(places.top), "--blockdev", "--format", "raw")
    refused = virsh(daemon.uri, "blockcopy", "placed", "vda", *raw, "--transient-job")
    assert "different sizes; disk vda has 8388608 bytes, the destination 16777216" in refused.stderr
    tool("truncate", "-s", "8M", str(places.dir / "device0"))
    tool("losetup", "-c", str(places.top))
    copied(daemon, *raw)
    virsh_ok(daemon.uri, "destroy", "placed")
    holds(places.top, "raw")


def test_an_overlay_on_a_device_is_committed_and_pulled(daemon: RoostDaemon, places: Places) -> None:
    started(daemon, places)
    virsh_ok(daemon.uri, "blockcommit", "placed", "vda", "--active", "--wait", "--pivot")
    assert f"<source file='{places.dir}/base' index='2'/>" in disk_of(daemon)
    virsh_ok(daemon.uri, "destroy", "placed")
    holds(places.dir / "base", "qcow2")
    tool("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(places.dir / "base"), "-F", "qcow2", str(places.top))
    started(daemon, places)
    virsh_ok(daemon.uri, "blockpull", "placed", "vda", "--wait")
    assert "<backingStore/>" in disk_of(daemon)
    assert str(places.dir / "base") not in disk_of(daemon)
    virsh_ok(daemon.uri, "destroy", "placed")
    (places.dir / "base").unlink()
    holds(places.top, "qcow2")


def test_devices_are_written_and_shown_by_backups(daemon: RoostDaemon, places: Places) -> None:
    tool("truncate", "-s", "8M", str(places.dir / "device1"))
    tool("losetup", "-c", str(places.free))
    started(daemon, places)
    push = "<domainbackup><disks><disk name='vda' type='block'><driver type='raw'/><target dev='{}'/></disk></disks>"
    virsh_ok(daemon.uri, "backup-begin", "placed", document(places, push.format(places.free) + "</domainbackup>"))
    wait_for(lambda: not virsh(daemon.uri, "backup-dumpxml", "placed").ok)
    holds(places.free, "raw")
    pull = (
        f"<domainbackup mode='pull'><server transport='unix' socket='{places.dir}/pull'/><disks>"
        f"<disk name='vda' type='block'><driver type='qcow2'/><scratch dev='{places.free}'/></disk></disks>"
    )
    # What is on the device is not looked at: it is formatted.
    virsh_ok(daemon.uri, "backup-begin", "placed", document(places, pull + "</domainbackup>"))
    image = f"nbd+unix:///vda?socket={places.dir}/pull"
    tool("qemu-img", "convert", "-f", "raw", "-O", "raw", image, str(places.dir / "pulled"))
    holds(places.dir / "pulled", "raw")
    virsh_ok(daemon.uri, "domjobabort", "placed")
    wait_for(lambda: not virsh(daemon.uri, "backup-dumpxml", "placed").ok)


def test_disks_of_servers(daemon: RoostDaemon, places: Places) -> None:
    """Their size is known while the guest runs; libvirt's clients know by the error's origin that it is not else."""
    path = places.dir / "guest.xml"
    target = "<target dev='vda' bus='virtio'/>"
    path.write_text(domain_xml("placed", devices=on_server(places, target), graphics="", interfaces=""))
    virsh_ok(daemon.uri, "define", str(path))
    refused = virsh(daemon.uri, "domblkinfo", "placed", "vda")
    assert "missing storage backend for network files using nbd protocol" in refused.stderr
    assert re.search(r"vda +- +- +-", virsh_ok(daemon.uri, "domblkinfo", "placed", "--all"))
    virsh_ok(daemon.uri, "start", "placed", "--paused")
    assert re.search(r"vda +8388608 ", virsh_ok(daemon.uri, "domblkinfo", "placed", "--all"))
    copied(daemon, str(places.dir / "copy"), "--format", "qcow2")
    assert f"<source file='{places.dir}/copy' index='2'/>" in disk_of(daemon)


def of_state(places: Places) -> list[tuple[str, ...]]:
    saved = str(places.dir / "saved")
    return [("save", "placed", saved), ("managedsave", "placed"), ("dump", "placed", saved)]


def test_memory_is_not_taken_while_a_job_works_on_a_disk(daemon: RoostDaemon, places: Places) -> None:
    started(daemon, places)
    begins: list[Callable[[], object]] = [
        lambda: virsh_ok(daemon.uri, "blockpull", "placed", "vda", "--bandwidth", "1", "--bytes"),
        lambda: virsh_ok(daemon.uri, "blockcopy", "placed", "vda", f"{places.dir}/copy", "--transient-job", "--wait"),
    ]
    for begin in begins:
        begin()
        for words in of_state(places):
            assert (
                "domain has active block job; on vda; blockjob vda --abort ends it" in virsh(daemon.uri, *words).stderr
            )
        virsh_ok(daemon.uri, "blockjob", "placed", "vda", "--abort")
    assert virsh_ok(daemon.uri, "domstate", "placed").strip() == "paused"
    assert not (places.dir / "saved").exists()
    virsh_ok(daemon.uri, "save", "placed", str(places.dir / "saved"))


PEEK = """
domain = libvirt.open(sys.argv[1]).lookupByName("placed")
def ask(path, offset, size):
    try:
        return domain.blockPeek(path, offset, size).hex()
    except libvirt.libvirtError as error:
        return [error.get_error_code(), error.get_error_message()]
print(json.dumps([ask(*each) for each in json.loads(sys.argv[2])]))
"""


def on_devices(places: Places) -> Path:
    """The document of a domain `placed` with a qcow2 and a raw disk."""
    disks = "".join(
        f"<disk type='block' device='disk'><driver name='qemu' type='{format}'/><source dev='{path}'/>"
        f"<target dev='{target}' bus='virtio'/></disk>"
        for target, path, format in (("vda", places.top, "qcow2"), ("vdb", places.free, "raw"))
    )
    path = places.dir / "guest.xml"
    path.write_text(domain_xml("placed", devices=disks, graphics="", interfaces=""))
    return path


def test_bytes_of_raw_disks_alone_are_read(daemon: RoostDaemon, places: Places) -> None:
    """Of devices as of files, while the guest runs and before."""
    tool("qemu-io", "-f", "raw", "-c", "write -P 7 512 512", str(places.free))
    virsh_ok(daemon.uri, "define", str(on_devices(places)))
    asked = [("vdb", 510, 4), (str(places.free), 1022, 4), ("vda", 0, 4), ("vdb", (16 << 20) - 2, 4), ("vdz", 0, 4)]
    for _ in range(2):
        found = libvirt_result(PEEK, daemon.uri, json.dumps(asked))
        assert found[:2] == ["00000707", "07070000"]
        assert [code for code, _ in found[2:]] == [84, 8, 8]
        assert "peeking is only supported for disk with 'raw' format not 'qcow2'" in found[2][1]
        assert "has only 2 bytes available" in found[3][1]
        virsh(daemon.uri, "start", "placed", "--paused")


RESIZE = """
domain = libvirt.open(sys.argv[1]).lookupByName("placed")
def resized(path, size, flags):
    try:
        domain.blockResize(path, size, flags)
    except libvirt.libvirtError as error:
        return [error.get_error_code(), error.get_error_message()]
    return domain.blockInfo(path)[0]
print(json.dumps([resized(*each) for each in json.loads(sys.argv[2])]))
"""


def test_disks_of_the_size_of_their_device(daemon: RoostDaemon, places: Places) -> None:
    """Flags of libvirt 10.0 and 12.3: all that the device has, and never less than before."""
    virsh_ok(daemon.uri, "create", str(on_devices(places)), "--paused")
    tool("truncate", "-s", "20M", str(places.dir / "device1"))
    tool("losetup", "-c", str(places.free))
    every, extend = 2, 4
    asked = [("vdb", 0, every), ("vdb", 5, every), ("vdb", 20 << 10, every | extend), ("vda", 0, every)]
    asked += [("vda", 9 << 10, extend), ("vda", 8 << 10, extend)]
    found = libvirt_result(RESIZE, daemon.uri, json.dumps(asked))
    assert found[0] == found[2] == 20 << 20
    assert found[1] == [8, "invalid argument: Requested resize to '5120' but device size is '20971520'"]
    assert found[3][0] == 84
    assert found[4] == 9 << 20
    assert "disk 'vda' would shrink from 9437184 to 8388608 bytes" in found[5][1]


def test_a_disk_without_room_is_told_and_goes_on_with_some(daemon: RoostDaemon, places: Places) -> None:
    small = places.dir / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "none", str(small)], check=True)
    try:
        tool("qemu-img", "create", "-q", "-f", "qcow2", str(small / "disk"), "8M")
        disk = (
            f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{small}/disk'/>"
            "<target dev='vda' bus='virtio'/></disk>"
        )
        path = places.dir / "guest.xml"
        path.write_text(domain_xml("placed", devices=disk, graphics="", interfaces=""))
        virsh_ok(daemon.uri, "create", str(path))
        assert "No errors found" in virsh_ok(daemon.uri, "domblkerror", "placed")
        terminal = os.open(virsh_ok(daemon.uri, "ttyconsole", "placed").strip(), os.O_RDWR | os.O_NOCTTY)
        try:
            console = Console(terminal)
            os.write(terminal, b"\n")
            console.wait_for(READY)
            os.write(terminal, b"sh dd if=/dev/zero of=/dev/vda bs=64k count=32 conv=fsync 2>/dev/null; echo through\n")
            wait_for(lambda: "paused (I/O error)" in virsh_ok(daemon.uri, "domstate", "placed", "--reason"))
            assert virsh_ok(daemon.uri, "domblkerror", "placed").strip() == "vda: no space"
            subprocess.run(["mount", "-o", "remount,size=4m", str(small)], check=True)
            virsh_ok(daemon.uri, "resume", "placed")
            console.wait_for("\nthrough")
            assert virsh_ok(daemon.uri, "domstate", "placed").strip() == "running"
        finally:
            os.close(terminal)
    finally:
        virsh(daemon.uri, "destroy", "placed")
        subprocess.run(["umount", str(small)], check=True)
