"""Documents that need no PCI address: those that were kept before have them all."""

from __future__ import annotations

from collections.abc import Mapping

from roost.model.domain.addresses import chipsets
from roost.model.domain.addresses.buses import BUS_KINDS, Address
from roost.model.domain.addresses.flags import ENDPOINTS, INTEGRATED, PCI_DEVICE, TYPES, connect_flags, may_take
from roost.model.domain.device import PciAddress
from roost.model.domain.devices.controller import Controller
from roost.model.domain.draft import Draft

#: Fewer devices than this leave one of the 31 slots free after the chipset has taken its own.
FEW = 28

#: By controller model: what its slots take where the document asks for it, the first and the last slot.
_PERMITTED: Mapping[str | None, tuple[int, int, int]] = {
    model: ((flags | ENDPOINTS if flags & ENDPOINTS else flags) & TYPES, first, last)
    for model, (flags, first, last) in BUS_KINDS.items()
}


def is_settled(draft: Draft, bridges: Mapping[int, Controller]) -> bool:
    """Whether every PCI device has a whole address, of its own and in a slot that suits it, and no bus is missing.

    False says nothing: what is missing or wrong is found when addresses are
    assigned. bridges: the PCI controllers by number.
    """
    root = bridges.get(0)
    count = len(bridges)
    if root is None or max(bridges) >= count:
        return False
    express = root.model == "pcie-root"
    models = [bridges[number].model for number in range(count)]
    if not _PERMITTED.keys() >= set(models) or (count > 1 and not express):
        return False
    buses = [_PERMITTED[model] for model in models]
    taken = set(chipsets.occupied(draft))
    firsts: set[tuple[int, int]] = set()
    shared: set[tuple[int, int]] = set()
    for kind, devices in draft.device_lists():
        for device in devices:
            address = device.address
            flags = connect_flags(kind, device, express)
            if not isinstance(address, PciAddress):
                if flags or may_take(kind, device):
                    return False
                continue
            bus, slot, function = address.bus, address.slot, address.function
            if address.domain != 0 or bus is None or slot is None or function is None or bus >= count:
                return False
            at: Address = (bus, slot, function)
            permitted, first, last = buses[bus]
            if (
                at in taken
                or not (flags or PCI_DEVICE) & permitted
                or not first <= slot <= last
                or (flags & INTEGRATED and bus)
                or (kind == "controller" and device.type != "pci" and chipsets.own_place(device) not in (None, at))
            ):
                return False
            taken.add(at)
            if function:
                shared.add((bus, slot))
            elif address.multifunction is None:
                firsts.add((bus, slot))
    # Functions of one slot are told from the first of them; a classic PC gets a bridge before its bus is full.
    return firsts.isdisjoint(shared) and (express or len(taken) < FEW)


__all__ = ["FEW", "is_settled"]
