"""Guests of the usual guides, started for real: SPICE with all that goes with it, macvtap, passt."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from support.daemon import RoostDaemon
from support.peer import virsh, virsh_ok

pytestmark = [pytest.mark.guest, pytest.mark.root]

GUEST = """
<domain type='qemu'>
  <name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='{machine}'>hvm</type></os>
  <devices>{devices}</devices>
</domain>
"""
SPICE = """
<controller type='usb' index='0' model='ich9-ehci1'/>
<controller type='usb' index='0' model='ich9-uhci1'><master startport='0'/></controller>
<controller type='usb' index='0' model='ich9-uhci2'><master startport='2'/></controller>
<controller type='usb' index='0' model='ich9-uhci3'><master startport='4'/></controller>
<serial type='pty'/>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>
<channel type='spiceport'><source channel='org.spice-space.webdav.0'/>
  <target type='virtio' name='org.spice-space.webdav.0'/></channel>
<smartcard mode='passthrough' type='spicevmc'/>
<input type='tablet' bus='usb'/>
<graphics type='spice' autoport='yes' passwd='sekret'><image compression='off'/><mouse mode='client'/></graphics>
<graphics type='vnc'><listen type='socket'/></graphics>
<sound model='ich6'/>
<video><model type='qxl'/></video>
<redirdev bus='usb' type='spicevmc'/>
<redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' service='0'/></redirdev>
<redirfilter><usbdev class='0x08' allow='yes'/><usbdev allow='no'/></redirfilter>
"""
INTERFACE = "<interface type='{type}'><mac address='52:54:00:5e:bb:0{n}'/>{rest}<model type='virtio'/></interface>"


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


def start(daemon: RoostDaemon, name: str, devices: str, machine: str = "pc") -> str:
    """Start a paused guest; its live document."""
    document = daemon.root / f"{name}.xml"
    document.write_text(GUEST.format(name=name, machine=machine, devices=devices))
    virsh_ok(daemon.uri, "create", str(document), "--paused")
    return virsh_ok(daemon.uri, "dumpxml", name)


def test_spice_with_all_that_goes_with_it(daemon: RoostDaemon) -> None:
    live = start(daemon, "spice", SPICE)
    try:
        assert "<graphics type='spice' port='59" in live
        assert "spice://127.0.0.1:59" in virsh_ok(daemon.uri, "domdisplay", "spice", "--type", "spice")
        assert "vnc.sock" in live
        assert "<alias name='redir1'/>" in live
    finally:
        virsh_ok(daemon.uri, "destroy", "spice")


@pytest.fixture
def below() -> Iterator[str]:
    """One end of a pair of interfaces, up."""
    name = f"rg{os.getpid() % 10**9}"
    made = subprocess.run(["ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p"], capture_output=True)
    if made.returncode:
        pytest.skip("no interfaces can be made here")
    try:
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        yield name
    finally:
        subprocess.run(["ip", "link", "del", name], check=True)


def address(interface: str) -> str:
    with open(f"/sys/class/net/{interface}/address") as file:
        return file.read().strip()


@pytest.mark.parametrize("mode", ["bridge", "passthrough"])
def test_directly_on_an_interface_of_the_host(below: str, mode: str) -> None:
    with RoostDaemon() as daemon:
        run_directly(daemon, below, mode)


def run_directly(daemon: RoostDaemon, below: str, mode: str) -> None:
    before = address(below)
    rest = f"<source dev='{below}' mode='{mode}'/><bandwidth><outbound average='1000'/></bandwidth>"
    live = start(daemon, "direct", INTERFACE.format(type="direct", n=1, rest=rest))
    try:
        name = live.partition("<target dev='")[2].partition("'")[0]
        assert name.startswith("macvtap")
        assert (
            f"macvtap mode {'passthru' if mode == 'passthrough' else mode}"
            in subprocess.run(["ip", "-d", "link", "show", name], capture_output=True, text=True, check=True).stdout
        )
        daemon.kill()
        daemon.restart()
        assert name in virsh_ok(daemon.uri, "dumpxml", "direct")
    finally:
        virsh_ok(daemon.uri, "destroy", "direct")
    assert not os.path.exists(f"/sys/class/net/{name}")
    assert address(below) == before


def test_passt(daemon: RoostDaemon) -> None:
    if shutil.which("passt") is None:
        pytest.skip("passt is not installed")
    ports = "<portForward proto='tcp' address='127.0.0.1'><range start='2099' to='22'/></portForward>"
    rest = f"<backend type='passt'/>{ports}"
    document = daemon.root / "passt.xml"
    document.write_text(
        GUEST.format(name="passt", machine="q35", devices=INTERFACE.format(type="user", n=2, rest=rest))
    )
    answer = virsh(daemon.uri, "create", str(document), "--paused")
    if not answer.ok and "Could not start 'passt'" in answer.stderr:
        pytest.skip(f"passt does not work here: {answer.stderr.strip()}")
    assert answer.ok, answer.stderr
    shown = virsh_ok(daemon.uri, "dumpxml", "passt")
    assert "<backend type='passt'/>" in shown
    virsh_ok(daemon.uri, "destroy", "passt")


@pytest.mark.parametrize(
    ("devices", "text"),
    [
        (INTERFACE.format(type="network", n=3, rest="<source network='default'/>"),
         "Network not found: no network with matching name 'default'"),
        (INTERFACE.format(type="vdpa", n=3, rest="<source dev='/dev/vhost-vdpa-none'/>"),
         "Unable to open '/dev/vhost-vdpa-none' for vdpa device"),
        (INTERFACE.format(type="direct", n=3, rest="<source dev='roost-none'/>"), "roost-none"),
        ("<hostdev mode='subsystem' type='mdev' model='vfio-pci'>"
         "<source><address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/></source></hostdev>",
         "mediated device 'c2177883-f1bb-47f0-914d-32a22e3a8804' not found"),
        ("<hostdev mode='subsystem' type='pci'>"
         "<source><address bus='0xff' slot='0x1f' function='7'/></source></hostdev>",
         "ost"),
        ("<interface type='null'/>", "network device type 'null' is not supported"),
    ],
)  # fmt: skip
def test_what_this_host_has_not(daemon: RoostDaemon, devices: str, text: str) -> None:
    document = daemon.root / "lacking.xml"
    document.write_text(GUEST.format(name="lacking", machine="q35", devices=devices))
    answer = virsh(daemon.uri, "create", str(document), "--paused")
    assert not answer.ok
    assert text in answer.stderr
    assert "lacking" not in virsh_ok(daemon.uri, "list", "--all", "--name")
