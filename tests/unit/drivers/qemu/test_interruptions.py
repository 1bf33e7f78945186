"""What is told of work that a daemon did not live to finish, and until when."""

from __future__ import annotations

import contextlib
import string
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from roost.constants import jobs as J
from roost.drivers.qemu import interruptions
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.domains import QemuInspection
from roost.drivers.qemu.guest import Facts, Guest, GuestRecord
from roost.drivers.qemu.interruptions import messages, settled, tell
from roost.drivers.qemu.log import GuestLog
from roost.drivers.qemu.resources import Resources
from roost.drivers.qemu.state.header import MAGIC, PARTIAL
from roost.drivers.qemu.state.interrupted import tell_of_all_saved, tell_of_saved
from roost.drivers.qemu.state.unfinished import Unfinished
from support.scenes import fake_context

TABLE = {name: value for name, value in vars(interruptions).items() if isinstance(value, interruptions.Outcome)}


@pytest.fixture
def context(tmp_path: Path) -> Context:
    made = fake_context(tmp_path)
    made.paths.status.mkdir(parents=True, exist_ok=True)
    made.table.add("g", bytes(16))
    return made


@pytest.fixture
def record(context: Context) -> GuestRecord:
    """Of a domain that does not run."""
    return context.table.by_name("g")


@pytest.fixture
def guest(context: Context, record: GuestRecord) -> Iterator[Guest]:
    """It runs."""
    context.table.activate(record)
    made = Guest(Resources(context.host), GuestLog(context.paths.log_file("g")), "/nowhere")
    record.runtime = made
    yield made
    made.log.close()


def filled(outcome: interruptions.Outcome) -> dict[str, object]:
    return {name: f"<{name}>" for _, name, _, _ in string.Formatter().parse(outcome.text) if name}


def told(record: GuestRecord) -> tuple[int, int, str]:
    """What the completed job says: its end, its operation, its text."""
    completed = record.job.completed
    assert completed is not None
    operation, text = completed.parameters
    assert (operation.field, text.field) == (J.OPERATION, J.ERRMSG)
    return completed.status, int(operation.value[1]), str(text.value[1])


@pytest.mark.parametrize("outcome", TABLE.values(), ids=TABLE)
def test_each_outcome_is_told(
    context: Context, record: GuestRecord, guest: Guest, outcome: interruptions.Outcome
) -> None:
    facts = filled(outcome)
    tell(context, record, outcome, **facts)
    status, operation, text = told(record)
    assert (status, operation) == (outcome.status, outcome.operation)
    assert status in (J.COMPLETED, J.FAILED)
    assert all(str(value) in text for value in facts.values())
    assert messages(guest) == [f"interrupted: {text}"]


def test_a_domain_that_does_not_run_has_the_job_alone(context: Context, record: GuestRecord) -> None:
    tell(context, record, interruptions.REVERT_UNDONE, name="s")
    status, operation, text = told(record)
    assert (status, operation) == (J.FAILED, J.OPERATION_SNAPSHOT_REVERT)
    assert "went back to the snapshot s" in text
    assert QemuInspection(context.table).messages(record.ref, 0) == ()
    assert not list(context.paths.status.iterdir())


def test_they_are_messages_without_a_flag_and_stay_with_the_status(
    context: Context, record: GuestRecord, guest: Guest
) -> None:
    guest.facts.taints = ("custom-monitor",)
    tell(context, record, interruptions.DUMP_UNDONE, path="/a")
    tell(context, record, interruptions.DEVICE_MISSING, alias="rng0")
    inspection = QemuInspection(context.table)
    tainted, dump, device = inspection.messages(record.ref, 0)
    assert tainted.startswith("tainted: ")
    assert dump.startswith("interrupted: the daemon ended while it dumped the guest to /a: ")
    assert device == "interrupted: the daemon ended while it attached rng0: it is not there"
    assert inspection.messages(record.ref, 1) == []
    assert inspection.messages(record.ref, 2) == [tainted]
    (status,) = context.store.load_statuses()
    facts = msgspec.convert(msgspec.json.decode(status.driver)["facts"], Facts)
    assert facts.interrupted == guest.facts.interrupted


def test_success_of_the_same_kind_ends_them(context: Context, record: GuestRecord, guest: Guest) -> None:
    tell(context, record, interruptions.DUMP_UNDONE, path="/a")
    tell(context, record, interruptions.DEVICE_THERE, alias="rng0")
    settled(context, record, interruptions.SAVE)
    assert len(messages(guest)) == 2
    settled(context, record, interruptions.DUMP)
    assert [each.work for each in guest.facts.interrupted] == [interruptions.DEVICE]
    (status,) = context.store.load_statuses()
    assert b"rng0" in bytes(status.driver)
    assert b"dumped" not in bytes(status.driver)
    record.runtime = None
    settled(context, record, interruptions.DEVICE)
    assert len(messages(guest)) == 1


def test_they_are_told_once_each_and_not_without_end(context: Context, record: GuestRecord, guest: Guest) -> None:
    for number in (*range(30), 29, 20):
        tell(context, record, interruptions.IOTHREAD_UNDONE, number=number)
    numbers = [int(each.text.split("thread ")[1].split(":")[0]) for each in guest.facts.interrupted]
    assert numbers == [14, 15, 16, 17, 18, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29, 20]


@pytest.mark.parametrize(
    ("work", "begin", "status", "words"),
    [
        (interruptions.SAVE, MAGIC, J.COMPLETED, "saved the guest to {}: the image is complete"),
        (interruptions.SAVE, PARTIAL, J.FAILED, "saved to {}: that file is incomplete"),
        (interruptions.DUMP, b"\x7fELF", J.FAILED, "dumped to {}: that file may be incomplete"),
    ],
)
def test_a_guest_that_went_with_the_daemon(
    context: Context, record: GuestRecord, tmp_path: Path, work: str, begin: bytes, status: int, words: str
) -> None:
    """Nothing is done to the file, and it is told once."""
    image, unfinished = tmp_path / "image", Unfinished(context.paths.status)
    image.write_bytes(begin)
    with unfinished.noted("g", work, str(image)):
        tell_of_saved(context, record)
    ended, _, text = told(record)
    assert (ended, words.format(image) in text) == (status, True)
    assert image.read_bytes() == begin
    record.job.completed = None
    tell_of_saved(context, record)
    assert record.job.completed is None


def test_a_daemon_that_died_between_a_guests_end_and_its_answer(
    context: Context, record: GuestRecord, tmp_path: Path
) -> None:
    """There is no status any more, but what was noted beside it; of a domain that is gone, and of one that runs."""
    image, unfinished = tmp_path / "image", Unfinished(context.paths.status)
    image.write_bytes(MAGIC)
    other = context.table.add("runs", bytes(15) + b"\1")
    context.table.activate(other)
    with contextlib.ExitStack() as notes:
        for name in ("g", "gone", "runs"):
            notes.enter_context(unfinished.noted(name, interruptions.SAVE, str(image)))
        tell_of_all_saved(context)
        assert unfinished.names() == ["runs"]
    assert told(record)[0] == J.COMPLETED
    assert other.job.completed is None


def test_a_snapshots_memory_is_the_snapshots_business(context: Context, record: GuestRecord, tmp_path: Path) -> None:
    with Unfinished(context.paths.status).noted("g", interruptions.SNAPSHOT, str(tmp_path / "memory")):
        tell_of_saved(context, record)
    assert record.job.completed is None


def test_removed_files_are_named() -> None:
    assert interruptions.removed(()) == ""
    assert interruptions.removed(["/a", "/b"]) == " (/a, /b removed)"
