"""QEMU killed in the middle of everything that asks it something.

Whoever waits is told, the domain is shut off, nothing is left of the guest and of what was begun, and it starts again.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from roost.client.blocking import Client
from roost.constants import domain as D
from roost.errors import OperationInvalid
from support import groups
from support.daemon import RoostDaemon
from support.peer import run

pytestmark = [pytest.mark.guest, pytest.mark.root]

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

#: Words for virsh: what waits for a QEMU that does not answer. IMAGES is a directory; XML names one of the above.
WAITING = """
save NAME IMAGES/memory
managedsave NAME
dump NAME IMAGES/core
dump NAME IMAGES/core --memory-only
dump NAME IMAGES/core --live
attach-disk NAME IMAGES/new sdx --targetbus usb --live
attach-device NAME RNG --live
detach-disk NAME sdb --live
detach-device-alias NAME ua-rng --live
change-media NAME hdc IMAGES/new --insert --live
domif-setlink NAME 52:54:00:00:00:01 down
setmem NAME 32M --live
setvcpus NAME 2 --live
iothreadadd NAME 5 --live
blkdeviotune NAME vda --total-iops-sec 500 --live
blockresize NAME vda 64M
blockcopy NAME vda IMAGES/copied --transient-job
blockcommit NAME vda --active
blockpull NAME vda
backup-begin NAME PUSH
backup-begin NAME PULL
checkpoint-create-as NAME moment
snapshot-create-as NAME internal
snapshot-create-as NAME external --disk-only --diskspec vda,snapshot=external,file=IMAGES/overlay
domdirtyrate-calc NAME
screenshot NAME IMAGES/screen
dommemstat NAME --period 5 --live
qemu-monitor-command NAME {"execute":"query-status"}
resume NAME
reset NAME
reboot NAME --mode acpi
send-key NAME KEY_A
inject-nmi NAME
domfsinfo NAME
qemu-agent-command NAME {"execute":"guest-ping"}
dompmwakeup NAME
""".strip().splitlines()
#: Those that nothing but virsh itself tells of.
WITHOUT_JOB = frozenset(("screenshot", "qemu-monitor-command", "send-key", "inject-nmi"))

#: What goes on in QEMU until it is killed; virsh may have been told that it has begun.
WORKING = """
save NAME IMAGES/pipe
dump NAME IMAGES/pipe
dump NAME IMAGES/pipe --live
dump NAME IMAGES/pipe --memory-only
blockcopy NAME vda IMAGES/copied --transient-job --bandwidth 1 --bytes --wait
blockcommit NAME vda --active --bandwidth 1 --bytes --wait
blockpull NAME vda --bandwidth 1 --bytes --wait
backup-begin NAME PULL
domdirtyrate-calc NAME --seconds 60
detach-device-alias NAME ua-rng --live
detach-disk NAME vda --live
""".strip().splitlines()

#: How many guests are killed at a time.
BATCH = 9
#: What no client should read of an end that is nobody's mistake.
UNCLEAR = re.compile(r"Traceback|failed: [A-Z][a-zA-Z]+Error|unexpected|unknown error")
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
        self._client = client
        self._ref: Any = None

    def define(self) -> None:
        self._ref = self._client.call("DOMAIN_DEFINE_XML", self._filled(XML))[0]

    def start(self) -> None:
        """Its processors stand still: nobody writes its images but jobs."""
        self._client.call("DOMAIN_CREATE_WITH_FLAGS", self._ref, D.START_PAUSED)

    def remove(self) -> None:
        with contextlib.suppress(OperationInvalid):
            self._client.call("DOMAIN_DESTROY", self._ref)
        kept = D.UNDEFINE_MANAGED_SAVE | D.UNDEFINE_SNAPSHOTS_METADATA | D.UNDEFINE_CHECKPOINTS_METADATA
        self._client.call("DOMAIN_UNDEFINE_FLAGS", self._ref, kept)

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
        """Until what virsh was told to do has begun, as far as that can be seen."""
        deadline = time.monotonic() + PATIENCE
        while line.split()[0] not in WITHOUT_JOB and waiting.poll() is None:
            if self._client.call("DOMAIN_GET_CONTROL_INFO", self._ref, 0)[0] == D.CONTROL_JOB:
                return
            assert time.monotonic() < deadline, f"{line} does not begin"
            time.sleep(0.02)

    def until_crashed(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while (state := self._client.call("DOMAIN_GET_STATE", self._ref, 0)) != (D.SHUTOFF, D.SHUTOFF_CRASHED):
            assert time.monotonic() < deadline, f"{self.name} is {state}"
            time.sleep(0.02)


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    if shutil.which("qemu-img") is None or shutil.which("qemu-io") is None:
        pytest.skip("qemu-utils is not installed")
    with RoostDaemon() as running:
        template = running.root / "template"
        template.mkdir()
        for made in (("base", "32M"), ("-b", "base", "-F", "qcow2", "top")):
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *made], cwd=template, check=True)
        # In every image something for jobs to do.
        for number, image in enumerate(("base", "top"), 1):
            words = ("-f", "qcow2", "-c", f"write -P {number} {number - 1}M 8M", image)
            subprocess.run(["qemu-io", *words], cwd=template, check=True, stdout=subprocess.DEVNULL)
        for name in ("stick", "new"):
            (template / name).write_bytes(bytes(1 << 20))
        yield running


@pytest.fixture
def client(daemon: RoostDaemon) -> Iterator[Client]:
    with contextlib.closing(Client.open(daemon.uri)) as opened:
        yield opened


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


def kill(
    batch: Sequence[tuple[str, Victim, subprocess.Popen[str]]], before: Sequence[Traces], *, fails: bool = True
) -> list[str]:
    """Kill the guests' QEMUs while virsh waits; what is wrong then. fails: virsh has to."""
    wrong = []
    made = [groups.groups_of([victim.pid]) for _, victim, _ in batch]
    for _, victim, _ in batch:
        os.kill(victim.pid, signal.SIGKILL)
    for line, victim, waiting in batch:
        said, _ = waiting.communicate(timeout=PATIENCE)
        if (fails and waiting.returncode == 0) or UNCLEAR.search(said):
            wrong.append(f"{line}: {waiting.returncode}, {said}")
        victim.until_crashed()
    for (line, victim, _), known, directories in zip(batch, before, made, strict=True):
        found = traces(victim)
        if found != known:
            wrong.append(f"{line} leaves {found}, there was {known}")
        if any(directory.exists() for directory in directories):
            wrong.append(f"{line} leaves {directories}")
    for _, victim, _ in batch:
        victim.start()
    return wrong


@pytest.mark.parametrize("start", range(0, len(WAITING), BATCH))
def test_while_it_does_not_answer(daemon: RoostDaemon, client: Client, start: int) -> None:
    lines = WAITING[start : start + BATCH]
    with victims(daemon, client, [f"waiting{start + number}" for number in range(len(lines))]) as guests:
        before = [traces(victim) for victim in guests]
        for victim in guests:
            victim.start()
            os.kill(victim.pid, signal.SIGSTOP)
        batch = [(line, victim, victim.begin(line)) for victim, line in zip(guests, lines, strict=True)]
        for line, victim, waiting in batch:
            victim.until_asked(line, waiting)
        wrong = kill(batch, before)
    assert not wrong, "\n".join(wrong)


def test_while_it_works(daemon: RoostDaemon, client: Client) -> None:
    with victims(daemon, client, [f"working{number}" for number in range(len(WORKING))]) as guests:
        before = [traces(victim) for victim in guests]
        with contextlib.ExitStack() as stack:
            batch = []
            for line, victim in zip(WORKING, guests, strict=True):
                pipe = os.open(victim.images / "pipe", os.O_RDONLY | os.O_NONBLOCK)
                stack.callback(os.close, pipe)
                victim.start()
                batch.append((line, victim, victim.begin(line)))
                if "pipe" in line:
                    # So much that what is next comes from QEMU, which finds nobody to read the rest.
                    read_up_to(pipe, 66_000)
            time.sleep(0.5)
            wrong = kill(batch, before, fails=False)
    assert not wrong, "\n".join(wrong)


def read_up_to(descriptor: int, size: int) -> None:
    while size > 0:
        assert select.select([descriptor], [], [], PATIENCE)[0], "nothing is written"
        size -= len(os.read(descriptor, min(4096, size)))
