"""Which of a domain's disks is one that the guest tells of. Dry."""

from __future__ import annotations

from roost.drivers.qemu.agent.answers import CcwPlace, DiskPlace, PciPlace
from roost.model.domain import Domain
from roost.model.domain.device import AnyAddress, CcwAddress, DriveAddress, PciAddress

#: Linux shows the host's subchannel set 0xfe as 0.
_HOST_CSSID = 0xFE

#: An address as the guest sees it, too: of PCI, or after the word `ccw`.
_Key = tuple[object, ...]


class DiskPlaces:
    """The disks of a running domain by where the guest sees them: it may tell of very many.

    PCI bus numbers are taken as the guest gives them, which are those of the document for its first bus only.
    """

    def __init__(self, live: Domain) -> None:
        self._controllers: dict[_Key, _Key] = {}
        self._disks: dict[_Key, str] = {}
        for controller in live.devices.controllers:
            key = _key(controller.address)
            if key is not None:
                self._controllers.setdefault(key, (controller.type, controller.index or 0))
        for disk in live.devices.disks:
            address = disk.address
            if isinstance(address, DriveAddress):
                unit = disk.target.bus, address.controller, address.bus, address.target, address.unit
                self._disks.setdefault(unit, disk.target.dev)
            else:
                key = _key(address)
                if key is not None:
                    self._disks.setdefault(key, disk.target.dev)

    def target_of(self, place: DiskPlace) -> str | None:
        """The target of the disk there; None where the domain has none."""
        for key in _keys(place):
            if key in self._disks:
                return self._disks[key]
            controller = self._controllers.get(key)
            if controller is not None:
                return self._disks.get((*controller, place.bus, place.target, place.unit))
        return None


def _key(address: AnyAddress | None) -> _Key | None:
    if isinstance(address, PciAddress):
        return address.domain or 0, address.bus or 0, address.slot or 0, address.function or 0
    if isinstance(address, CcwAddress):
        return "ccw", address.cssid, address.ssid, address.devno
    return None


def _keys(place: DiskPlace) -> list[_Key]:
    found = [_pci(place.pci_controller)]
    if place.ccw_address is not None:
        found.append(_ccw(place.ccw_address))
    return found


def _pci(place: PciPlace) -> _Key:
    return place.domain, place.bus, place.slot, place.function


def _ccw(place: CcwPlace) -> _Key:
    return "ccw", place.cssid or _HOST_CSSID, place.ssid, place.devno
