"""Interfaces of running guests: the same document started by libvirtd and by us, and the command lines compared.

`domxml-to-native` shows every interface as a bare tap, so nothing less than a start tells.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import native
from support.daemon import RoostDaemon
from support.peer import Peer, virsh_ok

pytestmark = [pytest.mark.peer, pytest.mark.guest, pytest.mark.root]

GUEST = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os>
<devices>{interface}<memballoon model='none'/></devices></domain>"""
MAC = "<mac address='52:54:00:5e:cc:01'/>"
VIRTIO = "<model type='virtio'/>"
DRIVER = (
    "<driver name='qemu' txmode='iothread' ioeventfd='on' event_idx='off' queues='2' rx_queue_size='256'>"
    "<host csum='off' gso='off' tso4='off' mrg_rxbuf='off'/><guest csum='off' tso4='off'/></driver>"
)

#: The kind of interface, and what is in it; {below} is an interface of the host, {bridge} a bridge.
KINDS = {
    "user": ("user", f"{VIRTIO}<ip address='172.17.2.0' family='ipv4' prefix='24'/>"),
    "user-ipv6": ("user", "<model type='e1000'/><ip address='2001:db8:ac10:fd01::' family='ipv6' prefix='64'/>"),
    "ethernet": ("ethernet", f"{VIRTIO}<mtu size='1400'/>"),
    "ethernet-queues": ("ethernet", f"{VIRTIO}{DRIVER}<tune><sndbuf>1600</sndbuf></tune>"),
    "ethernet-rtl8139": ("ethernet", "<model type='rtl8139'/><rom enabled='no'/>"),
    "bridge": ("bridge", f"<source bridge='{{bridge}}'/>{VIRTIO}<boot order='1'/>"),
    "bridge-failover": (
        "bridge",
        f"<source bridge='{{bridge}}'/>{VIRTIO}<teaming type='persistent'/><alias name='ua-b'/>",
    ),
    "direct": ("direct", f"<source dev='{{below}}' mode='bridge'/>{VIRTIO}"),
    "direct-queues": ("direct", f"<source dev='{{below}}' mode='vepa'/>{VIRTIO}<driver queues='2'/>"),
    "server": ("server", "<source address='127.0.0.1' port='0'/><model type='rtl8139'/>"),
    "mcast": ("mcast", f"<source address='230.0.0.1' port='5558'/>{VIRTIO}"),
    "udp": (
        "udp",
        f"<source address='127.0.0.1' port='5559'><local address='127.0.0.1' port='5560'/></source>{VIRTIO}",
    ),
}


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


@pytest.fixture
def places() -> Iterator[dict[str, str]]:
    """A bridge and one end of a pair of interfaces, up."""
    below, bridge = f"ri{os.getpid() % 10**9}", f"rj{os.getpid() % 10**9}"
    commands = (
        ("link", "add", below, "type", "veth", "peer", "name", f"{below}p"),
        ("link", "set", below, "up"),
        ("link", "add", bridge, "type", "bridge"),
    )
    try:
        for words in commands:
            if subprocess.run(["ip", *words], capture_output=True, check=False).returncode:
                pytest.skip("no interfaces can be made here")
        yield {"below": below, "bridge": bridge}
    finally:
        for name in (below, bridge):
            subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)


def started(uri: str, document: Path, name: str) -> list[native.Option]:
    """The options of the interfaces of a guest that is started, with the numbers of descriptors left out."""
    virsh_ok(uri, "create", str(document), "--paused")
    try:
        words = command_line(f"guest={name},".encode())
    finally:
        virsh_ok(uri, "destroy", name)
    return [
        (flag, re.sub(r'("(?:vhost)?fds?": )"[0-9:]+"', _count, value))
        for flag, value in native.options(words[1:])
        if native.is_interface((flag, value))
    ]


def _count(found: re.Match[str]) -> str:
    """How many descriptors, in place of which."""
    return f"{found[1]}{found[0].count(':')}"


def command_line(mark: bytes) -> list[str]:
    """The words of the one QEMU whose command line has `mark`."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if any(mark in word for word in words) and b"qemu-system" in words[0]:
            return [word.decode() for word in words[:-1]]
    raise AssertionError(f"no process with {mark.decode()}")


@pytest.mark.parametrize("case", KINDS)
def test_same_interface(case: str, peer: Peer, daemon: RoostDaemon, places: dict[str, str], tmp_path: Path) -> None:
    kind, rest = KINDS[case]
    name = f"same-{case}-{os.getpid()}"
    document = tmp_path / "guest.xml"
    interface = f"<interface type='{kind}'>{MAC}{rest.format(**places)}</interface>"
    document.write_text(GUEST.format(name=name, interface=interface))
    tmp_path.chmod(0o755)
    theirs = started(peer.uri, document, name)
    assert theirs
    assert started(daemon.uri, document, name) == theirs
