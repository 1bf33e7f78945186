"""How a device connects over PCI: the bits, and a table of them by class and model.

The values of the bits are libvirt's, since one of its messages prints them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from roost.model.domain.devices.memory import VirtioMem, VirtioPmem

AUTOASSIGN = 1 << 0
HOTPLUGGABLE = 1 << 1
PCI_DEVICE = 1 << 2
PCIE_DEVICE = 1 << 3
PCIE_ROOT_PORT = 1 << 4
PCIE_SWITCH_UPSTREAM = 1 << 5
PCIE_SWITCH_DOWNSTREAM = 1 << 6
DMI_TO_PCI_BRIDGE = 1 << 7
PCI_EXPANDER = 1 << 8
PCIE_EXPANDER = 1 << 9
PCI_BRIDGE = 1 << 10
AGGREGATE_SLOT = 1 << 11
INTEGRATED = 1 << 12
PCIE_TO_PCI_BRIDGE = 1 << 13

ENDPOINTS = PCI_DEVICE | PCIE_DEVICE
TYPES = (
    ENDPOINTS | PCIE_ROOT_PORT | PCIE_SWITCH_UPSTREAM | PCIE_SWITCH_DOWNSTREAM | DMI_TO_PCI_BRIDGE
    | PCI_EXPANDER | PCIE_EXPANDER | PCI_BRIDGE | PCIE_TO_PCI_BRIDGE
)  # fmt: skip

#: USB controllers that come as a group: one index, functions of one slot.
USB2_MODELS = frozenset(("ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3"))

#: A device in a conventional slot, and one that is Express where the machine is.
CONVENTIONAL = PCI_DEVICE | AUTOASSIGN
EXPRESS = PCIE_DEVICE | AUTOASSIGN

#: What the upstream side of each PCI controller asks for. Roots have none.
BRIDGE_FLAGS: Mapping[str | None, int] = {
    "pci-bridge": PCI_BRIDGE,
    "pci-expander-bus": PCI_EXPANDER,
    "pcie-expander-bus": PCIE_EXPANDER,
    "dmi-to-pci-bridge": DMI_TO_PCI_BRIDGE,
    "pcie-to-pci-bridge": PCIE_TO_PCI_BRIDGE,
    "pcie-root-port": PCIE_ROOT_PORT | AGGREGATE_SLOT,
    "pcie-switch-upstream-port": PCIE_SWITCH_UPSTREAM,
    "pcie-switch-downstream-port": PCIE_SWITCH_DOWNSTREAM,
}

#: Names of what a slot must accept, for messages, in the order they are looked for.
CONNECTIONS = (
    (PCI_DEVICE, "standard PCI device"),
    (PCIE_DEVICE, "PCI Express device"),
    (PCIE_ROOT_PORT, "pcie-root-port"),
    (PCIE_SWITCH_UPSTREAM, "pcie-switch-upstream-port"),
    (PCIE_SWITCH_DOWNSTREAM, "pcie-switch-downstream-port"),
    (DMI_TO_PCI_BRIDGE, "dmi-to-pci-bridge"),
    (PCIE_TO_PCI_BRIDGE, "pcie-to-pci-bridge"),
    (PCI_EXPANDER, "pci-expander-bus"),
    (PCIE_EXPANDER, "pcie-expander-bus"),
    (PCI_BRIDGE, "pci-bridge"),
)

#: Controller models whose slot cannot be made by adding buses, with the bit that tells them.
UNEXPANDABLE = (
    (PCIE_ROOT_PORT, "pcie-root-port"),
    (PCIE_SWITCH_UPSTREAM, "pcie-switch-upstream-port"),
    (PCIE_SWITCH_DOWNSTREAM, "pcie-switch-downstream-port"),
    (DMI_TO_PCI_BRIDGE, "dmi-to-pci-bridge"),
    (PCI_EXPANDER, "pci-expander-bus"),
    (PCIE_EXPANDER, "pcie-expander-bus"),
    (PCI_BRIDGE, "pci-bridge"),
)

# Markers: PCI a conventional device, PCIE one that is Express where it can be, NOT_PCI none at all.
_NOT_PCI, _PCI, _PCIE = 0, 1, 2
#: Virtio devices are Express where the machine is, but their transitional form needs a conventional slot.
_VIRTIO: Mapping[str | None, int] = {
    None: _PCIE,
    "virtio": _PCIE,
    "virtio-non-transitional": _PCIE,
    "virtio-transitional": _PCI,
}
_USB: Mapping[str | None, int] = {"nec-xhci": _PCIE, "qemu-xhci": _PCIE, "none": _NOT_PCI, "qusb1": 0, "qusb2": 0}
_SCSI: Mapping[str | None, int] = {
    None: _NOT_PCI,
    "ncr53c90": _NOT_PCI,
    "virtio-scsi": _PCIE,
    "virtio-non-transitional": _PCIE,
}
#: Models not listed are taken to be Express where the machine is.
_INTERFACES: Mapping[str | None, int] = {
    "usb-net": _NOT_PCI,
    "virtio": _PCIE,
    "virtio-non-transitional": _PCIE,
    "e1000e": _PCIE,
    **dict.fromkeys(
        (
            "netfront", "rtl8139", "e1000", "igb", "spapr-vlan", "lan9118", "smc91c111", "vlance", "vmxnet", "vmxnet2",
            "vmxnet3", "Am79C970A", "Am79C973", "82540EM", "82545EM", "82543GC", "virtio-transitional",
        ),
        _PCI,
    ),
}  # fmt: skip
_SOUNDS: Mapping[str | None, int] = {"es1370": _PCI, "ac97": _PCI, "ich6": _PCI, "ich9": _PCI, "virtio": _PCIE}
_VIDEOS: Mapping[str | None, int] = {
    "virtio": _PCIE, "bochs": _PCIE, "vga": _PCI, "cirrus": _PCI, "vmvga": _PCI, "xen": _PCI, "vbox": _PCI,
    "qxl": _PCI, "parallels": _PCI,
}  # fmt: skip


def _controller(device: Any) -> int:
    kind, model = device.type, device.model
    if kind == "usb":
        return _USB.get(model, _PCI)
    if kind == "scsi":
        return _SCSI.get(model, _PCI)
    if kind == "virtio-serial":
        return _VIRTIO.get(model, _PCIE)
    if kind == "nvme":
        return _PCIE
    return _PCI if kind in ("sata", "ide") else _NOT_PCI


def _hostdev(device: Any) -> int:
    """PCI cards of today are Express, and so are slices of them."""
    if device.type == "scsi_host":
        return _VIRTIO.get(device.source.model, _PCIE)
    if device.type == "mdev":
        return _PCIE if device.source.model == "vfio-pci" else _NOT_PCI
    return _PCIE if device.type == "pci" else _NOT_PCI


def connect_flags(kind: str, device: Any, express: bool) -> int:
    """How `device` connects; 0 when it is no PCI device.

    kind: its element's name. express: the machine's root is PCI Express.
    """
    if kind == "controller" and device.type == "pci":
        return BRIDGE_FLAGS.get(device.model, 0)
    if kind == "iommu":
        return (EXPRESS if express else CONVENTIONAL) | INTEGRATED if device.model in ("virtio", "amd") else 0
    mark = _mark(kind, device)
    if mark == _NOT_PCI:
        return 0
    return EXPRESS if mark == _PCIE and express else CONVENTIONAL


def _mark(kind: str, device: Any) -> int:
    if kind == "disk":
        return _VIRTIO.get(device.model, _PCIE) if device.target.bus == "virtio" else _NOT_PCI
    if kind == "controller":
        return _controller(device)
    if kind == "filesystem":
        if device.driver is not None and device.driver.type in ("loop", "nbd", "ploop"):
            return _NOT_PCI
        return _VIRTIO.get(device.model, _PCIE)
    if kind == "interface" and device.type == "hostdev":
        return _PCIE if hasattr(device.source.device, "slot") else _NOT_PCI
    if kind == "interface":
        return _INTERFACES.get(device.model, _PCIE)
    if kind in ("shmem", "pstore"):
        return _PCI
    if kind == "crypto":
        return _PCIE
    if kind == "panic":
        return _PCI if device.model == "pvpanic" else _NOT_PCI
    if kind == "memory":
        return _PCIE if isinstance(device, VirtioMem | VirtioPmem) else _NOT_PCI
    if kind in ("memballoon", "rng", "vsock"):
        return _VIRTIO.get(device.model, _NOT_PCI)
    if kind == "video":
        return _VIDEOS.get(device.model.type if device.model else None, _NOT_PCI)
    if kind == "input":
        return _VIRTIO.get(device.model, _PCIE) if device.bus == "virtio" else _NOT_PCI
    if kind == "hostdev":
        return _hostdev(device)
    if kind == "sound":
        return _SOUNDS.get(device.model, _NOT_PCI)
    if kind == "watchdog":
        return _PCI if device.model == "i6300esb" else _NOT_PCI
    if kind == "serial":
        return _PCI if device.target is not None and device.target.type == "pci-serial" else _NOT_PCI
    return _NOT_PCI


__all__ = [
    "AGGREGATE_SLOT",
    "AUTOASSIGN",
    "BRIDGE_FLAGS",
    "CONNECTIONS",
    "CONVENTIONAL",
    "DMI_TO_PCI_BRIDGE",
    "ENDPOINTS",
    "EXPRESS",
    "HOTPLUGGABLE",
    "INTEGRATED",
    "PCIE_DEVICE",
    "PCIE_EXPANDER",
    "PCIE_ROOT_PORT",
    "PCIE_SWITCH_DOWNSTREAM",
    "PCIE_SWITCH_UPSTREAM",
    "PCIE_TO_PCI_BRIDGE",
    "PCI_BRIDGE",
    "PCI_DEVICE",
    "PCI_EXPANDER",
    "TYPES",
    "UNEXPANDABLE",
    "USB2_MODELS",
    "connect_flags",
]  # fmt: skip
