"""The header of a save image, which is libvirt's: images are exchanged with it both ways. Dry.

92 bytes, integers in the byte order of the host that wrote them: the magic,
the version, the length of what follows before the memory, whether the guest
ran, the format, the offset of the cookie, and 14 unused words. Then the
document, a NUL, the cookie, a NUL, and zeros that leave room for a longer one.
Where the memory is `sparse` QEMU aligns it: its own header comes first.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from roost.errors import From, OperationFailed

MAGIC = b"LibvirtQemudSave"
#: The magic of an image that is not complete yet, or never will be.
PARTIAL = b"LibvirtQemudPart"
VERSION = 2
#: Room that is left for a longer document.
PADDING = 65536
#: Programs that compress memory as it comes.
PROGRAMS = ("gzip", "bzip2", "xz", "lzop", "zstd")
#: Formats of memory that comes as a stream.
STREAMED = ("raw", *PROGRAMS)
#: The one where each page has its own place in the file, and what is zero takes no room.
SPARSE = "sparse"
#: All of them, by their numbers in the header.
FORMATS = (*STREAMED, SPARSE)
#: The longest document with its room: what is above it is no header of ours, nor of libvirt's.
LONGEST = 64 << 20

_NATIVE = struct.Struct("=16s5I56x")
_SWAPPED = struct.Struct((">" if struct.pack("=H", 1) == b"\1\0" else "<") + "16s5I56x")
SIZE = _NATIVE.size


class Header(NamedTuple):
    """room: bytes of document, cookie and padding. cookie: where the cookie begins in them; 0 without one."""

    running: bool
    format: int
    room: int
    cookie: int
    swapped: bool = False

    @property
    def size(self) -> int:
        """Where the memory begins in the file."""
        return SIZE + self.room

    def pack(self, *, complete: bool) -> bytes:
        """The first 92 bytes."""
        made = _SWAPPED if self.swapped else _NATIVE
        magic = MAGIC if complete else PARTIAL
        return made.pack(magic, VERSION, self.room, self.running, self.format, self.cookie)


class Preface(NamedTuple):
    """All that stands before the memory. cookie: "" without one."""

    header: Header
    document: str
    cookie: str

    def pack(self, *, complete: bool) -> bytes:
        """The bytes before the memory. Raises OperationFailed when they need more room than there is."""
        parts = [_text(self.document)]
        if self.cookie:
            parts.append(_text(self.cookie))
        body = b"".join(parts)
        header = self.header
        if len(body) > header.room:
            raise OperationFailed(
                "new xml too large to fit in file",
                domain=From.QEMU,
                hint=f"it has {len(body)} bytes with its cookie; the image has room for {header.room}",
            )
        header = header._replace(cookie=len(parts[0]) if self.cookie else 0)
        return header.pack(complete=complete) + body + bytes(header.room - len(body))


def new_preface(document: str, cookie: str, *, running: bool, format: int) -> Preface:
    """For an image that is about to be written."""
    room = len(_text(document)) + (len(_text(cookie)) if cookie else 0) + PADDING
    return Preface(Header(running, format, room, 0), document, cookie)


def _text(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape") + b"\0"


def read_header(data: bytes) -> Header:
    """The header at the beginning of `data`. Raises OperationFailed, in libvirt's words, for what is none."""
    if len(data) < SIZE:
        raise _refused("failed to read qemu header", "the file is shorter than a header: it is no save image")
    magic, version, room, running, format, cookie = _NATIVE.unpack(data[:SIZE])
    if magic == PARTIAL:
        raise _refused("save image is incomplete", "the save that wrote it was interrupted; remove the file")
    if magic != MAGIC:
        raise _refused("image magic is incorrect", "the file is no save image; a core dump cannot be restored")
    swapped = version > VERSION
    if swapped:
        _, version, room, running, format, cookie = _SWAPPED.unpack(data[:SIZE])
    if version > VERSION:
        raise _refused(f"image version is not supported ({version} > {VERSION})", "a newer program wrote it")
    if not 0 < room <= LONGEST:
        raise _refused(f"invalid header data length: {room}", "the header is damaged")
    return Header(bool(running), format, room, cookie, swapped)


def read_preface(header: Header, data: bytes) -> Preface:
    """Document and cookie. data: what follows the header, as much of it as the file has."""
    end = header.cookie or header.room
    if len(data) < end:
        raise _refused("failed to read domain XML", _SHORT)
    if len(data) < header.room or end > header.room:
        raise _refused("failed to read cookie", _SHORT)
    return Preface(header, _string(data[:end]), _string(data[end : header.room]))


_SHORT = "the file ends before its header says so: it is damaged, or was not copied whole"


def _string(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _refused(message: str, hint: str) -> OperationFailed:
    return OperationFailed(message, domain=From.QEMU, hint=hint)


def format_of(number: int) -> str:
    """The name of a format. Raises OperationFailed for an unknown number."""
    if number >= len(FORMATS):
        raise _refused(
            f"Invalid compressed save format {number}", f"known are {', '.join(FORMATS)}; the header is damaged"
        )
    return FORMATS[number]
