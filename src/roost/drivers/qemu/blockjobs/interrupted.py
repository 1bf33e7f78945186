"""Block jobs that an earlier daemon began: found in QEMU, or what their end asks for is done."""

from __future__ import annotations

import os

from msgspec.structs import replace

from roost.constants import blocks as B
from roost.drivers.qemu import interruptions
from roost.drivers.qemu.blockjobs.runner import CREATE, END_COMMANDS, UNKNOWN, BlockJobs
from roost.drivers.qemu.blockjobs.state import ENDED, KIND_NAMES, BlockJob
from roost.drivers.qemu.context import require_monitor
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.model.moment import source_path


async def take_up(jobs: BlockJobs, record: GuestRecord, guest: Guest) -> None:
    """Inside the record's job. Those that have failed meanwhile are told of; the others have their events."""
    monitor = require_monitor(record)
    if not guest.blocks.jobs:
        return
    for listener in jobs.taken_up:
        listener(record, guest)
    entries = {str(entry["id"]): entry for entry in await monitor.execute("query-jobs")}
    for name in [name for name in entries if name.startswith(CREATE)]:
        node = name.removeprefix(CREATE).replace("-format", "-storage")
        await monitor.batch([("job-dismiss", {"id": name}), ("blockdev-del", {"node-name": node})])
        del entries[name]
    for job in tuple(guest.blocks.jobs.values()):
        entry = entries.get(job.name)
        if entry is not None:
            jobs.has_begun(record, guest, job)
        if job.name.startswith(CREATE):
            guest.blocks.drop(job)
        elif entry is None or job.state in ENDED or entry["status"] == "concluded":
            await _end(jobs, record, guest, job, is_known=entry is not None)
        elif job.state in ("aborting", "pivoting"):
            # Said to the daemon before, perhaps not to QEMU: it does no harm to say it again.
            await monitor.batch([END_COMMANDS[job.state](job.name)])
        elif entry["status"] == "ready":
            jobs.on_ready(record, guest, job)
    jobs.save(record)


async def _end(jobs: BlockJobs, record: GuestRecord, guest: Guest, job: BlockJob, *, is_known: bool) -> None:
    path = _copy_path(jobs, record, job)
    if is_known or job.state in ENDED:
        ended = await jobs.finish(record, guest, job)
    else:
        ended = guest.blocks.put(replace(job, state="failed", error=UNKNOWN))
        await jobs.follow_up(record, guest, ended)
    if ended.state != "failed":
        return
    # A backup that has not begun is told of as a whole.
    is_new = job.state == "new" and not is_known
    if job.kind == B.JOB_TYPE_BACKUP:
        if not is_new:
            interruptions.tell(jobs.context, record, interruptions.BACKUP_FAILED, disk=ended.disk, error=ended.error)
        return
    outcome = interruptions.BLOCK_JOB_UNDONE if is_new else interruptions.BLOCK_JOB_FAILED
    facts = {"kind": KIND_NAMES[ended.kind], "disk": ended.disk, "error": ended.error, "file": _said_of(path)}
    interruptions.tell(jobs.context, record, outcome._replace(work=ended.work), **facts)


def _copy_path(jobs: BlockJobs, record: GuestRecord, job: BlockJob) -> str:
    """Where a job copies a disk to, "" for none; known until its end is dealt with."""
    disk = jobs.find_disk(record, job.disk)
    mirror = disk.mirror if disk is not None and job.kind == B.JOB_TYPE_COPY else None
    return (source_path(mirror.source) or "") if mirror is not None else ""


def _said_of(path: str) -> str:
    if not path:
        return ""
    return f"; {path} stays" if os.path.lexists(path) else interruptions.removed([path])


__all__ = ["take_up"]
