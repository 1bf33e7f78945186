"""What is set over QMP before a guest runs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from roost.drivers.qemu import plan
from roost.errors import XmlError
from roost.model.domain import parse
from support import machines, plans

LIMITS = """<iotune><total_bytes_sec>1000</total_bytes_sec><read_iops_sec>20</read_iops_sec>
<read_iops_sec_max>30</read_iops_sec_max><read_iops_sec_max_length>4</read_iops_sec_max_length>
<size_iops_sec>4096</size_iops_sec><group_name>g</group_name></iotune>"""


def settings(name: str, old: str = "", new: str = "") -> list[tuple[str, dict[str, Any]]]:
    text = (plans.GOLDEN / f"{name}.xml").read_text()
    assert old in text
    domain = parse(text.replace(old, new, 1), live=True)
    commands = (*plan.settings(domain, machines.capabilities()), *plan.passwords(domain, {}))
    return [(command.name, command.arguments) for command in commands]


def test_nothing_to_set() -> None:
    assert settings("minimal-pc") == []


def test_balloon() -> None:
    polling = {
        "path": "/machine/peripheral/balloon0",
        "property": "guest-stats-polling-interval",
        "value": 5,
    }
    assert settings("typical") == [("qom-set", polling)]
    lower = settings("typical", "<currentMemory unit='KiB'>524288<", "<currentMemory unit='KiB'>262144<")
    assert lower == [("qom-set", polling), ("balloon", {"value": 268435456})]


def test_reboot_that_ends_the_guest() -> None:
    assert settings("boot-kernel") == [("set-action", {"reboot": "shutdown"})]
    caps = machines.capabilities()
    old = msgspec.structs.replace(caps, commands=caps.commands - {"set-action"})
    assert plan.settings(plans.document("boot-kernel"), old) == ()


def test_link_that_is_down() -> None:
    found = settings("interfaces", "<model type='e1000'/>", "<model type='e1000'/><link state='down'/>")
    assert found == [("set_link", {"name": "net1", "up": False})]


def test_limits() -> None:
    found, _ = settings("typical", "<target dev='vda' bus='virtio'/>", f"<target dev='vda' bus='virtio'/>{LIMITS}")
    assert found == (
        "block_set_io_throttle",
        {
            "id": "/machine/peripheral/virtio-disk0/virtio-backend",
            "bps": 1000,
            "bps_rd": 0,
            "bps_wr": 0,
            "iops": 0,
            "iops_rd": 20,
            "iops_rd_max": 30,
            "iops_rd_max_length": 4,
            "iops_wr": 0,
            "iops_size": 4096,
            "group": "g",
        },
    )


def test_password() -> None:
    assert settings("vnc") == [("set_password", {"protocol": "vnc", "password": "x"})]
    timed = settings("vnc", "passwd='x'", "passwd='x' passwdValidTo='2030-01-02T03:04:05' connected='keep'")
    assert timed == [
        ("set_password", {"protocol": "vnc", "password": "x", "connected": "keep"}),
        ("expire_password", {"protocol": "vnc", "time": "1893553445"}),
    ]


def test_usual_passwords_are_for_displays_that_have_none() -> None:
    own = plans.document("vnc")
    assert [each.arguments["password"] for each in plan.passwords(own, {"vnc": "usual"})] == ["x"]
    (display,) = own.devices.graphics
    none = msgspec.structs.replace(display, passwd=None)
    domain = msgspec.structs.replace(own, devices=msgspec.structs.replace(own.devices, graphics=(none,)))
    assert [each.arguments["password"] for each in plan.passwords(domain, {"vnc": "usual"})] == ["usual"]
    assert list(plan.passwords(domain, {"spice": "usual"})) == []


def test_empty_password_lets_nobody_in() -> None:
    assert settings("vnc", "passwd='x'", "passwd=''")[1:] == [("expire_password", {"protocol": "vnc", "time": "now"})]


def test_time_that_is_none() -> None:
    with pytest.raises(XmlError, match="cannot parse password validity time 'soon'"):
        settings("vnc", "passwd='x'", "passwd='x' passwdValidTo='soon'")
