"""Save images exchanged with libvirtd, and `roost` beside virsh where a domain's memory is concerned."""

from __future__ import annotations

import difflib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from support.daemon import RoostDaemon
from support.peer import Peer, run, virsh, virsh_ok
from support.savers import Sides, sides

pytestmark = [pytest.mark.peer, pytest.mark.guest, pytest.mark.root]

UUID = "5c1f1b3e-0000-4000-8000-0000000000f1"
DOCUMENT = f"""<domain type='qemu'><name>moved</name><uuid>{UUID}</uuid><memory unit='MiB'>32</memory>
<vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><serial type='pty'/><graphics type='vnc' autoport='yes' listen='127.0.0.1' passwd='secret'/>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel></devices></domain>"""


class Gzip(Peer):
    """A libvirtd that compresses what it saves."""

    CONFIGURATION: ClassVar[dict[str, str]] = {
        **Peer.CONFIGURATION,
        "qemu.conf": Peer.CONFIGURATION["qemu.conf"] + 'save_image_format = "gzip"\n',
    }


@pytest.fixture(params=["raw", "gzip"])
def both(request: pytest.FixtureRequest) -> Iterator[Sides]:
    yield from sides(Gzip() if request.param == "gzip" else Peer(), request.param)


def memory(uri: str) -> str:
    """Some of the guest's memory."""
    return virsh_ok(uri, "qemu-monitor-command", "moved", "--hmp", "xp /64xw 0xf0000")


def test_images_go_there_and_back(both: Sides) -> None:
    """Saved by one, restored by the other, saved by that one, and restored by the first."""
    document = both.directory / "moved.xml"
    document.write_text(DOCUMENT)
    for one, other in ((both.libvirtd, both.roostd), (both.roostd, both.libvirtd)):
        virsh_ok(one, "create", str(document))
        first, second = both.directory / "first", both.directory / "second"
        virsh_ok(one, "suspend", "moved")
        before = memory(one)
        virsh_ok(one, "save", "moved", str(first))
        shown = [virsh_ok(uri, "save-image-dumpxml", str(first), "--security-info") for uri in (one, other)]
        assert "passwd='secret'" in shown[0]
        assert shown[0] == shown[1], "\n".join(difflib.unified_diff(shown[0].splitlines(), shown[1].splitlines()))
        virsh_ok(other, "restore", str(first))
        assert virsh_ok(other, "domstate", "moved").strip() == "paused"
        assert memory(other) == before
        virsh_ok(other, "save-image-define", str(first), str(written(both, shown[0])), "--running")
        virsh_ok(other, "save", "moved", str(second), "--running")
        virsh_ok(one, "restore", str(second))
        assert virsh_ok(one, "domstate", "moved", "--reason").strip() == "running (restored)"
        virsh_ok(one, "destroy", "moved")
        # What the other one has changed in the first one's image is read there, too.
        assert "<title>changed</title>" in virsh_ok(one, "save-image-dumpxml", str(first))
        virsh_ok(one, "restore", str(first))
        assert virsh_ok(one, "domstate", "moved").strip() == "running"
        virsh_ok(one, "destroy", "moved")


def written(both: Sides, shown: str) -> Path:
    path = both.directory / "changed.xml"
    path.write_text(shown.replace("</uuid>", "</uuid><title>changed</title>", 1))
    return path


COMMANDS = (
    "domjobinfo moved",
    "domjobabort moved",
    "domjobinfo moved --keep-completed",
    "save moved {0}/image --running --paused",
    "save moved /nowhere/image",
    "dump moved {0}/core --verbose",
    "dump moved {0}/core --format elf",
    "dump moved {0}/core --memory-only --format none",
    "dump moved {0}/core --memory-only --format kdump-zlib",
    "dump moved {0}/core --crash --live",
    "screenshot moved {0}/picture",
    "screenshot moved {0}/picture --screen 7",
    "screenshot moved /nowhere/picture",
    "domdirtyrate-calc moved --seconds 99",
    "domdirtyrate-calc moved --mode none",
    "domdirtyrate-calc moved",
    "managedsave-remove moved",
    "managedsave-dumpxml moved",
    "save moved {0}/image",
    "domjobinfo moved",
    "save-image-dumpxml {0}/image",
    "save-image-dumpxml {0}/image --xpath //name",
    "save-image-define {0}/image {0}/moved.xml",
    "save-image-define {0}/image /nowhere/document",
    "restore {0}/nothing",
    "restore {0}/image --paused",
    "restore {0}/image",
    "managedsave moved --running",
    "managedsave-dumpxml moved --xpath //name",
    "managedsave-define moved {0}/moved.xml --paused",
    "managedsave-remove moved",
    "managedsave-remove moved",
)


def test_roost_beside_virsh(tmp_path: Path) -> None:
    """The same commands in the same order, each program with a daemon of its own kind; hints are ours alone."""
    document = DOCUMENT.replace("<graphics", "<video><model type='vga'/></video><graphics")
    said: dict[str, list[str]] = {}
    for program in ("virsh", "roost"):
        with tempfile.TemporaryDirectory(prefix="roost-save-", dir="/tmp") as directory, RoostDaemon() as daemon:
            Path(directory).chmod(0o755)
            Path(directory, "moved.xml").write_text(document)
            virsh_ok(daemon.uri, "define", f"{directory}/moved.xml")
            virsh_ok(daemon.uri, "start", "moved")
            lines = said[program] = []
            command = ["virsh"] if program == "virsh" else [sys.executable, "-m", "roost.cli"]
            for words in COMMANDS:
                done = subprocess.run(
                    [*command, "-c", daemon.uri, *words.format(directory).split()],
                    capture_output=True, text=True, check=False, timeout=60,
                )  # fmt: skip
                text = f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
                lines += text.replace(directory, "DIR").replace(str(daemon.root), "ROOT").splitlines()
    assert said["roost"] == said["virsh"], "\n".join(difflib.unified_diff(said["virsh"], said["roost"]))


IN_TEST_DRIVER = (
    "managedsave test; domstate test --reason; list --all --managed-save; undefine test; managedsave-remove test;"
    " managedsave test; start test; list --all --managed-save",
    "save test {0}/image; domstate test --reason; save-image-dumpxml {0}/image; restore {0}/image --running;"
    " restore {0}/image; restore {0}/image; domstate test --reason",
    "save test {0}/image --xml {0}/moved.xml; save test /nowhere/image; restore {0}/nothing; restore {0}/moved.xml",
    "dump test {0}/core; dump test {0}/core --crash; domstate test --reason; dump test {0}/core",
    "domjobinfo test; domjobabort test; screenshot test --screen 1000000000000; domdirtyrate-calc test",
)


def test_the_test_driver_beside_libvirts() -> None:
    with tempfile.TemporaryDirectory(prefix="roost-save-", dir="/tmp") as directory, Peer() as peer:
        Path(directory).chmod(0o777)
        Path(directory, "moved.xml").write_text(DOCUMENT)
        with RoostDaemon() as daemon:
            for words in IN_TEST_DRIVER:
                uris = (f"test+unix:///default?socket={peer.socket_path}", daemon.uri_of("test", "default"))
                theirs, ours = (virsh(uri, words.format(directory)) for uri in uris)
                assert ours.stdout == theirs.stdout
                hints = [line.split("; ")[0] for line in ours.stderr.splitlines()]
                assert hints == theirs.stderr.splitlines(), words


def test_the_statistics_of_a_job_that_is_over(tmp_path: Path) -> None:
    """Lines and labels of domjobinfo; the numbers are another job's each time."""
    with RoostDaemon() as daemon:
        (tmp_path / "moved.xml").write_text(DOCUMENT)
        virsh_ok(daemon.uri, "define", str(tmp_path / "moved.xml"))
        virsh_ok(daemon.uri, "start", "moved")
        virsh_ok(daemon.uri, "dump", "moved", str(daemon.root / "core"))
        words = ("domjobinfo", "moved", "--completed", "--keep-completed")
        for more in ((), ("--rawstats",)):
            ours = run([sys.executable, "-m", "roost.cli", "-q", "-c", daemon.uri, *words, *more])
            assert ours.stdout == virsh(daemon.uri, *words, *more).stdout
            assert ours.stdout.count("\n") > 15
