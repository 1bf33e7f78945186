"""Controllers a machine has of itself, their models and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, InternalError, XmlError
from roost.model.domain.addresses.flags import USB2_MODELS
from roost.model.domain.boards import ARM_VIRT, Q35, S390
from roost.model.domain.devices.controller import Controller, ControllerType
from roost.model.domain.draft import Draft

_USB_COMPANIONS = (("ich9-uhci1", 0), ("ich9-uhci2", 2), ("ich9-uhci3", 4))
_STARTPORTS: dict[str | None, int] = dict(_USB_COMPANIONS)
_VIRTIO_SCSI = frozenset(("virtio-scsi", "virtio-transitional", "virtio-non-transitional"))
_XHCI_MODELS = frozenset(("qemu-xhci", "nec-xhci"))
_XHCI_MAX_PORTS = 15


#: Fields that mean something for controllers of one type or two, by those types.
_OWN_FIELDS: Mapping[str, frozenset[str]] = {
    "usb": frozenset(("ports",)),
    "virtio-serial": frozenset(("ports", "vectors")),
    "xenbus": frozenset(("max_grant_frames", "max_event_channels")),
    "pci": frozenset(("model_name", "target", "pcihole64")),
    "nvme": frozenset(("serial",)),
}
_TYPED_FIELDS = sorted(frozenset().union(*_OWN_FIELDS.values()))
#: By type of controller: the fields that only others have.
_FOREIGN_FIELDS: Mapping[str, tuple[str, ...]] = {
    kind: tuple(name for name in _TYPED_FIELDS if name not in _OWN_FIELDS.get(kind, ()))
    for kind in get_args(ControllerType)
}


def number_controllers(draft: Draft) -> None:
    """Give each controller without an index the lowest free one of its type."""
    for place, controller in enumerate(draft.controllers):
        if controller.index is None:
            index = _companion_index(draft.controllers, place)
            if index is None:
                index = _unused(draft.controllers, controller.type)
            draft.controllers[place] = replace(controller, index=index)


def _companion_index(controllers: list[Controller], place: int) -> int | None:
    """The index of the USB 2 group that the controllers just before belong to, while this model lacks in it."""
    controller = controllers[place]
    if controller.type != "usb" or controller.model not in USB2_MODELS:
        return None
    before = next((c for c in reversed(controllers[:place]) if c.type == "usb"), None)
    if before is None or before.model not in USB2_MODELS:
        return None
    taken = any(c.type == "usb" and c.index == before.index and c.model == controller.model for c in controllers)
    return None if taken else before.index


def _unused(controllers: Iterable[Controller], kind: str) -> int:
    used = {c.index for c in controllers if c.type == kind}
    index = 0
    while index in used:
        index += 1
    return index


def forget_foreign(draft: Draft) -> None:
    """Drop from each controller what only controllers of other types have."""
    for place, controller in enumerate(draft.controllers):
        changes: dict[str, Any] = {}
        for name in _FOREIGN_FIELDS[controller.type]:
            if getattr(controller, name) is not None:
                changes[name] = None
        if controller.pcihole64 is not None and controller.model not in ("pci-root", "pcie-root"):
            changes["pcihole64"] = None
        if controller.type == "usb" and controller.model == "none" and controller.address is not None:
            changes["address"] = None
        if changes:
            draft.controllers[place] = replace(controller, **changes)


def add_machine_controllers(draft: Draft) -> None:
    """USB, SATA and the PCI root, as far as the board has them built in or is never without."""
    board = draft.board
    if board.usb:
        usb = draft.choose(board.usb_choices)
        if usb is not None or not board.usb_choices:
            _add_usb(draft, usb)
    if board.sata:
        draft.ensure_controller("sata", 0)
    pci_root = board.pci_root
    if pci_root is None:
        return
    root = draft.controller("pci", 0)
    if root is None:
        draft.ensure_controller("pci", 0, pci_root)
    elif root.model != pci_root:
        raise XmlError(
            f"The PCI controller with index='0' must be model='{pci_root}' for this machine type, "
            f"but model='{root.model}' was found instead",
            domain=From.QEMU,
        )


def _add_usb(draft: Draft, model: str | None) -> None:
    if not draft.ensure_controller("usb", 0, model):
        return
    if model == "ich9-ehci1":
        for companion, port in _USB_COMPANIONS:
            draft.controllers.append(Controller(type="usb", index=0, model=companion, master_startport=port))


def complete_controllers(draft: Draft, first: int = 0) -> None:
    """Models for those without, and the ports of USB 2 companions. Raises for numbers and machines that do not fit.

    first: where in the list those begin that were not completed before.
    """
    for place in range(first, len(draft.controllers)):
        controller = draft.controllers[place]
        if controller.type == "pci":
            _check_pci(draft, controller)
        elif controller.type in ("usb", "scsi"):
            port = _STARTPORTS.get(controller.model) if controller.type == "usb" else None
            if port is not None and controller.master_startport is None:
                draft.controllers[place] = controller = replace(controller, master_startport=port)
            if controller.model is None or controller.model in ("auto", "default"):
                model = _usb_model(draft, controller) if controller.type == "usb" else scsi_model(draft, controller)
                draft.controllers[place] = controller = replace(controller, model=model)
            _check_ports(controller)
            if controller.driver is not None and controller.driver.iothread and controller.model not in _VIRTIO_SCSI:
                raise XmlError("'iothread' attribute only supported for virtio scsi controllers", domain=From.DOMAIN)


def _usb_model(draft: Draft, controller: Controller) -> str | None:
    if draft.board is S390:
        # USB needs PCI there, which guests do without unless told otherwise.
        return "none" if controller.address is None else None
    return draft.choose(draft.board.usb_default)


def scsi_model(draft: Draft, controller: Controller) -> str:
    """The model of a SCSI controller without one. Raises InternalError when QEMU has none of them."""
    model = draft.choose(draft.board.scsi)
    if model is not None:
        return model
    raise InternalError(
        f"Unable to determine model for SCSI controller idx={controller.index}",
        domain=From.QEMU,
        hint="give the controller a model",
    )


def _check_ports(controller: Controller) -> None:
    if controller.model in _XHCI_MODELS and (controller.ports or 0) > _XHCI_MAX_PORTS:
        raise ConfigUnsupported(
            f"'{controller.model}' controller only supports up to '{_XHCI_MAX_PORTS}' ports", domain=From.QEMU
        )


def _check_pci(draft: Draft, controller: Controller) -> None:
    model = controller.model
    if model in ("pci-root", "pcie-root") and controller.index != 0 and not draft.board.pci_roots:
        raise XmlError("pci-root and pcie-root controllers should have index 0", domain=From.QEMU)
    if model == "pci-expander-bus" and not draft.is_i440fx:
        raise ConfigUnsupported(
            "pci-expander-bus controllers are only supported on 440fx-based machinetypes", domain=From.QEMU
        )
    node = controller.target.node if controller.target is not None else None
    if node is not None and node >= (cells := len(draft.domain.cells)):
        raise XmlError(
            f"{model} with index {controller.index} is configured for a NUMA node ({node}) "
            f"not present in the domain's <cpu><numa> array ({cells})",
            domain=From.QEMU,
        )
    if model == "pcie-expander-bus" and draft.board not in (Q35, ARM_VIRT):
        raise ConfigUnsupported(
            "pcie-expander-bus controllers are not supported with this machine type", domain=From.QEMU
        )


def reject_duplicates(draft: Draft) -> None:
    """Only USB controllers may share an index: a USB 2 group does."""
    seen: set[tuple[str, int | None]] = set()
    for controller in draft.controllers:
        key = (controller.type, controller.index)
        if key in seen and controller.type != "usb":
            raise XmlError(
                f"Multiple '{controller.type}' controllers with index '{controller.index}'", domain=From.DOMAIN
            )
        seen.add(key)


__all__ = [
    "add_machine_controllers", "complete_controllers", "forget_foreign", "number_controllers", "reject_duplicates",
]  # fmt: skip
