"""Devices that broke no rule are checked again where a rule may now be broken."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from roost.errors import ConfigUnsupported, XmlError
from roost.model.domain import Domain, format, parse
from roost.model.domain.complete import complete
from roost.model.domain.validate import check
from roost.xml import forget_elements, notes_about
from support import machines

FACTS = machines.facts()
SATA = "<disk type='file'><source file='/x'/><target dev='sda' bus='sata'/></disk>"
AUDIO = "<audio id='1' type='none'/>"


def guest(devices: str, machine: str = "q35") -> Domain:
    """A guest that was kept, and read again: its devices are as they were written."""
    xml = (
        "<domain type='qemu'><name>g</name><memory>1024</memory>"
        f"<os><type machine='{machine}'>hvm</type></os><devices>{devices}</devices></domain>"
    )
    return complete(parse(format(complete(parse(xml), FACTS))), FACTS)


@pytest.fixture(autouse=True)
def nothing_is_known() -> None:
    forget_elements()


def accepted(domain: Domain) -> set[int]:
    return set(notes_about(("accepted", domain.os.arch, domain.os.machine)))


def test_what_only_the_device_and_its_machine_decide_is_asked_once() -> None:
    done = guest(SATA)
    devices = (*done.devices.disks, *done.devices.controllers)
    assert {id(device) for device in devices} <= accepted(done)


def test_another_emulator_is_asked_again() -> None:
    done = guest(SATA)
    check(done, FACTS)
    with pytest.raises(ConfigUnsupported, match="SATA is not supported"):
        check(done, replace(FACTS, devices=FACTS.devices - {"ich9-ahci"}))


def test_another_machine_is_asked_again() -> None:
    done = guest("<controller type='ide' index='0'/>", "pc")
    q35 = FACTS.machine("q35")
    assert q35 is not None
    with pytest.raises(ConfigUnsupported, match="IDE controllers are unsupported"):
        check(replace(done, os=replace(done.os, machine=q35.name)), FACTS)


def test_what_other_devices_decide_is_asked_each_time() -> None:
    done = guest(AUDIO)
    assert id(done.devices.audios[0]) not in accepted(done)
    twice = replace(done, devices=replace(done.devices, audios=done.devices.audios * 2))
    with pytest.raises(XmlError, match="audio ID 1 is used multiple times"):
        check(twice, FACTS)


def test_nothing_outlives_the_record() -> None:
    done = guest(SATA)
    assert accepted(done)
    forget_elements()
    check(done, FACTS)
    assert not accepted(done)
