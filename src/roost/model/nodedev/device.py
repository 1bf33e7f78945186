"""The node device document's root: <device>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.model.nodedev.buses import (
    DrmCapability,
    NetCapability,
    ScsiDevice,
    ScsiGeneric,
    ScsiHost,
    ScsiTarget,
    StorageCapability,
    SystemCapability,
    UsbDevice,
    UsbInterface,
    VdpaCapability,
)
from roost.model.nodedev.mdev import MdevCapability, MdevParent
from roost.model.nodedev.pci import PciCapability
from roost.model.nodedev.s390 import ApCard, ApMatrix, ApQueue, CcwCapability, CcwGroupCapability, CssCapability
from roost.xml import Record, Text, at

AnyCapability = (
    SystemCapability
    | PciCapability
    | UsbDevice
    | UsbInterface
    | NetCapability
    | ScsiHost
    | ScsiTarget
    | ScsiDevice
    | StorageCapability
    | ScsiGeneric
    | DrmCapability
    | MdevParent
    | MdevCapability
    | CcwCapability
    | CcwGroupCapability
    | CssCapability
    | VdpaCapability
    | ApCard
    | ApQueue
    | ApMatrix
)


class DevNode(Record):
    """A file below /dev: the device's own, or a link to it."""

    type: Literal["dev", "link"]
    path: Text[str | None] = None


class Parent(Record):
    """The device that this one is below, by name or by its names in a storage network."""

    wwnn: str | None = None
    wwpn: str | None = None
    fabric_wwn: str | None = None
    name: Text[str | None] = None


class NodeDevice(Record):
    """A device of the host. path: below /sys."""

    name: Annotated[str | None, at("name")] = None
    path: Annotated[str | None, at("path")] = None
    devnodes: Annotated[tuple[DevNode, ...], at("devnode")] = ()
    parent: Parent | None = None
    driver: Annotated[str | None, at("driver/name")] = None
    capabilities: Annotated[tuple[AnyCapability, ...], at("capability", opened=True)] = ()


__all__ = ["AnyCapability", "DevNode", "NodeDevice", "Parent"]
