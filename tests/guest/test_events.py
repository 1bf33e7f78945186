"""Events that a real QEMU can be made to send."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.contract.displays import Displays
from roost.contract.domains import Domains, Monitor
from support.guests import domain_xml
from support.world import PATIENCE, World, run, world_root

pytestmark = pytest.mark.guest

XML = """<domain type='qemu'><name>q-events</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type></os>
<clock offset='variable' adjustment='7200' basis='localtime'/>
<devices><disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
<watchdog model='itco' action='pause'/>
<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1'/></devices></domain>"""


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as made:
        yield made


def test_a_guest_changes_its_address(root: Path) -> None:
    async def scenario(world: World) -> None:
        mac = "52:54:00:00:00:51"
        nic = f"<interface type='user'><mac address='{mac}'/><model type='virtio'/></interface>"
        ref = await world.get(Domains).create_xml(domain_xml("q-address", interfaces=nic), 0)
        stream = await world.booted(ref)
        for old, new in ((mac, "52:54:00:00:00:52"), ("52:54:00:00:00:52", mac)):
            link = "ip link set dev eth0"
            await stream.write(f"sh {link} down && {link} address {new} && {link} up\n".encode())
            await world.read_until(stream, "sh: exit 0")
            await world.seen(E.ID_NIC_MAC_CHANGE, "net0", old, new)

    run(root, scenario)


def test_tray_display_and_clock(root: Path) -> None:
    async def scenario(world: World) -> None:
        ref = await world.get(Domains).create_xml(XML, D.START_PAUSED)
        monitor = world.get(Monitor)

        async def qmp(command: str, **arguments: object) -> None:
            text = json.dumps({"execute": command, "arguments": arguments})
            assert '"error"' not in await monitor.command(ref, text, 0)

        await qmp("blockdev-open-tray", id="sata0-0-0")
        await world.seen(E.ID_TRAY_CHANGE, "sata0-0-0", E.TRAY_CHANGE_OPEN)
        assert "tray='open'" in world.get(Domains).describe(ref, 0)
        await qmp("blockdev-close-tray", id="sata0-0-0")
        await world.seen(E.ID_TRAY_CHANGE, "sata0-0-0", E.TRAY_CHANGE_CLOSE)
        with socket.socket(fileno=await world.get(Displays).connect(ref, 0, 0)) as connection:
            connection.setblocking(False)
            async with asyncio.timeout(PATIENCE):
                await asyncio.get_running_loop().sock_recv(connection, 12)
            connected = next(event for event in world.events if event[:2] == (E.ID_GRAPHICS, E.GRAPHICS_CONNECT))
            assert connected[3][0] == E.GRAPHICS_ADDRESS_UNIX
        # The clock is shown by its distance from UTC while the guest runs.
        live = world.get(Domains).describe(ref, 0)
        assert "<clock offset='variable' adjustment=" in live
        assert "basis='utc'" in live

    run(root, scenario)
