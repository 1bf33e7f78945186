"""Defaults of lifecycle and clock."""

from __future__ import annotations

from msgspec.structs import replace

from roost.model.domain.clock import Clock
from roost.model.domain.draft import Draft

_UTC_CLOCK = Clock(offset="utc")


def complete_lifecycle(draft: Draft) -> None:
    domain, changes = draft.domain, draft.changes
    changes["on_poweroff"] = domain.on_poweroff or "destroy"
    changes["on_reboot"] = domain.on_reboot or "restart"
    changes["on_crash"] = domain.on_crash or "destroy"


def complete_clock(draft: Draft) -> None:
    """UTC unless told otherwise; the kind of clock that an adjustment makes of it."""
    clock = draft.domain.clock
    if clock is None:
        draft.changes["clock"] = _UTC_CLOCK
        return
    adjustment, offset = clock.adjustment, clock.offset
    if offset in ("utc", "localtime") and adjustment not in (None, "reset"):
        # A number of seconds makes the clock a variable one with that base.
        basis = offset
        draft.changes["clock"] = replace(clock, offset="variable", adjustment=adjustment, basis=basis)
    elif offset == "variable":
        draft.changes["clock"] = replace(clock, adjustment=adjustment or "0", basis=clock.basis or "utc")


__all__ = ["complete_clock", "complete_lifecycle"]
