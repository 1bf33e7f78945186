"""Attaching a device to a running guest: one transaction over the host and QEMU."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from msgspec.structs import replace

from roost.constants import domain_events as E
from roost.drivers.qemu import live as L
from roost.drivers.qemu import plan
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import Coming, Guest, GuestRecord
from roost.drivers.qemu.hotplug import documents
from roost.drivers.qemu.hotplug.acquire import Joining, acquire
from roost.drivers.qemu.hotplug.classes import CONFIGURABLE, PLUGGABLE, class_of
from roost.drivers.qemu.hotplug.rules import check_attach, check_implied
from roost.drivers.qemu.memory import with_memory_devices
from roost.drivers.qemu.qmp import QmpClient, QmpCommandError
from roost.errors import From, InternalError, OperationUnsupported
from roost.model.domain import Domain
from roost.model.domain.aliases import next_alias
from roost.model.domain.alignment import align_memory
from roost.model.domain.devices.lease import Lease
from roost.model.domain.devices.memory import MemoryDevice

log = logging.getLogger(__name__)

Complete = Callable[[Domain], Awaitable[Domain]]


class Plugger:
    """complete: makes a whole document of one with a new device."""

    def __init__(self, context: Context, complete: Complete) -> None:
        self._context = context
        self._complete = complete

    async def attach(self, record: GuestRecord, device: Any) -> None:
        """Add `device`, as the user wrote it, to the running guest, inside the record's job.

        On failure the host, QEMU and the document are as before. Raises what
        refused it, with QEMU's own words where QEMU did.
        """
        guest, monitor = require_guest(record), require_monitor(record)
        assert record.live is not None
        called = class_of(device).called
        if called not in PLUGGABLE:
            raise OperationUnsupported(
                f"live attach of device '{called}' is not supported",
                domain=From.QEMU,
                hint="--config adds it for the next start" if called in CONFIGURABLE else "",
            )
        check_attach(record.live, device)
        if isinstance(device, Lease):
            # A word to a lock manager, and none of QEMU's business.
            record.live = documents.added(record.live, device)
            self._context.save_changed(record)
            return
        devices = await self._completed(record.live, device)
        async with AsyncExitStack() as stack:
            joining = await acquire(self._context, record, guest, devices, stack)
            announce(self._context, record, guest, joining.document, joining.devices, stack)
            made = await self._make(record, monitor, joining, stack)
            if record.runtime is not guest or record.live is None:
                raise InternalError("guest unexpectedly quit", domain=From.QEMU)
            live = record.live
            for each in made:
                live = documents.added(live, each)
            record.live, guest.coming = documents.with_console(live), None
            guest.agent.follow(record.live)
            self._context.save(record)
            stack.pop_all()
        guest.resources.descriptors.close()
        for each in made:
            # Memory goes by the name of what backs it: so does libvirt's event.
            name = f"mem{each.alias}" if isinstance(each, MemoryDevice) else each.alias
            self._context.publish(record, E.ID_DEVICE_ADDED, name)

    async def _completed(self, live: Domain, device: Any) -> tuple[Any, ...]:
        """The device with its place and name, after the controllers it needs that are missing."""
        completed = align_memory(await self._complete(documents.added(live, device)))
        alike = documents.scsi_controllers_alike(live, completed)
        if alike:
            joined = functools.reduce(documents.added, (*alike, device), live)
            completed = align_memory(await self._complete(joined))
        field = class_of(device).field
        found = documents.newcomers(live, completed, field)
        if len(found) != 1:
            raise InternalError(f"the place of the new {class_of(device).element} is not clear", domain=From.QEMU)
        others = documents.implied(live, completed, device)
        check_implied(others)
        named: list[Any] = []
        for each in (*others, *found):
            check_attach(live, each)
            if each.alias is None:
                each = replace(each, alias=next_alias(live, class_of(each).field, each))
            named.append(each)
            live = documents.added(live, each)
        return tuple(named)

    # -- QEMU's part -----------------------------------------------------------------------

    async def _make(
        self, record: GuestRecord, monitor: QmpClient, joining: Joining, stack: AsyncExitStack
    ) -> list[Any]:
        """Add backends and devices in their order; the devices as they came to be."""
        context = self._context
        caps = await context.capabilities.get(joining.document.devices.emulator or "")
        done: list[plan.Command] = []
        stack.push_async_callback(_take_back, monitor, done)
        for device in joining.devices:
            await carry_out(monitor, plan.device_add(device, joining.document, caps, joining.grants), done)
        alone = documents.alone(joining.document, joining.devices)
        for command in plan.settings(alone, caps):
            await run(monitor, command)
        return await _as_they_are(monitor, alone, joining.devices)


def announce(
    context: Context, record: GuestRecord, guest: Guest, document: Domain, devices: Sequence[Any], stack: AsyncExitStack
) -> None:
    """Put on disk what is about to come, with the document as it will be; forgotten when `stack` unwinds."""
    guest.coming = Coming(document, tuple(each.alias for each in devices))
    stack.callback(_forget, guest)
    context.save(record)


def _forget(guest: Guest) -> None:
    guest.coming = None


async def run(monitor: QmpClient, command: plan.Command) -> Any:
    """Carry out a command. Raises QmpCommandError, QmpClosed, OperationTimeout."""
    descriptors = () if command.descriptor is None else (command.descriptor,)
    return await monitor.execute(command.name, command.arguments, descriptors=descriptors)


async def carry_out(monitor: QmpClient, commands: Sequence[plan.Command], done: list[plan.Command]) -> None:
    """Carry out commands, backends in one write, the device when they stand. Raises what the first that fails raises.

    done: gets those that succeeded, and when this is cancelled all that may have.
    """
    sent: list[plan.Command] = []
    for command in commands:
        if command.descriptor is not None or command.name == "device_add":
            await _together(monitor, sent, done)
            sent = []
            await run(monitor, command)
            done.append(command)
        else:
            sent.append(command)
    await _together(monitor, sent, done)


async def _together(monitor: QmpClient, commands: Sequence[plan.Command], done: list[plan.Command]) -> None:
    done.extend(commands)
    answers = monitor.send_all([(command.name, command.arguments) for command in commands])
    results = await asyncio.gather(*answers, return_exceptions=True)
    failures = []
    for command, result in zip(commands, results, strict=True):
        if isinstance(result, BaseException):
            # What it would have made may be there under the same name, and not be ours.
            done.remove(command)
            failures.append(result)
    if failures:
        raise failures[0]


async def _take_back(monitor: QmpClient, done: Sequence[plan.Command]) -> None:
    await take_back(monitor, plan.undo(tuple(done)))


async def take_back(monitor: QmpClient, commands: Sequence[plan.Command]) -> None:
    """Carry out what removes pieces; one that is gone already, or is needed still, does not keep the others."""
    answers = monitor.send_all([(command.name, command.arguments) for command in commands])
    for result in await asyncio.gather(*answers, return_exceptions=True):
        if isinstance(result, QmpCommandError):
            log.debug("%s", result)


async def _as_they_are(monitor: QmpClient, alone: Domain, devices: Sequence[Any]) -> list[Any]:
    """The devices with what only QEMU knows: terminals, who listens, where memory is."""
    if any(class_of(device).called == "chr" for device in devices):
        chardevs = await monitor.execute("query-chardev")
        alone = L.with_channel_states(L.with_terminals(alone, chardevs), chardevs)
    if alone.devices.memories:
        alone = with_memory_devices(alone, await monitor.execute("query-memory-devices"))
    by_alias = {each.alias: each for each in documents.all_devices(alone)}
    return [by_alias[device.alias] for device in devices]


__all__ = ["Complete", "Plugger", "announce", "carry_out", "run", "take_back"]
