"""macvtap interfaces, shaping and ports of Open vSwitch: on interfaces of this test's own, and as words."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.errors import InternalError, OperationFailed, SystemCallError
from roost.host.api import Rate, SwitchPort
from roost.host.linux import openvswitch, traffic
from roost.host.linux.network import LinuxNetwork

MAC = "52:54:00:5e:aa:01"
GUEST, PORT = "6c4ce3c0-44fb-4de0-9b51-1b2e9cfa3e8f", "921a80cd-e6de-5a2e-db9c-ab27f15a6e1d"


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def below() -> Iterator[str]:
    """One end of a pair of interfaces, up."""
    name = f"rd{os.getpid() % 10**9}"
    try:
        ip("link", "add", name, "type", "veth", "peer", "name", f"{name}p")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no interfaces can be made here")
    try:
        ip("link", "set", name, "up")
        yield name
    finally:
        ip("link", "del", name)


@pytest.mark.root
@pytest.mark.parametrize("mode", ["vepa", "bridge", "private", "passthrough"])
def test_macvtap(below: str, mode: str) -> None:
    network, name = LinuxNetwork(), f"rm{os.getpid() % 10**9}"
    before = network.address(below)
    if mode == "passthrough":
        network.set_address(below, MAC)
    try:
        made = network.macvtap(name, mac=MAC, link=below, mode=mode, mtu=1400, queues=2)
    except OSError as error:
        pytest.skip(f"no macvtap here: {error}")
    try:
        assert (made.name, len(made.descriptors)) == (name, 2)
        shown = ip("-d", "link", "show", name)
        assert f"macvtap mode {'passthru' if mode == 'passthrough' else mode}" in shown
        assert MAC in shown
        assert "mtu 1400" in shown
        assert "UP" in shown
        with pytest.raises(OperationFailed, match="error creating macvtap interface"):
            network.macvtap(name, mac=MAC, link=below, mode=mode)
        network.remove_macvtap(name, "52:54:00:00:00:00")
        assert Path(f"/sys/class/net/{name}").exists()
    finally:
        for descriptor in made.descriptors:
            os.close(descriptor)
        network.remove_macvtap(name, MAC)
    assert not Path(f"/sys/class/net/{name}").exists()
    network.remove_macvtap(name, MAC)
    network.set_address(below, before)
    assert network.address(below) == before


@pytest.mark.root
def test_nothing_below() -> None:
    with pytest.raises(SystemCallError, match="Unable to get index for interface roost-none"):
        LinuxNetwork().macvtap("rmx", mac=MAC, link="roost-none", mode="vepa")
    with pytest.raises(SystemCallError, match="Cannot get interface MAC on 'roost-none'"):
        LinuxNetwork().address("roost-none")
    with pytest.raises(InternalError, match="Cannot set interface MAC"):
        LinuxNetwork().set_address("roost-none", MAC)


@pytest.mark.root
def test_coalescing() -> None:
    network, name = LinuxNetwork(), f"rc{os.getpid() % 10**9}"
    try:
        made = network.tap(name, mac=MAC, bridge=None)
    except SystemCallError as error:
        pytest.skip(f"no taps here: {error}")
    try:
        network.coalesce(name, 7)
    finally:
        for descriptor in made.descriptors:
            os.close(descriptor)
    with pytest.raises(SystemCallError, match="Cannot set coalesce info on 'roost-none'"):
        network.coalesce("roost-none", 7)


def test_names_are_given_once() -> None:
    network = LinuxNetwork()
    assert network.free_name("roostx") == "roostx0"
    assert network.free_name("roostx") == "roostx1"


@pytest.mark.root
def test_shaping(below: str) -> None:
    network = LinuxNetwork()
    with contextlib.suppress(InternalError):
        network.shape(below, sent=Rate(1000, 5000, 1024), received=Rate(128))
    shown = subprocess.run(["tc", "class", "show", "dev", below], check=True, capture_output=True, text=True).stdout
    if "htb" not in shown:
        pytest.skip("this kernel has no htb")
    assert "rate 8Mbit ceil 40Mbit" in shown
    queues = subprocess.run(["tc", "qdisc", "show", "dev", below], check=True, capture_output=True, text=True).stdout
    assert "ingress" in queues
    network.shape(below, sent=None, received=None)
    assert "htb" not in subprocess.run(["tc", "qdisc", "show", "dev", below], capture_output=True, text=True).stdout
    with pytest.raises(InternalError, match="tc -batch"):
        network.shape("roost-none", sent=Rate(1), received=None)


def test_words_of_shaping() -> None:
    lines = [" ".join(words) for words in traffic.commands("vnet0", sent=Rate(1000, 5000, 1024), received=Rate(128))]
    assert lines == [
        "qdisc add dev vnet0 root handle 1: htb default 1",
        "class add dev vnet0 parent 1: classid 1:1 htb rate 1000kbps ceil 5000kbps burst 1024kb quantum 85",
        "qdisc add dev vnet0 ingress",
        "filter add dev vnet0 parent ffff: protocol all u32 match u32 0 0 police rate 128kbps burst 128kb mtu 64kb "
        "drop flowid :1",
    ]
    assert list(traffic.commands("vnet0", sent=Rate(0, 5), received=None)) == []
    assert [" ".join(words) for words in traffic.refinements("vnet0")] == [
        "qdisc add dev vnet0 parent 1:1 handle 2: sfq perturb 10",
        "filter add dev vnet0 parent 1:0 protocol all prio 1 handle 1 fw flowid 1",
    ]


def test_words_for_open_vswitch() -> None:
    port = SwitchPort(MAC, GUEST, PORT, "web", (42, 47), trunk=True, native_tag=42, native_mode="untagged")
    words = openvswitch.add_command("vnet0", "ovsbr0", port)
    assert words[:9] == (
        "ovs-vsctl", "--timeout=5", "--", "--may-exist", "add-port", "ovsbr0", "vnet0", "vlan_mode=native-untagged",
        "tag=42",
    )  # fmt: skip
    assert "trunk=42,47" in words
    for setting in (
        f'attached-mac="{MAC}"', f'iface-id="{PORT}"', f'vm-id="{GUEST}"', 'port-profile="web"', 'ifname="vnet0"',
        "iface-status=active",
    ):  # fmt: skip
        assert f"external-ids:{setting}" in words
    plain = openvswitch.add_command("vnet0", "ovsbr0", SwitchPort(MAC, GUEST, PORT, tags=(7,)))
    assert "tag=7" in plain
    assert not any("profile" in word for word in plain)
    queue, police = openvswitch.limit_commands("vnet0", GUEST, sent=Rate(10, 20, 30), received=Rate(4, 0, 5))
    assert "other_config:min-rate=80000" in queue
    assert "other_config:max-rate=160000" in queue
    assert "other_config:burst=245760" in queue
    assert police[-2:] == ("ingress_policing_rate=32", "ingress_policing_burst=40")
    assert openvswitch.remove_command("vnet0")[-2:] == ("del-port", "vnet0")


def test_a_switch_that_is_not_there() -> None:
    network = LinuxNetwork()
    with pytest.raises(InternalError, match="Unable to add port roostx to OVS bridge roost-none"):
        network.plug("roostx", "roost-none", SwitchPort(MAC, GUEST, PORT))
    network.unplug("roostx")
