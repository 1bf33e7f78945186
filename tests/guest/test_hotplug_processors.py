"""Processors and I/O threads that come and go, and devices that leave with a booted guest's help."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.contract.devices import Devices
from roost.contract.domains import Domains, Inspection, Lifecycle
from roost.contract.references import DomainRef
from roost.contract.typed_params import int_, ullong
from roost.contract.vcpus import Vcpus
from roost.errors import (
    InvalidArg,
    OperationInvalid,
    OperationUnsupported,
)
from support.guests import domain_xml
from support.world import World, run, world_root

pytestmark = pytest.mark.guest

LIVE, CONFIG = D.AFFECT_LIVE, D.AFFECT_CONFIG


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as made:
        yield made


def small_xml(name: str, vcpu: str, devices: str = "") -> str:
    return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory>{vcpu}
    <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
    <devices>{devices}</devices></domain>"""


async def started(world: World, xml: str) -> DomainRef:
    defined = await world.get(Domains).define(xml, 0)
    ref: DomainRef = await world.get(Lifecycle).create(defined, 0)
    world.events.clear()
    return ref


def texts(world: World, ref: DomainRef) -> tuple[str, str]:
    """The live document and the definition."""
    domains = world.get(Domains)
    return domains.describe(ref, 0), domains.describe(ref, D.XML_INACTIVE)


def record(world: World, ref: DomainRef) -> Any:
    return world.driver._context.table.get(ref)


def test_processors_come(root: Path) -> None:
    async def scenario(world: World) -> None:
        vcpus, look = world.get(Vcpus), world.get(Inspection)
        ref = await started(world, small_xml("hp-vcpus", "<vcpu current='1'>4</vcpu>"))
        before = texts(world, ref)[1]
        await vcpus.set_count(ref, 2, LIVE)
        live, config = texts(world, ref)
        assert config == before
        assert "<vcpu placement='static' current='2'>4</vcpu>" in live
        assert "<vcpu id='0' enabled='yes' hotpluggable='no' order='1'/>" in live
        assert "<vcpu id='1' enabled='yes' hotpluggable='yes' order='2'/>" in live
        assert "<vcpu id='2' enabled='no' hotpluggable='yes'/>" in live
        assert look.vcpus(ref, LIVE) == 2
        assert len(record(world, ref).runtime.threads.vcpus) == 2
        await vcpus.set_one(ref, "3", 1, LIVE | CONFIG)
        live, config = texts(world, ref)
        assert "<vcpu id='3' enabled='yes' hotpluggable='yes' order='3'/>" in live
        assert "<vcpu id='3' enabled='yes' hotpluggable='yes'/>" in config
        with pytest.raises(InvalidArg, match="vcpu '3' is already in requested state"):
            await vcpus.set_one(ref, "3", 1, LIVE)
        with pytest.raises(InvalidArg, match="vcpu 4 is not present in live config"):
            await vcpus.set_one(ref, "4", 1, LIVE)
        with pytest.raises(InvalidArg, match="requested vcpus is greater than max allowable vcpus for the live"):
            await vcpus.set_count(ref, 5, LIVE)
        with pytest.raises(OperationUnsupported, match="only one hotpluggable entity can be selected"):
            await vcpus.set_one(ref, "1,3", 0, LIVE)
        with pytest.raises(OperationUnsupported, match="vcpu '0' can't be unplugged"):
            await vcpus.set_one(ref, "0", 0, LIVE)
        # Those there from the start stay.
        with pytest.raises(InvalidArg, match="already in requested state"):
            await vcpus.set_one(ref, "0", 1, LIVE)

    run(root, scenario)


def test_definition_of_processors(root: Path) -> None:
    async def scenario(world: World) -> None:
        vcpus, domains = world.get(Vcpus), world.get(Domains)
        ref = await domains.define(small_xml("hp-maximum", "<vcpu>1</vcpu>"), 0)
        with pytest.raises(InvalidArg, match="for the persistent domain: 2 > 1"):
            await vcpus.set_count(ref, 2, CONFIG)
        await vcpus.set_count(ref, 4, CONFIG | D.VCPU_MAXIMUM)
        assert "<vcpu placement='static' current='1'>4</vcpu>" in domains.describe(ref, 0)
        await vcpus.set_count(ref, 3, CONFIG)
        assert "<vcpu placement='static' current='3'>4</vcpu>" in domains.describe(ref, 0)
        await vcpus.set_count(ref, 4, CONFIG | D.VCPU_HOTPLUGGABLE)
        text = domains.describe(ref, 0)
        assert "<vcpu placement='static'>4</vcpu>" in text
        assert "<vcpu id='3' enabled='yes' hotpluggable='yes'/>" in text
        await vcpus.set_count(ref, 2, CONFIG)
        assert "<vcpu id='2' enabled='no' hotpluggable='yes'/>" in domains.describe(ref, 0)
        with pytest.raises(InvalidArg, match="vCPU '0' can't be modified"):
            await vcpus.set_one(ref, "0", 0, CONFIG)
        ref = await world.get(Lifecycle).create(ref, 0)
        with pytest.raises(OperationUnsupported, match="maximum vcpu count of a live domain can't be modified"):
            await vcpus.set_count(ref, 4, LIVE | CONFIG | D.VCPU_MAXIMUM)

    run(root, scenario)


def test_iothreads(root: Path) -> None:
    async def scenario(world: World) -> None:
        vcpus = world.get(Vcpus)
        ref = await started(world, small_xml("hp-iothreads", "<vcpu>1</vcpu><iothreads>1</iothreads>"))
        await vcpus.add_iothread(ref, 5, LIVE | CONFIG)
        for text in texts(world, ref):
            assert "<iothreads>2</iothreads>" in text
            assert "<iothread id='5'/>" in text
        assert set(record(world, ref).runtime.threads.iothreads) == {1, 5}
        with pytest.raises(InvalidArg, match="an IOThread is already using iothread_id '5'"):
            await vcpus.add_iothread(ref, 5, LIVE)
        await vcpus.set_iothread(ref, 5, [ullong("poll_max_ns", 5000), int_("thread_pool_max", 16)], LIVE)
        assert "<iothread id='5' thread_pool_max='16'/>" in texts(world, ref)[0]
        told = await record(world, ref).runtime.monitor.execute("query-iothreads")
        assert [each["poll-max-ns"] for each in told if each["id"] == "iothread5"] == [5000]
        with pytest.raises(OperationUnsupported, match="configuring persistent polling values is not supported"):
            await vcpus.set_iothread(ref, 5, [ullong("poll_max_ns", 5000)], CONFIG)
        with pytest.raises(OperationInvalid, match=r"thread_pool_min \(20\) can't be greater than thread_pool_max"):
            await vcpus.set_iothread(ref, 5, [int_("thread_pool_min", 20)], LIVE)
        await vcpus.delete_iothread(ref, 5, LIVE | CONFIG)
        assert all("<iothread id=" not in text or "id='1'" in text for text in texts(world, ref))
        with pytest.raises(InvalidArg, match="cannot find IOThread '5' in iothreadids list"):
            await vcpus.delete_iothread(ref, 5, LIVE)

    run(root, scenario)


CARD = "<interface type='user'><mac address='52:54:00:00:00:07'/><model type='virtio'/></interface>"


@pytest.mark.parametrize("machine", ["pc", "q35"])
def test_a_booted_guest_lets_go(root: Path, machine: str) -> None:
    image = root / "a.img"
    image.write_bytes(bytes(4 << 20))
    xml = f"<disk><source file='{image}'/><target dev='vda' bus='virtio'/></disk>"
    models = ("pcie-root", *["pcie-root-port"] * 8)
    ports = "".join(f"<controller type='pci' index='{index}' model='{model}'/>" for index, model in enumerate(models))

    async def scenario(world: World) -> None:
        devices, vcpus = world.get(Devices), world.get(Vcpus)
        text = domain_xml(f"hp-booted-{machine}", interfaces="", devices=ports if machine == "q35" else "", vcpus=2)
        text = text.replace("machine='pc'", f"machine='{machine}'").replace("<vcpu>", "<vcpu current='1'>")
        ref = await started(world, text)
        stream = await world.booted(ref)
        world.events.clear()
        before = texts(world, ref)
        await devices.attach(ref, xml, LIVE)
        await devices.attach(ref, CARD, LIVE)
        assert world.events == [(E.ID_DEVICE_ADDED, "virtio-disk0"), (E.ID_DEVICE_ADDED, "net0")]
        await stream.write(b"sh i=0; until test -b /dev/vda; do sleep 0.1; done; echo arrived\n")
        await world.read_until(stream, "arrived")
        world.events.clear()
        await devices.detach(ref, xml, LIVE)
        await devices.detach(ref, CARD, LIVE)
        assert world.events == [(E.ID_DEVICE_REMOVED, "virtio-disk0"), (E.ID_DEVICE_REMOVED, "net0")]
        assert texts(world, ref) == before
        await devices.attach(ref, CARD, LIVE)
        world.events.clear()
        await devices.detach_alias(ref, "net0", LIVE)
        await world.seen(E.ID_DEVICE_REMOVED, "net0")
        await vcpus.set_count(ref, 2, LIVE)
        await vcpus.set_count(ref, 1, LIVE)
        await world.seen(E.ID_VCPU_REMOVED, 1)
        assert world.get(Inspection).vcpus(ref, LIVE) == 1
        stream.abort()

    run(root, scenario)
