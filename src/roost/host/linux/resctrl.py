"""Linux's resctrl: parts of caches and of memory bandwidth for groups of tasks."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from roost.errors import From
from roost.host.linux.system import system_error

log = logging.getLogger(__name__)

_READINGS = re.compile(r"mon_L\d+_(\d+)")
#: The directories of the kernel's own beside groups.
_NO_GROUPS = frozenset(("info", "mon_groups", "mon_data"))


@contextmanager
def _refusals(action: str, hint: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        refusal = system_error(action, error, hint)
        refusal.domain = From.RESCTRL
        raise refusal from error


class LinuxResourceControl:
    """See host.api.ResourceControl. root: where resctrl is mounted."""

    def __init__(self, root: Path = Path("/sys/fs/resctrl")) -> None:
        self._root = root

    @contextmanager
    def locked(self) -> Iterator[None]:
        """As everybody does who gives out parts of caches: libvirt and Intel's tools lock the same directory."""
        with _refusals("Cannot open resctrl"):
            descriptor = os.open(self._root, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with _refusals("Cannot lock resctrl"):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def exists(self, path: str) -> bool:
        return (self._root / path).exists()

    def schemata(self) -> Mapping[str, str]:
        with _refusals("Could not read schemata file for the default group"):
            found = {"": (self._root / "schemata").read_text("ascii")}
            names = sorted(each.name for each in self._root.iterdir() if each.name not in _NO_GROUPS and each.is_dir())
        for name in names:
            # A group may go at any time, for removing takes no lock.
            with _refusals(f"Could not read schemata file for group {name}"), contextlib.suppress(FileNotFoundError):
                found[name] = (self._root / name / "schemata").read_text("ascii")
        return found

    def make(self, path: str, schemata: str = "") -> None:
        directory = self._root / path
        with _refusals(f"Cannot create resctrl directory '{directory}'", "the processor has so many groups at most"):
            directory.mkdir()
        if not schemata:
            return
        try:
            with _refusals(f"Cannot write into schemata file '{directory}/schemata'", self._last_status()):
                (directory / "schemata").write_text(schemata, "ascii")
        except BaseException:
            self.remove(path)
            raise

    def _last_status(self) -> str:
        return f"{self._root}/info/last_cmd_status tells what the kernel did not like"

    def add_thread(self, path: str, thread: int) -> None:
        tasks = self._root / path / "tasks"
        with _refusals(f"Cannot write pid in tasks file '{tasks}'"):
            tasks.write_text(f"{thread}", "ascii")

    def measured(self, path: str, features: Sequence[str]) -> Sequence[tuple[int, Mapping[str, int]]]:
        data = self._root / path / "mon_data"
        found: dict[int, Mapping[str, int]] = {}
        with _refusals(f"cannot read '{data}'"):
            for directory in data.iterdir():
                match = _READINGS.fullmatch(directory.name)
                if match is not None:
                    found[int(match[1])] = {name: _reading(directory / name) for name in features}
        return sorted(found.items())

    def remove(self, path: str) -> None:
        try:
            (self._root / path).rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("removing a group of resctrl: %s", error)


def _reading(path: Path) -> int:
    """The kernel says `Unavailable` and `Error` of counters that it cannot read at the moment."""
    text = path.read_text("ascii").strip()
    return int(text) if text.isdecimal() else 0


__all__ = ["LinuxResourceControl"]
