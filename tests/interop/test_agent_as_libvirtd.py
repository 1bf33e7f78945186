"""The agent in a guest asked through libvirtd and through us: the same guest twice, the same words, the same answers.

The order matters: some words change what later ones see.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from roost.cli import main
from support.agents import AGENT_CHANNEL, AGENT_COMMAND, agent_images
from support.console import Console
from support.daemon import RoostDaemon
from support.guests import READY, domain_xml
from support.peer import Peer, libvirt_result, run, virsh, virsh_ok

pytestmark = [pytest.mark.peer, pytest.mark.guest, pytest.mark.root]

NAME = "agent-both"
NIC = "<interface type='user'><mac address='52:54:00:5e:cc:07'/><model type='virtio'/></interface>"
PREPARE = (
    "sh sh /extra/load; mkdir /mnt; mke2fs /dev/vda >/dev/null; mount -t ext4 /dev/vda /mnt; "
    "ip addr add 192.0.2.7/24 dev eth0"
)


class Guest(NamedTuple):
    """One of the two."""

    uri: str
    console: Console


@contextlib.contextmanager
def booted(uri: str) -> Iterator[Guest]:
    """The guest, with a file system and without its agent, by a daemon."""
    directory = Path(tempfile.mkdtemp(prefix="roost-agent-", dir="/tmp"))
    try:
        directory.chmod(0o777)
        disk = directory / "disk"
        disk.write_bytes(bytes(8 << 20))
        disk.chmod(0o666)
        document = directory / "domain.xml"
        document.write_text(
            domain_xml(
                NAME,
                uuid_="11111111-2222-4333-8444-5555555555aa",
                memory_mib=192,
                vcpus=2,
                disks=(disk,),
                images=agent_images(),
                serial=f"<serial type='unix'><source mode='bind' path='{directory}/console'/></serial>",
                interfaces=NIC,
                graphics="",
                devices=AGENT_CHANNEL,
            )
        )
        virsh_ok(uri, "create", str(document))
        with socket.socket(socket.AF_UNIX) as serial:
            serial.connect(str(directory / "console"))
            console = Console(serial.fileno())
            console.wait_for(READY)
            console.ask(PREPARE, "sh: exit 0")
            yield Guest(uri, console)
    finally:
        virsh(uri, "destroy", NAME)
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def guests(peer: Peer) -> Iterator[tuple[Guest, Guest]]:
    """libvirtd's and ours."""
    with RoostDaemon() as daemon, booted(peer.uri) as theirs, booted(daemon.uri) as ours:
        yield theirs, ours


#: For the one domain of `test:///default`, and others of its driver.
INVENTED = """
domhostname test
domhostname test --source agent
domtime test
domtime test --time 5
domtime test
domfsinfo test
domfsfreeze test --mountpoint /
domfsfreeze test
domfsfreeze test
domfsfreeze test --mountpoint /home
domfsthaw test --mountpoint /boot
domfsthaw test
domfsthaw test --mountpoint /home
domfstrim test
domfstrim test --mountpoint /
domfstrim test --mountpoint /home
domifaddr test
domifaddr test --source arp
set-user-password test root secret
guestinfo test
guestvcpus test
qemu-agent-command test ping
dompmsuspend test mem
dompmwakeup test
create {two}
domifaddr two
domfsinfo two
domhostname two
suspend two
domtime two
domfsfreeze two
destroy test
domhostname test
domtime test
domfsinfo test
"""
TWO = """<domain type='test'><name>two</name><memory>8192</memory><os><type>hvm</type></os><devices>
<disk type='file' device='cdrom'><target dev='hdc'/></disk>
<disk type='file' device='disk'><source file='/nowhere'/><target dev='vda'/></disk>
<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/><target dev='tap6'/></interface>
<interface type='ethernet'><mac address='52:54:00:00:00:02'/><target dev='tap7'/></interface>
<interface type='ethernet'><mac address='52:54:00:00:00:03'/><target dev='tap8'/></interface></devices></domain>"""


def test_invented_guests(peer: Peer, tmp_path: Path) -> None:
    document = tmp_path / "two.xml"
    document.write_text(TWO)
    with RoostDaemon() as daemon:
        uris = f"test+unix:///default?socket={peer.socket_path}", daemon.uri_of("test", "default")
        script = "\n".join(INVENTED.replace("{two}", str(document)).split("\n")[1:])
        # One session each: the world ends with its last connection.
        theirs, ours = (run(["virsh", "-c", uri], input=script) for uri in uris)
        assert says(f"{ours.stdout}{ours.stderr}", f"{theirs.stdout}{theirs.stderr}"), ours.stdout + theirs.stdout


WITHOUT = """
domhostname
guest-agent-timeout --timeout 5
qemu-agent-command {"execute":"guest-ping"}
domtime --sync
domtime
guestinfo
guestvcpus
domfsfreeze
domfsthaw
domfsinfo
domfstrim
domifaddr --source agent
set-user-password root secret
get-user-sshkeys root
dompmsuspend mem
shutdown --mode agent
reboot --mode agent
vcpucount --guest
"""

WITH = """
qemu-agent-command {"execute":"guest-ping"}
qemu-agent-command {"execute":"guest-pong"}
qemu-agent-command [1]
qemu-agent-command --timeout 3 {"execute":"guest-get-host-name"}
qemu-agent-command --pretty {"execute":"guest-get-host-name"}
qemu-agent-command --block {"execute":"guest-fsfreeze-status"}
qemu-agent-command --async {"execute":"guest-ping"}
domhostname
domhostname --source lease
domhostname --source agent
domfsinfo
domfsfreeze
domfsfreeze
domfsinfo
domfsthaw
domfsthaw
domfsfreeze --mountpoint /mnt
domfsthaw
domfsfreeze --mountpoint /nowhere
domfsthaw --mountpoint /mnt
domfstrim
domfstrim --minimum 4096
domfstrim --mountpoint /mnt
domtime --time 1000000000
domtime --time 10000000000
domtime --now
domtime --sync
guestinfo
guestinfo --os --hostname
guestinfo --user
guestinfo --filesystem
guestinfo --disk
guestinfo --interface
guestinfo --timezone
domifaddr --source agent
domifaddr --source agent --full --interface lo
domifaddr
set-user-password root secret
set-user-password root $6$salt --encrypted
get-user-sshkeys root
set-user-sshkeys root --file {one}
get-user-sshkeys root
set-user-sshkeys root --reset --file {two}
set-user-sshkeys root --remove --file {two}
get-user-sshkeys root
get-user-sshkeys nosuch
guestvcpus
guestvcpus --disable --cpulist 1
guestvcpus
vcpucount --guest
guestvcpus --enable --cpulist 1
guestvcpus --disable --cpulist 0
guestvcpus --disable --cpulist 7
guestvcpus --disable --cpulist x
vcpucount --guest --maximum
setvcpus 1 --guest
vcpucount --guest
setvcpus 3 --guest
setvcpus 2 --guest
guest-agent-timeout --timeout -3
guest-agent-timeout --timeout 30
suspend
domhostname
domfsfreeze
guestinfo
shutdown --mode agent
resume
dompmwakeup
dompmsuspend mem --duration 5
dompmsuspend mem
= pmsuspended (unknown)
domhostname
dompmwakeup
= running (event wakeup)
? domhostname
shutdown --mode agent
"""


def says(ours: str, theirs: str) -> bool:
    """Whether these are libvirt's words; a hint may follow them."""
    lines, expected = ours.splitlines(), theirs.splitlines()
    return len(lines) == len(expected) and all(
        line == wanted or line.startswith(f"{wanted}; ") for line, wanted in zip(lines, expected, strict=True)
    )


def wait_until(guest: Guest, line: str) -> None:
    """What a guest does by itself, it does in its own time.

    `= TEXT` is to stand in its state and document, `? COMMAND` is to succeed.
    """
    for _ in range(600):
        if line.startswith("?"):
            if virsh(guest.uri, line[2:], NAME).ok:
                return
        elif line[2:] in virsh_ok(guest.uri, "domstate", NAME, "--reason") + virsh_ok(guest.uri, "dumpxml", NAME):
            return
    raise AssertionError(f"not yet: {line}")


def both(guests: tuple[Guest, Guest], words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    """One command of virsh's at both, and of our own program for the same words where it only looks."""
    command = [words[0], NAME, *words[1:]]
    theirs, ours = (virsh(guest.uri, *command) for guest in guests)
    shown = shlex.join(words)
    if "--async" in words and theirs.ok:
        return  # no time to wait at all, and the answer was there all the same: on a busy machine
    assert (shown, ours.returncode, ours.stdout) == (shown, theirs.returncode, theirs.stdout)
    assert says(ours.stderr, theirs.stderr), f"{shown}: {ours.stderr}, not {theirs.stderr}"
    if words[0] in ("guestinfo", "domifaddr", "domfsinfo", "guestvcpus", "domhostname", "get-user-sshkeys"):
        capfd.readouterr()
        code = main(["-q", "-c", guests[1].uri, *command])
        out, err = capfd.readouterr()
        assert (shown, code, out, err) == (shown, ours.returncode, ours.stdout, ours.stderr)


def test_without_the_agent(guests: tuple[Guest, Guest], capfd: pytest.CaptureFixture[str]) -> None:
    for line in WITHOUT.split("\n")[1:-1]:
        both(guests, line.split(), capfd)


SCRIPT = """
domain = libvirt.open(sys.argv[1]).lookupByName(sys.argv[2])
def of(call, *arguments):
    try:
        return call(*arguments)
    except libvirt.libvirtError as error:
        return [error.get_error_code(), error.get_error_domain()]
print(json.dumps([
    of(domain.fsInfo), of(domain.hostname), of(domain.guestVcpus), of(domain.interfaceAddresses, 1),
    of(domain.guestInfo, libvirt.VIR_DOMAIN_GUEST_INFO_OS), of(domain.fsFreeze, ["/nowhere"]), of(domain.fsThaw),
    of(domain.setUserPassword, "root", "x"), of(domain.authorizedSSHKeysGet, "nosuch"), of(domain.hostname, 64),
    of(domain.interfaceAddresses, 7), of(domain.setGuestVcpus, "0", 2), of(domain.pMSuspendForDuration, 9, 0),
    of(domain.guestInfo, 1 << 30), of(domain.hostname, 3), of(domain.fSTrim, "/", 0), of(domain.pMWakeup),
    of(domain.setTime, {"seconds": 1 << 40, "nseconds": 0}), sorted(domain.getTime()),
]))
"""


def test_with_the_agent(guests: tuple[Guest, Guest], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for guest in guests:
        guest.console.ask(AGENT_COMMAND, "sh: exit 0")
        wait_until(guest, "= state='connected'")
    for name in ("one", "two"):
        (tmp_path / name).write_text(f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB {name}@example\n")
    theirs, ours = (libvirt_result(SCRIPT, guest.uri, NAME) for guest in guests)
    assert ours == theirs
    for line in WITH.split("\n")[1:-1]:
        if line.startswith(("= ", "? ")):
            for guest in guests:
                wait_until(guest, line)
            continue
        words = [word.replace("{one}", f"{tmp_path}/one").replace("{two}", f"{tmp_path}/two") for word in line.split()]
        both(guests, words, capfd)
