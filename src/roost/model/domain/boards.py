"""Boards: what a family of machine types has of itself, and what a document means that leaves it open."""

from __future__ import annotations

import functools
from typing import Literal, NamedTuple

#: QEMU's device, and the model that a document calls it by; the first that QEMU has is meant.
Choices = tuple[tuple[str, str], ...]

_Q35_USB: Choices = (("qemu-xhci", "qemu-xhci"), ("nec-usb-xhci", "nec-xhci"), ("ich9-usb-ehci1", "ich9-ehci1"))
_ANY_USB: Choices = (("piix3-usb-uhci", "piix3-uhci"),)
_PPC_USB: Choices = (("qemu-xhci", "qemu-xhci"), ("nec-usb-xhci", "nec-xhci"), ("pci-ohci", "pci-ohci"))
_XHCI: Choices = (("qemu-xhci", "qemu-xhci"), ("nec-usb-xhci", "nec-xhci"))
_ANY_SCSI: Choices = (("lsi53c895a", "lsilogic"), ("virtio-scsi-pci", "virtio-scsi"))
_ANY_INTERFACE: Choices = (("rtl8139", "rtl8139"), ("e1000", "e1000"), ("virtio-net-pci", "virtio"))
_ANY_VIDEO: Choices = (("cirrus-vga", "cirrus"), ("VGA", "vga"))


class Board(NamedTuple):
    """One family.

    pci_root: the model of PCI controller 0, which is always there; None without PCI, or where it must be written.
    pci_roots: there may be more of them. bridged: addresses beyond the root's own bus need a bridge or port.
    transport: how virtio devices without an address are reached.
    usb: a USB controller is always there. usb_choices: its model; usb_default: that of further ones.
    sata: a SATA controller is built in. ide: an IDE controller is.
    balloon: added unless the document says none. ps2: a PS/2 mouse and keyboard are built in.
    usb_inputs: guests with a display get a USB mouse and keyboard.
    panic: the model of a <panic> without one; panic_implied: the firmware has it anyway.
    serial, serial_model: the target of a <serial> without one, and the model where `serial` is no name of one.
    gic: the guest has a generic interrupt controller.
    zpci: PCI functions have a mainframe's numbers. parallel: there are parallel ports. input_bus: of input devices
    without one. acpi_switch: ACPI is on unless the board is told otherwise. needs_pci: a document without a PCI bus
    is refused.
    """

    name: str
    pci_root: Literal["pci-root", "pcie-root"] | None = None
    pci_roots: bool = False
    transport: Literal["pci", "ccw", "virtio-mmio"] = "pci"
    usb: bool = True
    usb_choices: Choices = ()
    usb_default: Choices = _ANY_USB
    scsi: Choices = _ANY_SCSI
    interface: Choices = _ANY_INTERFACE
    video: Choices = _ANY_VIDEO
    sata: bool = False
    ide: bool = False
    balloon: bool = True
    ps2: bool = False
    usb_inputs: bool = False
    panic: Literal["isa", "pseries", "s390"] = "isa"
    panic_implied: bool = False
    serial: str | None = None
    serial_model: str | None = None
    gic: bool = False
    acpi_switch: bool = False
    needs_pci: bool = True
    zpci: bool = False
    parallel: bool = True
    input_bus: str = "usb"


def _only(model: str) -> Choices:
    """A choice of one, whatever QEMU has."""
    return (("", model),)


_PC = Board("pc", ps2=True, serial="isa-serial", acpi_switch=True)
I440FX = _PC._replace(name="i440fx", pci_root="pci-root", ide=True)
Q35 = _PC._replace(name="q35", pci_root="pcie-root", usb_choices=_Q35_USB, sata=True)
ISAPC = _PC._replace(name="isapc", usb=False)
MICROVM = Board(
    "microvm", transport="virtio-mmio", usb=False, usb_default=(), scsi=_only("virtio-scsi"),
    interface=_only("virtio"), video=(), serial="isa-serial", acpi_switch=True, needs_pci=False,
)  # fmt: skip
_ARM = Board("arm", usb=False, balloon=False, interface=_only("lan9118"), acpi_switch=True, needs_pci=False)
VEXPRESS = _ARM._replace(name="vexpress", transport="virtio-mmio")
ARM_VIRT = _ARM._replace(
    name="arm-virt", usb_default=_XHCI, pci_root="pcie-root", interface=_only("virtio"), video=_only("virtio"),
    serial="system-serial", serial_model="pl011", gic=True,
)  # fmt: skip
VERSATILE = _ARM._replace(name="versatile", pci_root="pci-root", interface=_only("smc91c111"))
_RISCV = Board("riscv", usb=False, needs_pci=False)
RISCV_VIRT = _RISCV._replace(
    name="riscv-virt", pci_root="pcie-root", interface=_only("virtio"), video=_only("virtio"), serial="system-serial",
    serial_model="16550a",
)  # fmt: skip
_PPC = Board("ppc", pci_root="pci-root", usb_inputs=True, video=_only("vga"), usb_default=_PPC_USB)
PSERIES = _PPC._replace(
    name="pseries", pci_roots=True, usb_choices=_PPC_USB, scsi=_only("ibmvscsi"),
    panic="pseries", panic_implied=True, serial="spapr-vio-serial", parallel=False,
)  # fmt: skip
S390 = Board(
    "s390", pci_root="pci-root", transport="ccw", usb=False, scsi=_only("virtio-scsi"), interface=_only("virtio"),
    video=_only("virtio"), panic="s390", panic_implied=True, serial="sclp-serial",
    zpci=True, parallel=False, input_bus="virtio",
)  # fmt: skip
_OTHER = Board("other")
_WITH_PCI = _OTHER._replace(name="other-pci", pci_root="pci-root")

#: The name of a PCI root where there may be several.
PSERIES_HOST_BRIDGE = "spapr-pci-host-bridge"
_PC_PREFIXES = ("pc-0.", "pc-1.", "pc-i440", "rhel")
_ARM_ARCHES = frozenset(("armv6l", "armv7l", "aarch64"))
_PCI_ARCHES = frozenset(("alpha", "ppc", "ppcemb", "sh4", "sh4eb", "sparc64"))


@functools.cache
def board_of(arch: str, machine: str) -> Board:
    """The family of a machine type, by libvirt's name of the architecture and QEMU's of the machine."""
    if is_x86(arch):
        if is_i440fx(machine):
            return I440FX
        if is_q35(machine):
            return Q35
        return {"isapc": ISAPC, "microvm": MICROVM}.get(machine, _PC)
    is_virt = machine == "virt" or machine.startswith("virt-")
    if arch in _ARM_ARCHES:
        if machine.startswith("vexpress-"):
            return VEXPRESS
        return ARM_VIRT if is_virt else VERSATILE if machine == "versatilepb" else _ARM
    if arch in ("riscv32", "riscv64"):
        return RISCV_VIRT if is_virt else _RISCV
    if arch in ("ppc64", "ppc64le"):
        return PSERIES if machine == "pseries" or machine.startswith("pseries-") else _PPC
    if arch in ("s390", "s390x"):
        return S390
    return _WITH_PCI if arch in _PCI_ARCHES or machine == "malta" else _OTHER


def is_i440fx(machine: str) -> bool:
    """Whether the board is the classic PC (PIIX3, one PCI bus)."""
    return machine == "pc" or machine.startswith(_PC_PREFIXES)


def is_q35(machine: str) -> bool:
    """Whether the board is the PCI Express PC (ICH9)."""
    return machine == "q35" or machine.startswith("pc-q35")


def is_x86(arch: str) -> bool:
    return arch in ("x86_64", "i686")


__all__ = [
    "ARM_VIRT", "I440FX", "ISAPC", "MICROVM", "PSERIES", "PSERIES_HOST_BRIDGE", "Q35", "RISCV_VIRT", "S390",
    "VERSATILE", "VEXPRESS", "Board", "Choices", "board_of", "is_i440fx", "is_q35", "is_x86",
]  # fmt: skip
