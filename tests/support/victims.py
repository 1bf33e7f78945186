"""Guests to be killed, or whose daemon is: their images, what virsh does with them, and what is not to be left."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from roost.client.blocking import Client
from roost.constants import domain as D
from roost.errors import OperationInvalid
from support.daemon import RoostDaemon
from support.peer import run

XML = """<domain type='qemu'><name>NAME</name><memory unit='MiB'>64</memory><vcpu current='1'>2</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices><controller type='usb' model='qemu-xhci'/>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='IMAGES/top'/>
<target dev='vda' bus='virtio'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='IMAGES/stick'/>
<target dev='sdb' bus='usb'/></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>
<interface type='ethernet'><target dev='TAP'/><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-rng'/></rng>
<serial type='pty'/><video><model type='vga'/></video>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
</devices></domain>"""
RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
PUSH = "<domainbackup><disks><disk name='vda' type='file'><target file='IMAGES/pushed'/></disk></disks></domainbackup>"
PULL = """<domainbackup mode='pull'><server transport='unix' socket='IMAGES/nbd.sock'/>
<disks><disk name='vda' type='file'><scratch file='IMAGES/scratch'/></disk></disks></domainbackup>"""

#: Seconds for what the kernel and the daemon do at once.
PATIENCE = 60.0


class Victim:
    """A guest of its own images."""

    def __init__(self, daemon: RoostDaemon, client: Client, name: str, images: Path) -> None:
        self.daemon = daemon
        self.name = name
        self.images = images
        #: Of a name that no other test gives to one at the same time.
        self.tap = f"k{os.getpid()}{name[0]}{name.lstrip('workaitng')}"
        self.client = client
        self.ref: Any = None

    def define(self) -> None:
        self.ref = self.client.call("DOMAIN_DEFINE_XML", self._filled(XML))[0]

    def start(self) -> None:
        """Its processors stand still: nobody writes its images but jobs."""
        self.client.call("DOMAIN_CREATE_WITH_FLAGS", self.ref, D.START_PAUSED)

    def stop(self) -> None:
        with contextlib.suppress(OperationInvalid):
            self.client.call("DOMAIN_DESTROY", self.ref)

    def remove(self) -> None:
        self.stop()
        kept = D.UNDEFINE_MANAGED_SAVE | D.UNDEFINE_SNAPSHOTS_METADATA | D.UNDEFINE_CHECKPOINTS_METADATA
        self.client.call("DOMAIN_UNDEFINE_FLAGS", self.ref, kept)

    def _filled(self, text: str) -> str:
        return text.replace("IMAGES", str(self.images)).replace("NAME", self.name).replace("TAP", self.tap)

    def begin(self, line: str) -> subprocess.Popen[str]:
        """Give virsh the line, and do not wait."""
        words = []
        for word in line.split():
            text = {"RNG": RNG, "PUSH": PUSH, "PULL": PULL}.get(word)
            if text is not None:
                word = f"{self.images}.document"
                Path(word).write_text(self._filled(text))
            words.append(self._filled(word))
        command = ["virsh", "-q", "-c", self.daemon.uri, *words]
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    @property
    def pid(self) -> int:
        return int((self.daemon.root / "run" / "qemu" / f"{self.name}.pid").read_text())

    def until_asked(self, line: str, waiting: subprocess.Popen[str]) -> None:
        """Until what virsh was told to do has begun; it takes a job."""
        deadline = time.monotonic() + PATIENCE
        while waiting.poll() is None:
            if self.client.call("DOMAIN_GET_CONTROL_INFO", self.ref, 0)[0] == D.CONTROL_JOB:
                return
            assert time.monotonic() < deadline, f"{line} does not begin"
            time.sleep(0.02)

    def until_crashed(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while (state := self.client.call("DOMAIN_GET_STATE", self.ref, 0)) != (D.SHUTOFF, D.SHUTOFF_CRASHED):
            assert time.monotonic() < deadline, f"{self.name} is {state}"
            time.sleep(0.02)


def make_template(root: Path) -> None:
    """The images that victims get copies of. root: the daemon's directory."""
    template = root / "template"
    template.mkdir()
    for made in (("base", "32M"), ("-b", "base", "-F", "qcow2", "top")):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *made], cwd=template, check=True)
    # In every image something for jobs to do.
    for number, image in enumerate(("base", "top"), 1):
        words = ("-f", "qcow2", "-c", f"write -P {number} {number - 1}M 8M", image)
        subprocess.run(["qemu-io", *words], cwd=template, check=True, stdout=subprocess.DEVNULL)
    for name in ("stick", "new"):
        (template / name).write_bytes(bytes(1 << 20))


@contextlib.contextmanager
def victims(daemon: RoostDaemon, client: Client, names: Sequence[str]) -> Iterator[list[Victim]]:
    """Defined guests."""
    place = daemon.root / "images"
    place.mkdir()
    made = []
    try:
        for name in names:
            images = place / name
            shutil.copytree(daemon.root / "template", images)
            images.chmod(0o777)
            os.mkfifo(images / "pipe", 0o666)
            victim = Victim(daemon, client, name, images)
            victim.define()
            made.append(victim)
        yield made
    finally:
        for victim in made:
            victim.remove()
        shutil.rmtree(place)


class Traces(NamedTuple):
    """What there is of a guest and of the daemon's dealings with it."""

    files: frozenset[str]
    descriptors: int
    tap: bool
    owners: frozenset[tuple[str, int]]
    bitmaps: frozenset[str]


def traces(victim: Victim) -> Traces:
    """Of a guest that does not run. Its log and what the daemon knows of emulators come and stay."""
    root = victim.daemon.root
    files = {
        str(path.relative_to(root))
        for path in (*root.glob("run/qemu/**/*"), *root.glob("lib/**/*"), *victim.images.rglob("*"))
        # A copy is the client's file, however it ends.
        if path.name != "copied"
        if f"{victim.name}/" in f"{path}/" or f"{victim.name}." in path.name or f"-{victim.name}" in str(path)
    }
    bitmaps = run(["qemu-img", "info", "--output=json", str(victim.images / "top")]).stdout
    return Traces(
        frozenset(files),
        len(os.listdir(f"/proc/{victim.daemon.pid}/fd")),
        os.path.exists(f"/sys/class/net/{victim.tap}"),
        frozenset((path.name, path.stat().st_uid) for path in victim.images.iterdir() if path.name != "copied"),
        frozenset(re.findall(r'"name": "([^"]*)"', bitmaps)),
    )
