"""contract.Devices: which documents a call is about, and the order of what is done to them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from roost.constants import domain as D
from roost.contract import flags as F
from roost.contract.devices import Devices
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.hotplug import definition, documents
from roost.drivers.qemu.hotplug.announcing import announce
from roost.drivers.qemu.hotplug.classes import MISSING_LIVE, PLUGGABLE, class_of
from roost.drivers.qemu.hotplug.plug import Complete, Plugger
from roost.drivers.qemu.hotplug.unplug import Unplugger
from roost.drivers.qemu.hotplug.update import Updater
from roost.drivers.qemu.interruptions import DEVICE, settled
from roost.drivers.qemu.tuning.change import save_definition
from roost.engine.affect import affected
from roost.errors import From, OperationUnsupported
from roost.model.domain import Domain, parse_device
from roost.model.domain.complete.interfaces import random_mac
from roost.model.domain.device import UsbAddress
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.interface import Interface

_IMPACT = D.AFFECT_LIVE | D.AFFECT_CONFIG


class QemuDevices(Devices):
    """The definition is worked out first and written last: what fails in the guest leaves it as it was."""

    def __init__(self, context: Context, unplugger: Unplugger, complete: Complete) -> None:
        self._context = context
        self._complete = complete
        self._plugger = Plugger(context, complete)
        self._unplugger = unplugger
        self._updater = Updater(context, complete)

    async def attach(self, domain: DomainIdentity, xml: str, flags: int) -> None:
        F.check(flags, _IMPACT, "qemuDomainAttachDeviceFlags", From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("attach device"):
            live, config = affected(record, flags)
            device = _settled(parse_device(xml))
            changed = await self._configured(record, definition.with_device, device) if config else None
            if live:
                await self._attach_live(record, device)
            await self._finish(record, changed)

    async def _attach_live(self, record: GuestRecord, device: Any) -> None:
        """A drive that is there already gets the medium."""
        there = documents.find(record.live, device) if isinstance(device, Disk) and record.live is not None else None
        if there is not None and there.device in ("cdrom", "floppy") and there.device == device.device:
            await self._updater.update(record, device)
        else:
            await self._plugger.attach(record, device)

    async def detach(self, domain: DomainIdentity, xml: str, flags: int) -> None:
        F.check(flags, _IMPACT, "qemuDomainDetachDeviceFlags", From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("detach device"):
            live, config = affected(record, flags)
            changed = None
            if config:
                changed = await self._configured(record, definition.without_device, parse_device(xml))
            if live:
                await self._unplugger.detach(record, _meant(record.live, parse_device(xml, live=True)))
            await self._finish(record, changed)

    async def detach_alias(self, domain: DomainIdentity, alias: str, flags: int) -> None:
        F.check(flags, _IMPACT, "qemuDomainDetachDeviceAlias", From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("detach device"):
            live, config = affected(record, flags)
            changed = None
            if config:
                found = documents.by_alias(record.config, alias)
                changed = await self._configured(record, definition.without_device, found)
            if live and record.live is not None:
                there = documents.by_alias(record.live, alias)
                _require_pluggable(there)
                await self._unplugger.detach(record, there, wait=False)
            await self._finish(record, changed)

    async def announce(
        self, domain: DomainIdentity, interface: str | None, params: Sequence[TypedParam], flags: int
    ) -> None:
        F.check(flags, 0, "qemuDomainAnnounceInterface", From.QEMU)
        record = self._context.table.get_active(domain)
        async with record.job("announce interface"):
            await announce(record, interface, params)

    async def update(self, domain: DomainIdentity, xml: str, flags: int) -> None:
        F.check(flags, _IMPACT | D.DEVICE_MODIFY_FORCE, "qemuDomainUpdateDeviceFlags", From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("update device"):
            live, config = affected(record, flags)
            changed = None
            if config:
                changed = await self._configured(record, definition.with_changed, parse_device(xml))
            if live:
                force = bool(flags & D.DEVICE_MODIFY_FORCE)
                await self._updater.update(record, parse_device(xml, live=True), force=force)
            await self._finish(record, changed)

    # -- the definition --------------------------------------------------------------------

    async def _configured(self, record: GuestRecord, change: Callable[[Domain, Any], Domain], device: Any) -> Domain:
        return await self._complete(change(record.config, device))

    async def _finish(self, record: GuestRecord, changed: Domain | None) -> None:
        if changed is not None:
            await save_definition(self._context, record, changed)
        settled(self._context, record, DEVICE)


def _settled(device: Any) -> Any:
    """An interface with what both documents are to have the same: its MAC address, and that it is on USB."""
    if not isinstance(device, Interface):
        return device
    if device.model == "usb-net" and device.address is None:
        device = replace(device, address=UsbAddress())
    return device if device.mac is not None else replace(device, mac=random_mac(secrets.token_bytes))


def _meant(live: Domain | None, device: Any) -> Any:
    """The device of the running guest that a document means."""
    _require_pluggable(device)
    assert live is not None
    found = documents.find(live, device)
    if found is None:
        raise MISSING_LIVE[class_of(device).called](device)
    return found


def _require_pluggable(device: Any) -> None:
    called = class_of(device).called
    if called not in PLUGGABLE:
        raise OperationUnsupported(f"live detach of device '{called}' is not supported", domain=From.QEMU)
