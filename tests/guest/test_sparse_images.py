"""Save images in which each page has its place, over a real QEMU that can write them."""

from __future__ import annotations

import asyncio
import functools
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import node as N
from roost.constants import snapshot as S
from roost.contract.domains import Domains, Inspection, Lifecycle, Monitor
from roost.contract.jobs import Jobs
from roost.contract.references import DomainRef
from roost.contract.snapshots import Snapshots
from roost.contract.state import Memory, SavedState
from roost.contract.typed_params import TypedParam, int_, string
from roost.drivers.qemu.config import QemuConfig
from roost.drivers.qemu.state import save
from roost.drivers.qemu.state.header import FORMATS
from roost.drivers.qemu.state.migration import MemoryWriter
from roost.errors import (
    ArgumentUnsupported,
    InternalError,
    InvalidArg,
    OperationAborted,
    OperationFailed,
    RoostError,
    SystemCallError,
)
from support.emulators import has_mapped_ram, need_mapped_ram
from support.world import PATIENCE, World, run, world_root

pytestmark = pytest.mark.guest

SPARSE = string(D.SAVE_PARAM_IMAGE_FORMAT, "sparse")
CONFIGURED = QemuConfig(snapshot_image_format="sparse")
#: Where the guest has what its firmware does not touch, and how much of it.
PLACE, SIZE = 0x800000, 8 << 20


@pytest.fixture
def root() -> Iterator[Path]:
    need_mapped_ram()
    with world_root() as made:
        yield made


def channels(number: int) -> TypedParam:
    return int_(D.SAVE_PARAM_PARALLEL_CHANNELS, number)


def fill(root: Path) -> bytes:
    """Other bytes for the guests that are started next; nothing would make them fewer."""
    data = random.randbytes(SIZE)
    (root / "noise").write_bytes(data)
    (root / "noise").chmod(0o644)
    return data


async def started(world: World, name: str) -> DomainRef:
    """A guest with noise in its memory, which does not run but for its firmware."""
    fill(world.root)
    words = ["-device", f"loader,file={world.root}/noise,addr={PLACE:#x},force-raw=on"]
    arguments = "".join(f"<qemu:arg value='{word}'/>" for word in words)
    document = f"""<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>{name}</name>
    <memory unit='MiB'>32</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
    <devices><serial type='pty'/></devices><qemu:commandline>{arguments}</qemu:commandline></domain>"""
    ref = await world.get(Domains).define(document, 0)
    made: DomainRef = await world.get(Lifecycle).create(ref, 0)
    world.events.clear()
    return made


async def remembers(world: World, ref: DomainRef, data: bytes) -> bool:
    memory = world.get(Memory)
    places = (0, SIZE // 2, SIZE - 65536)
    return all([await memory.peek(ref, PLACE + at, 65536, N.MEMORY_PHYSICAL) == data[at : at + 65536] for at in places])


async def asked(world: World, ref: DomainRef, command: str) -> str:
    answer: str = await world.get(Monitor).command(ref, f'{{"execute": "{command}"}}', 0)
    return answer


@pytest.mark.parametrize(
    ("out", "back", "flags"),
    [(None, None, 0), (1, 3, 0), (4, 2, 0), (None, None, D.SAVE_BYPASS_CACHE), (3, 4, D.SAVE_BYPASS_CACHE)],
    ids=["alone", "one", "several", "direct", "direct-several"],
)
def test_memory_comes_back(root: Path, out: int | None, back: int | None, flags: int) -> None:
    """By other channels than it went, and over what a start would have put there."""

    async def scenario(world: World) -> None:
        state, path = world.get(SavedState), root / "image"
        ref = await started(world, "m-back")
        data = (root / "noise").read_bytes()
        file = string(D.SAVE_PARAM_FILE, str(path))
        await state.save_with(ref, [file, SPARSE, *([channels(out)] if out else [])], flags | D.SAVE_PAUSED)
        assert world.get(Inspection).state(ref, 0) == (D.SHUTOFF, D.SHUTOFF_SAVED)
        # It is as long as the memory, and takes as much room as there is in it.
        assert path.stat().st_size > 32 << 20
        assert path.stat().st_blocks * 512 < 20 << 20
        fill(root)
        await state.restore_with([file, *([channels(back)] if back else [])], flags)
        assert world.get(Inspection).state(ref, 0)[0] == D.PAUSED
        assert await remembers(world, ref, data)
        # A stream after that is one again, and QEMU has nothing of the file any more.
        assert '"return":[]' in await asked(world, ref, "query-fdsets")
        await state.save(ref, str(path), None, 0)
        await state.restore(str(path), None, 0)
        assert await remembers(world, ref, data)

    run(root, scenario)


def test_a_managed_save(root: Path) -> None:
    async def scenario(world: World) -> None:
        state, life = world.get(SavedState), world.get(Lifecycle)
        ref = await started(world, "m-managed")
        data = (root / "noise").read_bytes()
        await state.save_with(ref, [SPARSE, channels(2)], 0)
        assert world.get(Inspection).has_managed_save(ref, 0)
        shown = await state.describe_managed_save(ref, 0)
        await state.define_managed_save(ref, shown.replace("<uuid>", "<title>other</title><uuid>", 1), D.SAVE_PAUSED)
        fill(root)
        await life.create(ref, D.START_BYPASS_CACHE)
        assert "<title>other</title>" in world.get(Domains).describe(ref, 0)
        assert world.get(Inspection).state(ref, 0)[0] == D.PAUSED
        assert await remembers(world, ref, data)
        assert not world.get(Inspection).has_managed_save(ref, 0)

    run(root, scenario)


def test_wrong_numbers_of_channels(root: Path) -> None:
    async def scenario(world: World) -> None:
        state, look = world.get(SavedState), world.get(Inspection)
        ref, path = await started(world, "m-wrong"), root / "image"
        file = string(D.SAVE_PARAM_FILE, str(path))
        for format in ([], [string(D.SAVE_PARAM_IMAGE_FORMAT, "raw")]):
            with pytest.raises(InvalidArg, match="Parallel save is only supported with the 'sparse' save image format"):
                await state.save_with(ref, [file, *format, channels(0)], 0)
        for number in (0, -1):
            with pytest.raises(InvalidArg, match="number of parallel save channels cannot be less than 1"):
                await state.save_with(ref, [file, SPARSE, channels(number)], 0)
        assert world.events == []
        with pytest.raises(InternalError, match=r"'multifd-channels' expects uint8_t.*QEMU has up to 255"):
            await state.save_with(ref, [file, SPARSE, channels(256)], 0)
        assert look.state(ref, 0) == (D.RUNNING, D.RUNNING_SAVE_CANCELED)
        assert not path.exists()
        await state.save_with(ref, [file, SPARSE], 0)
        for number in (0, -1):
            with pytest.raises(InvalidArg, match="number of parallel save channels cannot be less than 1"):
                await state.restore_with([file, channels(number)], 0)
        with pytest.raises(InternalError, match="'multifd-channels' expects uint8_t"):
            await state.restore_with([file, channels(1000)], 0)
        assert not world.get(Domains).is_active(ref)
        await state.restore_with([file, channels(2)], 0)
        await state.save(ref, str(path), None, 0)
        with pytest.raises(InvalidArg, match="this image is raw"):
            await state.restore_with([file, channels(1)], 0)

    run(root, scenario)


def test_where_no_page_has_a_place(root: Path) -> None:
    async def scenario(world: World) -> None:
        state, look = world.get(SavedState), world.get(Inspection)
        ref, path = await started(world, "m-pipe"), str(root / "pipe")
        os.mkfifo(path)
        with pytest.raises(SystemCallError, match=r"Failed to create file '.*/pipe': Illegal seek.*a pipe has none"):
            await state.save_with(ref, [string(D.SAVE_PARAM_FILE, path), SPARSE], 0)
        with pytest.raises(RoostError, match="failed to truncate migration file"):
            await state.save_with(ref, [string(D.SAVE_PARAM_FILE, "/dev/null"), SPARSE], 0)
        assert look.state(ref, 0) == (D.RUNNING, D.RUNNING_SAVE_CANCELED)
        assert '"return":[]' in await asked(world, ref, "query-fdsets")
        await state.managed_save(ref, 0)

    run(root, scenario)


@pytest.mark.parametrize("length", [70_000, 9 << 20])
def test_a_damaged_image_starts_nothing(root: Path, length: int) -> None:
    """It ends in QEMU's own header, or among the pages."""

    async def scenario(world: World) -> None:
        state, path = world.get(SavedState), root / "image"
        ref, file = await started(world, "m-damaged"), string(D.SAVE_PARAM_FILE, str(root / "image"))
        await state.save_with(ref, [file, SPARSE, channels(2)], 0)
        os.truncate(path, length)
        # Some end by a signal, without a word.
        words = r"(?s)closed the monitor: (.*load of migration failed|it was ended by signal \d+); "
        with pytest.raises(InternalError, match=words):
            await state.restore_with([file, channels(2)], 0)
        assert not world.get(Domains).is_active(ref)

    run(root, scenario)


def declare_sparse(path: Path) -> int:
    """Have an image's header say it; where its memory begins."""
    with path.open("r+b") as image:
        data = image.read(92)
        image.seek(28)
        image.write(b"\6")
    return 92 + int.from_bytes(data[20:24], sys.byteorder)


@pytest.mark.parametrize("flags", [0, D.SAVE_BYPASS_CACHE], ids=["cached", "direct"])
def test_a_stream_that_is_called_sparse(flags: int) -> None:
    """As the memory of libvirt 11.3's snapshots is, where qemu.conf wants it so."""

    async def scenario(world: World) -> None:
        state, path = world.get(SavedState), world.root / "image"
        ref = await started(world, "m-stream")
        data = (world.root / "noise").read_bytes()
        await state.save(ref, str(path), None, flags)
        declare_sparse(path)
        fill(world.root)
        await state.restore(str(path), None, flags)
        assert await remembers(world, ref, data)

    with world_root() as made:
        run(made, scenario)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that takes seconds."""
    monkeypatch.setattr(save, "MemoryWriter", functools.partial(MemoryWriter, bandwidth=1 << 20))


async def under_way(world: World, ref: DomainRef) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            info: tuple[int, ...] = await world.get(Jobs).info(ref)
            if info[5]:
                return
            await asyncio.sleep(0.02)


@pytest.mark.usefixtures("slow")
def test_a_save_is_aborted(root: Path) -> None:
    async def scenario(world: World) -> None:
        state, look = world.get(SavedState), world.get(Inspection)
        ref, path = await started(world, "m-abort"), root / "image"
        data = (root / "noise").read_bytes()
        file = string(D.SAVE_PARAM_FILE, str(path))
        saving = asyncio.create_task(state.save_with(ref, [file, SPARSE, channels(2)], 0))
        await under_way(world, ref)
        assert path.read_bytes()[:16] == b"LibvirtQemudPart"
        assert look.state(ref, 0) == (D.PAUSED, D.PAUSED_SAVE)
        await world.get(Jobs).abort(ref, 0)
        with pytest.raises(OperationAborted, match="job 'domain save' canceled by client"):
            await saving
        assert look.state(ref, 0) == (D.RUNNING, D.RUNNING_SAVE_CANCELED)
        assert not path.exists()
        assert '"return":[]' in await asked(world, ref, "query-fdsets")
        assert "134217728" in await asked(world, ref, "query-migrate-parameters")
        assert await remembers(world, ref, data)

    run(root, scenario)


@pytest.mark.usefixtures("slow")
def test_qemu_killed_while_it_is_saved(root: Path) -> None:
    async def scenario(world: World) -> None:
        state, look = world.get(SavedState), world.get(Inspection)
        ref, path = await started(world, "m-killed"), root / "image"
        parameters = [string(D.SAVE_PARAM_FILE, str(path)), SPARSE]
        saving = asyncio.create_task(state.save_with(ref, parameters, 0))
        await under_way(world, ref)
        os.kill(int((root / "run" / "qemu" / "m-killed.pid").read_text()), signal.SIGKILL)
        with pytest.raises(OperationFailed, match="domain is not running"):
            await saving
        await world.seen(E.ID_LIFECYCLE, E.STOPPED, E.STOPPED_FAILED)
        assert look.state(ref, 0)[0] == D.SHUTOFF
        assert not path.exists()

    run(root, scenario)


@pytest.mark.usefixtures("slow")
def test_a_call_that_is_cancelled(root: Path) -> None:
    """As when the daemon stops: the guest goes on, and its memory may go the other way at once."""

    async def scenario(world: World) -> None:
        state, path = world.get(SavedState), root / "image"
        ref = await started(world, "m-stops")
        data = (root / "noise").read_bytes()
        saving = asyncio.create_task(state.save_with(ref, [string(D.SAVE_PARAM_FILE, str(path)), SPARSE], 0))
        await under_way(world, ref)
        saving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await saving
        assert world.get(Inspection).state(ref, 0)[0] == D.RUNNING
        assert not path.exists()
        aborted = asyncio.create_task(state.save(ref, str(path), None, 0))
        await under_way(world, ref)
        await world.get(Jobs).abort(ref, 0)
        with pytest.raises(OperationAborted):
            await aborted
        assert await remembers(world, ref, data)

    run(root, scenario)


@pytest.mark.parametrize("flags", [0, S.CREATE_LIVE], ids=["halted", "live"])
def test_memory_of_a_snapshot(root: Path, flags: int) -> None:
    async def scenario(world: World) -> None:
        snapshots, path = world.get(Snapshots), root / "memory"
        ref = await started(world, "m-snapshot")
        data = (root / "noise").read_bytes()
        xml = f"<domainsnapshot><name>sparse</name><memory snapshot='external' file='{path}'/></domainsnapshot>"
        snapshot = await snapshots.create(ref, xml, flags)
        assert FORMATS[int.from_bytes(path.read_bytes()[28:32], "little")] == "sparse"
        assert path.stat().st_size > 32 << 20
        assert path.stat().st_blocks * 512 < 20 << 20
        assert world.get(Inspection).state(ref, 0)[0] == D.RUNNING
        assert '"return":[]' in await asked(world, ref, "query-fdsets")
        fill(root)
        await snapshots.revert(snapshot, 0)
        assert world.get(Inspection).state(ref, 0)[0] == D.RUNNING
        assert await remembers(world, ref, data)

    run(root, scenario, CONFIGURED)


def test_a_qemu_that_cannot() -> None:
    """It is told before the guest is stopped for it."""
    if has_mapped_ram():
        pytest.skip("this QEMU writes sparse images")

    async def scenario(world: World) -> None:
        ref, path = await started(world, "m-cannot"), world.root / "image"
        file = string(D.SAVE_PARAM_FILE, str(path))
        with pytest.raises(ArgumentUnsupported, match=r"save image format 'sparse' is not supported; .* no mapped-ram"):
            await world.get(SavedState).save_with(ref, [file, SPARSE], 0)
        xml = f"<domainsnapshot><memory snapshot='external' file='{path}'/></domainsnapshot>"
        with pytest.raises(ArgumentUnsupported, match="no mapped-ram"):
            await world.get(Snapshots).create(ref, xml, 0)
        assert world.events == []
        assert not path.exists()
        # An image that another host has made.
        await world.get(SavedState).save(ref, str(path), None, 0)
        begin = declare_sparse(path)
        with path.open("r+b") as image:
            image.seek(begin)
            image.write(b"QEVM\x0amapped-ram")
        with pytest.raises(ArgumentUnsupported, match="no mapped-ram"):
            await world.get(SavedState).restore(str(path), None, 0)
        assert not world.get(Domains).is_active(ref)

    with world_root() as made:
        run(made, scenario, CONFIGURED)
