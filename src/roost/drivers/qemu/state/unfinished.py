"""Images being written, noted on disk: what a daemon that dies meanwhile leaves is found by the next one."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from roost.drivers.qemu.state.header import MAGIC, PARTIAL
from roost.engine.files import write_atomically

log = logging.getLogger(__name__)

_SUFFIX = ".saving"


class Unfinished:
    """directory: of the running guests' status."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextlib.contextmanager
    def noted(self, name: str, path: str) -> Iterator[None]:
        """While the image of the guest `name` is written to `path`. Raises SystemCallError."""
        note = self._directory / f"{name}{_SUFFIX}"
        write_atomically(note, path.encode("utf-8", "surrogateescape"), sync=False)
        try:
            yield
        finally:
            note.unlink(missing_ok=True)

    def undo(self, name: str) -> str | None:
        """The image that was being written of a guest that is still there: it is marked as incomplete.

        Its path; None when there was none. It may be complete but for the answer to the
        client: the guest goes on, so that its memory in the image is of no use any more.
        """
        note = self._directory / f"{name}{_SUFFIX}"
        try:
            path = note.read_bytes().decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            return None
        note.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                if os.pread(descriptor, len(MAGIC), 0) == MAGIC:
                    os.pwrite(descriptor, PARTIAL, 0)
            finally:
                os.close(descriptor)
        return path

    def forget(self, name: str) -> None:
        """The guest is gone: what there is of it stands in the image."""
        (self._directory / f"{name}{_SUFFIX}").unlink(missing_ok=True)
