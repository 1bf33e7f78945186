"""Lists of processors such as `0-3,^2`."""

from __future__ import annotations

import re

from roost.errors import InvalidArg

#: More processors than any machine has: what lies beyond is a typing error.
_LIMIT = 16384
_PART = re.compile(r"(\^?)([0-9]{1,6})(?:-([0-9]{1,6}))?")


def parse_cpus(text: str) -> set[int]:
    """The numbers in a list. Raises InvalidArg for anything else."""
    cpus: set[int] = set()
    for part in text.replace(" ", "").split(","):
        match = _PART.fullmatch(part)
        first, last = (int(match[2]), int(match[3] or match[2])) if match else (0, _LIMIT)
        if last >= _LIMIT:
            raise InvalidArg(f"Failed to parse bitmap '{text}'", hint="a list such as 0-3,^2")
        numbers = range(first, last + 1)
        if match and match[1]:
            cpus.difference_update(numbers)
        else:
            cpus.update(numbers)
    return cpus


def format_cpus(cpus: set[int]) -> str:
    """The inverse: runs of numbers with a dash."""
    runs: list[list[int]] = []
    for number in sorted(cpus):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


__all__ = ["format_cpus", "parse_cpus"]
