"""What starts with the host: which domains, in which order, with which pauses."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from pathlib import Path

from roost.constants import domain as D
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import GuestRecord
from roost.errors import RoostError
from roost.model.domain.startorder import StartOrder, start_order

log = logging.getLogger(__name__)

Start = Callable[[GuestRecord, int], Awaitable[None]]


class Autostart:
    """Once for each boot of the host."""

    def __init__(self, context: Context) -> None:
        self._context = context
        #: Set when somebody who waits for the first guests need not wait longer: the others come with pauses.
        self.has_paused = asyncio.Event()
        self._ending = asyncio.Event()

    @property
    def _stamp(self) -> Path:
        return self._context.paths.status / "autostarted"

    async def run(self, start: Start) -> None:
        """Start what is to start by itself. start: with its flags, in its job."""
        context = self._context
        if self._stamp.exists() and self._stamp.read_text().strip() == context.store.boot_id:
            return
        self._stamp.write_text(f"{context.store.boot_id}\n")
        wanted = await self._wanted()
        records = {record.name: record for record in context.table if record.is_persistent}
        orders = {name: _order(record) for name, record in records.items()} if wanted else {}
        names = sequence(wanted, orders)
        for place, name in enumerate(names):
            if self._ending.is_set():
                return
            if not records[name].is_active and await self._start(records, name, orders[name], start):
                await self._pause(orders[name], is_last=place == len(names) - 1)

    async def _wanted(self) -> list[str]:
        found = []
        for record in self._context.table:
            if record.autostart or record.autostart_once:
                found.append(record.name)
            if record.autostart_once:
                # Once is once, whether it succeeds or not.
                record.autostart_once = False
                await self._context.store.set_autostart(record.name, False, once=True)
        return found

    async def _start(self, records: Mapping[str, GuestRecord], name: str, order: StartOrder, start: Start) -> bool:
        """Whether it has been started; why not is logged."""
        for need in order.needs:
            needed = records.get(need.domain)
            if needed is None or not needed.is_active:
                what = "does not run" if needed is not None else "there is not"
                log.error("cannot autostart %s: it needs %s, which %s", name, need.domain, what)
                return False
        record = records[name]
        flags = D.START_BYPASS_CACHE if self._context.config.auto_start_bypass_cache else 0
        try:
            async with record.job("autostart"):
                if not record.is_active:
                    await start(record, flags)
        except RoostError as error:
            log.error("cannot autostart %s: %s", name, error)  # noqa: TRY400 - no bug of ours
            return False
        return True

    async def _pause(self, order: StartOrder, *, is_last: bool) -> None:
        seconds = self._context.config.auto_start_delay / 1000 if order.delay is None else float(order.delay)
        if seconds and not is_last:
            self.has_paused.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._ending.wait()

    def end(self) -> None:
        """Start no more; the next boot of the host starts all anew."""
        self._ending.set()


def _order(record: GuestRecord) -> StartOrder:
    try:
        return start_order(record.config)
    except RoostError as error:
        log.warning("the start order of %s cannot be read: %s", record.name, error)
        return StartOrder()


def sequence(wanted: Iterable[str], orders: Mapping[str, StartOrder]) -> list[str]:
    """Those that are wanted and those that they need, in the order in which they start. orders: of all there are.

    What needs each other in a circle comes in the order that is left, and will be refused.
    """
    left = _with_needs(wanted, orders)
    found: list[str] = []

    def rank(name: str) -> tuple[bool, int, str]:
        order = orders[name].order
        return order is None, order or 0, name

    while left:
        ready = [name for name in left if not any(need.domain in left for need in orders[name].needs)]
        if not ready:
            log.warning("%s need each other to start", ", ".join(sorted(left)))
        first = min(ready or left, key=rank)
        left.remove(first)
        found.append(first)
    return found


def _with_needs(wanted: Iterable[str], orders: Mapping[str, StartOrder]) -> set[str]:
    found: set[str] = set()
    more: Collection[str] = [name for name in wanted if name in orders]
    while more:
        found.update(more)
        needed = {need.domain for name in more for need in orders[name].needs}
        more = [name for name in needed if name in orders and name not in found]
    return found


__all__ = ["Autostart", "sequence"]
