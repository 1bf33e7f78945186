"""virsh's commands about images, on the same guest of roostd and of libvirtd: what is printed, and the documents.

Where roostd says more, it says libvirt's words first.
"""

from __future__ import annotations

import difflib
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.daemon import RoostDaemon
from support.guests import domain_xml
from support.peer import Peer, virsh

pytestmark = [pytest.mark.guest, pytest.mark.peer, pytest.mark.root]

#: Words for virsh after the guest's name is filled in for %; `I` is the directory of images, `D` of documents. `xml` is
#: the disk in the document; `settle` waits until no backup runs.
STEPS = """
blockcommit % vda --active
blockpull % vda
blockjob % vda --info
blockjob % vda --abort
blockresize % vda 9M
domblkerror %
domblkinfo % vda
checkpoint-create-as % c
checkpoint-list %
checkpoint-delete % c
backup-begin % D/pull.xml
backup-dumpxml %
start % --paused
xml
blockcommit % vda
blockcommit % vdz
blockcommit % vda --active --base vda[9]
blockcommit % vda --active --base /nosuch
blockcommit % vda --active --top vda[4]
blockcommit % vda --top vdb[4]
blockcommit % vda --top vda[5]
blockcommit % vdb --active
blockcommit % vda --active --base vda[5] --shallow
blockpull % vda --base vda[3]
blockpull % vda --base I/nosuch
blockpull % vda --keep-relative
blockpull % vda --keep-relative --base vda[5]
blockjob % vda --info
blockjob % vda --abort
blockjob % vda --pivot
blockjob % vda --bandwidth 10
blockjob % vdz --info
blockresize % vda 9M
blockresize % hda 9M
blockresize % vdz 9M
domblkinfo % hda
domblkinfo % vdz
domblkstat % vda
domblkstat % vdz
domblkerror %
domblkthreshold % vda 5M
domblkthreshold % vda[4] 5M
domblkthreshold % vda[9] 5M
domblkthreshold % vdz 5M
blockcopy % vda I/raw
blockcopy % vda I/raw --transient-job
blockcopy % vda relative --transient-job
blockcopy % vda --xml D/nowhere.xml --transient-job
blockcopy % vda --xml D/directory.xml --transient-job
blockcopy % vda I/nosuch --transient-job --reuse-external
blockcopy % vda I/nodir/x --transient-job
blockcopy % vda I/new --shallow --format raw --transient-job
blockcopy % vda I/new --granularity 3 --transient-job
blockcopy % vda I/new --blockdev --transient-job
blockcopy % vda I/new --format raw --transient-job --wait
xml
blockjob % vda --info
blockcopy % vda I/another --transient-job
save % I/saved
managedsave %
blockpull % vda
blockcommit % vda --active
blockjob % vda --abort
xml
blockcommit % vda --top vda[4] --wait
xml
xml --inactive
blockcommit % vda --active --wait
xml
blockjob % vda --pivot
xml
xml --inactive
blockpull % vda --wait
blockcopy % vda I/copy --transient-job --wait --pivot
xml
xml --inactive
checkpoint-create-as % c1
checkpoint-create-as % c1 --diskspec vda
checkpoint-create-as % c2 --diskspec vdb
checkpoint-create-as % c2 --diskspec vdz
checkpoint-create-as % c2 --diskspec vda,bitmap=x
checkpoint-create-as % c2 --diskspec vda --diskspec vdb,checkpoint=no
checkpoint-create-as % c2 --diskspec vda --diskspec vdb,checkpoint=no
checkpoint-dumpxml % c2 --xpath //domain/cpu|//domain/seclabel|//domain//disk[@device='disk']
checkpoint-list % --name
checkpoint-parent % c2
checkpoint-parent % c1
checkpoint-dumpxml % c2 --no-domain --size
checkpoint-dumpxml % nosuch
checkpoint-info % c1
checkpoint-delete % nosuch
backup-dumpxml %
backup-begin % D/since.xml
backup-begin % D/pull.xml
backup-dumpxml %
blockcopy % vda I/third --transient-job
blockjob % vda --info
domjobinfo %
domjobabort %
settle
domjobinfo % --completed
backup-begin % D/push.xml
settle
domjobinfo % --completed
checkpoint-delete % c1
checkpoint-list % --name
destroy %
undefine %
undefine % --checkpoints-metadata
"""

UUID = "6a4f3a54-3c5c-4d52-9d3b-1d1f2f0e7a10"
NAME = "blocks-as-libvirtd"


def prepare(root: Path) -> None:
    images = root / "blocks"
    images.mkdir()
    images.chmod(0o777)
    create = ["qemu-img", "create", "-q", "-f", "qcow2"]
    subprocess.run([*create, str(images / "base"), "8M"], check=True)
    for below, above in (("base", "middle"), ("middle", "top")):
        subprocess.run([*create, "-b", str(images / below), "-F", "qcow2", str(images / above)], check=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "raw", str(images / "raw"), "4M"], check=True)
    disks = "".join(
        f"<disk type='file' device='disk'><driver name='qemu' type='{format}'/><source file='{images}/{file}'/>"
        f"<target dev='{target}' bus='virtio'/></disk>"
        for target, file, format in (("vda", "top", "qcow2"), ("vdb", "raw", "raw"))
    )
    cdrom = "<disk type='file' device='cdrom'><target dev='hda' bus='ide'/></disk>"
    document = domain_xml(NAME, uuid_=UUID, devices=disks + cdrom, graphics="", interfaces="")
    (images / "guest.xml").write_text(document)
    (images / "nowhere.xml").write_text("<disk/>")
    (images / "directory.xml").write_text("<disk type='dir'><source dir='/x'/></disk>")
    server = f"<server transport='unix' socket='{images}/socket'/>"
    for name, text in (
        ("pull", f"<domainbackup mode='pull'>{server}<disks><disk name='vda' type='file'><scratch file='{images}/s'/>"),
        ("since", f"<domainbackup><incremental>no</incremental><disks><disk name='vda' type='file'>"
                  f"<target file='{images}/t'/>"),
        ("push", f"<domainbackup><disks><disk name='vdb' type='file'><target file='{images}/p'/><driver type='raw'/>"),
    ):  # fmt: skip
        (images / f"{name}.xml").write_text(f"{text}</disk></disks></domainbackup>")


def play(uri: str, root: Path) -> Iterator[str]:
    """What each step prints, the same for everybody in what is everybody's own: paths, times, numbers of images."""
    images = root / "blocks"
    assert virsh(uri, "define", str(images / "guest.xml")).ok
    for line in STEPS.strip().splitlines():
        words = [
            word.replace("%", NAME).replace("I/", f"{images}/").replace("D/", f"{images}/") for word in line.split()
        ]
        if words[0] == "xml":
            text = virsh(uri, "dumpxml", NAME, *words[1:]).stdout
            answer = "".join(re.findall(r"<disk .*?</disk>", text, re.DOTALL)[:1])
        elif words[0] == "settle":
            deadline = time.monotonic() + 60
            while virsh(uri, "backup-dumpxml", NAME).ok:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            continue
        else:
            done = virsh(uri, *words)
            answer = f"{done.returncode} {done.stdout}{done.stderr}"
        answer = answer.replace(str(root), "ROOT")
        answer = re.sub(r"(?<=<creationTime>)\d+", "0", answer)
        answer = re.sub(r"(?<=Time elapsed:) +\d+ +ms", " 0", answer)
        # A number is taken for a copy sooner than libvirt does: one that was refused leaves a gap.
        answer = re.sub(r"(?<=index=')([6-9]|\d\d)(?=')", "N", answer)
        # How much a sparse file takes is the file system's affair.
        answer = re.sub(r"(?<=Allocation:) +\d+", " 0", answer)
        yield f"{line}: {answer.strip()}"


def starts_alike(ours: str, theirs: str) -> bool:
    """Whether each line begins with libvirt's."""
    pairs = zip(ours.splitlines(), theirs.splitlines(), strict=False)
    return ours.count("\n") == theirs.count("\n") and all(
        mine == other or mine.startswith((f"{other};", f"{other} ")) for mine, other in pairs
    )


def test_the_same_words(peer: Peer) -> None:
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-utils is not installed")
    with RoostDaemon() as daemon:
        for root in (daemon.root, peer.root):
            prepare(root)
        try:
            theirs = list(play(peer.uri, peer.root))
            ours = list(play(daemon.uri, daemon.root))
        finally:
            virsh(peer.uri, "destroy", NAME)
            virsh(peer.uri, "undefine", NAME, "--checkpoints-metadata")
            shutil.rmtree(peer.root / "blocks")
    different = [(mine, other) for mine, other in zip(ours, theirs, strict=True) if not starts_alike(mine, other)]
    apart = [line for mine, other in different for line in difflib.unified_diff(other.splitlines(), mine.splitlines())]
    assert not different, "\n".join(apart)
