"""One change at a time: the job of a record; and changes that take long enough to be watched.

Reads never take a job. After every await inside one, the domain may be gone:
check `record.is_active` again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import NamedTuple

from roost.constants import jobs as J
from roost.contract.typed_params import TypedParam, int_, string, ullong
from roost.errors import From, OperationTimeout

#: Seconds a change waits for the one before it, as libvirt does.
JOB_TIMEOUT = 30.0


class Amount(NamedTuple):
    """Bytes of a job's work."""

    total: int = 0
    processed: int = 0
    remaining: int = 0


class Measure(NamedTuple):
    """How far a long job has come. downtime: ms that the guest stands still for it, as far as its hypervisor knows.

    parameters: its statistics after operation, elapsed time and downtime, in libvirt's order.
    """

    memory: Amount = Amount()
    files: Amount = Amount()
    downtime: int | None = None
    parameters: tuple[TypedParam, ...] = ()


class LongJob:
    """A change that clients watch and may abort.

    operation: constants.jobs.OPERATION_*. status: constants.jobs, UNBOUNDED while it runs.
    measure: asks how far it has come; None when nothing can tell. abort: ends it, None when nothing can,
        for the reason `refusal`.
    halted: time.monotonic() when the guest's processors were stopped for it; None if they were not.
    """

    def __init__(
        self,
        operation: int,
        *,
        measure: Callable[[], Awaitable[Measure]] | None = None,
        abort: Callable[[], Awaitable[None]] | None = None,
        refusal: str = "",
    ) -> None:
        self.operation = operation
        self.status = J.UNBOUNDED
        self.measure = measure
        self.abort = abort
        self.refusal = refusal
        self.halted: float | None = None
        self.began = time.monotonic()
        self.latest = Measure()

    @property
    def milliseconds(self) -> int:
        """How long it has run."""
        return _milliseconds(self.began)

    def halt(self) -> None:
        """The guest's processors stand still for it from now on."""
        self.halted = time.monotonic()

    def parameters(self, *, finished: bool = False) -> tuple[TypedParam, ...]:
        """Its statistics, from the latest measure."""
        downtime = self.latest.downtime
        if finished and self.halted is not None:
            downtime = _milliseconds(self.halted)
        return (
            int_(J.OPERATION, self.operation),
            ullong(J.TIME_ELAPSED, self.milliseconds),
            *((ullong(J.DOWNTIME, downtime),) if downtime is not None else ()),
            *self.latest.parameters,
        )


def _milliseconds(since: float) -> int:
    return int((time.monotonic() - since) * 1000)


class Completed(NamedTuple):
    """What is known of a long job that came to its end. status: constants.jobs, one of those of an end."""

    status: int
    parameters: tuple[TypedParam, ...]


class Job:
    """The lock that a record's changes take turns on.

    holder: what the running job is called ("start", "destroy"), None when idle.
    started: time.monotonic() when it began.
    long: what clients see of the running job, None when it is over soon.
    completed: the last long job that came to its end.
    """

    __slots__ = ("_waiters", "completed", "holder", "long", "started")

    def __init__(self) -> None:
        self.holder: str | None = None
        self.started = 0.0
        self.long: LongJob | None = None
        self.completed: Completed | None = None
        self._waiters: deque[asyncio.Future[None]] | None = None

    @property
    def milliseconds(self) -> int:
        """How long the running job has run."""
        return _milliseconds(self.started)

    @contextlib.contextmanager
    def watched(self, long: LongJob) -> Iterator[LongJob]:
        """Let clients see and abort it, while the job is held.

        Raises OperationTimeout while another is watched: a backup, which holds the job only while it begins and ends.
        """
        if self.long is not None:
            what = J.OPERATION_NAMES[self.long.operation].lower()
            raise OperationTimeout(
                f"cannot acquire state change lock (held by {what})",
                domain=From.QEMU,
                hint=f"'{self.holder}' cannot be done before the {what} is through; domjobabort ends it",
            )
        self.long = long
        try:
            yield long
        finally:
            self.long = None

    def complete(self, long: LongJob, status: int = J.COMPLETED) -> tuple[TypedParam, ...]:
        """It came to its end: keep its statistics, and answer them for the event."""
        long.status = status
        self.completed = Completed(status, long.parameters(finished=True))
        return self.completed.parameters

    def complete_unseen(self, operation: int, status: int, text: str) -> None:
        """Keep what is to be said of one that an earlier daemon began. operation, status: constants.jobs."""
        self.completed = Completed(status, (int_(J.OPERATION, operation), string(J.ERRMSG, text)))

    def __call__(self, name: str, patience: float = JOB_TIMEOUT) -> JobTurn:
        """`async with record.job("start"):` waits for its turn, at most `patience` seconds."""
        return JobTurn(self, name, patience)

    async def acquire(self, name: str, patience: float) -> None:
        """Wait for the turn. Raises OperationTimeout, naming the job in the way."""
        if self.holder is not None:
            await self._wait(name, patience)
        self.holder = name
        self.started = time.monotonic()

    async def _wait(self, name: str, patience: float) -> None:
        if self._waiters is None:
            self._waiters = deque()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(turn)
        try:
            async with asyncio.timeout(patience):
                await turn
        except TimeoutError:
            self._give_up(turn)
            raise OperationTimeout(
                f"cannot acquire state change lock (held by {self.holder})",
                domain=From.QEMU,
                hint=f"'{name}' waited {patience:g} s for '{self.holder}' to end",
            ) from None
        except asyncio.CancelledError:
            self._give_up(turn)
            raise

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            self.release()  # the turn came while we were leaving: pass it on
        elif self._waiters and turn in self._waiters:
            self._waiters.remove(turn)

    def release(self) -> None:
        """End the job and hand the turn to the next waiter."""
        self.holder = None
        while self._waiters:
            turn = self._waiters.popleft()
            if not turn.done():
                # Held on the waiter's behalf, so that no newcomer slips in between.
                self.holder = "next"
                turn.set_result(None)
                return


class JobTurn:
    """The context manager of one job."""

    __slots__ = ("_job", "_name", "_patience")

    def __init__(self, job: Job, name: str, patience: float) -> None:
        self._job, self._name, self._patience = job, name, patience

    async def __aenter__(self) -> Job:
        await self._job.acquire(self._name, self._patience)
        return self._job

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._job.release()
