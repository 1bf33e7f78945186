"""The ways that memory takes between QEMU and a file: as a stream, or each page at its own place.

A stream goes through a descriptor of any kind. A file with places (QEMU's mapped-ram, the format `sparse`) is
read and written by QEMU itself, through several channels at once and past the host's cache if that is wanted.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from roost.drivers.qemu.qmp import QmpClient, QmpCommandError
from roost.drivers.qemu.state.header import SPARSE, STREAMED
from roost.errors import ArgumentUnsupported, From, InternalError, InvalidArg

#: What a stream's descriptor is called while QEMU has it.
_NAME = "migrate"
#: What files with places are called while QEMU has them.
_OPAQUE = "roost-memory"
#: QEMU's capabilities that such a file takes.
_MAPPED = ("mapped-ram", "multifd")
#: The parameter of migrations that says whether pages go past the cache.
_DIRECT = "direct-io"


class Stream(NamedTuple):
    """One page after the other, through a descriptor."""

    descriptor: int

    @contextlib.asynccontextmanager
    async def opened(self, monitor: QmpClient) -> AsyncIterator[str]:
        """What a migration is told while QEMU has the descriptor; it keeps that of one that it has begun."""
        await announce(monitor)
        await monitor.execute("getfd", {"fdname": _NAME}, descriptors=(self.descriptor,))
        try:
            yield f"fd:{_NAME}"
        except QmpCommandError:
            await monitor.execute("closefd", {"fdname": _NAME})
            raise


class Mapped(NamedTuple):
    """Each page at its own place.

    files: descriptors of the file, the second of one past the host's cache where pages go that way.
    begin: where memory begins in it. channels: how many carry pages.
    """

    files: tuple[int, ...]
    begin: int
    channels: int

    @contextlib.asynccontextmanager
    async def opened(self, monitor: QmpClient) -> AsyncIterator[str]:
        """What a migration is told while QEMU has the file. Raises InternalError for too many channels."""
        await announce(monitor, mapped=True)
        parameters: dict[str, Any] = {"multifd-channels": self.channels}
        if await _has_direct(monitor):
            parameters[_DIRECT] = len(self.files) > 1
        try:
            await monitor.execute("migrate-set-parameters", parameters)
        except QmpCommandError as error:
            raise InternalError(
                error.detail, domain=From.QEMU, hint=f"{self.channels} channels are too many: QEMU has up to 255"
            ) from error
        lent: dict[str, int] = {}
        try:
            for descriptor in self.files:
                answer = await monitor.execute("add-fd", {"opaque": _OPAQUE, **lent}, descriptors=(descriptor,))
                lent = {"fdset-id": answer["fdset-id"]}
            yield f"file:/dev/fdset/{lent['fdset-id']},offset={self.begin}"
        finally:
            if lent:
                monitor.send("remove-fd", lent)


#: Any of them.
Route = Stream | Mapped


async def announce(monitor: QmpClient, *, mapped: bool = False) -> None:
    """Have QEMU tell what becomes of a migration, and know which way its memory goes, whatever the last one took."""
    wanted = {"events": True, **dict.fromkeys(_MAPPED, mapped)}
    known = await _capabilities(monitor)
    capabilities = [{"capability": name, "state": state} for name, state in wanted.items() if name in known]
    await monitor.execute("migrate-set-capabilities", {"capabilities": capabilities})


async def check_mapped(monitor: QmpClient, *, direct: bool) -> None:
    """Raises ArgumentUnsupported for a QEMU that cannot read and write files with places; direct: past the cache."""
    if not {*_MAPPED} <= await _capabilities(monitor):
        raise ArgumentUnsupported(
            f"save image format '{SPARSE}' is not supported",
            domain=From.QEMU,
            hint=f"this QEMU has no mapped-ram: its images are written in one piece, as {', '.join(STREAMED)}",
        )
    if direct and not await _has_direct(monitor):
        raise ArgumentUnsupported(
            f"save image format '{SPARSE}' is not supported past the cache",
            domain=From.QEMU,
            hint=f"this QEMU's migrations have no {_DIRECT}: leave out --bypass-cache",
        )


async def _capabilities(monitor: QmpClient) -> set[str]:
    return {each["capability"] for each in await monitor.execute("query-migrate-capabilities")}


async def _has_direct(monitor: QmpClient) -> bool:
    return _DIRECT in await monitor.execute("query-migrate-parameters")


async def take_back(monitor: QmpClient) -> None:
    """Files that a daemon has lent QEMU and did not live to take back."""
    for lent in await monitor.execute("query-fdsets"):
        if any(each.get("opaque") == _OPAQUE for each in lent["fds"]):
            await monitor.execute("remove-fd", {"fdset-id": lent["fdset-id"]})


def channels_for(format: str, wanted: int | None) -> int:
    """How many channels carry the memory of an image, 0 for one that is a stream. wanted: by the client.

    Raises InvalidArg, in libvirt's words.
    """
    if format != SPARSE:
        if wanted is not None:
            raise InvalidArg(
                f"Parallel save is only supported with the '{SPARSE}' save image format",
                domain=From.QEMU,
                hint=f"this image is {format}, whose memory goes through one channel: leave the parameter out",
            )
        return 0
    if wanted is None:
        return 1
    if wanted < 1:
        raise InvalidArg(
            "number of parallel save channels cannot be less than 1",
            domain=From.QEMU,
            hint="leave the parameter out for one channel",
        )
    return wanted
