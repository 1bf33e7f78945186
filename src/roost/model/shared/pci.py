"""Places on the PCI bus."""

from __future__ import annotations

from typing import Annotated

from roost.errors import From, XmlError
from roost.xml import Hex, OnOff, Record

PciDomain = Annotated[int, Hex(4, 0xFFFFFFFF)]
PciBus = Annotated[int, Hex(2, 0xFF)]
PciSlot = Annotated[int, Hex(2, 0x1F)]
PciFunction = Annotated[int, Hex(1, 7)]


class PciLocation(Record):
    """Domain, bus, slot and function of a host's device, all of them written."""

    domain: PciDomain = 0
    bus: Annotated[int, Hex(2, 0xFFFFFFFF)] = 0
    slot: Annotated[int, Hex(2, 0xFFFFFFFF)] = 0
    function: Annotated[int, Hex(1, 0xFFFFFFFF)] = 0

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.slot:02x}.{self.function:x}"


class ReadPciLocation(PciLocation):
    """The same where libvirt reads one thing more, and forgets it."""

    multifunction: OnOff | None = None


def check_pci_location(location: PciLocation) -> None:
    """Raises for places that do not exist; without a domain, bus and slot it stands for none, and all will do."""
    if not (location.domain or location.bus or location.slot):
        return
    for name, limit, quote in (("bus", 0xFF, "'"), ("slot", 0x1F, "'"), ("function", 7, "")):
        number = getattr(location, name)
        if number > limit:
            right = f"0x{limit:X}" if quote else f"{limit}"
            raise XmlError(
                f"Invalid PCI address {name}={quote}0x{number:x}{quote}, must be <= {right}", domain=From.NONE
            )


__all__ = ["PciBus", "PciDomain", "PciFunction", "PciLocation", "PciSlot", "ReadPciLocation", "check_pci_location"]
