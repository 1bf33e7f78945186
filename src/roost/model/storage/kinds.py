"""The types of storage pools: what each needs of its source, and the formats that pools and volumes may have.

A table. Completion, validation and the pool capabilities document follow it.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from roost.xml import Value

PoolType = Literal[
    "dir", "fs", "netfs", "logical", "disk", "iscsi", "iscsi-direct", "scsi", "mpath", "rbd", "sheepdog", "gluster",
    "zfs", "vstorage",
]  # fmt: skip
VolumeType = Literal["file", "block", "dir", "network", "netdir", "ploop"]

Part = Literal["host", "device", "dir", "adapter", "name", "initiator"]

_FILE_SYSTEMS = (
    "auto", "ext2", "ext3", "ext4", "ufs", "iso9660", "udf", "gfs", "gfs2", "vfat", "hfs+", "xfs", "ocfs2", "vmfs",
)  # fmt: skip
NETWORK_FILE_SYSTEMS = ("auto", "nfs", "glusterfs", "cifs")
_PARTITION_TABLES = ("unknown", "dos", "dvh", "gpt", "mac", "bsd", "pc98", "sun", "lvm2")
_VOLUME_GROUPS = ("unknown", "lvm2")
_IMAGES = (
    "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow", "qcow", "qcow2", "qed",
    "vmdk",
)  # fmt: skip
_PARTITIONS = ("none", "linux", "fat16", "fat32", "linux-swap", "linux-lvm", "linux-raid", "extended")


class Formats(NamedTuple):
    """The formats a pool or its volumes can have.

    names: what a document may name. listed: what the capabilities document
    lists.
    """

    default: str
    names: tuple[str, ...]
    listed: tuple[str, ...]


def _formats(default: str, names: tuple[str, ...]) -> Formats:
    return Formats(default, names, names)


class PoolKind(NamedTuple):
    """One type of pool.

    parts: what its source is made of; the rest of a source is dropped.
    networked: it stands in no directory of this host, so it has no target.
    options: the namespace whose options it understands, "" for none.
    """

    type: PoolType
    parts: frozenset[Part] = frozenset()
    formats: Formats | None = None
    volume_formats: Formats | None = None
    networked: bool = False
    options: Literal["", "fs", "rbd"] = ""


_IMAGE_FORMATS = Formats("raw", _IMAGES, ("none", *_IMAGES))


def _parts(*parts: Part) -> frozenset[Part]:
    return frozenset(parts)


_KINDS: tuple[PoolKind, ...] = (
    PoolKind("dir", volume_formats=_IMAGE_FORMATS),
    PoolKind("fs", _parts("device"), _formats("auto", _FILE_SYSTEMS), _IMAGE_FORMATS, options="fs"),
    PoolKind("netfs", _parts("host", "dir"), _formats("auto", NETWORK_FILE_SYSTEMS), _IMAGE_FORMATS, options="fs"),
    PoolKind("logical", _parts("name", "device"), _formats("lvm2", _VOLUME_GROUPS)),
    PoolKind("disk", _parts("device"), _formats("unknown", _PARTITION_TABLES), _formats("none", _PARTITIONS)),
    PoolKind("iscsi", _parts("host", "device", "initiator")),
    PoolKind("iscsi-direct", _parts("host", "device", "initiator"), networked=True),
    PoolKind("scsi", _parts("adapter")),
    PoolKind("mpath"),
    PoolKind(
        "rbd",
        _parts("host", "name"),
        # Any is accepted and none is listed.
        volume_formats=Formats("raw", _IMAGES, ()),
        networked=True,
        options="rbd",
    ),
    PoolKind("sheepdog", _parts("host", "name"), networked=True),
    PoolKind("gluster", _parts("host", "name", "dir"), volume_formats=_IMAGE_FORMATS, networked=True),
    PoolKind("zfs", _parts("name", "device")),
    PoolKind("vstorage", _parts("name"), volume_formats=_IMAGE_FORMATS),
)

#: By type, in the order of the capabilities document.
KINDS: dict[str, PoolKind] = {kind.type: kind for kind in _KINDS}


class Names(Value):
    """A name whose set depends on the type of the pool: any text is read, the rules judge it later."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.expected = "one of " + ", ".join(names)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "examples": list(self.names)}


def _every(formats: list[Formats | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for known in formats if known for name in known.names))


POOL_FORMATS = Names(*_every([kind.formats for kind in _KINDS]))
VOLUME_FORMATS = Names(*_every([kind.volume_formats for kind in _KINDS]))

__all__ = [
    "KINDS", "NETWORK_FILE_SYSTEMS", "POOL_FORMATS", "VOLUME_FORMATS", "Formats", "PoolKind", "PoolType", "VolumeType",
]  # fmt: skip
