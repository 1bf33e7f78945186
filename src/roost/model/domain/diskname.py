"""Names of disks: the letters after vd, sd, hd count them."""

from __future__ import annotations

import functools
import re

_NAME_PREFIXES = ("fd", "hd", "vd", "sd", "xvd", "ubd")
_NVME = re.compile(r"nvme([0-9]{1,5})n([1-9][0-9]{0,4})\Z")


@functools.lru_cache(1024)
def disk_index(name: str) -> int:
    """The number in a device name: vda 0, vdb 1, vdaa 26, vda3 0 (a partition); -1 for anything else."""
    for prefix in _NAME_PREFIXES:
        if name.startswith(prefix):
            break
    else:
        return -1
    letters = name[len(prefix) :].rstrip("0123456789")
    digits = name[len(prefix) + len(letters) :]
    if not letters or (digits.startswith("0") and len(digits) > 1):
        return -1
    number = 0
    for letter in letters:
        if not "a" <= letter <= "z":
            return -1
        number = number * 26 + ord(letter) - 96
    return number - 1


@functools.lru_cache(1024)
def nvme_place(name: str) -> tuple[int, int] | None:
    """The controller, and the namespace from 1, of a name such as nvme0n1; None for other names."""
    match = _NVME.match(name)
    return (int(match[1]), int(match[2])) if match else None


__all__ = ["disk_index", "nvme_place"]
