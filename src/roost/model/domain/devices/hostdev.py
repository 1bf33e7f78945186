"""A device of the host handed to the guest: <hostdev>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, InternalError, InvalidArg, XmlError
from roost.model.domain.device import BootableDevice, Rom
from roost.model.domain.devices.disk import Auth
from roost.model.shared.ip import Family, Ip
from roost.model.shared.pci import PciLocation
from roost.xml import (
    Complaint,
    Flag,
    Hex,
    Integer,
    OnOff,
    Pattern,
    Record,
    UInt,
    Uuid,
    YesNo,
    at,
    inline,
    tag_of,
)

#: Numbers read as C reads them.
_CNumber = Annotated[int, Integer(0, 2**32 - 1, base=0)]
_CLong = Annotated[int, Integer(0, 2**64 - 1, base=0)]
_NO_WWPN = Complaint(XmlError, "missing vhost-scsi hostdev source wwpn")
_Wwpn = Annotated[str, Pattern(r"naa\.(?:0x)?[0-9a-fA-F]{16}", "naa. and 16 hexadecimal digits")]
PciBackend = Literal["kvm", "vfio", "xen"]


class HostAddress(Record):
    """An address of an interface or the guest: <ip>."""

    address: Annotated[
        Ip,
        at(
            "@address",
            wrong=Complaint(XmlError, "Invalid address '%s' in <ip>"),
            missing=Complaint(XmlError, "Missing required address in <ip>"),
        ),
    ]
    family: Family | None = None
    prefix: Annotated[UInt | None, at("@prefix", wrong=Complaint(XmlError, "Invalid prefix value '%s' in <ip>"))] = None
    peer: Annotated[Ip | None, at("@peer", wrong=Complaint(InvalidArg, "Invalid peer '%s' in <ip>"))] = None


class HostRoute(Record):
    """A route: <route>. Without an address it is the default one."""

    family: Family | None = None
    address: Ip | None = None
    netmask: Ip | None = None
    prefix: UInt | None = None
    gateway: Ip | None = None
    metric: UInt | None = None


class Teaming(Record):
    """An interface that is one of a pair: the persistent one stays when the other is unplugged to migrate."""

    type: Annotated[
        Literal["persistent", "transient"],
        at(
            "@type",
            wrong=Complaint(ConfigUnsupported, "unknown teaming type '%s'"),
            missing=Complaint(ConfigUnsupported, "unknown teaming type '(null)'"),
        ),
    ]
    persistent: str | None = None


#: As USB devices identify themselves.
UsbNumber = Annotated[int, Hex(4, 2**32 - 1)]


class UsbLocation(Record):
    bus: _CNumber
    device: _CNumber


class HostdevSource(Record, tag_field="type"):
    """Which device of the host; `AnyHostdevSource` is the union of its members.

    managed: the host's driver is taken off the device at the start and put back at the end.
    """

    managed: YesNo = False


class UsbHostdev(HostdevSource, tag="usb"):
    """A USB device by what it is or where it is plugged in.

    missing: an optional one that was not there at the start.
    """

    startup_policy: Annotated[
        Literal["mandatory", "requisite", "optional"] | None, at("source/@startupPolicy", unset=("default",))
    ] = None  # fmt: skip
    missing: Annotated[YesNo | None, at("source/@missing", live=True)] = None
    guest_reset: Annotated[Literal["off", "uninitialized", "on"] | None, at("source/@guestReset")] = None
    vendor: Annotated[UsbNumber | None, at("source/vendor/@id", needed=True)] = None
    product: Annotated[UsbNumber | None, at("source/product/@id", needed=True)] = None
    location: Annotated[UsbLocation | None, at("source/address")] = None


class PciHostdev(HostdevSource, tag="pci"):
    backend: Annotated[PciBackend | None, at("driver/@name", unset=("default",))] = None
    #: The kernel's driver to bind, in place of the one for all devices.
    driver_model: Annotated[str | None, at("driver/@model")] = None
    iommufd: Annotated[YesNo | None, at("driver/@iommufd")] = None
    write_filtering: Annotated[YesNo | None, at("source/@writeFiltering")] = None
    location: Annotated[PciLocation | None, at("source/address", keep_empty=True)] = None


class ScsiHostdev(HostdevSource, tag="scsi"):
    """A SCSI device of a host adapter, or one that QEMU reaches over iSCSI by itself."""

    sgio: Literal["filtered", "unfiltered"] | None = None
    rawio: YesNo | None = None
    protocol: Annotated[
        Literal["iscsi"] | None,
        at(
            "source/@protocol",
            unset=("adapter",),
            wrong=Complaint(ConfigUnsupported, "Unknown SCSI subsystem protocol '%s'"),
        ),
    ] = None
    name: Annotated[str | None, at("source/@name")] = None
    host: Annotated[str | None, at("source/host/@name")] = None
    port: Annotated[UInt | None, at("source/host/@port", unset=("0",))] = None
    auth: Annotated[Auth | None, at("source/auth")] = None
    initiator: Annotated[str | None, at("source/initiator/iqn/@name")] = None
    adapter: Annotated[str | None, at("source/adapter/@name")] = None
    bus: Annotated[_CNumber | None, at("source/address/@bus", needed=True)] = None
    target: Annotated[_CNumber | None, at("source/address/@target", needed=True)] = None
    unit: Annotated[_CLong | None, at("source/address/@unit", needed=True)] = None


class ScsiHostHostdev(HostdevSource, tag="scsi_host"):
    """A whole SCSI target that the kernel's vhost-scsi serves."""

    model: Literal["virtio", "virtio-transitional", "virtio-non-transitional"] | None = None
    protocol: Annotated[
        Literal["vhost"],
        at(
            "source/@protocol",
            wrong=Complaint(ConfigUnsupported, "Unknown scsi_host subsystem protocol '%s'"),
            missing=Complaint(XmlError, "Missing scsi_host subsystem protocol"),
        ),
    ]
    wwpn: Annotated[
        _Wwpn, at("source/@wwpn", missing=_NO_WWPN, wrong=Complaint(XmlError, "malformed 'wwpn' value"))
    ]  # fmt: skip


class MdevHostdev(HostdevSource, tag="mdev"):
    """A mediated device: a slice of a host's device, by its UUID."""

    model: Literal["vfio-pci", "vfio-ccw", "vfio-ap"]
    display: OnOff | None = None
    ramfb: OnOff | None = None
    uuid: Annotated[
        Uuid | None,
        at(
            "source/address/@uuid",
            needed=True,
            missing=Complaint(ConfigUnsupported, "Missing 'uuid' attribute for element <address>"),
            wrong=Complaint(InternalError, "Cannot parse uuid attribute of element <address>"),
        ),
    ] = None


class StorageHostdev(HostdevSource, tag="storage"):
    """For containers: a block device."""

    block: Annotated[
        str, at("source/block", missing=Complaint(XmlError, "Missing <block> element in hostdev storage device"))
    ]  # fmt: skip


class MiscHostdev(HostdevSource, tag="misc"):
    """For containers: a character device."""

    char: Annotated[
        str, at("source/char", missing=Complaint(XmlError, "Missing <char> element in hostdev character device"))
    ]  # fmt: skip


class NetHostdev(HostdevSource, tag="net"):
    """For containers: an interface of the host."""

    interface: Annotated[
        str, at("source/interface", missing=Complaint(XmlError, "Missing <interface> element in hostdev net device"))
    ]  # fmt: skip
    ips: Annotated[tuple[HostAddress, ...], at("ip")] = ()
    routes: Annotated[tuple[HostRoute, ...], at("route")] = ()


AnyHostdevSource = (
    UsbHostdev | PciHostdev | ScsiHostdev | ScsiHostHostdev | MdevHostdev | StorageHostdev | MiscHostdev | NetHostdev
)
_UNKNOWN = Complaint(ConfigUnsupported, "unknown host device source address type '%s'")
_MISSING = Complaint(XmlError, "missing source address type")


class Hostdev(BootableDevice):
    mode: Annotated[
        Literal["subsystem", "capabilities"],
        at("@mode", wrong=Complaint(ConfigUnsupported, "unknown hostdev mode '%s'")),
    ] = "subsystem"
    source: Annotated[AnyHostdevSource, inline(after="mode", wrong=_UNKNOWN, missing=_MISSING)]
    teaming: Teaming | None = None
    readonly: Flag = False
    shareable: Flag = False
    rom: Annotated[Rom | None, at("rom", order=5)] = None

    @property
    def type(self) -> str:
        """The kind of device: usb, pci, scsi, scsi_host, mdev."""
        return tag_of(self.source)


__all__ = [
    "AnyHostdevSource", "HostAddress", "HostRoute", "Hostdev", "HostdevSource", "MdevHostdev", "MiscHostdev",
    "NetHostdev", "PciBackend", "PciHostdev", "ScsiHostHostdev", "ScsiHostdev", "StorageHostdev", "Teaming",
    "UsbHostdev", "UsbLocation", "UsbNumber",
]  # fmt: skip
