"""test:///default: what is saved is the document, and memory is its own addresses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from roost.constants import domain as D
from roost.constants import node as N
from roost.contract.domains import Domains, Inspection, Lifecycle
from roost.contract.state import Memory, SavedState
from roost.drivers.test.driver import make_backend
from roost.drivers.test.state import MAGIC
from roost.drivers.test.world import World
from roost.errors import (
    ArgumentUnsupported,
    InternalError,
    InvalidArg,
    OperationInvalid,
    OperationUnsupported,
    SystemCallError,
)


def test_saved_and_restored(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World()
        backend, path = make_backend(world), str(tmp_path / "image")
        state, ref = backend.get(SavedState), world.table.by_name("test").ref
        with pytest.raises(ArgumentUnsupported, match="xml modification unsupported"):
            await state.save(ref, path, "<domain/>", 0)
        await state.save(ref, path, None, 0)
        assert backend.get(Inspection).state(ref, 0) == (D.SHUTOFF, D.SHUTOFF_SAVED)
        shown = await state.describe_image(path, 0)
        await state.define_image(path, shown.replace("<memory", "<title>other</title><memory"), 0)
        await state.restore(path, None, 0)
        assert backend.get(Inspection).state(ref, 0) == (D.RUNNING, D.RUNNING_RESTORED)
        assert "<title>other</title>" in backend.get(Domains).describe(ref, 0)
        with pytest.raises(OperationInvalid, match="is already active"):
            await state.restore(path, None, 0)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "incomplete save header"),
        (b"x" * 40, "mismatched header magic"),
        (MAGIC + b"\xff\xff\xff\x7f", "length of metadata out of range"),
        (MAGIC + b"\1", "length of metadata out of range"),
    ],
)
def test_what_is_no_image(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "image").write_bytes(data)

    async def scenario() -> None:
        with pytest.raises((InternalError, SystemCallError), match=words):
            await make_backend(World()).get(SavedState).restore(str(tmp_path / "image"), None, 0)

    asyncio.run(scenario())


def test_a_managed_save_is_a_mark() -> None:
    async def scenario() -> None:
        world = World()
        backend = make_backend(world)
        state, ref = backend.get(SavedState), world.table.by_name("test").ref
        await state.managed_save(ref, 0)
        assert backend.get(Inspection).has_managed_save(ref, 0)
        with pytest.raises(OperationInvalid, match="Refusing to undefine while domain managed save image exists"):
            await backend.get(Domains).undefine(ref, 0)
        await backend.get(Lifecycle).create(ref, 0)
        assert not backend.get(Inspection).has_managed_save(ref, 0)

    asyncio.run(scenario())


def test_memory(tmp_path: Path) -> None:
    async def scenario() -> None:
        world = World()
        memory, ref, path = make_backend(world).get(Memory), world.table.by_name("test").ref, str(tmp_path / "core")
        assert await memory.peek(ref, 254, 4, N.MEMORY_PHYSICAL) == b"\xfe\xff\0\1"
        with pytest.raises(InvalidArg, match="must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL"):
            await memory.peek(ref, 0, 1, 0)
        with pytest.raises(OperationUnsupported):
            await memory.dump(ref, path, D.CORE_DUMP_FORMAT_KDUMP_ZLIB, 0)
        await memory.dump(ref, path, 0, D.DUMP_CRASH)
        assert world.table.by_name("test").reason == D.SHUTOFF_CRASHED

    asyncio.run(scenario())
    assert (tmp_path / "core").read_bytes() == MAGIC
