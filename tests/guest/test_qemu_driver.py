"""The QEMU driver over a real QEMU: a guest's life as events, states and console tell it."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import statistics as S
from roost.contract.domains import Consoles, Domains, Inspection, Lifecycle, Monitor
from roost.contract.statistics import Statistics
from roost.errors import InternalError, NoDomain, OperationFailed, OperationInvalid, SystemCallError
from roost.host.linux import guest_account
from roost.host.linux.processes import start_time
from support.guests import READY, domain_xml
from support.world import PATIENCE, World, run, world_root

pytestmark = pytest.mark.guest


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as made:
        yield made


def small_xml(name: str, devices: str = "", on_crash: str = "destroy", machine: str = "pc", disk: str = "") -> str:
    """A guest without anything to boot: it runs its firmware."""
    return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
    <os><type arch='x86_64' machine='{machine}'>hvm</type></os><on_crash>{on_crash}</on_crash>
    <devices>{disk}<serial type='pty'/>{devices}</devices></domain>"""


def leftovers(root: Path) -> list[str]:
    """What guests left in the driver's directory; that of their NVRAMs is there as long as the daemon."""
    return [path.name for path in (root / "lib" / "qemu").iterdir() if path.name != "nvram"]


def lifecycle(event: int, detail: int) -> tuple[int, int, int]:
    return E.ID_LIFECYCLE, event, detail


def test_start_pause_resume_destroy(root: Path) -> None:
    async def scenario(world: World) -> None:
        life, look = world.get(Lifecycle), world.get(Inspection)
        ref = await world.get(Domains).define(small_xml("q-basic"), 0)
        ref = await life.create(ref, 0)
        assert ref.id == 1
        assert look.state(ref, 0) == (D.RUNNING, D.RUNNING_BOOTED)
        with pytest.raises(OperationInvalid, match="domain is already running"):
            await life.create(ref, 0)
        await life.suspend(ref)
        assert look.state(ref, 0) == (D.PAUSED, D.PAUSED_USER)
        await life.resume(ref)
        assert look.state(ref, 0) == (D.RUNNING, D.RUNNING_UNPAUSED)
        await life.reset(ref, 0)
        await world.seen(E.ID_REBOOT)
        assert look.info(ref).cpu_time > 0
        world.events.clear()
        await life.destroy(ref, 0)
        assert world.events == [
            lifecycle(E.SHUTDOWN, E.SHUTDOWN_HOST),
            lifecycle(E.STOPPED, E.STOPPED_DESTROYED),
        ]
        assert look.state(ref, 0) == (D.SHUTOFF, D.SHUTOFF_DESTROYED)
        with pytest.raises(OperationInvalid, match="domain is not running"):
            await life.destroy(ref, 0)
        assert not leftovers(root)
        assert [path.name for path in (root / "run" / "qemu").iterdir()] == ["autostarted"]

    run(root, scenario)


def test_the_order_of_the_events_of_a_start(root: Path) -> None:
    async def scenario(world: World) -> None:
        life, domains = world.get(Lifecycle), world.get(Domains)
        ref = await domains.define(small_xml("q-order"), 0)
        world.events.clear()
        await life.create(ref, 0)
        assert world.events == [lifecycle(E.RESUMED, E.RESUMED_UNPAUSED), lifecycle(E.STARTED, E.STARTED_BOOTED)]
        await life.destroy(ref, 0)
        world.events.clear()
        await life.create(ref, D.START_PAUSED)
        assert world.events == [lifecycle(E.STARTED, E.STARTED_BOOTED), lifecycle(E.SUSPENDED, E.SUSPENDED_PAUSED)]

    run(root, scenario)


def test_the_agents_channel_is_known_and_told(root: Path) -> None:
    async def scenario(world: World) -> None:
        agent = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
        ref = await world.get(Domains).define(domain_xml("q-agent", devices=agent), 0)
        world.events.clear()
        ref = await world.get(Lifecycle).create(ref, 0)
        started = (E.ID_AGENT_LIFECYCLE, E.AGENT_LIFECYCLE_STATE_DISCONNECTED, E.AGENT_LIFECYCLE_REASON_DOMAIN_STARTED)
        assert world.events[0] == started
        assert "state='disconnected'" in world.get(Domains).describe(ref, 0)
        stream = await world.booted(ref)
        await stream.write(b"sh exec 3<>/dev/vport1p1; echo opened; sleep 1\n")
        await world.seen(E.ID_AGENT_LIFECYCLE, E.AGENT_LIFECYCLE_STATE_CONNECTED, E.AGENT_LIFECYCLE_REASON_CHANNEL)
        await world.seen(E.ID_AGENT_LIFECYCLE, E.AGENT_LIFECYCLE_STATE_DISCONNECTED, E.AGENT_LIFECYCLE_REASON_CHANNEL)
        stream.abort()

    run(root, scenario)


def test_a_transient_domain_is_gone_when_it_ends(root: Path) -> None:
    async def scenario(world: World) -> None:
        domains = world.get(Domains)
        ref = await domains.create_xml(small_xml("q-transient"), D.START_PAUSED)
        assert not domains.is_persistent(ref)
        await world.get(Lifecycle).destroy(ref, 0)
        with pytest.raises(NoDomain):
            domains.lookup_by_name("q-transient")

    run(root, scenario)


def test_boot_console_shutdown_by_acpi(root: Path) -> None:
    async def scenario(world: World) -> None:
        life, consoles = world.get(Lifecycle), world.get(Consoles)
        ref = await world.get(Domains).create_xml(domain_xml("q-boot"), 0)
        stream = await world.booted(ref)
        with pytest.raises(OperationFailed, match="Active console session exists for this domain"):
            await consoles.open_console(ref, None, 0)
        await stream.write(b"echo some words\n")
        await world.read_until(stream, "some words")
        taken_over = await consoles.open_console(ref, None, D.CONSOLE_FORCE)
        assert await stream.read(10) == b""
        taken_over.abort()
        world.events.clear()
        await life.shutdown(ref, 0)
        await world.seen(*lifecycle(E.STOPPED, E.STOPPED_SHUTDOWN))

    run(root, scenario)


def test_reboot_by_acpi_is_a_reset_after_the_shutdown(root: Path) -> None:
    async def scenario(world: World) -> None:
        life, look = world.get(Lifecycle), world.get(Inspection)
        ref = await world.get(Domains).create_xml(domain_xml("q-reboot"), 0)
        stream = await world.booted(ref)
        world.events.clear()
        await life.reboot(ref, 0)
        await world.read_until(stream, READY)
        kinds = [event for event in world.events if event[:2] in ((0, E.SHUTDOWN), (0, E.STOPPED), (0, E.SUSPENDED))]
        assert kinds == []
        assert (E.ID_REBOOT,) in world.events
        assert look.state(ref, 0)[0] == D.RUNNING

    run(root, scenario)


def test_the_guest_ends_itself(root: Path) -> None:
    async def scenario(world: World) -> None:
        ref = await world.get(Domains).define(domain_xml("q-poweroff"), 0)
        ref = await world.get(Lifecycle).create(ref, 0)
        stream = await world.booted(ref)
        await stream.write(b"poweroff\n")
        await world.seen(*lifecycle(E.SHUTDOWN, E.SHUTDOWN_GUEST))
        await world.seen(*lifecycle(E.STOPPED, E.STOPPED_SHUTDOWN))
        assert world.get(Inspection).state(ref, 0) == (D.SHUTOFF, D.SHUTOFF_SHUTDOWN)

    run(root, scenario)


def test_a_killed_qemu_is_a_crash(root: Path) -> None:
    async def scenario(world: World) -> None:
        ref = await world.get(Domains).define(small_xml("q-killed"), 0)
        ref = await world.get(Lifecycle).create(ref, 0)
        os.kill(int((root / "run" / "qemu" / "q-killed.pid").read_text()), signal.SIGKILL)
        await world.seen(*lifecycle(E.STOPPED, E.STOPPED_FAILED))
        assert world.get(Inspection).state(ref, 0) == (D.SHUTOFF, D.SHUTOFF_CRASHED)

    run(root, scenario)


DISK = (
    "<disk type='file' device='disk'><driver name='qemu' type='{kind}'/><source file='{path}'/>"
    "<target dev='vda' bus='virtio'/></disk>"
)


def test_a_failed_start_says_what_qemu_said_and_leaves_nothing(root: Path) -> None:
    image = root / "odd.raw"
    image.write_bytes(b"no image at all" * 100)
    disk = DISK.format(kind="vpc", path=image)
    owner = image.stat().st_uid

    async def scenario(world: World) -> None:
        ref = await world.get(Domains).define(small_xml("q-bad", disk=disk), 0)
        world.events.clear()
        with pytest.raises(InternalError, match=r"process exited while connecting to monitor: .*invalid VPC image"):
            await world.get(Lifecycle).create(ref, 0)
        assert world.events == []
        assert world.get(Inspection).state(ref, 0) == (D.SHUTOFF, D.SHUTOFF_FAILED)
        assert image.stat().st_uid == owner
        assert not leftovers(root)

    run(root, scenario)


def test_a_path_that_blocks_is_named(root: Path) -> None:
    async def scenario(world: World) -> None:
        missing = root / "absent" / "disk.img"
        ref = await world.get(Domains).define(small_xml("q-path", disk=DISK.format(kind="raw", path=missing)), 0)
        with pytest.raises(SystemCallError, match=r"Cannot access storage file .*No such file.*absent' does not exist"):
            await world.get(Lifecycle).create(ref, 0)

    run(root, scenario)


@pytest.mark.root
def test_a_disk_is_lent_and_given_back(root: Path) -> None:
    image = root / "disk.img"
    image.write_bytes(bytes(1 << 20))
    os.chown(image, 12345, 12345)
    image.chmod(0o600)

    async def scenario(world: World) -> None:
        ref = await world.get(Domains).define(small_xml("q-lend", disk=DISK.format(kind="raw", path=image)), 0)
        ref = await world.get(Lifecycle).create(ref, 0)
        account = guest_account()
        assert account is not None
        assert image.stat().st_uid == account.uid
        params = dict((await world.get(Statistics).all_stats([ref], S.BLOCK, 0))[0][1])
        assert params["block.0.capacity"][1] == 1 << 20
        assert (await world.get(Statistics).block_stats(ref, "vda"))[4] == -1
        await world.get(Lifecycle).destroy(ref, 0)
        assert (image.stat().st_uid, image.stat().st_gid) == (12345, 12345)

    run(root, scenario)


def test_statistics_and_the_monitor(root: Path) -> None:
    async def scenario(world: World) -> None:
        devices = "<memballoon model='virtio'><stats period='1'/></memballoon>"
        ref = await world.get(Domains).define(small_xml("q-stats", devices), 0)
        offline = dict((await world.get(Statistics).all_stats([], 0, 0))[0][1])
        assert offline["state.state"][1] == D.SHUTOFF
        ref = await world.get(Lifecycle).create(ref, 0)
        memory = dict(await world.get(Statistics).memory_stats(ref, 20, 0))
        assert memory[S.MEMORY_STAT_ACTUAL_BALLOON] == 65536
        assert memory[S.MEMORY_STAT_RSS] > 0
        params = dict((await world.get(Statistics).all_stats([], 0, 0))[0][1])
        assert params["cpu.time"][1] > 0
        assert params["vcpu.0.time"][1] > 0
        monitor = world.get(Monitor)
        answer = await monitor.command(ref, '{"execute": "query-status"}', 0)
        assert answer.startswith('{"return":{"status":"running"')
        assert "virtio-balloon" in await monitor.command(ref, "info qtree", 1)
        assert '"class":"CommandNotFound"' in await monitor.command(ref, '{"execute": "no-such"}', 0)
        assert "tainted: custom-monitor" in (root / "log" / "qemu" / "q-stats.log").read_text()

    run(root, scenario)


def test_guests_outlive_the_daemon(root: Path) -> None:
    async def first() -> str:
        world = World(root)
        await world.start()
        ref = await world.get(Domains).define(small_xml("q-outlive"), 0)
        ref = await world.get(Lifecycle).create(ref, 0)
        await world.get(Lifecycle).suspend(ref)
        text: str = world.get(Domains).describe(ref, 0)
        await world.driver.stop()
        return text

    text = asyncio.run(first())
    pid = int((root / "run" / "qemu" / "q-outlive.pid").read_text())

    async def second(world: World) -> None:
        look = world.get(Inspection)
        ref = world.get(Domains).lookup_by_name("q-outlive")
        assert ref.id == 1
        assert look.state(ref, 0) == (D.PAUSED, D.PAUSED_USER)
        assert world.get(Domains).describe(ref, 0) == text
        await world.get(Lifecycle).resume(ref)
        await world.seen(*lifecycle(E.RESUMED, E.RESUMED_UNPAUSED))
        await world.get(Lifecycle).destroy(ref, 0)
        await world.seen(*lifecycle(E.STOPPED, E.STOPPED_DESTROYED))

    run(root, second)
    assert start_time(pid) is None
    os.waitpid(pid, 0)


def test_a_guest_that_does_not_answer_is_neither_waited_for_nor_ended(root: Path) -> None:
    async def first() -> None:
        world = World(root)
        await world.start()
        ref = await world.get(Domains).define(small_xml("q-silent"), 0)
        await world.get(Lifecycle).create(ref, 0)
        await world.driver.stop()

    asyncio.run(first())
    pid = int((root / "run" / "qemu" / "q-silent.pid").read_text())
    os.kill(pid, signal.SIGSTOP)

    async def second(world: World) -> None:
        ref = world.get(Domains).lookup_by_name("q-silent")
        assert ref.id == 1
        assert world.get(Inspection).state(ref, 0)[0] == D.RUNNING
        os.kill(pid, signal.SIGCONT)
        await world.get(Lifecycle).suspend(ref)
        await world.seen(*lifecycle(E.SUSPENDED, E.SUSPENDED_PAUSED))
        await world.get(Lifecycle).destroy(ref, 0)

    run(root, second)
    os.waitpid(pid, 0)


def test_a_live_document_that_cannot_be_read_keeps_its_guest(root: Path) -> None:
    async def first() -> None:
        world = World(root)
        await world.start()
        ref = await world.get(Domains).define(small_xml("q-spoilt"), 0)
        await world.get(Lifecycle).create(ref, 0)
        await world.driver.stop()

    asyncio.run(first())
    status = root / "run" / "qemu" / "q-spoilt.json"
    status.write_text(status.read_text().replace("<domain", "<dominion", 1))
    pid = int((root / "run" / "qemu" / "q-spoilt.pid").read_text())

    async def second(world: World) -> None:
        ref = world.get(Domains).lookup_by_name("q-spoilt")
        assert ref.id == 1
        await world.get(Lifecycle).suspend(ref)
        await world.get(Lifecycle).destroy(ref, 0)

    run(root, second)
    os.waitpid(pid, 0)


def test_a_guest_that_ended_unseen_is_cleared_up(root: Path) -> None:
    async def first() -> None:
        world = World(root)
        await world.start()
        ref = await world.get(Domains).define(small_xml("q-unseen"), 0)
        await world.get(Lifecycle).create(ref, 0)
        await world.driver.stop()

    asyncio.run(first())
    pid = int((root / "run" / "qemu" / "q-unseen.pid").read_text())
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)

    async def second(world: World) -> None:
        ref = world.get(Domains).lookup_by_name("q-unseen")
        assert ref.id == -1
        assert world.get(Inspection).state(ref, 0) == (D.SHUTOFF, D.SHUTOFF_CRASHED)
        assert not leftovers(root)

    run(root, second)


def test_autostart_happens_once_a_boot(root: Path) -> None:
    async def first(world: World) -> None:
        ref = await world.get(Domains).define(small_xml("q-auto"), 0)
        await world.get(Domains).set_autostart(ref, True)

    run(root, first)
    (root / "run" / "qemu" / "autostarted").unlink()

    async def after_boot(world: World) -> None:
        assert world.get(Domains).lookup_by_name("q-auto").id == 1

    async def after_restart(world: World) -> None:
        assert world.get(Domains).lookup_by_name("q-auto").id == -1

    run(root, after_boot)
    run(root, after_restart)


def with_actions(xml: str, **actions: str) -> str:
    """The document with <on_poweroff>, <on_reboot> or <on_crash> set."""
    elements = "".join(f"<{name}>{action}</{name}>" for name, action in actions.items())
    return xml.replace("<devices>", f"{elements}<devices>", 1)


def test_a_reboot_that_is_to_end_the_guest(root: Path) -> None:
    async def scenario(world: World) -> None:
        xml = with_actions(domain_xml("q-noreboot"), on_reboot="destroy")
        ref = await world.get(Domains).create_xml(xml, 0)
        stream = await world.booted(ref)
        await stream.write(b"reboot\n")
        await world.seen(*lifecycle(E.SHUTDOWN, E.SHUTDOWN_GUEST))
        await world.seen(*lifecycle(E.STOPPED, E.STOPPED_SHUTDOWN))

    run(root, scenario)


def test_a_poweroff_that_is_to_restart_the_guest(root: Path) -> None:
    async def scenario(world: World) -> None:
        xml = with_actions(domain_xml("q-restart"), on_poweroff="restart")
        ref = await world.get(Domains).create_xml(xml, 0)
        stream = await world.booted(ref)
        world.events.clear()
        await stream.write(b"poweroff\n")
        await world.read_until(stream, READY)
        assert world.get(Inspection).state(ref, 0)[0] == D.RUNNING
        assert [event for event in world.events if event[0] == E.ID_LIFECYCLE] == []

    run(root, scenario)


def test_a_channel_is_a_stream(root: Path) -> None:
    async def scenario(world: World) -> None:
        devices = "<channel type='unix'><target type='virtio' name='org.example.0'/></channel>"
        ref = await world.get(Domains).define(small_xml("q-channel", devices), 0)
        ref = await world.get(Lifecycle).create(ref, 0)
        stream = await world.get(Consoles).open_channel(ref, "org.example.0", 0)
        with pytest.raises(OperationFailed, match="Active channel stream"):
            await world.get(Consoles).open_channel(ref, None, 0)
        await stream.finish()
        again = await world.get(Consoles).open_channel(ref, None, 0)
        await world.get(Lifecycle).destroy(ref, 0)
        assert await again.read(10) == b""
        with pytest.raises(OperationInvalid, match="domain is not running"):
            await world.get(Consoles).open_channel(ref, None, 0)

    run(root, scenario)


def test_a_transient_guest_is_found_again(root: Path) -> None:
    async def first() -> None:
        world = World(root)
        await world.start()
        await world.get(Domains).create_xml(small_xml("q-again"), 0)
        await world.driver.stop()

    asyncio.run(first())
    pid = int((root / "run" / "qemu" / "q-again.pid").read_text())

    async def second(world: World) -> None:
        domains = world.get(Domains)
        ref = domains.lookup_by_name("q-again")
        assert domains.is_active(ref)
        assert not domains.is_persistent(ref)
        await world.get(Lifecycle).destroy(ref, 0)
        with pytest.raises(NoDomain):
            domains.lookup_by_name("q-again")

    run(root, second)
    os.waitpid(pid, 0)


def test_an_interrupted_start_is_given_up(root: Path) -> None:
    """As left by a daemon killed between spawning QEMU and hearing of it."""

    async def first() -> None:
        world = World(root)
        await world.start()
        await world.get(Domains).create_xml(small_xml("q-half"), D.START_PAUSED)
        await world.driver.stop()

    asyncio.run(first())
    pid = int((root / "run" / "qemu" / "q-half.pid").read_text())
    file = root / "run" / "qemu" / "q-half.json"
    status = json.loads(file.read_text())
    status["driver"] |= {"phase": "starting", "pid": 0, "started": 0}
    file.write_text(json.dumps(status | {"document": ""}))

    async def second(world: World) -> None:
        assert world.get(Domains).list_all(0) == []
        assert not file.exists()
        assert not leftovers(root)

    run(root, second)
    assert os.waitpid(pid, 0)[1] == 0


def test_two_guests_cannot_have_one_port(root: Path) -> None:
    async def scenario(world: World) -> None:
        devices = "<graphics type='vnc' port='47011' listen='127.0.0.1'/>"
        domains, life = world.get(Domains), world.get(Lifecycle)
        first = await domains.define(small_xml("q-port1", devices), 0)
        second = await domains.define(small_xml("q-port2", devices), 0)
        first = await life.create(first, 0)
        with pytest.raises(InternalError, match="Failed to reserve port 47011; another guest has it"):
            await life.create(second, 0)
        await life.destroy(first, 0)
        await life.create(second, 0)

    run(root, scenario)


def test_destroyed_while_it_starts(root: Path) -> None:
    async def scenario(world: World) -> None:
        life = world.get(Lifecycle)
        ref = await world.get(Domains).define(small_xml("q-early"), 0)
        start = asyncio.create_task(life.create(ref, 0))
        async with asyncio.timeout(PATIENCE):
            while not (root / "run" / "qemu" / "q-early.pid").exists():  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0)
        await life.destroy(ref, 0)
        with pytest.raises(InternalError, match="the domain was destroyed while it started"):
            await start
        assert world.get(Inspection).state(ref, 0) == (D.SHUTOFF, D.SHUTOFF_DESTROYED)
        assert not leftovers(root)

    run(root, scenario)


def test_a_clock_that_differs_counts_from_now(root: Path) -> None:
    async def scenario(world: World) -> None:
        xml = small_xml("q-clock").replace("<devices>", "<clock offset='variable' adjustment='86400'/><devices>")
        before = datetime.datetime.now(datetime.UTC)
        ref = await world.get(Domains).create_xml(xml, D.START_PAUSED)
        (base,) = re.findall(r"-rtc base=(\S+?)[, ]", (root / "log" / "qemu" / "q-clock.log").read_text())
        ahead = datetime.datetime.fromisoformat(base).replace(tzinfo=datetime.UTC) - before
        assert datetime.timedelta(hours=23) < ahead < datetime.timedelta(hours=25)
        await world.get(Lifecycle).destroy(ref, 0)

    run(root, scenario)
