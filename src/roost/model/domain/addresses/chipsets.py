"""Slots that a board's chipset has taken, and devices that have their place there."""

from __future__ import annotations

from roost.errors import From, InternalError
from roost.model.domain.addresses.buses import Address, Buses
from roost.model.domain.addresses.flags import CONVENTIONAL, PCI_DEVICE, PCIE_DEVICE
from roost.model.domain.addresses.place import Place
from roost.model.domain.devices.controller import Controller
from roost.model.domain.draft import Draft

_PIIX3_IDE: Address = (0, 1, 1)
_PIIX3_USB: Address = (0, 1, 2)
_PIIX3_ISA: tuple[Address, ...] = ((0, 1, 0), (0, 1, 3))
_ICH9_SATA: Address = (0, 0x1F, 2)
_ICH9_ISA: tuple[Address, ...] = ((0, 0x1F, 0), (0, 0x1F, 3))
_ICH9_USB_SLOTS = (0x1D, 0x1A)
_ICH9_AUDIO: Address = (0, 0x1B, 0)
_ICH9_BRIDGE: Address = (0, 0x1E, 0)
_NOT_A_CARD = ("none", "ramfb")


def occupied(draft: Draft) -> tuple[Address, ...]:
    """Functions of the chipset's own that no device may have."""
    return _PIIX3_ISA if draft.is_i440fx else _ICH9_ISA if draft.is_q35 else ()


def own_place(controller: Controller) -> Address | None:
    """Where the controller sits if it is the one that the chipset has built in."""
    if controller.type == "sata" and controller.index == 0:
        return _ICH9_SATA
    return _piix3_address(controller)


def is_builtin(place: Place) -> bool:
    """A PIIX3 function that the chipset itself reserves."""
    return place.kind == "controller" and place.address == _piix3_address(place.device) and not place.domain


def _piix3_address(controller: Controller) -> Address | None:
    if controller.index != 0:
        return None
    if controller.type == "ide":
        return _PIIX3_IDE
    if controller.type == "usb" and controller.model in (None, "piix3-uhci"):
        return _PIIX3_USB
    return None


def place(draft: Draft, places: list[Place], buses: Buses) -> None:
    """Reserve what the chipset uses and settle the devices that belong there."""
    if draft.is_i440fx:
        _piix3(places, buses)
    elif draft.is_q35:
        _ich9(places, buses)


def _piix3(places: list[Place], buses: Buses) -> None:
    for at in places:
        builtin = _piix3_address(at.device) if at.kind == "controller" else None
        if builtin is None:
            continue
        if at.fixed and (at.address != builtin or at.domain):
            name, where = ("Primary IDE controller", "0:0:1.1")
            if at.device.type == "usb":
                raise InternalError("PIIX3 USB controller at index 0 must have PCI address 0:0:1.2", domain=From.QEMU)
            raise InternalError(f"{name} must have PCI address {where}", domain=From.QEMU)
        if not at.fixed:
            at.settle(builtin)
        if buses.buses:
            buses.reserve(builtin, CONVENTIONAL, at)
    if not buses.buses:
        return
    for address in _PIIX3_ISA:
        buses.reserve(address, CONVENTIONAL, "the chipset's ISA bridge")
    _first_card(places, buses, (0, 2, 0), CONVENTIONAL)


def _ich9(places: list[Place], buses: Buses) -> None:
    for at in places:
        if at.kind == "controller" and (at.wants or at.device.type == "sata"):
            _ich9_controller(at, buses)
    if not buses.buses:
        return
    for address in _ICH9_ISA:
        buses.reserve(address, PCIE_DEVICE, "the chipset's ISA bridge and SMBus")
    _first_card(places, buses, (0, 1, 0), PCIE_DEVICE)
    if buses.in_use(0, _ICH9_AUDIO[1]):
        return
    for at in places:
        if at.kind == "sound" and at.device.model == "ich9" and at.wants:
            at.settle(buses.reserve(_ICH9_AUDIO, PCIE_DEVICE, at))
            return


def _ich9_controller(at: Place, buses: Buses) -> None:
    device = at.device
    if device.type == "sata" and device.index == 0:
        if at.fixed and (at.address != _ICH9_SATA or at.domain):
            raise InternalError("Primary SATA controller must have PCI address 0:0:1f.2", domain=From.QEMU)
        if not at.fixed:
            at.settle(_ICH9_SATA)
            if not buses.growing:
                buses.reserve(_ICH9_SATA, PCI_DEVICE, at)
    elif device.type == "usb" and device.model == "ich9-uhci1" and device.address is None:
        slot = next((slot for slot in _ICH9_USB_SLOTS if not buses.in_use(0, slot)), None)
        if slot is not None:
            at.settle(buses.reserve((0, slot, 0), PCIE_DEVICE, at))
            at.multifunction = True
    elif (
        device.type == "pci"
        and device.model == "dmi-to-pci-bridge"
        and device.address is None
        and not buses.in_use(0, _ICH9_BRIDGE[1])
    ):
        at.settle(buses.reserve(_ICH9_BRIDGE, PCIE_DEVICE, at))


def _first_card(places: list[Place], buses: Buses, where: Address, flags: int) -> None:
    """The first video card sits where QEMU's own choice would put it, or next to it."""
    at = next((p for p in places if p.kind == "video" and p.index == 0), None)
    if at is None or not at.wants or at.device.model.type in _NOT_A_CARD:
        return
    buses.validate(where, flags)
    if buses.in_use(where[0], where[1]):
        at.take(buses)
    else:
        at.settle(buses.reserve(where, flags, at))


__all__ = ["is_builtin", "occupied", "own_place", "place"]
