"""Which devices the processes of a control group may use, by the real kernel where it is there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.errors import SystemCallError
from roost.host.api import DeviceRule
from roost.host.linux import bpf, devices
from roost.host.linux.cgroups import Hierarchy, LinuxControlGroups, find_hierarchies
from support.groups import hierarchies

FULL, ZERO, NULL = DeviceRule("c", 1, 7, "rw"), DeviceRule("c", 1, 5, "r"), DeviceRule("c", 1, 3, "rwm")
TERMINALS = DeviceRule("c", 136, -1, "rw")

#: Joins the group whose cgroup.procs is the first argument, and says of each PATH:FLAGS whether it can be opened.
TRIES = """
import errno, os, sys
with open(sys.argv[1], "w") as procs:
    procs.write(str(os.getpid()))
for word in sys.argv[2:]:
    path, _, how = word.partition(":")
    try:
        os.close(os.open(path, {"r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR}[how]))
    except OSError as error:
        print(errno.errorcode[error.errno])
    else:
        print("ok")
"""


def test_a_list_is_read_and_written() -> None:
    text = "c 1:7 rw\nc 136:* rw\nb 7:0 rwm\n"
    rules = devices.parse_list(text)
    assert rules == [FULL, TERMINALS, DeviceRule("b", 7, 0, "rwm")]
    assert "".join(f"{devices.line(rule)}\n" for rule in rules) == text
    assert devices.parse_list("a *:* rwm\n") is None
    assert devices.parse_list("") == []


def test_changes_name_what_is_new_and_what_is_left_out() -> None:
    before = [ZERO, TERMINALS, DeviceRule("b", 7, 0, "rw")]
    after = [ZERO, FULL, DeviceRule("b", 7, 0, "r"), DeviceRule("c", 1, 5, "w")]
    allow, deny = devices.changes(before, after)
    assert set(allow) == {FULL, DeviceRule("c", 1, 5, "w")}
    assert set(deny) == {TERMINALS, DeviceRule("b", 7, 0, "w")}
    assert devices.changes(after, after) == ([], [])


def test_the_rule_of_a_node(tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to("/dev/null")
    assert devices.rules_of(str(link), "rw") == [DeviceRule("c", 1, 3, "rw")]
    assert devices.rules_of(str(tmp_path), "rw") == []
    assert devices.rules_of(str(tmp_path / "missing"), "rw") == []


def test_what_the_device_mapper_made_a_device_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crypt device on a linear one on two disks."""
    for name, below in (("253:1", ("253:0",)), ("253:0", ("8:16", "8:32"))):
        (tmp_path / "block" / name / "dm").mkdir(parents=True)
        for number in below:
            slave = tmp_path / "block" / name / "slaves" / number
            slave.mkdir(parents=True)
            (slave / "dev").write_text(f"{number}\n")
    monkeypatch.setattr(devices, "_SYSFS", tmp_path)
    assert list(devices._below("253:1")) == [(253, 0), (8, 16), (8, 32)]
    assert list(devices._below("8:16")) == []


@pytest.fixture(params=[1, 2])
def groups(request: pytest.FixtureRequest) -> Iterator[tuple[LinuxControlGroups, str, Path]]:
    """Those of one version, the path of a group of the test's own, and where it is."""
    version: int = request.param
    root = hierarchies().get("devices" if version == 1 else "")
    if root is None or not os.access(root, os.W_OK) or (version == 2 and not bpf.is_available(root)):
        pytest.skip(f"no devices controller of version {version} here")
    made = LinuxControlGroups([Hierarchy(root, version, frozenset(("devices",)))])
    path = f"/roost-test-{os.getpid()}-{version}"
    made.make(path)
    try:
        yield made, path, root / path.lstrip("/")
    finally:
        made.remove(path)


def tried(group: Path, *what: str) -> list[str]:
    command = [sys.executable, "-S", "-c", TRIES, str(group / "cgroup.procs"), *what]
    # Its own input and output are opened before it joins.
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.root
def test_the_kernel_refuses_what_is_not_allowed(groups: tuple[LinuxControlGroups, str, Path]) -> None:
    made, path, group = groups
    assert tried(group, "/dev/full:rw", "/dev/zero:r") == ["ok", "ok"]
    assert made.limit_devices(path, [FULL, ZERO])
    what = ("/dev/full:rw", "/dev/full:r", "/dev/zero:r", "/dev/zero:rw", "/dev/null:r", "/dev/loop-control:r")
    assert tried(group, *what) == ["ok", "ok", "ok", "EPERM", "EPERM", "EPERM"]
    # A device once for reading and once for writing is for both.
    assert made.limit_devices(path, [NULL, ZERO, DeviceRule("c", 1, 5, "w"), DeviceRule("c", 10, -1, "rw")])
    assert tried(group, *what) == ["EPERM", "EPERM", "ok", "ok", "ok", "ok"]
    assert made.limit_devices(path, [])
    assert tried(group, *what) == ["EPERM"] * 6


@pytest.mark.root
def test_another_life_goes_on_with_what_was_allowed(groups: tuple[LinuxControlGroups, str, Path]) -> None:
    made, path, group = groups
    assert made.limit_devices(path, [FULL])
    later = LinuxControlGroups(made._hierarchies)
    assert tried(group, "/dev/full:r", "/dev/zero:r") == ["ok", "EPERM"]
    assert later.limit_devices(path, [ZERO])
    assert tried(group, "/dev/full:r", "/dev/zero:r") == ["EPERM", "ok"]


@pytest.mark.root
def test_threads_groups_are_bound_too(groups: tuple[LinuxControlGroups, str, Path]) -> None:
    made, path, group = groups
    assert made.limit_devices(path, [FULL])
    (group / "within").mkdir()
    try:
        assert tried(group / "within", "/dev/full:r", "/dev/zero:r") == ["ok", "EPERM"]
    finally:
        (group / "within").rmdir()


@pytest.mark.root
def test_a_device_that_the_group_above_may_not_use(groups: tuple[LinuxControlGroups, str, Path]) -> None:
    made, path, group = groups
    if not (group / "devices.list").exists():
        pytest.skip("version 2 asks the programs of all groups above when a device is opened")
    assert made.limit_devices(path, [FULL])
    below = f"{path}/below"
    made.make(below)
    try:
        with pytest.raises(SystemCallError) as caught:
            made.limit_devices(below, [FULL, NULL])
        assert str(caught.value).startswith(
            f"Unable to write to '{group}/below/devices.allow': Operation not permitted"
        )
        assert "for the device '/dev/null' (c 1:3 rwm): the group above may not use it itself" in caught.value.hint
    finally:
        made.remove(below)


def test_where_there_is_no_controller(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu\n")
    lines = f"30 29 0:27 / {tmp_path} rw - cgroup2 none rw"
    groups = LinuxControlGroups(tuple(find_hierarchies(lines)))
    assert groups.has("cpu")
    assert not groups.has("devices")


@pytest.mark.root
def test_the_second_version_serves_where_the_first_has_no_list() -> None:
    root = hierarchies().get("")
    if root is None or not bpf.is_available(root):
        pytest.skip("no control groups of version 2 here")
    (found,) = find_hierarchies(f"30 29 0:27 / {root} rw - cgroup2 none rw")
    assert (found.version, "devices" in found.controllers) == (2, True)


@pytest.mark.root
def test_hundreds_of_devices(groups: tuple[LinuxControlGroups, str, Path]) -> None:
    made, path, group = groups
    assert made.limit_devices(path, [DeviceRule("b", 7, minor, "rw") for minor in range(500)] + [FULL])
    assert tried(group, "/dev/full:rw", "/dev/zero:r") == ["ok", "EPERM"]
