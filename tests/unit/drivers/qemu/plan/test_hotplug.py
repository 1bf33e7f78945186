"""Devices of a running guest: the pieces of the command line as QMP commands, and the way back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from roost.drivers.qemu import plan
from roost.errors import OperationUnsupported
from roost.model.domain.device import Device
from support import machines, plans


def add(name: str, device: Device, **granted: Any) -> tuple[plan.Command, ...]:
    return plan.device_add(device, plans.document(name), machines.capabilities(), plan.Grants(**granted))


def test_disk() -> None:
    commands = add("disk-chain", plans.document("disk-chain").devices.disks[0])
    assert [command.name for command in commands] == ["blockdev-add"] * 6 + ["device_add"]
    assert [command.name for command in plan.undo(commands)] == ["device_del"] + ["blockdev-del"] * 6
    assert plan.undo(commands)[1] == plan.Command("blockdev-del", {"node-name": "libvirt-2-format"})


def test_arguments_are_those_of_the_command_line() -> None:
    typical = plans.document("typical")
    # The order of kinds is for the devices a start brings.
    document = msgspec.structs.replace(typical, os=msgspec.structs.replace(typical.os, boot=()))
    words = plan.argv(document, machines.capabilities(), plan.Grants()).argv
    kinds = {"object-add": "object", "blockdev-add": "blockdev", "device_add": "device"}
    for device in (*document.devices.disks, *document.devices.controllers, *document.devices.rngs):
        for command in plan.device_add(device, document, machines.capabilities(), plan.Grants()):
            flag, value = plan.render(plan.Piece(kinds[command.name], command.arguments))
            assert words[words.index(value) - 1] == flag


def test_order_of_kinds_is_not_for_later_devices() -> None:
    *_, command = add("disk-chain", plans.document("disk-chain").devices.disks[0])
    assert "bootindex" not in command.arguments
    *_, command = add("boot-device-order", plans.document("boot-device-order").devices.disks[0])
    assert command.arguments["bootindex"] == 3


def test_tap_is_passed_by_name() -> None:
    interface = plans.document("interfaces-tap").devices.interfaces[0]
    commands = add("interfaces-tap", interface, fds={"net0": (20,), "vhost:net0": (21,)})
    assert commands[:3] == (
        plan.Command("getfd", {"fdname": "fd-20"}, 20),
        plan.Command("getfd", {"fdname": "fd-21"}, 21),
        plan.Command("netdev_add", {"type": "tap", "fd": "fd-20", "vhost": True, "vhostfd": "fd-21", "id": "hostnet0"}),
    )
    assert [command.name for command in plan.undo(commands)] == ["device_del", "netdev_del", "closefd", "closefd"]


def test_character_devices() -> None:
    document = plans.document("chardevs")
    commands = add("chardevs", document.devices.channels[0], fds={"charchannel0": (20,)})
    assert commands[:2] == (
        plan.Command("getfd", {"fdname": "fd-20"}, 20),
        plan.Command(
            "chardev-add",
            {
                "id": "charchannel0",
                "backend": {
                    "type": "socket",
                    "data": {"addr": {"type": "fd", "data": {"str": "fd-20"}}, "server": True, "wait": False},
                },
            },
        ),
    )
    commands = add("chardevs", document.devices.parallels[1], fds={"charparallel1": (20,)})
    assert commands[0] == plan.Command("add-fd", {"fdset-id": 0, "opaque": "charparallel1-source"}, 20)
    assert plan.undo(commands)[-1] == plan.Command("remove-fd", {"fdset-id": 0})


def test_random_source_behind_a_socket() -> None:
    document = plans.document("rng")
    names = [command.name for command in add("rng", document.devices.rngs[2])]
    assert names == ["chardev-add", "object-add", "device_add"]


def test_what_only_a_start_can_make() -> None:
    balloon = plans.document("typical").devices.memballoon
    assert balloon is not None
    with pytest.raises(OperationUnsupported, match="live attach of device 'memballoon' is not supported"):
        add("typical", balloon)
