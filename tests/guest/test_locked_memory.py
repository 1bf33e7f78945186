"""Memory that a device of the host has locked: to where the kernel, or QEMU, refuses a device that is none."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roost.constants import domain as D
from roost.contract.devices import Devices
from roost.contract.domains import Domains, Lifecycle
from roost.contract.references import DomainRef
from roost.contract.tuning import ResourceLimits
from roost.contract.typed_params import ullong
from roost.errors import RoostError
from roost.host.api import UNLIMITED
from roost.host.linux.processes import LinuxProcess
from support.limits import may_raise_limits
from support.world import World, run, world_root

pytestmark = [pytest.mark.guest, pytest.mark.root]

LIVE = D.AFFECT_LIVE
VDPA = "<interface type='vdpa'><mac address='52:54:00:00:00:07'/><source dev='/dev/null'/></interface>"
DIMM = "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>"


def guest_xml(name: str, extra: str = "") -> str:
    return f"""<domain type='qemu'><name>{name}</name><maxMemory slots='4' unit='MiB'>512</maxMemory>
    <memory unit='MiB'>64</memory><vcpu>1</vcpu>{extra}<os><type arch='x86_64' machine='pc'>hvm</type></os>
    <features><acpi/></features><cpu><numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu></domain>"""


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as made:
        yield made


def guest_of(world: World, ref: DomainRef) -> Any:
    return world.driver._context.table.get(ref).runtime


def limit(guest: Any) -> str:
    """What the guest's process may lock at most, as the kernel tells it."""
    text = Path(f"/proc/{guest.process.pid}/limits").read_text()
    found = re.search(r"Max locked memory +(\S+) +(\S+)", text)
    assert found is not None
    assert found[1] == found[2]
    return found[2]


def test_a_card_that_has_it_locked(root: Path) -> None:
    async def scenario(world: World) -> None:
        ref = await world.get(Domains).create_xml(guest_xml("locks"), 0)
        guest, domains = guest_of(world, ref), world.get(Domains)
        before, xml = limit(guest), domains.describe(ref, 0)
        refused = "'netdev_add'"
        if not may_raise_limits():
            refused = r"limit locked memory of process \d+ to 1140850688: Operation not permitted; .*CAP_SYS_RESOURCE"
        with pytest.raises(RoostError, match=refused):
            await world.get(Devices).attach(ref, VDPA, LIVE)
        assert (limit(guest), guest.resources.held.locked, domains.describe(ref, 0)) == (before, 0, xml)
        assert guest.coming is None
        monitor = guest.monitor
        assert await monitor.execute("query-fdsets") == []
        # With the memory that is plugged in the number grows.
        await world.get(Devices).attach(ref, DIMM, LIVE)
        assert limit(guest) == before
        with pytest.raises(RoostError, match=refused.replace("1140850688", "1275068416")):
            await world.get(Devices).attach(ref, VDPA, LIVE)
        assert (limit(guest), guest.resources.held.locked) == (before, 0)

    run(root, scenario)


class Limit:
    """A kernel that lets limits be raised, in the place of this host's. calls: what was set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, begin: int) -> None:
        self.now, self.calls = begin, list[int]()
        monkeypatch.setattr(LinuxProcess, "lockable", lambda process: self.now)
        monkeypatch.setattr(LinuxProcess, "set_lockable", lambda process, size: self._set(size))

    def _set(self, size: int) -> None:
        self.now = size
        self.calls.append(size)


@pytest.mark.groups
def test_raised_before_the_device_comes_and_put_back_when_it_does_not(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(world: World) -> None:
        ref = await world.get(Domains).create_xml(guest_xml("raised"), 0)
        guest = guest_of(world, ref)
        limit = Limit(monkeypatch, 1 << 20)
        with pytest.raises(RoostError, match="'netdev_add'"):
            await world.get(Devices).attach(ref, VDPA, LIVE)
        assert (limit.calls, guest.resources.held.locked) == ([1140850688, 1 << 20], 0)
        limit.calls.clear()
        # A bound is what may be locked from the next device on, and nothing is put back before the one after it is off.
        bound = [ullong("hard_limit", 400000)]
        await world.get(ResourceLimits).set_memory_parameters(ref, bound, LIVE)
        await world.get(Devices).attach(ref, DIMM, LIVE)
        assert (limit.calls, guest.resources.held.locked) == ([409600000], 1 << 20)
        await world.driver.stop()
        await world.start()
        again = guest_of(world, ref)
        assert (limit.calls, again.resources.held.locked) == ([409600000], 1 << 20)
        await world.get(ResourceLimits).set_memory_parameters(ref, [ullong("hard_limit", UNLIMITED)], LIVE)
        await world.get(Devices).attach(ref, DIMM, LIVE)
        assert (limit.calls, again.resources.held.locked) == ([409600000, 1 << 20], 0)
        pid = again.process.pid
        await world.get(Lifecycle).destroy(ref, 0)
        os.waitpid(pid, 0)  # noqa: ASYNC222 - it has ended

    run(root, scenario)


@pytest.mark.groups
def test_a_guest_that_can_do_without_is_not_kept_from_memory(root: Path) -> None:
    async def scenario(world: World) -> None:
        ref = await world.get(Domains).create_xml(guest_xml("bounded"), 0)
        guest = guest_of(world, ref)
        before = limit(guest)
        await world.get(ResourceLimits).set_memory_parameters(ref, [ullong("hard_limit", 400000)], LIVE)
        assert limit(guest) == before
        await world.get(Devices).attach(ref, DIMM, LIVE)
        expected = ("409600000", int(before)) if may_raise_limits() else (before, 0)
        assert (limit(guest), guest.resources.held.locked) == expected

    run(root, scenario)


@pytest.mark.groups
def test_a_bound_at_the_start(root: Path) -> None:
    async def scenario(world: World) -> None:
        bound = "<memtune><hard_limit unit='KiB'>600000</hard_limit></memtune>"
        ref = await world.get(Domains).create_xml(guest_xml("bound"), 0)
        free = limit(guest_of(world, ref))
        ref = await world.get(Domains).create_xml(guest_xml("bound-too", bound), 0)
        assert limit(guest_of(world, ref)) == ("614400000" if may_raise_limits() else free)

    run(root, scenario)
