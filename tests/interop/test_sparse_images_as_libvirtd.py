"""Save images in which each page has its place, exchanged with a libvirtd that writes them too."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from support.emulators import need_mapped_ram
from support.peer import Peer, run, virsh, virsh_ok
from support.savers import Sides, sides

pytestmark = [pytest.mark.guest, pytest.mark.root]

#: Seconds for the first steps of a firmware.
PATIENCE = 60.0
DOCUMENT = """<domain type='qemu'><name>moved</name><uuid>5c1f1b3e-0000-4000-8000-0000000000f2</uuid>
<memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><serial type='pty'/></devices></domain>"""


class Sparse(Peer):
    """A libvirtd whose images are such."""

    CONFIGURATION: ClassVar[dict[str, str]] = {
        **Peer.CONFIGURATION,
        "qemu.conf": Peer.CONFIGURATION["qemu.conf"]
        + 'save_image_format = "sparse"\nsnapshot_image_format = "sparse"\n',
    }


@pytest.fixture(scope="module")
def has_sparse() -> None:
    """Whether QEMU and libvirt are new enough; the others of these comparisons are with libvirt 9.0."""
    if shutil.which("virsh") is None or not os.access("/usr/sbin/libvirtd", os.X_OK):
        pytest.skip("libvirt is not installed")
    if "--image-format" not in run(["virsh", "help", "save"]).stdout:
        pytest.skip("this libvirt is older than 11.2, which has save images of the format sparse")
    need_mapped_ram()


@pytest.fixture
def both(has_sparse: None) -> Iterator[Sides]:
    yield from sides(Peer(), "raw")


@pytest.fixture
def sparse_sides(has_sparse: None) -> Iterator[Sides]:
    yield from sides(Sparse(), "sparse")


def memory(uri: str) -> str:
    """What the guest's firmware writes first, and the firmware."""
    return "".join(
        virsh_ok(uri, "qemu-monitor-command", "moved", "--hmp", f"xp /64xw {place}") for place in ("0", "0xf0000")
    )


def stopped(uri: str) -> str:
    """The guest stands still once its firmware has written something; its memory."""
    deadline = time.monotonic() + PATIENCE
    while not re.search("0x0*[1-9a-f]", virsh_ok(uri, "qemu-monitor-command", "moved", "--hmp", "xp /64xw 0")):
        assert time.monotonic() < deadline, "the firmware does not run"
        time.sleep(0.02)
    virsh_ok(uri, "suspend", "moved")
    return memory(uri)


def test_what_qemu_conf_asks_for(sparse_sides: Sides) -> None:
    """Its settings are enough; a document that one has put into an image is read by the other."""
    document, changed = sparse_sides.directory / "moved.xml", sparse_sides.directory / "changed.xml"
    document.write_text(DOCUMENT)
    one, other = sparse_sides.libvirtd, sparse_sides.roostd
    image = str(sparse_sides.directory / "image")
    virsh_ok(one, "create", str(document))
    before = stopped(one)
    for _ in range(2):
        virsh_ok(one, "save", "moved", image, "--running")
        assert Path(image).read_bytes()[28:32] == b"\6\0\0\0"
        shown = [virsh_ok(uri, "save-image-dumpxml", image) for uri in (one, other)]
        assert shown[0] == shown[1], "\n".join(difflib.unified_diff(shown[0].splitlines(), shown[1].splitlines()))
        changed.write_text(shown[0].replace("</uuid>", "</uuid><title>of another</title>", 1))
        virsh_ok(other, "save-image-define", image, str(changed), "--paused")
        assert "<title>of another</title>" in virsh_ok(one, "save-image-dumpxml", image)
        virsh_ok(other, "restore", image, "--parallel-channels", "2")
        assert virsh_ok(other, "domstate", "moved").strip() == "paused"
        assert memory(other) == before
        one, other = other, one
    virsh_ok(one, "destroy", "moved")


def test_memory_of_a_snapshot(sparse_sides: Sides) -> None:
    """libvirtd calls it sparse whether or not it is."""
    document, image = sparse_sides.directory / "moved.xml", sparse_sides.directory / "image"
    document.write_text(DOCUMENT)
    virsh_ok(sparse_sides.libvirtd, "define", str(document))
    virsh_ok(sparse_sides.libvirtd, "start", "moved")
    before = stopped(sparse_sides.libvirtd)
    virsh_ok(sparse_sides.libvirtd, "snapshot-create-as", "moved", "--memspec", str(image))
    virsh_ok(sparse_sides.libvirtd, "destroy", "moved")
    assert image.read_bytes()[28:32] == b"\6\0\0\0"
    virsh_ok(sparse_sides.roostd, "restore", str(image))
    assert memory(sparse_sides.roostd) == before


def test_channels_there_and_back(both: Sides) -> None:
    """Through more channels or fewer, past the cache or not, and by the next start of a domain."""
    document = both.directory / "moved.xml"
    document.write_text(DOCUMENT)
    image = str(both.directory / "image")
    for one, other in ((both.libvirtd, both.roostd), (both.roostd, both.libvirtd)):
        virsh_ok(one, "create", str(document))
        before = stopped(one)
        for out, back in (
            (("--parallel-channels", "3"), ()),
            ((), ("--parallel-channels", "2", "--bypass-cache")),
            (("--parallel-channels", "2", "--bypass-cache"), ("--parallel-channels", "4")),
        ):
            virsh_ok(one, "save", "moved", image, "--image-format", "sparse", *out)
            assert Path(image).read_bytes()[28:32] == b"\6\0\0\0"
            virsh_ok(other, "restore", image, *back)
            assert memory(other) == before
            one, other = other, one
        virsh_ok(one, "destroy", "moved")


#: The domain is not running at first.
REFUSED = (
    "save moved {0}/image --image-format zip --parallel-channels 2",
    "save moved {0}/image --image-format raw --parallel-channels 2",
    "start moved",
    "save moved {0}/image --parallel-channels 2",
    "save moved {0}/image --parallel-channels 0",
    "save moved {0}/image --image-format raw --parallel-channels 1",
    "save moved {0}/image --image-format zstd --parallel-channels -1",
    "save moved {0}/image --image-format Sparse",
    "save moved {0}/image --image-format sparse --parallel-channels 0",
    "save moved {0}/image --image-format sparse --parallel-channels -1",
    "save moved {0}/image --image-format sparse --parallel-channels 256",
    "save moved {0}/image --image-format sparse --parallel-channels x",
    "save moved /nowhere/image --image-format sparse",
    "save moved {0} --image-format sparse",
    "save moved /dev/null --image-format sparse --running --paused",
    "domstate moved --reason",
    "save moved {0}/image --image-format sparse --paused",
    "restore {0}/image --parallel-channels 0",
    "restore {0}/image --parallel-channels -7",
    "restore {0}/image --parallel-channels 1000",
    "restore {0}/image --parallel-channels 2",
    "domstate moved",
    "save moved {0}/image",
    "restore {0}/image --parallel-channels 2",
    "restore {0}/image --parallel-channels 0",
    "restore {0}/none --parallel-channels 0",
    "restore {0}/image",
)


def test_wrong_channels(both: Sides) -> None:
    """The same words of libvirtd's virsh; hints are ours alone."""
    (both.directory / "moved.xml").write_text(DOCUMENT)
    said = []
    for uri, name in ((both.libvirtd, "theirs"), (both.roostd, "ours")):
        directory = both.directory / name
        directory.mkdir(mode=0o777)
        virsh_ok(uri, "define", str(both.directory / "moved.xml"))
        lines = []
        for words in REFUSED:
            done = virsh(uri, *words.format(directory).split())
            lines += [
                words,
                *(
                    line.split("; ")[0].replace(str(directory), "DIR")
                    for line in str(done.stdout + done.stderr).splitlines()
                ),
            ]
        said.append(lines)
        virsh_ok(uri, "destroy", "moved")
    assert said[1] == said[0], "\n".join(difflib.unified_diff(said[0], said[1]))
