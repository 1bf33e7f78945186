"""The storage volume document's root: <volume>."""

from __future__ import annotations

from typing import Annotated, ClassVar

from roost.errors import ConfigUnsupported, From, XmlError
from roost.model.domain.devices.disksource import Encryption
from roost.model.storage.kinds import VOLUME_FORMATS, VolumeType
from roost.model.storage.permissions import Permissions
from roost.model.storage.pool import Extent
from roost.xml import Bytes, Child, Complaint, Flag, Pattern, Record, Size, at

_MALFORMED_SIZE = Complaint(XmlError, "malformed capacity element", domain=From.STORAGE)
_BAD_CLUSTER_SIZE = Complaint(
    XmlError, "Invalid value '%s' for element or attribute './target/clusterSize'", domain=From.XML
)
_Time = Annotated[str, Pattern(r"[0-9]+(?:\.[0-9]{9})?", "seconds since 1970, with nanoseconds after a dot")]
_Compat = Annotated[str, Pattern(r"[0-9]+\.[0-9]+", "a version such as 1.1")]
_Format = Annotated[str, VOLUME_FORMATS]


class Timestamps(Record):
    """When a volume was last read, written and changed, and made: seconds since 1970."""

    atime: Child[_Time | None] = None
    mtime: Child[_Time | None] = None
    ctime: Child[_Time | None] = None
    btime: Child[_Time | None] = None


class VolumeDevice(Record):
    """Where on which device a volume lies."""

    path: str
    extents: Annotated[tuple[Extent, ...], at("extent")] = ()


class VolumeFeatures(Record):
    """Of qcow2 files."""

    strangers: ClassVar[Complaint] = Complaint(ConfigUnsupported, "unsupported feature %s", domain=From.STORAGE)

    lazy_refcounts: Flag = False
    extended_l2: Flag = False


class VolumeTarget(Record):
    """nocow: made so that the file system below does not copy on write; not shown again."""

    path: Child[str | None] = None
    format: Annotated[_Format | None, at("format/@type", unset=("",))] = None
    permissions: Permissions | None = None
    timestamps: Annotated[Timestamps | None, at("timestamps", live=True)] = None
    encryption: Encryption | None = None
    compat: Annotated[
        _Compat | None,
        at("compat", wrong=Complaint(XmlError, "forbidden characters in 'compat' attribute", domain=From.STORAGE)),
    ] = None
    nocow: Flag = False
    cluster_size: Annotated[
        Annotated[int, Size(1, "B", "bytes", 2**64 - 1)] | None,
        at("clusterSize", unset=("0",), wrong=_BAD_CLUSTER_SIZE),
    ] = None
    features: Annotated[VolumeFeatures | None, at("features", keep_empty=True)] = None


class VolumeBacking(Record):
    """The image that a volume shows where nothing was written to it."""

    path: Child[str | None] = None
    format: Annotated[_Format | None, at("format/@type", unset=("",))] = None
    permissions: Permissions | None = None
    timestamps: Annotated[Timestamps | None, at("timestamps", live=True)] = None


class Volume(Record):
    """A volume in a pool. Sizes are in bytes: what the guest sees, what is in use, how long the file is.

    `key`, `type`, the target's path and all that is `live` are found out by
    the driver, whatever the document said.
    """

    type: Annotated[
        VolumeType,
        at("@type", unset=("",), wrong=Complaint(ConfigUnsupported, "unknown volume type '%s'", domain=From.STORAGE)),
    ] = "file"
    name: Annotated[str, at("name", missing=Complaint(XmlError, "missing volume name element", domain=From.STORAGE))]
    key: Child[str | None] = None
    devices: Annotated[tuple[VolumeDevice, ...], at("source/device", live=True)] = ()
    capacity: Annotated[Bytes | None, at("capacity", wrong=_MALFORMED_SIZE)] = None
    allocation: Annotated[Bytes | None, at("allocation", wrong=_MALFORMED_SIZE)] = None
    physical: Annotated[Bytes | None, at("physical", live=True)] = None
    target: Annotated[VolumeTarget, at("target", opened=True)] = VolumeTarget()
    backing_store: Annotated[VolumeBacking | None, at("backingStore", opened=True)] = None


__all__ = ["Timestamps", "Volume", "VolumeBacking", "VolumeDevice", "VolumeFeatures", "VolumeTarget"]
