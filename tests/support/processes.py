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


def child_processes() -> set[str]:
    """Process ids of this process's children, those among them that have ended and are not waited for yet."""
    found: set[str] = set()
    for path in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError):  # a thread that has just ended
            found.update(path.read_text().split())
    return found
