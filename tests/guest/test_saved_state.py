"""Guests on disk and back, over a real QEMU: what they notice, what clients are told, what is left when it fails."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roost.constants import blocks as B
from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import jobs as J
from roost.constants import node as N
from roost.constants import statistics as S
from roost.contract.blocks import Blocks
from roost.contract.domains import Consoles, Domains, Inspection, Lifecycle, Monitor
from roost.contract.jobs import Jobs
from roost.contract.references import DomainRef
from roost.contract.state import Memory, SavedState
from roost.contract.statistics import Statistics
from roost.contract.streams import ByteStream
from roost.contract.typed_params import int_, string
from roost.drivers.qemu.monitor import COMMAND_HMP
from roost.drivers.qemu.state import files
from roost.errors import (
    ArgumentUnsupported,
    ConfigUnsupported,
    InternalError,
    InvalidArg,
    OperationAborted,
    OperationFailed,
    OperationInvalid,
    OperationUnsupported,
    RoostError,
    SystemCallError,
)
from support.guests import domain_xml
from support.world import PATIENCE, World, run, world_root

pytestmark = pytest.mark.guest

SUSPENDED, RESUMED = (E.ID_LIFECYCLE, E.SUSPENDED, E.SUSPENDED_PAUSED), (E.ID_LIFECYCLE, E.RESUMED, E.RESUMED_UNPAUSED)
STOPPED_SAVED = (E.ID_LIFECYCLE, E.STOPPED, E.STOPPED_SAVED)
RESTORED = (E.ID_LIFECYCLE, E.STARTED, E.STARTED_RESTORED)


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as made:
        yield made


def small_xml(name: str, devices: str = "", extra: str = "") -> str:
    """A guest without anything to boot: it runs its firmware."""
    return f"""<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
    <os><type arch='x86_64' machine='pc'>hvm</type></os>{extra}
    <devices><serial type='pty'/><video><model type='vga'/></video>{devices}</devices></domain>"""


@pytest.mark.parametrize("format", ["gzip", "bzip2", "xz", "lzop", "zstd"])
def test_compressed_images(root: Path, format: str) -> None:
    if shutil.which(format) is None:
        pytest.skip(f"{format} is not installed")

    async def scenario(world: World) -> None:
        state = world.get(SavedState)
        ref, path = await started(world, "s-packed"), root / "image"
        parameters = [string(D.SAVE_PARAM_FILE, str(path)), string(D.SAVE_PARAM_IMAGE_FORMAT, format)]
        await state.save_with(ref, parameters, D.SAVE_PAUSED)
        # What stands before the memory is not compressed.
        assert b"<domain type='qemu'>" in path.read_bytes()[:200]
        await state.restore_with(parameters[:1], 0)
        assert world.get(Inspection).state(ref, 0)[0] == D.PAUSED
        with pytest.raises(ArgumentUnsupported, match="parameter 'parallel' not supported"):
            await state.save_with(ref, [*parameters, string("parallel", "1")], 0)
        with pytest.raises(InvalidArg, match="Parallel save is only supported with the 'sparse' save image format"):
            await state.save_with(ref, [*parameters, int_(D.SAVE_PARAM_PARALLEL_CHANNELS, 2)], 0)
        with pytest.raises(InvalidArg, match="Parallel save is only supported"):
            await state.restore_with([*parameters[:1], int_(D.SAVE_PARAM_PARALLEL_CHANNELS, 2)], 0)
        with pytest.raises(OperationFailed, match="Invalid image_format 'zip'"):
            await state.save_with(ref, [string("image_format", "zip")], 0)
        await state.save_with(ref, parameters[1:], 0)
        assert world.get(Inspection).has_managed_save(ref, 0)

    run(root, scenario)


async def started(world: World, name: str, devices: str = "", extra: str = "") -> DomainRef:
    ref = await world.get(Domains).define(small_xml(name, devices, extra), 0)
    made: DomainRef = await world.get(Lifecycle).create(ref, 0)
    world.events.clear()
    return made


def kinds(world: World) -> list[tuple[Any, ...]]:
    """The events, without the statistics that come with one of them, nor how often the memory was gone through."""
    told = [event for event in world.events if event[0] != E.ID_MIGRATION_ITERATION]
    return [event[:1] if event[0] == E.ID_JOB_COMPLETED else event for event in told]


async def count(world: World, stream: ByteStream) -> int:
    """What the guest's counter stands at."""
    await stream.write(b"sh echo counted $(cat /tmp/count).\n")
    text = await world.read_until(stream, ".\r\nsh: exit")
    return int(text.rsplit("counted ", 1)[1].split(".")[0])


async def console(world: World, ref: DomainRef) -> ByteStream:
    stream: ByteStream = await world.get(Consoles).open_console(ref, None, 0)
    return stream


def test_a_counter_in_memory_goes_on(root: Path) -> None:
    """Through a plain image, one past the cache, a compressed one, and the managed save."""

    async def scenario(world: World) -> None:
        state, life, domains = world.get(SavedState), world.get(Lifecycle), world.get(Domains)
        agent = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
        ref = await domains.define(domain_xml("s-count", devices=agent, memory_mib=96), 0)
        ref = await life.create(ref, 0)
        stream = await world.booted(ref)
        await stream.write(b"quiet\n")
        await world.read_until(stream, "quiet: on")
        counter = (
            "sh (n=0; while :; do n=$((n+1)); echo $n >/tmp/count; usleep 20000; done) </dev/null >/dev/null 2>&1 &"
        )
        await stream.write(counter.encode() + b"\n")
        await world.read_until(stream, "sh: exit 0")
        await asyncio.sleep(0.5)
        last = await count(world, stream)
        for name, flags in (("plain", 0), ("direct", D.SAVE_BYPASS_CACHE)):
            stream.abort()
            path = str(root / name)
            await state.save(ref, path, None, flags)
            await state.restore(path, None, flags)
            stream = await console(world, domains.lookup_by_name("s-count"))
            assert await count(world, stream) >= last
            last = await count(world, stream)
        stream.abort()
        ref = domains.lookup_by_name("s-count")
        await state.managed_save(ref, 0)
        assert domains.list_all(D.LIST_DOMAINS_MANAGEDSAVE) == [ref._replace(id=-1)]
        ref = await life.create(ref, 0)
        assert not world.get(Inspection).has_managed_save(ref, 0)
        assert not list((root / "lib" / "save").iterdir())
        stream = await console(world, ref)
        before = await count(world, stream)
        assert before >= last
        await asyncio.sleep(0.5)
        assert await count(world, stream) > before
        stream.abort()

    run(root, scenario)


def test_what_clients_are_told(root: Path) -> None:
    async def scenario(world: World) -> None:
        state, look, jobs = world.get(SavedState), world.get(Inspection), world.get(Jobs)
        ref, path = await started(world, "s-told"), str(root / "image")
        await state.save(ref, path, None, 0)
        assert kinds(world) == [SUSPENDED, (E.ID_JOB_COMPLETED,), STOPPED_SAVED]
        assert look.state(ref, 0) == (D.SHUTOFF, D.SHUTOFF_SAVED)
        assert os.stat(path).st_mode & 0o777 == 0o600
        kind, parameters = await jobs.statistics(ref, J.STATS_COMPLETED)
        assert kind == J.COMPLETED
        (completed,) = [event for event in world.events if event[0] == E.ID_JOB_COMPLETED]
        assert parameters[0] == completed[1][0] == ("operation", (1, J.OPERATION_SAVE))
        assert (E.ID_MIGRATION_ITERATION, 1) in world.events
        world.events.clear()
        await state.restore(path, None, 0)
        assert world.events == [RESTORED, (E.ID_LIFECYCLE, E.RESUMED, E.RESUMED_FROM_SNAPSHOT)]
        assert look.state(ref, 0) == (D.RUNNING, D.RUNNING_RESTORED)
        with pytest.raises(OperationInvalid, match="domain 's-told' is already active"):
            await state.restore(path, None, 0)
        await state.save(ref, path, None, D.SAVE_PAUSED)
        world.events.clear()
        await state.restore(path, None, 0)
        assert world.events == [RESTORED, (E.ID_LIFECYCLE, E.SUSPENDED, E.SUSPENDED_RESTORED)]
        assert look.state(ref, 0)[0] == D.PAUSED
        world.events.clear()
        await state.managed_save(ref, D.SAVE_RUNNING)
        await world.get(Lifecycle).create(ref, D.START_PAUSED)
        assert kinds(world)[-2:] == [RESTORED, SUSPENDED]
        assert await jobs.info(ref) == (0,) * 12

    run(root, scenario)


def test_the_document_in_an_image(root: Path) -> None:
    async def scenario(world: World) -> None:
        state, life = world.get(SavedState), world.get(Lifecycle)
        vnc = "<graphics type='vnc' autoport='yes' listen='127.0.0.1' passwd='secret'/>"
        ref, path = await started(world, "s-image", vnc), str(root / "image")
        await state.save(ref, path, None, 0)
        shown = await state.describe_image(path, 0)
        assert "secret" not in shown
        assert "secret" in await state.describe_image(path, D.SAVE_IMAGE_XML_SECURE)
        for part in ("<domain type='qemu' id", "<alias", "port='59", "seclabel", "/dev/pts"):
            assert part not in shown
        titled = shown.replace("<uuid>", "<title>other</title><uuid>", 1)
        await state.define_image(path, titled, D.SAVE_PAUSED)
        with pytest.raises(ConfigUnsupported, match="Target domain name 'x' does not match source 's-image'"):
            await state.define_image(path, shown.replace("s-image", "x"), 0)
        with pytest.raises(OperationFailed, match="new xml too large"):
            await state.define_image(path, titled.replace("other", "x" * 100_000), 0)
        await state.restore(path, None, 0)
        assert "<title>other</title>" in world.get(Domains).describe(ref, 0)
        assert "<title>" not in world.get(Domains).describe(ref, D.XML_INACTIVE)
        assert world.get(Inspection).state(ref, 0)[0] == D.PAUSED
        await state.managed_save(ref, 0)
        await state.define_managed_save(ref, shown, D.SAVE_RUNNING)
        assert "<title>" not in await state.describe_managed_save(ref, 0)
        with pytest.raises(OperationInvalid, match="Refusing to undefine while domain managed save image exists"):
            await world.get(Domains).undefine(ref, 0)
        await life.create(ref, D.START_FORCE_BOOT)
        assert world.get(Inspection).state(ref, 0) == (D.RUNNING, D.RUNNING_BOOTED)
        with pytest.raises(OperationInvalid, match="domain does not have managed save image"):
            await state.describe_managed_save(ref, 0)
        with pytest.raises(SystemCallError, match="Failed to remove managed save file"):
            await state.remove_managed_save(ref, 0)

    run(root, scenario)


def test_what_belongs_to_a_run_is_not_in_its_image(root: Path) -> None:
    """The processor is what was asked for, chains are found anew, sockets are the next run's."""
    base, top = str(root / "base"), str(root / "top")
    for words in ((base, "8M"), (top, "-b", base, "-F", "qcow2")):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *words], check=True)
        os.chmod(words[0], 0o666)

    async def scenario(world: World) -> None:
        state, domains = world.get(SavedState), world.get(Domains)
        devices = f"""<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
        <graphics type='vnc'><listen type='socket'/></graphics>
        <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{root}/top'/>
        <target dev='vda' bus='virtio'/></disk>"""
        ref, path = await started(world, "s-run", devices, "<cpu mode='host-model'/>"), str(root / "image")
        live = domains.describe(ref, 0)
        assert "<backingStore type='file'" in live
        await state.save(ref, path, None, 0)
        shown = await state.describe_image(path, 0)
        assert "<cpu mode='host-model'" in shown
        for part in ("<backingStore", f"{root}/lib"):
            assert part not in shown
        other = await started(world, "s-seen", "<graphics type='vnc' autoport='yes'/>")
        assert "listen='127.0.0.1'" in domains.describe(other, 0)
        await state.managed_save(other, 0)
        assert "<listen type='address'/>" in await state.describe_managed_save(other, 0)
        await state.restore(path, None, 0)
        for document in (domains.describe(ref, D.XML_INACTIVE), None, live, domains.describe(ref, 0)):
            await state.save(ref, path, document, 0)
            await state.restore(path, document, 0)
        assert world.get(Inspection).state(ref, 0) == (D.RUNNING, D.RUNNING_RESTORED)

    run(root, scenario)


def test_images_of_a_guest_that_is_restored_paused(root: Path) -> None:
    """Jobs may work on them before it runs."""
    base, top = str(root / "base"), str(root / "top")
    for words in ((base, "8M"), (top, "-b", base, "-F", "qcow2")):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *words], check=True)
        os.chmod(words[0], 0o666)

    async def scenario(world: World) -> None:
        state, path = world.get(SavedState), str(root / "image")
        disk = f"""<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{top}'/>
        <target dev='vda' bus='virtio'/></disk>"""
        ref = await started(world, "s-still", disk)
        await state.save(ref, path, None, D.SAVE_PAUSED)
        await state.restore(path, None, 0)
        assert world.get(Inspection).state(ref, 0)[0] == D.PAUSED
        await world.get(Blocks).pull(ref, "vda", 0, 0)
        await world.seen(E.ID_BLOCK_JOB_2, "vda", B.JOB_TYPE_PULL, B.JOB_COMPLETED)

    run(root, scenario)


def test_a_damaged_image_starts_nothing(root: Path) -> None:
    async def scenario(world: World) -> None:
        state, domains = world.get(SavedState), world.get(Domains)
        ref, path = await started(world, "s-damaged"), root / "image"
        await state.save(ref, str(path), None, 0)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(
            InternalError, match=r"(?s)qemu unexpectedly closed the monitor: .*load of migration failed"
        ):
            await state.restore(str(path), None, 0)
        assert not domains.is_active(ref)
        await state.managed_save(await world.get(Lifecycle).create(ref, 0), 0)
        image = root / "lib" / "save" / "s-damaged.save"
        whole = image.read_bytes()
        image.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(InternalError):
            await world.get(Lifecycle).create(ref, 0)
        assert image.exists()
        image.write_bytes(b"LibvirtQemudPart" + whole[16:])
        ref = await world.get(Lifecycle).create(ref, 0)
        assert world.get(Inspection).state(ref, 0) == (D.RUNNING, D.RUNNING_BOOTED)
        assert not image.exists()

    run(root, scenario)


def test_what_cannot_be_saved_goes_on(root: Path) -> None:
    async def scenario(world: World) -> None:
        state, look = world.get(SavedState), world.get(Inspection)
        ref = await started(world, "s-refused")
        with pytest.raises(SystemCallError, match="Failed to create file '/nowhere/image': No such file or directory"):
            await state.save(ref, "/nowhere/image", None, 0)
        assert world.events == [SUSPENDED, RESUMED]
        assert look.state(ref, 0) == (D.RUNNING, D.RUNNING_SAVE_CANCELED)
        other = world.get(Domains).describe(ref, D.XML_INACTIVE).replace("32768", "65536")
        with pytest.raises(ConfigUnsupported, match="Target domain max memory 65536 does not match source 32768"):
            await state.save(ref, str(root / "image"), other, 0)
        with pytest.raises(InvalidArg, match="are mutually exclusive"):
            await state.save(ref, str(root / "image"), None, D.SAVE_RUNNING | D.SAVE_PAUSED)
        assert not (root / "image").exists()
        assert look.state(ref, 0)[0] == D.RUNNING

    run(root, scenario)


def test_a_guest_that_cannot_be_moved_goes_on(root: Path) -> None:
    """QEMU's own refusal; nothing of the attempt is left in it."""

    async def scenario(world: World) -> None:
        state, look = world.get(SavedState), world.get(Inspection)
        words = ["-blockdev", "driver=null-co,node-name=none", "-device", "nvme,drive=none,serial=1,addr=0x1d"]
        arguments = "".join(f"<qemu:arg value='{word}'/>" for word in words)
        document = small_xml("s-blocked").replace(
            "type='qemu'>", "type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
        )
        document = document.replace("</domain>", f"<qemu:commandline>{arguments}</qemu:commandline></domain>")
        ref = await world.get(Domains).create_xml(document, 0)
        for _ in range(2):
            with pytest.raises(RoostError, match="non-migratable device"):
                await state.save(ref, str(root / "image"), None, 0)
        assert not (root / "image").exists()
        assert look.state(ref, 0) == (D.RUNNING, D.RUNNING_BOOTED)

    run(root, scenario)


def test_a_managed_save_outlives_the_daemon(root: Path) -> None:
    """Autostart goes on from it; and it is found again where a daemon died while it was used."""
    image = root / "lib" / "save" / "s-auto.save"

    async def first(world: World) -> None:
        ref = await started(world, "s-auto")
        await world.get(Domains).set_autostart(ref, True)
        await world.get(SavedState).managed_save(ref, 0)

    async def second(world: World) -> None:
        ref = world.get(Domains).lookup_by_name("s-auto")
        assert world.get(Inspection).state(ref, 0) == (D.RUNNING, D.RUNNING_RESTORED)
        assert not image.exists()
        await world.get(SavedState).managed_save(ref, 0)
        image.rename(f"{image}.restoring")

    async def third(world: World) -> None:
        ref = world.get(Domains).lookup_by_name("s-auto")
        assert world.get(Inspection).has_managed_save(ref, 0)
        await world.get(Domains).undefine(ref, D.UNDEFINE_MANAGED_SAVE)
        assert not image.exists()

    run(root, first)
    (root / "run" / "qemu" / "autostarted").unlink()
    run(root, second)
    run(root, third)


class Pipe:
    """A file to save to that takes only as much as the test wants."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = str(path)
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    async def take(self, size: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while size > 0:
                try:
                    data = os.read(self.descriptor, min(size, 4096))
                except BlockingIOError:
                    data = b""
                size -= len(data)
                if not data:
                    await asyncio.sleep(0.01)

    def close(self) -> None:
        os.close(self.descriptor)


async def under_way(world: World, ref: DomainRef) -> tuple[int, ...]:
    """Wait until a job writes memory; its numbers."""
    async with asyncio.timeout(PATIENCE):
        while True:
            info: tuple[int, ...] = await world.get(Jobs).info(ref)
            if info[3]:
                return info
            await asyncio.sleep(0.02)


def test_a_save_is_watched_and_aborted(root: Path) -> None:
    async def scenario(world: World) -> None:
        state, jobs, look = world.get(SavedState), world.get(Jobs), world.get(Inspection)
        ref, pipe = await started(world, "s-abort"), Pipe(root / "pipe")
        saving = asyncio.create_task(state.save(ref, pipe.path, None, 0))
        await pipe.take(66_000)
        info = await under_way(world, ref)
        assert info[0] == J.UNBOUNDED
        assert info[5] > 0
        kind, parameters = await jobs.statistics(ref, 0)
        assert kind == J.UNBOUNDED
        assert parameters[0].value[1] == J.OPERATION_SAVE
        assert await jobs.statistics(ref, J.STATS_COMPLETED) == (J.NONE, ())
        # Looking does not wait for the job.
        assert look.state(ref, 0) == (D.PAUSED, D.PAUSED_SAVE)
        assert look.control_info(ref, 0)[0] == D.CONTROL_JOB
        await jobs.abort(ref, 0)
        pipe.close()
        with pytest.raises(OperationAborted, match="job 'domain save' canceled by client"):
            await saving
        assert look.state(ref, 0) == (D.RUNNING, D.RUNNING_SAVE_CANCELED)
        with pytest.raises(OperationInvalid, match="no job is active on the domain"):
            await jobs.abort(ref, 0)
        assert not list((root / "run" / "qemu").glob("*.saving"))

    run(root, scenario)


def test_a_pipe_that_nobody_reads_is_no_place_for_memory(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor one to restore from; no thread of the daemon waits in it for ever."""
    monkeypatch.setattr(files, "_LOOKS_FOR_READER", 3)

    async def scenario(world: World) -> None:
        state, look = world.get(SavedState), world.get(Inspection)
        ref, path = await started(world, "s-unread"), root / "unread"
        os.mkfifo(path)
        with pytest.raises(SystemCallError, match="nobody reads the pipe") as refusal:
            await state.save(ref, str(path), None, 0)
        assert "start what reads it first" in refusal.value.hint
        assert look.state(ref, 0) == (D.RUNNING, D.RUNNING_SAVE_CANCELED)
        assert path.is_fifo()
        with pytest.raises(SystemCallError, match="an image is read from a file, this is a pipe"):
            await state.restore(str(path), None, 0)
        late = asyncio.create_task(state.save(ref, str(path), None, 0))
        await asyncio.sleep(0.02)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        await under_way(world, ref)
        os.close(reader)
        with pytest.raises(OperationFailed):
            await late

    run(root, scenario)


def test_qemu_killed_while_it_is_saved(root: Path) -> None:
    async def scenario(world: World) -> None:
        state, look = world.get(SavedState), world.get(Inspection)
        ref, pipe = await started(world, "s-killed"), Pipe(root / "pipe")
        saving = asyncio.create_task(state.save(ref, pipe.path, None, 0))
        await pipe.take(66_000)
        await under_way(world, ref)
        os.kill(int((root / "run" / "qemu" / "s-killed.pid").read_text()), signal.SIGKILL)
        with pytest.raises(OperationFailed, match="domain is not running"):
            await saving
        pipe.close()
        # The monitor may tell of the end before the process does.
        await world.seen(E.ID_LIFECYCLE, E.STOPPED, E.STOPPED_FAILED)
        assert look.state(ref, 0)[0] == D.SHUTOFF
        ref = await world.get(Lifecycle).create(ref, 0)
        assert look.state(ref, 0) == (D.RUNNING, D.RUNNING_BOOTED)

    run(root, scenario)


def test_dumps(root: Path) -> None:
    async def scenario(world: World) -> None:
        memory, look = world.get(Memory), world.get(Inspection)
        ref, path = await started(world, "s-dump"), root / "core"
        await memory.dump(ref, str(path), D.CORE_DUMP_FORMAT_RAW, 0)
        assert kinds(world) == [SUSPENDED, (E.ID_JOB_COMPLETED,), RESUMED]
        assert path.read_bytes()[:4] == b"QEVM"
        only = D.DUMP_MEMORY_ONLY
        world.events.clear()
        await memory.dump(ref, str(path), D.CORE_DUMP_FORMAT_RAW, only)
        assert path.read_bytes()[:4] == b"\x7fELF"
        assert kinds(world) == [SUSPENDED, RESUMED]
        await memory.dump(ref, str(path), D.CORE_DUMP_FORMAT_KDUMP_ZLIB, only | D.DUMP_LIVE | D.DUMP_BYPASS_CACHE)
        assert path.read_bytes()[:12] == b"makedumpfile"
        await world.seen(*RESUMED)
        with pytest.raises(OperationFailed, match="memory-only dump failed: win-dump"):
            await memory.dump(ref, str(root / "other"), D.CORE_DUMP_FORMAT_WIN_DMP, only)
        assert not (root / "other").exists()
        with pytest.raises(OperationUnsupported, match="only supported with memory-only dump"):
            await memory.dump(ref, str(path), D.CORE_DUMP_FORMAT_KDUMP_ZLIB, 0)
        with pytest.raises(InvalidArg, match="dumpformat '9' is not supported"):
            await memory.dump(ref, str(path), 9, only)
        with pytest.raises(InvalidArg, match="'VIR_DUMP_CRASH' and 'VIR_DUMP_LIVE' are mutually exclusive"):
            await memory.dump(ref, str(path), 0, D.DUMP_CRASH | D.DUMP_LIVE)
        await memory.dump(ref, str(path), 0, D.DUMP_RESET)
        assert (E.ID_REBOOT,) in world.events
        assert look.state(ref, 0)[0] == D.RUNNING
        await memory.dump(ref, str(path), 0, D.DUMP_CRASH | only)
        assert world.events[-1] == (E.ID_LIFECYCLE, E.STOPPED, E.STOPPED_CRASHED)
        assert look.state(ref, 0) == (D.SHUTOFF, D.SHUTOFF_CRASHED)

    run(root, scenario)


#: What a guest's kernel tells the ISA panic device when it has panicked.
PANIC = "o /b 0x505 1"


@pytest.mark.parametrize(
    ("action", "end"),
    [("destroy", (E.ID_LIFECYCLE, E.STOPPED, E.STOPPED_CRASHED)), ("restart", (E.ID_REBOOT,))],
)
def test_the_memory_of_a_guest_that_crashed(root: Path, action: str, end: tuple[int, ...]) -> None:
    async def scenario(world: World) -> None:
        crash = f"<on_crash>coredump-{action}</on_crash>"
        ref = await started(world, "s-panic", "<panic model='isa'/>", crash)
        await world.get(Monitor).command(ref, PANIC, COMMAND_HMP)
        await world.seen(E.ID_LIFECYCLE, E.CRASHED, E.CRASHED_PANICKED)
        await world.seen(*end)
        (dump,) = (root / "lib" / "dump").iterdir()
        assert dump.name.startswith(f"{ref.id}-s-panic-")
        assert dump.read_bytes()[:4] == b"\x7fELF"

    run(root, scenario)


def test_screen_memory_and_rate(root: Path) -> None:
    async def scenario(world: World) -> None:
        memory = world.get(Memory)
        ref = await started(world, "s-look")
        picture = await memory.screenshot(ref, 0, 0)
        assert picture.mime == "image/png"
        assert (await picture.read(8)) == b"\x89PNG\r\n\x1a\n"
        while await picture.read(65536):
            pass
        await picture.finish()
        with pytest.raises(OperationInvalid, match="no such screen ID"):
            await memory.screenshot(ref, 5, 0)
        await world.get(Lifecycle).suspend(ref)
        # The reset vector at the end of the firmware jumps.
        assert (await memory.peek(ref, 0xFFFFFFF0, 16, N.MEMORY_PHYSICAL))[0] == 0xEA
        assert len(await memory.peek(ref, 0, 5000, N.MEMORY_VIRTUAL)) == 5000
        with pytest.raises(InvalidArg, match="must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL"):
            await memory.peek(ref, 0, 1, N.MEMORY_VIRTUAL | N.MEMORY_PHYSICAL)
        for seconds in (0, 61):
            with pytest.raises(ConfigUnsupported, match="please choose value within"):
                await memory.start_dirty_rate(ref, seconds, 0)
        with pytest.raises(OperationUnsupported, match="requires dirty-ring feature enabled"):
            await memory.start_dirty_rate(ref, 1, D.DIRTYRATE_MODE_DIRTY_RING)
        await memory.start_dirty_rate(ref, 60, 0)
        while await dirty_rate_status(world, ref) != D.DIRTYRATE_MEASURING:  # noqa: ASYNC110 - QEMU's thread begins alone
            await asyncio.sleep(0.01)
        with pytest.raises(RoostError, match="already being measured"):
            await memory.start_dirty_rate(ref, 1, 0)

    run(root, scenario)


async def dirty_rate_status(world: World, ref: DomainRef) -> object:
    stats = dict((await world.get(Statistics).all_stats([ref], S.DIRTYRATE, 0))[0][1])
    return stats["dirtyrate.calc_status"][1]


def test_nothing_of_it_on_a_domain_that_does_not_run(root: Path) -> None:
    async def scenario(world: World) -> None:
        state, memory, jobs = world.get(SavedState), world.get(Memory), world.get(Jobs)
        ref = await world.get(Domains).define(small_xml("s-off"), 0)
        for refused in (
            state.save(ref, "/x", None, 0),
            state.managed_save(ref, 0),
            memory.dump(ref, "/x", 0, 0),
            memory.screenshot(ref, 0, 0),
            memory.peek(ref, 0, 1, N.MEMORY_PHYSICAL),
            memory.start_dirty_rate(ref, 1, 0),
            jobs.info(ref),
            jobs.statistics(ref, 0),
            jobs.abort(ref, 0),
        ):
            with pytest.raises(OperationInvalid, match="domain is not running"):
                await refused

    run(root, scenario)
