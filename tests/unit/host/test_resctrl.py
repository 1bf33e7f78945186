"""resctrl over a directory made like it. What only the kernel does with such directories cannot be tried here."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from pathlib import Path

import pytest

from roost.errors import From, SystemCallError
from roost.host.linux.hardware import LinuxHardware
from roost.host.linux.resctrl import LinuxResourceControl


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "fs" / "resctrl"
    for path, text in {
        "schemata": "L3:0=ff\n",
        "info/L3/cbm_mask": "ff\n",
        "info/L3/min_cbm_bits": "2\n",
        "info/L3/num_closids": "4\n",
        "other/schemata": "L3:0=0f\n",
        "mon_groups/watched/tasks": "",
        "mon_data/mon_L3_00/llc_occupancy": "1\n",
    }.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(text)
    return made


@pytest.fixture
def control(root: Path) -> LinuxResourceControl:
    return LinuxResourceControl(root)


def test_groups(root: Path, control: LinuxResourceControl) -> None:
    (root / "on-its-way").mkdir()
    assert control.schemata() == {"": "L3:0=ff\n", "other": "L3:0=0f\n"}
    assert control.exists("mon_groups/watched")
    assert not control.exists("mine")


def test_make_join_and_remove(root: Path, control: LinuxResourceControl) -> None:
    control.make("mine", "L3:0=30\n")
    assert (root / "mine" / "schemata").read_text() == "L3:0=30\n"
    control.add_thread("mine", 42)
    assert (root / "mine" / "tasks").read_text() == "42"
    with pytest.raises(SystemCallError, match=r"Cannot create resctrl directory '.*/mine': File exists") as caught:
        control.make("mine")
    assert (caught.value.int1, caught.value.domain) == (errno.EEXIST, From.RESCTRL)
    control.make("mon_groups/mine")
    control.remove("mon_groups/mine")
    control.remove("mon_groups/mine")
    assert not control.exists("mon_groups/mine")


def test_a_group_that_cannot_have_it_goes(
    root: Path, control: LinuxResourceControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, *args: object) -> int:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(Path, "write_text", refuse)
    words = r"Cannot write into schemata file '.*/mine/schemata': Invalid argument; .*/info/last_cmd_status tells"
    with pytest.raises(SystemCallError, match=words):
        control.make("mine", "L3:0=5\n")
    assert not (root / "mine").exists()
    with pytest.raises(SystemCallError, match=r"Cannot write pid in tasks file '.*/other/tasks': Invalid argument"):
        control.add_thread("other", 42)


def test_what_does_not_go_is_told(control: LinuxResourceControl, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        control.remove("other")
    assert "removing a group of resctrl" in caplog.text


def test_the_lock_is_that_of_all_others(root: Path, control: LinuxResourceControl) -> None:
    other = os.open(root, os.O_RDONLY)
    try:
        with control.locked(), pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(other)


def test_without_resctrl(tmp_path: Path) -> None:
    control = LinuxResourceControl(tmp_path / "none")
    with pytest.raises(SystemCallError, match="Cannot open resctrl: No such file"), control.locked():
        pass
    with pytest.raises(SystemCallError, match="Could not read schemata file for the default group: No such file"):
        control.schemata()
    assert not control.exists("mine")


def test_readings(root: Path, control: LinuxResourceControl) -> None:
    """A counter that the kernel cannot read at the moment is 0."""
    data = root / "other" / "mon_data"
    for cache, text in (("10", "4096\n"), ("02", "Unavailable\n")):
        (data / f"mon_L3_{cache}").mkdir(parents=True)
        (data / f"mon_L3_{cache}" / "llc_occupancy").write_text(text)
    (data / "mon_sub").mkdir()
    assert control.measured("other", ["llc_occupancy"]) == [(2, {"llc_occupancy": 0}), (10, {"llc_occupancy": 4096})]
    with pytest.raises(SystemCallError, match=r"cannot read '.*/other/mon_data': No such file"):
        control.measured("other", ["mbm_total_bytes"])


def test_how_many_parts_a_cache_has(tmp_path: Path, root: Path) -> None:
    cache = tmp_path / "devices/system/cpu/cpu0/cache/index3"
    cache.mkdir(parents=True)
    for name, text in {"level": "3", "id": "0", "type": "Unified", "size": "8192K", "shared_cpu_list": "0"}.items():
        (cache / name).write_text(text)
    hardware = LinuxHardware(tmp_path)
    assert hardware.cache_controls(hardware.caches()[0]) == [(1024, 2048, "both", 4, 8)]
