"""Sizes of images, from the host's file systems, which may not answer."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import stat
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from roost.drivers.qemu import imageformats
from roost.drivers.qemu.statistics.blocks import Size

#: Bytes of a block of stat's.
_BLOCK = 512

Images = frozenset[tuple[str, str]]


class Measured(NamedTuple):
    """sizes: of stopped guests' images, by (path, format). allocated: bytes that the host has of files, by path."""

    sizes: Mapping[tuple[str, str], Size] = {}
    allocated: Mapping[str, int] = {}


class ImageSizes:
    """Asks the file systems, off the loop; while one does not answer, nobody is asked again.

    patience: seconds a caller waits.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._asking: asyncio.Task[Measured] | None = None
        self._began = 0.0

    async def measure(self, images: Iterable[tuple[str, str]], files: Iterable[str] = ()) -> Measured:
        """images: by (path, format). files: regular ones. Of both those that are there."""
        wanted, paths = frozenset(images), frozenset(files)
        if not wanted and not paths:
            return Measured()
        loop = asyncio.get_running_loop()
        while self._asking is not None and not self._asking.done():
            left = self._began + self._patience - loop.time()
            if left <= 0:
                return Measured()
            await asyncio.wait([self._asking], timeout=left)
        self._began = loop.time()
        asking = self._asking = loop.create_task(asyncio.to_thread(_measure, wanted, paths))
        done, _ = await asyncio.wait([asking], timeout=self._patience)
        return asking.result() if done else Measured()


def _measure(images: Images, files: frozenset[str]) -> Measured:
    sizes, allocated = {}, {}
    for path, format in images:
        with contextlib.suppress(OSError, imageformats.BadImage):
            sizes[path, format] = size_of(path, format)
    for path in files:
        with contextlib.suppress(OSError):
            allocated[path] = os.stat(path).st_blocks * _BLOCK
    return Measured(sizes, allocated)


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
