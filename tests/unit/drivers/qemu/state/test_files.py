"""Files that memory is written to and read from, with real programs in between."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from roost.drivers.qemu.state.files import read_beginning, reading, replace_header, writing
from roost.drivers.qemu.state.header import new_preface
from roost.drivers.qemu.state.pipeline import find_program
from roost.drivers.qemu.state.routes import Mapped, Stream
from roost.drivers.qemu.state.unfinished import Unfinished
from roost.errors import InternalError, OperationFailed, RoostError, SystemCallError
from roost.host.linux.processes import LinuxProcesses

PREFACE = new_preface("<domain/>", "", running=True, format=0)
MEMORY = os.urandom(200_000) + bytes(2_345_678)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario()

    asyncio.run(main())


async def save(path: Path, program: tuple[str, ...] = (), *, bypass_cache: bool = False) -> None:
    """As QEMU does it: another descriptor of the same file."""
    before = PREFACE.pack(complete=False)
    async with writing(
        str(path), LinuxProcesses(), preface=before, program=program, bypass_cache=bypass_cache
    ) as target:
        descriptor = os.dup(target.descriptor)

        def write() -> None:
            with open(descriptor, "wb") as file:
                file.write(MEMORY)

        await asyncio.to_thread(write)
        await target.finish()
        replace_header(str(path), PREFACE.pack(complete=True)[:16], "header")


async def load(path: Path, program: tuple[str, ...] = (), *, bypass_cache: bool = False) -> bytes:
    header, body = read_beginning(str(path))
    assert body.startswith(b"<domain/>\0")
    async with reading(
        str(path), LinuxProcesses(), begin=header.size, program=program, bypass_cache=bypass_cache
    ) as source:
        assert isinstance(source.route, Stream)
        descriptor = os.dup(source.route.descriptor)

        def read() -> bytes:
            with open(descriptor, "rb") as file:
                return file.read()

        return await asyncio.to_thread(read)


@pytest.mark.parametrize("bypass_cache", [False, True])
@pytest.mark.parametrize("program", ["", "gzip", "bzip2", "xz", "lzop", "zstd"])
def test_memory_goes_there_and_back(tmp_path: Path, program: str, bypass_cache: bool) -> None:
    if program and shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    path = tmp_path / "image"
    writer = (program, "-c") if program else ()
    reader = (program, "-dc") if program else ()

    async def scenario() -> None:
        await save(path, writer, bypass_cache=bypass_cache)
        assert await load(path, reader, bypass_cache=bypass_cache) == MEMORY

    run(scenario)
    assert path.stat().st_mode & 0o777 == 0o600
    begin = len(PREFACE.pack(complete=True))
    if program:
        packed = path.read_bytes()[begin:]
        assert subprocess.run([program, "-dc"], input=packed, capture_output=True, check=True).stdout == MEMORY
    else:
        assert path.read_bytes()[begin:] == MEMORY


@pytest.mark.parametrize("bypass_cache", [False, True])
def test_a_file_with_places(tmp_path: Path, bypass_cache: bool) -> None:
    """QEMU gets the file itself, the second time past the cache; only the header has been written."""
    path, before = tmp_path / "image", PREFACE.pack(complete=False)
    files = 2 if bypass_cache else 1

    def check(route: object, mode: int) -> None:
        assert isinstance(route, Mapped)
        assert (route.begin, route.channels) == (len(before), 3)
        flags = [fcntl.fcntl(descriptor, fcntl.F_GETFL) for descriptor in route.files]
        assert [each & os.O_ACCMODE for each in flags] == [mode] * files
        assert [bool(each & os.O_DIRECT) for each in flags] == [False, True][:files]
        assert all(os.path.sameopenfile(descriptor, route.files[0]) for descriptor in route.files)

    async def scenario() -> None:
        async with writing(
            str(path), LinuxProcesses(), preface=before, channels=3, bypass_cache=bypass_cache
        ) as target:
            check(target.route, os.O_WRONLY)
            await target.finish()
        assert path.read_bytes() == before
        async with reading(
            str(path), LinuxProcesses(), begin=len(before), channels=3, bypass_cache=bypass_cache
        ) as source:
            check(source.route, os.O_RDONLY)
            assert source.complaints == ""

    run(scenario)


def test_a_pipe_has_no_places(tmp_path: Path) -> None:
    """Nobody is waited for to read it."""
    path = tmp_path / "pipe"
    os.mkfifo(path)

    async def scenario() -> None:
        with pytest.raises(SystemCallError, match=r"Failed to create file '.*': Illegal seek") as refusal:
            async with writing(str(path), LinuxProcesses(), preface=b"some", channels=1):
                pass
        assert "use another format" in refusal.value.hint

    run(scenario)
    assert path.is_fifo()


def test_a_new_file_that_was_not_finished_is_removed(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    old.touch()

    async def scenario() -> None:
        for path in (new, old):
            with pytest.raises(KeyError):
                async with writing(str(path), LinuxProcesses(), preface=b"some"):
                    raise KeyError

    run(scenario)
    assert not new.exists()
    assert old.read_bytes() == b"some"


def test_the_words_of_a_program_that_fails(tmp_path: Path) -> None:
    async def scenario() -> None:
        program = ("sh", "-c", "echo no room for this >&2; exit 3")
        async with writing(str(tmp_path / "image"), LinuxProcesses(), program=program) as target:
            broken = OperationFailed("job 'domain save' failed: Broken pipe")
            explained = await target.explain(broken)
            assert "Broken pipe" in explained.message
            assert "no room for this" in explained.hint
        with pytest.raises(InternalError, match=r"Child process \(sh\) unexpected exit status 3: no room for this"):
            async with writing(str(tmp_path / "image"), LinuxProcesses(), program=program) as target:
                await target.finish()

    run(scenario)


def test_no_file_and_no_program(tmp_path: Path) -> None:
    async def scenario() -> None:
        with pytest.raises(SystemCallError, match="Failed to create file '/nowhere/image': No such file or directory"):
            async with writing("/nowhere/image", LinuxProcesses()):
                pass
        with pytest.raises(SystemCallError, match="Failed to open file"):
            async with reading(str(tmp_path / "none"), LinuxProcesses(), begin=0):
                pass

    run(scenario)
    with pytest.raises(SystemCallError, match="Failed to open file '/nowhere/image'"):
        read_beginning("/nowhere/image")
    with pytest.raises(RoostError, match="Compression program for save image format in configuration file"):
        find_program("no-such-program", "save")
    assert find_program("raw", "save") == find_program("sparse", "save") == ""


def test_an_image_that_nobody_finished_is_found(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(PREFACE.pack(complete=True))
    unfinished = Unfinished(tmp_path)
    assert unfinished.undo("web") is None
    with unfinished.noted("web", "save", str(image)):
        assert Unfinished(tmp_path).undo("web") == ("save", str(image), True)
    assert image.read_bytes()[:16] == b"LibvirtQemudPart"
    assert list(tmp_path.iterdir()) == [image]
    # Only what is an image is touched.
    other = tmp_path / "other"
    other.write_bytes(b"somebody's words")
    with unfinished.noted("web", "dump", str(other)):
        assert unfinished.undo("web") == ("dump", str(other), False)
    assert other.read_bytes() == b"somebody's words"
