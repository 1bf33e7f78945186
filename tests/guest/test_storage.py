"""Disks and directories that a guest sees for real: at a server, below others, for the time it runs, shared."""

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
from support.peer import accepts, in_chroot, virsh, virsh_ok

pytestmark = [pytest.mark.guest, pytest.mark.root]

SHARED = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"


def disk(source: str, *, type: str = "file", target: str = "vda", driver: str = "raw", rest: str = "") -> str:
    return (
        f"<disk type='{type}' device='disk'><driver name='qemu' type='{driver}'/>{source}"
        f"<target dev='{target}' bus='virtio'/>{rest}</disk>"
    )


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


@pytest.fixture
def images(daemon: RoostDaemon) -> Iterator[Path]:
    # Below the daemon's directory: QEMU's user must be able to enter.
    path = daemon.root / "images"
    path.mkdir()
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@contextlib.contextmanager
def guest(daemon: RoostDaemon, name: str, devices: str, *, extra: str = "") -> Iterator[Console]:
    """A booted guest that answers."""
    document = daemon.root / f"{name}.xml"
    document.write_text(domain_xml(name, devices=devices, extra=extra, graphics="", interfaces=""))
    virsh_ok(daemon.uri, "create", str(document))
    try:
        path = virsh_ok(daemon.uri, "ttyconsole", name).strip()
        terminal = os.open(path, os.O_RDWR | os.O_NOCTTY)
        try:
            console = Console(terminal)
            os.write(terminal, b"\n")
            console.wait_for(READY)
            yield console
        finally:
            os.close(terminal)
    finally:
        virsh_ok(daemon.uri, "destroy", name)


def qemu_img(*words: str) -> None:
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-img is not installed")
    subprocess.run(["qemu-img", *words], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def served(image: Path, socket: Path) -> Iterator[None]:
    """The image as an NBD export named `data` at a socket."""
    if shutil.which("qemu-nbd") is None:
        pytest.skip("qemu-nbd is not installed")
    command = ["qemu-nbd", "-k", str(socket), "-x", "data", "-f", "raw", "-t", str(image)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as server:
        try:
            while not accepts(socket):
                assert server.poll() is None
                time.sleep(0.01)
            yield
        finally:
            server.send_signal(signal.SIGTERM)


def test_a_disk_at_an_nbd_server(daemon: RoostDaemon, images: Path) -> None:
    image, socket = images / "data.img", images / "nbd.sock"
    image.write_bytes(b"from the server".ljust(1 << 20, b"\0"))
    source = f"<source protocol='nbd' name='data'><host transport='unix' socket='{socket}'/></source>"
    with served(image, socket), guest(daemon, "nbd", disk(source, type="network")) as console:
        console.ask("sh head -c 15 /dev/vda", "from the server")
        console.ask("sh printf changed | dd of=/dev/vda bs=512 conv=sync,fsync 2>/dev/null; echo written", "written")
        live = virsh_ok(daemon.uri, "dumpxml", "nbd")
        assert "<source protocol='nbd' name='data' tls='no' index='1'>" in live
    assert image.read_bytes().startswith(b"changed\0")


def test_a_chain_is_followed_and_lent_and_given_back(daemon: RoostDaemon, images: Path) -> None:
    base, middle, top = (images / name for name in ("base.img", "middle.qcow2", "top.qcow2"))
    base.write_bytes(b"at the bottom".ljust(1 << 20, b"\0"))
    qemu_img("create", "-q", "-f", "qcow2", "-b", "base.img", "-F", "raw", str(middle))
    qemu_img("create", "-q", "-f", "qcow2", "-b", str(middle), "-F", "qcow2", str(top))
    owners = [path.stat().st_uid for path in (base, middle, top)]
    with guest(daemon, "chain", disk(f"<source file='{top}'/>", driver="qcow2")) as console:
        console.ask("sh head -c 13 /dev/vda", "at the bottom")
        live = virsh_ok(daemon.uri, "dumpxml", "chain")
        stores = re.findall(r"<(backingStore type='file' index='\d'|source file='[^']*'|backingStore/)", live)
        assert [word.split("'")[-2] if "'" in word else word for word in stores] == [
            str(top), "2", str(middle), "3", str(base), "backingStore/",
        ]  # fmt: skip
    assert [path.stat().st_uid for path in (base, middle, top)] == owners


def test_a_transient_disk_forgets(daemon: RoostDaemon, images: Path) -> None:
    image = images / "kept.img"
    image.write_bytes(b"original".ljust(1 << 20, b"\0"))
    overlay = images / "kept.img.TRANSIENT-transient"
    with guest(daemon, "transient", disk(f"<source file='{image}'/>", rest="<transient/>")) as console:
        assert overlay.exists()
        console.ask("sh printf changed | dd of=/dev/vda bs=512 conv=sync,fsync 2>/dev/null; echo written", "written")
        console.ask("sh head -c 7 /dev/vda", "changed")
    assert image.read_bytes().startswith(b"original")
    assert not overlay.exists()


def test_media_that_may_be_missing(daemon: RoostDaemon, images: Path) -> None:
    gone = f"<source file='{images}/gone.img' startupPolicy='optional'/>"
    document = daemon.root / "missing.xml"
    cdrom = f"<disk type='file' device='cdrom'>{gone}<target dev='hda' bus='ide'/></disk>"
    document.write_text(domain_xml("missing", devices=disk(gone) + cdrom, graphics="", interfaces=""))
    virsh_ok(daemon.uri, "define", str(document))
    try:
        virsh_ok(daemon.uri, "start", "missing", "--paused")
        live = virsh_ok(daemon.uri, "domblklist", "missing").split()
        assert live == ["hda", "-"]
        assert "gone.img" in virsh_ok(daemon.uri, "dumpxml", "missing", "--inactive")
        virsh_ok(daemon.uri, "destroy", "missing")
    finally:
        virsh_ok(daemon.uri, "undefine", "missing")


@pytest.mark.parametrize(
    ("source", "type", "rest", "words"),
    [
        (
            "<source pool='x' volume='v'/>",
            "volume",
            "",
            "Storage pool not found: no storage pool with matching name 'x'",
        ),
        (
            "<source file='/dev/zero'/>",
            "file",
            "<encryption format='luks'><secret type='passphrase' usage='nope'/></encryption>",
            "Secret not found: no secret with matching usage 'nope'",
        ),
    ],
)
def test_what_no_driver_knows(daemon: RoostDaemon, source: str, type: str, rest: str, words: str) -> None:
    document = daemon.root / "unknown.xml"
    document.write_text(domain_xml("unknown", devices=disk(source, type=type, rest=rest), graphics="", interfaces=""))
    virsh_ok(daemon.uri, "define", str(document))
    try:
        assert words in virsh(daemon.uri, "start", "unknown").stderr
    finally:
        virsh_ok(daemon.uri, "undefine", "unknown")


def test_a_directory_by_9p(daemon: RoostDaemon, images: Path) -> None:
    (images / "hello").write_text("from the host\n")
    (images / "hello").chmod(0o644)
    shared = f"<filesystem accessmode='mapped'><source dir='{images}'/><target dir='tag'/><readonly/></filesystem>"
    owner = images.stat().st_uid
    with guest(daemon, "plan9", shared) as console:
        # The kernels for clouds see the device and have no driver for it.
        said = console.ask("sh cat /sys/bus/virtio/devices/*/device", "sh: exit 0")
        assert "0x0009" in said
        if "9p" in console.ask("sh cat /proc/filesystems", "sh: exit 0"):
            console.ask("sh mkdir /m; mount -t 9p -o trans=virtio,ro tag /m", "sh: exit 0")
            assert "from the host" in console.ask("sh cat /m/hello", "sh: exit 0")
        assert images.stat().st_uid == owner


@pytest.mark.skipif(in_chroot(), reason="virtiofsd makes itself a root of its own, which a chroot does not let it")
def test_a_directory_by_virtiofs(daemon: RoostDaemon, images: Path) -> None:
    if not any(os.access(path, os.X_OK) for path in ("/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd")):
        pytest.skip("virtiofsd is not installed")
    (images / "hello").write_text("from the host\n")
    shared = f"<filesystem><driver type='virtiofs'/><source dir='{images}'/><target dir='tag'/></filesystem>"
    with guest(daemon, "virtiofs", shared, extra=SHARED) as console:
        said = console.ask(
            "sh mkdir /m; mount -t virtiofs tag /m; cat /m/hello; echo back >/m/answer; sync", "sh: exit"
        )
        assert "from the host" in said
    assert (images / "answer").read_text() == "back\n"
