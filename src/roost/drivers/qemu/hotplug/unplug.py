"""Taking a device out of a running guest: asked for, waited for, and cleared up after.

A guest may take its time, refuse, or not be there to hear. So the request is
repeated while there is patience, and ends in one of three ways: the device is
gone, the guest has refused, or neither was heard of. A device that goes when
nobody waits for it any more is cleared up after all the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Container
from typing import Any

from roost.constants import domain_events as E
from roost.drivers.qemu import interruptions, plan
from roost.drivers.qemu.blockjobs.busy import require_no_job
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.events import Data
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.held import part_of
from roost.drivers.qemu.hotplug import documents
from roost.drivers.qemu.hotplug.classes import class_of
from roost.drivers.qemu.hotplug.plug import take_back
from roost.drivers.qemu.hotplug.rules import check_detach
from roost.drivers.qemu.qmp import QmpClient, QmpCommandError
from roost.drivers.qemu.reservations import Reservations
from roost.drivers.qemu.supervisor import Supervisor
from roost.drivers.qemu.tuning import access, locking
from roost.errors import From, InternalError, OperationFailed, OperationTimeout, RoostError
from roost.model.domain import Domain
from roost.model.domain.devices.chardev import Channel, GuestfwdChannel
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.interface import Interface
from roost.model.domain.devices.lease import Lease
from roost.model.domain.devices.memory import SgxEpc

log = logging.getLogger(__name__)

#: Seconds after which the guest is asked again, and after the last of which it is given up; 5 in all, like libvirt's.
WAITS = (1.2, 1.9, 1.9)

#: Events of ACPI's _OST method that are about a request to let a device go, and how they say no.
_EJECTION = (0x003, 0x103)
_FAILURES = {
    0x01: "a failure without a name",
    0x80: "the device is in use by an application",
    0x81: "the device is busy",
    0x82: "something that depends on it is busy or cannot go",
    0x83: "it is on its way out already",
}
#: Classes whose devices are objects of QEMU under their aliases as long as they are there.
_TRACKED = frozenset(("disk", "interface", "rng", "memory", "redirdev", "shmem", "watchdog", "input", "vsock"))


class Unplugger:
    """Listens to QEMU's events about devices that leave."""

    def __init__(self, context: Context, supervisor: Supervisor) -> None:
        self._context = context
        #: What clears up after things that are no devices of a document, by how their names begin.
        self._others: dict[str, Callable[[GuestRecord, Guest, Data], Awaitable[None]]] = {}
        #: Answers that are waited for, by the guest and the alias of the device: None when it is gone, else why not.
        self._waiting: dict[tuple[Guest, str], asyncio.Future[str | None]] = {}
        supervisor.listen("DEVICE_DELETED", self._on_deleted)
        supervisor.listen("DEVICE_UNPLUG_GUEST_ERROR", self._on_refused)
        supervisor.listen("ACPI_DEVICE_OST", self._on_status)

    def when_gone(self, prefix: str, clear_up: Callable[[GuestRecord, Guest, Data], Awaitable[None]]) -> None:
        """Have something that is no device of a document cleared up after when it goes unexpectedly, in a job."""
        self._others[prefix] = clear_up

    # -- what QEMU tells -------------------------------------------------------------------

    def _on_deleted(self, supervisor: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
        alias = str(data.get("device", ""))
        if not self._answer(guest, alias, None) and alias:
            supervisor.run(self._clear_up_late(record, guest, data), f"removing {alias} of {record.name}")

    def _on_refused(self, supervisor: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
        alias = str(data.get("device", ""))
        if alias:
            self._refuse(supervisor, record, guest, alias, f"it still uses '{alias}'")

    def _on_status(self, supervisor: Supervisor, record: GuestRecord, guest: Guest, data: Data) -> None:
        """What ACPI of the guest has made of a request: it refuses to let go of memory this way."""
        info = data.get("info", {})
        alias, status = str(info.get("device") or ""), int(info.get("status", 0))
        if alias and info.get("slot-type") == "DIMM" and info.get("source") in _EJECTION and status in _FAILURES:
            why = f"it says of '{alias}': {_FAILURES[status]} (ACPI status {status:#x})"
            self._refuse(supervisor, record, guest, alias, why)

    def _refuse(self, supervisor: Supervisor, record: GuestRecord, guest: Guest, alias: str, why: str) -> None:
        self._answer(guest, alias, why)
        supervisor.publish(record, E.ID_DEVICE_REMOVAL_FAILED, alias)

    def _answer(self, guest: Guest, alias: str, answer: str | None) -> bool:
        """Whether somebody waited for it."""
        waiting = self._waiting.get((guest, alias))
        if waiting is None or waiting.done():
            return False
        waiting.set_result(answer)
        return True

    async def _clear_up_late(self, record: GuestRecord, guest: Guest, data: Data) -> None:
        alias = str(data["device"])
        async with record.job("clearing up after a device"):
            if record.runtime is not guest or record.live is None:
                return
            if _is_there(record.live, alias):
                await self.clear_up(record, documents.by_alias(record.live, alias))
            for prefix, clear_up in self._others.items():
                if alias.startswith(prefix):
                    await clear_up(record, guest, data)

    async def find_gone(self, record: GuestRecord, monitor: QmpClient, coming: Container[str] = ()) -> None:
        """Clear up after devices that left while no daemon listened, inside the record's job.

        coming: aliases of those that were being attached when the last one ended. What became of all is told.
        """
        if record.live is None:
            return
        entries = await monitor.execute("qom-list", {"path": "/machine/peripheral"})
        there = {str(entry["name"]) for entry in entries if str(entry["type"]).startswith("child<")}
        for device in documents.all_devices(record.live):
            alias = getattr(device, "alias", None)
            tracked = class_of(device).called in _TRACKED and _can_leave(record.live, device)
            if not (tracked or alias in coming):
                continue
            if alias not in there:
                await self.clear_up(record, device)
                self._tell(
                    record, interruptions.DEVICE_MISSING if alias in coming else interruptions.DEVICE_LEFT, alias
                )
            elif alias in coming:
                self._tell(record, interruptions.DEVICE_THERE, alias)

    def _tell(self, record: GuestRecord, outcome: interruptions.Outcome, alias: str | None) -> None:
        interruptions.tell(self._context, record, outcome, alias=alias)

    # -- asking ----------------------------------------------------------------------------

    async def detach(self, record: GuestRecord, device: Any, *, wait: bool = True) -> None:
        """Take `device`, one of the live document's, out of the guest, inside the record's job.

        wait: False sends the request and leaves the rest to the guest.
        Raises what refuses it, OperationFailed when the guest does, and
        OperationTimeout when it has not said anything.
        """
        assert record.live is not None
        check_detach(record.live, device)
        if isinstance(device, Disk):
            require_no_job(record, device)
        if isinstance(device, Lease):
            record.live = documents.removed(record.live, device)
            self._context.save_changed(record)
            return
        if device.alias is None:
            raise InternalError(f"Cannot detach {class_of(device).called} device with no alias", domain=From.QEMU)
        if isinstance(device, Channel) and isinstance(device.target, GuestfwdChannel):
            await self.clear_up(record, device)
            return
        if not wait:
            if not await _ask(require_monitor(record), device.alias):
                await self.clear_up(record, device)
            return
        if await self.leaves(record, device.alias):
            await self.clear_up(record, documents.by_alias(record.live, device.alias))

    async def leaves(self, record: GuestRecord, alias: str) -> bool:
        """Ask for a device to leave and wait until it has. Raises OperationFailed and OperationTimeout."""
        guest, monitor = require_guest(record), require_monitor(record)
        waiting: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._waiting[guest, alias] = waiting
        try:
            if not await _ask(monitor, alias):
                return True
            for patience in WAITS:
                await asyncio.wait((waiting,), timeout=patience)
                if waiting.done():
                    break
                if not await _ask(monitor, alias, again=True):
                    return True
        finally:
            del self._waiting[guest, alias]
        if not waiting.done():
            raise OperationTimeout(
                f"the guest has not released device '{alias}' within {sum(WAITS):g} seconds",
                domain=From.QEMU,
                hint="it may not have booted yet, or lacks ACPI or PCI hotplug; if it lets go later, the device is "
                "removed then and subscribers are told; ask again, or detach it with --config",
            )
        why = waiting.result()
        if why is not None:
            raise OperationFailed("unplug of device was rejected by the guest", domain=From.QEMU, hint=why)
        return True

    # -- afterwards ------------------------------------------------------------------------

    async def clear_up(self, record: GuestRecord, device: Any) -> None:
        """The device has left QEMU: remove its backends, give back what it held, and say so."""
        guest, monitor = require_guest(record), require_monitor(record)
        live = record.live
        assert live is not None
        caps = await self._context.capabilities.get(live.devices.emulator or "")
        volumes = guest.resources.volumes
        backends = [
            command
            for command in plan.device_add(device, live, caps, plan.Grants(volumes=volumes))
            if command.name not in ("device_add", "getfd", "add-fd")
        ]
        await take_back(monitor, plan.undo(tuple(backends)))
        if record.runtime is not guest or record.live is None:
            return
        device = documents.by_alias(record.live, device.alias)
        record.live = left = documents.removed(record.live, device)
        guest.agent.follow(left)
        leaving = plan.device_needs(documents.alone(live, (device,)), caps, volumes)
        staying = plan.device_needs(left, caps, volumes)
        names = [device.target.dev] if isinstance(device, Interface) and device.target is not None else []
        part = part_of(guest.resources.held, leaving, staying, [name for name in names if name is not None])
        guest.resources.give_back(part)
        if part.nodes:
            await access.settle(self._context, record, guest)
        if locking.concerns(device):
            locking.settle(self._context, record, guest)
        self._context.save_changed(record)
        await Reservations(self._context).settle(record, guest)
        self._context.publish(record, E.ID_DEVICE_REMOVED, device.alias)


def _is_there(live: Domain, alias: str) -> bool:
    return any(getattr(each, "alias", None) == alias for each in documents.all_devices(live))


def _can_leave(live: Domain, device: Any) -> bool:
    if isinstance(device, SgxEpc):
        return False
    try:
        check_detach(live, device)
    except RoostError:
        return False
    return True


async def _ask(monitor: QmpClient, alias: str, *, again: bool = False) -> bool:
    """Ask QEMU to remove a device; False when it has none of that name. again: it may be about to already."""
    try:
        await monitor.execute("device_del", {"id": alias})
    except QmpCommandError as error:
        if error.kind == "DeviceNotFound":
            return False
        # Asked by a daemon that has not lived to see it leave.
        if not again and "already in the process of unplug" not in error.desc:
            raise
    return True


__all__ = ["WAITS", "Unplugger"]
