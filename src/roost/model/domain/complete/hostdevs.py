"""Defaults of host devices, redirected devices and card readers, and the controllers that they need."""

from __future__ import annotations

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, XmlError
from roost.model.domain.device import CcidAddress, DriveAddress
from roost.model.domain.devices.chardev import DbusChar
from roost.model.domain.devices.hostdev import MdevHostdev, ScsiHostdev, UsbHostdev
from roost.model.domain.draft import Draft

#: How many units of a SCSI controller are given out by themselves.
_UNITS = 7
#: Controllers of which the last unit is lower, by model.
_LAST_UNIT = {"lsisas1068": 1}
_REDIRECTION = "org.qemu.usbredir"


def complete_hostdevs(draft: Draft) -> None:
    """Places on SCSI controllers; raises XmlError for one that a disk has."""
    for place, hostdev in enumerate(draft.hostdevs):
        source = hostdev.source
        if isinstance(source, UsbHostdev) and source.startup_policy == "mandatory" and source.missing:
            draft.hostdevs[place] = replace(hostdev, source=replace(source, missing=None))
        if isinstance(source, MdevHostdev) and source.model == "vfio-pci" and source.display is None:
            draft.hostdevs[place] = replace(hostdev, source=replace(source, display=False))
        if not isinstance(source, ScsiHostdev):
            continue
        if source.protocol == "iscsi" and source.name is not None and "/" not in source.name:
            hostdev = replace(hostdev, source=replace(source, name=f"{source.name}/0"))
        address = hostdev.address
        if address is None:
            hostdev = replace(hostdev, address=_free_unit(draft))
        elif isinstance(address, DriveAddress):
            _check_free(draft, address)
        draft.hostdevs[place] = hostdev


def _check_free(draft: Draft, address: DriveAddress) -> None:
    taken = next((disk for disk in draft.disks if disk.target.bus == "scsi" and disk.address == address), None)
    if taken is None:
        return
    where = f"controller='{address.controller}' bus='{address.bus}' target='{address.target}' unit='{address.unit}"
    written = next(disk for disk in draft.domain.devices.disks if disk.target.dev == taken.target.dev)
    if written.address is None:
        raise ConfigUnsupported(
            f"using disk target name '{taken.target.dev}' conflicts with SCSI host device address {where}",
            domain=From.DOMAIN,
            hint="give one of the two another unit",
        )
    raise XmlError(f"SCSI host address {where}' in use by a SCSI disk", domain=From.DOMAIN)


def _free_unit(draft: Draft) -> DriveAddress:
    """The first unit of a controller that neither disk nor host device has."""
    taken = {
        (d.address.controller, d.address.unit)
        for d in (*(d for d in draft.disks if d.target.bus == "scsi"), *draft.hostdevs)
        if isinstance(d.address, DriveAddress) and not d.address.bus and not d.address.target
    }
    index = 0
    while True:
        controller = draft.controller("scsi", index)
        model = controller.model if controller is not None else None
        for unit in range(min(_UNITS, _LAST_UNIT.get(model or "", _UNITS) + 1)):
            if (index, unit) not in taken:
                return DriveAddress(controller=index, unit=unit)
        index += 1


def complete_redirdevs(draft: Draft) -> None:
    for place, redirdev in enumerate(draft.redirdevs):
        if isinstance(redirdev.source, DbusChar) and not redirdev.source.channel:
            draft.redirdevs[place] = replace(redirdev, source=DbusChar(channel=_REDIRECTION))


def add_hostdev_controllers(draft: Draft) -> None:
    """SCSI controllers for host devices, all of the model of those there are."""
    numbers = [
        d.address.controller if isinstance(d.address, DriveAddress) else 0
        for d in draft.hostdevs
        if isinstance(d.source, ScsiHostdev)
    ]
    if not numbers:
        return
    last = max(numbers)
    models = [c.model for c in draft.controllers if c.type == "scsi" and c.index == last and c.model]
    for index in range(last + 1):
        draft.ensure_controller("scsi", index, models[0] if models else None)


def add_smartcard_controllers(draft: Draft) -> None:
    """A reader for each card: the first, and a slot of its own there unless the document says where."""
    for place, smartcard in enumerate(draft.smartcards):
        address = smartcard.address
        if address is None:
            slots = [
                card.address.slot
                for card in draft.smartcards
                if isinstance(card.address, CcidAddress) and not card.address.controller
            ]
            address = CcidAddress(controller=0, slot=max(slots, default=-1) + 1)
            draft.smartcards[place] = replace(smartcard, address=address)
        if isinstance(address, CcidAddress):
            draft.ensure_controller("ccid", address.controller)


__all__ = ["add_hostdev_controllers", "add_smartcard_controllers", "complete_hostdevs", "complete_redirdevs"]
