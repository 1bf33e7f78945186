"""Sizes of stopped guests' images, from the host's file systems, which may not answer."""

from __future__ import annotations

import asyncio
import functools
import os
import stat
from collections.abc import Iterable, Mapping

from roost.drivers.qemu import imageformats
from roost.drivers.qemu.statistics.blocks import Size

#: Bytes of a block of stat's.
_BLOCK = 512

Images = frozenset[tuple[str, str]]


class ImageSizes:
    """Asks the file systems, off the loop; while one does not answer, nobody is asked again.

    patience: seconds a caller waits.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._asking: asyncio.Task[Mapping[tuple[str, str], Size]] | None = None

    async def measure(self, images: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], Size]:
        """Sizes by (path, format), of those images that are there."""
        wanted = frozenset(images)
        if not wanted or (self._asking is not None and not self._asking.done()):
            return {}
        self._asking = asyncio.get_running_loop().create_task(asyncio.to_thread(_measure, wanted))
        done, _ = await asyncio.wait([self._asking], timeout=self._patience)
        return self._asking.result() if done else {}


def _measure(images: Images) -> Mapping[tuple[str, str], Size]:
    found = {}
    for path, format in images:
        try:
            found[path, format] = size_of(path, format)
        except (OSError, imageformats.BadImage):
            continue
    return found


def size_of(path: str, format: str) -> Size:
    """The sizes of one image. Raises OSError, BadImage."""
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        return Size(0, 0, 0)
    if stat.S_ISREG(status.st_mode):
        physical, allocation = status.st_size, status.st_blocks * _BLOCK
    else:
        with open(path, "rb", buffering=0) as device:
            physical = device.seek(0, os.SEEK_END)
        # How much of a device an image takes, only QEMU could say.
        allocation = physical if format == "raw" else 0
    if format == "raw":
        return Size(allocation, physical, physical)
    header = _header(path, format, status.st_mtime_ns, status.st_ino)
    return Size(allocation, header or physical, physical)


@functools.lru_cache(maxsize=4096)
def _header(path: str, format: str, modified: int, inode: int) -> int | None:
    """What an image says of its size, read again only when it has changed."""
    with open(path, "rb", buffering=0) as file:
        return imageformats.virtual_size(file.read(imageformats.HEADER_BYTES), format)
