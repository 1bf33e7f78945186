"""How a device connects over PCI: the bits, and a table of them by class and model.

The values of the bits are libvirt's, since one of its messages prints them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

#: Virtio devices are Express where the machine is, but their transitional form needs a conventional slot.
_VIRTIO: Mapping[str | None, int] = {
    None: EXPRESS,
    "virtio": EXPRESS,
    "virtio-non-transitional": EXPRESS,
    "virtio-transitional": CONVENTIONAL,
}
_USB: Mapping[str | None, int] = {"nec-xhci": EXPRESS, "qemu-xhci": EXPRESS, "none": 0, "qusb1": 0, "qusb2": 0}
_SCSI: Mapping[str | None, int] = {
    None: 0,
    "ncr53c90": 0,
    "virtio-scsi": EXPRESS,
    "virtio-non-transitional": EXPRESS,
}
#: Models not listed are taken to be Express where the machine is.
_INTERFACES: Mapping[str | None, int] = {
    "usb-net": 0,
    "virtio": EXPRESS,
    "virtio-non-transitional": EXPRESS,
    "e1000e": EXPRESS,
    **dict.fromkeys(
        (
            "netfront", "rtl8139", "e1000", "igb", "spapr-vlan", "lan9118", "smc91c111", "vlance", "vmxnet", "vmxnet2",
            "vmxnet3", "Am79C970A", "Am79C973", "82540EM", "82545EM", "82543GC", "virtio-transitional",
        ),
        CONVENTIONAL,
    ),
}  # fmt: skip
_SOUNDS: Mapping[str | None, int] = {
    "es1370": CONVENTIONAL, "ac97": CONVENTIONAL, "ich6": CONVENTIONAL, "ich9": CONVENTIONAL, "virtio": EXPRESS,
}  # fmt: skip
_VIDEOS: Mapping[str | None, int] = {
    "virtio": EXPRESS, "bochs": EXPRESS, "vga": CONVENTIONAL, "cirrus": CONVENTIONAL, "vmvga": CONVENTIONAL,
    "xen": CONVENTIONAL, "vbox": CONVENTIONAL, "qxl": CONVENTIONAL, "parallels": CONVENTIONAL,
}  # fmt: skip


def _controller(device: Any) -> int:
    kind, model = device.type, device.model
    if kind == "pci":
        return BRIDGE_FLAGS.get(model, 0)
    if kind == "usb":
        return _USB.get(model, CONVENTIONAL)
    if kind == "scsi":
        return _SCSI.get(model, CONVENTIONAL)
    if kind == "virtio-serial":
        return _VIRTIO.get(model, EXPRESS)
    if kind == "nvme":
        return EXPRESS
    return CONVENTIONAL if kind in ("sata", "ide") else 0


def _filesystem(device: Any) -> int:
    if device.driver is not None and device.driver.type in ("loop", "nbd", "ploop"):
        return 0
    return _VIRTIO.get(device.model, EXPRESS)


def _interface(device: Any) -> int:
    if device.type == "hostdev":
        return EXPRESS if hasattr(device.source.device, "slot") else 0
    return _INTERFACES.get(device.model, EXPRESS)


def _hostdev(device: Any) -> int:
    """PCI cards of today are Express, and so are slices of them."""
    if device.type == "scsi_host":
        return _VIRTIO.get(device.source.model, EXPRESS)
    if device.type == "mdev":
        return EXPRESS if device.source.model == "vfio-pci" else 0
    return EXPRESS if device.type == "pci" else 0


def _serial(device: Any) -> int:
    return CONVENTIONAL if device.target is not None and device.target.type == "pci-serial" else 0


#: What a device asks for where the machine is Express, by its element's name; those not listed are no PCI devices.
_ASKED: Mapping[str, Callable[[Any], int]] = {
    "controller": _controller,
    "filesystem": _filesystem,
    "interface": _interface,
    "hostdev": _hostdev,
    "serial": _serial,
    "disk": lambda d: _VIRTIO.get(d.model, EXPRESS) if d.target.bus == "virtio" else 0,
    "input": lambda d: _VIRTIO.get(d.model, EXPRESS) if d.bus == "virtio" else 0,
    "memballoon": lambda d: _VIRTIO.get(d.model, 0),
    "rng": lambda d: _VIRTIO.get(d.model, 0),
    "vsock": lambda d: _VIRTIO.get(d.model, 0),
    "video": lambda d: _VIDEOS.get(d.model.type if d.model else None, 0),
    "sound": lambda d: _SOUNDS.get(d.model, 0),
    "watchdog": lambda d: CONVENTIONAL if d.model == "i6300esb" else 0,
    "panic": lambda d: CONVENTIONAL if d.model == "pvpanic" else 0,
    "memory": lambda d: EXPRESS if isinstance(d, VirtioMem | VirtioPmem) else 0,
    "iommu": lambda d: EXPRESS | INTEGRATED if d.model in ("virtio", "amd") else 0,
    "shmem": lambda d: CONVENTIONAL,
    "pstore": lambda d: CONVENTIONAL,
    "crypto": lambda d: EXPRESS,
}


def connect_flags(kind: str, device: Any, express: bool) -> int:
    """How `device` connects; 0 when it is no PCI device.

    kind: its element's name. express: the machine's root is PCI Express.
    """
    asked = _ASKED.get(kind)
    flags = 0 if asked is None else asked(device)
    return flags if express or not flags & PCIE_DEVICE else flags ^ ENDPOINTS


_SOUND_WITHOUT = frozenset(("sb16", "pcspk", "usb"))
_CONTROLLERS_WITHOUT = frozenset(("pci", "fdc", "ccid"))


def may_take(kind: str, device: Any) -> bool:
    """Devices that libvirt gives a turn though they may not be able to sit on PCI here: they are refused for it."""
    if kind == "controller":
        return device.type not in _CONTROLLERS_WITHOUT and device.model not in ("none", "ncr53c90")
    return (
        (kind == "interface" and device.type != "hostdev")
        or (kind == "sound" and device.model not in _SOUND_WITHOUT)
        or (kind == "memballoon" and device.model != "none")
        or (kind == "disk" and device.target.bus == "virtio")
        or kind == "filesystem"
    )


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
    "may_take",
]  # fmt: skip
