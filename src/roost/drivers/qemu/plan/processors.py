"""Processors that are plugged in before the first instruction: no option of the command line can bring them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from roost.drivers.qemu.plan.hotplug import Command
from roost.errors import From, InternalError
from roost.model.domain import Domain
from roost.model.domain.processors import VcpuState


def late_processors(domain: Domain) -> list[VcpuState]:
    """The processors that are there from the start and can be taken out again, in the order of their plugging."""
    late = [state for state in domain.vcpus if state.enabled and state.hotpluggable]
    return sorted(late, key=lambda state: state.order or 0)


def plug_processors(domain: Domain, slots: Sequence[Mapping[str, Any]]) -> tuple[Command, ...]:
    """The commands that plug them. slots: QEMU's answer to query-hotpluggable-cpus. Raises InternalError."""
    # QEMU names the last slot first; a slot takes several processors where they share a core.
    by_number: dict[int, Mapping[str, Any]] = {}
    number = 0
    for slot in reversed(slots):
        by_number[number] = slot
        number += slot["vcpus-count"]
    commands = []
    for state in late_processors(domain):
        slot = by_number.get(state.id, {})
        if "qom-path" in slot:
            raise InternalError(f"vcpu {state.id} is there already", domain=From.QEMU)
        if slot:
            arguments = {"driver": slot["type"], "id": f"vcpu{state.id}", **slot["props"]}
            commands.append(Command("device_add", arguments))
    return tuple(commands)


__all__ = ["late_processors", "plug_processors"]
