"""contract.Backups: the disks of a running guest as they are at one moment, written to images or shown by a server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from msgspec.structs import replace

from roost.constants import backup as K
from roost.constants import blocks as B
from roost.constants import domain_events as E
from roost.constants import jobs as J
from roost.contract import flags as F
from roost.contract.checkpoints import Backups
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam, boolean, string
from roost.drivers.qemu.blockjobs import backupparts as P
from roost.drivers.qemu.blockjobs import bitmaps, images
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs.backupparts import Part
from roost.drivers.qemu.blockjobs.checkpoints import QemuCheckpoints, nodes_of, require_bitmap
from roost.drivers.qemu.blockjobs.checkpointstore import CheckpointStore
from roost.drivers.qemu.blockjobs.images import Images
from roost.drivers.qemu.blockjobs.runner import BlockJobs, undo_all
from roost.drivers.qemu.blockjobs.service import require_free
from roost.drivers.qemu.blockjobs.state import BackupStatus, BlockJob
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.interruptions import BACKUP, BACKUP_UNDONE, settled, tell
from roost.engine.jobs import LongJob, Measure
from roost.errors import (
    ConfigUnsupported,
    From,
    InvalidArg,
    NoDomainBackup,
    NoDomainCheckpoint,
    OperationInvalid,
    OperationUnsupported,
    RoostError,
)
from roost.model import backup as model
from roost.model import checkpoint as checkpoints
from roost.model.backup import Backup, BackupDisk, BackupServer
from roost.model.domain.devices.disk import BackingStore, Disk, DiskDriver, FileSource
from roost.model.moment import source_path


class QemuBackups(Backups):
    """One at a time for each guest."""

    def __init__(self, context: Context, jobs: BlockJobs, checkpoints: QemuCheckpoints, store: CheckpointStore) -> None:
        self._context = context
        self._jobs = jobs
        self._checkpoints = checkpoints
        self._store = store
        self._images = Images(jobs)
        jobs.conclude[B.JOB_TYPE_BACKUP] = self._disk_ended
        jobs.taken_up.append(self._take_up)

    # -- beginning -------------------------------------------------------------------------

    async def begin(self, domain: DomainIdentity, xml: str, checkpoint: str | None, flags: int) -> None:
        F.check(flags, K.BEGIN_REUSE_EXTERNAL, "qemuBackupBegin", From.QEMU)
        wanted = model.parse(xml)
        moment = checkpoints.parse(checkpoint) if checkpoint is not None else None
        record = self._context.table.get(domain)
        async with record.job("backup"):
            if not record.is_active:
                raise OperationUnsupported("cannot perform disk backup for inactive domain", domain=From.QEMU)
            guest = require_guest(record)
            require_monitor(record)
            suffix = moment.name if moment is not None and moment.name else str(int(time.time()))
            backup = model.complete(wanted, record.document, suffix)
            if guest.blocks.backup is not None or record.job.long is not None:
                raise OperationInvalid(
                    "another backup job is already running",
                    domain=From.QEMU,
                    hint=f"roost domjobinfo {record.name} tells about it; domjobabort ends it",
                )
            await self._begin(record, guest, backup, moment, reuse=bool(flags & K.BEGIN_REUSE_EXTERNAL))

    async def _begin(
        self, record: GuestRecord, guest: Guest, backup: Backup, moment: checkpoints.Checkpoint | None, *, reuse: bool
    ) -> None:
        monitor, pull = require_monitor(record), backup.mode == "pull"
        made, actions = self._checkpoints.new(record, moment) if moment is not None else (None, [])
        nodes = await nodes_of(monitor)
        parts = [self._part(record, guest, disk, nodes, pull=pull) for disk in backup.disks if disk.backup]
        for part in parts:
            actions += P.actions(part, nodes, pull=pull)
        indexes = {part.wanted.name: part.store.source.index for part in parts}
        backup = replace(backup, disks=tuple(replace(disk, index=indexes.get(disk.name)) for disk in backup.disks))
        shown = model.with_exports(backup) if pull else backup
        tls = pull and backup.server is not None and bool(backup.server.tls)
        async with AsyncExitStack() as stack:
            # A daemon that dies before QEMU has the jobs leaves this: the next one takes back what was made for them.
            guest.blocks.backup = BackupStatus(model.format(shown), pull, reuse, tls, begun=False)
            for part in parts:
                guest.blocks.put(part.job)
            stack.callback(self._forget, record, guest, parts)
            self._jobs.save(record)
            for part in parts:
                await self._prepare(record, guest, part, stack, reuse=reuse, pull=pull)
            if pull and backup.server is not None:
                await self._serve(record, backup.server, stack, tls=tls)
            await monitor.execute("transaction", {"actions": actions})
            stack.pop_all()
        for part in parts:
            now = guest.blocks.jobs.get(part.job.name)
            if now is not None and now.state == "new":
                guest.blocks.put(replace(now, state="running"))
        self._watch(record, guest)
        self._jobs.save(record)
        if made is not None:
            await self._checkpoints.keep(record, made)
        if pull:
            await self._export(record, shown, parts)
        if guest.blocks.backup is not None:
            guest.blocks.backup = replace(guest.blocks.backup, begun=True)
            self._jobs.save(record)

    def _part(self, record: GuestRecord, guest: Guest, wanted: BackupDisk, nodes: bitmaps.Nodes, *, pull: bool) -> Part:
        disk = self._jobs.find_disk(record, wanted.name)
        if disk is None:
            raise InvalidArg(f"no disk named '{wanted.name}'", domain=From.QEMU)
        require_free(record, disk)
        bitmap = ""
        if wanted.incremental is not None:
            if wanted.incremental not in self._store.of(record.name):
                known = ", ".join(self._store.of(record.name)) or "none"
                raise NoDomainCheckpoint(
                    f"Checkpoint '{wanted.incremental}' for incremental backup of disk '{wanted.name}' not found",
                    domain=From.QEMU,
                    hint=f"there are {known}",
                )
            require_bitmap(disk, wanted.incremental, nodes)
            bitmap = wanted.export_bitmap or f"backup-{wanted.name}"
        format = wanted.format or "qcow2"
        chain = C.chain_of(disk)
        top = C.Layer(self._jobs.take_number(record, guest), P.source_of(wanted, pull=pull), format)
        built = format in images.BACKED and (pull or wanted.incremental is not None)
        below = C.Chain((top, *chain.layers), chain.end) if built else C.Chain((top,), BackingStore())
        plain = Disk(
            target=disk.target, alias=disk.alias, driver=DiskDriver(name="qemu"), source=FileSource(), device="disk"
        )
        store = C.with_chain(plain, below)
        job = BlockJob(
            f"backup-{wanted.name}-{chain.layers[0].format_node}",
            B.JOB_TYPE_BACKUP,
            wanted.name,
            top=top.number,
            bitmap="" if pull else bitmap,
        )
        return Part(wanted, disk, store, bitmap, job)

    async def _prepare(
        self, record: GuestRecord, guest: Guest, part: Part, stack: AsyncExitStack, *, reuse: bool, pull: bool
    ) -> None:
        """Make a disk's image, or take the one that is there, and have QEMU open it."""
        source, path = part.store.source, source_path(part.store.source) or ""
        layer = C.chain_of(part.store).layers[0]
        size = await images.virtual_size(require_monitor(record), C.chain_of(part.disk).layers[0].format_node)
        if not reuse and isinstance(source, FileSource):
            if await asyncio.to_thread(os.path.lexists, path):
                raise InvalidArg(
                    f"store '{path}' for backup of '{part.wanted.name}' exists",
                    domain=From.QEMU,
                    hint="remove it, or --reuse-external writes over it",
                )
            guest.resources.hold_files([path])
            self._jobs.save(record)
            stack.callback(guest.resources.remove_held, path)
            await self._images.make_file(source, layer.format, size)
        stack.push_async_callback(self._jobs.give_back, record, guest, [layer])
        await self._images.lend(record, source)
        if reuse:
            commands = await self._images.add(record, part.store)
        else:
            below = C.chain_of(part.store).layers[1:]
            commands = await self._images.add_new(record, part.store, size, below[0] if below else None)
        stack.push_async_callback(undo_all, require_monitor(record), commands)

    async def _serve(self, record: GuestRecord, server: BackupServer, stack: AsyncExitStack, *, tls: bool) -> None:
        """Have QEMU listen for those who fetch a pull backup."""
        monitor = require_monitor(record)
        arguments: dict[str, Any] = {"addr": P.address(server)}
        if tls:
            for properties in P.credentials(self._context.config, await self._key_secret()):
                await monitor.execute("object-add", properties)
                stack.push_async_callback(monitor.batch, [("object-del", {"id": properties["id"]})])
            arguments["tls-creds"] = P.CREDENTIALS
        # QEMU removes its socket, unless it is killed.
        resources, sockets = require_guest(record).resources, P.sockets(server)
        resources.hold_files(sockets)
        stack.callback(resources.keep_files, sockets)
        await monitor.execute("nbd-server-start", arguments)
        stack.push_async_callback(monitor.batch, [("nbd-server-stop", None)])

    async def _key_secret(self) -> bytes | None:
        """What opens the key of the server's certificate; None when nothing must. Raises NoSecret."""
        name = self._context.config.backup_key_secret
        if not name:
            return None
        try:
            wanted = str(uuid.UUID(name))
        except ValueError as error:
            raise ConfigUnsupported(
                f"malformed TLS secret uuid '{name}' provided", domain=From.QEMU, hint="see qemu.conf"
            ) from error
        return await self._context.lookups.secrets.value("tls", uuid=wanted)

    async def _export(self, record: GuestRecord, shown: Backup, parts: Sequence[Part]) -> None:
        """Show every disk, and what changed in it. Raises what QEMU says; then the backup is ended."""
        monitor = require_monitor(record)
        named = {disk.name: disk for disk in shown.disks}
        try:
            for part in parts:
                arguments: dict[str, Any] = {
                    "type": "nbd",
                    "id": f"libvirt-nbd-{part.node}",
                    "node-name": part.node,
                    "writable": False,
                    "name": named[part.wanted.name].export_name or part.wanted.name,
                }
                if part.bitmap:
                    arguments["bitmaps"] = [part.bitmap]
                await monitor.execute("block-export-add", arguments)
        except RoostError:
            await self._cancel(record)
            raise

    def _forget(self, record: GuestRecord, guest: Guest, parts: Sequence[Part]) -> None:
        guest.blocks.backup = None
        for part in parts:
            guest.blocks.drop(part.job)
        self._jobs.save(record)

    # -- looking ---------------------------------------------------------------------------

    def describe(self, domain: DomainIdentity, flags: int) -> str:
        F.check(flags, 0, "qemuBackupGetXMLDesc", From.QEMU)
        record = self._context.table.get(domain)
        guest = record.runtime
        if guest is None or guest.blocks.backup is None:
            raise NoDomainBackup("no domain backup job present", domain=From.QEMU)
        return guest.blocks.backup.document

    def _watch(self, record: GuestRecord, guest: Guest) -> None:
        """Let clients see how far it has come, and end it."""
        if guest.blocks.backup is not None:
            record.job.long = LongJob(
                J.OPERATION_BACKUP, measure=lambda: self._measure(record), abort=lambda: self._cancel(record)
            )

    def _take_up(self, record: GuestRecord, guest: Guest) -> None:
        """An earlier daemon began it. One that nobody was told of is ended."""
        self._watch(record, guest)
        status = guest.blocks.backup
        if status is not None and not status.begun:
            guest.blocks.backup = replace(status, error=BACKUP_UNDONE.text)
            for job in tuple(guest.blocks.jobs.values()):
                if job.kind == B.JOB_TYPE_BACKUP and job.state in ("new", "running"):
                    guest.blocks.put(replace(job, state="aborting"))
            tell(self._context, record, BACKUP_UNDONE)

    async def _measure(self, record: GuestRecord) -> Measure:
        guest, monitor = require_guest(record), require_monitor(record)
        status = guest.blocks.backup
        if status is None:
            return Measure()
        ours = {name for name, job in guest.blocks.jobs.items() if job.kind == B.JOB_TYPE_BACKUP}
        entries = [entry for entry in await monitor.execute("query-jobs") if entry["id"] in ours]
        done = status.done + sum(int(entry["current-progress"]) for entry in entries)
        total = status.total + sum(int(entry["total-progress"]) for entry in entries)
        return P.amounts(done, total, pull=status.pull)

    # -- ending ----------------------------------------------------------------------------

    async def _cancel(self, record: GuestRecord) -> None:
        """End what still runs; what follows comes with the ends of the jobs."""
        guest, monitor = require_guest(record), require_monitor(record)
        for job in tuple(guest.blocks.jobs.values()):
            if job.kind == B.JOB_TYPE_BACKUP and job.state in ("new", "running"):
                guest.blocks.put(replace(job, state="aborting"))
                await monitor.batch([("block-job-cancel", {"device": job.name, "force": True})])
        self._jobs.save(record)

    async def _disk_ended(self, record: GuestRecord, guest: Guest, job: BlockJob) -> None:
        """One disk is through: its image leaves QEMU; the last one ends the backup."""
        status, monitor = guest.blocks.backup, require_monitor(record)
        if status is None:
            return
        if status.pull:
            await monitor.batch([("nbd-server-stop", None)])
            if status.tls:
                await monitor.batch([("object-del", {"id": name}) for name in (P.CREDENTIALS, P.KEY_SECRET)])
        backup = model.parse(status.document, validate=False)
        wanted = next((disk for disk in backup.disks if disk.name == job.disk), None)
        disk = self._jobs.find_disk(record, job.disk)
        if wanted is not None and disk is not None:
            layer = C.Layer(job.top, P.source_of(wanted, pull=status.pull), wanted.format or "qcow2")
            await self._jobs.remove_images(record, guest, replace(disk, mirror=None), [layer])
            if job.bitmap:
                node = C.chain_of(disk).layers[0].format_node
                await monitor.batch([("block-dirty-bitmap-remove", {"node": node, "name": job.bitmap})])
        status = replace(
            status,
            outcomes={**status.outcomes, job.disk: job.state},
            done=status.done + job.done,
            total=status.total + job.total,
            error=status.error or job.error,
        )
        guest.blocks.backup = status
        left = [each for each in guest.blocks.jobs.values() if each.kind == B.JOB_TYPE_BACKUP and each.name != job.name]
        if not left:
            await self._end(record, guest, status, backup)
        elif job.state != "completed":
            await self._cancel(record)

    async def _end(self, record: GuestRecord, guest: Guest, status: BackupStatus, backup: Backup) -> None:
        """Remove images that are of no use to anybody, and tell how it ended."""
        failed = not status.begun or "failed" in status.outcomes.values()
        completed = not failed and (status.pull or "canceled" not in status.outcomes.values())
        files = [
            path
            for disk in backup.disks
            if disk.backup and isinstance(source := P.source_of(disk, pull=status.pull), FileSource)
            and (path := source.file) is not None
        ]  # fmt: skip
        if not status.reuse and (status.pull or not completed):
            # Those that were there before are another's, whatever became of this.
            held = set(guest.resources.held.sockets)
            await asyncio.to_thread(_unlink, *(path for path in files if path in held))
        guest.resources.keep_files([*files, *(P.sockets(backup.server) if backup.server is not None else ())])
        guest.blocks.backup = None
        long = record.job.long or LongJob(J.OPERATION_BACKUP)
        record.job.long = None
        measure = P.amounts(status.done, status.total, pull=status.pull)
        ending: list[TypedParam] = [boolean(J.SUCCESS, completed)]
        if status.error:
            ending.append(string(J.ERRMSG, status.error))
        long.latest = measure._replace(parameters=(*measure.parameters, *ending))
        outcome = J.COMPLETED if completed else J.FAILED if failed else J.CANCELLED
        self._jobs.supervisor.publish(record, E.ID_JOB_COMPLETED, record.job.complete(long, outcome))
        if completed:
            settled(self._context, record, BACKUP)


def _unlink(*paths: str) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            os.unlink(path)


__all__ = ["QemuBackups"]
