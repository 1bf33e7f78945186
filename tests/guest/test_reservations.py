"""Disks whose reservations a helper makes: it comes with the first of them and goes with the last, whatever happens.

QEMU passes a guest's own commands on to SCSI devices alone. A loop device is none: on the SCSI bus QEMU refuses it
after everything has been made for it. A virtio disk of the old kind, which asks nothing at its start, stands on one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from roost.constants import blocks as B
from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.contract.blocks import Blocks
from roost.contract.devices import Devices
from roost.contract.domains import Domains, Lifecycle
from roost.contract.references import DomainRef
from roost.drivers.qemu import reservations
from roost.drivers.qemu.qmp import Event
from roost.errors import OperationFailed, OperationUnsupported, RoostError, SystemCallError
from roost.host.linux import guest_account
from roost.host.linux.processes import start_time
from support import bareguest, mortal
from support.daemon import RoostDaemon
from support.loops import loop_device
from support.peer import virsh, virsh_ok
from support.processes import running
from support.world import PATIENCE, World, run, world_root

pytestmark = [pytest.mark.guest, pytest.mark.root]

LIVE = D.AFFECT_LIVE
MANAGED = "<reservations managed='yes'/>"
HELPER = Path("/usr/bin/qemu-pr-helper")


@pytest.fixture
def root() -> Iterator[Path]:
    if not HELPER.exists():
        pytest.skip("qemu-pr-helper is not installed")
    with world_root() as made:
        try:
            yield made
        finally:
            for pid in helpers(made):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def daemon_root(root: Path) -> Path:
    made = root / "daemon"
    made.mkdir()
    return made


@pytest.fixture
def loops(root: Path) -> Iterator[tuple[Path, Path]]:
    with ExitStack() as stack:
        yield loop_device(stack, root / "one", 4), loop_device(stack, root / "two", 4)


def guest_xml(name: str, disks: str = "") -> str:
    return f"""<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>{name}</name>
    <memory unit='MiB'>64</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
    <features><acpi/></features><devices><controller type='scsi' model='virtio-scsi'/>{disks}</devices>
    <qemu:commandline><qemu:arg value='-global'/><qemu:arg value='virtio-blk-pci.disable-modern=on'/>
    </qemu:commandline></domain>"""


def lun(device: Path, target: str, reservations: str = MANAGED, bus: str = "virtio") -> str:
    return (
        f"<disk type='block' device='lun'><driver name='qemu' type='raw'/><source dev='{device}'>{reservations}"
        f"</source><target dev='{target}' bus='{bus}'/></disk>"
    )


def helpers(root: Path) -> list[int]:
    """The helpers whose sockets are below a directory."""
    return running(f"helper.* {root}/.*/pr-helper0[.]sock")


def until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Scene:
    """A guest of a world, and what there is of helpers for it."""

    def __init__(self, world: World, ref: DomainRef) -> None:
        self.world, self.ref = world, ref

    @property
    def record(self) -> Any:
        return self.world.driver._context.table.get(self.ref)

    @property
    def file(self) -> Path:
        return Path(self.record.runtime.resources.held.directory) / "pr-helper.pid"

    @property
    def xml(self) -> str:
        text: str = self.world.get(Domains).describe(self.ref, 0)
        return text

    def processes(self) -> list[int]:
        """The helpers below the world's directory."""
        return helpers(self.world.root)

    async def objects(self) -> list[str]:
        """QEMU's ways to helpers."""
        found = await self.record.runtime.monitor.execute("query-pr-managers")
        return sorted(entry["id"] for entry in found)

    async def nodes(self) -> int:
        return len(await self.record.runtime.monitor.execute("query-named-block-nodes"))

    async def attach(self, xml: str) -> None:
        await self.world.get(Devices).attach(self.ref, xml, LIVE)

    async def leaves(self, alias: str) -> None:
        """A guest without a system lets go of what it is asked for at its reset."""
        await self.world.get(Devices).detach_alias(self.ref, alias, LIVE)
        await self.world.get(Lifecycle).reset(self.ref, 0)
        # An emulated processor that goes round in a loop would keep QEMU from freeing the device, and telling of it.
        await self.world.get(Lifecycle).suspend(self.ref)
        try:
            await self.world.seen(E.ID_DEVICE_REMOVED, alias)
        except TimeoutError:
            there = await self.record.runtime.monitor.execute("qom-list", {"path": "/machine/peripheral"})
            pytest.fail(f"{alias} has not left: QEMU has {there}, told was {self.world.events}")
        await self.world.get(Lifecycle).resume(self.ref)

    async def is_clean(self) -> None:
        """Neither an object, a process nor a file is left."""
        assert await self.objects() == []
        assert self.processes() == []
        assert self.record.runtime.resources.held.helpers == ()
        assert not list(self.file.parent.glob("pr-helper*"))
        assert await self.nodes() == 0

    def lose(self) -> None:
        """QEMU says so when a guest's command has not reached the helper."""
        data = {"id": "pr-helper0", "connected": False}
        event = Event("PR_MANAGER_STATUS_CHANGED", data, 0, 0, b"")
        self.world.driver._supervisor.on_event(self.record, self.record.runtime, event)

    async def ends(self) -> None:
        """A child of this process that a later life of the daemon has ended is left for it to wait for."""
        pid = self.record.runtime.process.pid
        await self.world.get(Lifecycle).destroy(self.ref, 0)
        os.waitpid(pid, 0)  # noqa: ASYNC222 - it has ended

    async def runs(self, *, other_than: int) -> int:
        """The helper that takes the place of one."""
        async with asyncio.timeout(PATIENCE):
            # Until it is in the background: there are two of them before.
            while True:
                found = self.processes()
                if len(found) == 1 and found != [other_than] and self._numbered() == found[0]:
                    return found[0]
                await asyncio.sleep(0.02)

    def _numbered(self) -> int:
        with contextlib.suppress(OSError, ValueError):
            return int(self.file.read_text())
        return 0


async def started(world: World, name: str, disks: str = "") -> Scene:
    ref = await world.get(Domains).define(guest_xml(name, disks), 0)
    ref = await world.get(Lifecycle).create(ref, 0)
    world.events.clear()
    return Scene(world, ref)


def killed(pid: int) -> None:
    """End a helper and wait until it is gone."""
    pidfd = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert select.select([pidfd], [], [], PATIENCE)[0]
    os.close(pidfd)


@contextlib.contextmanager
def served(socket: Path) -> Iterator[None]:
    """A helper of the test's own, which runs until the end."""
    with subprocess.Popen([HELPER, "-k", socket], stdin=subprocess.DEVNULL) as helper:
        try:
            while not socket.exists():
                assert helper.poll() is None
                time.sleep(0.01)
            socket.chmod(0o777)
            yield
            assert helper.poll() is None
        finally:
            helper.terminate()


def test_it_comes_with_the_first_disk_and_goes_with_the_last(root: Path, loops: tuple[Path, Path]) -> None:
    async def scenario(world: World) -> None:
        scene = await started(world, "pr-first")
        before = scene.xml
        await scene.attach(lun(loops[0], "vda"))
        (pid,) = scene.processes()
        socket = scene.file.parent / "pr-helper0.sock"
        account = guest_account()
        assert account is not None
        assert socket.stat().st_uid == account.uid
        assert f"<source type='unix' path='{socket}' mode='client'/>" in scene.xml
        assert str(socket) not in world.get(Domains).describe(scene.ref, D.XML_INACTIVE)
        assert await scene.objects() == ["pr-helper0"]
        await scene.attach(lun(loops[1], "vdb"))
        assert (await scene.objects(), scene.processes()) == (["pr-helper0"], [pid])
        with pytest.raises(OperationUnsupported, match="cannot modify field 'reservations' of the disk"):
            await world.get(Devices).update(scene.ref, lun(loops[0], "vda", ""), LIVE)
        await scene.leaves("virtio-disk0")
        assert (await scene.objects(), scene.processes()) == (["pr-helper0"], [pid])
        await scene.leaves("virtio-disk1")
        await scene.is_clean()
        assert scene.xml == before
        # It comes again, at once, and ends with the guest.
        await scene.attach(lun(loops[1], "vda"))
        again = await scene.runs(other_than=pid)
        await world.get(Lifecycle).destroy(scene.ref, 0)
        # Until it is no process any more, and the loop has heard of it.
        async with asyncio.timeout(PATIENCE):
            while start_time(again) is not None:  # noqa: ASYNC110 - a process of somebody else's
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.02)

    run(root, scenario)


def test_what_is_refused_leaves_nothing(root: Path, loops: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    broken = root / "broken"
    broken.write_text("#!/bin/sh\necho no memory >&2\nexit 1\n")
    broken.chmod(0o755)
    mute = root / "mute"
    mute.write_text("#!/bin/sh\nexec sleep 60\n")
    mute.chmod(0o755)

    async def scenario(world: World) -> None:
        scene = await started(world, "pr-refused")
        before = scene.xml
        with pytest.raises(RoostError, match="'device_add': cannot get SG_IO version number"):
            await scene.attach(lun(loops[0], "sda", bus="scsi"))
        await scene.is_clean()
        monkeypatch.setattr(reservations, "_PLACES", (str(root / "nowhere"),))
        with pytest.raises(SystemCallError, match=r"nowhere' is not a suitable pr helper: No such file.*; install"):
            await scene.attach(lun(loops[0], "vda"))
        await scene.is_clean()
        monkeypatch.setattr(reservations, "_PLACES", (str(broken),))
        with pytest.raises(OperationFailed, match="pr helper died and reported: no memory"):
            await scene.attach(lun(loops[0], "vda"))
        await scene.is_clean()
        monkeypatch.setattr(reservations, "_PLACES", (str(mute),))
        monkeypatch.setattr(reservations, "_READY_TIMEOUT", 0.2)
        with pytest.raises(RoostError, match="pr helper socked did not show up"):
            await scene.attach(lun(loops[0], "vda"))
        await scene.is_clean()
        assert scene.xml == before

    run(root, scenario)


def test_the_program_that_is_configured(root: Path, daemon_root: Path, loops: tuple[Path, Path]) -> None:
    document, device, program = root / "guest.xml", root / "device.xml", root / "own-helper"
    document.write_text(guest_xml("pr-configured"))
    device.write_text(lun(loops[0], "vda"))
    (daemon_root / "etc").mkdir()
    (daemon_root / "etc" / "qemu.conf").write_text(f'pr_helper = "{program}"\n')
    with RoostDaemon(daemon_root) as daemon:
        virsh_ok(daemon.uri, "create", str(document))
        refused = virsh(daemon.uri, "attach-device", "pr-configured", str(device), "--live")
        assert f"error: '{program}' is not a suitable pr helper: No such file or directory; correct" in refused.stderr
        program.symlink_to(HELPER)
        virsh_ok(daemon.uri, "attach-device", "pr-configured", str(device), "--live")
        (pid,) = helpers(root)
        assert Path(f"/proc/{pid}/cmdline").read_bytes().startswith(bytes(program))
        virsh_ok(daemon.uri, "destroy", "pr-configured")


def test_a_helper_that_dies_is_started_again(root: Path, loops: tuple[Path, Path]) -> None:
    async def scenario(world: World) -> None:
        scene = await started(world, "pr-dies", lun(loops[0], "vda"))
        (first,) = scene.processes()
        scene.lose()
        await world.driver._supervisor.settle()
        assert scene.processes() == [first]  # QEMU finds its way by itself
        killed(first)
        # The guest does not wait for what else is done with it.
        async with scene.record.job("something long"):
            scene.lose()
            scene.lose()
            second = await scene.runs(other_than=first)
        # Nobody has heard of its end when the next disk comes.
        killed(second)
        await scene.attach(lun(loops[1], "vdb"))
        (third,) = scene.processes()
        assert third != second
        killed(third)
        await scene.leaves("virtio-disk1")
        (fourth,) = scene.processes()
        killed(fourth)
        await scene.leaves("virtio-disk0")
        await scene.is_clean()

    run(root, scenario)


def test_a_guest_that_ends_while_it_comes(
    root: Path, loops: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = root / "slow"
    slow.write_text(f'#!/bin/sh\ntouch {root}/begun\nsleep 0.5\nexec {HELPER} "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setattr(reservations, "_PLACES", (str(slow),))

    async def scenario(world: World) -> None:
        scene = await started(world, "pr-ends")
        directory = scene.file.parent
        coming = asyncio.ensure_future(scene.attach(lun(loops[0], "vda")))
        while not (root / "begun").exists():  # noqa: ASYNC110 - a process of somebody else's
            await asyncio.sleep(0.01)
        await world.get(Lifecycle).destroy(scene.ref, 0)
        with pytest.raises(OperationFailed, match=r"pr helper died and reported: .*No such file|domain is not running"):
            await coming
        assert scene.processes() == []
        assert not directory.exists()

    run(root, scenario)


def test_the_next_daemon_knows_it(root: Path, loops: tuple[Path, Path]) -> None:
    async def scenario(world: World) -> None:
        scene = await started(world, "pr-knows")
        await scene.attach(lun(loops[0], "vda"))
        (first,) = scene.processes()
        await world.driver.stop()
        await world.start()
        assert scene.processes() == [first]
        await scene.attach(lun(loops[1], "vdb"))
        assert (await scene.objects(), scene.processes()) == (["pr-helper0"], [first])
        await world.driver.stop()
        killed(first)
        await world.start()
        await scene.runs(other_than=first)
        await scene.leaves("virtio-disk0")
        await scene.leaves("virtio-disk1")
        await scene.is_clean()
        await scene.ends()

    run(root, scenario)


def test_what_a_daemon_died_over(root: Path, loops: tuple[Path, Path]) -> None:
    """It was gone before the disk came: the helper that nobody wants goes."""

    async def scenario(world: World) -> None:
        scene = await started(world, "pr-over")
        helper = reservations.Reservations(world.driver._context)
        await helper.open(scene.record, scene.record.runtime)
        assert len(scene.processes()) == 1
        await world.driver.stop()
        await world.start()
        await scene.is_clean()
        await scene.ends()

    run(root, scenario)


def test_a_helper_of_somebody_elses(root: Path, loops: tuple[Path, Path]) -> None:
    socket = root / "own.sock"
    own = "<reservations managed='no'><source type='unix' path='{}' mode='client'/></reservations>"

    async def scenario(world: World) -> None:
        scene = await started(world, "pr-own")
        with pytest.raises(RoostError, match=r"own\.sock.*No such file"):
            await scene.attach(lun(loops[0], "vda", own.format(socket)))
        await scene.is_clean()
        with served(socket):
            await scene.attach(lun(loops[0], "vda", own.format(socket)))
            assert await scene.objects() == ["pr-helper-libvirt-1-storage"]
            assert scene.record.runtime.resources.held.helpers == ()
            await scene.leaves("virtio-disk0")
            assert await scene.objects() == []

    run(root, scenario)


def test_a_copy_that_needs_it(root: Path, loops: tuple[Path, Path]) -> None:
    """It comes for the copy's device, stays with that as the disk's own, and goes with a copy that is let go of."""
    copy = f"<disk type='block'><driver type='raw'/><source dev='{loops[1]}'>{MANAGED}</source></disk>"
    flags = B.COPY_REUSE_EXT | B.COPY_TRANSIENT_JOB

    async def scenario(world: World) -> None:
        scene = await started(world, "pr-copy", lun(loops[0], "vda", ""))
        blocks = world.get(Blocks)
        with pytest.raises(RoostError, match="disk device='lun' is only valid for block type disk source"):
            await blocks.copy(scene.ref, "vda", f"<disk><source file='{root}/file'/></disk>", (), flags)
        wrong = copy.replace(str(loops[1]), str(loops[0]))
        with pytest.raises(RoostError, match="lock"):
            await blocks.copy(scene.ref, "vda", wrong, (), flags)
        assert (await scene.objects(), scene.processes(), scene.record.runtime.resources.held.helpers) == ([], [], ())
        for end, there in ((0, 0), (B.JOB_ABORT_PIVOT, 1)):
            await blocks.copy(scene.ref, "vda", copy, (), flags)
            assert len(scene.processes()) == 1
            assert scene.xml.count(f"{scene.file.parent}/pr-helper0.sock") == 1
            await world.seen(E.ID_BLOCK_JOB_2, "vda", B.JOB_TYPE_COPY, B.JOB_READY)
            await blocks.abort_job(scene.ref, "vda", end)
            assert (len(await scene.objects()), len(scene.processes())) == (there, there)
        assert str(loops[1]) in scene.xml
        assert f"{scene.file.parent}/pr-helper0.sock" not in world.get(Domains).describe(scene.ref, D.XML_INACTIVE)
        await scene.leaves("virtio-disk0")
        await scene.is_clean()

    run(root, scenario)


#: PERSISTENT RESERVE IN, READ KEYS: to be answered with 64 bytes at most.
READ_KEYS = bytes((0x5E, 0, 0, 0, 0, 0, 0, 0, 64, 0))


def test_a_guest_does_not_notice(root: Path, daemon_root: Path, loops: tuple[Path, Path]) -> None:
    """QEMU tells of a helper that it has not reached with the guest's command, and has it reached a moment later."""
    port, document = root / "port", root / "guest.xml"
    options = "".join(f"<qemu:arg value='{word.format(port)}'/>" for word in bareguest.OPTIONS)
    disk = lun(loops[0], "vda").replace("</disk>", "<address type='pci' slot='9'/></disk>")
    xml = re.sub("(?<=<qemu:commandline>).*(?=</qemu:commandline>)", options, guest_xml("pr-guest", disk), flags=re.S)
    document.write_text(xml)
    root.chmod(0o777)
    with RoostDaemon(daemon_root) as daemon:
        virsh_ok(daemon.uri, "create", str(document), "--paused")
        with bareguest.BareGuest(port, 9) as guest:
            before = guest.command(READ_KEYS)
            (first,) = helpers(root)
            killed(first)
            assert guest.command(READ_KEYS) == before
        (second,) = helpers(root)
        assert second != first
        assert "the pr helper of pr-guest has ended; it is started again" in daemon.log
        virsh_ok(daemon.uri, "destroy", "pr-guest")


def consistent(daemon: RoostDaemon) -> bool:
    """Whether the disk is there; its helper, QEMU's way to it and what is on disk of both are there exactly then."""
    asked = virsh_ok(daemon.uri, "qemu-monitor-command", "pr-killed", '{"execute":"query-pr-managers"}')
    there = "pr-helper0" in asked
    assert ("<reservations managed='yes'>" in virsh_ok(daemon.uri, "dumpxml", "pr-killed")) is there
    assert len(helpers(daemon.root)) == there
    assert len(list(daemon.root.glob("lib/qemu/*/pr-helper.pid"))) == there
    assert ("/pr-helper.pid" in (daemon.root / "run" / "qemu" / "pr-killed.json").read_text()) is there
    return there


#: Answers of QEMU's and writes of files, counted, that the daemon does not live to see the end of.
@pytest.mark.parametrize(
    "steps",
    [("1", "4", "w2"), pytest.param(("2", "3", "w1", "w3", "w4", "w5"), marks=pytest.mark.soak)],
    ids=["some", "the others"],
)
def test_a_daemon_killed_while_it_comes(
    root: Path, daemon_root: Path, loops: tuple[Path, Path], steps: tuple[str, ...]
) -> None:
    document, device, last_step = root / "guest.xml", root / "device.xml", root / "step"
    document.write_text(guest_xml("pr-killed"))
    device.write_text(lun(loops[0], "vda"))
    environment = {mortal.VARIABLE: str(last_step)}
    with RoostDaemon(daemon_root, environment=environment, prefix=[sys.executable, mortal.__file__]) as daemon:
        virsh_ok(daemon.uri, "create", str(document))
        for step in steps:
            last_step.write_text(step)
            answer = virsh(daemon.uri, "attach-device", "pr-killed", str(device), "--live")
            last_step.unlink()
            assert not answer.ok, step
            daemon.kill()
            daemon.start()
            until(lambda: virsh(daemon.uri, "domcontrol", "pr-killed").stdout.strip() == "ok")
            if consistent(daemon):
                virsh_ok(daemon.uri, "detach-device-alias", "pr-killed", "virtio-disk0", "--live")
                virsh_ok(daemon.uri, "reset", "pr-killed")
                until(lambda: "lun" not in virsh_ok(daemon.uri, "dumpxml", "pr-killed"))
                assert not consistent(daemon)
        virsh_ok(daemon.uri, "attach-device", "pr-killed", str(device), "--live")
        assert consistent(daemon)
        virsh_ok(daemon.uri, "destroy", "pr-killed")
        until(lambda: not helpers(daemon.root))
