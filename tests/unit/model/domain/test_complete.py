"""Completion of a document: what is added to the least that a user may write."""

from __future__ import annotations

from roost.model.domain import format, parse
from roost.model.domain.aliases import assign_aliases
from roost.model.domain.complete import complete
from roost.model.domain.device import PciAddress
from support import machines

FACTS = machines.facts()


def domain(machine: str = "pc", devices: str = "") -> str:
    return (
        "<domain type='qemu'><name>g</name><memory>1024</memory>"
        f"<os><type machine='{machine}'>hvm</type></os><devices>{devices}</devices></domain>"
    )


def test_completing_twice_changes_nothing() -> None:
    once = complete(parse(domain("q35", "<interface type='user'/><graphics type='vnc'/>")), FACTS)
    assert complete(parse(format(once)), FACTS) == once


def test_a_bare_document_gets_identity_and_defaults() -> None:
    done = complete(parse(domain()), FACTS)
    assert len(done.uuid or "") == 36
    assert done.os.machine == "pc-i440fx-7.2"
    assert done.devices.emulator == "/usr/bin/qemu-system-x86_64"
    assert (done.on_poweroff, done.on_reboot, done.on_crash) == ("destroy", "restart", "destroy")


def test_q35_keeps_one_port_free() -> None:
    done = complete(parse(domain("q35")), FACTS)
    ports = [c for c in done.devices.controllers if c.model == "pcie-root-port"]
    used = {d.address.bus for d in (done.devices.memballoon, *done.devices.controllers)
            if d is not None and isinstance(d.address, PciAddress)}  # fmt: skip
    assert {p.index for p in ports} - used == {3}


def test_aliases_are_those_of_a_running_guest() -> None:
    done = assign_aliases(complete(parse(domain("pc", "<serial type='pty'/><interface type='user'/>")), FACTS))
    assert [c.alias for c in done.devices.controllers] == ["usb", "pci.0"]
    assert done.devices.serials[0].alias == done.devices.consoles[0].alias == "serial0"
    assert done.devices.interfaces[0].alias == "net0"


def test_disks_are_ordered_by_the_bus_that_was_written() -> None:
    disks = "".join(
        f"<disk device='{device}'><source file='/{name}'/><target dev='{name}'{bus}/></disk>"
        for name, device, bus in (
            ("sda", "disk", ""), ("vdb", "disk", ""), ("vda", "disk", ""), ("sdb", "disk", " bus='sata'"),
            ("hdc", "cdrom", ""),
        )
    )  # fmt: skip
    done = complete(parse(domain(devices=disks)), FACTS)
    assert [disk.target.dev for disk in done.devices.disks] == ["sda", "vda", "vdb", "hdc", "sdb"]
