"""The storage pool document's root: <pool>, and what it stands on: <source>."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from roost.errors import ConfigUnsupported, From, XmlError
from roost.model.domain.devices.disksource import AuthSecret
from roost.model.shared.pci import PciLocation
from roost.model.storage.kinds import POOL_FORMATS, PoolType
from roost.model.storage.permissions import Permissions
from roost.xml import Bytes, Child, Complaint, Int, Integer, Record, ULong, Uuid, YesNo, at


def _xml_error(text: str) -> Complaint:
    return Complaint(XmlError, text, domain=From.STORAGE)


def _unsupported(text: str) -> Complaint:
    return Complaint(ConfigUnsupported, text, domain=From.STORAGE)


_BAD_UNIQUE_ID = _xml_error("Missing or invalid scsi adapter 'unique_id' value")


class PoolHost(Record):
    name: Annotated[str, at("@name", missing=_xml_error("missing storage pool host name"))]
    port: Annotated[Int | None, at("@port", unset=("0",))] = None


class Extent(Record):
    """A stretch of a disk, in bytes."""

    start: ULong = 0
    end: ULong = 0


class PoolDevice(Record):
    """free_extents: where partitions may still go, of a running pool."""

    path: Annotated[str, at("@path", missing=_xml_error("missing storage pool source device path"))]
    part_separator: YesNo | None = None
    free_extents: Annotated[tuple[Extent, ...], at("freeExtent", live=True)] = ()


class ParentAddress(Record):
    """A SCSI host by where its card sits."""

    unique_id: Annotated[
        Annotated[int, Integer(0, 2**31 - 1)], at("@unique_id", missing=_BAD_UNIQUE_ID, wrong=_BAD_UNIQUE_ID)
    ]
    address: Annotated[PciLocation, at("address", missing=_xml_error("Missing scsi_host PCI address element"))]


class Adapter(Record):
    """A SCSI host: of its own (`name` or `parent_address`) or a virtual one on Fibre Channel (the rest)."""

    type: Literal["scsi_host", "fc_host"] | None = None
    name: str | None = None
    parent: str | None = None
    parent_wwnn: str | None = None
    parent_wwpn: str | None = None
    parent_fabric_wwn: str | None = None
    managed: YesNo | None = None
    wwnn: str | None = None
    wwpn: str | None = None
    parent_address: Annotated[ParentAddress | None, at("parentaddr")] = None


class PoolAuth(Record):
    """How the pool proves who it is: the secret's value is with the secret driver."""

    type: Annotated[
        Literal["chap", "ceph"] | None, at("@type", unset=("",), wrong=_unsupported("unknown auth type '%s'"))
    ] = None
    username: Annotated[str, at("@username", unset=("",), missing=_xml_error("missing username for auth"))]
    secret: Annotated[AuthSecret, at("secret", missing=_xml_error("Missing <secret> element in auth"))]


class PoolSource(Record):
    """Which of these a pool needs and keeps depends on its type: see `kinds`."""

    hosts: Annotated[tuple[PoolHost, ...], at("host")] = ()
    devices: Annotated[tuple[PoolDevice, ...], at("device")] = ()
    dir: Annotated[str | None, at("dir/@path", unset=("",))] = None
    adapter: Adapter | None = None
    name: Child[str | None] = None
    initiator: Annotated[str | None, at("initiator/iqn/@name", unset=("",))] = None
    format: Annotated[Annotated[str, POOL_FORMATS] | None, at("format/@type", unset=("",))] = None
    auth: PoolAuth | None = None
    protocol_version: Annotated[str | None, at("protocol/@ver", unset=("",))] = None
    vendor: Annotated[str | None, at("vendor/@name", unset=("",))] = None
    product: Annotated[str | None, at("product/@name", unset=("",))] = None


class PoolTarget(Record):
    path: Child[str | None] = None
    permissions: Permissions | None = None


class MountOptions(Record):
    options: Annotated[
        tuple[str, ...], at("fs:option/@name", missing=_xml_error("no fs mount option name specified"))
    ] = ()


class ConfigOption(Record):
    name: Annotated[str, at("@name", missing=_xml_error("no rbd option name specified"))]
    value: str | None = None


class ConfigOptions(Record):
    options: Annotated[tuple[ConfigOption, ...], at("rbd:option")] = ()


class Pool(Record):
    """A storage pool. Sizes are in bytes; they are known of a running pool only."""

    namespaces: ClassVar[dict[str, str]] = {
        "fs": "http://libvirt.org/schemas/storagepool/fs/1.0",
        "rbd": "http://libvirt.org/schemas/storagepool/rbd/1.0",
    }

    type: PoolType
    name: Child[str | None] = None
    uuid: Annotated[Uuid | None, at("uuid", wrong=_xml_error("malformed uuid element"))] = None
    capacity: Annotated[Bytes, at("capacity", live=True)] = 0
    allocation: Annotated[Bytes, at("allocation", live=True)] = 0
    available: Annotated[Bytes, at("available", live=True)] = 0
    cow: Annotated[YesNo | None, at("features/cow/@state")] = None
    source: Annotated[PoolSource, at("source", keep_empty=True, opened=True)] = PoolSource()
    target: Annotated[PoolTarget | None, at("target", opened=True)] = None
    refresh_allocation: Annotated[
        Literal["default", "capacity"] | None,
        at(
            "refresh/volume/@allocation",
            unset=("",),
            wrong=_unsupported("unknown storage pool volume refresh allocation type %s"),
        ),
    ] = None
    mount_options: Annotated[MountOptions | None, at("fs:mount_opts")] = None
    config_options: Annotated[ConfigOptions | None, at("rbd:config_opts")] = None


__all__ = [
    "Adapter", "ConfigOption", "ConfigOptions", "Extent", "MountOptions", "ParentAddress", "Pool", "PoolAuth",
    "PoolDevice", "PoolHost", "PoolSource", "PoolTarget",
]  # fmt: skip
