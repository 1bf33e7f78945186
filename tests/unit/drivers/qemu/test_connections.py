"""What connects interfaces with the host's networks: what is asked of the host, in order, and what is undone."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from typing import cast

import pytest

from roost.contract.lookups import Lookups, NetworkLookup
from roost.drivers.qemu import connections, plan
from roost.errors import ConfigUnsupported, DeviceMissing, InternalError, NoNetwork, OperationFailed, SystemCallError
from roost.host.api import Host, Rate, SwitchPort
from roost.host.fake import FakeHost
from roost.model.domain import Domain, parse
from roost.model.domain.devices.hostdev import UsbLocation
from roost.model.shared.bandwidth import Bandwidth
from roost.model.shared.bandwidth import Rate as WrittenRate
from roost.model.shared.virtualport import VirtualPort, VirtualPortParameters
from roost.model.shared.vlan import Vlan, VlanTag

GUEST = "6c4ce3c0-44fb-4de0-9b51-1b2e9cfa3e8f"
MAC = "52:54:00:00:00:01"
BANDWIDTH = Bandwidth(inbound=WrittenRate(average=1000, peak=5000, burst=1024), outbound=WrittenRate(average=128))
INBOUND, OUTBOUND = Rate(1000, 5000, 1024), Rate(128)


@pytest.fixture
def host() -> Iterator[FakeHost]:
    fake = FakeHost()
    yield fake
    for tap in fake.network.taps:
        for descriptor in tap.descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)
    fake.network.close()


def made(host: FakeHost, tap: plan.Tap) -> list[tuple[object, ...]]:
    """What is done beside the tap itself."""
    names, _ = connections.links(cast(Host, host), (tap,))
    result = connections.make(cast(Host, host), tap, names.get(tap.key, tap.name), GUEST)
    assert result.descriptors
    return host.network.done


def test_a_tap_sends_what_the_guest_receives(host: FakeHost) -> None:
    tap = plan.Tap("net0", "t0", MAC, bridge="br0", switch=plan.Switch(bandwidth=BANDWIDTH, isolated=True, coalesce=7))
    assert made(host, tap) == [("isolate", "t0"), ("coalesce", "t0", 7), ("shape", "t0", INBOUND, OUTBOUND)]
    assert connections.links(cast(Host, host), (tap,)) == ({}, ())


def test_a_macvtap_carries_both_directions_as_its_guest_sees_them(host: FakeHost) -> None:
    tap = plan.Tap("net0", "", MAC, link="eth0", mode="bridge", switch=plan.Switch(bandwidth=BANDWIDTH))
    assert made(host, tap) == [("macvtap", "macvtap0", "eth0", "bridge"), ("shape", "macvtap0", OUTBOUND, INBOUND)]


def test_passthrough_borrows_the_address_of_what_is_below(host: FakeHost) -> None:
    tap = plan.Tap("net0", "mv0", MAC, link="eth0", mode="passthrough")
    _, links = connections.links(cast(Host, host), (tap,))
    assert links == (
        connections.Link(name="mv0", kind="macvtap", mac=MAC, below="eth0", below_mac="52:54:00:00:00:99"),
    )
    assert made(host, tap)[0] == ("set_address", "eth0", MAC)
    host.network.done.clear()
    connections.undo(cast(Host, host), links)
    assert host.network.done == [("remove_macvtap", "mv0"), ("set_address", "eth0", "52:54:00:00:00:99")]


def test_a_port_of_open_vswitch(host: FakeHost) -> None:
    port = VirtualPort(type="openvswitch", parameters=VirtualPortParameters(interfaceid=GUEST, profileid="web"))
    vlan = Vlan(trunk="yes", tags=(VlanTag(id=42, native_mode="untagged"), VlanTag(id=47)))
    switch = plan.Switch(port=port, vlan=vlan, bandwidth=BANDWIDTH)
    tap = plan.Tap("net0", "web0", MAC, bridge="ovsbr0", switch=switch)
    expected = SwitchPort(MAC, GUEST, GUEST, "web", (42, 47), True, 42, "untagged")
    assert made(host, tap) == [
        ("plug", "web0", "ovsbr0", expected),
        ("shape_port", "web0", GUEST, INBOUND, OUTBOUND),
    ]
    _, links = connections.links(cast(Host, host), (tap,))
    host.network.done.clear()
    connections.undo(cast(Host, host), links)
    assert host.network.done == [("unplug", "web0")]


def test_switches_and_tags_that_are_refused(host: FakeHost) -> None:
    tap = plan.Tap("net0", "t", MAC, bridge="br0", switch=plan.Switch(port=VirtualPort(type="midonet")))
    with pytest.raises(ConfigUnsupported, match="virtualport type 'midonet'"):
        connections.links(cast(Host, host), (tap,))
    tagged = plan.Tap("net0", "t", MAC, bridge="br0", switch=plan.Switch(vlan=Vlan(tags=(VlanTag(id=3),))))
    with pytest.raises(ConfigUnsupported, match="is requesting a vlan tag"):
        connections.make(cast(Host, host), tagged, "t", GUEST)


def test_scripts_run_with_the_name_of_the_interface(host: FakeHost) -> None:
    tap = plan.Tap("net0", "t0", MAC, script="/bin/true", downscript="/bin/true")
    assert made(host, tap) == []
    names, links = connections.links(cast(Host, host), (tap,))
    assert (names, links) == ({"net0": "t0"}, (connections.Link(name="t0", mac=MAC, downscript="/bin/true"),))
    connections.undo(cast(Host, host), links)
    for script, text in (("/bin/false", "unexpected exit status 1"), ("/nonexistent", "Failed to execute")):
        with pytest.raises(InternalError, match=text):
            connections.make(cast(Host, host), tap._replace(script=script), "t0", GUEST)


def test_devices_that_are_not_there() -> None:
    with pytest.raises((ConfigUnsupported, InternalError)):
        connections.check_device(plan.HostDevice("hostdev0", "pci", "00ff:ff:1f.7"))
    with pytest.raises(DeviceMissing, match="mediated device 'x' not found"):
        connections.check_device(plan.HostDevice("hostdev0", "mdev", "x"))
    with pytest.raises(SystemCallError, match="cannot open directory"):
        connections.scsi_generic(plan.HostDevice("hostdev0", "scsi", "99:9:9:9"))
    with pytest.raises(SystemCallError, match="Unable to open '/dev/none' for vdpa device"):
        connections.open_device(plan.Opened("k", "/dev/none", "Unable to open '/dev/none' for vdpa device"))


SPICE = """<domain type='qemu'><name>g</name><memory>1024</memory><os><type>hvm</type></os><devices>
<graphics type='spice' tlsPort='5901'>{listen}</graphics></devices></domain>"""


def test_tls_is_a_setting_of_the_host() -> None:
    document = parse(SPICE.format(listen="<listen type='address'/>"))
    connections.check_displays(document, spice_tls=True)
    with pytest.raises(ConfigUnsupported, match="spice TLS port set in XML configuration, but TLS is disabled"):
        connections.check_displays(document, spice_tls=False)
    connections.check_displays(parse(SPICE.format(listen="<listen type='none'/>")), spice_tls=False)


USB = """<domain type='qemu'><name>g</name><memory>1024</memory><os><type>hvm</type></os><devices>
<hostdev type='usb'><source{policy}>{what}</source></hostdev></devices></domain>"""
IDS, PLACE = "<vendor id='0xfffe'/><product id='0xfffd'/>", "<address bus='99' device='98'/>"


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("", "USB host device is missing bus/device"),
        (IDS, "Did not find USB device fffe:fffd"),
        (PLACE, "Did not find USB device bus:99 device:98"),
    ],
)
def test_usb_devices_that_are_not_plugged_in(what: str, text: str) -> None:
    with pytest.raises(InternalError, match=text):
        connections.with_usb_devices(parse(USB.format(policy="", what=what)))
    if not what:
        return
    optional = connections.with_usb_devices(parse(USB.format(policy=" startupPolicy='optional'", what=what)))
    assert getattr(optional.devices.hostdevs[0].source, "missing", None)


def test_usb_devices_are_found_by_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    here, other = UsbLocation(bus=1, device=2), UsbLocation(bus=1, device=3)
    document = parse(USB.format(policy="", what=IDS))
    monkeypatch.setattr(connections, "_usb_devices", lambda: {here: (0xFFFE, 0xFFFD), other: (1, 2)})
    assert getattr(connections.with_usb_devices(document).devices.hostdevs[0].source, "location", None) == here
    monkeypatch.setattr(connections, "_usb_devices", lambda: {here: (0xFFFE, 0xFFFD), other: (0xFFFE, 0xFFFD)})
    with pytest.raises(OperationFailed, match="Multiple USB devices for fffe:fffd"):
        connections.with_usb_devices(document)


XML = """<domain type='qemu'><name>g</name><memory>1024</memory><os><type>hvm</type></os><devices>
<interface type='network'><source network='default' portgroup='web'/></interface>
<interface type='user'/></devices></domain>"""


class Known(NetworkLookup):
    async def bridge(self, network: str, portgroup: str | None) -> str:
        return f"{network}-{portgroup}"


def test_networks_have_bridges() -> None:
    document: Domain = parse(XML)
    with pytest.raises(NoNetwork, match="no network with matching name 'default'"):
        asyncio.run(connections.with_networks(document, Lookups()))
    found = asyncio.run(connections.with_networks(document, Lookups(networks=Known())))
    assert [getattr(each.source, "bridge", None) for each in found.devices.interfaces] == ["default-web", None]


def test_no_guest_runs_without_the_filter_it_was_given() -> None:
    document = parse(XML.replace("type='user'/>", "type='user'><filterref filter='clean-traffic'/></interface>"))
    with pytest.raises(InternalError, match="referenced filter 'clean-traffic' is missing"):
        asyncio.run(connections.with_networks(document, Lookups(networks=Known())))
