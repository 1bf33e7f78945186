"""The host itself, USB, networks, SCSI, storage and graphics."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, XmlError
from roost.model.nodedev.capability import Capability, SubCapability
from roost.model.nodedev.declare import complaint, number
from roost.model.nodedev.pci import HexId
from roost.model.shared.link import Link
from roost.xml import Int, Record, Switch, UInt, ULong, Uuid, at

#: What an interface can do by itself, in libvirt's order.
NetFeature = Literal[
    "rx", "tx", "sg", "tso", "gso", "gro", "lro", "rxvlan", "txvlan", "ntuple", "rxhash", "rdma", "txudptnl",
    "switchdev",
]  # fmt: skip


class Hardware(Record):
    """Who made the host."""

    vendor: Annotated[str | None, at("vendor")] = None
    version: Annotated[str | None, at("version")] = None
    serial: Annotated[str | None, at("serial")] = None
    uuid: Annotated[
        Uuid,
        at("uuid", missing=complaint("no system UUID supplied for '%n'"),
           wrong=complaint("malformed uuid element for '%n'")),
    ]  # fmt: skip


class SystemFirmware(Record):
    """The host's firmware."""

    vendor: Annotated[str | None, at("vendor")] = None
    version: Annotated[str | None, at("version")] = None
    release_date: Annotated[str | None, at("release_date")] = None


class SystemCapability(Capability, tag="system"):
    """The host."""

    product: Annotated[str | None, at("product")] = None
    hardware: Annotated[
        Hardware, at("hardware", opened=True, missing=complaint("no system UUID supplied for '%n'"))
    ]  # fmt: skip
    firmware: Annotated[SystemFirmware, at("firmware", opened=True, keep_empty=True)] = SystemFirmware()


class UsbDevice(Capability, tag="usb_device"):
    """port: the path through the hubs."""

    bus: Annotated[UInt, number("bus", "USB bus number")]
    device: Annotated[UInt, number("device", "USB device number")]
    port: Annotated[str | None, at("port")] = None
    product_id: Annotated[HexId, number("product/@id", "USB product ID")]
    product_name: Annotated[str | None, at("product")] = None
    vendor_id: Annotated[HexId, number("vendor/@id", "USB vendor ID")]
    vendor_name: Annotated[str | None, at("vendor")] = None


class UsbInterface(Capability, tag="usb"):
    """One function of a USB device."""

    number: Annotated[UInt, number("number", "USB interface number")]
    class_code: Annotated[UInt, number("class", "USB interface class")]
    subclass: Annotated[UInt, number("subclass", "USB interface subclass")]
    protocol: Annotated[UInt, number("protocol", "USB interface protocol")]
    description: Annotated[str | None, at("description")] = None


class NetCapability(Capability, tag="net"):
    """kind: wired or wireless."""

    interface: Annotated[str, at("interface", missing=complaint("no network interface supplied for '%n'"))]
    address: Annotated[str | None, at("address")] = None
    link: Link | None = None
    features: Annotated[
        tuple[NetFeature, ...],
        at("feature/@name", wrong=complaint("unknown network device feature '%s'", XmlError),
           missing=complaint("missing network device feature name", XmlError)),
    ] = ()  # fmt: skip
    kind: Annotated[
        Literal["80203", "80211"] | None,
        at("capability/@type", wrong=complaint("invalid network type supplied for '%n'", ConfigUnsupported)),
    ] = None


class FcHost(SubCapability, tag="fc_host"):
    """The names of a host in a storage network."""

    wwnn: Annotated[str | None, at("wwnn")] = None
    wwpn: Annotated[str | None, at("wwpn")] = None
    fabric_wwn: Annotated[str | None, at("fabric_wwn")] = None


class VportOps(SubCapability, tag="vport_ops"):
    """Virtual hosts can be made: how many, and how many there are."""

    max_vports: Annotated[Int | None, at("max_vports")] = None
    vports: Annotated[Int | None, at("vports")] = None


class ScsiHost(Capability, tag="scsi_host"):
    """host: its number, which a virtual one gets when it is made."""

    host: Annotated[UInt | None, number("host", "SCSI host ID")] = None
    unique_id: Annotated[Int | None, at("unique_id", wrong=complaint("invalid unique_id supplied for '%n'"))] = None
    capabilities: Annotated[
        tuple[FcHost | VportOps, ...],
        at("capability", missing=complaint("missing SCSI host capability type for '%n'"),
           wrong=complaint("unknown SCSI host capability type '%s' for '%n'")),
    ] = ()  # fmt: skip


class FcRemotePort(SubCapability, tag="fc_remote_port"):
    """A port of the storage network that a target is reached by."""

    rport: Annotated[str, at("rport", missing=complaint("missing rport name for '%n'"))]
    wwpn: Annotated[str, at("wwpn", missing=complaint("missing wwpn identifier for '%n'"))]


class ScsiTarget(Capability, tag="scsi_target"):
    """What a SCSI host reaches, with one or more devices."""

    target: Annotated[str, at("target", missing=complaint("no target name supplied for '%n'"))]
    capabilities: Annotated[
        tuple[FcRemotePort, ...],
        at("capability", missing=complaint("missing type for SCSI target capability for '%n'"),
           wrong=complaint("unknown SCSI target capability type '%s' for '%n'")),
    ] = ()  # fmt: skip


class ScsiDevice(Capability, tag="scsi"):
    """A device behind a SCSI host."""

    host: Annotated[UInt, number("host", "SCSI host ID")]
    bus: Annotated[UInt, number("bus", "SCSI bus ID")]
    target: Annotated[UInt, number("target", "SCSI target ID")]
    lun: Annotated[UInt, number("lun", "SCSI LUN ID")]
    device_type: Annotated[str | None, at("type")] = None


class ScsiGeneric(Capability, tag="scsi_generic"):
    """The file that takes SCSI commands for a device."""

    char: Annotated[str, at("char")]


class Present(Switch):
    """1 or 0: only 1 means that there is something."""

    complete = False

    def __init__(self) -> None:
        super().__init__("1", "0")

    def parse(self, text: str) -> bool:
        return text == "1"


class RemovableMedia(SubCapability, tag="removable"):
    """What is in the drive; sizes in bytes."""

    media_available: Annotated[bool | None, Present(), at("media_available")] = None
    media_size: Annotated[ULong, number("media_size", "removable media size")]
    media_label: Annotated[str | None, at("media_label")] = None
    logical_block_size: Annotated[ULong | None, at("logical_block_size")] = None
    num_blocks: Annotated[ULong | None, at("num_blocks")] = None


class Hotpluggable(SubCapability, tag="hotpluggable"):
    """It can be taken out."""


class StorageCapability(Capability, tag="storage"):
    """A disk or drive; sizes in bytes. What can be taken out has its size with the medium."""

    block: Annotated[str, at("block", missing=complaint("no block device path supplied for '%n'"))]
    bus: Annotated[str | None, at("bus")] = None
    drive_type: Annotated[str | None, at("drive_type")] = None
    model: Annotated[str | None, at("model")] = None
    vendor: Annotated[str | None, at("vendor")] = None
    serial: Annotated[str | None, at("serial")] = None
    size: Annotated[ULong | None, number("size", "size")] = None
    logical_block_size: Annotated[ULong | None, at("logical_block_size")] = None
    num_blocks: Annotated[ULong | None, at("num_blocks")] = None
    capabilities: Annotated[
        tuple[RemovableMedia | Hotpluggable, ...],
        at("capability", missing=complaint("missing storage capability type for '%n'"),
           wrong=complaint("unknown storage capability type '%s' for '%n'")),
    ] = ()  # fmt: skip


class DrmCapability(Capability, tag="drm"):
    """A part of a graphics card that programs can open."""

    node_type: Annotated[
        Literal["primary", "control", "render"],
        at("type", wrong=complaint("unknown drm type '%s' for '%n'", ConfigUnsupported),
           missing=complaint("unknown drm type '(null)' for '%n'", ConfigUnsupported)),
    ]  # fmt: skip


class VdpaCapability(Capability, tag="vdpa"):
    """A network card in hardware that speaks virtio."""

    chardev: Annotated[str | None, at("chardev")] = None


__all__ = [
    "DrmCapability", "FcHost", "FcRemotePort", "Hardware", "Hotpluggable", "NetCapability", "NetFeature",
    "RemovableMedia", "ScsiDevice", "ScsiGeneric", "ScsiHost", "ScsiTarget", "StorageCapability",
    "SystemCapability", "SystemFirmware", "UsbDevice", "UsbInterface", "VdpaCapability", "VportOps",
]  # fmt: skip
