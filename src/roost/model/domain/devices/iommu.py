"""What translates the addresses that devices use for memory: <iommu>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.model.domain.device import Device
from roost.xml import OnOff, Record, UInt, at


class IommuDriver(Record):
    """intremap: remap interrupts. caching_mode: for devices passed through. eim: more than 255 processors.

    iotlb: the devices cache too. aw_bits: width of addresses. dma_translation: off leaves only interrupts.
    xtsup, passthrough: of the AMD one. granule: the page size of a virtio one.
    pci_bus: the index of the PCI controller that an smmuv3 serves; without one it serves the machine.
    """

    intremap: OnOff | None = None
    caching_mode: OnOff | None = None
    eim: OnOff | None = None
    iotlb: OnOff | None = None
    aw_bits: Annotated[UInt | None, at("@aw_bits", unset=("0",))] = None
    dma_translation: OnOff | None = None
    xtsup: OnOff | None = None
    passthrough: OnOff | None = None
    pci_bus: Annotated[UInt | None, at("@pciBus")] = None
    granule: Literal["host", "4k", "8k", "16k", "64k"] | None = None


class Iommu(Device):
    model: Literal["intel", "smmuv3", "virtio", "amd"]
    driver: IommuDriver | None = None


__all__ = ["Iommu", "IommuDriver"]
