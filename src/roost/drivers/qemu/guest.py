"""What the driver keeps of a running guest, in memory and on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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
from roost.model.domain import Domain

if TYPE_CHECKING:
    from roost.drivers.qemu.console import ConsoleStream

#: Phases of a guest's status on disk.
STARTING, RUNNING = "starting", "running"


class Interruption(msgspec.Struct, frozen=True):
    """What became of work that a daemon did not live to finish. work: its kind, of `interruptions`."""

    work: str
    text: str


class Facts(msgspec.Struct):
    """What is known of a guest since its start, or has been found out since. On disk with its status.

    clock: seconds that its clock is ahead of the host's. taints: see `taints`. advice: the nodes that numad has named.
    macs: those that the guest has given its interfaces itself, by alias. dirty_rate: QEMU has been asked to measure it.
    interrupted: see `interruptions`.
    """

    autodestroy: bool = False
    clock: int = 0
    taints: tuple[str, ...] = ()
    advice: frozenset[int] = frozenset()
    macs: dict[str, str] = {}
    dirty_rate: bool = False
    interrupted: tuple[Interruption, ...] = ()


class Reboot:
    """What is made of a shutdown that is to be a reboot.

    wanted: the next SHUTDOWN is one: reset and go on. under_way: between that and going on, STOP is not to be seen.
    """

    __slots__ = ("under_way", "wanted")

    def __init__(self) -> None:
        self.wanted = False
        self.under_way = False


class Threads:
    """The numbers of a guest's threads. vcpus: of the processors. iothreads: by id."""

    __slots__ = ("iothreads", "vcpus")

    def __init__(self) -> None:
        self.vcpus: tuple[int, ...] = ()
        self.iothreads: dict[int, int] = {}


class GuestStatus(msgspec.Struct, frozen=True):
    """The driver's part of a status file.

    phase: STARTING until QEMU is known well enough to be found again.
    pid, started: name the process for good; 0 while STARTING.
    monitor: path of the monitor's socket. held: what it has of the host. asked: as of Guest.
    coming: aliases of what is.
    """

    phase: str
    monitor: str
    held: Held
    pid: int = 0
    started: int = 0
    fake_reboot: bool = False
    facts: Facts = msgspec.field(default_factory=Facts)
    asked: str = ""
    coming: tuple[str, ...] = ()
    agent_timeout: int = D.AGENT_RESPONSE_TIMEOUT_BLOCK
    blocks: BlockStatus = BlockStatus()


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


class Coming(NamedTuple):
    """Devices on their way into a guest, by alias, and its document as it is to be."""

    document: Domain
    aliases: tuple[str, ...]


class Guest:
    """A running guest.

    ending: decided before its process ends by whoever ends it; None lets the
        state at that moment tell a shutdown from a crash.
    paused_reason, running_reason: why the next STOP or RESUME comes; 0 unless we caused it.
    starting: its start has not succeeded yet; its end is the start's business.
    blocks: its block jobs.
    coming: what is being attached: in the status instead of the live document, so that a daemon that comes back can
        tell what has come, and clear up after what has not.
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
        self.reboot = Reboot()
        self.starting = True
        self.facts = Facts()
        self.threads = Threads()
        self.consoles: dict[str, ConsoleStream] = {}
        self.agent = AgentLink()
        self.blocks = BlockState()
        self.asked = ""
        self.coming: Coming | None = None

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
            fake_reboot=self.reboot.wanted,
            facts=self.facts,
            asked=self.asked,
            coming=self.coming.aliases if self.coming is not None else (),
            agent_timeout=self.agent.timeout,
            blocks=self.blocks.status(),
        )


GuestRecord = Record[Guest]
