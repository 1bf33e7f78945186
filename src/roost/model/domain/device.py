"""What every device has: an alias, an address, perhaps a place in the boot order."""

from __future__ import annotations

from typing import Annotated

from roost.errors import ConfigUnsupported, From, InternalError
from roost.model.shared.pci import PciBus, PciDomain, PciFunction, PciSlot
from roost.xml import Complaint, Hex, OnOff, Pattern, Positive, Record, UInt, YesNo, at

UsbPort = Annotated[str, Pattern(r"[0-9]+(?:\.[0-9]+){0,3}", "a port path such as 1 or 1.2.4")]


class Address(Record, tag_field="type"):
    """Where a device sits; the members of the union `AnyAddress`."""


class Zpci(Record):
    uid: Annotated[int | None, Hex(4, 0xFFFF)] = None
    fid: Annotated[int | None, Hex(8, 0xFFFFFFFF)] = None


class PciAddress(Address, tag="pci"):
    domain: PciDomain | None = None
    bus: PciBus | None = None
    slot: PciSlot | None = None
    function: PciFunction | None = None
    multifunction: OnOff | None = None
    zpci: Zpci | None = None


class DriveAddress(Address, tag="drive"):
    controller: UInt = 0
    bus: UInt = 0
    target: UInt = 0
    unit: UInt = 0


class VirtioSerialAddress(Address, tag="virtio-serial"):
    controller: UInt = 0
    bus: UInt = 0
    port: UInt | None = None


class CcidAddress(Address, tag="ccid"):
    controller: UInt = 0
    slot: UInt = 0


class UsbAddress(Address, tag="usb"):
    bus: UInt = 0
    port: Annotated[
        UsbPort | None,
        at("@port", wrong=Complaint(InternalError, "Cannot parse <address> 'port' attribute", domain=From.DEVICE)),
    ] = None


class SpaprVioAddress(Address, tag="spapr-vio"):
    reg: Annotated[int | None, Hex(8, 2**64 - 1)] = None


class CcwAddress(Address, tag="ccw"):
    cssid: Annotated[int | None, Hex(1, 0xFFFF)] = None
    ssid: Annotated[int | None, Hex(1, 0xFFFF)] = None
    devno: Annotated[int | None, Hex(4, 0xFFFF)] = None


class VirtioMmioAddress(Address, tag="virtio-mmio"):
    pass


class IsaAddress(Address, tag="isa"):
    iobase: Annotated[int | None, Hex(1, 0xFFFFFFFF)] = None
    irq: Annotated[int | None, Hex(1, 0xFFFFFFFF)] = None


class DimmAddress(Address, tag="dimm"):
    slot: UInt = 0
    base: Annotated[int | None, Hex(1, 2**64 - 1)] = None


class UnassignedAddress(Address, tag="unassigned"):
    pass


AnyAddress = (
    PciAddress
    | DriveAddress
    | VirtioSerialAddress
    | CcidAddress
    | UsbAddress
    | SpaprVioAddress
    | CcwAddress
    | VirtioMmioAddress
    | IsaAddress
    | DimmAddress
    | UnassignedAddress
)


def is_generated_alias(name: str) -> bool:
    """Whether an alias was made for a running guest: only `ua-...` is the user's."""
    return not name.startswith("ua-")


class Device(Record):
    """Base of all device records. alias: the QEMU id of the device while the guest runs, or the user's `ua-...`."""

    alias: Annotated[str | None, at("alias/@name", order=3, live=is_generated_alias)] = None
    acpi_index: Annotated[UInt | None, at("acpi/@index", order=6, unset=("0",))] = None
    address: Annotated[
        AnyAddress | None,
        at("address", order=7, wrong=Complaint(ConfigUnsupported, "unknown address type '%s'")),
    ] = None


class Boot(Record):
    """A device's place in the boot order, from 1."""

    order: Positive
    loadparm: str | None = None


class BootableDevice(Device):
    boot: Annotated[Boot | None, at("boot", order=2)] = None


class Rom(Record):
    enabled: YesNo | None = None
    bar: OnOff | None = None
    file: str | None = None


class VirtioOptions(Record):
    """The attributes of <driver> that every virtio device understands."""

    iommu: Annotated[OnOff | None, at("@iommu", order=1)] = None
    ats: Annotated[OnOff | None, at("@ats", order=1)] = None
    packed: Annotated[OnOff | None, at("@packed", order=1)] = None
    page_per_vq: Annotated[OnOff | None, at("@page_per_vq", order=1)] = None


class Reconnect(Record):
    """timeout: seconds between attempts."""

    enabled: YesNo | None = None
    timeout: UInt | None = None


class SourceSeclabel(Record):
    """A security label for one file or socket, overriding the domain's."""

    model: str | None = None
    relabel: YesNo | None = None
    labelskip: YesNo | None = None
    label: Annotated[str | None, at("label")] = None


__all__ = [
    "Address", "AnyAddress", "Boot", "BootableDevice", "CcidAddress", "CcwAddress", "Device", "DimmAddress",
    "DriveAddress", "IsaAddress", "PciAddress", "Reconnect", "Rom", "SourceSeclabel", "SpaprVioAddress",
    "UnassignedAddress", "UsbAddress", "UsbPort", "VirtioMmioAddress", "VirtioOptions", "VirtioSerialAddress", "Zpci",
]  # fmt: skip
