"""roost beside virsh on the same daemon and guest: commands about images, checkpoints and backups."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from roost.cli.app import main
from support.daemon import RoostDaemon
from support.guests import domain_xml
from support.peer import run, virsh, virsh_ok

pytestmark = [pytest.mark.guest, pytest.mark.root]

Program = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-utils is not installed")
    with RoostDaemon() as running:
        yield running


@pytest.fixture
def guest(daemon: RoostDaemon) -> Iterator[Path]:
    """A paused guest called `g` on a chain of two images; their directory."""
    images = daemon.root / "images"
    images.mkdir()
    images.chmod(0o777)
    create = ["qemu-img", "create", "-q", "-f", "qcow2"]
    subprocess.run([*create, str(images / "base"), "8M"], check=True)
    subprocess.run([*create, "-b", str(images / "base"), "-F", "qcow2", str(images / "top")], check=True)
    disk = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{images}/top'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    path = daemon.root / "g.xml"
    path.write_text(domain_xml("g", devices=disk, graphics="", interfaces=""))
    virsh_ok(daemon.uri, "create", str(path), "--paused")
    yield images
    virsh(daemon.uri, "destroy", "g")
    shutil.rmtree(images)
    shutil.rmtree(daemon.root / "lib" / "qemu" / "checkpoint", ignore_errors=True)


@pytest.fixture
def both(daemon: RoostDaemon, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run words by both programs, which must agree; `undo` by virsh in between."""

    def compare(*words: str, undo: tuple[str, ...] = ()) -> tuple[int, str, str]:
        answer = run(["virsh", "-c", daemon.uri, *words])
        if undo:
            virsh_ok(daemon.uri, *undo)
        capfd.readouterr()
        code = main(("-c", daemon.uri, *words))
        mine = capfd.readouterr()
        # Progress depends on how fast the job was.
        theirs_err, mine_err = (re.sub(r"[\r\n][^\r\n]*\[ *\d+ %\]", "", text) for text in (answer.stderr, mine.err))
        assert (code, mine.out, mine_err) == (answer.returncode, answer.stdout, theirs_err)
        return code, mine.out, mine.err

    return compare


def test_jobs(guest: Path, both: Program) -> None:
    both("blockjob", "g", "vda", "--info")
    both("blockjob", "g", "vda", "--raw")
    assert both("blockjob", "g", "vda", "--abort")[0] == 1
    assert both("blockcommit", "g", "vda")[0] == 1
    both("blockcommit", "g", "vda", "--active", "--verbose")
    both("blockcommit", "g", "vda", "--pivot", "--keep-overlay")
    both("blockcommit", "g", "vda", "--active", undo=("blockjob", "g", "vda", "--abort"))
    code, _, err = both("blockjob", "g", "vda")
    assert (code, "Active Block Commit: [100 %]" in err) == (0, True)
    both("blockjob", "g", "vda", "--raw")
    both("blockjob", "g", "vda", "--bandwidth", "3")
    both("blockjob", "g", "vda")
    both("blockjob", "g", "vda", "--bytes", "--raw")
    both("blockjob", "g", "vda", "--info", "--abort")
    assert both("blockpull", "g", "vda")[0] == 1
    both("blockcopy", "g", "vda")
    both("blockcopy", "g", "vda", "/x", "--print-xml", "--format", "a<b")


def test_waiting_for_jobs(guest: Path, both: Program) -> None:
    both("blockcommit", "g", "vda", "--keep-overlay", "--verbose")
    both("blockcommit", "g", "vda", "--active", "--wait", undo=("blockjob", "g", "vda", "--abort"))
    both("blockjob", "g", "vda", "--abort", undo=("blockcommit", "g", "vda", "--active", "--wait"))
    copy = guest / "copy"
    copy.touch()
    words = ("blockcopy", "g", "vda", str(copy), "--reuse-external", "--raw", "--transient-job")
    subprocess.run(["truncate", "-s", "8M", str(copy)], check=True)
    both(*words, "--finish")
    both(*words, undo=("blockjob", "g", "vda", "--abort"))


def test_pull(guest: Path, both: Program) -> None:
    # The second pull finds nothing to do, and says the same.
    both("blockpull", "g", "vda", "--wait", "--verbose")


def test_disks(guest: Path, both: Program) -> None:
    both("domblkinfo", "g", "vda")
    both("domblkinfo", "g", "vda", "--human")
    both("domblkinfo", "g", "--all")
    both("domblkinfo", "g")
    both("domblkinfo", "g", "vdb")
    both("domblkerror", "g")
    both("domblkstat", "g", "vda")
    both("blockresize", "g", "vda", "9M")
    both("blockresize", "g", "vda", "9437185b")
    both("blockresize", "g", "vdx", "9M")
    both("domblkthreshold", "g", "vda", "1M")
    both("domblkthreshold", "g", "vda[2]", "1M")
    both("domblkthreshold", "g", "vda[9]", "1M")


def test_checkpoints(daemon: RoostDaemon, guest: Path, both: Program) -> None:
    both("checkpoint-list", "g")
    both("checkpoint-create-as", "g", "a", "first & best", "--print-xml", "vda,checkpoint=bitmap,bitmap=a", "sdb")
    both("checkpoint-create-as", "g", "a", "x", "vda,foo=bar")
    for name in ("a", "b", "c"):
        virsh_ok(daemon.uri, "checkpoint-create-as", "g", name)
    both("checkpoint-create-as", "g", "a")
    for options in ((), ("--parent",), ("--tree",), ("--name",), ("--roots",), ("--leaves", "--name"),
                    ("--no-leaves", "--topological"), ("--from", "a"), ("--from", "a", "--descendants", "--tree"),
                    ("--descendants",), ("--tree", "--roots"), ("--from", "nosuch")):  # fmt: skip
        both("checkpoint-list", "g", *options)
    both("checkpoint-info", "g", "b")
    both("checkpoint-info", "g")
    both("checkpoint-parent", "g", "b")
    both("checkpoint-parent", "g", "a")
    both("checkpoint-dumpxml", "g", "b", "--no-domain")
    both("checkpoint-dumpxml", "g", "b", "--no-domain", "--size")
    both("checkpoint-dumpxml", "g", "b", "--xpath", "//disk")
    both("checkpoint-delete", "g", "c", undo=("checkpoint-create-as", "g", "c"))
    both("checkpoint-delete", "g", "nosuch")
    both("checkpoint-create", "g", "--redefine-validate")


def test_backups(daemon: RoostDaemon, guest: Path, both: Program) -> None:
    both("backup-dumpxml", "g")
    document = daemon.root / "backup.xml"
    document.write_text(
        f"<domainbackup mode='pull'><server transport='unix' socket='{guest}/nbd'/><disks><disk name='vda' type='file'>"
        f"<scratch file='{guest}/scratch'/></disk></disks></domainbackup>"
    )
    virsh_ok(daemon.uri, "backup-begin", "g", str(document))
    both("backup-dumpxml", "g")
    both("backup-dumpxml", "g", "--xpath", "//server", "--wrap")
    both("backup-begin", "g", str(document))
    both("backup-begin", "g", "/nosuch")
