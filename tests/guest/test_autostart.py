"""What starts with the host: always, once, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.constants import domain as D
from roost.contract.domains import Domains, Inspection
from support.world import World, run, world_root

pytestmark = pytest.mark.guest

XML = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"""


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as made:
        yield made


def test_once_is_once(root: Path) -> None:
    async def first() -> None:
        world = World(root)
        await world.start()
        domains = world.get(Domains)
        await domains.set_autostart_once(await domains.define(XML.format(name="a-once"), 0), True)
        await domains.define(XML.format(name="a-never"), 0)
        await world.driver.stop()

    asyncio.run(first())
    # As after a boot of the host.
    (root / "run" / "qemu" / "autostarted").unlink()

    async def second(world: World) -> None:
        domains, look = world.get(Domains), world.get(Inspection)
        once = domains.lookup_by_name("a-once")
        assert look.state(once, 0)[0] == D.RUNNING
        assert look.state(domains.lookup_by_name("a-never"), 0)[0] == D.SHUTOFF
        assert not domains.autostart_once(once)
        assert list((root / "etc" / "qemu" / "autostart").iterdir()) == []

    run(root, second)
