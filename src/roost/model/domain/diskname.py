"""Names of disks: the letters after vd, sd, hd count them."""

from __future__ import annotations

import functools

_NAME_PREFIXES = ("fd", "hd", "vd", "sd", "xvd", "ubd")


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


__all__ = ["disk_index"]
