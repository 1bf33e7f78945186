"""Addresses: where each device sits, given or assigned as libvirt assigns them.

`assign` settles virtio-serial ports, places of other transports, PCI slots (with the bridges and ports
they need), USB ports and slots of memory modules. Drive addresses follow from a disk's name and come
with the disk's other defaults. May enter: rules about places, no defaults.
"""

from __future__ import annotations

from roost.model.domain.addresses.memory_slots import assign_memory_slots
from roost.model.domain.addresses.pci import assign_pci
from roost.model.domain.addresses.transports import assign_transports
from roost.model.domain.addresses.usb import assign_usb
from roost.model.domain.addresses.virtio_serial import assign_virtio_serial
from roost.model.domain.draft import Draft


def assign(draft: Draft) -> None:
    """Give every device of the draft its address. Raises XmlError, InternalError, ConfigUnsupported."""
    assign_virtio_serial(draft)
    assign_transports(draft)
    assign_pci(draft)
    assign_usb(draft)
    assign_memory_slots(draft)


__all__ = ["assign"]
