"""The log file of --log: every error line, with time, program and process."""

from __future__ import annotations

import os
import time


class LogFile:
    """An open log. Raises OSError when it cannot be opened or written."""

    def __init__(self, path: str, program: str) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_SYNC | os.O_CLOEXEC, 0o644)
        self._program = program

    def write(self, level: str, text: str) -> None:
        """Append one line."""
        now = time.strftime("%Y.%m.%d %H:%M:%S")
        line = f"[{now} {self._program} {os.getpid()}] {level} {text.rstrip()}\n"
        os.write(self._descriptor, line.encode("utf-8", "surrogateescape"))

    def close(self) -> None:
        """Nothing can be written after this."""
        os.close(self._descriptor)
