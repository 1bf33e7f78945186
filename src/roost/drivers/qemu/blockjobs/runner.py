"""Block jobs from their start to what follows their end.

A job is in the status file before QEMU hears of it, and stays there until what
its end asks for is done: images taken out of the graph, the documents changed,
files removed. How it ended is put on disk before QEMU is told to forget it. So
a daemon that comes back finds it in QEMU, or knows how it ended, and does the
rest; every step of that does no harm the second time.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from msgspec.structs import replace

from roost.constants import blocks as B
from roost.constants import domain_events as E
from roost.drivers.qemu import plan
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs.state import ENDED, KIND_NAMES, OUTCOMES, BlockJob, State
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.interruptions import settled
from roost.drivers.qemu.plan.imagenumbers import next_number
from roost.drivers.qemu.qmp import QmpClient, QmpCommandError
from roost.drivers.qemu.supervisor import Supervisor
from roost.drivers.qemu.tuning import access
from roost.engine.definitions import redefine
from roost.errors import From, OperationFailed, OperationInvalid, RoostError
from roost.model.domain import Domain
from roost.model.domain.devices.disk import BlockSource, Disk, FileSource
from roost.model.moment import source_path

log = logging.getLogger(__name__)

#: Seconds that the work after a job's end waits for its turn: longer than anything that may hold a domain's job.
PATIENCE = 24 * 3600.0
#: QEMU jobs that make images; none of them outlives the call that asked for it.
CREATE = "create-"
#: Why a job has failed that QEMU does not list.
UNKNOWN = "QEMU does not know it any more"

#: How QEMU is told to end a job, by the state it is in from then on.
END_COMMANDS: Mapping[str, Callable[[str], tuple[str, Mapping[str, Any]]]] = {
    "aborting": lambda name: ("block-job-cancel", {"device": name}),
    "pivoting": lambda name: ("job-complete", {"id": name}),
}

#: What follows the end of a kind of job: (record, guest, job with its outcome). It changes graph and documents.
Conclude = Callable[[GuestRecord, Guest, BlockJob], Awaitable[None]]


class BlockJobs:
    """Runs the jobs of all guests.

    conclude: by kind of job; filled by those who start them. taken_up: told of a guest with jobs that an earlier daemon
    began.
    """

    def __init__(self, context: Context, supervisor: Supervisor) -> None:
        self.context = context
        self.supervisor = supervisor
        self.conclude: dict[int, Conclude] = {}
        self.taken_up: list[Callable[[GuestRecord, Guest], None]] = []
        supervisor.listen("JOB_STATUS_CHANGE", lambda _, record, guest, data: self._on_status(record, guest, data))

    # -- starting --------------------------------------------------------------------------

    async def start(
        self, record: GuestRecord, guest: Guest, job: BlockJob, command: str, arguments: Mapping[str, Any]
    ) -> None:
        """Have QEMU begin a job, called inside the record's job. Raises what QEMU says against it; then there is none.

        arguments: without the job's id and what every job of ours is told.
        """
        guest.blocks.put(job)
        self.save(record)
        told = {"job-id": job.name, **arguments, "auto-finalize": True, "auto-dismiss": False}
        try:
            await require_monitor(record).execute(command, told)
        except QmpCommandError:
            guest.blocks.drop(job)
            self.save(record)
            raise
        self.has_begun(record, guest, job)
        self.save(record)

    def has_begun(self, record: GuestRecord, guest: Guest, job: BlockJob) -> None:
        """QEMU has the job. A file that was made for it may be the disk's own from now on."""
        now = guest.blocks.jobs.get(job.name)
        if now is not None and now.state == "new":
            guest.blocks.put(replace(now, state="running"))
        disk = self.find_disk(record, job.disk)
        path = source_path(disk.mirror.source) if disk is not None and disk.mirror is not None else None
        if path is not None:
            guest.resources.keep_files([path])

    def save(self, record: GuestRecord) -> None:
        if record.runtime is not None:
            self.context.save(record)

    def take_number(self, record: GuestRecord, guest: Guest) -> int:
        """A number for a new image."""
        disks = record.live.devices.disks if record.live is not None else ()
        guest.blocks.last_number = next_number(disks, guest.blocks.last_number)
        return guest.blocks.last_number

    async def create_image(self, monitor: QmpClient, guest: Guest, node: str, options: Mapping[str, Any]) -> None:
        """Write an image's first bytes: QEMU's blockdev-create. node: names the job. Raises OperationFailed."""
        name = f"{CREATE}{node}"
        job = guest.blocks.put(BlockJob(name, B.JOB_TYPE_UNKNOWN, "", "running"))
        end = guest.blocks.end_of(name)
        try:
            await monitor.execute("blockdev-create", {"job-id": name, "options": dict(options)})
            done = await end
        except QmpCommandError:
            guest.blocks.drop(job)
            raise
        if done.error:
            raise OperationFailed(f"failed to format image: '{done.error}'", domain=From.QEMU)

    # -- events ----------------------------------------------------------------------------

    def _on_status(self, record: GuestRecord, guest: Guest, data: Mapping[str, Any]) -> None:
        job = guest.blocks.jobs.get(str(data.get("id")))
        if job is None:
            return
        status = data.get("status")
        if status == "ready":
            self.on_ready(record, guest, job)
        elif status == "concluded":
            if job.name.startswith(CREATE):
                self.supervisor.run(self._end_creation(guest, job), f"{job.name} of {record.name}")
            else:
                self.supervisor.run(self._on_concluded(record, guest, job.name), f"{job.name} of {record.name}")

    async def _end_creation(self, guest: Guest, job: BlockJob) -> None:
        """No turn is taken: who waits for the image has it."""
        monitor = guest.monitor
        if monitor is not None:
            error, _, _ = await self._ended_with(monitor, job.name)
            await monitor.batch([("job-dismiss", {"id": job.name})])
            guest.blocks.drop(replace(job, error=error))

    def on_ready(self, record: GuestRecord, guest: Guest, job: BlockJob) -> None:
        """Source and copy are alike from here on. QEMU may go in and out of this; only the first time counts."""
        if job.state not in ("new", "running"):
            return
        guest.blocks.put(replace(job, state="ready"))
        self.set_mirror(record, job.disk, "yes")
        self.supervisor.save(record)
        self.publish(record, job, B.JOB_READY)

    async def _on_concluded(self, record: GuestRecord, guest: Guest, name: str) -> None:
        async with record.job("block job", PATIENCE):
            if record.runtime is guest and name in guest.blocks.jobs:
                await self.finish(record, guest, guest.blocks.jobs[name])

    async def finish(self, record: GuestRecord, guest: Guest, job: BlockJob) -> BlockJob:
        """Learn how a concluded job ended, and do what follows; inside the record's job. The job with its end."""
        monitor = require_monitor(record)
        if job.state not in ENDED:
            error, done, total = await self._ended_with(monitor, job.name)
            outcome: State = "canceled" if job.state == "aborting" else "failed" if error else "completed"
            job = guest.blocks.put(replace(job, state=outcome, error=error, done=done, total=total))
            self.save(record)
            if error and outcome == "failed":
                # The events of libvirt's protocol have no room for a reason.
                log.warning(
                    "the block %s of disk %s of %s failed: %s", KIND_NAMES[job.kind], job.disk, record.name, error
                )
        await monitor.batch([("job-dismiss", {"id": job.name})])
        await self.follow_up(record, guest, job)
        return job

    async def follow_up(self, record: GuestRecord, guest: Guest, job: BlockJob) -> None:
        """Do what follows the end of a job that QEMU knows no more."""
        follow = self.conclude.get(job.kind)
        try:
            if follow is not None:
                await follow(record, guest, job)
        finally:
            if record.runtime is guest:
                self.set_mirror(record, job.disk, None)
                guest.blocks.drop(job)
                self.supervisor.save(record)
                if job.state == "completed":
                    settled(self.context, record, job.work)
                self.publish(record, job, OUTCOMES[job.state])

    async def _ended_with(self, monitor: QmpClient, name: str) -> tuple[str, int, int]:
        """A concluded job's error, "" without; how much it has done, and of how much."""
        for entry in await monitor.execute("query-jobs"):
            if entry["id"] == name:
                return str(entry.get("error", "")), int(entry["current-progress"]), int(entry["total-progress"])
        return UNKNOWN, 0, 0

    def publish(self, record: GuestRecord, job: BlockJob, status: int) -> None:
        """The two events of a job; the older one names the image, where that is a file or device of this host."""
        disk = self.find_disk(record, job.disk)
        if disk is None:
            return
        if isinstance(disk.source, FileSource | BlockSource):
            # libvirt names what the disk reads when the job is through with.
            self.supervisor.publish(record, E.ID_BLOCK_JOB, source_path(disk.source) or "", job.kind, status)
        self.supervisor.publish(record, E.ID_BLOCK_JOB_2, job.disk, job.kind, status)

    # -- graph and documents ---------------------------------------------------------------

    def find_disk(self, record: GuestRecord, target: str) -> Disk | None:
        """The live disk with that target; None when it was unplugged, or the guest is gone."""
        disks = record.live.devices.disks if record.live is not None else ()
        return next((disk for disk in disks if disk.target.dev == target), None)

    def put_disk(self, record: GuestRecord, disk: Disk) -> None:
        """Put a changed disk into the live document; the caller saves."""
        if record.live is not None:
            record.live = C.with_disk(record.live, disk)

    def set_mirror(self, record: GuestRecord, target: str, ready: Literal["yes", "abort", "pivot"] | None) -> None:
        """How far the disk's copy has come; None takes the copy away."""
        disk = self.find_disk(record, target)
        if disk is None or disk.mirror is None:
            return
        mirror = replace(disk.mirror, ready=ready) if ready is not None else None
        self.put_disk(record, replace(disk, mirror=mirror))

    async def disk_node(self, record: GuestRecord, disk: Disk) -> str:
        """The node that the disk's device reads. Raises OperationInvalid for an empty drive."""
        live, guest = record.live, record.runtime
        caps = await self.context.capabilities.get((live.devices.emulator if live is not None else None) or "")
        if live is None or guest is None:
            raise OperationFailed("domain is not running", domain=From.QEMU)
        node = plan.disk_node(disk, live, caps, plan.Grants(volumes=guest.resources.volumes))
        if node is None:
            raise OperationInvalid(f"disk '{disk.target.dev}' has no image", domain=From.QEMU)
        return node

    async def image_commands(self, record: GuestRecord, disk: Disk, count: int) -> list[plan.Commands]:
        """What makes the first images of `disk` known to QEMU, lowest first; see plan.images_add."""
        assert record.live is not None
        caps = await self.context.capabilities.get(record.live.devices.emulator or "")
        guest, live = record.runtime, record.live
        if guest is None or live is None:
            raise OperationFailed("domain is not running", domain=From.QEMU)
        grants = plan.Grants(
            nbd_certificates=self.context.config.certificates("nbd"),
            volumes=guest.resources.volumes,
            secrets=guest.resources.secrets,
        )
        return plan.images_add(disk, live, caps, grants, count=count)

    async def remove_images(self, record: GuestRecord, guest: Guest, disk: Disk, layers: Sequence[C.Layer]) -> None:
        """Take images out of QEMU's graph, upper ones first, and give their files back.

        disk: any that says how images of this disk are opened. What QEMU holds on to is logged, and stays.
        """
        if not layers:
            return
        below = C.with_chain(disk, C.Chain(tuple(layers)))
        monitor = require_monitor(record)
        for commands in reversed(await self.image_commands(record, below, len(layers))):
            undo = [(command.name, command.arguments) for command in plan.undo(commands)]
            for (name, arguments), answer in zip(undo, await monitor.batch(undo), strict=True):
                if isinstance(answer, QmpCommandError):
                    log.info("%s %s of %s: %s", name, arguments, record.name, answer.desc)
        await self.give_back(record, guest, layers)

    @contextlib.asynccontextmanager
    async def writable(self, record: GuestRecord, disk: Disk, chain: C.Chain) -> AsyncIterator[None]:
        """Let an image below the top be written to meanwhile. chain: from that image down."""
        below = replace(C.with_chain(disk, chain), readonly=True)
        await self.let_write(record, chain.layers[:1])
        await self.reopen(record, below, readonly=False)
        try:
            yield
        finally:
            await self.reopen(record, below)

    async def reopen(self, record: GuestRecord, disk: Disk, *, readonly: bool | None = None) -> None:
        """Have QEMU open the top image of `disk`, which it has open, as the disk says, or as `readonly` does.

        What it refuses is logged.
        """
        (commands,) = await self.image_commands(record, disk, 1)
        options = dict(commands[-1].arguments)
        if readonly is not None:
            options["read-only"] = readonly
        (answer,) = await require_monitor(record).batch([("blockdev-reopen", {"options": [options]})])
        if isinstance(answer, QmpCommandError):
            log.warning("an image of %s: %s", record.name, answer)

    async def let_write(self, record: GuestRecord, layers: Iterable[C.Layer]) -> None:
        """Let QEMU open images for writing that it reads already. Raises SystemCallError."""
        paths = [layer.path for layer in layers if layer.path and isinstance(layer.source, FileSource | BlockSource)]
        await access.admit(self.context, record, require_guest(record), paths, write=True)

    async def give_back(self, record: GuestRecord, guest: Guest, layers: Iterable[C.Layer]) -> None:
        """Give back the files of images, but for those that the guest has elsewhere."""
        used = set(_paths(record.live)) if record.live is not None else set()
        guest.resources.take_back(layer.path for layer in layers if layer.path and layer.path not in used)
        await access.settle(self.context, record, guest)

    async def change_definition(self, record: GuestRecord, change: Callable[[Domain], Domain]) -> None:
        """Change the definition, synced; nothing happens when there is none, or `change` changes nothing."""
        async with self.context.store.lock:
            if record.definition is None:
                return
            document = change(record.config)
            if document != record.config:
                await redefine(self.context.store, record, document)


def _paths(domain: Domain) -> Iterable[str]:
    for disk in domain.devices.disks:
        yield from (layer.path for layer in C.chain_of(disk).layers)
        if disk.mirror is not None:
            yield source_path(disk.mirror.source) or ""


async def run_all(monitor: QmpClient, commands: Sequence[plan.Command]) -> None:
    """Run commands in order; when one is refused, take the earlier ones back and raise what QEMU said."""
    done: list[plan.Command] = []
    try:
        for command in commands:
            await monitor.execute(command.name, command.arguments)
            done.append(command)
    except RoostError:
        await undo_all(monitor, done)
        raise


async def undo_all(monitor: QmpClient, commands: Sequence[plan.Command]) -> None:
    """Take back what was carried out."""
    if monitor.closed is None:
        await monitor.batch([(command.name, command.arguments) for command in plan.undo(tuple(commands))])


def gone(record: GuestRecord, guest: Guest) -> None:
    """Raises when the guest has ended since."""
    if record.runtime is not guest:
        raise OperationFailed("domain is not running", domain=From.QEMU)


__all__ = ["CREATE", "END_COMMANDS", "PATIENCE", "UNKNOWN", "BlockJobs", "gone", "run_all", "undo_all"]
