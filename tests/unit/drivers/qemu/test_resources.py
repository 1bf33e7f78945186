"""What a guest holds of the host, over a host that exists in memory only."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from roost.drivers.qemu import plan
from roost.drivers.qemu.held import Held
from roost.drivers.qemu.resources import Resources
from roost.errors import InternalError, SystemCallError
from roost.host.api import Command
from roost.host.fake import FakeHost, FakeProcess


@pytest.fixture
def host() -> Iterator[FakeHost]:
    made = FakeHost()
    yield made
    made.network.close()


def needs(root: Path) -> plan.Needs:
    return plan.Needs(
        taps=(plan.Tap(key="net0", name="", mac="52:54:00:00:00:01", bridge="br0"),),
        ports=(plan.Port("graphics0", 5900, 5999, "127.0.0.1"), plan.Port("graphics1", 5950, 5950, "")),
        listeners=(plan.Listener("charserial0", str(root / "guest" / "serial.sock")),),
        files=(plan.File("/images/a", True, "vda"), plan.File("/dev/random", False, "rng0", "device")),
        logs=(plan.Log("charserial1", str(root / "serial.log"), append=True),),
    )


def test_taken_in_full_and_given_back_in_full(host: FakeHost, tmp_path: Path) -> None:
    resources = Resources(host)
    wanted = needs(tmp_path)
    resources.prepare(wanted, tmp_path / "guest", lend=True)
    assert host.ownership.held == []  # nothing outside changes before the status is on disk
    assert [owner.path for owner in resources.held.owners] == ["/images/a"]
    assert resources.held.ports == (5900, 5950)
    resources.take(wanted)
    assert host.ownership.held == ["/images/a"]
    monitor = resources.descriptors.listen(tmp_path / "guest" / "monitor.sock")
    grants = resources.grants(monitor)
    assert grants.ports == {"graphics0": 5900, "graphics1": 5950}
    assert grants.names == {"net0": "vnet0"}
    assert set(grants.fds) == {"net0", "charserial0", "charserial1"}
    resources.release()
    resources.release()
    assert host.ownership.held == []
    assert host.network.ports == set()
    assert not (tmp_path / "guest").exists()
    assert (tmp_path / "serial.log").exists()


def test_files_stay_their_owners_when_so_configured(host: FakeHost, tmp_path: Path) -> None:
    resources = Resources(host)
    resources.prepare(needs(tmp_path), tmp_path / "guest", lend=False)
    assert resources.held.owners == ()
    resources.release()


def test_a_port_that_another_guest_has(host: FakeHost, tmp_path: Path) -> None:
    host.network.hold_port(5950)
    resources = Resources(host)
    with pytest.raises(InternalError, match="Failed to reserve port 5950"):
        resources.prepare(needs(tmp_path), tmp_path / "guest", lend=True)
    resources.release()
    assert host.network.ports == {5950}


def test_a_log_that_cannot_be_opened(host: FakeHost, tmp_path: Path) -> None:
    resources = Resources(host)
    wanted = plan.Needs(logs=(plan.Log("charserial0", str(tmp_path / "no" / "log"), append=False),))
    resources.prepare(wanted, tmp_path / "guest", lend=True)
    with pytest.raises(SystemCallError, match=r"Unable to open file '.*no/log': No such file or directory"):
        resources.take(wanted)
    resources.release()


def test_held_again_after_the_daemons_death(tmp_path: Path) -> None:
    first, second = FakeHost(), FakeHost()
    before = Resources(first)
    wanted = plan.Needs(files=(plan.File("/images/a", True, "vda"),), ports=(plan.Port("graphics0", 5900, 5901, ""),))
    before.prepare(wanted, tmp_path / "guest", lend=True)
    held = msgspec.json.decode(msgspec.json.encode(before.held), type=Held)
    after = Resources(second, held)
    after.adopt()
    assert second.ownership.held == ["/images/a"]
    assert second.network.ports == {5900}
    after.release()
    assert second.ownership.held == []
    assert second.network.ports == set()


def test_processes_that_ran_into_the_background_end_with_the_others(host: FakeHost, tmp_path: Path) -> None:
    files = tuple(str(tmp_path / f"{name}.pid") for name in ("swtpm", "pr-helper"))

    async def spawned() -> list[FakeProcess]:
        return [await host.processes.start(Command(("helper", file), {}, -1)) for file in files]

    ours, other = asyncio.run(spawned())
    resources = Resources(host, Held(helpers=files))
    resources.add_helper(ours)
    resources.release()
    assert [process.signals for process in (ours, other)] == [[signal.SIGTERM], [signal.SIGTERM]]
