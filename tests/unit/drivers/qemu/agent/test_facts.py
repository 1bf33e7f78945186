"""What is made of the agent's answers: parameters, disks by their place, processors to switch."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.contract.typed_params import TypedParam
from roost.drivers.qemu.agent import answers as A
from roost.drivers.qemu.agent import facts, vcpus
from roost.drivers.qemu.agent.disks import DiskPlaces
from roost.errors import InternalError, InvalidArg, OperationUnsupported
from roost.model import domain as model

LIVE = model.parse("""<domain type='qemu'><name>a</name><memory>65536</memory><os><type>hvm</type></os><devices>
<disk type='block' device='disk'><source dev='/dev/a'/><target dev='vda' bus='virtio'/>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x05' function='0x0'/></disk>
<disk type='block' device='disk'><source dev='/dev/b'/><target dev='sda' bus='scsi'/>
  <address type='drive' controller='1' bus='0' target='0' unit='3'/></disk>
<disk type='block' device='disk'><source dev='/dev/c'/><target dev='sdb' bus='sata'/>
  <address type='drive' controller='0' bus='0' target='0' unit='3'/></disk>
<disk type='block' device='disk'><source dev='/dev/d'/><target dev='vdb' bus='virtio'/>
  <address type='ccw' cssid='0xfe' ssid='0x0' devno='0x0007'/></disk>
<controller type='scsi' index='1'>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x06' function='0x1'/></controller>
<controller type='sata' index='0'>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x07' function='0x0'/></controller>
</devices></domain>""")

PLACES = DiskPlaces(LIVE)


def pci(slot: int, function: int = 0) -> A.PciPlace:
    return A.PciPlace(0, 0, slot, function)


NOWHERE = A.PciPlace(-1, -1, -1, -1)


@pytest.mark.parametrize(
    ("place", "target"),
    [
        (A.DiskPlace(0, 0, 0, pci(5)), "vda"),
        (A.DiskPlace(9, 9, 9, pci(5)), "vda"),
        (A.DiskPlace(0, 0, 3, pci(6, 1)), "sda"),
        (A.DiskPlace(0, 0, 3, pci(7)), "sdb"),
        (A.DiskPlace(0, 0, 2, pci(6, 1)), None),
        (A.DiskPlace(0, 0, 3, pci(6)), None),
        (A.DiskPlace(0, 0, 3, NOWHERE), None),
        (A.DiskPlace(0, 0, 0, NOWHERE, A.CcwPlace(0, 0, 7)), "vdb"),
        (A.DiskPlace(0, 0, 0, NOWHERE, A.CcwPlace(0xFE, 0, 7)), "vdb"),
        (A.DiskPlace(0, 0, 0, NOWHERE, A.CcwPlace(0, 1, 7)), None),
    ],
)
def test_disks_by_their_place(place: A.DiskPlace, target: str | None) -> None:
    assert PLACES.target_of(place) == target


def read(kind: Any, value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value), type=kind)


def shown(params: Any) -> dict[str, Any]:
    found: list[TypedParam] = list(params)
    assert all(len(param.field) < 80 for param in found)
    return {param.field: param.value[1] for param in found}


def test_users() -> None:
    found = read(list[A.User], [{"user": "a", "login-time": 1.2345}, {"user": "b", "login-time": 2, "domain": "D"}])
    assert shown(facts.users(found)) == {
        "user.count": 2,
        "user.0.name": "a",
        "user.0.login-time": 1234,
        "user.1.name": "b",
        "user.1.domain": "D",
        "user.1.login-time": 2000,
    }


def test_operating_system_and_time_zone() -> None:
    assert shown(facts.operating_system(read(A.OsInfo, {"version-id": "12", "id": "debian", "odd": 1}))) == {
        "os.id": "debian",
        "os.version-id": "12",
    }
    assert shown(facts.time_zone(read(A.TimeZone, {"offset": -3600}))) == {"timezone.offset": -3600}


def test_file_systems_and_disks() -> None:
    place = {
        "bus-type": "virtio", "bus": 0, "target": 0, "unit": 0, "serial": "S", "dev": "/dev/vda1",
        "pci-controller": {"domain": 0, "bus": 0, "slot": 5, "function": 0},
    }  # fmt: skip
    elsewhere = place | {"pci-controller": {"domain": 0, "bus": 1, "slot": 5, "function": 0}, "serial": None}
    mounted = {"mountpoint": "/", "name": "vda1", "type": "ext4", "disk": [place, elsewhere], "used-bytes": 7}
    assert shown(facts.file_systems(read(list[A.FileSystem], [mounted]), PLACES)) == {
        "fs.count": 1,
        "fs.0.name": "vda1",
        "fs.0.mountpoint": "/",
        "fs.0.fstype": "ext4",
        "fs.0.used-bytes": 7,
        "fs.0.disk.count": 2,
        "fs.0.disk.0.alias": "vda",
        "fs.0.disk.0.serial": "S",
        "fs.0.disk.0.device": "/dev/vda1",
        "fs.0.disk.1.device": "/dev/vda1",
    }
    disk = {"name": "/dev/dm-0", "partition": True, "dependencies": ["/dev/vda"], "alias": "root", "address": place}
    assert shown(facts.disks(read(list[A.GuestDisk], [disk]), PLACES)) == {
        "disk.count": 1,
        "disk.0.name": "/dev/dm-0",
        "disk.0.partition": 1,
        "disk.0.dependency.count": 1,
        "disk.0.dependency.0.name": "/dev/vda",
        "disk.0.serial": "S",
        "disk.0.alias": "vda",
        "disk.0.guest_alias": "root",
    }


def test_addresses_of_aliases_are_their_interfaces() -> None:
    def address(family: str, text: str) -> dict[str, object]:
        return {"ip-address-type": family, "ip-address": text, "prefix": 24}

    given = [
        {"name": "eth0", "hardware-address": "52:54:00:00:00:01", "ip-addresses": [address("ipv4", "192.0.2.1")]},
        {"name": "lo"},
        {"name": "eth0:1", "hardware-address": "ignored", "ip-addresses": [address("ipv6", "fe80::1")]},
    ]
    found = facts.interfaces(read(list[A.NetworkInterface], given))
    assert found == [
        ("eth0", "52:54:00:00:00:01", [(0, "192.0.2.1", 24), (1, "fe80::1", 24)]),
        ("lo", None, []),
    ]
    assert shown(facts.interface_params(found))["if.0.addr.1.type"] == "ipv6"
    with pytest.raises(InternalError, match="unknown ip address type 'ipx'"):
        facts.interfaces(read(list[A.NetworkInterface], [{"name": "e", "ip-addresses": [address("ipx", "1")]}]))


def cpu(number: int, *, online: bool = True, movable: bool = True) -> A.Vcpu:
    return A.Vcpu(number, online, movable)


FOUR = [cpu(0, movable=False), cpu(1), cpu(2, online=False), cpu(3)]


def test_lists_of_processors() -> None:
    assert shown(vcpus.params(FOUR)) == {"vcpus": "0-3", "online": "0-1,3", "offlinable": "1-3"}
    with pytest.raises(InternalError, match="vcpu id '4096' reported by guest agent is out of range"):
        vcpus.params([cpu(4096)])


def test_switching_processors() -> None:
    assert vcpus.switch(FOUR, {1, 2}, True) == [(1, True), (2, True)]
    assert vcpus.switch(FOUR, {3}, False) == [(3, False)]
    with pytest.raises(OperationUnsupported, match="vCPU '0' is not offlinable"):
        vcpus.switch(FOUR, {0, 1}, False)
    with pytest.raises(InvalidArg, match="guest is missing vCPUs '7-8'; it has 0-3"):
        vcpus.switch(FOUR, {1, 7, 8}, True)


@pytest.mark.parametrize(
    ("found", "count", "changes"),
    [
        (FOUR, 3, []),
        (FOUR, 4, [(2, True)]),
        (FOUR, 2, [(1, False)]),
        (FOUR, 1, [(1, False), (3, False)]),
        ([cpu(0), cpu(1), cpu(2)], 1, [(1, False), (2, False)]),
    ],
)
def test_a_number_of_processors(found: list[A.Vcpu], count: int, changes: vcpus.Changes) -> None:
    assert vcpus.resize(found, count) == changes


def test_a_number_of_processors_that_cannot_be() -> None:
    with pytest.raises(InternalError, match="guest agent reports less cpu than requested"):
        vcpus.resize(FOUR, 5)
    with pytest.raises(InvalidArg, match="Cannot offline enough CPUs"):
        vcpus.resize([cpu(0), cpu(1)], 0)
    with pytest.raises(InternalError, match="Invalid data provided by guest agent"):
        vcpus.resize([cpu(0, online=False, movable=False)], 1)


@given(st.lists(st.builds(A.Vcpu, st.integers(0, 9), st.booleans(), st.booleans()), max_size=6), st.integers(0, 8))
def test_resizing_whatever_the_guest_says(found: list[A.Vcpu], count: int) -> None:
    try:
        changes = vcpus.resize(found, count)
    except (InternalError, InvalidArg):
        return
    online = sum(vcpu.online for vcpu in found)
    assert online + sum(1 if on else -1 for _, on in changes) == count
