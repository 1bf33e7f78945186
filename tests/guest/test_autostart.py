"""What starts with the host: always, once, one after the other."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.constants import domain as D
from roost.contract.domains import Domains, Inspection
from roost.model.domain.startorder import NAMESPACE
from support.daemon import RoostDaemon
from support.guests import READY, domain_xml
from support.peer import virsh_ok
from support.world import PATIENCE, World, run, world_root

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


def ordered(name: str, start: str) -> str:
    metadata = f"<metadata><r:start xmlns:r='{NAMESPACE}' {start}</metadata>"
    return XML.format(name=name).replace("<memory", f"{metadata}<memory", 1)


def test_in_their_order_after_what_they_need(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def first() -> None:
        world = World(root)
        await world.start()
        domains = world.get(Domains)
        for name, start in (
            ("a-web", "order='1'><r:needs domain='a-data'/></r:start>"),
            ("a-mail", "order='2' delay='0'/>"),
            ("a-alone", "><r:needs domain='a-gone'/></r:start>"),
            ("a-last", "order='nonsense'/>"),
        ):
            await domains.set_autostart(await domains.define(ordered(name, start), 0), True)
        # It does not start by itself, but is needed.
        await domains.define(ordered("a-data", "order='9'/>"), 0)
        await world.driver.stop()

    asyncio.run(first())
    (root / "run" / "qemu" / "autostarted").unlink()

    async def second(world: World) -> None:
        domains = world.get(Domains)
        started = [domains.lookup_by_name(name).id for name in ("a-mail", "a-data", "a-web", "a-last")]
        assert started == sorted(started)
        assert started[0] > 0
        assert domains.lookup_by_name("a-alone").id == -1
        assert "cannot autostart a-alone: it needs a-gone, which there is not" in caplog.text
        assert "the start order of a-last cannot be read" in caplog.text

    run(root, second)


def test_pauses_hold_nobody_up(root: Path) -> None:
    async def first() -> None:
        world = World(root)
        await world.start()
        domains = world.get(Domains)
        for name, start in (("a-first", "order='1' delay='3600'/>"), ("a-second", "order='2'/>")):
            await domains.set_autostart(await domains.define(ordered(name, start), 0), True)
        await world.driver.stop()

    asyncio.run(first())
    (root / "run" / "qemu" / "autostarted").unlink()

    async def second(world: World) -> None:
        domains, look = world.get(Domains), world.get(Inspection)
        states = [look.state(domains.lookup_by_name(name), 0)[0] for name in ("a-first", "a-second")]
        assert states == [D.RUNNING, D.SHUTOFF]

    run(root, second)


@pytest.mark.root
def test_guests_are_stopped_before_the_host_goes_down() -> None:
    with RoostDaemon() as daemon:
        said = daemon.root / "serial"
        serial = f"<serial type='file'><source path='{said}'/></serial>"
        virsh_ok(daemon.uri, "define", "/dev/stdin", input=domain_xml("a-stop", serial=serial))
        virsh_ok(daemon.uri, "start", "a-stop")
        deadline = time.monotonic() + PATIENCE
        while not (said.exists() and READY in said.read_text(errors="replace")):
            assert time.monotonic() < deadline, "the guest does not boot"
            time.sleep(0.05)
        command = [sys.executable, "-m", "roost.cli", "-c", daemon.uri, "guests-stop", "--again", "--timeout", "100"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "Domain 'a-stop' is stopped", "")
        assert virsh_ok(daemon.uri, "domstate", "a-stop").strip() == "shut off"
        assert (daemon.root / "etc" / "qemu" / "autostart" / "a-stop.xml.once").is_symlink()
