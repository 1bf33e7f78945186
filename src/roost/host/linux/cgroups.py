"""Control groups of both versions, and of both at once: each controller is in the hierarchy that has it."""

from __future__ import annotations

import contextlib
import errno
import functools
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from roost.errors import OperationInvalid, SystemCallError
from roost.host.api import Controller, DeviceRule, DeviceSetting, GroupSetting, GroupUsage
from roost.host.linux import bpf, devices
from roost.host.linux.cgroup_values import DEVICES_V1, DEVICES_V2, V1, V2, Setting
from roost.host.linux.system import system_error, write_setting

log = logging.getLogger(__name__)

_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_CONTROLLERS: tuple[Controller, ...] = get_args(Controller)
#: Controllers by the names that v2 has for them; it counts processor time always.
_V2_NAMES: Mapping[str, Controller] = {"cpu": "cpu", "cpuset": "cpuset", "memory": "memory", "io": "blkio"}
#: Those that threads of a process can be apart in.
_THREADED = frozenset(("cpu", "cpuset"))
_THREADED_V1 = _THREADED | {"cpuacct"}
#: Times and seconds that a busy group is waited for.
_RETRIES, _PAUSE = 5, 0.001
_NO_WEIGHTS = "blkio device weight is valid only for bfq or cfq scheduler"
_NO_WEIGHTS_HINT = "switch a disk of the host to bfq: echo bfq > /sys/block/NAME/queue/scheduler"


class Hierarchy(NamedTuple):
    """root: where it is mounted."""

    root: Path
    version: int
    controllers: frozenset[Controller]

    def group(self, path: str, threads: str = "") -> Path:
        return self.root / path.lstrip("/") / threads

    @property
    def is_threaded(self) -> bool:
        """Whether groups of threads are made in it."""
        return bool(self.controllers & (_THREADED_V1 if self.version == 1 else _THREADED))


def find_hierarchies(mountinfo: str) -> Iterator[Hierarchy]:
    """Those that we may make groups in, from the text of /proc/self/mountinfo; v1 first, whose controllers v2 lacks."""
    second: Path | None = None
    taken: set[Controller] = set()
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        root = Path(fields.split()[4].encode().decode("unicode_escape"))
        if kind == "cgroup2":
            second = root
        elif kind == "cgroup":
            found = frozenset(each for each in _CONTROLLERS if each in options.split(",") and each not in taken)
            if found and os.access(root, os.W_OK):
                taken |= found
                yield Hierarchy(root, 1, found)
    if second is not None and os.access(second, os.W_OK):
        words = (second / "cgroup.controllers").read_text().split()
        own: set[Controller] = {_V2_NAMES[word] for word in words if word in _V2_NAMES}
        if own - taken:
            own.add("cpuacct")
        if "devices" not in taken:
            if bpf.is_available(second):
                own.add("devices")
            else:
                log.info("the kernel takes no programs for the devices of groups in %s", second)
        if own - taken:
            yield Hierarchy(second, 2, frozenset(own - taken))


def _remove(group: Path, home: Callable[[], Path]) -> None:
    """Remove a group; who is in it goes home. A process that has just ended is there for a moment yet."""
    for _ in range(_RETRIES):
        try:
            group.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            if not _send_home(group, home()):
                time.sleep(_PAUSE)
        else:
            return
    group.rmdir()


def _send_home(group: Path, home: Path) -> bool:
    """Whether there was anybody to send."""
    try:
        pids = (group / "cgroup.procs").read_text().split()
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            return False
        # A group of threads of v2: the one that it is within knows the processes.
        pids = (group.parent / "cgroup.procs").read_text().split()
    for pid in pids:
        with contextlib.suppress(OSError):
            write_setting(home / "cgroup.procs", pid)
    return bool(pids)


def _family(pid: int) -> Iterator[int]:
    """A process and those that it has started, each read only when the one before has been dealt with."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                yield from _family(int(child))


class LinuxControlGroups:
    """See host.api.ControlGroups.

    hierarchies: those of this process when None. controllers: those of them that are used; None for all.
    make_directory: os.mkdir, which the kernel fills; tests do that themselves.
    """

    def __init__(
        self,
        hierarchies: Sequence[Hierarchy] | None = None,
        make_directory: Callable[[Path], None] = os.mkdir,
        controllers: Collection[Controller] | None = None,
    ) -> None:
        self._given = hierarchies
        self._controllers = frozenset(_CONTROLLERS if controllers is None else controllers)
        self._make_directory = make_directory
        #: A list is read and changed by one thread at a time.
        self._limiting = threading.Lock()

    @functools.cached_property
    def _hierarchies(self) -> tuple[Hierarchy, ...]:
        if self._given is not None:
            return tuple(self._given)
        found = find_hierarchies(Path("/proc/self/mountinfo").read_text())
        used = (each._replace(controllers=each.controllers & self._controllers) for each in found)
        return tuple(each for each in used if each.controllers)

    def has(self, controller: Controller) -> bool:
        return any(controller in each.controllers for each in self._hierarchies)

    def _home(self, hierarchy: Hierarchy) -> Path:
        """The group that this process is in itself."""
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            if (hierarchy.controllers & set(names.split(","))) if hierarchy.version == 1 else not names:
                home = hierarchy.group(path)
                # Seen from outside of the part that is mounted here.
                return home if home.is_dir() else hierarchy.root
        return hierarchy.root

    def _with(self, controller: Controller) -> Hierarchy:
        for each in self._hierarchies:
            if controller in each.controllers:
                return each
        raise OperationInvalid(f"cgroup {controller} controller is not mounted")

    # -- groups

    def exists(self, path: str) -> bool:
        return any(hierarchy.group(path).is_dir() for hierarchy in self._hierarchies)

    def make(self, path: str) -> None:
        made: list[Path] = []
        try:
            for hierarchy in self._hierarchies:
                above = hierarchy.root
                for part in Path(path.lstrip("/")).parent.parts:
                    self._enable(hierarchy, above)
                    above /= part
                    with contextlib.suppress(FileExistsError):
                        self._directory(hierarchy, above)
                self._enable(hierarchy, above)
                group = hierarchy.group(path)
                self._directory(hierarchy, group)
                made.append(group)
                if hierarchy.version == 2 and hierarchy.is_threaded:
                    self._enable(hierarchy, group, only=_THREADED)
        except OSError as error:
            for group in made:
                with contextlib.suppress(OSError):
                    group.rmdir()
            raise system_error(f"Failed to create controller group {path}", error) from error

    def _directory(self, hierarchy: Hierarchy, directory: Path) -> None:
        """Make a group; a cpuset of v1 takes no processes until it has got CPUs and memory of the one above."""
        self._make_directory(directory)
        if hierarchy.version == 1 and "cpuset" in hierarchy.controllers:
            for name in ("cpuset.cpus", "cpuset.mems"):
                write_setting(directory / name, (directory.parent / name).read_text())

    def _enable(self, hierarchy: Hierarchy, directory: Path, only: frozenset[str] = frozenset(_V2_NAMES)) -> None:
        """Let groups within a group of v2 have its controllers. One that cannot be had so is missed when it is used."""
        if hierarchy.version == 1:
            return
        for name, controller in _V2_NAMES.items():
            if controller in hierarchy.controllers and name in only:
                try:
                    write_setting(directory / "cgroup.subtree_control", f"+{name}")
                except OSError as error:
                    log.info("controller %s is not to be had within %s: %s", name, directory, error.strerror)

    def make_threads(self, path: str, name: str) -> None:
        for hierarchy in self._hierarchies:
            if not hierarchy.is_threaded:
                continue
            group = hierarchy.group(path, name)
            try:
                with contextlib.suppress(FileExistsError):
                    self._directory(hierarchy, group)
                if hierarchy.version == 2:
                    write_setting(group / "cgroup.type", "threaded")
            except OSError as error:
                raise system_error(f"Failed to create controller group {path}/{name}", error) from error

    def is_populated(self, path: str) -> bool:
        for hierarchy in self._hierarchies:
            group = hierarchy.group(path)
            for place in (group, *group.glob("*/")):
                # A group of threads alone does not tell: the one it is in does.
                with contextlib.suppress(OSError):
                    if (place / "cgroup.procs").read_text():
                        return True
        return False

    def remove(self, path: str) -> None:
        for hierarchy in self._hierarchies:
            group, home = hierarchy.group(path), functools.partial(self._home, hierarchy)
            try:
                for within in [Path(entry.path) for entry in os.scandir(group) if entry.is_dir()]:
                    _remove(within, home)
                _remove(group, home)
            except FileNotFoundError:
                continue
            except OSError as error:
                log.warning("the control group %s stays: %s", group, error.strerror)

    def remove_threads(self, path: str, name: str) -> None:
        for hierarchy in self._hierarchies:
            if hierarchy.is_threaded:
                with contextlib.suppress(OSError):
                    hierarchy.group(path, name).rmdir()

    # -- processes

    def add_process(self, path: str, pid: int, threads: str) -> None:
        self._add(path, pid, threads, is_helper=False)

    def add_helper(self, path: str, pid: int, threads: str) -> None:
        # What it starts after its move is where it is.
        for each in _family(pid):
            try:
                self._add(path, each, threads, is_helper=True)
            except SystemCallError as error:
                if error.int1 != errno.ESRCH:
                    raise

    def _add(self, path: str, pid: int, threads: str, *, is_helper: bool) -> None:
        """is_helper: only its threads are bounded, as far as the hierarchy can tell them from the process."""
        try:
            for hierarchy in self._hierarchies:
                if hierarchy.version == 2 or not (is_helper or hierarchy.is_threaded):
                    write_setting(hierarchy.group(path) / "cgroup.procs", str(pid))
                if hierarchy.is_threaded:
                    write_setting(hierarchy.group(path, threads) / "cgroup.procs", str(pid))
        except OSError as error:
            raise system_error(f"Unable to add process {pid} to the control group {path}", error) from error

    def add_thread(self, path: str, thread: int, threads: str) -> None:
        for hierarchy in self._hierarchies:
            if not hierarchy.is_threaded:
                continue
            tasks = "tasks" if hierarchy.version == 1 else "cgroup.threads"
            try:
                write_setting(hierarchy.group(path, threads) / tasks, str(thread))
            except OSError as error:
                if error.errno != errno.ESRCH:  # a thread that has ended meanwhile
                    text = f"Unable to add thread {thread} to the control group {path}/{threads}"
                    raise system_error(text, error) from error

    # -- settings

    def _find(self, path: str, setting: GroupSetting, threads: str) -> tuple[Setting, Path]:
        """The setting's row, and its file. Raises OperationInvalid where there is none."""
        hierarchy = self._with(V1[setting].controller)
        row = (V1 if hierarchy.version == 1 else V2)[setting]
        group = hierarchy.group(path, threads)
        found = [group / name for name in row.files if len(row.files) == 1 or (group / name).exists()]
        if not found:
            raise OperationInvalid(_NO_WEIGHTS, hint=_NO_WEIGHTS_HINT)
        return row, found[0]

    def get(self, path: str, setting: GroupSetting, threads: str = "") -> int | str:
        row, file = self._find(path, setting, threads)
        try:
            return row.read(file.read_text())
        except OSError as error:
            raise system_error(f"Unable to read from '{file}'", error) from error

    def set(self, path: str, setting: GroupSetting, value: int | str, threads: str = "") -> None:
        row, file = self._find(path, setting, threads)
        try:
            write_setting(file, row.write(value, file.read_text()))
        except OSError as error:
            raise system_error(f"Unable to write to '{file}'", error) from error

    def set_device(self, path: str, setting: DeviceSetting, device: str, value: int) -> None:
        try:
            status = os.stat(device)
        except OSError as error:
            raise system_error(f"Path '{device}' is not accessible", error) from error
        if not stat.S_ISBLK(status.st_mode):
            raise system_error(f"Path '{device}' must be a block device", OSError(errno.EINVAL, ""))
        hierarchy = self._with("blkio")
        row = (DEVICES_V1 if hierarchy.version == 1 else DEVICES_V2)[setting]
        group = hierarchy.group(path)
        found = [group / name for name in row.files if (group / name).exists()]
        if not found:
            raise OperationInvalid(_NO_WEIGHTS.replace("bfq or ", ""), hint=_NO_WEIGHTS_HINT)
        try:
            write_setting(found[0], f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)} {row.line(value)}")
        except OSError as error:
            raise system_error(f"Unable to write to '{found[0]}'", error) from error

    def device_rules(self, path: str, access: str) -> Sequence[DeviceRule]:
        return devices.rules_of(path, access)

    def limit_devices(self, path: str, rules: Collection[DeviceRule]) -> bool:
        hierarchy = self._with("devices")
        limit = devices.limit_first if hierarchy.version == 1 else devices.limit_second
        with self._limiting:
            return limit(hierarchy.group(path), rules)

    def usage(self, path: str, threads: str = "") -> GroupUsage:
        hierarchy = self._with("cpuacct")
        group = hierarchy.group(path, threads)
        try:
            if hierarchy.version == 2:
                values = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
                total, user, system = (int(values[f"{name}_usec"]) * 1000 for name in ("usage", "user", "system"))
                return GroupUsage(total, user, system, ())
            stats = dict(line.split() for line in (group / "cpuacct.stat").read_text().splitlines())
            each = tuple(int(word) for word in (group / "cpuacct.usage_percpu").read_text().split())
            total = int((group / "cpuacct.usage").read_text())
        except OSError as error:
            raise system_error(f"Unable to read from '{group}'", error) from error
        return GroupUsage(total, int(stats["user"]) * _TICK, int(stats["system"]) * _TICK, each)


__all__ = ["Hierarchy", "LinuxControlGroups", "find_hierarchies"]
