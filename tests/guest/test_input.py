"""Keys, interrupts, displays by descriptor and what follows a guest's end, on a real QEMU."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import keycodes as K
from roost.contract.displays import Displays
from roost.contract.domains import Domains, Lifecycle, Monitor
from roost.contract.input import Input
from roost.contract.references import DomainRef
from roost.contract.security import Security
from roost.errors import InternalError, NoSupport, OperationInvalid
from support.world import PATIENCE, World, run, world_root

pytestmark = pytest.mark.guest

XML = """<domain type='qemu'><name>q-input</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><on_reboot>restart</on_reboot>
<devices><graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/></devices></domain>"""


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as made:
        yield made


async def guest(world: World) -> DomainRef:
    ref = await world.get(Domains).define(XML, 0)
    started: DomainRef = await world.get(Lifecycle).create(ref, 0)
    return started


async def greeting(connection: socket.socket) -> bytes:
    connection.setblocking(False)
    async with asyncio.timeout(PATIENCE):
        return await asyncio.get_running_loop().sock_recv(connection, 100)


def test_keys_and_interrupts(root: Path) -> None:
    async def scenario(world: World) -> None:
        ref = await guest(world)
        keyboard = world.get(Input)
        await keyboard.send_key(ref, K.SET_LINUX, 0, [29, 56, 111], 0)
        await keyboard.send_key(ref, K.SET_USB, 20, [4], 0)
        await keyboard.inject_nmi(ref, 0)
        with pytest.raises(NoSupport):
            await keyboard.send_process_signal(ref, 1, 9, 0)
        await world.get(Lifecycle).destroy(ref, 0)
        with pytest.raises(OperationInvalid, match="domain is not running"):
            await keyboard.send_key(ref, K.SET_LINUX, 0, [29], 0)

    run(root, scenario)


def test_a_display_on_a_socket(root: Path) -> None:
    async def scenario(world: World) -> None:
        ref = await guest(world)
        displays = world.get(Displays)
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                await displays.open(ref, 0, D.OPEN_GRAPHICS_SKIPAUTH, [theirs.fileno()])
            assert (await greeting(ours)).startswith(b"RFB ")
        with socket.socket(fileno=await displays.connect(ref, 0, 0)) as connection:
            assert (await greeting(connection)).startswith(b"RFB ")
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(InternalError, match="No graphics backend with index 1"):
            await displays.connect(ref, 1, 0)
        assert len(os.listdir("/proc/self/fd")) == before

    run(root, scenario)


def test_a_descriptor_for_the_monitor(root: Path) -> None:
    async def scenario(world: World) -> None:
        ref = await guest(world)
        with (root / "file").open("wb") as file:
            command = '{"execute": "add-fd", "arguments": {"fdset-id": 7}}'
            text, files = await world.get(Monitor).command_with_files(ref, command, 0, [file.fileno()])
        assert json.loads(text)["return"]["fdset-id"] == 7
        assert files == ()

    run(root, scenario)


def test_what_follows_a_reboot_is_known_to_qemu_and_to_the_next_daemon(root: Path) -> None:
    async def scenario(world: World) -> None:
        ref = await guest(world)
        both = D.AFFECT_LIVE | D.AFFECT_CONFIG
        await world.get(Lifecycle).set_action(ref, D.LIFECYCLE_REBOOT, D.LIFECYCLE_ACTION_DESTROY, D.AFFECT_LIVE)
        await world.get(Lifecycle).set_action(ref, D.LIFECYCLE_CRASH, D.LIFECYCLE_ACTION_PRESERVE, both)
        pid = int((root / "run" / "qemu" / "q-input.pid").read_text())
        await world.driver.stop()
        await world.start()
        live = world.get(Domains).describe(ref, 0)
        assert "<on_reboot>destroy</on_reboot>" in live
        assert "<on_crash>preserve</on_crash>" in live
        config = world.get(Domains).describe(ref, D.XML_INACTIVE)
        assert "<on_reboot>restart</on_reboot>" in config
        assert "<on_crash>preserve</on_crash>" in config
        # The guest is reset by QEMU itself, which ends instead.
        await world.get(Monitor).command(ref, "system_reset", 1)
        await world.seen(E.ID_LIFECYCLE, E.SHUTDOWN, E.SHUTDOWN_HOST)
        await world.seen(E.ID_LIFECYCLE, E.STOPPED, E.STOPPED_SHUTDOWN)
        pids.append(pid)

    pids: list[int] = []
    run(root, scenario)
    os.waitpid(pids[0], 0)


def test_labels(root: Path) -> None:
    async def scenario(world: World) -> None:
        ref = await world.get(Domains).define(XML, 0)
        assert world.get(Security).labels(ref) == []
        ref = await world.get(Lifecycle).create(ref, 0)
        (main, enforcing), *others = world.get(Security).labels(ref)
        assert (main, enforcing) == ("", False)
        assert all(label.startswith("+") for label, _ in others)
        assert await world.get(Security).launch_info(ref, 0) == []

    run(root, scenario)
