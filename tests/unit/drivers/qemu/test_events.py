"""QEMU's events: what each does to the record, and what subscribers are told."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.contract.events import DomainEvent, MonitorEvent
from roost.drivers.qemu.events import HANDLERS
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.hotplug.unplug import Unplugger
from roost.drivers.qemu.log import GuestLog
from roost.drivers.qemu.qmp import Event, QmpClosed
from roost.drivers.qemu.resources import Resources
from roost.drivers.qemu.supervisor import Supervisor
from roost.host.api import Command
from roost.host.fake import FakeProcess
from roost.model import domain as model
from support.scenes import fake_context

XML = """<domain type='qemu' id='1'><name>g</name><memory unit='KiB'>65536</memory><os><type>hvm</type></os>
<on_poweroff>{poweroff}</on_poweroff><on_crash>{crash}</on_crash>
<devices><disk type='file' device='cdrom'><source file='/images/a.iso' index='4'/><target dev='sda' bus='sata'/>
<alias name='sata0-0-0'/></disk>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' state='disconnected'/>
<alias name='channel0'/></channel></devices></domain>"""

MEMORY = """<devices><memory model='virtio-mem'><target><size unit='KiB'>262144</size><node>0</node>
<block unit='KiB'>2048</block><requested unit='KiB'>131072</requested><current unit='KiB'>65536</current></target>
<alias name='virtiomem0'/></memory>"""
CLOCK = "<clock offset='variable' adjustment='3600' basis='utc'/><devices>"


class Scene:
    """A running guest without QEMU."""

    def __init__(self, root: Path) -> None:
        context = fake_context(root)
        table, bus = context.table, context.bus
        self.supervisor = Supervisor(context)
        self.unplugger = Unplugger(context, self.supervisor)
        self.record: GuestRecord = table.add("g", bytes(16))
        table.activate(self.record)
        self.guest = Guest(Resources(context.host), GuestLog(context.paths.log_file("g")), "/nowhere")
        self.guest.starting = False
        self.record.runtime = self.guest
        self.record.set_state(D.RUNNING, D.RUNNING_BOOTED)
        self.process = FakeProcess(1000, Command(["qemu"], {}, 2))
        self.supervisor.watch(self.record, self.guest, self.process)
        self.told: list[tuple[Any, ...]] = []
        self.monitor_events: list[MonitorEvent] = []
        bus.subscribe(DomainEvent, lambda event: self.told.append((event.kind, *event.args)))
        bus.subscribe(MonitorEvent, self.monitor_events.append)
        self.document()

    def document(self, poweroff: str = "destroy", crash: str = "destroy") -> None:
        self.record.live = model.parse(XML.format(poweroff=poweroff, crash=crash), live=True)

    def event(self, name: str, /, **data: Any) -> list[tuple[Any, ...]]:
        """What is told when QEMU sends it. Underscores in the data's names stand for dashes."""
        self.told.clear()
        named = {key.replace("_", "-"): value for key, value in data.items()}
        raw = msgspec.json.encode(named) if named else b""
        self.supervisor.on_event(self.record, self.guest, Event(name, named, 1, 2, raw))
        return list(self.told)

    @property
    def state(self) -> tuple[int, int]:
        return self.record.state, self.record.reason


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.guest.log.close()


def life(event: int, detail: int) -> tuple[int, int, int]:
    return E.ID_LIFECYCLE, event, detail


@pytest.mark.parametrize(
    ("by", "detail"), [(True, E.SHUTDOWN_GUEST), (False, E.SHUTDOWN_HOST), (None, E.SHUTDOWN_FINISHED)]
)
def test_shutdown(scene: Scene, by: bool | None, detail: int) -> None:
    data = {} if by is None else {"guest": by}
    assert scene.event("SHUTDOWN", **data) == [life(E.SHUTDOWN, detail)]
    assert scene.state == (D.SHUTDOWN, D.SHUTDOWN_UNKNOWN)
    assert scene.process.signals == [signal.SIGTERM]
    assert scene.event("STOP") == []
    assert scene.event("SHUTDOWN", **data) == []
    scene.process.end()
    assert scene.told == [life(E.STOPPED, E.STOPPED_SHUTDOWN)]
    assert scene.state == (D.SHUTOFF, D.SHUTOFF_SHUTDOWN)
    assert scene.record.runtime is None


def test_stop_and_resume_say_why(scene: Scene) -> None:
    scene.guest.paused_reason = D.PAUSED_USER
    assert scene.event("STOP") == [life(E.SUSPENDED, E.SUSPENDED_PAUSED)]
    assert scene.state == (D.PAUSED, D.PAUSED_USER)
    assert scene.event("STOP") == []
    assert scene.event("RESUME") == [life(E.RESUMED, E.RESUMED_UNPAUSED)]
    assert scene.state == (D.RUNNING, D.RUNNING_UNPAUSED)
    assert scene.event("STOP") == [life(E.SUSPENDED, E.SUSPENDED_PAUSED)]
    assert scene.state == (D.PAUSED, D.PAUSED_UNKNOWN)


def test_an_io_error_pauses_when_told_to(scene: Scene) -> None:
    data = {"device": "", "qom_path": "/machine/peripheral/sata0-0-0", "node_name": "n", "nospace": True}
    told = scene.event("BLOCK_IO_ERROR", action="stop", **data)
    assert told == [
        (E.ID_IO_ERROR, "/images/a.iso", "sata0-0-0", E.IO_ERROR_PAUSE),
        (E.ID_IO_ERROR_REASON, "/images/a.iso", "sata0-0-0", E.IO_ERROR_PAUSE, "enospc"),
        life(E.SUSPENDED, E.SUSPENDED_IOERROR),
    ]
    assert scene.state == (D.PAUSED, D.PAUSED_IOERROR)
    told = scene.event("BLOCK_IO_ERROR", action="report", device="drive-other")
    assert told[0] == (E.ID_IO_ERROR, "", "", E.IO_ERROR_REPORT)
    assert told[1][-1] == ""
    assert len(told) == 2


def test_watchdog(scene: Scene) -> None:
    assert scene.event("WATCHDOG", action="reset") == [(E.ID_WATCHDOG, E.WATCHDOG_RESET)]
    told = scene.event("WATCHDOG", action="pause")
    assert told == [(E.ID_WATCHDOG, E.WATCHDOG_PAUSE), life(E.SUSPENDED, E.SUSPENDED_WATCHDOG)]


def test_the_tray_is_in_the_document(scene: Scene) -> None:
    told = scene.event("DEVICE_TRAY_MOVED", id="sata0-0-0", device="", tray_open=True)
    assert told == [(E.ID_TRAY_CHANGE, "sata0-0-0", E.TRAY_CHANGE_OPEN)]
    assert "tray='open'" in scene.record.describe(inactive=False, secure=True)
    scene.event("DEVICE_TRAY_MOVED", id="sata0-0-0", device="", tray_open=False)
    assert "tray=" not in scene.record.describe(inactive=False, secure=True)


def test_the_balloon_is_in_the_document(scene: Scene) -> None:
    assert scene.event("BALLOON_CHANGE", actual=32 << 20) == [(E.ID_BALLOON_CHANGE, 32768)]
    assert scene.record.live is not None
    assert scene.record.live.current_memory == 32768


def test_the_agents_channel_is_in_the_document_and_told(scene: Scene) -> None:
    opened = (E.ID_AGENT_LIFECYCLE, E.AGENT_LIFECYCLE_STATE_CONNECTED, E.AGENT_LIFECYCLE_REASON_CHANNEL)
    closed = (E.ID_AGENT_LIFECYCLE, E.AGENT_LIFECYCLE_STATE_DISCONNECTED, E.AGENT_LIFECYCLE_REASON_CHANNEL)
    assert scene.event("VSERPORT_CHANGE", id="channel0", open=True) == [opened]
    assert scene.record.live is not None
    assert "state='connected'" in model.format(scene.record.live)
    # Told anew, as libvirt does it.
    assert scene.event("VSERPORT_CHANGE", id="channel0", open=True) == [opened]
    assert scene.event("VSERPORT_CHANGE", id="channel1", open=True) == []
    assert scene.event("VSERPORT_CHANGE", id="channel0", open=False) == [closed]
    assert "state='disconnected'" in model.format(scene.record.live)


def test_a_panic_ends_the_guest(scene: Scene) -> None:
    assert scene.event("GUEST_PANICKED", action="pause") == [life(E.CRASHED, E.CRASHED_PANICKED)]
    assert scene.state == (D.CRASHED, D.CRASHED_PANICKED)
    scene.process.end()
    assert scene.told[-1] == life(E.STOPPED, E.STOPPED_CRASHED)
    assert scene.state == (D.SHUTOFF, D.SHUTOFF_CRASHED)


def test_a_panic_that_is_preserved(scene: Scene) -> None:
    scene.document(crash="preserve")
    scene.event("GUEST_PANICKED", action="pause")
    assert scene.process.signals == []
    assert scene.state == (D.CRASHED, D.CRASHED_PANICKED)


def test_an_end_that_nobody_asked_for_is_a_crash(scene: Scene) -> None:
    scene.process.end(-11)
    assert scene.told == [life(E.STOPPED, E.STOPPED_FAILED)]
    assert scene.state == (D.SHUTOFF, D.SHUTOFF_CRASHED)
    assert "reason=crashed" in scene.guest.log.path.read_text()


def test_a_threshold_is_told_by_name_and_number(scene: Scene) -> None:
    written = {"node_name": "libvirt-4-storage", "amount_exceeded": 5, "write_threshold": 10}
    numbered = (E.ID_BLOCK_THRESHOLD, "sda[4]", "/images/a.iso", 10, 5)
    assert scene.event("BLOCK_WRITE_THRESHOLD", **written) == [
        (E.ID_BLOCK_THRESHOLD, "sda", "/images/a.iso", 10, 5),
        numbered,
    ]
    scene.guest.blocks.named_thresholds.add("libvirt-4-storage")
    scene.told.clear()
    assert scene.event("BLOCK_WRITE_THRESHOLD", **written) == [numbered]
    assert scene.event("BLOCK_WRITE_THRESHOLD", node_name="elsewhere") == []


def test_an_io_error_is_the_disks_whose_node_it_is(scene: Scene) -> None:
    data = {"device": "", "node_name": "libvirt-4-format", "operation": "write", "action": "report", "nospace": True}
    assert scene.event("BLOCK_IO_ERROR", **data) == [
        (E.ID_IO_ERROR, "/images/a.iso", "sata0-0-0", E.IO_ERROR_REPORT),
        (E.ID_IO_ERROR_REASON, "/images/a.iso", "sata0-0-0", E.IO_ERROR_REPORT, "enospc"),
    ]
    assert scene.event("BLOCK_IO_ERROR", action="ignore")[0] == (E.ID_IO_ERROR, "", "", E.IO_ERROR_NONE)


def test_the_clock_counts_from_where_it_was_at_the_start(scene: Scene) -> None:
    assert scene.event("RTC_CHANGE", offset=12) == [(E.ID_RTC_CHANGE, 12)]
    assert scene.record.live is not None
    clock = model.parse(XML.format(poweroff="destroy", crash="destroy").replace("<devices>", CLOCK), live=True)
    scene.record.live, scene.guest.facts.clock = clock, 3600
    assert scene.event("RTC_CHANGE", offset=10) == [(E.ID_RTC_CHANGE, 3610)]
    assert scene.event("RTC_CHANGE", offset=-20) == [(E.ID_RTC_CHANGE, 3580)]
    assert scene.record.live.clock is not None
    assert scene.record.live.clock.adjustment == "3580"


def test_memory_plugged_by_virtio(scene: Scene) -> None:
    document = XML.format(poweroff="destroy", crash="destroy").replace("<devices>", MEMORY)
    scene.record.live = model.parse(document, live=True)
    told = scene.event("MEMORY_DEVICE_SIZE_CHANGE", id="virtiomem0", size=134217728, qom_path="/x")
    assert told == [(E.ID_MEMORY_DEVICE_SIZE_CHANGE, "virtiomem0", 131072)]
    live = scene.record.live
    assert live is not None
    assert live.current_memory == 65536 + 131072 - 65536
    assert "<current unit='KiB'>131072</current>" in scene.record.describe(inactive=False, secure=True)
    # A balloon does not count it.
    assert scene.event("BALLOON_CHANGE", actual=33554432) == [(E.ID_BALLOON_CHANGE, 32768 + 131072)]
    assert scene.event("MEMORY_DEVICE_SIZE_CHANGE", id="gone", size=1) == []


def test_rounds_through_the_memory(scene: Scene) -> None:
    assert scene.event("MIGRATION_PASS", **{"pass": 2}) == [(E.ID_MIGRATION_ITERATION, 2)]


def test_a_monitor_that_talks_nonsense_is_told_and_the_guest_goes_on(scene: Scene) -> None:
    scene.told.clear()
    scene.supervisor.on_monitor_closed(scene.record, scene.guest, QmpClosed("no QMP", broken=True))
    assert scene.told == [(E.ID_CONTROL_ERROR,)]
    assert scene.process.signals == []
    scene.supervisor.on_monitor_closed(scene.record, scene.guest, QmpClosed())
    assert scene.process.signals == [signal.SIGTERM]


def test_what_a_guest_says_of_its_panic_is_in_its_log(scene: Scene) -> None:
    windows = {"type": "hyper-v", "arg1": 1, "arg2": 255, "arg3": 0, "arg4": 0, "arg5": 4096}
    scene.document(crash="preserve")
    scene.event("GUEST_PANICKED", action="pause", info=windows)
    mainframe = {"type": "s390", "core": 2, "psw-mask": 1, "psw-addr": 255, "reason": "disabled-wait"}
    scene.event("GUEST_PANICKED", action="pause", info=mainframe)
    scene.event("GUEST_PANICKED", action="pause")
    said = [line.partition(": ")[2] for line in scene.guest.log.path.read_text().splitlines()]
    assert said == [
        "panic hyper-v: arg1='0x1', arg2='0xff', arg3='0x0', arg4='0x0', arg5='0x1000'",
        "panic s390: core='2' psw-mask='0x0000000000000001' psw-addr='0x00000000000000ff' reason='disabled-wait'",
    ]


def test_suspended_to_memory_and_woken(scene: Scene) -> None:
    assert scene.event("SUSPEND") == [(E.ID_PMSUSPEND, 0), life(E.PMSUSPENDED, E.PMSUSPENDED_MEMORY)]
    assert scene.state[0] == D.PMSUSPENDED
    assert scene.event("WAKEUP") == [(E.ID_PMWAKEUP, 0), life(E.STARTED, E.STARTED_WAKEUP)]
    assert scene.state == (D.RUNNING, D.RUNNING_WAKEUP)
    assert scene.event("SUSPEND_DISK")[0] == (E.ID_PMSUSPEND_DISK, 0)


def test_displays(scene: Scene) -> None:
    server = {"family": "ipv4", "host": "127.0.0.1", "service": "5900", "auth": "none"}
    client = {"family": "ipv6", "host": "::1", "service": "40000", "x509_dname": "CN=x", "sasl_username": "u"}
    told = scene.event("VNC_INITIALIZED", server=server, client=client)
    assert told == [
        (
            E.ID_GRAPHICS,
            E.GRAPHICS_INITIALIZE,
            (E.GRAPHICS_ADDRESS_IPV4, "127.0.0.1", "5900"),
            (E.GRAPHICS_ADDRESS_IPV6, "::1", "40000"),
            "none",
            [("x509dname", "CN=x"), ("saslUsername", "u")],
        )
    ]
    assert scene.event("VNC_DISCONNECTED", server=server, client={})[0][1] == E.GRAPHICS_DISCONNECT


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("RESET", {}, (E.ID_REBOOT,)),
        ("RTC_CHANGE", {"offset": 12}, (E.ID_RTC_CHANGE, 12)),
        ("DEVICE_UNPLUG_GUEST_ERROR", {"device": "net0", "path": "/x"}, (E.ID_DEVICE_REMOVAL_FAILED, "net0")),
        ("GUEST_CRASHLOADED", {"action": "run"}, (0, E.CRASHED, E.CRASHED_CRASHLOADED)),
        (
            "MEMORY_FAILURE",
            {"recipient": "guest", "action": "inject", "flags": {"action-required": True, "recursive": False}},
            (E.ID_MEMORY_FAILURE, E.MEMORY_FAILURE_RECIPIENT_GUEST, E.MEMORY_FAILURE_ACTION_INJECT, 1),
        ),
    ],
)
def test_events_that_are_only_passed_on(scene: Scene, name: str, data: dict[str, Any], told: tuple[Any, ...]) -> None:
    assert scene.event(name, **data) == [told]


def test_a_full_image_is_told_by_its_disk_and_by_its_number(scene: Scene) -> None:
    event = {"amount_exceeded": 5, "write_threshold": 10}
    disk = (E.ID_BLOCK_THRESHOLD, "sda", "/images/a.iso", 10, 5)
    image = (E.ID_BLOCK_THRESHOLD, "sda[4]", "/images/a.iso", 10, 5)
    assert scene.event("BLOCK_WRITE_THRESHOLD", node_name="libvirt-4-storage", **event) == [disk, image]
    scene.guest.blocks.named_thresholds.add("libvirt-4-storage")
    scene.told.clear()
    assert scene.event("BLOCK_WRITE_THRESHOLD", node_name="libvirt-4-storage", **event) == [image]
    scene.told.clear()
    assert scene.event("BLOCK_WRITE_THRESHOLD", node_name="libvirt-5-storage", **event) == []


def test_every_event_reaches_the_monitors_subscribers(scene: Scene) -> None:
    scene.event("SPICE_MIGRATE_COMPLETED", name="net0")
    assert scene.told == []
    event = scene.monitor_events[-1]
    assert (event.event, event.details, event.seconds) == ("SPICE_MIGRATE_COMPLETED", '{"name":"net0"}', 1)
    scene.event("STOP")
    assert scene.monitor_events[-1].details is None


def test_nothing_is_heard_of_a_guest_that_is_over(scene: Scene) -> None:
    scene.record.runtime = None
    for name in HANDLERS:
        assert scene.event(name) == []


def test_a_reset_during_the_start_is_not_told(scene: Scene) -> None:
    scene.guest.starting = True
    assert scene.event("RESET") == []
