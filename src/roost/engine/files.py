"""Writing files so that a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from roost.errors import SystemCallError

_TEMPORARY = ".new"

_HEADER = """\
<!--
WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:
  {command}
or other application using the libvirt API.
-->

"""


def file_header(command: str) -> str:
    """What stands before a document that the daemon keeps. command: what changes it.

    In it, of two dashes that would end an XML comment's right to be one, the second stands apart.
    """
    return _HEADER.format(command=re.sub(r"-(?=-)", "- ", command))


def failed(action: str, path: Path, error: OSError, domain: int | None = None) -> SystemCallError:
    """libvirt's form of a failed system call: the action, the path, the reason; int1 is the errno."""
    text = error.strerror or str(error)
    return SystemCallError(
        f"{action} '{path}': {text}", domain=domain, int1=error.errno or 0, str1="%s", str2=f"{action} '{path}': {text}"
    )


class SpareFile:
    """An empty file of mode 0600, made before it is needed: that is a quarter of the time that a new file takes.

    directory: that the file is for.
    """

    def __init__(self, directory: Path) -> None:
        self._path = f"{directory}/.spare{_TEMPORARY}"
        self._is_there = False

    def make(self) -> None:
        """For the next one that takes it. It can be done without."""
        if not self._is_there:
            with contextlib.suppress(OSError):
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
                self._is_there = True

    def take(self) -> tuple[int, str] | None:
        """Its descriptor, to write, and its path, to rename; None when there is none."""
        if not self._is_there:
            return None
        self._is_there = False
        try:
            return os.open(self._path, os.O_WRONLY | os.O_CLOEXEC), self._path
        except OSError:
            return None


def write_atomically(path: Path, data: bytes, *, sync: bool, mode: int = 0o600, spare: SpareFile | None = None) -> None:
    """Replace `path` by `data` through a temporary file beside it.

    sync: survive a power failure too: the file is synced before the rename and
        the directory after it. Without it the file survives a killed daemon.
        A file that is new takes its name first: nothing is lost with it, and
        the file's own sync makes the name last too, for half the time.
    spare: of the same directory and mode; a new file becomes it.
    Raises SystemCallError; then the old file is as it was.
    """
    # Text, as a Path takes a tenth of the time that the whole write does.
    final = os.fspath(path)
    temporary = final + _TEMPORARY
    replaces = sync and os.path.exists(final)
    try:
        ready = spare.take() if spare is not None and not replaces else None
        if ready is None:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        else:
            descriptor, temporary = ready
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            if replaces:
                os.fsync(descriptor)
            os.rename(temporary, final)
            if sync and not replaces:
                _sync_new(descriptor, path)
        finally:
            os.close(descriptor)
        if replaces:
            sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise failed("cannot write file", path, error) from error


def _sync_new(descriptor: int, path: Path) -> None:
    try:
        os.fsync(descriptor)
    except OSError:
        # It was not there before.
        os.unlink(path)
        raise


def sync_directory(path: Path) -> None:
    """Make renames and removals in `path` survive a power failure."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Disk:
    """Runs work that waits for a disk: in a thread while the disk is slow, in the loop while it is quick.

    A synced write of a good disk takes half a millisecond, about what parsing
    a document takes; handing it to a thread and back costs a third of that
    again. One that takes longer must not stop the readers: from the first slow
    one on, and before anything is known, the work is done in a thread.
    """

    #: Seconds that work may take to be done in the loop, by the last one's time.
    QUICK = 0.003

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._is_quick = False

    async def run(self, work: Callable[[], None]) -> None:
        """Do `work`; what it raises comes through."""
        if self._is_quick:
            self._timed(work)
        else:
            await asyncio.get_running_loop().run_in_executor(None, self._timed, work)

    def _timed(self, work: Callable[[], None]) -> None:
        begin = self._clock()
        try:
            work()
        finally:
            self._is_quick = self._clock() - begin < self.QUICK


def remove_leftovers(directory: Path) -> None:
    """Delete the temporary files of writes that a killed daemon did not finish."""
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(directory):
            if entry.name.endswith(_TEMPORARY):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)
