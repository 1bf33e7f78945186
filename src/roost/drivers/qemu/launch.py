"""Starting a guest.

The order makes every moment safe to be killed at. A status of phase "starting"
with the monitor's path and everything about to be held is on disk before
anything is taken; the guest's processors stay stopped (`-S`) until a status of
phase "running" with the process's number and start time has replaced it. A
daemon that finds "starting" asks that monitor to quit and gives back what was
held: the socket can be connected to for exactly as long as a QEMU holds it.
One that finds "running" with the processors still stopped ends that guest too,
because its start was never acknowledged (`recovery`). So an acknowledged guest
is always found again and an unacknowledged one never left behind.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.drivers.qemu import connections, plan, storage
from roost.drivers.qemu import live as L
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.files import QemuFiles
from roost.drivers.qemu.guest import DESTROYED, FAILED, Guest, GuestRecord
from roost.drivers.qemu.guest_cpu import questions as guest_cpu_questions
from roost.drivers.qemu.guest_cpu import with_answers, with_processor
from roost.drivers.qemu.log import GuestLog, hint_for
from roost.drivers.qemu.memory import with_balloon, with_memory_devices
from roost.drivers.qemu.passt import Passts
from roost.drivers.qemu.qmp import QmpClient, QmpClosed, QmpCommandError
from roost.drivers.qemu.resources import Resources
from roost.drivers.qemu.storagehelpers import StorageHelpers
from roost.drivers.qemu.supervisor import Supervisor
from roost.drivers.qemu.swtpm import SoftwareTpms
from roost.drivers.qemu.taints import taint, taints_of_start
from roost.drivers.qemu.tuning import access, advice, locking
from roost.drivers.qemu.tuning import start as tuning
from roost.engine.turns import Turns
from roost.errors import From, InternalError, OperationInvalid, RoostError
from roost.host.api import Command
from roost.model.domain import Domain
from roost.model.domain.aliases import disk_alias
from roost.model.domain.devices.disk import Disk
from roost.model.domain.firmware import is_selected_at_start, with_firmware
from roost.model.domain.os import nvram_path, variables_path
from roost.model.domain.savecookie import SaveCookie, format_cookie
from roost.model.moment import source_path

#: Seconds until QEMU must have greeted: it may have to touch all of a large guest's memory first.
GREETING_TIMEOUT = 60.0


Question = tuple[str, Mapping[str, Any] | None]

#: Settings that the guest sees: one that goes on has them in its memory.
_OF_THE_GUEST = ("balloon",)

#: Asked first of every QEMU; `_meet` takes the answers apart.
_QUESTIONS: tuple[Question, ...] = tuple(
    (name, None) for name in ("qmp_capabilities", "query-chardev", "query-cpus-fast", "query-iothreads")
)


class Origin(NamedTuple):
    """What a guest begins from, as its states and events tell it.

    running, paused: the reasons of its first state, constants.domain. started, suspended: the details of its first
    events, constants.domain_events.
    """

    running: int
    paused: int
    started: int
    suspended: int


BOOTED = Origin(D.RUNNING_BOOTED, D.PAUSED_USER, E.STARTED_BOOTED, E.SUSPENDED_PAUSED)
RESTORED = Origin(D.RUNNING_RESTORED, D.PAUSED_MIGRATION, E.STARTED_RESTORED, E.SUSPENDED_RESTORED)


class MemorySource(Protocol):
    """Where a guest gets its memory from that goes on instead of booting.

    runs: let its processors go. incoming: its QEMU is started to wait for the memory.
    """

    @property
    def runs(self) -> bool: ...

    @property
    def incoming(self) -> bool: ...

    async def load(self, guest: Guest) -> None:
        """Fill its memory; its QEMU waits for it. Raises when QEMU does not take it."""

    def loaded(self) -> None:
        """It is all there, and nothing of the guest has moved yet."""


def _require_wanted(guest: Guest) -> None:
    if guest.ending is DESTROYED:
        raise OperationInvalid("the domain was destroyed while it started", domain=From.QEMU)


class Launcher:
    """Starts guests. `start` is called inside the record's job."""

    def __init__(self, context: Context, supervisor: Supervisor) -> None:
        self.context = context
        self.supervisor = supervisor
        self.tpms = SoftwareTpms(context)
        self.helpers = StorageHelpers(context)
        self.passts = Passts(context)
        self.files = QemuFiles(context)
        self.turns = Turns()

    async def start(
        self,
        record: GuestRecord,
        document: Domain,
        flags: int,
        memory: MemorySource | None = None,
        origin: Origin = BOOTED,
    ) -> None:
        """Start `record` from `document`; events are published when it is through. memory: None to boot.

        On failure everything taken is given back and the record is as before.
        Raises what refused it, with QEMU's own words where QEMU did.
        """
        context = self.context
        # Here and below: with many starts at once, whoever only asks something would wait for them.
        await self.turns.next()
        await self.supervisor.farewell(record)
        caps = await context.capabilities.get(document.devices.emulator or "")
        found = await storage.prepare(document, context.lookups, context.account)
        document = await connections.with_networks(found.document, context.lookups)
        document = connections.with_usb_devices(document)
        connections.check_displays(document, spice_tls=context.config.spice_tls)
        async with AsyncExitStack() as stack:
            id = context.table.activate(record)
            stack.callback(self._abandon, record)
            record.set_state(D.PAUSED, D.PAUSED_STARTING_UP)
            directory = context.paths.guest(id, record.name)
            document = L.with_protection(self._with_firmware(record, document, flags), caps.sev)
            asked = format_cookie(SaveCookie(cpu=document.cpu)) if document.cpu is not None else ""
            processors = context.documents.processors(caps, document.type)
            document = with_processor(document, caps, processors, context.host.node.machine())
            displays = context.config.displays
            live = L.with_display_sockets(L.make_live(document, id, directory), directory, displays.sockets)
            record.live = live
            monitor_path = context.paths.monitor(id, record.name)
            guest = Guest(Resources(context.host), GuestLog(context.paths.log_file(record.name)), str(monitor_path))
            guest.facts.autodestroy, guest.asked = bool(flags & D.START_AUTODESTROY), asked
            record.runtime = guest
            stack.push_async_callback(self._unwind, record, guest)
            self._tell_of_missing(record, document, found.missing)
            await advice.ask(context.host, guest, live)
            await self._call_hook(record, guest, "prepare")
            await self.turns.next()
            needs = plan.needs(live, caps, found.volumes)
            reset_nvram = bool(flags & D.START_RESET_NVRAM)
            live = await self._acquire(record, guest, live, needs, found, reset_nvram=reset_nvram)
            await self.turns.next()
            incoming = memory is not None and memory.incoming
            monitor = guest.resources.descriptors.listen(monitor_path)
            grants = self._granted(guest, monitor, displays, incoming=incoming)
            live = L.with_clock(live, grants.utc_offset)
            guest.facts.clock = L.clock_ahead(live)
            record.live = live = L.with_ports(live, grants.ports, grants.names, displays.addresses)
            settings = [
                (command.name, command.arguments)
                for command in (*plan.settings(live, caps), *plan.passwords(live, displays.passwords))
                if memory is None or command.name not in _OF_THE_GUEST
            ]
            await self._call_hook(record, guest, "start")
            await self.turns.next()
            launch = plan.argv(advice.advised(context.host, guest, live), caps, grants)
            await self._spawn(record, guest, live, launch, caps.package, directory)
            taint(context, record, guest, *taints_of_start(context, live, caps, restored=memory is not None))
            await asyncio.to_thread(tuning.place_process, context.host, guest, live)
            await self._meet(record, guest, live, settings)
            await asyncio.to_thread(tuning.tune_threads, context.host, guest, record.live)
            tuning.start_counting(context.host, guest, record.live)
            if memory is not None:
                await memory.load(guest)
            await self._run(record, guest, flags, memory, origin)
            await self._call_hook(record, guest, "started")
            stack.pop_all()
        if memory is None:
            self.supervisor.lifecycle(record, E.STARTED, origin.started)
        if flags & D.START_PAUSED or (memory is not None and not memory.runs):
            detail = E.SUSPENDED_PAUSED if flags & D.START_PAUSED and origin is RESTORED else origin.suspended
            self.supervisor.lifecycle(record, E.SUSPENDED, detail)

    async def _acquire(
        self,
        record: GuestRecord,
        guest: Guest,
        live: Domain,
        needs: plan.Needs,
        found: storage.Found,
        *,
        reset_nvram: bool,
    ) -> Domain:
        """Take what the guest needs of the host, what is to be given back on disk first; `live` with its group."""
        context = self.context
        directory = context.paths.guest(record.id, record.name)
        guest.resources.volumes = found.volumes
        guest.resources.secrets = await storage.secret_values(needs, context.lookups)
        await self._write_overlays(record, guest, found)
        guest.resources.prepare(needs, directory, lend=context.config.dynamic_ownership)
        await self.turns.next()
        record.live = live = tuning.reserve_group(context.host, guest, live, record.id)
        access.reserve(context, guest, live, needs)
        context.save(record)
        await asyncio.to_thread(tuning.make_group, context.host, guest, live, record.id)
        await self.turns.next()
        guest.resources.take(needs, context.account, guest=live.uuid or "", reset_nvram=reset_nvram)
        guest.resources.descriptors.hand_over(self.files.of(record.uuid))
        await self.helpers.start(record, guest, needs, directory)
        for passt in needs.passts:
            await self.passts.start(record, guest, passt, directory)
        for tpm in needs.tpms:
            await self.tpms.start(record, guest, tpm, directory)
        await tuning.place_helpers(context.host, guest, live)
        return live

    def _granted(self, guest: Guest, monitor: int, displays: plan.DisplaySettings, *, incoming: bool) -> plan.Grants:
        """What the command line may name."""
        certificates = self.context.config.certificates
        return msgspec.structs.replace(
            guest.resources.grants(monitor),
            chardev_certificates=certificates("chardev"),
            displays=displays,
            nbd_certificates=certificates("nbd"),
            incoming=incoming,
        )

    async def _call_hook(self, record: GuestRecord, guest: Guest, operation: str) -> None:
        """The scripts may take their time: what was destroyed meanwhile is not started any more."""
        await self.context.call_hook(record, operation)
        _require_wanted(guest)

    def _with_firmware(self, record: GuestRecord, document: Domain, flags: int) -> Domain:
        """The document with the firmware that its descriptor means, of those on this host."""
        context = self.context
        own = variables_path(document.os.nvram)
        missing = own is not None and (bool(flags & D.START_RESET_NVRAM) or not os.path.exists(own))
        if not is_selected_at_start(document, nvram_missing=missing):
            return document
        nvram = nvram_path(str(context.paths.nvram), record.name)
        return with_firmware(document, context.firmware.descriptors(), nvram=nvram)

    def _tell_of_missing(self, record: GuestRecord, document: Domain, disks: Sequence[Disk]) -> None:
        for disk in disks:
            alias = disk.alias or disk_alias(disk, document.devices.controllers)
            stays = disk.device in ("cdrom", "floppy")
            reason = E.DISK_CHANGE_MISSING_ON_START if stays else E.DISK_DROP_MISSING_ON_START
            self.context.publish(record, E.ID_DISK_CHANGE, source_path(disk.source), None, alias, reason)

    async def _write_overlays(self, record: GuestRecord, guest: Guest, found: storage.Found) -> None:
        """Make the images that transient disks write to; that they go with the guest is on disk before they are."""
        if found.overlays:
            guest.resources.hold_files(overlay.path for overlay in found.overlays)
            self.context.save(record)
            for overlay in found.overlays:
                await asyncio.to_thread(overlay.write)

    def _abandon(self, record: GuestRecord) -> None:
        """The last step back: a record that never ran."""
        if record.is_active:
            self.context.table.deactivate(record)
            record.set_state(D.SHUTOFF, D.SHUTOFF_FAILED)

    async def _unwind(self, record: GuestRecord, guest: Guest) -> None:
        """End the process, then give back what the guest held."""
        if guest.process is not None and not guest.process.exited:
            await self.supervisor.stop(record, guest, FAILED)
        if guest.monitor is not None:
            guest.monitor.close()
        guest.ending = guest.ending or FAILED
        guest.starting = True
        self.supervisor.clear(record, guest)

    # -- the process -----------------------------------------------------------------------

    async def _spawn(
        self, record: GuestRecord, guest: Guest, live: Domain, launch: plan.Launch, version: str, directory: Path
    ) -> None:
        context = self.context
        env = environment(directory) | dict(launch.env)
        guest.log.header(launch.argv, env, version, context.host.node)
        # Connected before QEMU exists: the kernel queues us, nothing has to poll for its socket.
        guest.monitor = QmpClient.connect(
            Path(guest.monitor_path),
            on_event=lambda event: self.supervisor.on_event(record, guest, event),
            on_closed=lambda reason: self.supervisor.on_monitor_closed(record, guest, reason),
        )
        process = await context.host.processes.start(
            Command(
                launch.argv,
                env,
                guest.log.descriptor,
                launch.fds,
                context.account,
                umask=0o002,
                locked=locking.at_launch(live),
            )
        )
        self.supervisor.watch(record, guest, process)
        guest.resources.descriptors.close()
        locking.bound(process, live)
        context.paths.pid_file(record.name).write_text(f"{process.pid}\n")
        _require_wanted(guest)

    async def _meet(self, record: GuestRecord, guest: Guest, live: Domain, settings: Sequence[Question]) -> None:
        """Wait for QEMU's greeting; ask it what the live document needs and set what no option sets, in one write."""
        monitor = guest.monitor
        assert monitor is not None
        try:
            await monitor.greeted(GREETING_TIMEOUT)
        except QmpClosed as error:
            raise await self._died(guest, error) from error
        answers = await self._ask(guest, (*_QUESTIONS, *settings))
        # It greets before it listens on its ports, but answers only then.
        guest.resources.settle()
        for answer in answers:
            if isinstance(answer, QmpCommandError):
                raise answer
        await self.turns.next()
        _, chardevs, processors, iothreads = answers[: len(_QUESTIONS)]
        processors = await self._plug_processors(guest, live) or processors
        guest.threads.vcpus = tuple(entry["thread-id"] for entry in processors)
        guest.threads.iothreads = tuning.iothread_numbers(iothreads)
        live = with_answers(live, await self._ask(guest, guest_cpu_questions(live, processors[0]["qom-path"])))
        if live.devices.memories:
            (found,) = await self._ask(guest, (("query-memory-devices", None),))
            live = with_memory_devices(live, found)
        balloon = live.devices.memballoon
        if balloon is not None and balloon.model != "none":
            (found,) = await self._ask(guest, (("query-balloon", None),))
            live = with_balloon(live, found)
        record.live = L.with_channel_states(L.with_terminals(live, chardevs), chardevs)
        account = self.context.account
        if account is not None and self.context.config.dynamic_ownership:
            record.live = L.with_labels(record.live, account.uid, account.gid)

    async def _plug_processors(self, guest: Guest, live: Domain) -> Sequence[Any]:
        """Plug in what the command line cannot bring; all processors then, () when there was nothing to plug."""
        if not plan.late_processors(live):
            return ()
        (slots,) = await self._ask(guest, (("query-hotpluggable-cpus", None),))
        if isinstance(slots, QmpCommandError):
            raise slots
        commands = [(command.name, command.arguments) for command in plan.plug_processors(live, slots)]
        answers = await self._ask(guest, (*commands, ("query-cpus-fast", None)))
        for answer in answers:
            if isinstance(answer, QmpCommandError):
                raise answer
        return sorted(answers[-1], key=lambda processor: int(processor["cpu-index"]))

    async def _ask(self, guest: Guest, questions: Sequence[Question]) -> Sequence[Any]:
        """QEMU's answers, all asked at once."""
        assert guest.monitor is not None
        if not questions:
            return ()
        try:
            return await guest.monitor.batch(questions, deadline=GREETING_TIMEOUT)
        except QmpClosed as error:
            raise await self._died(guest, error) from error

    async def _died(self, guest: Guest, error: QmpClosed) -> RoostError:
        """The error for a QEMU that ended instead of greeting: its own words, and what helps."""
        process = guest.process
        assert process is not None
        async with asyncio.timeout(GREETING_TIMEOUT):
            await process.wait()
        words = guest.log.words()
        if guest.ending is DESTROYED:
            words = "the domain was destroyed while it started"
        elif not words:
            words = f"{error.detail} (exit status {process.returncode})"
        return InternalError(
            f"process exited while connecting to monitor: {words}", domain=From.QEMU, hint=hint_for(words)
        )

    async def _run(
        self, record: GuestRecord, guest: Guest, flags: int, memory: MemorySource | None, origin: Origin
    ) -> None:
        """Put it on disk as running, then let the processors go."""
        monitor = guest.monitor
        assert monitor is not None
        paused = flags & D.START_PAUSED or (memory is not None and not memory.runs)
        if paused:
            record.set_state(D.PAUSED, origin.paused)
        if record.live is not None and L.has_agent(record.live):
            state, reason = E.AGENT_LIFECYCLE_STATE_DISCONNECTED, E.AGENT_LIFECYCLE_REASON_DOMAIN_STARTED
            self.supervisor.publish(record, E.ID_AGENT_LIFECYCLE, state, reason)
            guest.agent.follow(record.live)
        guest.starting = False
        self.context.save(record)
        if memory is not None:
            memory.loaded()
            self.supervisor.lifecycle(record, E.STARTED, origin.started)
        if paused:
            return
        guest.running_reason = origin.running
        try:
            await monitor.execute("cont")
        except QmpClosed as error:
            raise await self._died(guest, error) from error
        if record.runtime is not guest:
            raise InternalError("guest unexpectedly quit", domain=From.QEMU, hint=hint_for(guest.log.words()))


def environment(directory: Path) -> dict[str, str]:
    """What every QEMU gets: no locale, and a home of its own."""
    home = str(directory)
    return {
        "LC_ALL": "C",
        "PATH": os.environ.get("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        "HOME": home,
        "XDG_DATA_HOME": f"{home}/.local/share",
        "XDG_CACHE_HOME": f"{home}/.cache",
        "XDG_CONFIG_HOME": f"{home}/.config",
    }
