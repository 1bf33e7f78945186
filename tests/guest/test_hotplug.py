"""Devices that come, go and change while a guest runs: over a real QEMU, as its events, documents and files tell it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.contract.devices import Devices
from roost.contract.domains import Domains, Lifecycle
from roost.contract.references import DomainRef
from roost.drivers.qemu.qmp import Event, QmpClient
from roost.errors import (
    ConfigUnsupported,
    DeviceMissing,
    InternalError,
    OperationFailed,
    OperationInvalid,
    OperationTimeout,
    OperationUnsupported,
    RoostError,
    SystemCallError,
    XmlError,
)
from support.peer import in_chroot
from support.processes import running
from support.world import PATIENCE, World, run, world_root

pytestmark = pytest.mark.guest

LIVE, CONFIG = D.AFFECT_LIVE, D.AFFECT_CONFIG
SCSI = "<controller type='scsi' model='virtio-scsi'/>"


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as made:
        yield made


def small_xml(name: str, devices: str = SCSI, extra: str = "", machine: str = "pc") -> str:
    """A guest without anything to boot: what leaves without its help can."""
    return f"""<domain type='qemu'><name>{name}</name>{extra or "<memory unit='MiB'>64</memory><vcpu>1</vcpu>"}
    <os><type arch='x86_64' machine='{machine}'>hvm</type></os><features><acpi/></features>
    <devices>{devices}</devices></domain>"""


def image(root: Path, name: str, format: str = "raw") -> Path:
    path = root / name
    subprocess.run(["qemu-img", "create", "-q", "-f", format, path, "4M"], check=True)
    path.chmod(0o600)
    return path


def disk(path: Path | None, target: str, bus: str = "scsi", device: str = "disk", format: str = "raw") -> str:
    source = f"<source file='{path}'/>" if path is not None else ""
    return (
        f"<disk type='file' device='{device}'><driver name='qemu' type='{format}'/>{source}"
        f"<target dev='{target}' bus='{bus}'/></disk>"
    )


async def started(world: World, xml: str) -> DomainRef:
    defined = await world.get(Domains).define(xml, 0)
    ref: DomainRef = await world.get(Lifecycle).create(defined, 0)
    world.events.clear()
    return ref


def documents(world: World, ref: DomainRef) -> tuple[str, str]:
    """The live one and the definition."""
    domains = world.get(Domains)
    return domains.describe(ref, 0), domains.describe(ref, D.XML_INACTIVE)


def record(world: World, ref: DomainRef) -> Any:
    return world.driver._context.table.get(ref)


async def query(world: World, ref: DomainRef, command: str) -> Any:
    return await record(world, ref).runtime.monitor.execute(command)


def test_a_disk_comes_and_goes(root: Path) -> None:
    path = image(root, "a.img")

    async def scenario(world: World) -> None:
        devices = world.get(Devices)
        ref = await started(world, small_xml("hp-disk"))
        before = documents(world, ref)
        nodes = len(await query(world, ref, "query-named-block-nodes"))
        owner = path.stat().st_uid
        await devices.attach(ref, disk(path, "sda"), LIVE)
        live, config = documents(world, ref)
        assert "<alias name='scsi0-0-0'/>" not in live
        assert "<alias name='scsi0-0-0-0'/>" in live
        assert config == before[1]
        assert world.events == [(E.ID_DEVICE_ADDED, "scsi0-0-0-0")]
        assert str(path) in record(world, ref).describe(inactive=False, secure=True)
        with pytest.raises(XmlError, match="target 'sda' duplicated"):
            await devices.attach(ref, disk(path, "sda"), LIVE)
        world.events.clear()
        await devices.detach(ref, disk(path, "sda"), LIVE)
        assert world.events == [(E.ID_DEVICE_REMOVED, "scsi0-0-0-0")]
        assert documents(world, ref) == before
        assert len(await query(world, ref, "query-named-block-nodes")) == nodes
        assert path.stat().st_uid == owner
        with pytest.raises(DeviceMissing, match="disk sda not found"):
            await devices.detach(ref, disk(path, "sda"), LIVE)

    run(root, scenario)


def test_definition_and_guest_together(root: Path) -> None:
    path = image(root, "a.img")

    async def scenario(world: World) -> None:
        devices = world.get(Devices)
        ref = await started(world, small_xml("hp-both"))
        await devices.attach(ref, disk(path, "sda"), CONFIG)
        live, config = documents(world, ref)
        assert "sda" not in live
        assert "sda" in config
        assert world.events == []
        with pytest.raises(OperationInvalid, match="target sda already exists"):
            await devices.attach(ref, disk(path, "sda"), LIVE | CONFIG)
        assert world.events == []
        await devices.detach(ref, disk(path, "sda"), CONFIG)
        with pytest.raises(DeviceMissing, match="no target device sda"):
            await devices.detach(ref, disk(path, "sda"), CONFIG)
        await devices.attach(ref, disk(path, "sda"), LIVE | CONFIG)
        assert all("sda" in text for text in documents(world, ref))
        assert "sda" in (root / "etc" / "qemu" / "hp-both.xml").read_text()
        await devices.detach(ref, disk(path, "sda"), LIVE | CONFIG)
        assert not any("sda" in text for text in documents(world, ref))

    run(root, scenario)


def test_wrong_states(root: Path) -> None:
    path = image(root, "a.img")

    async def scenario(world: World) -> None:
        devices, domains = world.get(Devices), world.get(Domains)
        ref = await domains.define(small_xml("hp-states"), 0)
        with pytest.raises(OperationInvalid, match="domain is not running"):
            await devices.attach(ref, disk(path, "sda"), LIVE)
        await devices.attach(ref, disk(path, "sda"), 0)
        assert "sda" in domains.describe(ref, 0)
        await devices.detach(ref, disk(path, "sda"), 0)
        ref = await domains.create_xml(small_xml("hp-transient"), 0)
        with pytest.raises(OperationInvalid, match="transient domains do not have any persistent config"):
            await devices.attach(ref, disk(path, "sda"), LIVE | CONFIG)
        await devices.attach(ref, disk(path, "sda"), 0)
        assert "sda" in domains.describe(ref, 0)

    run(root, scenario)


REFUSED = [
    ("<disk device='floppy'><target dev='fda' bus='fdc'/></disk>", OperationUnsupported, "floppy device hotplug"),
    ("<disk device='cdrom'><target dev='hdd' bus='ide'/></disk>", OperationUnsupported, "disk bus 'ide' cannot be"),
    ("<watchdog model='ib700'/>", OperationUnsupported, "hotplug of watchdog of model ib700"),
    ("<input type='mouse' bus='ps2'/>", OperationUnsupported, "input device on bus 'ps2' cannot be hot plugged"),
    ("<sound model='ac97'/>", OperationUnsupported, "live attach of device 'sound' is not supported"),
    ("<video><model type='vga'/></video>", OperationUnsupported, "live attach of device 'video' is not supported"),
    ("<controller type='usb' index='1'/>", OperationUnsupported, "'usb' controller cannot be hot plugged"),
    ("<memory model='dimm'><target><size>65536</size></target></memory>", ConfigUnsupported, "maxMemory"),
    ("<shmem name='x'/>", OperationUnsupported, "live attach of shmem model 'ivshmem'"),
    ("<filesystem><source dir='/'/><target dir='x'/></filesystem>", OperationUnsupported, "only virtiofs"),
    ("<disk><source file='/nowhere/x.img'/><target dev='sdb' bus='scsi'/></disk>", SystemCallError, "nowhere"),
    ("<gadget/>", ConfigUnsupported, "unknown device type 'gadget'"),
]


@pytest.mark.parametrize(("xml", "error", "words"), REFUSED, ids=[words for _, _, words in REFUSED])
def test_refusals_leave_no_trace(root: Path, xml: str, error: type[Exception], words: str) -> None:
    async def scenario(world: World) -> None:
        ref = await started(world, small_xml("hp-refused"))
        before, held = documents(world, ref), record(world, ref).runtime.resources.held
        with pytest.raises(error, match=words):
            await world.get(Devices).attach(ref, xml, LIVE)
        assert documents(world, ref) == before
        assert record(world, ref).runtime.resources.held == held
        assert world.events == []

    run(root, scenario)


def test_what_qemu_refuses_is_taken_back(root: Path) -> None:
    path = image(root, "a.img")

    async def scenario(world: World) -> None:
        ref = await started(world, small_xml("hp-unwound"))
        before = documents(world, ref)
        owner = path.stat().st_uid
        with pytest.raises(InternalError, match="unable to execute QEMU command 'blockdev-add'"):
            await world.get(Devices).attach(ref, disk(path, "sda", format="vdi"), LIVE | CONFIG)
        assert documents(world, ref) == before
        assert path.stat().st_uid == owner
        assert await query(world, ref, "query-named-block-nodes") == []
        assert world.events == []

    run(root, scenario)


def test_media(root: Path) -> None:
    first, second = image(root, "a.iso"), image(root, "b.iso")
    drive = "<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>"

    async def scenario(world: World) -> None:
        devices = world.get(Devices)
        ref = await started(world, small_xml("hp-media", drive))
        owner = first.stat().st_uid

        async def inserted() -> str:
            (drive,) = [each for each in await query(world, ref, "query-block") if each["qdev"] == "ide0-1-0"]
            return str(drive["inserted"]["file"]) if "inserted" in drive else ""

        await devices.update(ref, disk(first, "hdc", "ide", "cdrom"), LIVE)
        assert await inserted() == str(first)
        assert str(first) in documents(world, ref)[0]
        assert str(first) not in documents(world, ref)[1]
        await devices.update(ref, disk(second, "hdc", "ide", "cdrom"), LIVE | CONFIG)
        assert await inserted() == str(second)
        assert first.stat().st_uid == owner
        assert all(str(second) in text and str(first) not in text for text in documents(world, ref))
        # An attached CD-ROM whose drive is there is a medium.
        await devices.attach(ref, disk(first, "hdc", "ide", "cdrom"), LIVE)
        assert await inserted() == str(first)
        with pytest.raises(InternalError, match="blockdev-add"):
            await devices.update(ref, disk(second, "hdc", "ide", "cdrom", format="vdi"), LIVE)
        assert await inserted() == ""
        assert ".iso" not in documents(world, ref)[0]
        await devices.update(ref, disk(first, "hdc", "ide", "cdrom"), LIVE)
        await devices.update(ref, disk(None, "hdc", "ide", "cdrom"), LIVE | D.DEVICE_MODIFY_FORCE)
        assert await inserted() == ""
        assert first.stat().st_uid == second.stat().st_uid == owner
        with pytest.raises(OperationUnsupported, match="cannot modify field 'bus' of the disk"):
            await devices.update(ref, disk(None, "hdc", "sata", "cdrom"), LIVE)
        with pytest.raises(OperationUnsupported, match="disk device type 'cdrom' cannot be detached"):
            await devices.detach(ref, disk(None, "hdc", "ide", "cdrom"), LIVE)

    run(root, scenario)


def test_usb_devices_and_others_that_leave_by_themselves(root: Path) -> None:
    path = image(root, "a.img")
    serial = "<channel type='unix'><target type='virtio' name='org.example.hp'/></channel>"
    base = "<controller type='usb' model='qemu-xhci'/><controller type='virtio-serial'/>"
    cases = [
        (disk(path, "sda", "usb"), "usb-disk0"),
        ("<input type='tablet' bus='usb'/>", "input2"),
        (serial, "channel0"),
    ]

    async def scenario(world: World) -> None:
        devices = world.get(Devices)
        ref = await started(world, small_xml("hp-usb", base))
        before = documents(world, ref)
        chardevs = len(await query(world, ref, "query-chardev"))
        for xml, alias in cases:
            await devices.attach(ref, xml, LIVE)
            assert world.events == [(E.ID_DEVICE_ADDED, alias)]
            assert f"<alias name='{alias}'/>" in documents(world, ref)[0]
            world.events.clear()
            await devices.detach(ref, xml, LIVE)
            assert world.events == [(E.ID_DEVICE_REMOVED, alias)]
            world.events.clear()
        assert documents(world, ref) == before
        assert len(await query(world, ref, "query-chardev")) == chardevs

    run(root, scenario)


def test_a_guest_that_is_not_there_to_let_go(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("roost.drivers.qemu.hotplug.unplug.WAITS", (0.1, 0.1))

    async def scenario(world: World) -> None:
        devices = world.get(Devices)
        rng = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
        ref = await started(world, small_xml("hp-deaf"))
        await devices.attach(ref, rng, LIVE | CONFIG)
        before = documents(world, ref)
        assert all("<rng" in text for text in before)
        with pytest.raises(OperationTimeout, match=r"the guest has not released device 'rng0' within 0.2 seconds"):
            await devices.detach(ref, rng, LIVE | CONFIG)
        assert documents(world, ref) == before
        # A guest that says no is believed at once; what it says of memory comes by ACPI's way.
        cases: tuple[tuple[str, dict[str, Any], str], ...] = (
            ("DEVICE_UNPLUG_GUEST_ERROR", {"device": "rng0", "path": "/machine/x"}, "it still uses 'rng0'"),
            (
                "ACPI_DEVICE_OST",
                {"info": {"device": "rng0", "source": 0x103, "status": 0x81, "slot": "0", "slot-type": "DIMM"}},
                r"the device is busy \(ACPI status 0x81\)",
            ),
        )
        for event, details, why in cases:
            world.events.clear()
            detached = asyncio.ensure_future(devices.detach(ref, rng, LIVE))
            await asyncio.sleep(0.02)
            told = Event(event, details, 0, 0, b"")
            world.driver._supervisor.on_event(record(world, ref), record(world, ref).runtime, told)
            with pytest.raises(OperationFailed, match=rf"unplug of device was rejected by the guest; .*{why}"):
                await detached
            assert world.events == [(E.ID_DEVICE_REMOVAL_FAILED, "rng0")]
        # At a reset QEMU takes out what it was asked for, and nobody waits any more.
        world.events.clear()
        await world.get(Lifecycle).reset(ref, 0)
        await world.seen(E.ID_DEVICE_REMOVED, "rng0")
        assert "<rng" not in documents(world, ref)[0]
        await devices.attach(ref, disk(None, "sda", device="cdrom"), LIVE)
        with pytest.raises(OperationFailed, match="device cannot be detached: device is busy"):
            await devices.detach(ref, "<controller type='scsi' index='0'/>", LIVE)

    run(root, scenario)


def test_links_and_passwords(root: Path) -> None:
    card = "<interface type='user'><mac address='52:54:00:00:00:07'/><model type='virtio'/>{}</interface>"
    shown = "<graphics type='vnc' port='-1' autoport='yes' passwd='{}'/>"

    async def scenario(world: World) -> None:
        devices = world.get(Devices)
        ref = await started(world, small_xml("hp-link", card.format("") + shown.format("old")))
        await devices.update(ref, card.format("<link state='down'/>"), LIVE)
        live, config = documents(world, ref)
        assert "<link state='down'/>" in live
        assert "<link" not in config
        await devices.update(ref, card.format("<link state='up'/>"), LIVE)
        with pytest.raises(OperationUnsupported, match="cannot modify MTU"):
            await devices.update(ref, card.format("<mtu size='1400'/>"), LIVE)
        with pytest.raises(DeviceMissing, match="matching MAC address '52:54:00:00:00:08'"):
            await devices.update(ref, card.format("").replace("00:07", "00:08"), LIVE)
        await devices.update(ref, shown.format("new"), LIVE | CONFIG)
        secret = world.get(Domains).describe(ref, D.XML_SECURE)
        assert "passwd='new'" in secret
        with pytest.raises(OperationUnsupported, match="cannot change keymap setting on vnc graphics"):
            await devices.update(ref, shown.format("new").replace("/>", " keymap='de'/>"), LIVE)
        with pytest.raises(ConfigUnsupported, match="live update of device 'input' is not supported"):
            await devices.update(ref, "<input type='mouse' bus='usb'/>", LIVE)

    run(root, scenario)


def test_memory(root: Path) -> None:
    numa = """<maxMemory slots='2' unit='MiB'>256</maxMemory><memory unit='MiB'>64</memory><vcpu>1</vcpu>
    <cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>"""
    dimm = "<memory model='dimm'><target><size unit='MiB'>{}</size><node>0</node></target></memory>"

    async def scenario(world: World) -> None:
        devices = world.get(Devices)
        ref = await started(world, small_xml("hp-memory", extra=numa))
        await devices.attach(ref, dimm.format(32), LIVE | CONFIG)
        live, config = documents(world, ref)
        assert all("<memory unit='KiB'>98304</memory>" in text for text in (live, config))
        assert "<alias name='dimm0'/>" in live
        assert "<address type='dimm' slot='0' base='0x100000000'/>" in live
        assert world.events[0] == (E.ID_DEVICE_ADDED, "memdimm0")
        await devices.attach(ref, dimm.format(64), LIVE)
        with pytest.raises(ConfigUnsupported, match="memory device count '3' exceeds slots count '2'"):
            await devices.attach(ref, dimm.format(32), LIVE)

    run(root, scenario)


@pytest.fixture
def bridge() -> Iterator[str]:
    name = f"rth{os.getpid()}"
    made = subprocess.run(["ip", "link", "add", name, "type", "bridge"], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"a bridge cannot be made here: {made.stderr.strip()}")
    yield name
    subprocess.run(["ip", "link", "delete", name], check=True)


@pytest.fixture
def other_bridge() -> Iterator[str]:
    name = f"rti{os.getpid()}"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    yield name
    subprocess.run(["ip", "link", "delete", name], check=True)


@pytest.mark.root
def test_a_card_moves_to_another_bridge(root: Path, bridge: str, other_bridge: str) -> None:
    def ports(name: str) -> list[str]:
        return [port.name for port in (Path("/sys/class/net") / name / "brif").iterdir()]

    def card(name: str, more: str = "") -> str:
        return (
            f"<interface type='bridge'><mac address='52:54:00:00:00:07'/><source bridge='{name}'/>"
            f"<model type='virtio'/>{more}</interface>"
        )

    async def scenario(world: World) -> None:
        devices = world.get(Devices)
        ref = await started(world, small_xml("hp-moved", card(bridge)))
        (tap,) = ports(bridge)
        await devices.update(ref, card(other_bridge), LIVE | CONFIG)
        assert (ports(bridge), ports(other_bridge)) == ([], [tap])
        assert all(f"<source bridge='{other_bridge}'/>" in text for text in documents(world, ref))
        with pytest.raises(OperationFailed, match="bridge rt-none doesn't exist"):
            await devices.update(ref, card("rt-none"), LIVE)
        assert ports(other_bridge) == [tap]
        with pytest.raises(OperationUnsupported, match="cannot modify network device model from virtio to e1000"):
            await devices.update(ref, card(bridge).replace("virtio", "e1000"), LIVE)

    run(root, scenario)


@pytest.mark.root
def test_a_tap_comes_and_goes_with_its_card(root: Path, bridge: str) -> None:
    ports = Path("/sys/class/net") / bridge / "brif"
    usb = "<controller type='usb' model='qemu-xhci'/>"

    def card(bridge: str) -> str:
        return (
            f"<interface type='bridge'><mac address='52:54:00:00:00:07'/><source bridge='{bridge}'/>"
            "<model type='usb-net'/></interface>"
        )

    async def scenario(world: World) -> None:
        devices = world.get(Devices)
        ref = await started(world, small_xml("hp-tap", usb))
        before = documents(world, ref)
        await devices.attach(ref, card(bridge), LIVE)
        (tap,) = ports.iterdir()
        assert f"<target dev='{tap.name}'/>" in documents(world, ref)[0]
        with pytest.raises(SystemCallError, match="rt-none"):
            await devices.attach(ref, card("rt-none").replace("00:07", "00:08"), LIVE)
        assert [port.name for port in ports.iterdir()] == [tap.name]
        await devices.detach(ref, "<interface type='bridge'><mac address='52:54:00:00:00:07'/></interface>", LIVE)
        assert not list(ports.iterdir())
        assert documents(world, ref) == before

    run(root, scenario)


def test_memory_that_grows_on_request(root: Path) -> None:
    numa = """<maxMemory slots='2' unit='MiB'>512</maxMemory><memory unit='MiB'>64</memory><vcpu>1</vcpu>
    <cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>"""
    memory = """<memory model='virtio-mem'>{}<target><size unit='MiB'>64</size><node>0</node>
    <block unit='KiB'>2048</block><requested unit='MiB'>{}</requested></target></memory>"""

    async def scenario(world: World) -> None:
        devices = world.get(Devices)
        ref = await started(world, small_xml("hp-virtiomem", extra=numa))
        await devices.attach(ref, memory.format("", 0), LIVE)
        name = "<alias name='virtiomem0'/>"
        await devices.update(ref, memory.format(name, 32), LIVE)
        assert "<requested unit='KiB'>32768</requested>" in documents(world, ref)[0]
        (device,) = await query(world, ref, "query-memory-devices")
        assert device["data"]["requested-size"] == 32 << 20
        with pytest.raises(RoostError, match="requested size must be smaller than or equal to @size"):
            await devices.update(ref, memory.format(name, 128), LIVE)
        with pytest.raises(ConfigUnsupported, match="memory 'virtiomem7' not found"):
            await devices.update(ref, memory.format(name.replace("0", "7"), 0), LIVE)

    run(root, scenario)


def test_qemu_killed_while_a_disk_comes(root: Path) -> None:
    path = image(root, "a.img")

    async def scenario(world: World) -> None:
        owner = path.stat().st_uid
        ref = await started(world, small_xml("hp-killed"))
        process = record(world, ref).runtime.process
        process.signal(signal.SIGSTOP)
        attaching = asyncio.create_task(world.get(Devices).attach(ref, disk(path, "sda"), LIVE | CONFIG))
        # Some turns of the loop: the file is lent, and QEMU does not answer.
        await asyncio.sleep(0.3)
        process.signal(signal.SIGKILL)
        with pytest.raises((InternalError, OperationInvalid)):
            await attaching
        await world.seen(E.ID_LIFECYCLE, E.STOPPED, E.STOPPED_FAILED)
        assert path.stat().st_uid == owner
        assert "sda" not in documents(world, ref)[1]

    run(root, scenario)


def test_what_came_is_known_to_the_next_daemon(root: Path) -> None:
    path = image(root, "a.img")
    owner = path.stat().st_uid

    async def first() -> tuple[int, str]:
        world = World(root)
        await world.start()
        ref = await started(world, small_xml("hp-restart"))
        await world.get(Devices).attach(ref, disk(path, "sda"), LIVE)
        await world.driver.stop()
        return int((root / "run" / "qemu" / "hp-restart.pid").read_text()), documents(world, ref)[0]

    pid, before = asyncio.run(first())

    async def second(world: World) -> None:
        ref = world.get(Domains).lookup_by_name("hp-restart")
        assert documents(world, ref)[0] == before
        await world.get(Devices).detach(ref, disk(path, "sda"), LIVE)
        assert path.stat().st_uid == owner
        await world.get(Lifecycle).destroy(ref, 0)

    run(root, second)
    os.waitpid(pid, 0)


def test_what_left_meanwhile_is_found_gone(root: Path) -> None:
    rng = "<rng model='virtio'><backend model='builtin'/></rng>"

    async def first() -> int:
        world = World(root)
        await world.start()
        ref = await started(world, small_xml("hp-meanwhile"))
        await world.get(Devices).attach(ref, rng, LIVE)
        path = Path(record(world, ref).runtime.monitor_path)
        await world.driver.stop()
        monitor = QmpClient.connect(path)
        await monitor.negotiate()
        await monitor.execute("device_del", {"id": "rng0"})
        await monitor.execute("system_reset")
        monitor.close()
        return int((root / "run" / "qemu" / "hp-meanwhile.pid").read_text())

    pid = asyncio.run(first())

    async def second(world: World) -> None:
        ref = world.get(Domains).lookup_by_name("hp-meanwhile")
        live = documents(world, ref)[0]
        assert "<rng" not in live
        assert "<controller type='scsi'" in live
        await world.get(Devices).attach(ref, rng, LIVE)
        await world.get(Lifecycle).destroy(ref, 0)

    run(root, second)
    os.waitpid(pid, 0)


def test_two_that_want_opposite_things(root: Path) -> None:
    path = image(root, "a.img")

    async def scenario(world: World) -> None:
        devices = world.get(Devices)
        ref = await started(world, small_xml("hp-opposite"))

        async def insist(change: Any, impact: int) -> int:
            succeeded = 0
            for _ in range(15):
                try:
                    await change(ref, disk(path, "sda"), impact)
                    succeeded += 1
                except (DeviceMissing, OperationInvalid, XmlError):
                    await asyncio.sleep(0)
            return succeeded

        came, went, came_too, went_too = await asyncio.gather(
            insist(devices.attach, LIVE),
            insist(devices.detach, LIVE),
            insist(devices.attach, LIVE | CONFIG),
            insist(devices.detach, LIVE | CONFIG),
        )
        there = came + came_too - went - went_too
        assert there in (0, 1)
        assert documents(world, ref)[0].count("<target dev='sda'") == there
        assert len(await query(world, ref, "query-named-block-nodes")) == 2 * there
        told = [kind for kind, *_ in world.events]
        assert told.count(E.ID_DEVICE_ADDED) == came + came_too
        assert told.count(E.ID_DEVICE_REMOVED) == went + went_too

    run(root, scenario)


@pytest.mark.skipif(in_chroot(), reason="virtiofsd makes itself a root of its own, which a chroot does not let it")
def test_a_directory_of_the_host_comes_with_its_process(root: Path) -> None:
    shared = root / "shared"
    shared.mkdir()
    memory = (
        "<memory unit='MiB'>64</memory><vcpu>1</vcpu><memoryBacking><source type='memfd'/><access mode='shared'/>"
        "</memoryBacking>"
    )
    export = (
        "<filesystem type='mount'><driver type='virtiofs'/>{binary}<source dir='{source}'/><target dir='there'/>"
        "</filesystem>"
    )

    def served() -> list[int]:
        return running(f"virtiofsd.*source={shared}")

    async def scenario(world: World) -> None:
        devices = world.get(Devices)
        ref = await started(world, small_xml("hp-shared", "", memory))
        before = documents(world, ref)
        with pytest.raises(OperationInvalid, match=r"the virtiofs export directory '.*/missing' does not exist"):
            await devices.attach(ref, export.format(source=root / "missing", binary=""), LIVE)
        with pytest.raises(RoostError):
            await devices.attach(ref, export.format(source=shared, binary="<binary path='/bin/true'/>"), LIVE)
        assert documents(world, ref) == before
        assert served() == []
        await devices.attach(ref, export.format(source=shared, binary=""), LIVE)
        assert "<target dir='there'/>" in documents(world, ref)[0]
        assert world.events == [(E.ID_DEVICE_ADDED, "fs0")]
        assert served()
        # At a reset QEMU takes out what it was asked for.
        await devices.detach_alias(ref, "fs0", LIVE)
        await world.get(Lifecycle).reset(ref, 0)
        await world.seen(E.ID_DEVICE_REMOVED, "fs0")
        assert documents(world, ref) == before
        async with asyncio.timeout(PATIENCE):
            while served():  # noqa: ASYNC110 - a process of somebody else's
                await asyncio.sleep(0.05)
        await devices.attach(ref, export.format(source=shared, binary=""), LIVE)

    run(root, scenario)
