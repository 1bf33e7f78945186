"""Which processors come or go when their number changes. Dry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from roost.engine.edits.processors import states, with_states
from roost.errors import ConfigUnsupported, From, InvalidArg
from roost.errors import OperationUnsupported as Unsupported
from roost.model.domain import Domain
from roost.model.domain.processors import VcpuState

_HINT = "processors that share a core come and go together; the first of those there from the start stay"


class Entity(NamedTuple):
    """What QEMU plugs in one piece: the processors first … first + size - 1.

    properties: where it belongs, for device_add. alias: its name while it is there and can be taken out.
    """

    first: int
    size: int
    driver: str
    properties: Mapping[str, Any]
    alias: str | None
    present: bool

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + self.size)


def entities(slots: Sequence[Mapping[str, Any]]) -> tuple[Entity, ...]:
    """From QEMU's answer to query-hotpluggable-cpus, which names the last one first."""
    found = []
    number = 0
    for slot in reversed(slots):
        path = str(slot.get("qom-path", ""))
        alias = path.removeprefix("/machine/peripheral/") if path.startswith("/machine/peripheral/") else None
        found.append(Entity(number, slot["vcpus-count"], slot["type"], slot["props"], alias, bool(path)))
        number += slot["vcpus-count"]
    return tuple(found)


# -- the document ------------------------------------------------------------------------------


def plugged(domain: Domain, numbers: Iterable[int]) -> Domain:
    """The live document after these came; each keeps the turn it came in."""
    new = set(numbers)
    listed = states(domain)
    turns = _turns(listed)
    following = max(turns.values(), default=0)
    made = []
    for state in listed:
        if state.id in new:
            following += 1
            state = replace(state, enabled=True, hotpluggable=True, order=following)
        elif state.enabled:
            state = replace(state, order=turns[state.id])
        made.append(state)
    return with_states(domain, made)


def _turns(listed: Sequence[VcpuState]) -> dict[int, int]:
    """In which turn each came: those that no order is said of in that of their numbers."""
    present = sorted((state for state in listed if state.enabled), key=lambda state: (state.order or 0, state.id))
    return {state.id: turn for turn, state in enumerate(present, 1)}


def unplugged(domain: Domain, numbers: Iterable[int]) -> Domain:
    """The live document after these went."""
    gone = set(numbers)
    kept = [
        replace(state, enabled=False, hotpluggable=True, order=None) if state.id in gone else state
        for state in states(domain)
    ]
    turns = _turns(kept)
    return with_states(domain, [replace(s, order=turns[s.id]) if s.enabled else s for s in kept])


# -- choosing ----------------------------------------------------------------------------------


def choose(found: Sequence[Entity], domain: Domain, count: int) -> tuple[list[Entity], bool]:
    """The entities to plug (True) or to take out (False), in their order, to come to `count` processors.

    Raises ConfigUnsupported when their sizes do not allow it.
    """
    current = sum(state.enabled for state in states(domain))
    enable = count > current
    candidates = [e for e in found if not e.present] if enable else [e for e in found[::-1] if e.alias is not None]
    chosen = []
    for entity in candidates:
        if current == count:
            break
        current += entity.size if enable else -entity.size
        if current > count if enable else current < count:
            raise ConfigUnsupported(
                "target vm vcpu granularity does not allow the desired vcpu count", domain=From.QEMU, hint=_HINT
            )
        chosen.append(entity)
    if current != count:
        raise ConfigUnsupported(
            "failed to find appropriate hotpluggable vcpus to reach the desired target vcpu count",
            domain=From.QEMU,
            hint=_HINT,
        )
    return chosen, enable


def choose_one(found: Sequence[Entity], domain: Domain, numbers: set[int], *, enable: bool) -> Entity:
    """The entity that is made of just these processors. Raises InvalidArg and OperationUnsupported."""
    for state in states(domain):
        if state.id in numbers and state.enabled == enable:
            raise InvalidArg(f"vcpu '{state.id}' is already in requested state", domain=From.QEMU)
    wanted = [entity for entity in found if numbers & set(entity.numbers)]
    for entity in wanted:
        missing = [number for number in entity.numbers if number not in numbers]
        if missing and missing[0] == entity.first:
            raise InvalidArg(
                f"vcpu '{min(numbers & set(entity.numbers))}' belongs to a larger hotpluggable entity, "
                "but siblings were not selected",
                domain=From.QEMU,
            )
        if missing:
            raise InvalidArg(
                f"vcpu '{missing[0]}' was not selected but it belongs to hotpluggable entity "
                f"'{entity.first}-{entity.first + entity.size - 1}' which was partially selected",
                domain=From.QEMU,
            )
    if len(wanted) != 1:
        raise Unsupported("only one hotpluggable entity can be selected", domain=From.QEMU)
    if not enable and wanted[0].alias is None:
        raise Unsupported(
            f"vcpu '{wanted[0].first}' can't be unplugged", domain=From.QEMU, hint="it was there when the guest started"
        )
    return wanted[0]


# -- the definition ----------------------------------------------------------------------------


def with_switched(config: Domain, numbers: set[int], *, enable: bool) -> Domain:
    """The definition with these processors in or out from the start. Raises InvalidArg."""
    if 0 in numbers:
        raise InvalidArg("vCPU '0' can't be modified", domain=From.QEMU)
    first = min(numbers)
    for state in states(config):
        fixed = state.enabled and state.hotpluggable is False
        if state.id > first and state.id not in numbers and fixed:
            raise InvalidArg(
                f"vcpu '{first}' can't be modified as it is followed by non-hotpluggable online vcpus",
                domain=From.QEMU,
            )
    made = [
        replace(state, enabled=enable, hotpluggable=True, order=None)
        if state.id in numbers
        else replace(state, order=None)
        for state in states(config)
    ]
    return with_states(config, made)


__all__ = [
    "Entity", "choose", "choose_one", "entities", "plugged", "unplugged", "with_switched",
]  # fmt: skip
