"""Which of a domain's disks is one that the guest tells of. Dry."""

from __future__ import annotations

from roost.drivers.qemu.agent.answers import CcwPlace, DiskPlace, PciPlace
from roost.model.domain import Domain
from roost.model.domain.device import AnyAddress, CcwAddress, DriveAddress, PciAddress
from roost.model.domain.devices.controller import Controller

#: Linux shows the host's subchannel set 0xfe as 0.
_HOST_CSSID = 0xFE


def target_of(live: Domain, place: DiskPlace) -> str | None:
    """The target of the disk there; None for one that the domain does not have at that place.

    PCI bus numbers are taken as the guest gives them, which are those of the document for its first bus only.
    """
    controller = next((each for each in live.devices.controllers if _is_at(each.address, place)), None)
    for disk in live.devices.disks:
        address = disk.address
        if isinstance(address, DriveAddress):
            if _is_on(controller, address, disk.target.bus, place):
                return disk.target.dev
        elif _is_at(address, place):
            return disk.target.dev
    return None


def _is_at(address: AnyAddress | None, place: DiskPlace) -> bool:
    if isinstance(address, PciAddress):
        known = (address.domain or 0, address.bus or 0, address.slot or 0, address.function or 0)
        return known == _pci(place.pci_controller)
    if isinstance(address, CcwAddress) and place.ccw_address is not None:
        return (address.cssid, address.ssid, address.devno) == _ccw(place.ccw_address)
    return False


def _is_on(controller: Controller | None, address: DriveAddress, bus: str | None, place: DiskPlace) -> bool:
    return (
        controller is not None
        and controller.type == bus
        and address.controller == (controller.index or 0)
        and (address.bus, address.target, address.unit) == (place.bus, place.target, place.unit)
    )


def _pci(place: PciPlace) -> tuple[int, int, int, int]:
    return place.domain, place.bus, place.slot, place.function


def _ccw(place: CcwPlace) -> tuple[int, int, int]:
    return place.cssid or _HOST_CSSID, place.ssid, place.devno
