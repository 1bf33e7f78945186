"""Block jobs as the driver remembers them. Dry but for the futures of those who wait for an end."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec

from roost.constants import blocks as B

#: Where a job stands. Up to `pivoting` QEMU works on it; the other three say how it ended while what follows is done.
State = Literal["new", "running", "ready", "aborting", "pivoting", "completed", "failed", "canceled"]

#: States in which QEMU has no more say.
ENDED = frozenset(("completed", "failed", "canceled"))
#: How an end is told to clients.
OUTCOMES = {"completed": B.JOB_COMPLETED, "failed": B.JOB_FAILED, "canceled": B.JOB_CANCELED}
#: Kinds of jobs, as messages call them.
KIND_NAMES = {
    B.JOB_TYPE_PULL: "pull",
    B.JOB_TYPE_COPY: "copy",
    B.JOB_TYPE_COMMIT: "commit",
    B.JOB_TYPE_ACTIVE_COMMIT: "active-commit",
    B.JOB_TYPE_BACKUP: "backup",
}


class BlockJob(msgspec.Struct, frozen=True):
    """A job on the images of one disk.

    name: QEMU's id of it. kind: constants.blocks.JOB_TYPE_*. disk: the target.
    base, top, parent: numbers of images: what is committed into or pulled down
    to (0: nothing), what is committed, what stands above that. delete: remove
    what was committed. shallow, reuse: of a copy. bitmap: of a backup, removed
    with it. error: why it failed, in QEMU's words. done, total: bytes, at its end.
    """

    name: str
    kind: int
    disk: str
    state: State = "new"
    base: int = 0
    top: int = 0
    parent: int = 0
    delete: bool = False
    shallow: bool = False
    reuse: bool = False
    bitmap: str = ""
    error: str = ""
    done: int = 0
    total: int = 0

    @property
    def work(self) -> str:
        """What is told of it is kept until one of its kind has succeeded on that disk."""
        return f"{KIND_NAMES.get(self.kind, '')} of {self.disk}"


class BackupStatus(msgspec.Struct, frozen=True):
    """The backup that runs. document: as clients see it. reuse: its images were there before.

    begun: whoever asked for it may count on it; else a daemon died before, and it is ended.
    outcomes: of disks whose part is through. done, total: bytes of those. error: the first.
    """

    document: str
    pull: bool
    reuse: bool = False
    tls: bool = False
    begun: bool = True
    outcomes: dict[str, State] = {}
    done: int = 0
    total: int = 0
    error: str = ""


class BlockStatus(msgspec.Struct, frozen=True):
    """The part of the status file. last_number: the highest that an image of the guest has had."""

    jobs: tuple[BlockJob, ...] = ()
    last_number: int = 0
    named_thresholds: tuple[str, ...] = ()
    backup: BackupStatus | None = None


class BlockState:
    """One guest's jobs.

    jobs: by QEMU's id. last_number: of images; numbers are never used twice in a guest's life. named_thresholds: nodes
    whose threshold was asked for by their image's number, and is told by it. backup: the one that runs.
    """

    def __init__(self, status: BlockStatus | None = None) -> None:
        status = status or BlockStatus()
        self.jobs: dict[str, BlockJob] = {job.name: job for job in status.jobs}
        self.last_number = status.last_number
        self.named_thresholds = set(status.named_thresholds)
        self.backup = status.backup
        self._ends: dict[str, list[asyncio.Future[BlockJob]]] = {}
        self._readies: dict[str, list[asyncio.Future[BlockJob]]] = {}

    def status(self) -> BlockStatus:
        return BlockStatus(tuple(self.jobs.values()), self.last_number, tuple(self.named_thresholds), self.backup)

    def of_disk(self, target: str) -> BlockJob | None:
        """The job that runs on a disk."""
        return next((job for job in self.jobs.values() if job.disk == target), None)

    def put(self, job: BlockJob) -> BlockJob:
        """Remember a job, or what has become of it."""
        self.jobs[job.name] = job
        if job.state == "ready":
            _resolve(self._readies, job)
        return job

    def end_of(self, name: str) -> asyncio.Future[BlockJob]:
        """Resolves when the job is through and what follows it is done; an exception when the guest ends before."""
        return _waiting(self._ends, name)

    def ready_of(self, name: str) -> asyncio.Future[BlockJob]:
        """Resolves when source and target of a running job are alike, or as `end_of`."""
        future = _waiting(self._readies, name)
        job = self.jobs.get(name)
        if job is not None and job.state == "ready":
            _resolve(self._readies, job)
        return future

    def drop(self, job: BlockJob) -> None:
        """Forget a job whose end is dealt with; who waits for it is told."""
        self.jobs.pop(job.name, None)
        _resolve(self._readies, job)
        _resolve(self._ends, job)

    def abandon(self, error: Exception) -> None:
        """The guest has ended."""
        waiting = [*self._ends.values(), *self._readies.values()]
        self._ends, self._readies = {}, {}
        self.jobs.clear()
        for futures in waiting:
            for future in futures:
                if not future.done():
                    future.set_exception(error)


def _waiting(futures: dict[str, list[asyncio.Future[BlockJob]]], name: str) -> asyncio.Future[BlockJob]:
    future: asyncio.Future[BlockJob] = asyncio.get_running_loop().create_future()
    # Who waits may have heard of the guest's end from elsewhere before.
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    futures.setdefault(name, []).append(future)
    return future


def _resolve(waiting: dict[str, list[asyncio.Future[BlockJob]]], job: BlockJob) -> None:
    for future in waiting.pop(job.name, ()):
        if not future.done():
            future.set_result(job)


__all__ = ["ENDED", "KIND_NAMES", "OUTCOMES", "BackupStatus", "BlockJob", "BlockState", "BlockStatus", "State"]
