"""virsh's commands that no other family's test has, about the same guest of libvirtd and of roostd."""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from support import commands, heard
from support.console import Console, ConsoleError
from support.daemon import RoostDaemon
from support.guests import domain_xml
from support.peer import Answer, Peer, run, virsh, virsh_ok

pytestmark = [pytest.mark.peer, pytest.mark.guest, pytest.mark.root]

NAME = "commands-as-libvirtd"
UUID = "8c0f3f0a-8e2b-4d10-9d2e-0c3d5a7b9e11"
TWO = f"""<domain type='qemu'><name>{NAME}-two</name>
<uuid>8c0f3f0a-8e2b-4d10-9d2e-0c3d5a7b9e22</uuid><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"""


class Side(NamedTuple):
    """One daemon. directory: of the guest's files, and of the documents that steps name as D/…"""

    uri: str
    directory: Path

    def run(self, step: str) -> Answer:
        """A step's words given to virsh. %: the guest's name. An edit replaces old by new: edit … [old=new].

        "STEP > FILE" puts the output into a file, too.
        """
        *_, change = ("", *re.findall(r" \[(.*)\]$", step))
        step, _, file = re.sub(r" \[.*\]$", "", step).replace("D/", f"{self.directory}/").partition(" > ")
        editor = {"EDITOR": f"sed -i s/{change.replace('=', '/', 1)}/"} if change else {}
        answer = virsh(self.uri, *shlex.split(step.replace("%", NAME)), environment=editor)
        if file:
            Path(file).write_text(answer.stdout)
        return answer


@pytest.fixture(scope="module")
def sides(peer: Peer) -> Iterator[tuple[Side, Side]]:
    """libvirtd's and ours, each with the guest defined."""
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-utils is not installed")
    directories = [Path(tempfile.mkdtemp(prefix="roost-commands-", dir="/tmp")) for _ in range(2)]
    try:
        with RoostDaemon() as daemon:
            made = Side(peer.uri, directories[0]), Side(daemon.uri, directories[1])
            for number, side in enumerate(made):
                prepare(side, number)
            try:
                yield made
            finally:
                virsh(peer.uri, "destroy", NAME)
                virsh(peer.uri, "undefine", NAME, "--snapshots-metadata", "--checkpoints-metadata", "--managed-save")
    finally:
        for directory in directories:
            shutil.rmtree(directory, ignore_errors=True)


def prepare(side: Side, number: int) -> None:
    """The images, the documents that steps name, and the guest."""
    directory, pid = side.directory, os.getpid() & 0xFFFF
    tap = f"cm{pid}{'lr'[number]}"
    # Its own, and no port that a daemon would choose: between its choice and QEMU's start, others take it.
    address, port = f"127.{number + 88}.{pid >> 8}.{pid & 255}", 20000 + (pid & 0x3FFF)
    directory.chmod(0o777)
    for name in ("disk", "other"):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", directory / name, "8M"], check=True)
        (directory / name).chmod(0o666)
    (directory / "media.img").write_bytes(bytes(1 << 20))
    devices = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{directory}/disk'/>"
        "<target dev='vda' bus='virtio'/></disk><disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
    )
    interfaces = (
        "<interface type='user'><mac address='52:54:00:11:22:43'/><model type='virtio'/></interface>"
        f"<interface type='ethernet'><mac address='52:54:00:11:22:44'/><target dev='{tap}'/></interface>"
    )
    graphics = f"<graphics type='vnc' port='{port}' autoport='no' passwd='secret' listen='{address}'/>"
    document = domain_xml(
        NAME,
        uuid_=UUID,
        memory_mib=64,
        devices=devices,
        interfaces=interfaces,
        graphics=graphics,
        serial="<serial type='pty'/>",
    )
    for name, text in (
        ("guest.xml", document),
        ("two.xml", TWO),
        ("checkpoint.xml", "<domaincheckpoint><name>made</name><description>words</description></domaincheckpoint>"),
        ("snapshot.xml", "<domainsnapshot><name>made</name><description>words</description></domainsnapshot>"),
        ("native.args", "qemu-system-x86_64 -name native -m 64 -machine pc -display none"),
        ("tap", tap),
    ):
        (directory / name).write_text(text)
    virsh_ok(side.uri, "define", str(directory / "guest.xml"))


STOPPED = """
domid %
domname %
domname 8c0f3f0a-8e2b-4d10-9d2e-0c3d5a7b9e11
domuuid %
dominfo %
domcontrol %
domblklist %
domblklist % --details
domiflist %
domifstat % vnet0
domdisplay %
vncdisplay %
ttyconsole %
domstats % --balloon --state
domstats % --state --block --vcpu --raw
list --all
list --inactive --name
desc %
desc % words of one kind
desc %
desc % --title "a title"
desc % --title
list --all --title
desc % --edit [words=deeds]
desc %
metadata % http://example.org/a
metadata % http://example.org/a --key a --set "<b c='d'/>"
metadata % http://example.org/a
metadata % http://example.org/a --edit --key a [d'=e']
metadata % http://example.org/a
metadata % http://example.org/a --remove
metadata % http://example.org/a
autostart %
list --all --autostart --name
autostart %
autostart % --disable
list --all --autostart --name
edit % [65536=81920]
edit % [65536=81920]
edit % --skip-validate [65536=81920]
edit nosuch
dumpxml % --xpath //memory
domrename % %-b
domrename nosuch other
domname 8c0f3f0a-8e2b-4d10-9d2e-0c3d5a7b9e11
domrename %-b %
domrename % %
attach-interface % bridge nowhere --mac 52:54:00:11:22:45 --config
domiflist % --inactive
detach-interface % bridge --mac 52:54:00:11:22:45 --config
detach-interface % bridge --mac 52:54:00:11:22:45 --config
attach-disk % D/other sdb --targetbus sata --subdriver qcow2 --alias ua-more --config
detach-device-alias % ua-more --config
detach-device-alias % ua-more --config
domblklist % --inactive
console %
reboot %
cpu-stats %
screenshot % D/picture
dump % D/core --memory-only
domdirtyrate-calc %
reset %
inject-nmi %
send-key % KEY_A
send-process-signal % 1 term
set-lifecycle-action % crash restart --live
set-lifecycle-action % crash restart --config
set-lifecycle-action % crash destroy
domlaunchsecinfo %
domsetlaunchsecstate % --secrethdr D/tap --secret D/tap
managedsave-edit %
dom-fd-associate % group --pass-fds 0
domxml-from-native qemu-argv D/native.args
domxml-from-native nosuch D/native.args
checkpoint-create %
snapshot-list %
snapshot-create-as % cold
snapshot-create-as % cold
snapshot-info % cold
"""

LIVE = """
start % --paused
dominfo %
domid %
domcontrol %
domblklist %
domblklist % --details --inactive
domiflist %
domiflist % --inactive
domifstat % TAP
domifstat % nosuch
domdisplay %
domdisplay % --include-password
domdisplay % --type vnc --all
domdisplay % --type spice
vncdisplay %
ttyconsole %
domstats %
domstats % --state --cpu-total --balloon --vcpu
domstats % --interface --block --backing
domstats % --list-active --state --raw
domstats --list-inactive --state
domstats % --nowait --enforce --state
list
list --uuid --name
list --state-paused --name
list --with-snapshot --name
desc % --live live words
desc % --live
desc % --config
desc % --live --edit [live=quick]
desc % --live
metadata % http://example.org/a --key a --set "<b/>" --live
metadata % http://example.org/a --live
metadata % http://example.org/a --config
autostart %
autostart % --disable
edit % [81920=65536]
domrename % other
console %
reboot %
reboot % --mode acpi
cpu-stats % --total
screenshot % D/picture
dump % D/core --memory-only
dump % D/core --memory-only --format nonsense
domdirtyrate-calc % --seconds 1
domdirtyrate-calc % --seconds 100
create D/two.xml --paused
create D/two.xml --paused
destroy %-two
reset %
inject-nmi %
send-key % KEY_A
send-key % --codeset usb 4 --holdtime 5
send-key % KEY_NOSUCH
send-process-signal % 1 term
set-lifecycle-action % crash preserve --live
set-lifecycle-action % poweroff preserve --live
set-lifecycle-action % reboot destroy --live
set-lifecycle-action % crash nonsense
domlaunchsecinfo %
domsetlaunchsecstate % --secrethdr D/tap --secret D/tap
dom-fd-associate % group --pass-fds 0
dom-fd-associate % group --pass-fds 0 --seclabel-writable --seclabel-restore
dom-fd-associate nosuch group --pass-fds 0
checkpoint-create % D/checkpoint.xml
checkpoint-edit % made [words=deeds]
checkpoint-dumpxml % made --no-domain
checkpoint-edit % nosuch
checkpoint-delete % made
snapshot-create % D/snapshot.xml
snapshot-create % D/snapshot.xml
snapshot-create-as % second "of two"
snapshot-create-as % third --print-xml --diskspec vda,snapshot=external
snapshot-create-as % fourth --disk-only --live --memspec D/memory
snapshot-create-as % fifth --disk-only --diskspec vda,file=D/fifth --no-metadata --reuse-external
snapshot-list %
snapshot-list % --parent
snapshot-list % --tree
snapshot-list % --name --roots
snapshot-list % --name --leaves
snapshot-list % --name --from made
snapshot-list % --name --internal --active
snapshot-list % --name --external
snapshot-current % --name
snapshot-current % made
snapshot-current % --name
snapshot-current % nosuch
snapshot-info % made
snapshot-info % --current
snapshot-info % nosuch
snapshot-parent % second
snapshot-parent % made
snapshot-dumpxml % made
snapshot-dumpxml % second --xpath //name
snapshot-dumpxml % nosuch
snapshot-edit % second [two=three]
snapshot-edit % second --rename [second=renamed]
snapshot-edit % renamed --clone [renamed=second]
snapshot-list % --name
snapshot-revert % made
domstate % --reason
snapshot-revert % second --running
domstate % --reason
snapshot-revert % nosuch
snapshot-delete % nosuch
snapshot-delete % second --metadata
snapshot-delete % made --children-only
snapshot-list % --name
snapshot-delete % made --children
snapshot-list % --name
snapshot-current %
managedsave %
managedsave-edit % [mypassword=x]
managedsave-edit % --running [65536=65536]
managedsave-edit % --paused [quiet=loud]
managedsave-dumpxml % --xpath //cmdline
managedsave-dumpxml % > D/kept.xml
managedsave-define % D/kept.xml --paused
managedsave-define % D/two.xml
managedsave-remove %
start % --paused
save % D/saved
save-image-edit D/saved [quiet=loud]
save-image-edit D/saved --running [loud=shrill]
save-image-dumpxml D/saved --xpath //cmdline
save-image-edit D/nosuch
save-image-dumpxml D/saved > D/kept.xml
save-image-define D/saved D/kept.xml --running
save-image-define D/saved D/two.xml
restore D/saved --paused
qemu-attach 1
destroy %
snapshot-revert % cold
snapshot-delete % cold
snapshot-delete % cold
"""

#: Ends of the names of statistics that count time or use.
MOVING = r"time|system|user|rss|wait|delay|halt_\S*|allocation|physical|bytes|reqs|pkts|times|errs|drop"

#: How steps begin whose outcome is another under roostd, and why.
DIFFERENT = {
    "domxml-from-native": "libvirt gave it up, this driver has it",
}


def normal(text: str, side: Side) -> str:
    """Without what differs from guest to guest, or from one moment to the next."""
    text = text.replace(str(side.directory), "D").replace((side.directory / "tap").read_text(), "TAP")
    for pattern, new in (
        (r"/dev/pts/\d+", "/dev/pts/N"),
        (r"(?m)^( *|Id: +)\d+( +commands)?$", r"\1N\2"),
        (r"(?m)^ \d+( +commands)", r" N\1"),
        (r"(?<=CPU time: )( *)[\d.]+s", r"\1Ns"),
        (r"127\.(88|89)\.\d+\.\d+(:\d+)?", "ADDRESS"),
        (r"(?m)^:\d+$", ":N"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d( [+-]\d{4})?", "TIME"),
        (r"(?<=<creationTime>)\d+", "N"),
        (r"snapshot \d{10}", "snapshot N"),
        (r"checkpoint \d{10}", "checkpoint N"),
        (r"(?<= port=')\d{4,}", "N"),
        (r"/tmp/virsh\w+", "FILE"),
        (rf"(?m)^(  (?:cpu|vcpu|balloon|net|block)\.\S*(?:{MOVING})=)\d+", r"\1N"),
        (r"\d+\.\d{9} seconds", "N seconds"),
        (r"(?m)^(TAP \S+) \d+", r"\1 N"),
    ):
        text = re.sub(pattern, new, text)
    # libvirt's copies of a definition have the controllers it implies behind the others.
    controllers = r"(?: *<controller (?:[^>]*/>|.*?</controller>)\n)+"
    return re.sub(
        controllers, lambda found: "".join(sorted(found[0].splitlines(keepends=True))), text, flags=re.S
    ).strip()


def outcome(side: Side, step: str) -> tuple[int, str]:
    answer = side.run(step)
    return answer.returncode, normal(answer.stdout + answer.stderr, side)


def alike(ours: tuple[int, str], theirs: tuple[int, str]) -> bool:
    """Whether these are libvirt's words; a hint may follow each line of them."""
    lines, expected = ours[1].splitlines(), theirs[1].splitlines()
    return (
        ours[0] == theirs[0]
        and len(lines) == len(expected)
        and all(
            line == wanted or (theirs[0] != 0 and line.startswith(f"{wanted}; "))
            for line, wanted in zip(lines, expected, strict=True)
        )
    )


def compare(sides: tuple[Side, Side], steps: str) -> None:
    wrong = []
    for step in steps.strip().splitlines():
        theirs, ours = (outcome(side, step.replace("TAP", (side.directory / "tap").read_text())) for side in sides)
        if alike(ours, theirs) == step.startswith(tuple(DIFFERENT)):
            expected, found = ([str(code), *text.splitlines()] for code, text in (theirs, ours))
            wrong += [step, *difflib.unified_diff(expected, found, "libvirtd", "roostd", lineterm="", n=1), ""]
    assert not wrong, "\n".join(wrong)


def test_every_command_is_compared_or_has_a_reason() -> None:
    """Those of virsh's groups about domains, and no other, stand in tests/commands.tsv."""
    pages = [run(["virsh", "help", group]).stdout for group in commands.GROUPS]
    names = {line.split()[0] for page in pages for line in page.splitlines()[1:] if line.strip()}
    assert names == commands.table().keys()


def test_a_guest_that_is_shut_off(sides: tuple[Side, Side]) -> None:
    compare(sides, STOPPED)


def test_a_guest_that_runs(sides: tuple[Side, Side]) -> None:
    compare(sides, LIVE)


#: What happens while somebody listens.
HAPPENINGS = """
start % --paused
resume %
suspend %
attach-disk % D/other sdb --targetbus usb --subdriver qcow2 --live
detach-disk % sdb --live
change-media % sda D/media.img --insert --live
change-media % sda --eject --live
blkdeviotune % vda --total-iops-sec 500 --live
vcpupin % 0 0
desc % --live --title other title
metadata % http://example.org/a --key a --set "<b/>" --live
set-lifecycle-action % crash preserve --live
snapshot-create-as % seen
snapshot-revert % seen --paused
snapshot-delete % seen
blockcopy % vda D/copy --transient-job --wait --finish
managedsave %
start % --paused
managedsave %
start % --force-boot --paused
domrename % other
reset %
qemu-monitor-command % --hmp sendkey a
destroy %
domrename % %-b
domrename %-b %
"""


@contextlib.contextmanager
def listening(side: Side, *words: str) -> Iterator[Console]:
    """A virsh that tells of what happens, from its first words on."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    command = ["virsh", "-q", "-c", side.uri, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stdout is not None
            console = Console(process.stdout.fileno())
            yield console
            heard.note_virsh(side.uri, words, ok=bool(console.text))
        finally:
            process.terminate()


def told(side: Side) -> str:
    """What `event` says while HAPPENINGS happen."""
    with listening(side, "event", "--all", "--loop") as console:
        while "metadata-change" not in console.text:
            # Only an event that comes shows that it listens.
            side.run("desc % --config listening")
            with contextlib.suppress(ConsoleError):
                console.wait_for("metadata-change", 0.5)
        for step in HAPPENINGS.strip().splitlines():
            side.run(step)
        side.run("metadata % http://example.org/last --key a --set '<b/>'")
        console.wait_for("http://example.org/last")
        text = console.text
    text = re.sub(r"(?m)^(\t(?:time|data|memory|disk|downtime|setup)\w*: )\d+", r"\1N", text)
    # Not of a job that took no time that could be measured; as many as it takes; and the firmware resets as it likes.
    text = re.sub(r"(?m)^(\tmemory_bps:|event '(migration-iteration|reboot)' ).*\n", "", text)
    return normal(text[text.index("event 'lifecycle'") :], side)


def test_events(sides: tuple[Side, Side]) -> None:
    theirs, ours = (told(side).splitlines() for side in sides)
    different = list(difflib.unified_diff(theirs, ours, "libvirtd", "roostd", lineterm="", n=1))
    assert not different, "\n".join(different)


def monitored(side: Side) -> str:
    """What `qemu-monitor-event` says of a guest that is stopped and goes on, without the time."""
    side.run("start % --paused")
    with listening(side, "qemu-monitor-event", NAME, "--loop") as console:
        while console.text.count("event RESUME") < 2:
            for step in ("resume %", "suspend %"):
                side.run(step)
            with contextlib.suppress(ConsoleError):
                console.wait_for("event RESUME", 0.2)
        text = console.text
    side.run("destroy %")
    return re.sub(r"at \d+\.\d+", "at TIME", text[text.index("event RESUME") :])


def test_events_of_the_monitor(sides: tuple[Side, Side]) -> None:
    theirs, ours = (monitored(side).splitlines() for side in sides)
    assert set(ours) >= {f"event RESUME at TIME for domain '{NAME}': <null>"}
    assert theirs[:2] == ours[:2]
