"""Devices that broke no rule before.

Records never change, and those of guests made alike are the same (see
`roost.xml`): where no rule looked at more than the device, the machine and the
emulator, another guest's check would find the same.
"""

from __future__ import annotations

from typing import Any

from roost.model.domain.facts import MachineFacts
from roost.model.domain.validate.rules import Context

#: When there are as many, all are forgotten: machines, and devices of one.
_MAX_MACHINES, _MAX_DEVICES = 8, 1024


class Accepted(dict[int, Any]):
    """Devices by id, which is theirs as long as they are held here. facts: of the emulator that these are for."""

    __slots__ = ("facts",)

    def __init__(self, facts: MachineFacts) -> None:
        super().__init__()
        self.facts = facts

    def add(self, device: Any) -> None:
        if len(self) >= _MAX_DEVICES:
            self.clear()
        self[id(device)] = device


_by_machine: dict[tuple[int, str, str], Accepted] = {}


def accepted_on(context: Context) -> Accepted:
    """The devices that the rules have nothing against on a machine of this kind with this emulator."""
    key = (id(context.facts), context.arch, context.machine_name)
    found = _by_machine.get(key)
    if found is None:
        if len(_by_machine) >= _MAX_MACHINES:
            _by_machine.clear()
        found = _by_machine[key] = Accepted(context.facts)
    return found


__all__ = ["accepted_on"]
