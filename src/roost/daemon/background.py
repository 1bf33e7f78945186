"""The pid file with its lock, and going into the background."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path

from roost.errors import From, OperationFailed


class PidFile:
    """Held, and locked, as long as the daemon runs: two daemons never share one.

    The kernel drops the lock with the process, so a file left by a killed
    daemon stops nobody.
    """

    def __init__(self, path: Path) -> None:
        """Raises OperationFailed while another process holds the file."""
        self._path = path
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.read(fd, 32).decode(errors="replace").strip()
                os.close(fd)
                raise OperationFailed(
                    f"another roostd (pid {holder or 'unknown'}) holds {path}",
                    domain=From.NONE,
                    hint="stop it, or give this one a directory of its own with --root",
                ) from None
            # Its last holder may have removed the file between open and lock.
            if _same_file(fd, path):
                break
            os.close(fd)
        self._fd = fd
        self.write()

    def write(self) -> None:
        """Write the pid of the calling process."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        os.close(self._fd)


def _same_file(fd: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(fd)
    return (held.st_dev, held.st_ino) == (there.st_dev, there.st_ino)


def detach() -> Callable[[], None]:
    """Go on in a child without a terminal. The parent exits when the child is ready or dead.

    Returns what the child calls once it serves clients. When the child ends
    without having called it, the parent exits with 1; its reason stands on
    standard error, which the child keeps until it is ready.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        os.close(writing)
        os._exit(0 if os.read(reading, 1) else 1)
    os.close(reading)
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.dup2(null, 1)

    def ready() -> None:
        os.write(writing, b"\n")
        os.close(writing)
        os.dup2(null, 2)
        os.close(null)

    return ready
