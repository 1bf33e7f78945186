"""Whole files or the old ones."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from roost.engine.files import Disk, SpareFile, remove_leftovers, write_atomically
from roost.errors import SystemCallError


@pytest.mark.parametrize("sync", [True, False])
def test_the_new_content_replaces_the_old(tmp_path: Path, sync: bool) -> None:
    path = tmp_path / "guest.xml"
    write_atomically(path, b"old", sync=sync)
    write_atomically(path, b"new", sync=sync)
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["guest.xml"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_leaves_the_old_file_and_no_leftover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "guest.xml"
    write_atomically(path, b"old", sync=True)

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(SystemCallError, match="No space left on device") as raised:
        write_atomically(path, b"new", sync=True)
    assert raised.value.int1 == errno.ENOSPC
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["guest.xml"]


@pytest.mark.parametrize("before", [None, b"old"])
def test_what_cannot_be_synced_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None
) -> None:
    path = tmp_path / "guest.xml"
    if before is not None:
        path.write_bytes(before)

    def full(descriptor: int) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SystemCallError, match="Disk quota exceeded"):
        write_atomically(path, b"new", sync=True)
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == (
        {} if before is None else {"guest.xml": before}
    )


def test_a_file_that_was_made_before_becomes_the_new_one(tmp_path: Path) -> None:
    spare = SpareFile(tmp_path)
    spare.make()
    spare.make()
    (there,) = tmp_path.iterdir()
    number = there.stat().st_ino
    write_atomically(tmp_path / "a.xml", b"one", sync=True, spare=spare)
    write_atomically(tmp_path / "b.xml", b"two", sync=True, spare=spare)
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {"a.xml": b"one", "b.xml": b"two"}
    assert (tmp_path / "a.xml").stat().st_ino == number
    assert (tmp_path / "a.xml").stat().st_mode & 0o777 == 0o600
    spare.make()
    write_atomically(tmp_path / "a.xml", b"again", sync=True, spare=spare)
    assert {path.name for path in tmp_path.iterdir()} == {"a.xml", "b.xml", ".spare.new"}


def test_a_spare_file_that_cannot_be_had_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spare = SpareFile(tmp_path / "none")
    spare.make()
    write_atomically(tmp_path / "a.xml", b"one", sync=True, spare=spare)
    gone = SpareFile(tmp_path)
    gone.make()
    (tmp_path / ".spare.new").unlink()
    write_atomically(tmp_path / "b.xml", b"two", sync=True, spare=gone)
    assert {path.name for path in tmp_path.iterdir()} == {"a.xml", "b.xml"}
    gone.make()

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(SystemCallError, match="No space left"):
        write_atomically(tmp_path / "c.xml", b"three", sync=True, spare=gone)
    assert {path.name for path in tmp_path.iterdir()} == {"a.xml", "b.xml"}


def test_a_slow_disk_is_waited_for_in_a_thread() -> None:
    times = iter((0.0, 0.001, 1.0, 1.5, 2.0, 2.0001, 3.0, 3.001))
    threads: list[bool] = []

    def work() -> None:
        threads.append(threading.current_thread() is threading.main_thread())

    async def scenario() -> None:
        disk = Disk(clock=lambda: next(times))
        for _ in range(4):
            await disk.run(work)

    asyncio.run(scenario())
    # Unknown at first; quick, so in the loop, where it turns out slow; quick again.
    assert threads == [False, True, False, True]


@pytest.mark.parametrize("quick", [True, False])
def test_what_fails_on_a_disk_comes_through(quick: bool) -> None:
    def full() -> None:
        raise SystemCallError("no space")

    async def scenario() -> None:
        disk = Disk()
        if quick:
            await disk.run(lambda: None)
        with pytest.raises(SystemCallError):
            await disk.run(full)

    asyncio.run(scenario())


def test_leftovers_of_a_killed_daemon_are_removed(tmp_path: Path) -> None:
    (tmp_path / "guest.xml").write_text("whole")
    (tmp_path / "guest.xml.new").write_text("ha")
    remove_leftovers(tmp_path)
    remove_leftovers(tmp_path / "missing")
    assert [entry.name for entry in tmp_path.iterdir()] == ["guest.xml"]
