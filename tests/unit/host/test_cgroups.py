"""Control groups: which hierarchy serves what, and what is written where."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from roost.errors import InvalidArg, OperationInvalid, SystemCallError
from roost.host.api import UNLIMITED
from roost.host.linux.cgroups import Hierarchy, LinuxControlGroups, find_hierarchies
from roost.host.linux.threads import LinuxThreads

GROUP = "/machine/qemu-1-web.libvirt-qemu"
#: What the kernel puts into a new group: v1 by controller, v2 all in one.
FILES = {
    "cpu": {"cpu.shares": "1024", "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "-1"},
    "cpuset": {"cpuset.cpus": "", "cpuset.mems": ""},
    "memory": {
        "memory.limit_in_bytes": "9223372036854771712",
        "memory.soft_limit_in_bytes": "9223372036854771712",
        "memory.memsw.limit_in_bytes": "9223372036854771712",
    },
    "blkio": {"blkio.throttle.read_iops_device": ""},
    "cpuacct": {"cpuacct.usage": "3000", "cpuacct.usage_percpu": "1000 2000 ", "cpuacct.stat": "user 5\nsystem 7\n"},
}
V2_FILES = {
    "cgroup.type": "domain", "cgroup.subtree_control": "", "cgroup.threads": "", "cpu.weight": "100",
    "cpu.max": "max 100000", "cpuset.cpus": "", "cpuset.mems": "", "memory.max": "max", "memory.high": "max",
    "memory.swap.max": "max", "io.weight": "default 100\n", "io.max": "",
    "cpu.stat": "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 0\n",
}  # fmt: skip


def fill(directory: Path, files: dict[str, str]) -> None:
    for name, text in {"cgroup.procs": "", "tasks": "", **files}.items():
        (directory / name).write_text(text)


def first_version(root: Path) -> LinuxControlGroups:
    """Hierarchies of v1, and one of v2 without controllers."""
    lines = []
    for number, (name, files) in enumerate(FILES.items()):
        mounted = root / name
        mounted.mkdir()
        fill(mounted, {**files, "cpuset.cpus": "0-3", "cpuset.mems": "0"} if name == "cpuset" else files)
        lines.append(f"{30 + number} 29 0:{number} / {mounted} rw,relatime - cgroup cgroup rw,{name}")
    (root / "unified").mkdir()
    (root / "unified" / "cgroup.controllers").write_text("hugetlb\n")
    lines.append(f"40 29 0:40 / {root}/unified rw,relatime - cgroup2 cgroup2 rw")
    return made(root, lines, lambda directory: FILES[directory.relative_to(root).parts[0]])


def second_version(root: Path) -> LinuxControlGroups:
    mounted = root / "v2"
    mounted.mkdir()
    fill(mounted, {"cgroup.controllers": "cpuset cpu io memory pids\n", "cgroup.subtree_control": ""})
    lines = ["29 28 8:1 / / rw - ext4 /dev/sda1 rw", f"30 29 0:27 / {mounted} rw - cgroup2 none rw,nsdelegate"]
    return made(root, lines, lambda directory: V2_FILES)


def made(root: Path, lines: list[str], files: Callable[[Path], dict[str, str]]) -> LinuxControlGroups:
    def kernel(directory: Path) -> None:
        directory.mkdir()
        fill(directory, files(directory))

    return LinuxControlGroups(tuple(find_hierarchies("\n".join(lines))), kernel)


def text(*parts: str | Path) -> str:
    return Path(parts[0], *(str(part).lstrip("/") for part in parts[1:])).read_text()


def test_first_version(tmp_path: Path) -> None:
    groups = first_version(tmp_path)
    assert all(groups.has(each) for each in ("cpu", "cpuset", "memory", "blkio", "cpuacct"))
    groups.make(GROUP)
    assert text(tmp_path, "cpuset", GROUP, "cpuset.cpus") == "0-3"
    assert not (tmp_path / "unified" / "machine").exists()
    groups.make_threads(GROUP, "vcpu0")
    assert not Path(tmp_path, "memory", GROUP.lstrip("/"), "vcpu0").exists()
    groups.set(GROUP, "cpu.quota", 50000, "vcpu0")
    assert (groups.get(GROUP, "cpu.quota", "vcpu0"), groups.get(GROUP, "cpu.quota")) == (50000, -1)
    assert groups.get(GROUP, "memory.hard_limit") == UNLIMITED
    groups.set(GROUP, "memory.hard_limit", 1024)
    assert text(tmp_path, "memory", GROUP, "memory.limit_in_bytes").startswith("1048576")
    assert groups.usage(GROUP).each_cpu == (1000, 2000)


def test_processes_are_put_into_the_group_and_threads_into_theirs(tmp_path: Path) -> None:
    groups = first_version(tmp_path)
    groups.make(GROUP)
    groups.make_threads(GROUP, "emulator")
    assert not groups.is_populated(GROUP)
    groups.add_process(GROUP, os.getpid(), "emulator")
    assert groups.is_populated(GROUP)
    assert text(tmp_path, "memory", GROUP, "cgroup.procs") == str(os.getpid())
    assert text(tmp_path, "cpu", GROUP, "emulator", "cgroup.procs") == str(os.getpid())
    assert not text(tmp_path, "cpu", GROUP, "cgroup.procs")
    groups.make_threads(GROUP, "vcpu0")
    groups.add_thread(GROUP, 5, "vcpu0")
    assert text(tmp_path, "cpuset", GROUP, "vcpu0", "tasks") == "5"


def test_second_version(tmp_path: Path) -> None:
    groups = second_version(tmp_path)
    assert all(groups.has(each) for each in ("cpu", "cpuset", "memory", "blkio", "cpuacct"))
    groups.make(GROUP)
    assert text(tmp_path, "v2/machine/cgroup.subtree_control")
    groups.make_threads(GROUP, "vcpu0")
    assert text(tmp_path, "v2", GROUP, "vcpu0", "cgroup.type").startswith("threaded")
    groups.set(GROUP, "cpu.period", 50000)
    assert text(tmp_path, "v2", GROUP, "cpu.max").startswith("max 50000")
    assert (groups.get(GROUP, "cpu.quota"), groups.get(GROUP, "memory.soft_limit")) == (-1, UNLIMITED)
    assert groups.get(GROUP, "blkio.weight") == 100
    groups.set(GROUP, "blkio.weight", 300)
    assert text(tmp_path, "v2", GROUP, "io.weight").startswith("default 300")
    usage = groups.usage(GROUP)
    assert (usage.total, usage.user, usage.system, usage.each_cpu) == (30_000, 20_000, 10_000, ())


@pytest.mark.parametrize("version", [first_version, second_version])
def test_values_out_of_range(tmp_path: Path, version: Callable[[Path], LinuxControlGroups]) -> None:
    groups = version(tmp_path)
    groups.make(GROUP)
    with pytest.raises(InvalidArg, match=r"shares '0' must be in range \[[12], (262144|10000)\]"):
        groups.set(GROUP, "cpu.shares", 0)
    with pytest.raises(InvalidArg, match=r"cfs_quota '5' must be in range \(1000, 17592186044415\)"):
        groups.set(GROUP, "cpu.quota", 5)
    with pytest.raises(InvalidArg, match="must be less than 9007199254740991"):
        groups.set(GROUP, "memory.hard_limit", UNLIMITED + 1)
    groups.set(GROUP, "memory.hard_limit", UNLIMITED)


def test_what_is_there_already_is_somebody_elses(tmp_path: Path) -> None:
    groups = second_version(tmp_path)
    groups.make(GROUP)
    with pytest.raises(SystemCallError, match="File exists"):
        groups.make(GROUP)


def test_without_weights_of_block_devices(tmp_path: Path) -> None:
    groups = first_version(tmp_path)
    groups.make(GROUP)
    with pytest.raises(OperationInvalid, match="valid only for bfq or cfq scheduler"):
        groups.get(GROUP, "blkio.weight")


def test_limits_are_for_block_devices(tmp_path: Path) -> None:
    groups = first_version(tmp_path)
    groups.make(GROUP)
    with pytest.raises(SystemCallError, match="Path '/dev/null' must be a block device: Invalid argument"):
        groups.set_device(GROUP, "read_iops_sec", "/dev/null", 5)
    with pytest.raises(SystemCallError, match="Path '/nowhere' is not accessible: No such file"):
        groups.set_device(GROUP, "read_iops_sec", "/nowhere", 5)


def test_a_host_without_control_groups(tmp_path: Path) -> None:
    groups = made(tmp_path, ["29 28 8:1 / / rw - ext4 /dev/sda1 rw"], lambda directory: {})
    assert not groups.has("cpu")
    with pytest.raises(OperationInvalid, match="cgroup memory controller is not mounted"):
        groups.get(GROUP, "memory.hard_limit")


def test_mounts_with_blanks_in_their_names(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    line = f"30 29 0:3 / {tmp_path}/a\\040b rw - cgroup cgroup rw,cpu,cpuacct"
    (found,) = find_hierarchies(line)
    assert found.root.name == "a b"
    assert found.controllers == frozenset(("cpu", "cpuacct"))


def test_a_group_that_is_busy_for_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    line = f"30 29 0:3 / {tmp_path} rw - cgroup cgroup rw,blkio"
    groups = LinuxControlGroups(tuple(find_hierarchies(line)))
    groups.make(GROUP)
    refusals = [errno.EBUSY, errno.EBUSY]
    rmdir = os.rmdir

    def busy(path: str) -> None:
        if refusals:
            raise OSError(refusals.pop(), "busy", path)
        rmdir(path)

    monkeypatch.setattr(os, "rmdir", busy)
    groups.remove(GROUP)
    assert not groups.exists(GROUP)
    groups.make(GROUP)
    refusals += [errno.EBUSY] * 100
    groups.remove(GROUP)
    assert groups.exists(GROUP)


@pytest.mark.root
def test_the_groups_of_this_machine() -> None:
    groups, path = LinuxControlGroups(), f"/roost-test-{os.getpid()}"
    if not groups.has("cpu"):
        pytest.skip("no cpu controller is mounted here")
    groups.make(path)
    try:
        groups.make_threads(path, "vcpu0")
        groups.set(path, "cpu.quota", 50000, "vcpu0")
        assert groups.get(path, "cpu.quota", "vcpu0") == 50000
        with contextlib.suppress(SystemCallError):
            groups.make(path)
            pytest.fail("made twice")
    finally:
        groups.remove(path)
    groups.remove(path)


def first_real() -> Hierarchy:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        for each in find_hierarchies(line):
            if each.version == 1 and "cpu" in each.controllers:
                return each
    pytest.skip("no cpu controller of the first version is mounted here")


def second_real() -> Hierarchy:
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if " - cgroup2 " in line]
    if not mounts:
        pytest.skip("control groups of the second version are not mounted here")
    return Hierarchy(Path(mounts[0].split()[4]), 2, frozenset(("cpu", "cpuset", "memory")))


@pytest.mark.root
def test_groups_of_threads_of_the_second_version() -> None:
    """On the real kernel: the rules for threads are the same for a hierarchy that has no controllers to give."""
    groups = LinuxControlGroups((second_real(),))
    path = f"/roost-test-{os.getpid()}"
    code = "import threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); print(1, flush=True)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        groups.make(path)
        try:
            assert process.stdout is not None
            process.stdout.readline()
            for name in ("emulator", "vcpu0"):
                groups.make_threads(path, name)
            groups.add_process(path, process.pid, "emulator")
            first, second = sorted(LinuxThreads().of(process.pid))
            groups.add_thread(path, second, "vcpu0")
            for thread, group in ((first, "emulator"), (second, "vcpu0")):
                assert f"0::{path}/{group}\n" in Path(f"/proc/{process.pid}/task/{thread}/cgroup").read_text()
        finally:
            process.kill()
            process.wait()
            groups.remove(path)
    assert not groups.exists(path)


@pytest.mark.root
@pytest.mark.parametrize("hierarchy", [first_real, second_real])
def test_helpers_and_theirs_are_in_a_group_of_threads_until_it_goes(hierarchy: Callable[[], Hierarchy]) -> None:
    groups, path = LinuxControlGroups((hierarchy(),)), f"/roost-test-helpers-{os.getpid()}"
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        family = (process.pid, int(process.stdout.readline()))
        places = [Path(f"/proc/{pid}/cgroup") for pid in family]
        before = [place.read_text() for place in places]
        groups.make(path)
        try:
            groups.make_threads(path, "emulator")
            groups.add_helper(path, process.pid, "emulator")
            assert all(f":{path}/emulator\n" in place.read_text() for place in places)
        finally:
            groups.remove(path)
        assert not groups.exists(path)
        assert [place.read_text() for place in places] == before
        for pid in family:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.root
def test_a_helper_that_has_ended_is_left_out() -> None:
    groups, path = LinuxControlGroups((first_real(),)), f"/roost-test-ended-{os.getpid()}"
    with subprocess.Popen(["true"]) as process:
        process.wait()
    groups.make(path)
    try:
        groups.make_threads(path, "emulator")
        groups.add_helper(path, process.pid, "emulator")
        assert not groups.is_populated(path)
    finally:
        groups.remove(path)


def test_threads() -> None:
    threads, own = LinuxThreads(), os.getpid()
    before = threads.affinity(own)
    threads.set_affinity(own, frozenset([min(before)]))
    try:
        assert threads.affinity(own) == {min(before)}
        assert threads.last_cpu(own) >= 0
    finally:
        threads.set_affinity(own, before)
    with pytest.raises(SystemCallError, match="cannot set CPU affinity on process"):
        threads.set_affinity(own, frozenset([9999]))
    assert threads.last_cpu(2**22 + 1) == -1
