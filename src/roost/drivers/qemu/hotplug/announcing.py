"""Interfaces that tell the network where they are, so that switches send to them what is theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from roost.constants import announcing as A
from roost.constants import typed_params as T
from roost.contract.typed_params import TypedParam, checked
from roost.drivers.qemu.context import require_monitor
from roost.drivers.qemu.guest import GuestRecord
from roost.engine.edits.bandwidth import find_interface
from roost.errors import From, InternalError

_PARAMETERS = dict.fromkeys((A.INITIAL, A.MAX, A.ROUNDS, A.STEP), T.UINT)
#: What QEMU wants to be told, with what it does itself after a migration.
_USUAL: Mapping[str, int] = {A.INITIAL: 50, A.MAX: 550, A.ROUNDS: 5, A.STEP: 100}


async def announce(record: GuestRecord, interface: str | None, params: Sequence[TypedParam]) -> None:
    """interface: its name on the host or its MAC address; None for all. Inside the record's job."""
    arguments: dict[str, Any] = {**_USUAL, **checked(params, _PARAMETERS)}
    monitor, live = require_monitor(record), record.live
    if live is None:
        raise InternalError("guest unexpectedly quit", domain=From.QEMU)
    if interface is not None:
        arguments["interfaces"] = [find_interface(live, interface).alias]
    await monitor.execute("announce-self", arguments)


__all__ = ["announce"]
