"""Processors that are plugged in over QMP, and how the command line lays them out."""

from __future__ import annotations

import pytest

from roost.drivers.qemu import plan
from roost.errors import ConfigUnsupported, InternalError
from roost.model.domain import Domain, parse
from support import machines

STATES = (
    "<vcpu id='0' enabled='yes' hotpluggable='no' order='1'/><vcpu id='1' enabled='yes' hotpluggable='yes' order='3'/>"
    "<vcpu id='2' enabled='yes' hotpluggable='yes' order='2'/><vcpu id='3' enabled='no' hotpluggable='yes'/>"
)


def domain(states: str = STATES, cpu: str = "") -> Domain:
    return parse(
        "<domain type='qemu'><name>x</name><memory>1048576</memory><vcpu current='3'>4</vcpu>"
        f"<vcpus>{states}</vcpus><os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>{cpu}</domain>",
        live=True,
    )


def slots(*there: int) -> list[dict[str, object]]:
    """What QEMU answers: the last socket first."""
    return [
        {
            "props": {"socket-id": number, "core-id": 0, "thread-id": 0},
            "vcpus-count": 1,
            "type": "qemu64-x86_64-cpu",
            **({"qom-path": f"/machine/unattached/device[{number}]"} if number in there else {}),
        }
        for number in (3, 2, 1, 0)
    ]


def test_processors_are_plugged_in_their_order() -> None:
    commands = plan.plug_processors(domain(), slots(0))
    assert [command.name for command in commands] == ["device_add", "device_add"]
    assert [(c.arguments["id"], c.arguments["socket-id"]) for c in commands] == [("vcpu2", 2), ("vcpu1", 1)]
    assert commands[0].arguments["driver"] == "qemu64-x86_64-cpu"


def test_nothing_is_plugged_that_stays_or_is_not_there_yet() -> None:
    fixed = domain("<vcpu id='0' enabled='yes' hotpluggable='no'/><vcpu id='1' enabled='no' hotpluggable='yes'/>")
    assert plan.late_processors(fixed) == []
    assert plan.plug_processors(fixed, slots(0)) == ()


def test_threads_of_a_core_come_with_it() -> None:
    states = "<vcpu id='0' enabled='yes' hotpluggable='no'/>" + "".join(
        f"<vcpu id='{number}' enabled='yes' hotpluggable='yes'/>" for number in (1, 2, 3)
    )
    cores = [{"props": {"core-id": core}, "vcpus-count": 2, "type": "power9-spapr-cpu-core"} for core in (2, 0)]
    (command,) = plan.plug_processors(domain(states), cores)
    assert command.arguments == {"driver": "power9-spapr-cpu-core", "id": "vcpu2", "core-id": 2}


def test_a_slot_that_is_taken_is_an_error() -> None:
    with pytest.raises(InternalError, match="vcpu 2 is there already"):
        plan.plug_processors(domain(), slots(0, 2))


def test_only_those_that_stay_are_on_the_command_line() -> None:
    words = plan.argv(domain(), machines.capabilities(), plan.Grants()).argv
    assert words[words.index("-smp") + 1].startswith("1,maxcpus=4,")


def test_clusters_need_a_qemu_that_knows_them() -> None:
    topology = "<cpu><topology sockets='1' dies='1' clusters='2' cores='2' threads='1'/></cpu>"
    words = plan.argv(domain(cpu=topology), machines.capabilities(), plan.Grants()).argv
    assert words[words.index("-smp") + 1] == "1,maxcpus=4,sockets=1,dies=1,clusters=2,cores=2,threads=1"

    class Older:
        """The same QEMU, without clusters."""

        def __getattr__(self, name: str) -> object:
            return getattr(machines.capabilities(), name)

        def has(self, name: str) -> bool:
            return name != "option:smp-opts.clusters" and machines.capabilities().has(name)

    with pytest.raises(ConfigUnsupported, match="Only 1 cluster per die is supported"):
        plan.argv(domain(cpu=topology), Older(), plan.Grants())  # type: ignore[arg-type]  # stands in by delegation
