"""One change at a time: the job of a record.

Reads never take a job. After every await inside one, the domain may be gone:
check `record.is_active` again.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from types import TracebackType

from roost.errors import From, OperationTimeout

#: Seconds a change waits for the one before it, as libvirt does.
JOB_TIMEOUT = 30.0


class Job:
    """The lock that a record's changes take turns on.

    holder: what the running job is called ("start", "destroy"), None when idle.
    started: time.monotonic() when it began.
    """

    __slots__ = ("_waiters", "holder", "started")

    def __init__(self) -> None:
        self.holder: str | None = None
        self.started = 0.0
        self._waiters: deque[asyncio.Future[None]] | None = None

    @property
    def milliseconds(self) -> int:
        """How long the running job has run."""
        return int((time.monotonic() - self.started) * 1000)

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
