"""Files that memory is written to and read from, and the programs between them and QEMU.

QEMU gets the file itself where it can. It gets a pipe where a program must
compress, or write past the host's cache (`dd`, which knows how to align).
The programs end with the daemon; QEMU then sees a broken pipe.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from roost.drivers.qemu.state.header import SIZE, Header, read_header
from roost.engine.files import sync_directory
from roost.errors import From, InternalError, OperationFailed, RoostError, SystemCallError
from roost.host.api import Command, Process, Processes

#: Copies whole blocks only, which is what a file opened past the cache wants; the last one is shorter.
_WRITE_DIRECT = ("dd", "bs=1M", "iflag=fullblock", "oflag=direct", "status=none")
_READ_DIRECT = ("dd", "bs=1M", "iflag=direct", "status=none")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: What is written to may have no disk behind it.
_NOT_SYNCED = (errno.EINVAL, errno.EROFS, errno.ENXIO)
_NO_SPACE = os.strerror(errno.ENOSPC)
#: Seconds a program may go on when nobody wants its work any more.
_GRACE = 2.0
#: How often a pipe's reader is looked for, and seconds between two looks.
_LOOKS_FOR_READER, _INTERVAL = 200, 0.05
#: Bytes that a pipe has room for when nobody says otherwise.
_PIPE_SIZE = 65536


def failed(action: str, path: str, error: OSError, hint: str = "") -> SystemCallError:
    """`action 'path': reason`."""
    text = f"{action} '{path}': {error.strerror}"
    return SystemCallError(
        text, domain=From.QEMU, int1=error.errno or 0, str1="%s", str2=text, hint=hint or _cure(path, error)
    )


def _cure(path: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"its directory is '{os.path.dirname(path)}', on the daemon's host"
    if error.errno == errno.EINVAL:
        return "its file system cannot be written past the cache: leave out --bypass-cache"
    if error.errno == errno.ENXIO:
        return "start what reads it first"
    return ""


def find_program(format: str, what: str) -> str:
    """The path of a compression program; "" for raw. what: the setting, `save`. Raises OperationFailed."""
    if format in ("", "raw"):
        return ""
    found = shutil.which(format, path=os.environ.get("PATH", _PATH))
    if found is None:
        raise OperationFailed(
            f"Compression program for {what} image format in configuration file isn't available",
            domain=From.QEMU,
            hint=f"install '{format}', or set {what}_image_format in qemu.conf to another",
        )
    return found


class _Pipeline:
    """Programs between a file and QEMU. Descriptors of ours that they do not need any more are closed at once."""

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


class Target:
    """A file being written. descriptor: what QEMU writes to."""

    def __init__(self, path: str, descriptor: int, pipeline: _Pipeline) -> None:
        self.path = path
        self.descriptor = descriptor
        self._pipeline = pipeline

    async def finish(self) -> None:
        """QEMU has written everything: wait until it is on disk. Raises what kept it from there."""
        await self._pipeline.finish()
        await asyncio.to_thread(_sync, self.path)

    async def explain(self, error: RoostError) -> RoostError:
        """QEMU could not write: the reason of a program that did not take it, if that is a better one; and the room."""
        reason = ""
        try:
            await self._pipeline.finish()
        except InternalError as better:
            reason = better.detail
        if _NO_SPACE in f"{error.detail} {reason}":
            reason = "; ".join(filter(None, (reason, f"there is room for {_room(self.path)} MiB of '{self.path}'")))
        return OperationFailed(error.detail, domain=From.QEMU, hint=reason) if reason else error


def _room(path: str) -> int:
    """MiB that a file can have, with those it has already."""
    try:
        disk, file = os.statvfs(path), os.stat(path)
    except OSError:
        return 0
    return (disk.f_bavail * disk.f_frsize + file.st_blocks * 512) >> 20


@contextlib.asynccontextmanager
async def writing(
    path: str, processes: Processes, *, preface: bytes = b"", program: Sequence[str] = (), bypass_cache: bool = False
) -> AsyncIterator[Target]:
    """Make or replace `path`; removed again when this ends with an exception, if it was not there before.

    preface: what stands before the memory. program: what compresses it, with its arguments.
    Raises SystemCallError.
    """
    pipeline = _Pipeline(processes)
    descriptor, is_new = await _created(path, os.O_DIRECT if bypass_cache else 0)
    pipeline.keep(descriptor)
    try:
        if bypass_cache:
            descriptor = await pipeline.into(_WRITE_DIRECT, descriptor)
        if preface:
            await asyncio.to_thread(_write, descriptor, preface, path)
        if program:
            descriptor = await pipeline.into(program, descriptor)
        yield Target(path, descriptor, pipeline)
    except BaseException:
        if is_new:
            _remove(path)
        raise
    finally:
        await pipeline.end()


async def _created(path: str, direct: int) -> tuple[int, bool]:
    """(descriptor, whether the file was not there). Somebody must read a pipe, and is waited for.

    Raises SystemCallError.
    """
    for _ in range(_LOOKS_FOR_READER):
        found = await asyncio.to_thread(_create, path, direct)
        if found is not None:
            return found
        await asyncio.sleep(_INTERVAL)
    error = OSError(errno.ENXIO, "nobody reads the pipe")
    raise failed("Failed to create file", path, error) from error


def _create(path: str, direct: int) -> tuple[int, bool] | None:
    """The same; None for a pipe that nobody reads yet: a thread that waits in open() waits for ever."""
    is_new = not os.path.lexists(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK | direct
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno == errno.ENXIO and stat.S_ISFIFO(os.stat(path).st_mode):
            return None
        if is_new:
            _remove(path)  # O_DIRECT is refused after the file was made
        raise failed("Failed to create file", path, error) from error
    os.set_blocking(descriptor, True)
    return descriptor, is_new


def _remove(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _write(descriptor: int, data: bytes, path: str) -> None:
    view = memoryview(data)
    try:
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            # It has room for all of it, whether or not its reader reads.
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, max(len(data), _PIPE_SIZE))
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise failed("failed to write header to domain save file", path, error) from error


def _sync(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SYNCED:
            raise failed("unable to write file", path, error) from error


def replace_header(path: str, header: bytes, what: str) -> None:
    """Overwrite the beginning of an image; on disk when this returns. what: the header, in errors."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            os.pwrite(descriptor, header, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(Path(path).parent)
    except OSError as error:
        raise failed(f"failed to write {what} to", path, error) from error


def read_beginning(path: str) -> tuple[Header, bytes]:
    """(header, what stands between it and the memory) of an image. Raises SystemCallError, OperationFailed."""
    try:
        with open(path, "rb", buffering=0, opener=_open_image) as file:
            header = read_header(_read(file.fileno(), SIZE))
            return header, _read(file.fileno(), header.room)
    except OSError as error:
        raise failed("Failed to open file", path, error) from error


def _open_image(path: str, flags: int) -> int:
    """An image to read. Raises OSError, for a pipe too: nobody knows when there will be something in it."""
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK)
    if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ESPIPE, "an image is read from a file, this is a pipe")
    os.set_blocking(descriptor, True)
    return descriptor


def _read(descriptor: int, size: int) -> bytes:
    """As much of `size` as there is."""
    parts = []
    while size > 0 and (data := os.read(descriptor, min(size, 1 << 20))):
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


class Source:
    """A file being read. descriptor: what QEMU reads from."""

    def __init__(self, descriptor: int, pipeline: _Pipeline) -> None:
        self.descriptor = descriptor
        self._pipeline = pipeline

    @property
    def complaints(self) -> str:
        """What the program that reads it for QEMU has to say; "" when nothing."""
        return self._pipeline.complaints()


@contextlib.asynccontextmanager
async def reading(
    path: str, processes: Processes, *, begin: int, program: Sequence[str] = (), bypass_cache: bool = False
) -> AsyncIterator[Source]:
    """Read `path` from `begin` on. program: what makes memory of it, with its arguments. Raises SystemCallError."""
    pipeline = _Pipeline(processes)
    flags = os.O_RDONLY | (os.O_DIRECT if bypass_cache else 0)
    try:
        try:
            descriptor = pipeline.keep(await asyncio.to_thread(_open_image, path, flags))
            if bypass_cache:
                descriptor = await pipeline.out_of(_READ_DIRECT, descriptor)
                await asyncio.to_thread(_read, descriptor, begin)
            else:
                os.lseek(descriptor, begin, os.SEEK_SET)
        except OSError as error:
            raise failed("Failed to open file", path, error) from error
        if program:
            descriptor = await pipeline.out_of(program, descriptor)
        yield Source(descriptor, pipeline)
    finally:
        await pipeline.end()
