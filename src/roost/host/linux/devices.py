"""Which devices the processes of a control group may use: by lists in version 1, by a program in version 2."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Literal

from roost.errors import SystemCallError
from roost.host.api import DeviceRule
from roost.host.linux import bpf
from roost.host.linux.system import system_error, write_setting

_SYSFS = Path("/sys/dev")
_NAMES = {"b": "block", "c": "char"}
_LETTERS = "rwm"

#: What is allowed of each device.
_Allowed = Mapping[tuple[Literal["b", "c"], int, int], frozenset[str]]


# -- nodes -------------------------------------------------------------------------------------


def rules_of(path: str, access: str) -> list[DeviceRule]:
    """See host.api.ControlGroups.device_rules."""
    try:
        status = os.stat(path)
    except OSError:
        return []
    major, minor = os.major(status.st_rdev), os.minor(status.st_rdev)
    if stat.S_ISCHR(status.st_mode):
        return [DeviceRule("c", major, minor, access)]
    if not stat.S_ISBLK(status.st_mode):
        return []
    return [DeviceRule("b", *numbers, access) for numbers in ((major, minor), *_below(f"{major}:{minor}"))]


def _below(numbers: str) -> Iterator[tuple[int, int]]:
    """What the device mapper made a device of, in the end."""
    directory = _SYSFS / "block" / numbers
    if not (directory / "dm").is_dir():
        return
    for device in sorted(directory.glob("slaves/*/dev")):
        found = device.read_text().strip()
        major, _, minor = found.partition(":")
        yield int(major), int(minor)
        yield from _below(found)


def _name(rule: DeviceRule) -> str:
    """What users call it."""
    numbers = f"{rule.major}:{'*' if rule.minor < 0 else rule.minor}"
    try:
        lines = (_SYSFS / _NAMES[rule.kind] / numbers / "uevent").read_text().splitlines()
        name = next(f"'/dev/{line.removeprefix('DEVNAME=')}' " for line in lines if line.startswith("DEVNAME="))
    except (OSError, StopIteration):
        name = ""
    return f"{name}({rule.kind} {numbers} {rule.access})"


# -- version 1 ---------------------------------------------------------------------------------


def parse_list(text: str) -> list[DeviceRule] | None:
    """The rules of a devices.list; None when everything is allowed."""
    rules = []
    for line in text.splitlines():
        kind, numbers, access = line.split()
        if kind == "a":
            return None
        major, minor = (-1 if word == "*" else int(word) for word in numbers.split(":"))
        rules.append(DeviceRule("b" if kind == "b" else "c", major, minor, access))
    return rules


def _together(rules: Collection[DeviceRule]) -> _Allowed:
    found: dict[tuple[Literal["b", "c"], int, int], frozenset[str]] = {}
    for rule in rules:
        device = rule.kind, rule.major, rule.minor
        found[device] = found.get(device, frozenset()) | frozenset(rule.access)
    return found


def _rule(device: tuple[Literal["b", "c"], int, int], access: frozenset[str]) -> DeviceRule:
    return DeviceRule(*device, "".join(letter for letter in _LETTERS if letter in access))


def _more(some: _Allowed, others: _Allowed) -> list[DeviceRule]:
    """What the ones allow and the others do not."""
    left = {device: access - others.get(device, frozenset()) for device, access in some.items()}
    return [_rule(device, access) for device, access in left.items() if access]


def changes(before: Collection[DeviceRule], after: Collection[DeviceRule]) -> tuple[list[DeviceRule], list[DeviceRule]]:
    """What is to be allowed, and what denied."""
    old, new = _together(before), _together(after)
    return _more(new, old), _more(old, new)


def line(rule: DeviceRule) -> str:
    """As the kernel reads and writes it."""
    return f"{rule.kind} {rule.major}:{'*' if rule.minor < 0 else rule.minor} {rule.access}"


def limit_first(group: Path, rules: Collection[DeviceRule]) -> bool:
    """See host.api.ControlGroups.limit_devices."""
    try:
        before = parse_list((group / "devices.list").read_text())
        if before is None:
            write_setting(group / "devices.deny", "a")
    except OSError as error:
        if error.errno == errno.EPERM:
            return False
        raise system_error(f"Unable to write to '{group}/devices.deny'", error) from error
    allow, deny = changes(before or (), rules)
    if allow:
        _write_all(group / "devices.allow", allow)
    if deny:
        _write_all(group / "devices.deny", deny)
    return True


def _write_all(path: Path, rules: Collection[DeviceRule]) -> None:
    """The kernel reads one rule at a time."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for rule in rules:
            try:
                os.write(descriptor, line(rule).encode())
            except OSError as error:
                raise _refused(path, rule, error) from error
    finally:
        os.close(descriptor)


def _refused(path: Path, rule: DeviceRule, error: OSError) -> SystemCallError:
    return system_error(
        f"Unable to write to '{path}'",
        error,
        f'for the device {_name(rule)}: the group above may not use it itself; let it, or leave "devices" out of '
        "cgroup_controllers in qemu.conf",
    )


# -- version 2 ---------------------------------------------------------------------------------


def limit_second(group: Path, rules: Collection[DeviceRule]) -> bool:
    """See host.api.ControlGroups.limit_devices."""
    try:
        bpf.attach(group, [_rule(device, access) for device, access in _together(rules).items()])
    except OSError as error:
        if error.errno == errno.EPERM:
            return False
        raise system_error(f"failed to attach cgroup BPF prog to '{group}'", error) from error
    return True


__all__ = ["changes", "limit_first", "limit_second", "line", "parse_list", "rules_of"]
