"""How an image names the one below it: the text that a job writes into its header."""

from __future__ import annotations

import asyncio
import os
import posixpath

import msgspec

from roost.drivers.qemu import imageformats
from roost.drivers.qemu.blockjobs.chain import Chain, Layer
from roost.drivers.qemu.plan.protocols import Keys, network_props
from roost.errors import From, OperationInvalid
from roost.model.domain.devices.disk import NetworkSource


async def backing_name(chain: Chain, first: int, last: int, *, relative: bool) -> str:
    """The name by which the image above `first` is to find the image `last`, once those between are gone.

    relative: as the images name each other now. Raises OperationInvalid where one names another by a full path.
    """
    if not relative:
        return absolute_name(chain.layers[last])
    return await asyncio.to_thread(_relative_name, chain, first, last)


def absolute_name(layer: Layer) -> str:
    """A name that means the image from wherever it stands."""
    source = layer.source
    if layer.path and not isinstance(source, NetworkSource) and not source.slices:
        return layer.path
    if isinstance(source, NetworkSource):
        node = network_props(source, source.auth, Keys())
    else:
        node = {"driver": "file", "filename": layer.path}
    if source.slices:
        node = {"driver": "raw", "file": node, "offset": source.slices[0].offset, "size": source.slices[0].size}
    return "json:" + msgspec.json.encode({"driver": layer.format, "file": node}).decode()


def _relative_name(chain: Chain, first: int, last: int) -> str:
    name = ""
    for place in range(first, last + 1):
        written = _written_in(chain.layers[place - 1])
        if written is None or written.startswith("/") or ":" in written.partition("/")[0]:
            raise OperationInvalid(
                "can't keep relative backing relationship",
                domain=From.QEMU,
                hint=f"'{chain.layers[place - 1].path}' names its backing image as '{written}'",
            )
        name = posixpath.join(posixpath.dirname(name), written)
    return name


def _written_in(layer: Layer) -> str | None:
    """The name of the image below, as it is written in this one."""
    try:
        descriptor = os.open(layer.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return imageformats.header(os.pread(descriptor, imageformats.HEADER_BYTES, 0), layer.format).backing
    except (OSError, imageformats.BadImage):
        return None
    finally:
        os.close(descriptor)


__all__ = ["absolute_name", "backing_name"]
