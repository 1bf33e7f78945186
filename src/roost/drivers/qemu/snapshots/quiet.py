"""A guest whose file systems are frozen by its agent."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from roost.drivers.qemu.agent import answers as A
from roost.drivers.qemu.agent.turn import turn
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.errors import AgentUnresponsive, RoostError

log = logging.getLogger(__name__)


@asynccontextmanager
async def quiet(
    record: GuestRecord, guest: Guest, in_background: Callable[[Coroutine[Any, Any, None], str], object]
) -> AsyncIterator[None]:
    """They are frozen inside, and thawed whatever happens, but for those of a guest that has ended.

    in_background: does what nobody waits for. Raises what the agent says against it; when it does not thaw, only if
    nothing else went wrong.
    """
    async with turn(record, "modify") as agent:
        try:
            frozen = await agent.ask("guest-fsfreeze-freeze", A.Count)
        except AgentUnresponsive:
            # It may still do what nobody waits for any more.
            in_background(_thaw(record, guest), f"thawing {record.name}")
            raise
    try:
        yield
    except BaseException:
        try:
            await _thaw(record, guest)
        except RoostError as error:
            log.warning("the file systems of %s may still be frozen: %s", record.name, error)
        raise
    if frozen:
        await _thaw(record, guest)


async def _thaw(record: GuestRecord, guest: Guest) -> None:
    if record.runtime is guest and guest.ending is None:
        async with turn(record, "modify") as agent:
            await agent.ask("guest-fsfreeze-thaw", A.Count)


__all__ = ["quiet"]
