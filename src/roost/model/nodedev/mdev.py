"""Mediated devices, and the types that a device can be divided into."""

from __future__ import annotations

from typing import Annotated

from roost.errors import ConfigUnsupported, XmlError
from roost.model.nodedev.capability import Capability, SubCapability
from roost.model.nodedev.declare import complaint
from roost.xml import Record, UInt, Uuid, at


class MdevType(Record):
    """A type, and how many more of it could be made."""

    id: Annotated[
        str, at("@id", missing=complaint("missing 'id' attribute for mediated device's <type> element", XmlError))
    ]  # fmt: skip
    name: Annotated[str | None, at("name")] = None
    device_api: Annotated[
        str, at("deviceAPI", missing=complaint("missing device API for mediated device type", XmlError))
    ]  # fmt: skip
    available_instances: Annotated[
        UInt,
        at("availableInstances",
           missing=complaint("missing number of available instances for mediated device type", XmlError),
           wrong=complaint("missing number of available instances for mediated device type", XmlError)),
    ]  # fmt: skip


class MdevTypes(SubCapability, tag="mdev_types"):
    """The types of parts that a device can be divided into."""

    types: Annotated[tuple[MdevType, ...], at("type")] = ()


class MdevParent(Capability, tag="mdev_types"):
    """A device that can be divided, of no other kind known."""

    capabilities: Annotated[tuple[MdevTypes, ...], at("capability")] = ()


class MdevAttribute(Record):
    """A setting of a part, for its driver."""

    name: str | None = None
    value: str | None = None


class MdevCapability(Capability, tag="mdev"):
    """A part of another device."""

    mdev_type: Annotated[
        str, at("type/@id", missing=complaint("missing type id attribute for '%n'", ConfigUnsupported))
    ]  # fmt: skip
    uuid: Annotated[Uuid | None, at("uuid", wrong=complaint("Invalid uuid '%s' for new mdev device"))] = None
    parent_addr: Annotated[str | None, at("parent_addr")] = None
    iommu_group: Annotated[
        UInt | None,
        at("iommuGroup/@number", wrong=complaint("invalid iommuGroup number attribute for '%n'")),
    ] = None
    attributes: Annotated[tuple[MdevAttribute, ...], at("attr")] = ()


__all__ = ["MdevAttribute", "MdevCapability", "MdevParent", "MdevType", "MdevTypes"]
