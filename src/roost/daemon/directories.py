"""Where the daemon keeps its things."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple


class Directories(NamedTuple):
    """etc: definitions and configuration. lib: what guests own. run: sockets and status, gone after a boot."""

    etc: Path
    lib: Path
    run: Path
    log: Path
    cache: Path

    def create(self) -> None:
        """Make what is missing. Clients must be able to pass through `run`, and QEMU's user through `lib`."""
        for directory in self:
            directory.mkdir(parents=True, exist_ok=True, mode=0o755)


def below(root: Path) -> Directories:
    """Everything under one directory, for tests and trials."""
    return Directories(*(root / name for name in Directories._fields))


def for_system() -> Directories:
    return Directories(
        Path("/etc/roost"), Path("/var/lib/roost"), Path("/run/roost"), Path("/var/log/roost"), Path("/var/cache/roost")
    )


def for_session() -> Directories:
    """The XDG base directories of the user."""
    home = Path.home()
    cache = _xdg("XDG_CACHE_HOME", home / ".cache")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Directories(
        etc=_xdg("XDG_CONFIG_HOME", home / ".config"),
        lib=_xdg("XDG_DATA_HOME", home / ".local" / "share"),
        run=Path(runtime) / "roost" if runtime else cache / "run",
        log=_xdg("XDG_STATE_HOME", home / ".local" / "state") / "log",
        cache=cache,
    )


def choose(root: Path | None) -> Directories:
    """What `--root` and the user decide."""
    if root is not None:
        return below(root.absolute())
    return for_system() if os.geteuid() == 0 else for_session()


def _xdg(variable: str, default: Path) -> Path:
    value = os.environ.get(variable, "")
    # The specification has relative values ignored.
    return (Path(value) if value.startswith("/") else default) / "roost"
