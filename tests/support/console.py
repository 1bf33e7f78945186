"""Talk to a guest's console through a file descriptor: a terminal, a socket or a pipe's two ends."""

from __future__ import annotations

import os
import select
import time


class ConsoleError(AssertionError):
    """The console did not say what the test waits for; the text holds what it did say."""


class Console:
    """Collects what arrives on `read_fd` and types on `write_fd`; neither is closed here."""

    def __init__(self, read_fd: int, write_fd: int | None = None) -> None:
        self._read_fd = read_fd
        self._write_fd = read_fd if write_fd is None else write_fd
        self.text = ""
        self._seen = 0

    def wait_for(self, expected: str, seconds: float = 60.0) -> str:
        """Everything up to and with `expected`, from where the last wait ended."""
        deadline = time.monotonic() + seconds
        while (found := self.text.find(expected, self._seen)) < 0:
            left = deadline - time.monotonic()
            readable = left > 0 and select.select([self._read_fd], [], [], left)[0]
            data = os.read(self._read_fd, 65536) if readable else b""
            if not data:
                why = "ended" if readable else f"was silent for {seconds:g} s"
                raise ConsoleError(f"the console {why} before {expected!r}; it said:\n{self.text[self._seen :]}")
            self.text += data.decode(errors="replace").replace("\r", "")
        begin, self._seen = self._seen, found + len(expected)
        return self.text[begin : self._seen]

    def ask(self, line: str, answer: str, seconds: float = 60.0) -> str:
        """Type a line and wait for the answer at the start of a later line (the terminal echoes what is typed)."""
        os.write(self._write_fd, line.encode() + b"\n")
        return self.wait_for("\n" + answer, seconds)
