"""What the installed emulator can do, as it says itself."""

from __future__ import annotations

import functools
import json
import subprocess

import pytest

_ASKED = ("qmp_capabilities", "query-migrate-capabilities", "quit")


@functools.cache
def migration_capabilities() -> frozenset[str]:
    """Of the emulator of x86."""
    command = ["qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio"]
    asked = "".join(json.dumps({"execute": name}) for name in _ASKED)
    said = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, timeout=60).stdout
    answers = [json.loads(line).get("return") for line in said.splitlines()]
    (listed,) = (answer for answer in answers if isinstance(answer, list))
    return frozenset(each["capability"] for each in listed)


def has_mapped_ram() -> bool:
    """Whether it writes save images of the format `sparse`."""
    return "mapped-ram" in migration_capabilities()


def need_mapped_ram() -> None:
    """Skip the test without it."""
    if not has_mapped_ram():
        pytest.skip("this QEMU has no mapped-ram, which save images of the format sparse take")
