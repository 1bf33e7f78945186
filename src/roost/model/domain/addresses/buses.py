"""PCI buses and what is taken on them; buses are added while a plan is being made."""

from __future__ import annotations

from collections.abc import Mapping

from roost.errors import From, InternalError, XmlError
from roost.model.domain.addresses.flags import (
    AGGREGATE_SLOT,
    AUTOASSIGN,
    CONNECTIONS,
    DMI_TO_PCI_BRIDGE,
    ENDPOINTS,
    HOTPLUGGABLE,
    INTEGRATED,
    PCI_BRIDGE,
    PCI_DEVICE,
    PCI_EXPANDER,
    PCIE_DEVICE,
    PCIE_EXPANDER,
    PCIE_ROOT_PORT,
    PCIE_SWITCH_DOWNSTREAM,
    PCIE_SWITCH_UPSTREAM,
    PCIE_TO_PCI_BRIDGE,
    TYPES,
    UNEXPANDABLE,
)

_SLOTS = 32
#: PCI numbers buses with eight bits.
_MAX_BUSES = 256
_CONVENTIONAL_BUS = AUTOASSIGN | PCI_DEVICE | PCI_BRIDGE | HOTPLUGGABLE
_PORT = AUTOASSIGN | PCIE_DEVICE | PCIE_SWITCH_UPSTREAM | PCIE_TO_PCI_BRIDGE | HOTPLUGGABLE

#: By controller model: what its slots accept, the first and the last slot.
BUS_KINDS: Mapping[str, tuple[int, int, int]] = {
    "pci-root": (_CONVENTIONAL_BUS | PCI_EXPANDER, 1, 31),
    "pci-bridge": (_CONVENTIONAL_BUS, 1, 31),
    "pci-expander-bus": (_CONVENTIONAL_BUS, 0, 31),
    # Endpoints may sit on the root itself only where the document puts them: nothing there is hotpluggable.
    "pcie-root": (PCIE_DEVICE | PCIE_ROOT_PORT | DMI_TO_PCI_BRIDGE | PCIE_EXPANDER, 1, 31),
    "dmi-to-pci-bridge": (PCI_DEVICE | PCI_BRIDGE, 0, 31),
    "pcie-to-pci-bridge": (_CONVENTIONAL_BUS, 1, 31),
    "pcie-root-port": (_PORT, 0, 0),
    "pcie-switch-downstream-port": (_PORT, 0, 0),
    "pcie-switch-upstream-port": (PCIE_SWITCH_DOWNSTREAM, 0, 31),
    "pcie-expander-bus": (PCIE_ROOT_PORT | DMI_TO_PCI_BRIDGE, 0, 31),
}


class Bus:
    """One PCI bus.

    flags: what its slots accept; accepts: what a free one still may get by
    itself. functions: a bit for each function taken, by slot. aggregate: slots
    whose functions are shared.
    """

    __slots__ = ("accepts", "aggregate", "first", "flags", "functions", "last", "model")

    def __init__(self, model: str, *, hotplug: bool = True) -> None:
        self.model = model
        self.flags, self.first, self.last = BUS_KINDS[model]
        if not hotplug:
            self.flags &= ~HOTPLUGGABLE
        self.accepts = self.flags
        self.functions = [0] * _SLOTS
        self.aggregate = 0

    @property
    def is_full(self) -> bool:
        return all(self.functions[self.first : self.last + 1])


Address = tuple[int, int, int]  # bus, slot, function


def address_text(domain: int, bus: int, slot: int, function: int) -> str:
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


class Buses:
    """All buses of one machine. growing: buses may be added, as in the first of the two passes."""

    __slots__ = ("_given", "buses", "growing", "has_pcie_bridge", "owners")

    def __init__(self, buses: list[Bus], *, growing: bool, has_pcie_bridge: bool) -> None:
        self.buses = buses
        self._given = len(buses)
        self.growing = growing
        self.has_pcie_bridge = has_pcie_bridge
        self.owners: dict[Address, object] = {}

    @property
    def added(self) -> bool:
        """Whether buses joined those that the document has."""
        return len(self.buses) > self._given

    def in_use(self, bus: int, slot: int) -> bool:
        return bool(self.buses[bus].functions[slot])

    def reserve(self, address: Address, flags: int, owner: object, *, domain: int = 0) -> Address:
        """Take the function of a slot that the document or the chipset names. Raises XmlError.

        owner: says in words who has it. Where buses are added, the bus of the
        answer may be higher than the one asked for.
        """
        bus, slot, function = address
        if self.growing and bus >= len(self.buses):
            bus = self._grow(bus, flags)
            address = (bus, slot, function)
        self.validate(address, flags, domain=domain)
        if self.buses[bus].functions[slot] >> function & 1:
            raise XmlError(
                f"Attempted double use of PCI Address {address_text(domain, bus, slot, function)}",
                domain=From.DOMAIN,
                hint=f"it belongs to {self.owners.get(address, 'the machine itself')}",
            )
        return self._take(address, flags, owner)

    def _take(self, address: Address, flags: int, owner: object) -> Address:
        number, slot, function = address
        bus = self.buses[number]
        if flags & AGGREGATE_SLOT and not bus.functions[slot]:
            bus.aggregate |= 1 << slot
        bus.functions[slot] |= 1 << function
        if bus.first == bus.last:
            bus.accepts = 0
        self.owners[address] = owner
        return address

    def reserve_next(self, flags: int, owner: object, function: int | None = None) -> Address:
        """Take the next free place that suits. Raises XmlError without a bus, InternalError without a place."""
        if not self.buses:
            raise XmlError("No PCI buses available", domain=From.DOMAIN, hint="this machine has no PCI")
        wanted = function or 0
        for number, bus in enumerate(self.buses):
            if flags & bus.accepts & TYPES and _compatible(bus.accepts, flags, number):
                found = _free_place(bus, flags, wanted, any_function=function is None)
                if found is not None:
                    return self._take((number, *found), flags, owner)
        if not self.growing:
            raise InternalError("No more available PCI slots", domain=From.DOMAIN)
        number = self._grow(len(self.buses), flags)
        return self._take((number, self.buses[number].first, wanted), flags, owner)

    def validate(self, address: Address, flags: int, *, domain: int = 0) -> None:
        """Whether a device may sit there at all. Raises XmlError."""
        number, slot, _ = address
        if not self.buses:
            raise XmlError("No PCI buses available", domain=From.DOMAIN, hint="this machine has no PCI")
        if domain:
            raise _invalid(domain, address, "Only PCI domain 0 is available")
        if number >= len(self.buses):
            raise _invalid(domain, address, f"Only PCI buses up to {len(self.buses) - 1} are available")
        bus = self.buses[number]
        if not flags & bus.flags & TYPES or flags & INTEGRATED:
            _check_flags(bus.flags, flags, address)
        if slot < bus.first:
            raise _invalid(domain, address, f"slot must be >= {bus.first}")
        if slot > bus.last:
            raise _invalid(domain, address, f"slot must be <= {bus.last}")

    def _grow(self, bus: int, flags: int) -> int:
        """Add buses up to number `bus` for a device with `flags`; the number that it really gets."""
        count = bus - len(self.buses) + 1
        if bus >= _MAX_BUSES:
            raise _unexpandable(PCI_BRIDGE if flags & PCI_DEVICE else PCIE_ROOT_PORT)
        if flags & PCI_DEVICE:
            model = "pci-bridge"
            if not any(b.flags & PCI_BRIDGE for b in self.buses):
                if count == 1:
                    count, bus = count + 1, bus + 1
                count -= self._add_conventional_root()
        elif flags & (PCIE_DEVICE | PCIE_SWITCH_UPSTREAM):
            model = "pcie-root-port"
        else:
            raise _unexpandable(flags)
        self.buses.extend(Bus(model) for _ in range(count))
        return bus

    def _add_conventional_root(self) -> int:
        """Conventional slots on a machine that has only Express ones. How many buses that took."""
        if not self.has_pcie_bridge:
            self.buses.append(Bus("dmi-to-pci-bridge", hotplug=False))
            return 1
        port = Bus("pcie-root-port")
        # Kept for the bridge: the spare port for hotplug is another.
        port.flags = port.accepts = PCIE_TO_PCI_BRIDGE
        self.buses += (port, Bus("pcie-to-pci-bridge"))
        return 2


def _invalid(domain: int, address: Address, why: str) -> XmlError:
    return XmlError(f"Invalid PCI address {address_text(domain, *address)}. {why}", domain=From.DOMAIN)


def _unexpandable(flags: int) -> InternalError:
    for bit, model in UNEXPANDABLE:
        if flags & bit:
            return InternalError(
                f"a PCI slot is needed to connect a PCI controller model='{model}', but none is available, "
                "and it cannot be automatically added",
                domain=From.DOMAIN,
                hint="there are too many devices, or this machine type has no such slots",
            )
    return InternalError(
        f"Cannot automatically add a new PCI bus for a device with connect flags {flags:02x}", domain=From.DOMAIN
    )


def _compatible(bus: int, device: int, number: int) -> bool:
    """Whether a device without an address may be put on a bus whose slots are of the right type."""
    if device & INTEGRATED:
        if number:
            return False
        bus |= AUTOASSIGN
    return not device & AUTOASSIGN or bool(bus & AUTOASSIGN)


def _check_flags(bus: int, device: int, address: Address) -> None:
    number = address[0]
    if device & INTEGRATED and number:
        raise XmlError(
            f"The device at PCI address {address_text(0, *address)} needs to be an integrated device (bus=0)",
            domain=From.DOMAIN,
        )
    # Where the document asks for it, a conventional device may sit in an Express slot and the reverse.
    if bus & ENDPOINTS:
        bus |= ENDPOINTS
    if device & PCI_BRIDGE:
        device |= PCI_DEVICE
    if device & bus & TYPES:
        return
    wanted = next(name for bit, name in CONNECTIONS if device & bit)
    raise XmlError(
        f"The device at PCI address {address_text(0, *address)} cannot be plugged into the PCI controller "
        f"with index='{number}'. It requires a controller that accepts a {wanted}.",
        domain=From.DOMAIN,
    )


def _free_place(bus: Bus, flags: int, function: int, *, any_function: bool) -> tuple[int, int] | None:
    """The first slot nobody uses, or a free function of one whose functions are shared."""
    functions = bus.functions
    for slot in range(bus.first, bus.last + 1):
        taken = functions[slot]
        if not taken:
            return slot, function
        if flags & AGGREGATE_SLOT and bus.aggregate >> slot & 1:
            if not taken >> function & 1:
                return slot, function
            if any_function:
                for other in range(function + 1, 8):
                    if not taken >> other & 1:
                        return slot, other
    return None


__all__ = ["BUS_KINDS", "Address", "Bus", "Buses", "address_text"]
