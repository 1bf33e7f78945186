"""What is being done to a domain's snapshots, noted on disk: a daemon that dies meanwhile leaves it to the next one."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from roost.engine.files import write_atomically

log = logging.getLogger(__name__)

_SUFFIX = ".snapshot"


class Note(msgspec.Struct, frozen=True):
    """action: the snapshot is taken, or gone back to. document: as it is kept. metadata: it is to be kept.

    files: that are made for it. numbers: of the images that a running guest opens for it, by the disks' targets.
    fresh: of one that is gone back to, a document of the images that are made for it; before: what was written to.
    """

    action: Literal["take", "revert"]
    document: str
    metadata: bool = True
    files: tuple[str, ...] = ()
    numbers: dict[str, int] = {}
    fresh: str = ""
    before: tuple[str, ...] = ()


class Notes:
    """directory: of the running guests' status."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @contextlib.contextmanager
    def noted(self, domain: str, note: Note) -> Iterator[None]:
        """While it is done. Raises SystemCallError."""
        self.write(domain, note)
        try:
            yield
        finally:
            self.forget(domain)

    def write(self, domain: str, note: Note) -> None:
        write_atomically(self._path(domain), msgspec.json.encode(note), sync=False)

    def read(self, domain: str) -> Note | None:
        """What was not finished; None when nothing was, or the note cannot be understood."""
        try:
            return msgspec.json.decode(self._path(domain).read_bytes(), type=Note)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.MsgspecError) as error:
            log.error("ignoring %s: %s", self._path(domain), error)  # noqa: TRY400 - no bug of ours
            return None

    def forget(self, domain: str) -> None:
        self._path(domain).unlink(missing_ok=True)

    def _path(self, domain: str) -> Path:
        return self._directory / f"{domain}{_SUFFIX}"


__all__ = ["Note", "Notes"]
