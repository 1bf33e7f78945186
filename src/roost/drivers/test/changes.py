"""Changes of what a domain's documents say."""

from __future__ import annotations

from collections.abc import Callable

from roost.contract.references import DomainIdentity
from roost.drivers.test.world import World
from roost.engine.affect import affected, choose
from roost.engine.definitions import redefine
from roost.engine.record import Record
from roost.model.domain import Domain

Edit = Callable[[Domain], Domain]


async def change_one(world: World, domain: DomainIdentity, flags: int, edit: Edit) -> None:
    """Change the one document that the flags mean. Raises as `choose`, and what the edit refuses."""
    record = world.table.get(domain)
    async with record.job("change"):
        live = choose(record, flags) is record.live
        await _replace(world, record, edit if live else None, None if live else edit)


async def change(world: World, domain: DomainIdentity, flags: int, live: Edit, config: Edit | None = None) -> None:
    """Change both, where the flags say so. config: the same of the definition, where it differs."""
    record = world.table.get(domain)
    async with record.job("change"):
        to_live, to_config = affected(record, flags)
        await _replace(world, record, live if to_live else None, (config or live) if to_config else None)


async def _replace(world: World, record: Record[None], live: Edit | None, config: Edit | None) -> None:
    """What one refuses, neither gets."""
    running = live(record.document) if live is not None else None
    definition = config(record.config) if config is not None else None
    if definition is not None:
        async with world.store.lock:
            await redefine(world.store, record, definition)
    if running is not None:
        record.live = running


__all__ = ["Edit", "change", "change_one"]
