"""Lists of processors or memory nodes such as `0-3,^2`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from roost.errors import From, InvalidArg
from roost.xml import Complaint, Value

#: More processors than any machine has: what lies beyond is a typing error.
_LIMIT = 16384
_PART = re.compile(r"\s*(\^?)([0-9]{1,6})\s*(?:-\s*([0-9]{1,6})\s*)?")


def parse_cpus(text: str) -> set[int]:
    """The numbers in a list. Raises InvalidArg for anything else."""
    cpus: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        first, last = (int(match[2]), int(match[3] or match[2])) if match else (0, _LIMIT)
        if match is None or last >= _LIMIT or last < first or (match[1] and match[3]):
            raise InvalidArg(f"Failed to parse bitmap '{text}'", domain=From.NONE, hint="a list such as 0-3,^2")
        numbers = range(first, last + 1)
        if match[1]:
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


class CpuListValue(Value):
    """A list of numbers, kept in the spelling of `format_cpus`; one that names none is kept as it is written."""

    expected = "a list of numbers such as 0-3,^2"
    formatted = "{escape(v)}"

    def parse(self, text: str) -> str:
        try:
            return format_cpus(parse_cpus(text)) or text
        except InvalidArg:
            raise ValueError(text) from None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"^[0-9,^\s-]+$"}


CpuList = Annotated[str, CpuListValue()]
#: What libvirt says of any such list that is none.
BAD_LIST = Complaint(InvalidArg, "Failed to parse bitmap '%s'", domain=From.NONE)


__all__ = ["BAD_LIST", "CpuList", "format_cpus", "parse_cpus"]
