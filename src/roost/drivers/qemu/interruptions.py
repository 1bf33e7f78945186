"""Work that a daemon did not live to finish: what has become of it is told where users look.

In the log; as the domain's last completed job; and, of a running guest, in its messages, which go with its status
until the guest ends or work of that kind has succeeded.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from roost.constants import jobs as J
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Guest, GuestRecord, Interruption

log = logging.getLogger(__name__)

#: As many messages as a guest may have; older ones go.
_MOST = 16

BACKUP, DEVICE, DUMP, IOTHREAD = "backup", "device", "dump", "iothread"
SAVE, SNAPSHOT, SNAPSHOT_DELETE = "save", "snapshot", "snapshot delete"
SNAPSHOT_REVERT, START, VCPU = "snapshot revert", "start", "vcpu"
#: Of a block job: its own `work`.
_BLOCK_JOB = ""


class Outcome(NamedTuple):
    """What became of it. work: its kind. operation, status: of the completed job, constants.jobs. text: a format."""

    work: str
    operation: int
    status: int
    text: str


_AS_IT_WAS = "the guest is as it was before"

SAVE_UNDONE = Outcome(
    SAVE,
    J.OPERATION_SAVE,
    J.FAILED,
    f"the daemon ended while it saved the guest to {{path}}: that file is incomplete, {_AS_IT_WAS}",
)
MANAGED_SAVE_UNDONE = Outcome(
    SAVE,
    J.OPERATION_SAVE,
    J.FAILED,
    f"the daemon ended while it saved the guest: the file {{path}} is removed, {_AS_IT_WAS}",
)
SAVE_DONE = Outcome(
    SAVE,
    J.OPERATION_SAVE,
    J.COMPLETED,
    "the daemon ended when it had saved the guest to {path}: the image is complete",
)
SAVE_LOST = Outcome(
    SAVE,
    J.OPERATION_SAVE,
    J.FAILED,
    "the daemon and the guest ended while it was saved to {path}: that file is incomplete",
)
SAVE_STOPPED = Outcome(
    SAVE,
    J.OPERATION_SAVE,
    J.FAILED,
    f"the daemon was stopped while it saved the guest to {{path}}: there is no image of it, {_AS_IT_WAS}",
)
DUMP_STOPPED = Outcome(
    DUMP,
    J.OPERATION_DUMP,
    J.FAILED,
    f"the daemon was stopped while it dumped the guest to {{path}}: there is no image of it, {_AS_IT_WAS}",
)
DUMP_UNDONE = Outcome(
    DUMP,
    J.OPERATION_DUMP,
    J.FAILED,
    f"the daemon ended while it dumped the guest to {{path}}: that file may be incomplete, {_AS_IT_WAS}",
)
DUMP_LOST = Outcome(
    DUMP,
    J.OPERATION_DUMP,
    J.FAILED,
    "the daemon and the guest ended while it was dumped to {path}: that file may be incomplete",
)
SNAPSHOT_KEPT = Outcome(
    SNAPSHOT,
    J.OPERATION_SNAPSHOT,
    J.COMPLETED,
    "the daemon ended while it took the snapshot {name}: it is complete",
)
SNAPSHOT_UNDONE = Outcome(
    SNAPSHOT,
    J.OPERATION_SNAPSHOT,
    J.FAILED,
    f"the daemon ended while it took the snapshot {{name}}: there is none{{removed}}, {_AS_IT_WAS}",
)
SNAPSHOT_IN_DOUBT = Outcome(
    SNAPSHOT,
    J.OPERATION_SNAPSHOT,
    J.FAILED,
    "the daemon and the guest ended while the snapshot {name} was taken: look whether its last data is in {files}",
)
SNAPSHOT_LEFT = Outcome(
    SNAPSHOT,
    J.OPERATION_SNAPSHOT,
    J.FAILED,
    "the daemon ended over a snapshot, and what is left of it stays: {error}",
)
REVERT_UNDONE = Outcome(
    SNAPSHOT_REVERT,
    J.OPERATION_SNAPSHOT_REVERT,
    J.FAILED,
    "the daemon ended while the domain went back to the snapshot {name}: go back to it again",
)
DELETE_DONE = Outcome(
    SNAPSHOT_DELETE,
    J.OPERATION_SNAPSHOT_DELETE,
    J.COMPLETED,
    "the daemon ended while it deleted the snapshot {name}: the next one has deleted it",
)
DELETE_FAILED = Outcome(
    SNAPSHOT_DELETE,
    J.OPERATION_SNAPSHOT_DELETE,
    J.FAILED,
    "the daemon ended while it deleted the snapshot {name}, and the next one could not go on: {error}",
)
BACKUP_UNDONE = Outcome(
    BACKUP,
    J.OPERATION_BACKUP,
    J.FAILED,
    "the daemon ended before the backup had begun: it is ended, what was made for it is removed",
)
BACKUP_FAILED = Outcome(
    BACKUP,
    J.OPERATION_BACKUP,
    J.FAILED,
    "the backup of disk {disk} failed while no daemon ran: {error}",
)
BLOCK_JOB_UNDONE = Outcome(
    _BLOCK_JOB,
    J.OPERATION_UNKNOWN,
    J.FAILED,
    "the daemon ended before the {kind} of disk {disk} had begun: there is none{file}",
)
BLOCK_JOB_FAILED = Outcome(
    _BLOCK_JOB,
    J.OPERATION_UNKNOWN,
    J.FAILED,
    "the {kind} of disk {disk} failed while no daemon ran: {error}{file}",
)
DEVICE_THERE = Outcome(
    DEVICE,
    J.OPERATION_UNKNOWN,
    J.COMPLETED,
    "the daemon ended while it attached {alias}: it is there",
)
DEVICE_MISSING = Outcome(
    DEVICE,
    J.OPERATION_UNKNOWN,
    J.FAILED,
    "the daemon ended while it attached {alias}: it is not there",
)
DEVICE_LEFT = Outcome(
    DEVICE,
    J.OPERATION_UNKNOWN,
    J.COMPLETED,
    "{alias} left the guest while no daemon ran",
)
MEDIUM_IN = Outcome(
    DEVICE,
    J.OPERATION_UNKNOWN,
    J.COMPLETED,
    "the daemon ended while it changed the medium of {alias}: it is in",
)
MEDIUM_OUT = Outcome(
    DEVICE,
    J.OPERATION_UNKNOWN,
    J.FAILED,
    "the daemon ended while it changed the medium of {alias}: the drive is empty",
)
VCPUS_IN = Outcome(
    VCPU,
    J.OPERATION_UNKNOWN,
    J.COMPLETED,
    "the daemon ended while it plugged in processors: {numbers} came in",
)
VCPUS_OUT = Outcome(
    VCPU,
    J.OPERATION_UNKNOWN,
    J.COMPLETED,
    "the daemon ended while it took out processors: {numbers} left",
)
IOTHREAD_UNDONE = Outcome(
    IOTHREAD,
    J.OPERATION_UNKNOWN,
    J.FAILED,
    "the daemon ended while it made the I/O thread {number}: it is taken back",
)
START_UNDONE = Outcome(
    START,
    J.OPERATION_START,
    J.FAILED,
    "the daemon ended while it started the guest: the start is given up",
)


def tell(context: Context, record: GuestRecord, outcome: Outcome, **facts: object) -> None:
    """What a daemon has left of it is dealt with. facts: fill the outcome's text."""
    text = outcome.text.format(**facts)
    log.warning("%s: %s", record.name, text)
    record.job.complete_unseen(outcome.operation, outcome.status, text)
    guest = record.runtime
    if guest is not None:
        new = Interruption(outcome.work, text)
        others = (each for each in guest.facts.interrupted if each != new)
        guest.facts.interrupted = (*others, new)[-_MOST:]
        context.save_changed(record)


@contextlib.contextmanager
def telling(context: Context, record: GuestRecord, outcome: Outcome, **facts: object) -> Iterator[None]:
    """Around work that is undone when this daemon is stopped meanwhile: the next one tells of it."""
    try:
        yield
    except asyncio.CancelledError:
        tell(context, record, outcome, **facts)
        raise


def settled(context: Context, record: GuestRecord, work: str) -> None:
    """Work of that kind has succeeded: what was to be said of it before is of no interest any more."""
    guest = record.runtime
    if guest is None:
        return
    left = tuple(each for each in guest.facts.interrupted if each.work != work)
    if left != guest.facts.interrupted:
        guest.facts.interrupted = left
        context.save_changed(record)


def removed(paths: Sequence[str]) -> str:
    """What a text says of files that are no more; "" of none."""
    return f" ({', '.join(paths)} removed)" if paths else ""


def messages(guest: Guest) -> list[str]:
    """Oldest first."""
    return [f"interrupted: {each.text}" for each in guest.facts.interrupted]
