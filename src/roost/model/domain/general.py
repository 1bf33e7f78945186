"""What the machine does when it stops, and which sleep states it offers."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.xml import Record, YesNo, at

LifecycleAction = Literal["destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart"]
LockFailureAction = Literal["poweroff", "restart", "pause", "ignore"]


class Pm(Record):
    """Sleep states that the firmware offers the guest: S3, S4."""

    suspend_to_mem: Annotated[YesNo | None, at("suspend-to-mem/@enabled")] = None
    suspend_to_disk: Annotated[YesNo | None, at("suspend-to-disk/@enabled")] = None


__all__ = ["LifecycleAction", "LockFailureAction", "Pm"]
