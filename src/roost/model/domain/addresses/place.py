"""A device on its way to a PCI address."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from roost.model.domain.addresses.buses import Address, Buses
from roost.model.domain.device import PciAddress
from roost.model.domain.draft import describe

_NOWHERE: Address = (0, 0, 0)


class Place:
    """One device, with its list and index there, and where it will sit.

    fixed: the address is settled, by the document, by the chipset or in the
    last pass. wants: it takes one when its turn comes. changed: it differs
    from the document's.
    """

    __slots__ = (
        "address", "changed", "device", "devices", "domain", "fixed", "flags", "index", "kind", "multifunction", "wants"
    )  # fmt: skip

    def __init__(self, kind: str, devices: list[Any], index: int, flags: int) -> None:
        self.kind = kind
        self.devices = devices
        self.index = index
        self.device: Any = devices[index]
        self.flags = flags
        address = self.device.address
        if isinstance(address, PciAddress):
            domain, bus, slot, function = address.domain, address.bus, address.slot, address.function
            self.domain = domain or 0
            self.address = (bus or 0, slot or 0, function or 0)
            self.multifunction = address.multifunction
            # Bus 0, slot 0 is the host bridge: an address that names no more is a request for one.
            self.fixed = bool(domain or bus or slot)
            self.wants = not self.fixed
            self.changed = domain is None or bus is None or slot is None or function is None
        else:
            self.domain = 0
            self.address = _NOWHERE
            self.multifunction = None
            self.fixed = self.changed = False
            self.wants = address is None

    def __str__(self) -> str:
        return describe(self.kind, self.device)

    def move(self, address: Address) -> None:
        """Follow a bus that was renumbered while buses were added."""
        if address != self.address:
            self.address = address
            self.changed = True

    def settle(self, address: Address) -> None:
        self.address = address
        self.fixed, self.wants, self.changed = True, False, True

    def take(self, buses: Buses, function: int | None = None) -> None:
        """Reserve the next suitable place; it stays settled in the last pass only."""
        address = buses.reserve_next(self.flags, self, function)
        if not buses.growing:
            self.settle(address)

    def write(self) -> None:
        """Put the address into the record."""
        before = self.device.address
        bus, slot, function = self.address
        zpci = before.zpci if isinstance(before, PciAddress) else None
        address = PciAddress(
            domain=self.domain, bus=bus, slot=slot, function=function, multifunction=self.multifunction, zpci=zpci
        )
        self.devices[self.index] = replace(self.device, address=address)


__all__ = ["Place"]
