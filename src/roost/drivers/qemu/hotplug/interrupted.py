"""What a daemon that died while devices came or left has left of them: what is there is kept, the rest cleared up."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Container

from msgspec.structs import replace

from roost.drivers.qemu import interruptions, plan
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.context import Context, require_guest
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.held import part_of
from roost.drivers.qemu.hotplug import documents
from roost.drivers.qemu.hotplug import processors as P
from roost.drivers.qemu.hotplug.plug import take_back
from roost.drivers.qemu.hotplug.unplug import Unplugger
from roost.drivers.qemu.hotplug.update import images_of
from roost.drivers.qemu.plan.blocks import backend_id
from roost.drivers.qemu.plan.imagenumbers import next_number
from roost.drivers.qemu.qmp import QmpClient
from roost.drivers.qemu.reservations import Reservations
from roost.drivers.qemu.tuning import access, locking
from roost.drivers.qemu.tuning.plan import present_vcpus
from roost.drivers.qemu.tuning.start import tune_vcpu
from roost.engine.edits import iothreads, processors
from roost.model.domain.devices.disk import Disk, FileSource

log = logging.getLogger(__name__)

#: Nodes of images, by number.
_NODE = re.compile(r"libvirt-([0-9]+)-")


async def settle(context: Context, unplugger: Unplugger, record: GuestRecord, monitor: QmpClient) -> None:
    """Inside the record's job; what became of what was being attached is told."""
    guest = require_guest(record)
    aliases = guest.coming.aliases if guest.coming is not None else ()
    disks = record.live.devices.disks if record.live is not None else ()
    drives = [disk for disk in disks if disk.device in ("cdrom", "floppy")]
    await unplugger.find_gone(record, monitor, frozenset(aliases) - {drive.alias for drive in drives})
    if drives:
        await _find_media(context, record, monitor, aliases)
    await _find_threads(context, record, monitor)
    await _close_images(record, monitor)
    await Reservations(context).settle(record, guest)
    await access.settle(context, record, guest)
    if guest.resources.held.locked:
        locking.settle(context, record, guest)
        context.save(record)
    if guest.coming is not None:
        guest.coming = None
        context.save(record)


async def _find_media(context: Context, record: GuestRecord, monitor: QmpClient, aliases: Container[str]) -> None:
    """Drives whose medium is out, or has not come in."""
    live = record.live
    if live is None:
        return
    caps = await context.capabilities.get(live.devices.emulator or "")
    grants = plan.Grants(volumes=require_guest(record).resources.volumes)
    inserted = {
        entry.get("qdev"): entry["inserted"].get("node-name")
        for entry in await monitor.execute("query-block")
        if "inserted" in entry
    }
    for disk in live.devices.disks:
        node = plan.disk_node(disk, live, caps, grants) if disk.device in ("cdrom", "floppy") else None
        there = inserted.get(backend_id(disk)) == node
        if node is not None and (not there or disk.alias in aliases):
            if not there:
                await _empty(record, monitor, disk, caps, grants)
                context.save(record)
            outcome = interruptions.MEDIUM_IN if there else interruptions.MEDIUM_OUT
            interruptions.tell(context, record, outcome, alias=disk.alias)


async def _find_threads(context: Context, record: GuestRecord, monitor: QmpClient) -> None:
    """Processors are what QEMU has; an I/O thread that no document has is of no use to anybody."""
    guest, live = require_guest(record), record.live
    if live is None:
        return
    unknown = guest.threads.iothreads.keys() - {thread.id for thread in iothreads.listed(live)}
    for id in unknown:
        await take_back(monitor, (plan.Command("object-del", {"id": f"iothread{id}"}),))
        del guest.threads.iothreads[id]
        interruptions.tell(context, record, interruptions.IOTHREAD_UNDONE, number=id)
    if live.vcpu is None or live.vcpu.current in (None, live.vcpu.count):
        return
    enabled = {state.id for state in processors.states(live) if state.enabled}
    for entity in P.entities(await monitor.execute("query-hotpluggable-cpus")):
        numbers = set(entity.numbers)
        if entity.present == (numbers <= enabled):
            continue
        change = P.plugged if entity.present else P.unplugged
        record.live = live = change(live, sorted(numbers))
        threads = dict(zip(present_vcpus(live), guest.threads.vcpus, strict=False))
        for number in numbers & threads.keys():
            await asyncio.to_thread(tune_vcpu, context.host, guest, live, number, threads[number])
        outcome = interruptions.VCPUS_IN if entity.present else interruptions.VCPUS_OUT
        interruptions.tell(context, record, outcome, numbers=", ".join(map(str, sorted(numbers))))


async def _close_images(record: GuestRecord, monitor: QmpClient) -> None:
    """Images that were opened for what has never begun."""
    guest, live = require_guest(record), record.live
    if live is None or guest.blocks.backup is not None:
        return
    known = {
        layer.number
        for disk in live.devices.disks
        for chain in (C.chain_of(disk), *((C.mirror_chain(disk.mirror),) if disk.mirror is not None else ()))
        for layer in chain.layers
    }
    answer = await monitor.execute("query-named-block-nodes", {"flat": True})
    names = [str(entry.get("node-name")) for entry in answer]
    left = [name for name in names if (found := _NODE.match(name)) and int(found[1]) not in known]
    if not left:
        return
    made = [entry["id"] for entry in await monitor.execute("query-jobs") if entry["id"].startswith("create-")]
    await take_back(monitor, [plan.Command("job-dismiss", {"id": id}) for id in made])
    # What stands on top of others first.
    left.sort(key=lambda name: not name.endswith("-format"))
    await take_back(monitor, [plan.Command("blockdev-del", {"node-name": name}) for name in left])
    log.warning("the daemon ended before the images %s of %s were used; they are closed", ", ".join(left), record.name)


async def _empty(
    record: GuestRecord, monitor: QmpClient, disk: Disk, caps: plan.Capabilities, grants: plan.Grants
) -> None:
    guest, live = require_guest(record), record.live
    assert live is not None
    await take_back(monitor, plan.undo(images_of(disk, live, caps, grants)))
    number = next_number(live.devices.disks, guest.blocks.last_number)
    record.live = left = documents.exchanged(
        live, disk, replace(disk, source=FileSource(index=number), backing_store=None)
    )
    leaving = plan.device_needs(documents.alone(live, (disk,)), caps, grants.volumes)
    staying = plan.device_needs(left, caps, grants.volumes)
    guest.resources.give_back(part_of(guest.resources.held, leaving, staying, ()))


__all__ = ["settle"]
