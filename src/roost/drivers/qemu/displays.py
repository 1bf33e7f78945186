"""Displays on sockets that clients bring or are given."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from roost.constants import domain as D
from roost.constants.displays import RELOAD_TYPE_ANY, RELOAD_TYPE_VNC
from roost.contract import flags as F
from roost.contract.displays import Displays
from roost.contract.references import DomainIdentity
from roost.drivers.qemu.context import Context, require_monitor
from roost.drivers.qemu.qmp import QmpClient
from roost.errors import ConfigUnsupported, From, InternalError, InvalidArg, OperationUnsupported, RpcError
from roost.model.domain import Domain

#: Type of display -> what `add_client` calls it.
_PROTOCOLS = {"vnc": "vnc", "spice": "spice", "dbus": "@dbus-display"}
_NAME = "graphicsfd"


def protocol(live: Domain, index: int) -> str:
    """What the display speaks. Raises InternalError, ConfigUnsupported."""
    displays = live.devices.graphics
    if index >= len(displays):
        known = f"indexes: 0 to {len(displays) - 1}" if displays else "the domain has no <graphics>"
        raise InternalError(f"No graphics backend with index {index}", domain=From.QEMU, hint=known)
    kind = displays[index].type
    if kind not in _PROTOCOLS:
        raise ConfigUnsupported(
            f"Can only open VNC, SPICE or D-Bus p2p graphics backends, not {kind}", domain=From.QEMU
        )
    return _PROTOCOLS[kind]


class QemuDisplays(Displays):
    """contract.Displays."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def open(self, domain: DomainIdentity, index: int, flags: int, files: Sequence[int]) -> None:
        F.check(flags, D.OPEN_GRAPHICS_SKIPAUTH, "qemuDomainOpenGraphics", From.QEMU)
        if not files:
            raise RpcError("no FD available at slot 0", domain=From.RPC)
        await self._serve(domain, index, flags, files[0])

    async def connect(self, domain: DomainIdentity, index: int, flags: int) -> int:
        F.check(flags, D.OPEN_GRAPHICS_SKIPAUTH, "qemuDomainOpenGraphicsFD", From.QEMU)
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                await self._serve(domain, index, flags, theirs.fileno())
            except BaseException:
                ours.close()
                raise
        return ours.detach()

    async def reload(self, domain: DomainIdentity, kind: int, flags: int) -> None:
        F.check(flags, 0, "qemuDomainGraphicsReload", From.QEMU)
        if kind not in (RELOAD_TYPE_ANY, RELOAD_TYPE_VNC):
            raise InvalidArg(f"unknown type of display to reload: {kind}", domain=From.QEMU, hint="only VNC can be")
        record = self._context.table.get_active(domain)
        async with record.job("reload display"):
            monitor = require_monitor(record)
            if not any(graphics.type == "vnc" for graphics in record.document.devices.graphics):
                raise OperationUnsupported("the domain has no VNC display", domain=From.QEMU, hint="only VNC can be")
            await monitor.execute("display-reload", {"type": "vnc", "tls-certs": True})

    async def _serve(self, domain: DomainIdentity, index: int, flags: int, descriptor: int) -> None:
        record = self._context.table.get_active(domain)
        async with record.job("open display"):
            monitor = require_monitor(record)
            await _add_client(
                monitor, protocol(record.document, index), descriptor, skip=bool(flags & D.OPEN_GRAPHICS_SKIPAUTH)
            )


async def _add_client(monitor: QmpClient, kind: str, descriptor: int, *, skip: bool) -> None:
    await monitor.execute("getfd", {"fdname": _NAME}, descriptors=(descriptor,))
    try:
        await monitor.execute("add_client", {"protocol": kind, "fdname": _NAME, "skipauth": skip})
    except BaseException:
        # QEMU takes the descriptor over only when it has a use for it.
        monitor.send("closefd", {"fdname": _NAME})
        raise
