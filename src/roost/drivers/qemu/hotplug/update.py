"""What can be changed of a device while the guest uses it: media, links, passwords, memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

from msgspec.structs import fields, replace

from roost.drivers.qemu import plan
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.held import part_of
from roost.drivers.qemu.hotplug import documents
from roost.drivers.qemu.hotplug.acquire import acquire
from roost.drivers.qemu.hotplug.changes import check_disk, check_drive, check_graphics, check_interface, check_memory
from roost.drivers.qemu.hotplug.classes import class_of
from roost.drivers.qemu.hotplug.definition import memory_meant
from roost.drivers.qemu.hotplug.plug import Complete, announce, carry_out, run, take_back
from roost.drivers.qemu.plan.blocks import backend_id
from roost.drivers.qemu.plan.imagenumbers import next_number
from roost.drivers.qemu.qmp import QmpClient, QmpCommandError
from roost.drivers.qemu.tuning import access, locking
from roost.drivers.qemu.tuning.bandwidth import rates
from roost.errors import ConfigUnsupported, DeviceMissing, From, InternalError, OperationUnsupported
from roost.host.api import Rate
from roost.model.domain import Domain
from roost.model.domain.devices.disk import BlockSource, Disk, FileSource, VolumeSource
from roost.model.domain.devices.graphics import SpiceGraphics, VncGraphics
from roost.model.domain.devices.interface import BridgeNet, Interface
from roost.model.domain.devices.memory import VirtioMem
from roost.model.shared.bandwidth import complete_bandwidth


class Updater:
    """complete: makes a whole document of one with a changed device."""

    def __init__(self, context: Context, complete: Complete) -> None:
        self._context = context
        self._complete = complete
        self._updates: Mapping[str, Callable[[GuestRecord, Any, bool], Any]] = {
            "disk": self._disk,
            "interface": self._interface,
            "graphics": self._graphics,
            "memory": self._memory,
        }

    async def update(self, record: GuestRecord, device: Any, *, force: bool = False) -> None:
        """Make the running guest's device as `device` is, inside the record's job. Raises for what cannot change."""
        called = class_of(device).called
        update = self._updates.get(called)
        if update is None:
            raise ConfigUnsupported(
                f"live update of device '{called}' is not supported",
                domain=From.QEMU,
                hint="disks, interfaces, graphics and memory can be; --config changes the definition",
            )
        require_monitor(record)
        await update(record, device, force)
        self._context.save_changed(record)

    def _exchange(self, record: GuestRecord, alias: str | None, **changes: Any) -> None:
        """Change fields of a device in the live document as it is now."""
        record.live = _changed(record, alias, **changes)

    # -- disks -----------------------------------------------------------------------------

    async def _disk(self, record: GuestRecord, device: Disk, force: bool) -> None:
        live = record.live
        assert live is not None
        old = documents.find(live, device)
        if old is None:
            raise InternalError(f"disk '{device.target.dev}' not found", domain=From.QEMU)
        check_drive(old, device)
        placed = device if device.address is not None else replace(device, address=old.address)
        completed = await self._complete(documents.exchanged(live, old, replace(placed, alias=old.alias)))
        new = documents.by_alias(completed, old.alias)
        check_disk(old, device)
        if _place(old) != _place(new):
            if old.device not in ("cdrom", "floppy"):
                raise ConfigUnsupported(
                    "disk source can be changed only in removable drives",
                    domain=From.QEMU,
                    hint="for a hard disk, blockcopy moves its contents to another image",
                )
            await self.change_medium(record, old, new, force=force)
        source = documents.by_alias(record.live or live, old.alias).source
        if "startup_policy" in {field.name for field in fields(source)}:
            source = replace(source, startup_policy=new.source.startup_policy)
        self._exchange(record, old.alias, source=source, snapshot=new.snapshot)

    async def change_medium(self, record: GuestRecord, old: Disk, new: Disk, *, force: bool) -> None:
        """Open the tray, take the medium out, put the new one in if there is one, close the tray.

        When the new medium is refused the drive stays empty, and the document says so.
        """
        guest, monitor, live = require_guest(record), require_monitor(record), record.live
        assert live is not None
        caps = await self._context.capabilities.get(live.devices.emulator or "")
        format = new.driver.type if new.driver is not None else None
        driver = replace(old.driver, type=format) if old.driver is not None else new.driver
        changes = {"source": new.source, "driver": driver, "backing_store": new.backing_store}
        fresh = replace(old, **changes, encryption=new.encryption, auth=new.auth)
        async with AsyncExitStack() as stack:
            joining = await acquire(
                self._context,
                record,
                guest,
                (fresh,),
                stack,
                lambda document, each: documents.exchanged(document, documents.by_alias(document, each.alias), each),
            )
            made = joining.devices[0]
            before = images_of(old, live, caps, plan.Grants(volumes=guest.resources.volumes))
            after = images_of(made, joining.document, caps, joining.grants)
            name = {"id": backend_id(old)}
            tray = _Tray(monitor, name, force=force)
            if old.device == "cdrom" and old.target.tray != "open":
                await tray.open()
            await tray.do("blockdev-remove-medium", name)
            await take_back(monitor, plan.undo(before))
            number = next_number(live.devices.disks, guest.blocks.last_number)
            self._exchange(record, old.alias, source=FileSource(index=number), backing_store=None)
            await self._give_back(record, guest, old, live, joining.document, caps)
            node = plan.disk_node(made, joining.document, caps, joining.grants)
            left = {"driver": driver, "encryption": made.encryption, "auth": made.auth}
            if node is not None:
                left |= {"source": made.source, "backing_store": made.backing_store}
                announce(self._context, record, guest, _changed(record, old.alias, **left), (made,), stack)
                await _insert(monitor, after, tray, {**name, "node-name": node})
            if old.device == "cdrom":
                await monitor.execute("blockdev-close-tray", name)
            for command in plan.settings(documents.alone(live, (made,)), caps):
                await run(monitor, command)
            stack.pop_all()
        guest.resources.descriptors.close()
        guest.coming = None
        self._exchange(record, old.alias, **left)
        self._context.save_changed(record)

    async def _give_back(
        self, record: GuestRecord, guest: Guest, old: Disk, live: Domain, coming: Domain, caps: plan.Capabilities
    ) -> None:
        """What the medium that is out held of the host, unless something else uses it, or the one that is to be in.

        live, coming: the document with the one and with the other.
        """
        volumes = guest.resources.volumes
        leaving = plan.device_needs(documents.alone(live, (old,)), caps, volumes)
        staying = plan.device_needs(coming, caps, volumes)
        guest.resources.give_back(part_of(guest.resources.held, leaving, staying, ()))
        await access.settle(self._context, record, guest)
        if locking.concerns(old):
            locking.settle(self._context, record, guest)

    # -- interfaces, displays, memory ------------------------------------------------------

    async def _interface(self, record: GuestRecord, device: Interface, force: bool) -> None:
        live = record.live
        assert live is not None
        old = documents.find_interface(live.devices.interfaces, device)
        check_interface(old, device)
        name = old.target.dev if old.target is not None else None
        bandwidth = complete_bandwidth(device.bandwidth)
        if bandwidth is not None and not name:
            raise OperationUnsupported(
                "Unable to set bandwidth for interface because device name is unknown",
                domain=From.QEMU,
                hint=f"an interface of type '{old.type}' is none of the host's",
            )
        if name and bandwidth != old.bandwidth:
            sent, received = rates(old, device.bandwidth)
            await asyncio.to_thread(self._shape, live, old, name, sent, received)
            self._exchange(record, old.alias, bandwidth=bandwidth)
        if name and isinstance(device.source, BridgeNet) and device.source != old.source:
            await asyncio.to_thread(self._context.host.network.move, name, device.source.bridge or "")
            self._exchange(record, old.alias, source=device.source)
        if old.link_state != device.link_state:
            up = device.link_state != "down"
            await require_monitor(record).execute("set_link", {"name": old.alias, "up": up})
            self._exchange(record, old.alias, link_state=device.link_state)

    def _shape(self, live: Domain, interface: Interface, name: str, sent: Rate | None, received: Rate | None) -> None:
        network = self._context.host.network
        if interface.virtualport is not None and interface.virtualport.type == "openvswitch":
            network.shape_port(name, live.uuid or "", sent=sent, received=received)
        else:
            network.shape(name, sent=sent, received=received)

    async def _graphics(self, record: GuestRecord, device: Any, force: bool) -> None:
        live = record.live
        assert live is not None
        old = documents.find(live, device)
        if old is None:
            raise DeviceMissing(
                f"cannot find existing graphics device to modify of type '{device.type}'", domain=From.QEMU
            )
        check_graphics(old, device)
        assert isinstance(device, VncGraphics | SpiceGraphics)
        secret = {"passwd": device.passwd, "passwd_valid_to": device.passwd_valid_to, "connected": device.connected}
        new = replace(old, **secret)
        await self._complete(documents.exchanged(live, old, new))
        if new == old and new.passwd_valid_to is None and new.connected != "disconnect":
            return
        monitor = require_monitor(record)
        usual = self._context.config.displays.passwords
        commands = list(plan.passwords(documents.alone(live, (new,)), usual))
        if commands and commands[-1].name == "set_password":
            commands.append(plan.Command("expire_password", {"protocol": new.type, "time": "never"}))
        for command in commands:
            await run(monitor, command)
        if record.live is not None:
            there = documents.find(record.live, device)
            record.live = documents.exchanged(record.live, there, new)

    async def _memory(self, record: GuestRecord, device: Any, force: bool) -> None:
        live = record.live
        assert live is not None
        old = memory_meant(live, device)
        if old is None:
            raise ConfigUnsupported(f"memory '{device.alias}' not found", domain=From.QEMU)
        check_memory(old, device)
        assert isinstance(device, VirtioMem)
        await self._complete(documents.exchanged(live, old, replace(old, requested=device.requested)))
        arguments = {
            "path": f"/machine/peripheral/{old.alias}",
            "property": "requested-size",
            "value": (device.requested or 0) * 1024,
        }
        await require_monitor(record).execute("qom-set", arguments)
        self._exchange(record, old.alias, requested=device.requested or 0)


def _changed(record: GuestRecord, alias: str | None, **changes: Any) -> Domain:
    live = record.live
    if live is None or alias is None:
        raise InternalError("guest unexpectedly quit", domain=From.QEMU)
    there = documents.by_alias(live, alias)
    return documents.exchanged(live, there, replace(there, **changes))


def _place(disk: Disk) -> Any:
    """Where an image is, without what is told about it beside that."""
    source = disk.source
    if isinstance(source, FileSource):
        return source.file or source.fdgroup
    if isinstance(source, BlockSource):
        return source.dev
    if isinstance(source, VolumeSource):
        return source.pool, source.volume
    return replace(source, index=None)


def images_of(disk: Disk, document: Domain, caps: plan.Capabilities, grants: plan.Grants) -> plan.Commands:
    """What makes the images of a drive, without the drive."""
    commands = plan.device_add(disk, document, caps, grants)
    return tuple(command for command in commands if command.name != "device_add")


class _Tray:
    """The open tray of a drive: a guest that resets its drives, as firmware does, closes it under our hands."""

    def __init__(self, monitor: QmpClient, name: Mapping[str, Any], *, force: bool) -> None:
        self._monitor, self._name, self._force = monitor, name, force

    async def open(self) -> None:
        await self._monitor.execute("blockdev-open-tray", {**self._name, "force": self._force})

    async def do(self, command: str, arguments: Mapping[str, Any]) -> None:
        """A command that needs the tray open."""
        try:
            await self._monitor.execute(command, arguments)
        except QmpCommandError as error:
            if "not open" not in error.desc:
                raise
            await self.open()
            await self._monitor.execute(command, arguments)


async def _insert(monitor: QmpClient, images: plan.Commands, tray: _Tray, medium: Mapping[str, Any]) -> None:
    done: list[plan.Command] = []
    try:
        await carry_out(monitor, images, done)
        await tray.do("blockdev-insert-medium", medium)
    except BaseException:
        await take_back(monitor, plan.undo(tuple(done)))
        raise


__all__ = ["Updater", "images_of"]
