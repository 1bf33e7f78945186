"""The pid file and its lock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roost.daemon.background import PidFile
from roost.errors import OperationFailed


def test_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "roostd.pid"
    held = PidFile(path)
    assert path.read_text() == f"{os.getpid()}\n"
    with pytest.raises(OperationFailed, match=rf"another roostd \(pid {os.getpid()}\) holds .*--root"):
        PidFile(path)
    held.remove()
    assert not path.exists()
    PidFile(path).remove()


def test_what_a_killed_daemon_left_stops_nobody(tmp_path: Path) -> None:
    path = tmp_path / "roostd.pid"
    path.write_text("99999999 and more\n")
    held = PidFile(path)
    assert path.read_text() == f"{os.getpid()}\n"
    held.remove()
