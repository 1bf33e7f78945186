"""<memory>, <memtune> and <memballoon>: how much memory a guest has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import typed_params as T
from roost.contract.typed_params import TypedParam, ullong
from roost.errors import From, InternalError, InvalidArg, OperationInvalid
from roost.host.api import UNLIMITED
from roost.model.domain import Domain
from roost.model.domain.memory import MemTune

#: The limits and their types; they have the names of the fields.
PARAMETERS: Mapping[str, int] = dict.fromkeys(
    (D.MEMORY_HARD_LIMIT, D.MEMORY_SOFT_LIMIT, D.MEMORY_SWAP_HARD_LIMIT), T.ULLONG
)


def shown(document: Domain) -> Sequence[TypedParam]:
    """All limits."""
    tune = document.memtune or MemTune()
    limits = ((name, getattr(tune, name)) for name in PARAMETERS)
    return [ullong(name, UNLIMITED if limit is None else limit) for name, limit in limits]


def check_limits(present: Domain, values: Mapping[str, int]) -> None:
    """Raises InvalidArg for limits that cross. present: the document that is in force."""
    tune = present.memtune or MemTune()
    hard, swap = (
        UNLIMITED if limit is None else limit
        for limit in (values.get(name, getattr(tune, name)) for name in (D.MEMORY_HARD_LIMIT, D.MEMORY_SWAP_HARD_LIMIT))
    )
    if values.keys() & {D.MEMORY_HARD_LIMIT, D.MEMORY_SWAP_HARD_LIMIT} and hard > swap:
        text = "memory hard_limit tunable value must be lower than or equal to swap_hard_limit"
        raise InvalidArg(text, domain=From.DOMAIN, hint="change both at once, hard_limit first")


def with_limits(document: Domain, values: Mapping[str, int]) -> Domain:
    """The document with limits changed; one as high as can be goes."""
    kept = {name: None if value >= UNLIMITED else value for name, value in values.items()}
    tune = replace(document.memtune or MemTune(), **kept)
    return replace(document, memtune=None if tune == MemTune() else tune)


def with_maximum(document: Domain, memory: int) -> Domain:
    """The definition of a guest that can have `memory` KiB. Raises OperationInvalid."""
    if document.cells:
        text = "initial memory size of a domain with NUMA nodes cannot be modified with this API"
        raise OperationInvalid(text, hint="edit the cells' memory")
    if document.max_memory is not None and document.max_memory.size and document.max_memory.size < memory:
        text = "cannot set initial memory size greater than the maximum memory size"
        raise OperationInvalid(text, hint=f"<maxMemory> is {document.max_memory.size} KiB")
    now = document.memory if document.current_memory is None else document.current_memory
    return replace(document, memory=memory, current_memory=min(now, memory))


def refuse_live_maximum() -> OperationInvalid:
    """The error for the maximum of a guest that runs."""
    return OperationInvalid(
        "cannot resize the maximum memory on an active domain",
        hint="change it with --config; memory devices can be plugged in",
    )


def check_balloon(memory: int, largest: int) -> None:
    """Raises InvalidArg for more than there is. KiB."""
    if memory > largest:
        raise InvalidArg("cannot set memory higher than max memory", hint=f"the most is {largest} KiB")


def with_period(document: Domain, seconds: int) -> Domain:
    """The document with how often the guest's balloon driver reports. Raises InternalError without a balloon."""
    balloon = document.devices.memballoon
    if balloon is None or balloon.model == "none":
        text = "No memory balloon device configured, can not set the collection period"
        raise InternalError(text, hint="add <memballoon model='virtio'/>")
    return replace(
        document, devices=replace(document.devices, memballoon=replace(balloon, stats_period=seconds or None))
    )


__all__ = [
    "PARAMETERS", "check_balloon", "check_limits", "refuse_live_maximum", "shown", "with_limits", "with_maximum",
    "with_period",
]  # fmt: skip
