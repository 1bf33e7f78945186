"""On a daemon's path, ends it as a crash would when it is about to give QEMU the command that $ROOST_DIES_AT names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from roost.drivers.qemu.qmp.client import QmpClient

_LAST = os.environ["ROOST_DIES_AT"]
_execute, _batch = QmpClient.execute, QmpClient.batch


def _die_at(*commands: str) -> None:
    if _LAST in commands:
        os._exit(1)


async def _dying_execute(self: QmpClient, command: str, *arguments: Any, **options: Any) -> Any:
    _die_at(command)
    return await _execute(self, command, *arguments, **options)


async def _dying_batch(self: QmpClient, commands: Sequence[Any], **options: Any) -> list[Any]:
    _die_at(*(command[0] for command in commands))
    return await _batch(self, commands, **options)


QmpClient.execute = _dying_execute  # type: ignore[method-assign]
QmpClient.batch = _dying_batch  # type: ignore[method-assign]
