"""Devices on the PCI bus."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import XmlError
from roost.model.nodedev.capability import Capability, SubCapability
from roost.model.nodedev.declare import NO_TYPE, BareHex, complaint, number
from roost.model.nodedev.mdev import MdevTypes
from roost.model.shared.pci import PciLocation
from roost.xml import Int, Integer, Record, Text, UInt, at

HexId = Annotated[int, BareHex(4, 0xFFFFFFFF)]


class PhysicalFunction(SubCapability, tag="phys_function"):
    """The device that this one is a virtual function of."""

    address: Annotated[
        PciLocation, at("address", missing=complaint("Missing address in 'phys_function' capability", XmlError))
    ]


class VirtualFunctions(SubCapability, tag="virt_functions"):
    """Those that there are, and how many there could be."""

    max_count: Annotated[
        UInt | None, at("@maxCount", unset=("0",), wrong=complaint("Malformed 'maxCount' parameter", XmlError))
    ] = None  # fmt: skip
    addresses: Annotated[tuple[PciLocation, ...], at("address")] = ()


class PciBridge(SubCapability, tag="pci-bridge"):
    """It leads to a further bus."""


class CardbusBridge(SubCapability, tag="cardbus-bridge"):
    """It leads to a bus of PC cards."""


class CustomField(Record):
    """A field of the maker's own. index: one character."""

    index: str
    value: Text[str | None] = None


class VpdFields(Record, tag_field="access"):
    """Fields of the vital product data; the members of a union."""


class ReadOnlyFields(VpdFields, tag="readonly"):
    """What the maker fixed."""

    change_level: Annotated[str | None, at("change_level")] = None
    manufacture_id: Annotated[str | None, at("manufacture_id")] = None
    part_number: Annotated[str | None, at("part_number")] = None
    serial_number: Annotated[str | None, at("serial_number")] = None
    vendor_fields: Annotated[tuple[CustomField, ...], at("vendor_field")] = ()


class ReadWriteFields(VpdFields, tag="readwrite"):
    """What an owner may change."""

    asset_tag: Annotated[str | None, at("asset_tag")] = None
    vendor_fields: Annotated[tuple[CustomField, ...], at("vendor_field")] = ()
    system_fields: Annotated[tuple[CustomField, ...], at("system_field")] = ()


class Vpd(SubCapability, tag="vpd"):
    """Vital product data: what the device's maker wrote into it."""

    name: Annotated[
        str, at("name", missing=complaint("Could not read a device name from the <name> element", XmlError))
    ]  # fmt: skip
    fields: Annotated[
        tuple[ReadOnlyFields | ReadWriteFields, ...],
        at("fields", opened=True, wrong=complaint("Unsupported VPD field access type specified %s", XmlError)),
    ] = ()


class IommuGroup(Record):
    """The devices that can only go to a guest together."""

    number: UInt
    addresses: Annotated[tuple[PciLocation, ...], at("address")] = ()


class PciLink(Record):
    """Speed in gigatransfers a second, width in lanes: of what is possible (`cap`), of what is in use (`sta`)."""

    validity: Literal["cap", "sta"]
    port: Int | None = None
    speed: Literal["2.5", "5", "8", "16", "32", "64"] | None = None
    width: Annotated[int, Integer(0, 2**32 - 1, base=0)]


class PciExpress(Record):
    """What the link can do, and what it does."""

    links: Annotated[tuple[PciLink, ...], at("link")] = ()


AnyPciCapability = PhysicalFunction | VirtualFunctions | PciBridge | CardbusBridge | MdevTypes | Vpd


class PciCapability(Capability, tag="pci"):
    """A device on the PCI bus. class_code: what kind of device, in 24 bits."""

    class_code: Annotated[
        int | None, BareHex(6, 0xFFFFFF), at("class", wrong=complaint("invalid PCI class supplied for '%n'"))
    ] = None  # fmt: skip
    domain: Annotated[UInt, number("domain", "PCI domain ID")]
    bus: Annotated[UInt, number("bus", "PCI bus ID")]
    slot: Annotated[UInt, number("slot", "PCI slot ID")]
    function: Annotated[UInt, number("function", "PCI function ID")]
    product_id: Annotated[HexId, number("product/@id", "PCI product ID")]
    product_name: Annotated[str | None, at("product")] = None
    vendor_id: Annotated[HexId, number("vendor/@id", "PCI vendor ID")]
    vendor_name: Annotated[str | None, at("vendor")] = None
    capabilities: Annotated[tuple[AnyPciCapability, ...], at("capability", missing=NO_TYPE)] = ()
    iommu_group: Annotated[IommuGroup | None, at("iommuGroup")] = None
    numa_node: Annotated[
        Int | None, at("numa/@node", wrong=complaint("invalid NUMA node ID supplied for '%n'"))
    ] = None  # fmt: skip
    pci_express: Annotated[PciExpress | None, at("pci-express", keep_empty=True)] = None


__all__ = [
    "AnyPciCapability",
    "CardbusBridge",
    "CustomField",
    "HexId",
    "IommuGroup",
    "PciBridge",
    "PciCapability",
    "PciExpress",
    "PciLink",
    "PhysicalFunction",
    "ReadOnlyFields",
    "ReadWriteFields",
    "VirtualFunctions",
    "Vpd",
    "VpdFields",
]  # fmt: skip
