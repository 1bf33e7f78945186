"""Disks that take a guest's own commands, and devices that have its memory locked, under libvirtd and under roostd."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest

from roost.drivers.qemu.tuning import locking
from roost.host.api import UNLIMITED
from roost.model.domain import parse
from support.daemon import RoostDaemon
from support.limits import may_raise_limits
from support.loops import loop_device
from support.peer import Peer, virsh, virsh_ok

pytestmark = [pytest.mark.peer, pytest.mark.root]

NAME = "passed"
#: A virtio disk of the old kind needs no SCSI device behind it.
XML = f"""<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>{NAME}</name>
<maxMemory slots='4' unit='MiB'>512</maxMemory><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>
<devices><controller type='scsi' model='virtio-scsi'/>
<disk type='block' device='lun'><driver name='qemu' type='raw'/><source dev='LOOP0'/><target dev='vda' bus='virtio'/>
</disk></devices>
<qemu:commandline><qemu:arg value='-global'/><qemu:arg value='virtio-blk-pci.disable-modern=on'/></qemu:commandline>
</domain>"""


def lun(device: str, target: str, bus: str = "virtio", reservations: str = "<reservations managed='yes'/>") -> str:
    return (
        f"<disk type='block' device='lun'><driver name='qemu' type='raw'/><source dev='{device}'>{reservations}"
        f"</source><target dev='{target}' bus='{bus}'/></disk>"
    )


VDPA = "<interface type='vdpa'><mac address='52:54:00:00:00:07'/><source dev='/dev/null'/></interface>"
DEVICES = {
    "first": lun("LOOP1", "vdb"),
    "second": lun("LOOP2", "vdc"),
    "without": lun("LOOP1", "vdb", reservations=""),
    "on-scsi": lun("LOOP2", "sda", "scsi"),
    "no-mode": lun("LOOP2", "vdc", reservations="<reservations managed='no'/>"),
    "on-disk": lun("LOOP2", "vdc").replace("device='lun'", "device='disk'"),
    "copy": "<disk type='block'><driver type='raw'/><source dev='LOOP2'><reservations managed='yes'/></source></disk>",
    "vdpa": VDPA,
    "dimm": "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>",
}


class Step(NamedTuple):
    """words: for virsh; @NAME is a device in a file. helpers: how QEMU reaches them behind it."""

    words: str
    helpers: tuple[str, ...] = ()


MANAGED = ("pr-helper0",)
STEPS = (
    Step("attach-device NAME @on-disk --live"),
    Step("attach-device NAME @no-mode --live"),
    Step("attach-device NAME @on-scsi --live"),
    Step("attach-device NAME @first --live", MANAGED),
    Step("attach-device NAME @first --live", MANAGED),
    Step("attach-device NAME @on-scsi --live", MANAGED),
    Step("update-device NAME @first --live", MANAGED),
    Step("update-device NAME @without --live", MANAGED),
    Step("snapshot-create-as NAME one --disk-only --no-metadata", MANAGED),
    Step("blockcopy NAME vda FILES/copy --format raw --transient-job", MANAGED),
    Step("blockcopy NAME vda --xml @copy --reuse-external --transient-job --wait", MANAGED),
    Step("blockjob NAME vda --abort", MANAGED),
    Step("attach-device NAME @second --live", MANAGED),
    Step("attach-device NAME @first --config", MANAGED),
    Step("detach-device NAME @first --config", MANAGED),
)
#: What a kernel that does not let limits be raised refuses at either.
LOCKING = (
    Step("attach-device NAME @vdpa --live"),
    Step("memtune NAME --hard-limit 400000 --live"),
    Step("attach-device NAME @vdpa --live"),
    Step("attach-device NAME @vdpa --config"),
)


@pytest.fixture(scope="module")
def places() -> Iterator[dict[str, str]]:
    """A directory and three devices, by what documents and steps call them."""
    # Not pytest's own directory: QEMU's user must be able to enter.
    directory = Path(tempfile.mkdtemp(prefix="roost-passed-", dir="/tmp"))
    directory.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory)
        found = {f"LOOP{number}": str(loop_device(stack, directory / f"{number}", 4)) for number in range(3)}
        yield {"FILES": str(directory), "NAME": NAME, **found}


def filled(text: str, places: dict[str, str]) -> str:
    return re.sub("|".join(places), lambda found: places[found[0]], text)


def play(uri: str, places: dict[str, str], steps: tuple[Step, ...]) -> list[tuple[int, str, tuple[str, ...], str]]:
    """Of each step: how it ended, what it printed, QEMU's ways to helpers, and the live document's disks."""
    directory = Path(places["FILES"])
    document, device = directory / "guest.xml", directory / "device.xml"
    document.write_text(filled(XML, places))
    virsh_ok(uri, "define", str(document))
    virsh_ok(uri, "start", NAME)
    outcomes = []
    try:
        for step in steps:
            words = filled(step.words, places).split()
            for place, word in enumerate(words):
                if word.startswith("@"):
                    device.write_text(filled(DEVICES[word[1:]], places))
                    words[place] = str(device)
            answer = virsh(uri, *words)
            asked = virsh_ok(uri, "qemu-monitor-command", NAME, '{"execute": "query-pr-managers"}')
            helpers = tuple(sorted(entry["id"] for entry in json.loads(asked)["return"]))
            outcomes.append((answer.returncode, answer.stdout + answer.stderr, helpers, disks(uri)))
    finally:
        virsh_ok(uri, "destroy", NAME)
        virsh_ok(uri, "undefine", NAME)
    return outcomes


def disks(uri: str) -> str:
    """Without the numbers of images and of the guest."""
    text = "\n".join(re.findall(r"<disk.*?</disk>", virsh_ok(uri, "dumpxml", NAME), re.DOTALL))
    return re.sub(r" index='[0-9]+'|'/[^']*(?=/pr-helper0\.sock')", "", text)


def comparable(text: str) -> str:
    """What was printed, without the number of a process."""
    return re.sub(r"of process [0-9]+", "of process …", text).strip()


def says_the_same(ours: str, theirs: str) -> bool:
    """Whether the lines are the same, but for what helps, said behind them."""
    pairs = zip_longest(comparable(ours).splitlines(), comparable(theirs).splitlines(), fillvalue="")
    return all(our == their or our.startswith(f"{their}; ") for our, their in pairs)


@pytest.mark.parametrize("steps", [STEPS, LOCKING], ids=["reservations", "locking"])
def test_the_same(peer: Peer, places: dict[str, str], steps: tuple[Step, ...]) -> None:
    if steps is LOCKING and may_raise_limits():
        pytest.skip("limits may be raised here: it is QEMU that refuses a device that is none")
    theirs = play(peer.uri, places, steps)
    with RoostDaemon() as daemon:
        ours = play(daemon.uri, places, steps)
    for step, mine, other in zip(steps, ours, theirs, strict=True):
        assert mine[2] == other[2] == step.helpers, step.words
        assert mine[0] == other[0], f"{step.words}: {other[1]!r}, {mine[1]!r}"
        assert says_the_same(mine[1], other[1]), f"{step.words}: {other[1]!r}, {mine[1]!r}"
        assert mine[3].splitlines() == other[3].splitlines(), step.words


#: Guests that must lock memory, more than they may: what is different about each.
LOCKED = {
    "vdpa": "CARD",
    "two": "CARD CARD",
    "behind an iommu": "CARD CARD IOMMU",
    "with memory": "CARD DIMM",
    "bounded": "CARD HARD",
    "locked": "LOCKED",
    "locked and bounded": "LOCKED HARD",
}
_PARTS = {
    "CARD": "<interface type='vdpa'><source dev='/dev/null'/></interface>",
    "IOMMU": "<iommu model='intel'><driver intremap='on'/></iommu>",
    "DIMM": DEVICES["dimm"],
}


def locked_xml(words: list[str]) -> str:
    bound = "<memtune><hard_limit unit='KiB'>4000000</hard_limit></memtune>" if "HARD" in words else ""
    locked = "<memoryBacking><locked/></memoryBacking>" if "LOCKED" in words else ""
    size = 192 if "DIMM" in words else 64
    devices = "".join(_PARTS.get(word, "") for word in words)
    return f"""<domain type='qemu'><name>{NAME}</name><maxMemory slots='4' unit='MiB'>512</maxMemory>
    <memory unit='MiB'>{size}</memory><vcpu>1</vcpu>{bound}{locked}<os><type arch='x86_64' machine='q35'>hvm</type></os>
    <features><ioapic driver='qemu'/></features><cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>
    <devices>{devices}</devices></domain>"""


@pytest.mark.parametrize("name", LOCKED)
def test_the_same_numbers(peer: Peer, tmp_path: Path, name: str) -> None:
    if may_raise_limits():
        pytest.skip("limits may be raised here: it is QEMU that refuses a device that is none")
    path = tmp_path / "guest.xml"
    path.write_text(locked_xml(LOCKED[name].split()))
    refused = virsh(peer.uri, "create", str(path)).stderr
    found = re.search(r"cannot limit locked memory of process \d+ to (\d+): Operation not permitted", refused)
    assert found is not None, refused
    ours = locking.lockable(parse(path.read_text()))
    assert (UNLIMITED if ours == -1 else ours) == int(found[1])
