"""The end of a guest whose moment is kept, or that goes back to another."""

from __future__ import annotations

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.drivers.qemu.guest import Ending, Guest, GuestRecord
from roost.drivers.qemu.supervisor import Supervisor

_ENDING = Ending(D.SHUTOFF_FROM_SNAPSHOT, E.STOPPED_FROM_SNAPSHOT, "from-snapshot")


async def end(supervisor: Supervisor, record: GuestRecord, guest: Guest) -> None:
    """Nothing it would still say of its end is of interest."""
    if guest.monitor is not None:
        guest.monitor.close()
    await supervisor.stop(record, guest, _ENDING)


__all__ = ["end"]
