"""Which devices of the host a guest's QEMU may open, under libvirtd and under roostd, as it changes."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.daemon import RoostDaemon
from support.groups import hierarchies
from support.loops import loop_device
from support.peer import Peer, virsh, virsh_ok

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.groups]

NAME = "opened"
XML = f"""<domain type='qemu'><name>{NAME}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>
<controller type='scsi' model='virtio-scsi'/>
<disk type='block'><driver name='qemu' type='qcow2'/><source dev='LOOP0'/><backingStore type='block'>
<format type='raw'/><source dev='LOOP1'/><backingStore/></backingStore><target dev='sda' bus='scsi'/></disk>
<disk type='block' device='cdrom'><target dev='sdb' bus='scsi'/></disk>
<sound model='ac97'/><serial type='pty'/>
</devices></domain>"""
DEVICES = {
    "readonly": "<disk type='block'><driver type='raw'/><source dev='LOOP2'/><target dev='sdc' bus='scsi'/><readonly/>"
    "</disk>",
    "written": "<disk type='block'><driver type='raw'/><source dev='LOOP2'/><target dev='sdc' bus='scsi'/></disk>",
    "random": "<rng model='virtio'><backend model='random'>/dev/fuse</backend></rng>",
    "missing": "<disk type='block'><source dev='/dev/missing'/><target dev='sdd' bus='scsi'/></disk>",
}
STEPS = (
    "attach-device NAME @readonly",
    "detach-disk NAME sdc",
    "attach-device NAME @written",
    "attach-device NAME @random",
    "attach-device NAME @missing",
    "detach-disk NAME sdc",
    "change-media NAME sdb --insert --block LOOP2",
    "change-media NAME sdb --update --block LOOP3",
    "change-media NAME sdb --eject",
    "blockcopy NAME sda LOOP2 --blockdev --format qcow2 --reuse-external --transient-job --wait",
    "blockjob NAME sda --abort",
    "snapshot-create-as NAME one --disk-only --no-metadata --diskspec sda,stype=block,file=LOOP3,snapshot=external",
    "blockcommit NAME sda --top LOOP0 --base LOOP1 --wait",
    "blockcommit NAME sda --active --pivot --wait",
    "blockcopy NAME sda LOOP2 --blockdev --format raw --reuse-external --transient-job --wait --pivot",
)


@pytest.fixture(scope="module")
def places() -> Iterator[dict[str, str]]:
    """A directory and devices, by what documents and steps call them."""
    # Not pytest's own directory: QEMU's user must be able to enter.
    directory = Path(tempfile.mkdtemp(prefix="roost-opened-", dir="/tmp"))
    directory.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory)
        yield {
            "NAME": NAME,
            "FILES": str(directory),
            **{f"LOOP{number}": str(loop_device(stack, directory / f"{number}", 4)) for number in range(4)},
        }


class FirstVersion(Peer):
    """It would rather have a program of version 2 than the list of version 1 that can be read."""

    PREPARATION = "umount -l /sys/fs/cgroup/unified || true; "


def filled(text: str, places: dict[str, str]) -> str:
    return re.sub("|".join(places), lambda found: places[found[0]], text)


def allowed(places: dict[str, str]) -> list[str]:
    """What the guest's group lets it open, with the devices' names in the document.

    Not /dev/kvm, which the peer has not.
    """
    (group,) = hierarchies()["devices"].glob(f"machine/*{NAME}.libvirt-qemu")
    numbers = {
        f"b 7:{path.removeprefix('/dev/loop')}": word for word, path in places.items() if word.startswith("LOOP")
    }
    found = []
    for line in (group / "devices.list").read_text().splitlines():
        device, _, access = line.rpartition(" ")
        if device != "c 10:232":
            found.append(f"{numbers.get(device, device)} {access}")
    return sorted(found)


def format_image(path: str, *options: str) -> None:
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, path, "2M"], check=True)


def settled(uri: str) -> None:
    """Wait until a job's end has been dealt with, or the copy goes on and on."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        answer = virsh_ok(uri, "blockjob", NAME, "sda", "--info")
        if not answer.strip() or "Block Copy" in answer:
            return
        time.sleep(0.05)
    raise AssertionError("the job does not end")


def play(uri: str, places: dict[str, str]) -> list[tuple[str, bool, list[str]]]:
    """Of each step: how it ended, and what may be opened then."""
    directory = Path(places["FILES"])
    document, device = directory / "guest.xml", directory / "device.xml"
    format_image(places["LOOP0"], "-b", places["LOOP1"], "-F", "raw")
    format_image(places["LOOP2"])
    document.write_text(filled(XML, places))
    virsh_ok(uri, "create", str(document))
    outcomes = [("create", True, allowed(places))]
    try:
        for step in STEPS:
            words = filled(step, places).split()
            for place, word in enumerate(words):
                if word.startswith("@"):
                    device.write_text(filled(DEVICES[word[1:]], places))
                    words[place] = str(device)
            answer = virsh(uri, *words)
            if step.startswith("block") and step.endswith(("--abort", "--wait", "--pivot")):
                settled(uri)
            outcomes.append((step, answer.ok, allowed(places)))
    finally:
        virsh_ok(uri, "destroy", NAME)
    return outcomes


def test_devices_that_may_be_opened(places: dict[str, str]) -> None:
    if "devices" not in hierarchies():
        pytest.skip("no devices controller of version 1 here")
    with FirstVersion() as peer:
        theirs = play(peer.uri, places)
    with RoostDaemon() as daemon:
        ours = play(daemon.uri, places)
    assert ours == theirs
