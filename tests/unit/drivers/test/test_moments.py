"""test:///default: going back to a snapshot is a life, told as one; checkpoints and snapshots exclude each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from roost.constants import checkpoint as K
from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import snapshot as S
from roost.contract.checkpoints import Checkpoints
from roost.contract.domains import Domains, Inspection, Lifecycle
from roost.contract.events import DomainEvent
from roost.contract.interface import Backend
from roost.contract.references import DomainRef
from roost.contract.snapshots import Snapshots
from roost.drivers.test.driver import make_backend
from roost.drivers.test.world import World
from roost.errors import OperationInvalid, OperationUnsupported

STOPPED, STARTED = (E.STOPPED, E.STOPPED_FROM_SNAPSHOT), (E.STARTED, E.STARTED_FROM_SNAPSHOT)
SUSPENDED = (E.SUSPENDED, E.SUSPENDED_FROM_SNAPSHOT)
TRANSIENT = "<domain type='test'><name>short</name><memory>8192</memory><os><type>hvm</type></os></domain>"
CHECKPOINT = "<domaincheckpoint><name>{}</name></domaincheckpoint>"


class Stage:
    """A world, its interfaces, its first domain, and what was told of it."""

    def __init__(self) -> None:
        self.world = World()
        self.backend: Backend = make_backend(self.world)
        self.snapshots = self.backend.get(Snapshots)
        self.events: list[Any] = []
        self.world.bus.subscribe(DomainEvent, lambda event: self.events.append(event.args))

    @property
    def ref(self) -> DomainRef:
        return self.world.table.by_name("test").ref

    @property
    def state(self) -> tuple[int, int]:
        return self.backend.get(Inspection).state(self.ref, 0)

    async def take(self, name: str, flags: int = 0, ref: DomainRef | None = None) -> Any:
        return await self.snapshots.create(
            ref or self.ref, f"<domainsnapshot><name>{name}</name></domainsnapshot>", flags
        )


def play(scenario: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        await scenario(Stage())

    asyncio.run(main())


@pytest.mark.parametrize(
    ("then", "now", "flags", "told", "state"),
    [
        ("running", "running", 0, [STOPPED, STARTED], D.RUNNING),
        ("running", "shutoff", 0, [STARTED], D.RUNNING),
        ("running", "running", S.REVERT_PAUSED, [STOPPED, STARTED, SUSPENDED], D.PAUSED),
        ("paused", "running", 0, [STOPPED, STARTED, SUSPENDED], D.PAUSED),
        ("paused", "paused", S.REVERT_RUNNING, [STOPPED, STARTED], D.RUNNING),
        ("shutoff", "running", 0, [STOPPED], D.SHUTOFF),
        ("shutoff", "shutoff", 0, [], D.SHUTOFF),
        ("shutoff", "shutoff", S.REVERT_RUNNING, [STARTED], D.RUNNING),
    ],
)
def test_going_back(then: str, now: str, flags: int, told: list[tuple[int, int]], state: int) -> None:
    async def become(stage: Stage, wanted: str) -> None:
        life = stage.backend.get(Lifecycle)
        if wanted == "paused":
            await life.suspend(stage.ref)
        elif wanted == "shutoff":
            await life.destroy(stage.ref, 0)

    async def scenario(stage: Stage) -> None:
        await become(stage, then)
        snapshot = await stage.take("s")
        if then == "paused" and now == "running":
            await stage.backend.get(Lifecycle).resume(stage.ref)
        elif then == "shutoff" and now == "running":
            await stage.backend.get(Lifecycle).create(stage.ref, 0)
        elif then != now:
            await become(stage, now)
        stage.events.clear()
        await stage.snapshots.revert(snapshot, flags)
        assert stage.events == told
        assert stage.state[0] == state

    play(scenario)


def test_a_transient_domain_goes_back_and_stays() -> None:
    async def scenario(stage: Stage) -> None:
        ref = await stage.backend.get(Domains).create_xml(TRANSIENT, 0)
        snapshot = await stage.take("s", ref=ref)
        await stage.snapshots.revert(snapshot, 0)
        again = stage.world.table.by_name("short").ref
        assert again.id > ref.id
        assert stage.snapshots.is_current(snapshot, 0)
        with pytest.raises(OperationInvalid, match="cannot halt after transient domain snapshot"):
            await stage.take("t", S.CREATE_HALT, again)

    play(scenario)


def test_halting_afterwards() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.take("s", S.CREATE_HALT)
        assert stage.state == (D.SHUTOFF, D.SHUTOFF_FROM_SNAPSHOT)
        assert stage.events == [STOPPED]

    play(scenario)


def test_images_of_any_format_will_do() -> None:
    async def scenario(stage: Stage) -> None:
        disk = "<disk type='file' device='disk'><driver type='raw'/><source file='/a'/><target dev='vda'/></disk>"
        text = TRANSIENT.replace("</os>", f"</os><devices>{disk}</devices>")
        ref = await stage.backend.get(Domains).create_xml(text, 0)
        snapshot = await stage.take("s", ref=ref)
        assert "<driver type='raw'/>" in stage.snapshots.describe(snapshot, 0)

    play(scenario)


def test_checkpoints() -> None:
    async def scenario(stage: Stage) -> None:
        checkpoints = stage.backend.get(Checkpoints)
        one = await checkpoints.create(stage.ref, CHECKPOINT.format("one"), 0)
        two = await checkpoints.create(stage.ref, CHECKPOINT.format("two"), K.CREATE_QUIESCE)
        assert checkpoints.parent(two, 0).name == "one"
        with pytest.raises(OperationUnsupported, match="cannot create snapshot while checkpoint exists"):
            await stage.take("s")
        assert "size='1024'" in await checkpoints.describe(one, K.XML_SIZE | K.XML_NO_DOMAIN)
        listed = stage.backend.get(Domains).list_all(D.LIST_DOMAINS_HAS_CHECKPOINT)
        assert [each.name for each in listed] == ["test"]
        await checkpoints.delete(one, K.DELETE_CHILDREN)
        assert checkpoints.list_all(stage.ref, 0) == []
        await stage.take("s")
        with pytest.raises(OperationUnsupported, match="cannot create checkpoint while snapshot exists"):
            await checkpoints.create(stage.ref, "<domaincheckpoint/>", 0)

    play(scenario)
