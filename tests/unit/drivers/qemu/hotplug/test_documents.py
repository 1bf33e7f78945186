"""Devices in documents: found by what is said of them, added where libvirt puts them, taken out again."""

from __future__ import annotations

from typing import Any

import pytest

from roost.drivers.qemu.hotplug import documents
from roost.drivers.qemu.hotplug.classes import MISSING_CONFIG, MISSING_LIVE, PLUGGABLE, class_of
from roost.errors import DeviceMissing, InternalError, OperationFailed
from roost.model.domain import Domain, parse, parse_device
from roost.model.domain.aliases import next_alias
from roost.model.domain.devices import DEVICE_CLASSES

DEVICES = """
<disk><source file='/a'/><target dev='vda' bus='virtio'/><alias name='virtio-disk0'/></disk>
<disk><source file='/c'/><target dev='vdc' bus='virtio'/><alias name='virtio-disk2'/></disk>
<disk><source file='/s'/><target dev='sda' bus='scsi'/><alias name='scsi0-0-0-0'/></disk>
<controller type='scsi' index='0'/><controller type='usb' index='0'/>
<interface type='user'><mac address='52:54:00:00:00:01'/><alias name='net0'/>
<address type='pci' domain='0' bus='0' slot='3' function='0'/></interface>
<interface type='bridge'><source bridge='br0'/><mac address='52:54:00:00:00:01'/><alias name='net4'/>
<address type='pci' domain='0' bus='0' slot='4' function='0'/></interface>
<serial type='pty'><target type='isa-serial' port='0'/><alias name='serial0'/></serial>
<console type='pty'><target type='serial' port='0'/><alias name='serial0'/></console>
<rng model='virtio'><backend model='random'>/dev/random</backend><alias name='rng2'/></rng>
<input type='tablet' bus='usb'/>
"""


@pytest.fixture
def domain() -> Domain:
    return parse(
        "<domain type='qemu'><name>x</name><memory unit='MiB'>64</memory><currentMemory unit='MiB'>32</currentMemory>"
        f"<os><type>hvm</type></os><devices>{DEVICES}</devices></domain>",
        live=True,
    )


def device(xml: str) -> Any:
    return parse_device(xml, live=True)


def targets(domain: Domain) -> list[str]:
    return [disk.target.dev for disk in domain.devices.disks]


def test_every_class_has_a_place() -> None:
    samples = {"disk": "<disk><target dev='vda'/></disk>", "memory": "<memory model='dimm'><target><size>1</size>"
               "</target></memory>", "graphics": "<graphics type='vnc'/>", "channel": "<channel type='pty'>"
               "<target type='virtio'/></channel>", "nvram": "<nvram/>"}  # fmt: skip
    for element, xml in samples.items():
        assert (class_of(device(xml)).field, class_of(device(xml)).element) in DEVICE_CLASSES
        assert class_of(device(xml)).element == element
    assert set(MISSING_LIVE) >= PLUGGABLE - {"interface"}
    assert set(MISSING_CONFIG) >= PLUGGABLE - {"interface"}


@pytest.mark.parametrize(
    ("xml", "alias"),
    [
        ("<disk><source file='/other'/><target dev='vda'/></disk>", "virtio-disk0"),
        ("<rng model='virtio'><backend model='random'>/dev/random</backend></rng>", "rng2"),
        ("<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>", None),
        ("<rng model='virtio'><backend model='builtin'/></rng>", None),
        ("<serial type='pty'/>", "serial0"),
        ("<serial type='file'><source path='/x'/></serial>", None),
        ("<controller type='scsi' index='4'/>", None),
    ],
)
def test_found_by_what_is_said(domain: Domain, xml: str, alias: str | None) -> None:
    found = documents.find(domain, device(xml))
    assert (found.alias if found is not None else None) == alias


def test_interfaces(domain: Domain) -> None:
    def find(inside: str) -> str | None:
        found = documents.find(domain, device(f"<interface type='user'>{inside}</interface>"))
        return found.alias if found is not None else None

    mac = "<mac address='52:54:00:00:00:01'/>"
    assert find(f"{mac}<address type='pci' slot='4'/>") == "net4"
    assert find(f"{mac}<alias name='net0'/>") == "net0"
    with pytest.raises(OperationFailed, match="multiple devices matching MAC address 52:54:00:00:00:01 found"):
        find(mac)
    with pytest.raises(OperationFailed, match="multiple matching devices found"):
        find("")
    with pytest.raises(DeviceMissing, match=r"no device found at address '\(<null>\)' matching MAC address '52:.*09'"):
        find("<mac address='52:54:00:00:00:09'/>")
    with pytest.raises(DeviceMissing, match=r"at address '0000:00:09\.0'"):
        find("<address type='pci' slot='9'/>")


def test_disks_of_a_bus_stand_together(domain: Domain) -> None:
    more = documents.added(domain, device("<disk><target dev='vdb' bus='virtio'/></disk>"))
    more = documents.added(more, device("<disk><target dev='vdd' bus='virtio'/></disk>"))
    more = documents.added(more, device("<disk><target dev='sdb' bus='usb'/></disk>"))
    assert targets(more) == ["vda", "vdb", "vdc", "vdd", "sda", "sdb"]
    assert targets(documents.removed(more, more.devices.disks[0])) == ["vdb", "vdc", "vdd", "sda", "sdb"]
    more = documents.added(domain, device("<controller type='scsi' index='1'/>"))
    assert [(each.type, each.index) for each in more.devices.controllers] == [("scsi", 0), ("scsi", 1), ("usb", 0)]


def test_memory_counts(domain: Domain) -> None:
    dimm = device("<memory model='dimm'><target><size unit='MiB'>16</size></target></memory>")
    more = documents.added(domain, dimm)
    assert (more.memory, more.current_memory) == (80 << 10, 48 << 10)
    less = documents.removed(more, more.devices.memories[0])
    assert (less.memory, less.current_memory) == (64 << 10, 32 << 10)
    mem = device("<memory model='virtio-mem'><target><size unit='MiB'>16</size></target></memory>")
    assert (documents.added(domain, mem).memory, documents.added(domain, mem).current_memory) == (80 << 10, 32 << 10)


def test_the_console_goes_with_its_serial_port_and_comes_with_it(domain: Domain) -> None:
    without = documents.removed(domain, domain.devices.serials[0])
    assert (without.devices.serials, without.devices.consoles) == ((), ())
    again = documents.with_console(documents.added(without, domain.devices.serials[0]))
    assert [console.alias for console in again.devices.consoles] == ["serial0"]
    assert documents.with_console(again) is again


def test_aliases(domain: Domain) -> None:
    names = {
        "<interface type='user'/>": "net5",
        "<rng model='virtio'><backend model='builtin'/></rng>": "rng3",
        "<channel type='pty'><target type='virtio'/></channel>": "channel0",
        "<disk><target dev='vdb' bus='virtio'/></disk>": "virtio-disk1",
        "<vsock model='virtio'/>": "vsock0",
        "<memory model='dimm'><target><size>1</size></target><address type='dimm' slot='3'/></memory>": "dimm3",
        "<interface type='hostdev'><source><address type='pci' slot='1'/></source></interface>": "hostdev0",
    }
    for xml, alias in names.items():
        new = device(xml)
        assert next_alias(domain, class_of(new).field, new) == alias, xml
    assert documents.by_alias(domain, "rng2").model == "virtio"
    with pytest.raises(InternalError, match="no device found with alias rng9"):
        documents.by_alias(domain, "rng9")
