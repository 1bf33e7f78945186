"""Images being written, noted on disk: what a daemon that dies meanwhile leaves is found by the next one."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from roost.drivers.qemu.state.header import MAGIC, PARTIAL
from roost.engine.files import write_atomically

log = logging.getLogger(__name__)

_SUFFIX = ".saving"


class Image(NamedTuple):
    """An image that was being written. work: for what, of `interruptions`. complete: it is, and says so."""

    work: str
    path: str
    complete: bool


class Unfinished:
    """directory: of the running guests' status."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextlib.contextmanager
    def noted(self, name: str, work: str, path: str) -> Iterator[None]:
        """While an image of the guest `name` is written to `path`. Raises SystemCallError."""
        write_atomically(self._note(name), f"{work}\n{path}".encode("utf-8", "surrogateescape"), sync=False)
        try:
            yield
        finally:
            self.forget(name)

    def undo(self, name: str) -> Image | None:
        """The image that was being written of a guest that is still there: it is marked as incomplete.

        None when there was none. It may have been complete but for the answer to the
        client: the guest goes on, so that its memory in the image is of no use any more.
        """
        found = self.take(name)
        if found is not None and found.complete:
            with contextlib.suppress(OSError), _opened(found.path, os.O_RDWR) as descriptor:
                os.pwrite(descriptor, PARTIAL, 0)
        return found

    def take(self, name: str) -> Image | None:
        """The image that was being written, as it is; the next time there is none."""
        try:
            work, _, path = self._note(name).read_bytes().decode("utf-8", "surrogateescape").partition("\n")
        except FileNotFoundError:
            return None
        self.forget(name)
        complete = False
        with contextlib.suppress(OSError), _opened(path, os.O_RDONLY) as descriptor:
            complete = os.pread(descriptor, len(MAGIC), 0) == MAGIC
        return Image(work, path, complete)

    def names(self) -> list[str]:
        """Of all guests an image of which was being written."""
        return [path.name.removesuffix(_SUFFIX) for path in self._directory.glob(f"*{_SUFFIX}")]

    def forget(self, name: str) -> None:
        """Nothing is being written."""
        self._note(name).unlink(missing_ok=True)

    def _note(self, name: str) -> Path:
        return self._directory / f"{name}{_SUFFIX}"


@contextlib.contextmanager
def _opened(path: str, mode: int) -> Iterator[int]:
    descriptor = os.open(path, mode | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
