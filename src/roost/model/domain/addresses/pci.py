"""PCI addresses: those given are kept, the others follow libvirt's order, buses are added as they are needed.

Two passes. The first finds how many buses it takes; the controllers of those
it adds join the document, and the second assigns for good.
"""

from __future__ import annotations

import itertools

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, InternalError
from roost.model.domain.addresses import chipsets
from roost.model.domain.addresses.buses import BUS_KINDS, Bus, Buses
from roost.model.domain.addresses.flags import CONVENTIONAL, EXPRESS, PCI_DEVICE, USB2_MODELS, connect_flags, may_take
from roost.model.domain.addresses.place import Place
from roost.model.domain.addresses.settled import FEW, is_settled
from roost.model.domain.boards import PSERIES_HOST_BRIDGE
from roost.model.domain.device import CcwAddress, PciAddress, VirtioMmioAddress, Zpci
from roost.model.domain.devices.controller import Controller, ControllerTarget
from roost.model.domain.draft import Draft, describe
from roost.xml import tag_of

_MODEL_NAMES = {
    "pci-bridge": "pci-bridge",
    "dmi-to-pci-bridge": "i82801b11-bridge",
    "pcie-to-pci-bridge": "pcie-pci-bridge",
    "pcie-root-port": "pcie-root-port",
    "pcie-switch-upstream-port": "x3130-upstream",
    "pcie-switch-downstream-port": "xio3130-downstream",
    "pci-expander-bus": "pxb",
    "pcie-expander-bus": "pxb-pcie",
}

#: The function of each member of a USB 2 group in their common slot.
_USB2_FUNCTIONS = {"ich9-ehci1": 7, "ich9-uhci1": 0, "ich9-uhci2": 1, "ich9-uhci3": 2}

#: Classes in the order in which devices without an address get one; PCI controllers come before all.
_ORDER = (
    "filesystem", "interface", "sound", "controller", "disk", "hostdev", "memballoon", "rng", "watchdog", "video",
    "shmem", "input", "serial", "iommu", "vsock", "memory", "crypto", "panic", "pstore",
)  # fmt: skip

#: Character devices have no number of their own on a mainframe's PCI.
_NOT_ZPCI = frozenset(("serial", "parallel", "channel", "console"))
_MAX_ZPCI_UID = 0xFFFF

_NO_ADDRESS = PciAddress()
_NO_TARGET = ControllerTarget()


def assign_pci(draft: Draft) -> None:
    """Raises XmlError and InternalError for places that are taken, wrong or missing, naming who has them."""
    if draft.board.pci_root is None and not draft.board.needs_pci:
        return
    bridges = {c.index: c for c in draft.controllers if c.type == "pci" and c.index is not None}
    if not is_settled(draft, bridges):
        _settle(draft, bridges)
    if draft.board.zpci:
        _assign_zpci(draft)
    _finish_controllers(draft)


def _settle(draft: Draft, bridges: dict[int, Controller]) -> None:
    """Both passes. bridges: the PCI controllers by number; those that are added join them."""
    root = bridges.get(0)
    places = _places(draft, express=root is not None and root.model == "pcie-root")
    count = max(bridges, default=-1) + 1
    buses = None
    if count and not _surely_fits(places, root, count):
        buses = _plan(draft, places, bridges, count)
        count = max(count, len(buses.buses))
    if buses is None or buses.added or any(place.wants for place in places):
        buses = _buses(draft, places, bridges, count, growing=False)
        chipsets.place(draft, places, buses)
        _assign(draft, places, buses)
    _mark_multifunction(places)
    for place in places:
        if place.fixed and place.changed:
            place.write()


def _plan(draft: Draft, places: list[Place], bridges: dict[int, Controller], count: int) -> Buses:
    """The first pass: the buses it takes, whose controllers join the document and `bridges`."""
    buses = _buses(draft, places, bridges, count, growing=True)
    chipsets.place(draft, places, buses)
    root = bridges.get(0)
    if root is not None and root.model == "pci-root" and not all(bus.is_full for bus in buses.buses):
        # A place for one more device, so that a bridge is added while there is a slot for it.
        buses.reserve_next(CONVENTIONAL, "a device added later")
    _assign(draft, places, buses)
    if count == 1 and buses.added and root is not None and root.model == "pcie-root":
        # The document left the topology to us: one port stays free for hotplug.
        buses.reserve_next(EXPRESS, "a device added later")
    _add_controllers(draft, places, bridges, buses)
    return buses


def _surely_fits(places: list[Place], root: Controller | None, count: int) -> bool:
    """Whether no bus can be missing: a classic PC whose devices are fewer than the slots of its one bus."""
    return (
        count == 1
        and root is not None
        and root.model == "pci-root"
        and len(places) < FEW
        and all(p.flags & PCI_DEVICE if p.wants else not p.address[0] for p in places if p.wants or p.fixed)
    )


def _places(draft: Draft, *, express: bool) -> list[Place]:
    """Every device that is or may become a PCI device."""
    places = []
    for kind, devices in draft.device_lists():
        for index, device in enumerate(devices):
            flags = connect_flags(kind, device, express)
            if flags or isinstance(device.address, PciAddress) or may_take(kind, device):
                places.append(Place(kind, devices, index, flags))
    return places


def _buses(draft: Draft, places: list[Place], bridges: dict[int, Controller], count: int, *, growing: bool) -> Buses:
    """The buses of the controllers there are, with what the document places on them."""
    root = bridges.get(0)
    missing = "pcie-root-port" if root is not None and root.model == "pcie-root" else "pci-bridge"
    made = []
    for number in range(count):
        found = bridges.get(number)
        if found is None:
            made.append(Bus(missing if number else "pci-root"))
            continue
        if found.model is None or found.model not in BUS_KINDS:
            raise InternalError(
                "PCI controller model was not set correctly", domain=From.DOMAIN, hint="give it a model"
            )
        made.append(Bus(found.model, hotplug=found.target is None or found.target.hotplug is not False))
    has_bridge = "pcie-pci-bridge" in draft.facts.devices
    buses = Buses(made, growing=growing, has_pcie_bridge=has_bridge)
    for place in places:
        if place.fixed and not chipsets.is_builtin(place):
            place.move(buses.reserve(place.address, place.flags or PCI_DEVICE, place, domain=place.domain))
    return buses


def _assign(draft: Draft, places: list[Place], buses: Buses) -> None:
    for place in places:
        if place.wants and place.kind == "controller" and place.device.type == "pci" and place.flags:
            place.take(buses)
    by_kind: dict[str, list[Place]] = {}
    for place in places:
        if not place.fixed:
            by_kind.setdefault(_turn(place), []).append(place)
    if not by_kind:
        return
    for kind in _ORDER:
        for place in by_kind.get(kind, ()):
            if kind == "controller":
                _assign_controller(place, places, buses)
            elif kind == "disk" and not place.wants and not _is_elsewhere(draft, place):
                raise ConfigUnsupported(
                    f"virtio disk cannot have an address of type '{tag_of(place.device.address)}'",
                    domain=From.QEMU,
                    hint="leave the address out, or give one of type 'pci'",
                )
            elif place.wants:
                place.take(buses)


def _turn(place: Place) -> str:
    """The class whose turn a device waits for: network cards of the host are host devices."""
    return "hostdev" if place.kind == "interface" and place.device.type == "hostdev" else place.kind


def _is_elsewhere(draft: Draft, place: Place) -> bool:
    """Whether a disk has found its place on another transport."""
    address = place.device.address
    return isinstance(address, CcwAddress) or (
        isinstance(address, VirtioMmioAddress) and "virtio-mmio" in draft.facts.devices
    )


def _assign_controller(place: Place, places: list[Place], buses: Buses) -> None:
    device = place.device
    if not place.wants or not may_take("controller", device) or (device.type == "ide" and device.index == 0):
        return
    if device.type != "usb" or device.model not in USB2_MODELS:
        place.take(buses)
        return
    function = _USB2_FUNCTIONS[device.model]
    group = next((p for p in places if p.fixed and p.kind == "controller" and _same_group(p, device)), None)
    if group is None:
        place.take(buses, function)
    else:
        bus, slot, _ = group.address
        place.settle(buses.reserve((bus, slot, function), place.flags, place))
    if function == 0:
        place.multifunction = True


def _same_group(place: Place, device: Controller) -> bool:
    other = place.device
    return other.type == "usb" and other.model in USB2_MODELS and other.index == device.index


def _add_controllers(draft: Draft, places: list[Place], bridges: dict[int, Controller], buses: Buses) -> None:
    """Let the controllers of added buses join the document; each takes a slot itself."""
    number = 1
    while number < len(buses.buses):
        if number not in bridges:
            bridge = bridges[number] = Controller(type="pci", index=number, model=buses.buses[number].model)
            draft.controllers.append(bridge)
            flags = connect_flags("controller", bridge, True)
            place = Place("controller", draft.controllers, len(draft.controllers) - 1, flags)
            places.append(place)
            place.take(buses)
        number += 1


def _mark_multifunction(places: list[Place]) -> None:
    shared = {place.address[:2] for place in places if place.fixed and place.address[2]}
    for place in places:
        if place.fixed and not place.address[2] and place.multifunction is None and place.address[:2] in shared:
            place.multifunction = place.changed = True


def _assign_zpci(draft: Draft) -> None:
    """The numbers by which a mainframe's guest knows PCI functions: of the user's choice, else counted up."""
    found = [
        (devices, place, device)
        for kind, devices in draft.device_lists()
        for place, device in enumerate(devices)
        if isinstance(device.address, PciAddress) and kind not in _NOT_ZPCI
    ]
    uids = {device.address.zpci.uid for _, _, device in found if device.address.zpci is not None}
    fids = {device.address.zpci.fid for _, _, device in found if device.address.zpci is not None}
    free_uids = (number for number in range(1, _MAX_ZPCI_UID + 1) if number not in uids)
    free_fids = (number for number in itertools.count() if number not in fids)
    for devices, place, device in found:
        given = device.address.zpci or Zpci()
        uid = next(free_uids) if given.uid is None else given.uid
        fid = next(free_fids) if given.fid is None else given.fid
        devices[place] = replace(device, address=replace(device.address, zpci=Zpci(uid=uid, fid=fid)))


def _finish_controllers(draft: Draft) -> None:
    """Device names, chassis and ports of PCI controllers."""
    for at, controller in enumerate(draft.controllers):
        if controller.type != "pci":
            continue
        address = controller.address if isinstance(controller.address, PciAddress) else _NO_ADDRESS
        target = _target(draft, controller, address)
        name = controller.model_name or _MODEL_NAMES.get(controller.model or "")
        if draft.board.pci_roots and controller.model == "pci-root" and name is None:
            name = PSERIES_HOST_BRIDGE
        if name == "pcie-root-port" and name not in draft.facts.devices and controller.model_name is None:
            name = "ioh3420"
        if target is not controller.target or name is not controller.model_name:
            draft.controllers[at] = replace(controller, model_name=name, target=target)
        if controller.model == "pci-bridge" and (controller.index or 0) <= (address.bus or 0):
            index, bus = controller.index or 0, address.bus or 0
            raise ConfigUnsupported(
                f"PCI controller at index {index} (0x{index:02x}) has bus='0x{bus:02x}', "
                "but index must be larger than bus",
                domain=From.QEMU,
                hint=f"what it is plugged into must have a lower index: {describe('controller', controller)}",
            )


def _target(draft: Draft, controller: Controller, address: PciAddress) -> ControllerTarget | None:
    before = controller.target
    target = before or _NO_TARGET
    model, index = controller.model, controller.index
    if model == "pci-bridge":
        if target.chassis_nr is not None:
            return before
        return replace(target, chassis_nr=index)
    if model in ("pcie-root-port", "pcie-switch-downstream-port"):
        if target.chassis is not None and target.port is not None:
            return before
        slot = address.slot or 0
        port = (slot << 3) + (address.function or 0) if model == "pcie-root-port" else slot
        return replace(
            target,
            chassis=index if target.chassis is None else target.chassis,
            port=port if target.port is None else target.port,
        )
    if model == "pci-root" and draft.board.pci_roots and target.index is None:
        return replace(target, index=_free_index(draft, controller))
    if model in ("pci-expander-bus", "pcie-expander-bus") and target.bus_nr is None:
        return replace(target, bus_nr=_free_bus_number(draft, address.bus or 0))
    return before


def _free_index(draft: Draft, controller: Controller) -> int:
    """The lowest number of a host bridge that no other has; 0 is the first controller's."""
    if controller.index == 0:
        return 0
    taken = {c.target.index for c in draft.controllers if c.target is not None} | {0}
    return next(number for number in range(1, len(draft.controllers) + 1) if number not in taken)


def _free_bus_number(draft: Draft, bus: int) -> int:
    """Two below the lowest number given, the most room for what comes behind."""
    given = [c.target.bus_nr for c in draft.controllers if c.type == "pci" and c.target is not None]
    lowest = min((number for number in given if number is not None), default=256)
    if lowest <= 2:
        raise ConfigUnsupported(
            f"No free busNr lower than current lowest busNr is available to auto-assign to bus {bus}. "
            "Must be manually assigned",
            domain=From.QEMU,
        )
    return lowest - 2


__all__ = ["assign_pci"]
