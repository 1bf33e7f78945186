"""Numbers that move with the clock, so that graphs of them have something to show."""

from __future__ import annotations

import time
from collections.abc import Sequence

from roost.constants import domain as D
from roost.constants import statistics as S
from roost.contract import flags as F
from roost.contract.references import DomainIdentity, DomainRef
from roost.contract.statistics import Statistics
from roost.contract.typed_params import TypedParam, int_, uint, ullong
from roost.drivers.test.world import World
from roost.engine.edits import iothreads
from roost.engine.record import Record
from roost.errors import ArgumentUnsupported, From, InvalidArg, OperationUnsupported

GROUPS = S.STATE | S.IOTHREAD
LIST_FLAGS = (
    D.LIST_DOMAINS_ACTIVE | D.LIST_DOMAINS_INACTIVE | D.LIST_DOMAINS_PERSISTENT | D.LIST_DOMAINS_TRANSIENT
    | D.LIST_DOMAINS_RUNNING | D.LIST_DOMAINS_PAUSED | D.LIST_DOMAINS_SHUTOFF | D.LIST_DOMAINS_OTHER
)  # fmt: skip
STATS_FLAGS = LIST_FLAGS | S.STATS_NOWAIT | S.STATS_BACKING | S.STATS_ENFORCE_STATS

#: How I/O threads poll that nobody has said anything of.
POLLING = {D.IOTHREAD_POLL_MAX_NS: 32768, D.IOTHREAD_POLL_GROW: 0, D.IOTHREAD_POLL_SHRINK: 0}

#: Divisors of the clock's microseconds.
BLOCK = (10, 20, 30, 40, 2_000_000)
INTERFACE = (10, 100, 1_000_000, 2_000_000, 20, 110, 3_000_000, 4_000_000)

#: Parts of the guest's memory, and the numbers that stand still.
MEMORY_SHARES = {
    S.MEMORY_STAT_ACTUAL_BALLOON: 1, S.MEMORY_STAT_UNUSED: 2, S.MEMORY_STAT_AVAILABLE: 1,
    S.MEMORY_STAT_USABLE: 2, S.MEMORY_STAT_DISK_CACHES: 8, S.MEMORY_STAT_RSS: 2,
}  # fmt: skip
MEMORY_STILL = {S.MEMORY_STAT_LAST_UPDATE: 627319920}
MEMORY_ORDER = (
    S.MEMORY_STAT_ACTUAL_BALLOON, S.MEMORY_STAT_SWAP_IN, S.MEMORY_STAT_SWAP_OUT, S.MEMORY_STAT_MAJOR_FAULT,
    S.MEMORY_STAT_MINOR_FAULT, S.MEMORY_STAT_UNUSED, S.MEMORY_STAT_AVAILABLE, S.MEMORY_STAT_USABLE,
    S.MEMORY_STAT_LAST_UPDATE, S.MEMORY_STAT_DISK_CACHES, S.MEMORY_STAT_HUGETLB_PGALLOC,
    S.MEMORY_STAT_HUGETLB_PGFAIL, S.MEMORY_STAT_RSS,
)  # fmt: skip


def _clock() -> int:
    return time.time_ns() // 1000


class TestStatistics(Statistics):
    """contract.Statistics over the clock."""

    __test__ = False

    def __init__(self, world: World) -> None:
        self.table = world.table
        self._world = world

    async def memory_stats(self, domain: DomainIdentity, limit: int, flags: int) -> Sequence[tuple[int, int]]:
        F.check(flags, 0, "testDomainMemoryStats", From.TEST)
        document = self.table.get_active(domain).document
        memory = document.current_memory or document.memory
        values = [
            (tag, memory // MEMORY_SHARES[tag] if tag in MEMORY_SHARES else MEMORY_STILL.get(tag, 0))
            for tag in MEMORY_ORDER
        ]
        return values[:limit]

    async def all_stats(
        self, domains: Sequence[DomainIdentity], groups: int, flags: int
    ) -> Sequence[tuple[DomainRef, Sequence[TypedParam]]]:
        F.check(flags, STATS_FLAGS, "testConnectGetAllDomainStats", From.TEST)
        if flags & S.STATS_ENFORCE_STATS and groups & ~GROUPS:
            raise ArgumentUnsupported(
                f"Stats types bits 0x{groups & ~GROUPS:x} are not supported by this daemon", domain=From.TEST
            )
        named = domains or self.table.list(flags & LIST_FLAGS)
        wanted = groups or GROUPS
        return [
            (
                record.ref,
                (_state(record) if wanted & S.STATE else [])
                + (self._iothreads(record) if wanted & S.IOTHREAD and record.is_active else []),
            )
            for record in map(self.table.get, named)
        ]

    def _iothreads(self, record: Record[None]) -> list[TypedParam]:
        found: list[TypedParam] = []
        for thread in iothreads.listed(record.document):
            polling = POLLING | self._world.polling.get((record.uuid, thread.id), {})
            prefix = f"iothread.{thread.id}."
            found += [
                ullong(f"{prefix}poll-max-ns", polling[D.IOTHREAD_POLL_MAX_NS]),
                uint(f"{prefix}poll-grow", polling[D.IOTHREAD_POLL_GROW]),
                uint(f"{prefix}poll-shrink", polling[D.IOTHREAD_POLL_SHRINK]),
            ]
        return [uint("iothread.count", len(found) // 3), *found] if found else []

    async def block_stats(self, domain: DomainIdentity, path: str) -> tuple[int, int, int, int, int]:
        if not path:
            raise OperationUnsupported("summary statistics are not supported yet", domain=From.TEST)
        document = self.table.get_active(domain).document
        if path not in {disk.target.dev for disk in document.devices.disks if disk.target}:
            raise InvalidArg(f"invalid path: {path}", domain=From.TEST, hint="name the disk's target, such as vda")
        clock = _clock()
        first, second, third, fourth, fifth = (clock // divisor for divisor in BLOCK)
        return first, second, third, fourth, fifth

    def interface_stats(self, domain: DomainIdentity, device: str) -> tuple[int, ...]:
        document = self.table.get_active(domain).document
        names = {interface.target.dev for interface in document.devices.interfaces if interface.target}
        if device not in names | {interface.mac for interface in document.devices.interfaces}:
            raise InvalidArg(
                f"'{device}' is not a known interface", domain=From.DOMAIN, hint="name its target device or MAC address"
            )
        clock = _clock()
        return tuple(clock // divisor for divisor in INTERFACE)


def _state(record: Record[None]) -> list[TypedParam]:
    return [int_("state.state", record.state), int_("state.reason", record.reason)]
