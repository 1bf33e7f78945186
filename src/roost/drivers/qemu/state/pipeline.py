"""Programs between a file and QEMU. They end with the daemon; QEMU then sees a broken pipe."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from roost.drivers.qemu.state.header import SPARSE
from roost.errors import From, InternalError, OperationFailed, RoostError
from roost.host.api import Command, Process, Processes

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Seconds a program may go on when nobody wants its work any more.
_GRACE = 2.0


def find_program(format: str, what: str) -> str:
    """The path of a compression program; "" when there is none. what: the setting, `save`. Raises OperationFailed."""
    if format in ("raw", SPARSE):
        return ""
    found = shutil.which(format, path=os.environ.get("PATH", _PATH))
    if found is None:
        raise OperationFailed(
            f"Compression program for {what} image format in configuration file isn't available",
            domain=From.QEMU,
            hint=f"install '{format}', or set {what}_image_format in qemu.conf to another",
        )
    return found


class Pipeline:
    """Such programs. Descriptors of ours that they do not need any more are closed at once."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._running: list[tuple[str, Process, int]] = []
        self._descriptors: list[int] = []

    def keep(self, descriptor: int) -> int:
        """It is ours until `close`."""
        self._descriptors.append(descriptor)
        return descriptor

    async def into(self, argv: Sequence[str], output: int) -> int:
        """Start a program that writes to `output`; where to write what it is to read."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        self.keep(writer)
        try:
            await self._start(argv, reader, output)
        finally:
            os.close(reader)
        return writer

    async def out_of(self, argv: Sequence[str], input: int) -> int:
        """Start a program that reads from `input`; where to read what it writes."""
        reader, writer = os.pipe2(os.O_CLOEXEC)
        self.keep(reader)
        try:
            await self._start(argv, input, writer)
        finally:
            os.close(writer)
        return reader

    async def _start(self, argv: Sequence[str], input: int, output: int) -> None:
        errors = os.memfd_create("errors", os.MFD_CLOEXEC)
        environment = {"LC_ALL": "C", "PATH": os.environ.get("PATH", _PATH)}
        try:
            process = await self._processes.start(
                Command(argv, environment, output, lives_on=False, input=input, errors=errors)
            )
        except RoostError:
            os.close(errors)
            raise
        self._running.append((os.path.basename(argv[0]), process, errors))

    def close(self) -> None:
        """Close our descriptors: the programs see the end of what they read, or that nobody reads from them."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    async def finish(self) -> None:
        """Wait for the programs. Raises InternalError with what one that failed said; the last first: it knows why."""
        self.close()
        for name, process, errors in reversed(self._running):
            status = await process.wait()
            if status:
                raise InternalError(
                    f"Child process ({name}) unexpected exit status {status}: {_words(errors)}", domain=From.QEMU
                )

    def complaints(self) -> str:
        """What the programs have said so far; "" when they are content."""
        return "; ".join(filter(None, (_words(errors) for _, _, errors in self._running)))

    async def end(self) -> None:
        """Let go of everything."""
        self.close()
        for _, process, errors in self._running:
            if not process.exited:
                process.terminate(_GRACE)
            await process.wait()
            os.close(errors)
        self._running.clear()


def _words(errors: int) -> str:
    return os.pread(errors, 2000, 0).decode("utf-8", "replace").strip()
