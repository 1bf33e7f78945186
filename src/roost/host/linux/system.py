"""How a failed system call becomes libvirt's error."""

from __future__ import annotations

import os

from roost.errors import SystemCallError


def system_error(action: str, error: OSError, hint: str = "") -> SystemCallError:
    """`action: reason`, with the errno in int1."""
    number = error.errno or 0
    text = f"{action}: {os.strerror(number) if number else error}"
    return SystemCallError(text, int1=number, str1="%s", str2=text, hint=hint)
