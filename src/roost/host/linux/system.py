"""System calls: how a failed one becomes libvirt's error, and how files of the kernel's are written."""

from __future__ import annotations

import os
from pathlib import Path

from roost.errors import SystemCallError


def system_error(action: str, error: OSError, hint: str = "") -> SystemCallError:
    """`action: reason`, with the errno in int1."""
    number = error.errno or 0
    text = f"{action}: {os.strerror(number) if number else error}"
    return SystemCallError(text, int1=number, str1="%s", str2=text, hint=hint)


def write_setting(path: Path, text: str) -> None:
    """Write a file of the kernel's at once, which is there. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
