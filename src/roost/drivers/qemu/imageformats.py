"""Image headers: which format a file has, and which image it builds upon. Dry, and fed with hostile bytes.

Nothing here is asked of an image that is declared raw: its first bytes are the guest's to write.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

#: How much of an image its header can take, in bytes.
HEADER_BYTES = 65536
#: Longest name of a backing image.
_MAX_NAME = 1023


class Header(NamedTuple):
    """What an image says of itself.

    backing: the image below, as it is written in this one, and its format,
    "" where it does not tell; None without one. data: the image that holds the
    data, always raw.
    """

    backing: str | None = None
    backing_format: str = ""
    data: str | None = None


class BadImage(ValueError):
    """A header that contradicts itself; says what is wrong."""


#: First bytes, and what they mean; the offset they stand at.
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"QFI\xfb\0\0\0\x01", "qcow"),
    (0, b"QFI\xfb\0\0\0\x02", "qcow2"),
    (0, b"QFI\xfb\0\0\0\x03", "qcow2"),
    (0, b"QED\0", "qed"),
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"conectix", "vpc"),
    (0, b"vhdxfile", "vhd"),
    (64, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"Bochs Virtual HD Image", "bochs"),
    (0, b"WithoutFreeSpace", "ploop"),
    (0, b"WithouFreSpacExt", "ploop"),
)


def probe(data: bytes) -> str:
    """The format of an image by its first bytes; `raw` when they are nothing known."""
    for offset, magic, name in _MAGIC:
        if data[offset : offset + len(magic)] == magic:
            return name
    return "raw"


def header(data: bytes, format: str) -> Header:
    """What an image of that format builds upon. data: its first HEADER_BYTES. Raises BadImage."""
    read = _READERS.get(format)
    return read(data) if read is not None else Header()


def _name(data: bytes, offset: int, size: int) -> str | None:
    if offset == 0 or size == 0:
        return None
    if size > _MAX_NAME:
        raise BadImage(f"the name of its backing image has {size} bytes, more than {_MAX_NAME}")
    if offset + size > len(data):
        raise BadImage("the name of its backing image lies outside of its header")
    raw = data[offset : offset + size]
    if b"\0" in raw:
        raise BadImage("the name of its backing image has a NUL byte")
    return raw.decode("utf-8", "surrogateescape")


def _unpack(layout: str, data: bytes, offset: int) -> tuple[Any, ...]:
    if offset + struct.calcsize(layout) > len(data):
        raise BadImage("its header ends too early")
    return struct.unpack_from(layout, data, offset)


_BACKING_FORMAT, _DATA_FILE, _END = 0xE2792ACA, 0x44415441, 0
_EXTERNAL_DATA = 1 << 2
_VERSION_3_LENGTH = 104


def _qcow(data: bytes) -> Header:
    magic, _, offset, size = _unpack(">4sIQI", data, 0)
    if magic != b"QFI\xfb":
        raise BadImage("it is no qcow image")
    return Header(_name(data, offset, size))


def _qcow2(data: bytes) -> Header:
    magic, version, offset, size = _unpack(">4sIQI", data, 0)
    if magic != b"QFI\xfb" or version not in (2, 3):
        raise BadImage("it is no qcow2 image")
    length, features = 72, 0
    if version == 3:
        (features,) = _unpack(">Q", data, 72)
        (length,) = _unpack(">I", data, 100)
        if length < _VERSION_3_LENGTH:
            raise BadImage(f"its header says that it has {length} bytes")
    backing = _name(data, offset, size)
    extensions = _extensions(data, length, offset or len(data))
    stored = extensions.get(_BACKING_FORMAT, b"").decode("ascii", "replace")
    external = extensions.get(_DATA_FILE) if features & _EXTERNAL_DATA else None
    return Header(
        backing,
        _QEMU_NAMES.get(stored, stored) if backing is not None else "",
        external.decode("utf-8", "surrogateescape") if external else None,
    )


#: QEMU's names of formats that documents call otherwise.
_QEMU_NAMES: Mapping[str, str] = {"vhdx": "vhd", "parallels": "ploop", "host_device": "raw", "file": "raw"}


def _extensions(data: bytes, offset: int, end: int) -> dict[int, bytes]:
    """Header extensions, which stand between the header and the backing image's name."""
    found: dict[int, bytes] = {}
    end = min(end, len(data))
    while offset + 8 <= end:
        kind, size = struct.unpack_from(">II", data, offset)
        if kind == _END:
            break
        offset += 8
        if offset + size > end:
            raise BadImage("a header extension lies outside of its header")
        found.setdefault(kind, data[offset : offset + size])
        offset += (size + 7) & ~7
    return found


_QED_BACKED, _QED_RAW = 1, 1 << 2


def _qed(data: bytes) -> Header:
    if data[:4] != b"QED\0":
        raise BadImage("it is no qed image")
    (features,) = _unpack("<Q", data, 16)
    if not features & _QED_BACKED:
        return Header()
    offset, size = _unpack("<II", data, 56)
    return Header(_name(data, offset, size), "raw" if features & _QED_RAW else "")


_PARENT = re.compile(rb'parentFileNameHint="([^"\n\0]{1,1023})"')
_NO_PARENT = re.compile(rb"parentCID=(?:ffffffff|FFFFFFFF)\b")


def _vmdk(data: bytes) -> Header:
    if data[:4] not in (b"KDMV", b"COWD") and not data.startswith(b"# Disk DescriptorFile"):
        raise BadImage("it is no vmdk image")
    text = data if data.startswith(b"#") else data[512:]
    parent = _PARENT.search(text)
    if parent is None or _NO_PARENT.search(text):
        return Header()
    return Header(parent[1].decode("utf-8", "surrogateescape"), "vmdk")


_READERS: Mapping[str, Callable[[bytes], Header]] = {"qcow": _qcow, "qcow2": _qcow2, "qed": _qed, "vmdk": _vmdk}


def virtual_size(data: bytes, format: str) -> int | None:
    """How many bytes the guest sees of an image whose header tells; None for the others."""
    if format != "qcow2" or len(data) < _VERSION_3_LENGTH:
        return None
    (size,) = _unpack(">Q", data, 24)
    return int(size)


# -- internal snapshots ------------------------------------------------------------------------

#: Bytes of the table of an image's snapshots: QEMU's own limit.
MAX_SNAPSHOT_TABLE = 64 << 20
#: The header extension that tells of bitmaps.
_BITMAPS = 0x23852875
_SNAPSHOT = struct.Struct(">QIHHIIQII")


def snapshot_table(data: bytes) -> tuple[int, int]:
    """How many snapshots a qcow2 image has, and where their table begins in it. data: its header."""
    magic, version = _unpack(">4sI", data, 0)
    if magic != b"QFI\xfb" or version not in (2, 3):
        raise BadImage("it is no qcow2 image")
    count, offset = _unpack(">IQ", data, 60)
    return int(count), int(offset)


def bitmap_count(data: bytes) -> int:
    """How many bitmaps a qcow2 image keeps. data: its header."""
    magic, version = _unpack(">4sI", data, 0)
    if magic != b"QFI\xfb" or version != 3:
        return 0
    (length,) = _unpack(">I", data, 100)
    body = _extensions(data, length, len(data)).get(_BITMAPS, b"")
    return int.from_bytes(body[:4], "big")


def snapshots(table: bytes, count: int) -> dict[str, bool]:
    """The names of snapshots, and whether each has a guest's memory in it."""
    found: dict[str, bool] = {}
    offset = 0
    for _ in range(count):
        if offset + _SNAPSHOT.size > len(table):
            raise BadImage("the table of its snapshots ends early")
        _, _, id_size, name_size, _, _, _, memory, extra = _SNAPSHOT.unpack_from(table, offset)
        if extra >= 8:
            # The longer form of the memory's size comes first of what later versions have added.
            (memory,) = _unpack(">Q", table, offset + _SNAPSHOT.size)
        name = offset + _SNAPSHOT.size + extra + id_size
        found[table[name : name + name_size].decode("utf-8", "surrogateescape")] = bool(memory)
        offset = (name + name_size + 7) & ~7
    return found


# -- an empty overlay --------------------------------------------------------------------------

_CLUSTER_BITS = 16


def overlay(size: int, backing: str, backing_format: str) -> bytes:
    """A qcow2 image of `size` bytes that holds nothing yet and builds upon another.

    Its clusters are 64 KiB: the header, the table of reference counts, a block of them, the first table of data.
    """
    cluster = 1 << _CLUSTER_BITS
    name, kind = backing.encode("utf-8", "surrogateescape"), backing_format.encode()
    if len(name) > _MAX_NAME:
        raise BadImage(f"the name of the backing image has {len(name)} bytes, more than {_MAX_NAME}")
    # An entry of the first table stands for a table of cluster / 8 clusters.
    entries = -(-size // (cluster * (cluster // 8)))
    tables = -(-entries * 8 // cluster) or 1
    padded = kind + bytes(-len(kind) % 8)
    extensions = struct.pack(">II", _BACKING_FORMAT, len(kind)) + padded + struct.pack(">II", _END, 0)
    place = _VERSION_3_LENGTH + len(extensions)
    first = struct.pack(
        ">4sIQIIQIIQQIIQQQQII",
        b"QFI\xfb", 3, place, len(name), _CLUSTER_BITS, size, 0, entries, 3 * cluster, cluster, 1, 0, 0, 0, 0, 0, 4,
        _VERSION_3_LENGTH,
    )  # fmt: skip
    used = 3 + tables
    return b"".join(
        (
            (first + extensions + name).ljust(cluster, b"\0"),
            struct.pack(">Q", 2 * cluster).ljust(cluster, b"\0"),
            (struct.pack(">H", 1) * used).ljust(cluster, b"\0"),
            bytes(cluster * tables),
        )
    )


__all__ = [
    "HEADER_BYTES", "MAX_SNAPSHOT_TABLE", "BadImage", "Header", "bitmap_count", "header", "overlay", "probe",
    "snapshot_table", "snapshots", "virtual_size",
]  # fmt: skip
