"""Finding again what ran when the last daemon ended, and starting what is to start by itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from roost.constants import domain as D
from roost.drivers.qemu.blockjobs.interrupted import take_up
from roost.drivers.qemu.blockjobs.runner import BlockJobs
from roost.drivers.qemu.blockjobs.state import BlockState
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import (
    CRASHED,
    DESTROYED,
    FAILED,
    RUNNING,
    SHUTDOWN,
    Coming,
    Guest,
    GuestRecord,
    GuestStatus,
)
from roost.drivers.qemu.hotplug.interrupted import settle
from roost.drivers.qemu.hotplug.unplug import Unplugger
from roost.drivers.qemu.interruptions import START_UNDONE, tell
from roost.drivers.qemu.launch import Launcher
from roost.drivers.qemu.live import with_channel_states
from roost.drivers.qemu.log import GuestLog
from roost.drivers.qemu.memory import with_balloon
from roost.drivers.qemu.qmp import QmpClient
from roost.drivers.qemu.resources import Resources
from roost.drivers.qemu.state.interrupted import tell_of_all_saved, tell_of_saved, undo_save
from roost.drivers.qemu.supervisor import Supervisor
from roost.drivers.qemu.tuning.start import iothread_numbers, start_counting
from roost.engine.registry import load_definitions
from roost.engine.store import Status
from roost.engine.table import uuid_bytes
from roost.errors import HookScriptFailed, RoostError
from roost.model import domain as model

log = logging.getLogger(__name__)

#: Seconds a daemon that has come back waits for a guest's monitor before it goes on without.
PATIENCE = 5.0

#: How often a process is looked for that is to end, and the seconds in between.
_LOOKS, _INTERVAL = 200, 0.01

#: Seconds after which a guest that is taken up in the background counts as lost for this daemon's life.
UNANSWERED = 24 * 3600.0

#: QEMU's run states -> (state, reason); the others leave what the status file says.
_STATES: Mapping[str, tuple[int, int]] = {
    "running": (D.RUNNING, D.RUNNING_UNKNOWN),
    "paused": (D.PAUSED, D.PAUSED_UNKNOWN),
    "io-error": (D.PAUSED, D.PAUSED_IOERROR),
    "watchdog": (D.PAUSED, D.PAUSED_WATCHDOG),
    "shutdown": (D.SHUTDOWN, D.SHUTDOWN_UNKNOWN),
    "suspended": (D.PMSUSPENDED, D.PMSUSPENDED_UNKNOWN),
    "guest-panicked": (D.CRASHED, D.CRASHED_PANICKED),
    "internal-error": (D.PAUSED, D.PAUSED_UNKNOWN),
}


#: What a guest that is taken up again is asked first.
_QUESTIONS = tuple(
    (name, None) for name in ("query-status", "query-cpus-fast", "query-chardev", "query-iothreads", "query-balloon")
)


#: The run states of a guest whose start has not come to its end; of one that goes on from an image too.
_BEFORE = ("prelaunch", "inmigrate", "paused")


class Recovery:
    """Definitions, then running guests, then autostart."""

    def __init__(
        self, context: Context, supervisor: Supervisor, launcher: Launcher, block_jobs: BlockJobs, unplugger: Unplugger
    ) -> None:
        self._context = context
        self._supervisor = supervisor
        self._launcher = launcher
        self._block_jobs = block_jobs
        self._unplugger = unplugger
        #: Sees to snapshots that were not finished, and answers whether there was one; given by the driver.
        self.settle_snapshots: Callable[[GuestRecord], Awaitable[bool]]

    def load_definitions(self) -> None:
        """Put every definition on disk into the table; their documents are read when needed."""
        load_definitions(self._context.table, self._context.store)

    async def reconnect(self) -> None:
        """Take up the guests of the last daemon, all at once; one that fails does not keep the others."""
        statuses = list(self._context.store.load_statuses())
        await asyncio.gather(*(self._take_up(status) for status in statuses))
        tell_of_all_saved(self._context)

    async def _take_up(self, status: Status) -> None:
        try:
            driver = msgspec.json.decode(status.driver, type=GuestStatus)
        except msgspec.MsgspecError as error:
            log.error("ignoring the status of %s: %s", status.name, error)  # noqa: TRY400 - no bug of ours
            return
        try:
            record = self._record(status)
        except RoostError as error:
            log.error("ignoring the status of %s: %s", status.name, error)  # noqa: TRY400 - no bug of ours
            return
        context = self._context
        resources = Resources(context.host, driver.held)
        resources.adopt()
        guest = Guest(resources, GuestLog(context.paths.log_file(status.name)), driver.monitor)
        guest.reboot.wanted, guest.asked, guest.facts = driver.fake_reboot, driver.asked, driver.facts
        guest.agent.timeout = driver.agent_timeout
        guest.blocks = BlockState(driver.blocks)
        guest.coming = Coming(record.live, driver.coming) if record.live is not None and driver.coming else None
        context.table.activate(record, status.id)
        record.runtime = guest
        record.set_state(status.state, status.reason)
        try:
            if driver.phase != RUNNING:
                await self._give_up_start(record, guest)
            else:
                await self._reattach(record, guest, driver)
        except Exception:
            # Never the guest's fault: it goes on, and destroying it works without a monitor.
            log.exception("the guest %s could not be taken up again; it runs on", status.name)

    def _record(self, status: Status) -> GuestRecord:
        """The record for a status: the definition's, or a transient domain's own."""
        table = self._context.table
        uuid = uuid_bytes(status.uuid)
        known = table.find(uuid)
        try:
            live = model.parse(status.document, live=True) if status.document else None
        except RoostError as error:
            # What is kept under the name of one that cannot be taken up is not touched.
            if known is None:
                raise
            log.warning("the live document of %s cannot be read; its definition is shown: %s", status.name, error)
            live = known.config
        record = known or table.add(status.name, uuid)
        record.live = live
        return record

    async def _reattach(self, record: GuestRecord, guest: Guest, driver: GuestStatus) -> None:
        process = self._context.host.processes.attach(driver.pid, driver.started)
        guest.starting = False
        if process is None:
            ended = record.state == D.SHUTDOWN
            guest.ending = SHUTDOWN if ended else CRASHED
            log.info("the guest %s ended while no daemon ran", record.name)
            self._supervisor.clear(record, guest)
            tell_of_saved(self._context, record)
            return
        self._supervisor.watch(record, guest, process)
        monitor = QmpClient.connect(
            Path(guest.monitor_path),
            on_event=lambda event: self._supervisor.on_event(record, guest, event),
            on_closed=lambda reason: self._supervisor.on_monitor_closed(record, guest, reason),
        )
        guest.monitor = monitor
        # A QEMU that hangs, on its storage say, keeps neither the daemon waiting nor its own life at risk.
        task = self._supervisor.run(self._get_acquainted(record, guest, monitor), f"taking up {record.name}")
        _, waiting = await asyncio.wait([task], timeout=PATIENCE)
        if waiting:
            log.warning("the guest %s has not answered for %g s; going on without it", record.name, PATIENCE)

    async def _get_acquainted(self, record: GuestRecord, guest: Guest, monitor: QmpClient) -> None:
        """In a job, so that changes wait for it: destroying, which needs no monitor, does not."""
        async with record.job("taking it up again"):
            await monitor.negotiate(UNANSWERED)
            answers = await monitor.batch(_QUESTIONS, deadline=UNANSWERED)
            status, processors, chardevs, iothreads, balloon = answers
            if record.live is not None:
                record.live = with_balloon(with_channel_states(record.live, chardevs), balloon)
                guest.agent.follow(record.live)
            guest.threads.vcpus = tuple(entry["thread-id"] for entry in processors)
            guest.threads.iothreads = iothread_numbers(iothreads)
            self._count(record, guest)
            if status["status"] in _BEFORE and (record.state, record.reason) == (D.PAUSED, D.PAUSED_STARTING_UP):
                await self._supervisor.stop(record, guest, FAILED)
                tell(self._context, record, START_UNDONE)
                return
            if guest.facts.autodestroy:
                log.info("the connection that %s was to end with is gone; destroying it", record.name)
                await self._supervisor.stop(record, guest, DESTROYED)
                return
            ran = record.state == D.RUNNING
            self._refresh(record, guest, status["status"])
            in_snapshot = await self.settle_snapshots(record)
            await undo_save(self._context, self._supervisor, record, guest, monitor, ran=ran, in_snapshot=in_snapshot)
            self._context.save(record)
            await take_up(self._block_jobs, record, guest)
            await settle(self._context, self._unplugger, record, monitor)
            try:
                await self._context.call_hook(record, "reconnect")
            except HookScriptFailed as error:
                log.error("the scripts do not want %s any more: %s", record.name, error)  # noqa: TRY400 - no bug of ours
                await self._supervisor.stop(record, guest, FAILED)

    def _count(self, record: GuestRecord, guest: Guest) -> None:
        """Keep the counters again that ended with the last daemon."""
        try:
            if record.live is not None:
                start_counting(self._context.host, guest, record.live)
        except RoostError as error:
            log.warning("the counters of %s are not kept any more: %s", record.name, error)

    def _refresh(self, record: GuestRecord, guest: Guest, run_state: str) -> None:
        """What changed while nobody listened."""
        found = _STATES.get(run_state)
        if found is not None and found[0] != record.state:
            record.set_state(*found)
        if record.state == D.SHUTDOWN:
            if guest.reboot.wanted:
                guest.reboot.under_way = True
                self._supervisor.run(self._supervisor.reboot_in_place(record, guest), f"restarting {record.name}")
            else:
                self._supervisor.kill(guest)

    async def _give_up_start(self, record: GuestRecord, guest: Guest) -> None:
        """A start that the daemon died in: end its QEMU, if there is one, and clear up.

        The socket accepts for exactly as long as a QEMU, or the child about to
        become it, holds it.
        """
        try:
            monitor = QmpClient.connect(Path(guest.monitor_path))
        except OSError:
            monitor = None
        if monitor is not None:
            try:
                await monitor.negotiate(PATIENCE)
                await monitor.execute("quit")
            except RoostError as error:
                log.info("ending the QEMU of %s: %s", record.name, error)
            finally:
                monitor.close()
            guest.resources.end_helpers()
            await self._until_left(guest.group)
        guest.ending = FAILED
        self._supervisor.clear(record, guest)
        tell(self._context, record, START_UNDONE)

    async def _until_left(self, group: str) -> None:
        """Until a process whose number is not known is through with its end, so that its group can go."""
        groups = self._context.host.groups
        for _ in range(_LOOKS):
            if not group or not groups.is_populated(group):
                return
            await asyncio.sleep(_INTERVAL)
