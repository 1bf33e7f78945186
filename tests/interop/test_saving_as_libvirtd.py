"""A guest in a long save, under both daemons: who looks is answered, who changes waits, who aborts is heard."""

from __future__ import annotations

import os
import re
import select
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from support.daemon import RoostDaemon
from support.peer import Answer, Peer, run, virsh, virsh_ok

pytestmark = [pytest.mark.peer, pytest.mark.guest, pytest.mark.root]

#: NOISE is in the guest's memory: more than the helpers on the way to the file have room for.
DOCUMENT = """<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>slow</name>
<uuid>5c1f1b3e-0000-4000-8000-0000000000f7</uuid><memory unit='MiB'>64</memory><vcpu current='1'>2</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices><controller type='usb' model='qemu-xhci'/>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='DIR/disk'/>
<target dev='vda' bus='virtio'/></disk>
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
<video><model type='vga'/></video><memballoon model='virtio'/></devices>
<qemu:commandline><qemu:arg value='-device'/><qemu:arg value='loader,file=NOISE,addr=0x1000000,force-raw=on'/>
</qemu:commandline></domain>"""

#: What is answered at once; DIR is a side's own directory.
LOOKS = """
dominfo slow
domstate slow --reason
domjobinfo slow
domjobinfo slow --completed
domstats slow --nowait
domstats slow
domblkinfo slow vda
domblkstat slow vda
domblkerror slow
domblklist slow --details
domiflist slow
domifstat slow 52:54:00:00:00:01
domifaddr slow
dommemstat slow
domcontrol slow
domdisplay slow
domfsinfo slow
domhostname slow
domtime slow
guestinfo slow
domid slow
list --all
dumpxml slow
dumpxml slow --inactive
vcpuinfo slow
vcpucount slow
vcpupin slow
emulatorpin slow
iothreadinfo slow
schedinfo slow
memtune slow
blkiotune slow
numatune slow
blkdeviotune slow vda
cpu-stats slow --total
perf slow
desc slow
blockjob slow vda
backup-dumpxml slow
managedsave-dumpxml slow
snapshot-list slow
snapshot-current slow
checkpoint-list slow
screenshot slow DIR/picture
screenshot slow DIR/picture --screen 7
domdirtyrate-calc slow --seconds 99
qemu-monitor-command slow '{"execute":"query-status"}'
qemu-agent-command slow '{}'
domfsfreeze slow
set-user-password slow root secret
create DIR/slow.xml
define DIR/slow.xml
start slow
restore DIR/nothing
"""
#: What changes the guest, and waits until it may not wait any longer.
CHANGES = """
suspend slow
resume slow
reset slow
reboot slow
shutdown slow
save slow DIR/again
managedsave slow
dump slow DIR/core
dump slow DIR/core --memory-only --live
snapshot-create-as slow s
snapshot-create-as slow s --disk-only
checkpoint-create-as slow c
backup-begin slow
attach-disk slow DIR/other vdb --live
attach-disk slow DIR/other vdb --config
detach-disk slow vda --live
attach-interface slow user --live
blockcommit slow vda
blockpull slow vda
blockcopy slow vda DIR/copy --transient-job
blockresize slow vda 9M
domblkthreshold slow vda 1000
domblkthreshold slow nothing 1
managedsave-remove slow
setvcpus slow 2 --live
setvcpus slow 2 --config
setmem slow 32M --live
dommemstat slow --period 2 --live
iothreadadd slow 1 --live
schedinfo slow --set cpu_shares=500 --live
memtune slow --hard-limit 1000000 --live
blkdeviotune slow vda --total-iops-sec 10 --live
vcpupin slow 0 0 --live
domif-setlink slow 52:54:00:00:00:01 down
desc slow --live --title T
set-lifecycle-action slow poweroff preserve --live
domdirtyrate-calc slow
domrename slow other
autostart slow
undefine slow
send-key slow KEY_A
inject-nmi slow
"""
#: Between two answers.
_MARK = "and-then"
#: Whose numbers are of the moment, or of the machine.
_MEASURED = re.compile("dominfo|domjobinfo|domstats|domblkinfo|dommemstat|domblkstat|cpu-stats|vcpuinfo")
#: Why an answer is another under roostd.
DIFFERENT = {
    "domcontrol slow": "what changes the guest is told, and not only what asks its QEMU at that moment",
    "send-key slow KEY_A": "keys change nothing that is saved: nobody waits for that",
    "inject-nmi slow": "it is the guest's to wait, not the client's",
}


class Side(NamedTuple):
    """A daemon whose guest is being saved to a pipe that is not read. reader: its other end. save: virsh's answer."""

    uri: str
    directory: Path
    reader: int
    saving: threading.Thread
    save: list[Answer]

    def ask(self, *lines: str) -> list[str]:
        """What one virsh says to each line."""
        typed = "".join(f"{line}\necho {_MARK}\n" for line in lines).replace("DIR", str(self.directory))
        done = run(["sh", "-c", 'exec virsh -q -c "$0" 2>&1', self.uri], input=typed)
        said = done.stdout.split(f"virsh # echo {_MARK}\n{_MARK}")
        return [self._comparable(line, text.partition("\n")[2]) for line, text in zip(lines, said, strict=False)]

    def _comparable(self, line: str, text: str) -> str:
        """Without what is of this run alone."""
        text = text.replace(str(self.directory), "DIR")
        if _MEASURED.match(line):
            text = re.sub(r"\d[\d.]*( [KM]?i?B)?", "N", text)
        text = re.sub(r"\(held by .*?\)", "(held)", text)
        text = re.sub('"id":".*?"', '"id":""', text)
        return re.sub(" +", " ", text).strip()

    def read(self) -> None:
        """All that is still written to the pipe."""
        while select.select([self.reader], [], [], 60)[0] and os.read(self.reader, 1 << 20):
            pass


def saving(uri: str, root: Path, name: str) -> Side:
    """Start the guest, and let the save begin."""
    directory = root / name
    directory.mkdir()
    directory.chmod(0o777)
    for image in ("disk", "other"):
        (directory / image).write_bytes(bytes(1 << 20))
    document = DOCUMENT.replace("DIR", str(directory)).replace("NOISE", str(root / "noise"))
    (directory / "slow.xml").write_text(document)
    pipe = directory / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    virsh_ok(uri, "define", str(directory / "slow.xml"))
    virsh_ok(uri, "start", "slow")
    answers: list[Answer] = []
    client = threading.Thread(target=lambda: answers.append(virsh(uri, "save", "slow", str(pipe))))
    client.start()
    side, data = Side(uri, directory, reader, client, answers), 0
    while data < 100_000:
        assert client.is_alive(), answers
        assert select.select([reader], [], [], 60)[0]
        data += len(os.read(reader, 4096))
        time.sleep(0.001)
    return side


@pytest.fixture
def sides() -> Iterator[tuple[Side, Side]]:
    """libvirtd's and roostd's."""
    with tempfile.TemporaryDirectory(prefix="roost-slow-", dir="/tmp") as made:
        root = Path(made)
        root.chmod(0o755)
        (root / "noise").write_bytes(os.urandom(16 << 20))
        with Peer() as peer, RoostDaemon() as daemon, ThreadPoolExecutor(2) as pool:
            begun = [pool.submit(saving, uri, root, name) for uri, name in ((peer.uri, "l"), (daemon.uri, "r"))]
            theirs, ours = [each.result() for each in begun]
            try:
                yield theirs, ours
            finally:
                for side in (theirs, ours):
                    os.close(side.reader)
                    side.saving.join()
                    virsh(side.uri, "destroy", "slow")


def compare(sides: tuple[Side, Side], lines: list[str], ask: Callable[..., list[str]] = Side.ask) -> None:
    """Ours may go on after theirs with the cure."""
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(lambda side: ask(side, *lines), sides)
    wrong = []
    for line, their, our in zip(lines, theirs, ours, strict=True):
        said = re.sub(r"(?m)^(error: .*?); .*$", r"\1", our)
        if (their in (our, said)) == (line in DIFFERENT):
            wrong.append(f"{line}: {DIFFERENT.get(line)}\n--- libvirtd\n{their}\n--- roostd\n{our}")
    assert not wrong, "\n".join(wrong)


def test_who_looks_is_answered(sides: tuple[Side, Side]) -> None:
    compare(sides, LOOKS.strip().split("\n"))


@pytest.mark.soak
def test_who_changes_waits_in_vain(sides: tuple[Side, Side]) -> None:
    """All at once, as many as libvirtd's workers are: each waits half a minute."""

    def ask(side: Side, *lines: str) -> list[str]:
        with ThreadPoolExecutor(15) as pool:
            return [said for (said,) in pool.map(side.ask, lines)]

    compare(sides, CHANGES.strip().split("\n"), ask)
    for side in sides:
        assert side.ask("domstate slow --reason") == ["paused (saving)"]
        assert side.saving.is_alive()


def test_who_aborts_is_heard(sides: tuple[Side, Side]) -> None:
    """The guest goes on; the one who saved is told."""
    for side in sides:
        assert side.ask("domjobabort slow") == [""]
        side.read()
        side.saving.join()
        assert not side.save[0].ok
        assert "canceled by client" in side.save[0].stderr
        assert side.ask("domstate slow --reason") == ["running (save canceled)"]
    lines = ["domjobinfo slow", "domjobinfo slow --completed", "domjobabort slow", "suspend slow", "resume slow"]
    compare(sides, lines)


def test_who_destroys_does_not_wait(sides: tuple[Side, Side]) -> None:
    for side in sides:
        assert side.ask("destroy slow") == [""]
        side.read()
        side.saving.join()
        assert not side.save[0].ok
    lines = ["domstate slow --reason", "domjobinfo slow", "domjobinfo slow --completed", "domjobabort slow"]
    compare(sides, lines)
