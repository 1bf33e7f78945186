"""What QEMU tells of memory on its way out, as a job's measure. Dry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roost.constants import jobs as J
from roost.contract.typed_params import TypedParam, ullong
from roost.engine.jobs import Amount, Measure

#: A parameter of the job's statistics -> what query-migrate calls it, of the memory.
_PAGES = (
    (J.MEMORY_CONSTANT, "duplicate"),
    (J.MEMORY_NORMAL, "normal"),
    (J.MEMORY_NORMAL_BYTES, "normal-bytes"),
)
_ALWAYS = (
    (J.MEMORY_DIRTY_RATE, "dirty-pages-rate"),
    (J.MEMORY_ITERATION, "dirty-sync-count"),
    (J.MEMORY_POSTCOPY_REQS, "postcopy-requests"),
)


def of_migration(answer: Mapping[str, Any]) -> Measure:
    """The measure in an answer to query-migrate."""
    ram: Mapping[str, Any] = answer.get("ram", {})
    memory = Amount(ram.get("total", 0), ram.get("transferred", 0), ram.get("remaining", 0))
    found: list[TypedParam] = []
    if "setup-time" in answer:
        found.append(ullong(J.SETUP_TIME, answer["setup-time"]))
    found += [
        *_amount((J.DATA_TOTAL, J.DATA_PROCESSED, J.DATA_REMAINING), memory),
        *_amount((J.MEMORY_TOTAL, J.MEMORY_PROCESSED, J.MEMORY_REMAINING), memory),
    ]
    # Millions of bits a second, to bytes.
    speed = int(ram.get("mbps", 0) * 125_000)
    if speed > 0:
        found.append(ullong(J.MEMORY_BPS, speed))
    if "duplicate" in ram:
        found += [ullong(name, int(ram.get(key, 0))) for name, key in _PAGES]
    found += [ullong(name, int(ram.get(key, 0))) for name, key in _ALWAYS]
    if ram.get("page-size", 0) > 0:
        found.append(ullong(J.MEMORY_PAGE_SIZE, ram["page-size"]))
    finished = answer.get("status") == "completed"
    downtime = answer.get("downtime" if finished else "expected-downtime")
    return Measure(memory=memory, downtime=downtime, parameters=tuple(found))


def of_dump(answer: Mapping[str, Any]) -> Measure:
    """The measure in an answer to query-dump, or in the event at a dump's end."""
    total, done = int(answer.get("total", 0)), int(answer.get("completed", 0))
    memory = Amount(total, done, total - done)
    return Measure(
        memory=memory, parameters=tuple(_amount((J.MEMORY_TOTAL, J.MEMORY_PROCESSED, J.MEMORY_REMAINING), memory))
    )


def _amount(names: tuple[str, str, str], amount: Amount) -> list[TypedParam]:
    return [ullong(name, value) for name, value in zip(names, amount, strict=True)]
