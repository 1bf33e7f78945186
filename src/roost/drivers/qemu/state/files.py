"""Files that memory is written to and read from.

QEMU gets the file itself where it can. It gets a pipe where a program must compress a stream,
or write it past the host's cache (`dd`, which knows how to align).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from roost.drivers.qemu.state.header import SIZE, Header, read_header
from roost.drivers.qemu.state.pipeline import Pipeline
from roost.drivers.qemu.state.routes import Mapped, Route, Stream
from roost.engine.files import sync_directory
from roost.errors import From, InternalError, OperationFailed, RoostError, SystemCallError
from roost.host.api import Processes

#: Copies whole blocks only, which is what a file opened past the cache wants; the last one is shorter.
_WRITE_DIRECT = ("dd", "bs=1M", "iflag=fullblock", "oflag=direct", "status=none")
_READ_DIRECT = ("dd", "bs=1M", "iflag=direct", "status=none")
#: How QEMU says so in the first bytes of memory, and how many are looked at: names stand after their lengths.
_PLACES, _CONFIGURATION = b"\x0amapped-ram", 4096
#: What is written to may have no disk behind it.
_NOT_SYNCED = (errno.EINVAL, errno.EROFS, errno.ENXIO)
_NO_SPACE = os.strerror(errno.ENOSPC)
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
    if error.errno == errno.ESPIPE:
        return "each page of a sparse image has its own place in a file, and a pipe has none: use another format"
    if error.errno == errno.ENXIO:
        return "start what reads it first"
    return ""


class Target:
    """A file being written. descriptor: what QEMU writes to. route: how its memory comes there."""

    def __init__(self, path: str, descriptor: int, route: Route, pipeline: Pipeline) -> None:
        self.path = path
        self.descriptor = descriptor
        self.route = route
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
    path: str,
    processes: Processes,
    *,
    preface: bytes = b"",
    program: Sequence[str] = (),
    channels: int = 0,
    bypass_cache: bool = False,
) -> AsyncIterator[Target]:
    """Make or replace `path`; removed again when this ends with an exception, if it was not there before.

    preface: what stands before the memory. program: what compresses it, with its arguments.
    channels: how many give each page its place; 0: memory comes as a stream. Raises SystemCallError.
    """
    pipeline = Pipeline(processes)
    if channels and await asyncio.to_thread(Path(path).is_fifo):
        error = OSError(errno.ESPIPE, os.strerror(errno.ESPIPE))
        raise failed("Failed to create file", path, error) from error
    descriptor, is_new = await _created(path, os.O_DIRECT if bypass_cache and not channels else 0)
    pipeline.keep(descriptor)
    try:
        mapped = None
        if channels:
            try:
                mapped = _mapped(descriptor, os.O_WRONLY, len(preface), channels, pipeline, direct=bypass_cache)
            except OSError as error:
                raise failed("Failed to create file", path, error) from error
        elif bypass_cache:
            descriptor = await pipeline.into(_WRITE_DIRECT, descriptor)
        if preface:
            await asyncio.to_thread(_write, descriptor, preface, path)
        if program:
            descriptor = await pipeline.into(program, descriptor)
        yield Target(path, descriptor, mapped or Stream(descriptor), pipeline)
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


def _mapped(descriptor: int, mode: int, begin: int, channels: int, pipeline: Pipeline, *, direct: bool) -> Mapped:
    """The route into or out of a file. mode: O_RDONLY or O_WRONLY. Raises OSError."""
    if not direct:
        return Mapped((descriptor,), begin, channels)
    # By its descriptor: another file may have got the path.
    past_cache = pipeline.keep(os.open(f"/proc/self/fd/{descriptor}", mode | os.O_DIRECT | os.O_CLOEXEC))
    return Mapped((descriptor, past_cache), begin, channels)


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


def has_places(path: str, begin: int) -> bool:
    """Whether the memory that begins there says that its pages have places. Raises SystemCallError.

    libvirt 11.3 calls the memory of snapshots sparse and writes it as a stream.
    """
    try:
        with open(path, "rb", buffering=0, opener=_open_image) as file:
            return _PLACES in os.pread(file.fileno(), _CONFIGURATION, begin)
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
    """A file being read. route: how its memory comes to QEMU."""

    def __init__(self, route: Route, pipeline: Pipeline) -> None:
        self.route = route
        self._pipeline = pipeline

    @property
    def complaints(self) -> str:
        """What the program that reads it for QEMU has to say; "" when nothing."""
        return self._pipeline.complaints()


@contextlib.asynccontextmanager
async def reading(
    path: str,
    processes: Processes,
    *,
    begin: int,
    program: Sequence[str] = (),
    channels: int = 0,
    bypass_cache: bool = False,
) -> AsyncIterator[Source]:
    """Read `path` from `begin` on. program: what makes memory of it, with its arguments. channels: as in `writing`.

    Raises SystemCallError.
    """
    pipeline = Pipeline(processes)
    flags = os.O_RDONLY | (os.O_DIRECT if bypass_cache and not channels else 0)
    mapped = None
    try:
        try:
            descriptor = pipeline.keep(await asyncio.to_thread(_open_image, path, flags))
            if channels:
                mapped = _mapped(descriptor, os.O_RDONLY, begin, channels, pipeline, direct=bypass_cache)
            elif bypass_cache:
                descriptor = await pipeline.out_of(_READ_DIRECT, descriptor)
                await asyncio.to_thread(_read, descriptor, begin)
            else:
                os.lseek(descriptor, begin, os.SEEK_SET)
        except OSError as error:
            raise failed("Failed to open file", path, error) from error
        if program:
            descriptor = await pipeline.out_of(program, descriptor)
        yield Source(mapped or Stream(descriptor), pipeline)
    finally:
        await pipeline.end()
