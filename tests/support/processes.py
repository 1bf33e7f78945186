"""Processes of the machine, found by what they were called with."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path


def running(pattern: str) -> list[int]:
    """Those whose words, with spaces between, have the pattern in them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
                if re.search(pattern, words):
                    found.append(int(entry.name))
    return found
