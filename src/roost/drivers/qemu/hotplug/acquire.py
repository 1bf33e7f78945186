"""What the host gives for devices that join a running guest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import msgspec

from roost.drivers.qemu import connections, plan, storage
from roost.drivers.qemu import live as L
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.held import Held
from roost.drivers.qemu.hotplug import documents
from roost.drivers.qemu.passt import Passts
from roost.drivers.qemu.plan.imagenumbers import with_next_numbers
from roost.drivers.qemu.plan.reservations import with_sockets
from roost.drivers.qemu.reservations import Reservations
from roost.drivers.qemu.storagehelpers import StorageHelpers
from roost.drivers.qemu.tuning import access, locking
from roost.drivers.qemu.tuning.start import place_helpers
from roost.model.domain import Domain
from roost.model.domain.devices.disk import Disk


class Joining(NamedTuple):
    """Devices on their way into a guest, those that others need first. document: the live one with all of them."""

    devices: tuple[Any, ...]
    document: Domain
    grants: plan.Grants


async def acquire(
    context: Context,
    record: GuestRecord,
    guest: Guest,
    devices: Sequence[Any],
    stack: AsyncExitStack,
    join: Callable[[Domain, Any], Domain] = documents.added,
) -> Joining:
    """Take what the devices need: on disk with the guest's status before it is taken, given back by `stack`.

    join: how a device comes into the live document.
    """
    resources, live = guest.resources, record.live
    assert live is not None
    directory = context.paths.guest(record.id, record.name)
    caps = await context.capabilities.get(live.devices.emulator or "")
    found = await storage.prepare(documents.alone(live, devices), context.lookups, context.account)
    if found.overlays:
        overlays = Held(sockets=tuple(overlay.path for overlay in found.overlays))
        resources.hold_files(overlays.sockets)
        stack.push_async_callback(_give_back, context, record, guest, overlays)
        context.save(record)
        for overlay in found.overlays:
            await asyncio.to_thread(overlay.write)
    alone = connections.with_usb_devices(await connections.with_networks(found.document, context.lookups))
    alone = with_sockets(L.with_channel_sockets(alone, directory), str(directory))
    devices = _again(devices, alone)
    disks, last = live.devices.disks, guest.blocks.last_number
    devices = [with_next_numbers(each, disks, last) if isinstance(each, Disk) else each for each in devices]
    needs = plan.device_needs(documents.alone(live, devices), caps, found.volumes)
    if needs.reservations:
        helper = Reservations(context)
        stack.push_async_callback(helper.settle, record, guest)
        await helper.open(record, guest)
        needs = needs._replace(reservations=())
    secrets = await storage.secret_values(needs, context.lookups)
    part = resources.join(needs, lend=context.config.dynamic_ownership)
    stack.push_async_callback(_give_back, context, record, guest, part)
    if part != Held():
        context.save(record)
    if part.nodes:
        await access.apply(context, guest)
    resources.take_part(part, needs, live.uuid or "")
    for process in await StorageHelpers(context).start(record, guest, needs, directory):
        stack.callback(process.terminate, 0.0)
    for passt in needs.passts:
        await Passts(context).start(record, guest, passt, directory)
    if needs.virtiofs or needs.passts:
        await place_helpers(context.host, guest, live)
    grants = msgspec.structs.replace(
        resources.grants(-1),
        secrets=secrets,
        volumes=found.volumes,
        chardev_certificates=context.config.certificates("chardev"),
        nbd_certificates=context.config.certificates("nbd"),
    )
    devices = _again(devices, L.with_ports(documents.alone(live, devices), grants.ports, grants.names, {}))
    for each in devices:
        live = join(live, each)
    if any(map(locking.concerns, devices)):
        stack.callback(locking.settle, context, record, guest)
        locking.admit(context, record, guest, live)
    return Joining(tuple(devices), live, grants)


def _again(devices: Sequence[Any], alone: Domain) -> list[Any]:
    """The same devices as a document has them now."""
    by_alias = {each.alias: each for each in documents.all_devices(alone)}
    return [by_alias[each.alias] for each in devices]


async def _give_back(context: Context, record: GuestRecord, guest: Guest, part: Held) -> None:
    guest.resources.descriptors.close()
    guest.resources.give_back(part)
    if part.nodes:
        await access.settle(context, record, guest)
    if record.runtime is guest:
        context.save(record)


__all__ = ["Joining", "acquire"]
