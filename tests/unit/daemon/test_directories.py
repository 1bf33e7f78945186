"""Where things are, by user and options."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.daemon import directories


def test_below_one_root(tmp_path: Path) -> None:
    places = directories.choose(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in places] == ["etc", "lib", "run", "log", "cache"]
    places.create()
    places.create()
    assert all(path.is_dir() for path in places)


def test_a_relative_root_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert directories.choose(Path("here")).run == tmp_path / "here" / "run"


def test_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    places = directories.choose(None)
    assert list(map(str, places)) == [
        "/etc/roost",
        "/var/lib/roost",
        "/run/roost",
        "/var/log/roost",
        "/var/cache/roost",
    ]


def test_of_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/me")
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    monkeypatch.setenv("XDG_DATA_HOME", "relative/is/ignored")
    assert list(map(str, directories.choose(None))) == [
        "/home/me/.config/roost",
        "/home/me/.local/share/roost",
        "/run/user/1000/roost",
        "/home/me/.local/state/roost/log",
        "/home/me/.cache/roost",
    ]
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert str(directories.choose(None).run) == "/home/me/.cache/roost/run"
