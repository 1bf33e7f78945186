"""Parts of the command line that no kept document shows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from roost.drivers.qemu import plan
from roost.drivers.qemu.capabilities import Capabilities
from roost.errors import ConfigUnsupported, InternalError, RoostError
from roost.model.domain import Domain, parse
from support import machines, native, plans

replace = msgspec.structs.replace


def values(domain: Domain, flag: str, caps: Capabilities | None = None, **granted: Any) -> list[str]:
    """What follows `flag` each time it stands on the command line."""
    words = plan.argv(domain, caps or machines.capabilities(), plan.Grants(**granted)).argv
    return [value for word, value in native.options(words[1:]) if word == flag]


def changed(name: str, *pairs: tuple[str, str]) -> Domain:
    text = (plans.GOLDEN / f"{name}.xml").read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return parse(text, live=True)


def test_no_processor_named() -> None:
    bare = replace(plans.document("minimal-pc"), cpu=None)
    assert values(bare, "-cpu") == []
    clocked = replace(plans.document("clock-localtime"), cpu=None)
    assert values(clocked, "-cpu") == ["qemu64,hv-time=on,tsc-frequency=2000000000"]
    assert values(replace(bare, os=replace(bare.os, arch="i686")), "-cpu") == ["qemu32"]
    arm = replace(clocked, os=replace(clocked.os, arch="aarch64"))
    with pytest.raises(ConfigUnsupported, match="can't determine default CPU for arch aarch64"):
        values(arm, "-cpu", replace(machines.capabilities(), arch="aarch64"))


def test_dies_where_qemu_has_none() -> None:
    caps = machines.capabilities()
    old = replace(caps, options=caps.options - {"smp-opts.dies"})
    document = plans.document("cpu")
    assert values(document, "-smp", old) == ["2,maxcpus=8,sockets=2,cores=2,threads=2"]
    many = changed("cpu", ("sockets='2' dies='1'", "sockets='1' dies='2'"))
    assert values(many, "-smp") == ["2,maxcpus=8,sockets=1,dies=2,cores=2,threads=2"]
    with pytest.raises(ConfigUnsupported, match="Only 1 die per socket is supported"):
        values(many, "-smp", old)


def test_hpet_and_acpi_are_the_boards() -> None:
    assert values(plans.document("minimal-pc"), "-machine")[0].endswith(",memory-backend=pc.ram,acpi=off")
    assert values(plans.document("typical"), "-machine")[0].endswith(",memory-backend=pc.ram,hpet=off")
    assert values(plans.document("clock-localtime"), "-machine")[0].endswith(",acpi=off,hpet=on")


def test_clock_of_the_host() -> None:
    document = changed("clock-variable", ("basis='utc'", "basis='localtime'"))
    assert values(document, "-rtc", now=0.0, utc_offset=7200) == ["base=1970-01-01T03:00:00"]


def test_display_described_by_attributes() -> None:
    domain = plans.document("vnc")
    (vnc,) = domain.devices.graphics
    plain = replace(vnc, listens=(), listen="10.0.0.1", websocket=None, share_policy=None, power_control=None)
    devices = replace(domain.devices, graphics=(plain,))
    assert values(replace(domain, devices=devices), "-vnc") == ["10.0.0.1:11,password=on,audiodev=audio1"]
    socket = replace(plain, listen=None, socket="/x")
    devices = replace(domain.devices, graphics=(socket,), audios=())
    assert values(replace(domain, devices=devices), "-vnc") == ["vnc=unix:/x,password=on"]


def test_board_without_a_memory_object() -> None:
    caps = machines.capabilities()
    boards = tuple(replace(machine, default_ram_id=None) for machine in caps.machines)
    document = plans.document("minimal-pc")
    assert values(document, "-object", replace(caps, machines=boards)) == []
    assert values(document, "-m") == ["128"]


def test_numbers_of_a_running_guest_are_kept() -> None:
    domain = plans.document("disk-chain")
    first = replace(domain.devices.disks[0], source=replace(domain.devices.disks[0].source, index=9))
    running = replace(domain, devices=replace(domain.devices, disks=(first, domain.devices.disks[1])))
    nodes = [value for value in values(running, "-blockdev") if "-format" in value and '"file"' in value]
    assert ['"node-name": "libvirt-9-format"' in node for node in nodes] == [False, False, True, False]


@pytest.mark.parametrize(
    ("name", "pair", "error", "message"),
    [
        ("disk-buses", ("<controller type='ide' index='0'>", "<controller type='ide' index='1'>"), ConfigUnsupported,
         "Unsupported controller type: ide"),
        ("controllers-pci", ("model='pcie-switch-upstream-port'", "model='pci'"), ConfigUnsupported,
         "Unsupported controller model: pci pci"),
        ("board", ("model='pci-root'", "model='pci-bridge'"), InternalError, "64-bit PCI hole setting is only"),
        ("controllers-usb", ("<controller type='usb' index='0' model='ich9-ehci1'>",
                             "<controller type='usb' index='5' model='ich9-ehci1'>"), InternalError,
         "masterbus not found"),
        ("typical", ("<address type='virtio-serial' controller='0' bus='0' port='1'/>",
                     "<address type='virtio-serial' controller='4' bus='0' port='1'/>"), InternalError,
         "could not find virtio-serial controller with index 4"),
        ("disk-buses", ("<address type='drive' controller='0' bus='0' target='0' unit='0'/>", ""), InternalError,
         "disk 'hda' has no drive address"),
    ],
)  # fmt: skip
def test_what_cannot_be_placed(name: str, pair: tuple[str, str], error: type[RoostError], message: str) -> None:
    with pytest.raises(error, match=message):
        plan.argv(changed(name, pair), machines.capabilities(), plan.Grants())
