"""Where control groups of both versions keep each setting, and in which spelling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from roost.errors import InvalidArg
from roost.host.api import UNLIMITED, Controller, DeviceSetting, GroupSetting

_KIB = 1024
#: v1 spells "no limit" as the largest number of whole pages, whatever their size.
_NO_BYTES = 2**62
_NO_QUOTA = 17592186044415


class Setting(NamedTuple):
    """files: the first one that is there. read, write: between its text and the value; write gets the text before."""

    controller: Controller
    files: tuple[str, ...]
    read: Callable[[str], int | str]
    write: Callable[[int | str, str], str]


def in_range(name: str, value: int, low: int, high: int, brackets: str = "[]") -> int:
    """The value. Raises InvalidArg."""
    if not low <= value <= high:
        raise InvalidArg(f"{name} '{value}' must be in range {brackets[0]}{low}, {high}{brackets[1]}")
    return value


def _plain(value: int | str, before: str) -> str:
    return str(value)


def _text(text: str) -> str:
    return text.strip()


def _weight(text: str) -> int:
    """`100`, and `default 100` with lines of devices after it."""
    return int(text.split("\n", 1)[0].removeprefix("default "))


def _shares(low: int, high: int) -> Callable[[int | str, str], str]:
    return lambda value, before: str(in_range("shares", int(value), low, high))


def _period(value: int) -> int:
    return in_range("cfs_period", value, 1000, 1000000, "()")


def _quota(value: int) -> int:
    return value if value < 0 else in_range("cfs_quota", value, 1000, _NO_QUOTA, "()")


def _read_bytes(text: str) -> int:
    """KiB."""
    word = text.strip()
    size = _NO_BYTES if word == "max" else int(word)
    return UNLIMITED if size >= _NO_BYTES else size // _KIB


def _write_bytes(unlimited: str) -> Callable[[int | str, str], str]:
    def write(value: int | str, before: str) -> str:
        if int(value) > UNLIMITED:
            raise InvalidArg(f"Memory '{value}' must be less than {UNLIMITED}")
        return unlimited if value == UNLIMITED else str(int(value) * _KIB)

    return write


def _write_quota(value: int | str, before: str) -> str:
    quota = _quota(int(value))
    return "max" if quota < 0 or quota == _NO_QUOTA else str(quota)


def _read_max_quota(text: str) -> int:
    word = text.split()[0]
    return -1 if word == "max" else int(word)


V1: Mapping[GroupSetting, Setting] = {
    "cpu.shares": Setting("cpu", ("cpu.shares",), int, _shares(2, 262144)),
    "cpu.period": Setting("cpu", ("cpu.cfs_period_us",), int, lambda v, _: str(_period(int(v)))),
    "cpu.quota": Setting("cpu", ("cpu.cfs_quota_us",), int, lambda v, _: str(_quota(int(v)))),
    "cpuset.cpus": Setting("cpuset", ("cpuset.cpus",), _text, _plain),
    "cpuset.mems": Setting("cpuset", ("cpuset.mems",), _text, _plain),
    "memory.hard_limit": Setting("memory", ("memory.limit_in_bytes",), _read_bytes, _write_bytes("-1")),
    "memory.soft_limit": Setting("memory", ("memory.soft_limit_in_bytes",), _read_bytes, _write_bytes("-1")),
    "memory.swap_hard_limit": Setting("memory", ("memory.memsw.limit_in_bytes",), _read_bytes, _write_bytes("-1")),
    "blkio.weight": Setting("blkio", ("blkio.bfq.weight", "blkio.weight"), _weight, _plain),
}

V2: Mapping[GroupSetting, Setting] = {
    "cpu.shares": Setting("cpu", ("cpu.weight",), int, _shares(1, 10000)),
    "cpu.period": Setting(
        "cpu", ("cpu.max",), lambda text: int(text.split()[1]), lambda v, b: f"{b.split()[0]} {_period(int(v))}"
    ),
    "cpu.quota": Setting("cpu", ("cpu.max",), _read_max_quota, _write_quota),
    "cpuset.cpus": Setting("cpuset", ("cpuset.cpus",), _text, _plain),
    "cpuset.mems": Setting("cpuset", ("cpuset.mems",), _text, _plain),
    "memory.hard_limit": Setting("memory", ("memory.max",), _read_bytes, _write_bytes("max")),
    "memory.soft_limit": Setting("memory", ("memory.high",), _read_bytes, _write_bytes("max")),
    "memory.swap_hard_limit": Setting("memory", ("memory.swap.max",), _read_bytes, _write_bytes("max")),
    "blkio.weight": Setting("blkio", ("io.bfq.weight", "io.weight"), _weight, lambda v, _: f"default {v}"),
}


class DeviceFile(NamedTuple):
    """Where limits of single block devices are written: `MAJOR:MINOR ` and what `line` makes of the value."""

    files: tuple[str, ...]
    line: Callable[[int], str]


def _maximum(name: str) -> DeviceFile:
    return DeviceFile(("io.max",), lambda value: f"{name}={value or 'max'}")


DEVICES_V1: Mapping[DeviceSetting, DeviceFile] = {
    "weight": DeviceFile(("blkio.bfq.weight_device", "blkio.weight_device"), str),
    "read_iops_sec": DeviceFile(("blkio.throttle.read_iops_device",), str),
    "write_iops_sec": DeviceFile(("blkio.throttle.write_iops_device",), str),
    "read_bytes_sec": DeviceFile(("blkio.throttle.read_bps_device",), str),
    "write_bytes_sec": DeviceFile(("blkio.throttle.write_bps_device",), str),
}

DEVICES_V2: Mapping[DeviceSetting, DeviceFile] = {
    "weight": DeviceFile(("io.bfq.weight", "io.weight"), str),
    "read_iops_sec": _maximum("riops"),
    "write_iops_sec": _maximum("wiops"),
    "read_bytes_sec": _maximum("rbps"),
    "write_bytes_sec": _maximum("wbps"),
}


__all__ = ["DEVICES_V1", "DEVICES_V2", "V1", "V2", "DeviceFile", "Setting"]
