"""What the driver keeps of a running guest, in memory and on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.drivers.qemu.agent import AgentLink
from roost.drivers.qemu.blockjobs.state import BlockState, BlockStatus
from roost.drivers.qemu.held import Held
from roost.drivers.qemu.log import GuestLog
from roost.drivers.qemu.qmp import QmpClient
from roost.drivers.qemu.resources import Resources
from roost.engine.record import Record
from roost.host.api import Process

if TYPE_CHECKING:
    from roost.drivers.qemu.console import ConsoleStream

#: Phases of a guest's status on disk.
STARTING, RUNNING = "starting", "running"


class GuestStatus(msgspec.Struct, frozen=True):
    """The driver's part of a status file.

    clock, advice: as of Guest. phase: STARTING until QEMU is known well enough to be found again.
    pid, started: name the process for good; 0 while STARTING.
    monitor: path of the monitor's socket. held: what it has of the host. asked: as of Guest.
    """

    phase: str
    monitor: str
    held: Held
    pid: int = 0
    started: int = 0
    fake_reboot: bool = False
    autodestroy: bool = False
    clock: int = 0
    taints: tuple[str, ...] = ()
    asked: str = ""
    agent_timeout: int = D.AGENT_RESPONSE_TIMEOUT_BLOCK
    blocks: BlockStatus = BlockStatus()
    advice: frozenset[int] = frozenset()


class Ending(msgspec.Struct, frozen=True):
    """Why a guest ends: the domain's reason, the event's detail, the log's word."""

    reason: int
    detail: int
    word: str


SHUTDOWN = Ending(D.SHUTOFF_SHUTDOWN, E.STOPPED_SHUTDOWN, "shutdown")
DESTROYED = Ending(D.SHUTOFF_DESTROYED, E.STOPPED_DESTROYED, "destroyed")
CRASHED = Ending(D.SHUTOFF_CRASHED, E.STOPPED_FAILED, "crashed")
PANICKED = Ending(D.SHUTOFF_CRASHED, E.STOPPED_CRASHED, "crashed")
FAILED = Ending(D.SHUTOFF_FAILED, E.STOPPED_FAILED, "failed")


class Guest:
    """A running guest.

    ending: decided before its process ends by whoever ends it; None lets the
        state at that moment tell a shutdown from a crash.
    paused_reason, running_reason: why the next STOP or RESUME comes; 0 unless we caused it.
    fake_reboot: the next SHUTDOWN is a reboot: reset and go on.
    paused_for_reboot: between that SHUTDOWN and going on, STOP is not to be seen.
    vcpus: the thread of each virtual processor. iothreads: those of the I/O threads, by id.
    starting: its start has not succeeded yet; its end is the start's business.
    blocks: its block jobs.
    advice: the nodes that numad has named for it.
    asked: the <cpu> that its document asked for, before it was expanded, in a save image's cookie; "" without.
    """

    def __init__(self, resources: Resources, log: GuestLog, monitor_path: str) -> None:
        self.resources = resources
        self.log = log
        self.monitor_path = monitor_path
        self.process: Process | None = None
        self.monitor: QmpClient | None = None
        self.ending: Ending | None = None
        self.paused_reason = 0
        self.running_reason = 0
        self.fake_reboot = False
        self.paused_for_reboot = False
        self.starting = True
        self.autodestroy = False
        self.clock = 0
        self.taints: tuple[str, ...] = ()
        self.vcpus: tuple[int, ...] = ()
        self.iothreads: dict[int, int] = {}
        self.consoles: dict[str, ConsoleStream] = {}
        self.agent = AgentLink()
        self.blocks = BlockState()
        self.asked = ""
        self.advice: frozenset[int] = frozenset()

    @property
    def group(self) -> str:
        """The path of its control group; "" without."""
        return self.resources.held.group

    def status(self) -> GuestStatus:
        """Its part of the status file."""
        process = self.process
        running = process is not None and not self.starting
        return GuestStatus(
            phase=RUNNING if running else STARTING,
            monitor=self.monitor_path,
            held=self.resources.held,
            pid=process.pid if process is not None and running else 0,
            started=process.started if process is not None and running else 0,
            fake_reboot=self.fake_reboot,
            autodestroy=self.autodestroy,
            clock=self.clock,
            taints=self.taints,
            asked=self.asked,
            agent_timeout=self.agent.timeout,
            blocks=self.blocks.status(),
            advice=self.advice,
        )


GuestRecord = Record[Guest]
