"""Devices that broke no rule are checked again where a rule may now be broken."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from roost.errors import ConfigUnsupported, XmlError
from roost.model.domain import Domain, parse
from roost.model.domain.complete import complete
from roost.model.domain.validate import accepted, check
from roost.model.domain.validate.rules import Context
from support import machines

FACTS = machines.facts()
SATA = "<disk type='file'><source file='/x'/><target dev='sda' bus='sata'/></disk>"
AUDIO = "<audio id='1' type='none'/>"


def guest(devices: str, machine: str = "q35") -> Domain:
    xml = (
        "<domain type='qemu'><name>g</name><memory>1024</memory>"
        f"<os><type machine='{machine}'>hvm</type></os><devices>{devices}</devices></domain>"
    )
    return complete(parse(xml), FACTS)


@pytest.fixture(autouse=True)
def nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepted, "_by_machine", {})


def accepted_for(domain: Domain) -> accepted.Accepted:
    return accepted.accepted_on(Context(domain, FACTS, None))


def test_what_only_the_device_and_its_machine_decide_is_asked_once() -> None:
    done = guest(SATA)
    known = accepted_for(done)
    assert {id(each) for each in (*done.devices.disks, *done.devices.controllers)} <= known.keys()


def test_another_emulator_is_asked_again() -> None:
    done = guest(SATA)
    check(done, FACTS)
    with pytest.raises(ConfigUnsupported, match="SATA is not supported"):
        check(done, replace(FACTS, devices=FACTS.devices - {"ich9-ahci"}))


def test_another_machine_is_asked_again() -> None:
    done = guest("<controller type='ide' index='0'/>", "pc")
    name = FACTS.machine("q35")
    assert name is not None
    with pytest.raises(ConfigUnsupported, match="IDE controllers are unsupported"):
        check(replace(done, os=replace(done.os, machine=name.name)), FACTS)


def test_what_other_devices_decide_is_asked_each_time() -> None:
    done = guest(AUDIO)
    assert done.devices.audios[0] not in accepted_for(done).values()
    twice = replace(done, devices=replace(done.devices, audios=done.devices.audios * 2))
    with pytest.raises(XmlError, match="audio ID 1 is used multiple times"):
        check(twice, FACTS)


def test_no_more_than_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accepted, "_MAX_DEVICES", 3)
    monkeypatch.setattr(accepted, "_MAX_MACHINES", 1)
    for machine in ("q35", "pc"):
        done = guest(AUDIO, machine)
        assert 0 < len(accepted_for(done)) <= 3
        assert len(accepted._by_machine) == 1
