"""What a daemon that died while it wrote a guest's memory has left: the guest goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os

from roost.constants import domain as D
from roost.drivers.qemu import interruptions
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.qmp import QmpClient
from roost.drivers.qemu.state.routes import take_back
from roost.drivers.qemu.state.save import go_on, stay
from roost.drivers.qemu.state.unfinished import Unfinished
from roost.drivers.qemu.supervisor import Supervisor

log = logging.getLogger(__name__)

#: Why a guest is paused whose memory is being written.
_REASONS = (D.PAUSED_SAVE, D.PAUSED_DUMP, D.PAUSED_SNAPSHOT)
#: How QEMU calls migrations and dumps that have not come to their end.
_UNDER_WAY = ("setup", "active", "device", "cancelling", "pre-switchover")
#: Seconds between two looks at one that is to end.
_INTERVAL = 0.05
#: How often it is looked for.
_LOOKS = 6000


async def undo_save(
    context: Context,
    supervisor: Supervisor,
    record: GuestRecord,
    guest: Guest,
    monitor: QmpClient,
    *,
    ran: bool,
    in_snapshot: bool,
) -> None:
    """End what writes the guest's memory, and let it go on if it was stopped for that. The image is incomplete.

    ran: the last that the daemon noted of it. in_snapshot: one was being taken, and what became of it is told.
    """
    image = Unfinished(context.paths.status).undo(record.name)
    if image is None and not in_snapshot:
        return
    await _end(monitor)
    await take_back(monitor)
    managed = str(context.paths.managed_save(record.name))
    if image is not None and image.path == managed:
        with contextlib.suppress(OSError):
            os.unlink(managed)
    if record.state == D.PAUSED and (ran or record.reason in _REASONS):
        await go_on(supervisor, record, guest, D.RUNNING_SAVE_CANCELED)
        log.warning("%s was stopped for that; it goes on", record.name)
    elif record.state == D.PAUSED:
        await stay(supervisor, record, guest)
    if image is not None and not in_snapshot:
        undone = interruptions.MANAGED_SAVE_UNDONE if image.path == managed else interruptions.SAVE_UNDONE
        if image.work == interruptions.DUMP:
            undone = interruptions.DUMP_UNDONE
        interruptions.tell(context, record, undone, path=image.path)


def tell_of_saved(context: Context, record: GuestRecord) -> None:
    """The same for a guest that is gone, perhaps because it is saved."""
    image = Unfinished(context.paths.status).take(record.name)
    if image is not None and image.work == interruptions.SAVE:
        outcome = interruptions.SAVE_DONE if image.complete else interruptions.SAVE_LOST
        interruptions.tell(context, record, outcome, path=image.path)
    elif image is not None and image.work == interruptions.DUMP:
        interruptions.tell(context, record, interruptions.DUMP_LOST, path=image.path)


def tell_of_all_saved(context: Context) -> None:
    """The same for those that had their end dealt with when the daemon ended."""
    unfinished = Unfinished(context.paths.status)
    active = {record.name for record in context.table.active}
    known = {record.name: record for record in context.table}
    for name in unfinished.names():
        if name in known and name not in active:
            tell_of_saved(context, known[name])
        elif name not in known:
            unfinished.forget(name)


async def _end(monitor: QmpClient) -> None:
    await monitor.execute("migrate_cancel")
    # The daemon that asked to be told of the end may have died before it did: looked for, not waited for.
    for _ in range(_LOOKS):
        migration, dump = await monitor.batch([("query-migrate", None), ("query-dump", None)])
        # A dump cannot be ended.
        if migration.get("status") not in _UNDER_WAY and dump.get("status") != "active":
            return
        await asyncio.sleep(_INTERVAL)
