"""The administrator's scripts over a guest's life, and over a daemon's."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.contract.domains import Domains, Inspection, Lifecycle
from roost.errors import HookScriptFailed
from support.daemon import RoostDaemon
from support.world import PATIENCE, World, run, world_root

pytestmark = pytest.mark.guest

XML = """<domain type='qemu'><name>q-hook</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='secret'/></devices></domain>"""


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as made:
        yield made


def install(root: Path, name: str, body: str) -> Path:
    """A script; what it hears is in the file returned."""
    heard = root / f"{name}.heard"
    path = root / "etc" / "hooks" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "$*" >> {heard}\n{body}\n')
    path.chmod(0o755)
    return heard


def test_a_guests_life(root: Path) -> None:
    heard = install(root, "qemu", f"cat > {root}/document")

    async def scenario(world: World) -> None:
        ref = await world.get(Domains).define(XML, 0)
        ref = await world.get(Lifecycle).create(ref, 0)
        document = (root / "document").read_text()
        assert f"id='{ref.id}'" in document
        assert "secret" not in document
        pids.append(int((root / "run" / "qemu" / "q-hook.pid").read_text()))
        await world.driver.stop()
        await world.start()
        await world.get(Lifecycle).destroy(ref, 0)

    pids: list[int] = []
    run(root, scenario)
    os.waitpid(pids[0], 0)
    assert heard.read_text().splitlines() == [
        "q-hook prepare begin -",
        "q-hook start begin -",
        "q-hook started begin -",
        "q-hook reconnect begin -",
        "q-hook stopped end -",
        "q-hook release end -",
    ]


@pytest.mark.parametrize("operation", ["prepare", "start", "started"])
def test_a_start_is_refused(root: Path, operation: str) -> None:
    heard = install(root, "qemu", f'if [ "$2" = {operation} ]; then echo no room >&2; exit 7; fi')

    async def scenario(world: World) -> None:
        ref = await world.get(Domains).define(XML, 0)
        with pytest.raises(HookScriptFailed, match="exit status 7: no room"):
            await world.get(Lifecycle).create(ref, 0)
        assert world.get(Inspection).state(ref, 0) == (D.SHUTOFF, D.SHUTOFF_FAILED)
        assert (E.ID_LIFECYCLE, E.STARTED, E.STARTED_BOOTED) not in world.events
        await world.driver.stop()
        await world.start()
        assert world.get(Inspection).state(ref, 0)[0] == D.SHUTOFF

    run(root, scenario)
    assert heard.read_text().splitlines()[-2:] == ["q-hook stopped end -", "q-hook release end -"]


@pytest.mark.root
def test_a_daemons_life() -> None:
    daemon = RoostDaemon()
    heard = install(daemon.root, "daemon", "")
    with daemon:

        def until(said: str) -> None:
            deadline = time.monotonic() + PATIENCE
            while not (heard.exists() and said in heard.read_text()) and time.monotonic() < deadline:
                time.sleep(0.01)

        until("start")
        os.kill(daemon.pid, signal.SIGHUP)
        until("SIGHUP")
        daemon.stop()
        said = heard.read_text().splitlines()
    assert said == ["- start - start", "- reload begin SIGHUP", "- shutdown - shutdown"]
