"""Waiting for a job on a disk: by its events, with its progress on stderr."""

from __future__ import annotations

import select
import sys
import time

from roost.cli.failure import failing
from roost.cli.waiting import Interrupt
from roost.constants import blocks, domain_events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from roost.cli.shell import Shell
    from roost.client.records import Domain

#: Seconds between two looks at the progress.
_INTERVAL = 0.5
_EVENTS = (domain_events.ID_BLOCK_JOB, domain_events.ID_BLOCK_JOB_2)


def show_progress(label: str, remaining: int, total: int) -> None:
    """On stderr, over what was shown before; 100 only when nothing is left."""
    percent = 100 if not remaining else min(99, int(100 - remaining * 100 / total))
    sys.stdout.flush()
    sys.stderr.write(f"\r{label}: [{percent:3} %]")
    sys.stderr.flush()


class BlockWait:
    """`with BlockWait(...) as wait:` begin the job, then `wait.until_ended()`: events come from the first moment on.

    device: the disk as the user names it. seconds: after which the job is ended, 0 for never.
    """

    def __init__(
        self, shell: Shell, domain: Domain, device: str, label: str, *, verbose: bool, seconds: int, abort_flags: int
    ) -> None:
        self._client = shell.client
        self._domain, self._device, self._label = domain, device, label
        self._verbose, self._seconds, self._abort_flags = verbose, seconds, abort_flags
        self._callbacks: list[int] = []

    def __enter__(self) -> BlockWait:
        for event in _EVENTS:
            callback = self._client.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", event, self._domain)[0]
            self._callbacks.append(callback)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for callback in self._callbacks:
            self._client.call("CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY", callback)
        self._client.notifications.clear()

    def until_ended(self) -> int:
        """constants.blocks.JOB_*: how it ended, or that source and copy are alike."""
        deadline = time.monotonic() + self._seconds if self._seconds else None
        last = (0, 0)
        with Interrupt() as interrupt:
            poll = select.poll()
            poll.register(self._client.fileno(), select.POLLIN)
            poll.register(interrupt.fileno(), select.POLLIN)
            while True:
                with failing(f"failed to query job for disk {self._device}"):
                    _, _, _, done, total = self._client.call("DOMAIN_GET_BLOCK_JOB_INFO", self._domain, self._device, 0)
                status = self._status()
                if status is not None:
                    break
                if self._verbose and (done, total) != last:
                    show_progress(self._label, total - done, total)
                last = (done, total)
                ready = {descriptor for descriptor, _ in poll.poll(_INTERVAL * 1000)}
                if interrupt.fileno() in ready or (deadline is not None and time.monotonic() > deadline):
                    with failing(f"failed to abort job for disk '{self._device}'"):
                        self._client.call("DOMAIN_BLOCK_JOB_ABORT", self._domain, self._device, self._abort_flags)
                    return blocks.JOB_CANCELED
                if ready:
                    self._client.receive()
        if self._verbose and status in (blocks.JOB_COMPLETED, blocks.JOB_READY):
            show_progress(self._label, 0, 1)
        return status

    def _status(self) -> int | None:
        """What an event has said of this job."""
        while self._client.notifications:
            fields = self._client.notifications.pop(0).fields
            if fields[0] in self._callbacks and fields[2] == self._device:
                status: int = fields[4]
                return status
        return None
