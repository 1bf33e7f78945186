"""Command lines of connections, displays and sound that libvirt 9.0 cannot be asked about, and what is refused."""

from __future__ import annotations

import itertools
import json

import msgspec
import pytest

from roost.drivers.qemu import plan
from roost.drivers.qemu.capabilities import Capabilities
from roost.errors import ConfigUnsupported, NoNetwork, OperationFailed
from roost.model.domain import Domain, parse
from roost.model.domain.aliases import assign_aliases
from roost.model.domain.complete import complete
from support import machines

CAPS = machines.capabilities()
XML = """<domain type='qemu'><name>g</name><memory>262144</memory><os><type machine='q35'>hvm</type></os>
<devices>{devices}</devices></domain>"""
NIC = "<interface type='user'><mac address='52:54:00:00:00:01'/>{rest}<model type='virtio'/></interface>"


def live(devices: str, more: tuple[str, ...] = ()) -> tuple[Domain, Capabilities]:
    """A running guest's document; more: devices that this QEMU is taken to have besides."""
    caps = msgspec.structs.replace(CAPS, types=CAPS.types | frozenset(more))
    facts = machines.facts()
    facts = msgspec.structs.replace(facts, devices=facts.devices | frozenset(more))
    return assign_aliases(complete(parse(XML.format(devices=devices)), facts, entropy=bytes)), caps


def words(devices: str, flag: str, more: tuple[str, ...] = (), grants: plan.Grants | None = None) -> list[str]:
    """The values of an option."""
    argv = plan.argv(*live(devices, more), grants or plan.Grants()).argv
    return [value for option, value in itertools.pairwise(argv) if option == flag]


def device(devices: str, driver: str, more: tuple[str, ...] = ()) -> dict[str, object]:
    """The properties of the first device of that kind."""
    found: list[dict[str, object]] = [json.loads(value) for value in words(devices, "-device", more) if value[0] == "{"]
    return next(each for each in found if each["driver"] == driver)


def test_passt_is_reached_over_a_socket() -> None:
    rest = "<backend type='passt' logFile='/l' hostname='h' fqdn='h.example.org'/>"
    netdev = words(NIC.format(rest=rest), "-netdev", grants=plan.Grants(directory="/run/g"))
    assert [json.loads(value) for value in netdev] == [
        {"type": "stream", "addr": {"type": "unix", "path": "/run/g/net0.socket"}, "server": False, "id": "hostnet0"}
    ]


def test_arguments_of_passt() -> None:
    rest = (
        "<source dev='eth0'/><backend type='passt' logFile='/l' hostname='h' fqdn='h.example.org'/>"
        "<ip address='172.17.2.0' prefix='24'/><ip address='2001:db8::1'/>"
        "<portForward proto='tcp' address='127.0.0.1' dev='lo'><range start='2022' to='22'/>"
        "<range start='8000' end='8080' to='80'/><range start='9000' end='9001' exclude='yes'/></portForward>"
        "<portForward proto='udp'/>"
    )
    (need,) = plan.needs(*live(NIC.format(rest=rest))).passts
    assert need.key == "net0"
    assert " ".join(need.arguments) == (
        "--mac-addr 52:54:00:00:00:01 --interface eth0 --log-file /l --hostname h --fqdn h.example.org "
        "--address 172.17.2.0 --netmask 24 --address 2001:db8::1 "
        "--tcp-ports 127.0.0.1%lo/2022:22,8000-8080:80-160,~9000-9001 --udp-ports all"
    )


def test_cards_of_newer_releases() -> None:
    card = device("<sound model='virtio' streams='2'/>", "virtio-sound-pci", ("virtio-sound-pci",))
    assert (card["streams"], card["audiodev"]) == (2, "audio1")
    assert device("<sound model='usb' multichannel='yes'/>", "usb-audio")["multi"] is True
    video = device("<video><model type='virtio' blob='on' edid='off'/></video>", "virtio-vga")
    assert (video["blob"], video["edid"]) == (True, False)


def test_pipewire() -> None:
    sound = "<audio id='1' type='pipewire' runtimeDir='/run/user/1000'><input name='fish' latency='100'/></audio>"
    assert [json.loads(value) for value in words(sound, "-audiodev")] == [
        {"id": "audio1", "driver": "pipewire", "in": {"name": "fish", "latency": 100}}
    ]
    assert plan.argv(*live(sound), plan.Grants()).env["PIPEWIRE_RUNTIME_DIR"] == "/run/user/1000"
    sdl = "<audio id='1' type='sdl' driver='alsa'/><graphics type='sdl' display=':1' xauth='/x'/>"
    env = plan.argv(*live(sdl), plan.Grants()).env
    assert (env["SDL_AUDIODRIVER"], env["DISPLAY"], env["XAUTHORITY"]) == ("alsa", ":1", "/x")


def test_vhost_user_and_vdpa() -> None:
    nic = (
        "<interface type='vhostuser'><source type='unix' path='/s' mode='server'/><model type='virtio'/>"
        "<driver queues='2'/></interface><interface type='vdpa'><source dev='/dev/vhost-vdpa-0'/></interface>"
    )
    assert [json.loads(value) for value in words(nic, "-netdev")] == [
        {"type": "vhost-user", "chardev": "charnet0", "queues": 2, "id": "hostnet0"},
        {"type": "vhost-vdpa", "vhostdev": "/dev/vhost-vdpa-0", "id": "hostnet1"},
    ]
    assert "socket,id=charnet0,path=/s,server=on" in words(nic, "-chardev")
    needs = plan.needs(*live(nic))
    assert ("/s", "chardev") in [(file.path, file.kind) for file in needs.files]
    assert [opened.path for opened in needs.opened] == ["/dev/vhost-vdpa-0"]
    granted = plan.Grants(fds={"vdpa:net1": (9,)})
    assert '"vhostdev":"/dev/fdset/0"' in words(nic, "-netdev", grants=granted)[1]
    assert "set=0,fd=9,opaque=net1-vdpa" in words(nic, "-add-fd", grants=granted)


def test_what_host_devices_need() -> None:
    devices = (
        "<hostdev type='pci' managed='yes'><source><address bus='6' slot='2'/></source></hostdev>"
        "<hostdev type='scsi_host'><source protocol='vhost' wwpn='naa.5123456789abcde0'/></hostdev>"
        "<hostdev type='scsi'><source><adapter name='scsi_host2'/>"
        "<address bus='0' target='3' unit='5'/></source></hostdev>"
        "<hostdev type='usb'><source><address bus='1' device='3'/></source></hostdev>"
    )
    readonly = devices.replace("unit='5'/></source>", "unit='5'/></source><readonly/>")
    assert [device.write for device in plan.needs(*live(readonly)).devices] == [True, False]
    needs = plan.needs(*live(devices))
    assert needs.devices == (
        plan.HostDevice("hostdev0", "pci", "0000:06:02.0", True),
        plan.HostDevice("hostdev2", "scsi", "2:0:3:5"),
    )
    assert [opened.path for opened in needs.opened] == ["/dev/vhost-scsi"]
    assert "/dev/bus/usb/001/003" in [file.path for file in needs.files]
    granted = plan.Grants(names={"hostdev2": "/dev/sg3"}, fds={"vhost:hostdev1": (7,)})
    blocks = [json.loads(value) for value in words(devices, "-blockdev", grants=granted)]
    assert blocks == [
        {"driver": "host_device", "filename": "/dev/sg3", "node-name": "libvirt-1-backend", "read-only": False}
    ]
    assert any('"vhostfd":"7"' in value for value in words(devices, "-device", grants=granted))


@pytest.mark.parametrize(
    ("devices", "text"),
    [
        ("<graphics type='spice' port='5903' autoport='no'><channel name='main' mode='secure'/></graphics>",
         "spice secure channels set in XML configuration, but TLS connection is not available"),
        ("<graphics type='spice' tlsPort='5903' autoport='no' defaultMode='insecure'/>",
         "spice defaultMode insecure requested in XML configuration, but plaintext connection is not available"),
    ],
)  # fmt: skip
def test_refused(devices: str, text: str) -> None:
    with pytest.raises(ConfigUnsupported, match=text):
        words(devices, "-spice")


def test_refused_at_the_start() -> None:
    with pytest.raises(NoNetwork, match="no network with matching name 'default'"):
        plan.needs(*live("<interface type='network'><source network='default'/></interface>"))
    with pytest.raises(ConfigUnsupported, match="network device type 'null' is not supported"):
        plan.needs(*live("<interface type='null'/>"))
    with pytest.raises(OperationFailed, match="Unable to find a satisfying vhost-user-gpu"):
        words("<video><driver name='vhostuser'/><model type='virtio'/></video>", "-device")


def test_ports_of_spice() -> None:
    displays = "<graphics type='spice' port='5903' tlsPort='5904' autoport='no'/>"
    needs = plan.needs(*live(displays))
    assert [(port.key, port.first) for port in needs.ports] == [("graphics0", 5903), ("graphics0.tls", 5904)]
    text = words(displays, "-spice", grants=plan.Grants(displays=plan.DisplaySettings(spice_certificates="/c,d")))[0]
    assert text.startswith("port=5903,tls-port=5904,addr=127.0.0.1,disable-ticketing=on,x509-dir=/c,,d,")
