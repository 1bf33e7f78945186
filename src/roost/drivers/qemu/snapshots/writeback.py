"""Putting on disk what QEMU writes while it still writes.

It writes a guest's memory into an image through the host's cache, and waits at
the end until all of it is on disk. Half of the time that takes can be had for
nothing: the disk would be idle while QEMU goes through the memory.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

#: Seconds between two rounds.
_PAUSE = 0.01


@contextlib.contextmanager
def written_early(path: str | None) -> Iterator[None]:
    """While QEMU writes to `path`; None, or one that cannot be opened, is none of ours."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK) if path else None
    except OSError:
        descriptor = None
    if descriptor is None:
        yield
        return
    done = threading.Event()
    # Nobody waits for it: its last round may still be waiting for the disk.
    threading.Thread(target=_write, args=(descriptor, done), daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _write(descriptor: int, done: threading.Event) -> None:
    try:
        while not done.wait(_PAUSE):
            os.fdatasync(descriptor)
    except OSError:
        pass  # QEMU hears of it too
    finally:
        os.close(descriptor)


__all__ = ["written_early"]
