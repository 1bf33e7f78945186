"""Displays: VNC."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.pieces import Piece, escape, on_off, option
from roost.drivers.qemu.plan.resources import Port
from roost.errors import ConfigUnsupported, From, InternalError
from roost.model.domain.devices.graphics import (
    AddressListen,
    AnyListen,
    NetworkListen,
    NoListen,
    SocketListen,
    VncGraphics,
)

#: The ports QEMU counts displays from, and the last there is.
FIRST_VNC_PORT, LAST_PORT = 5900, 65535
FIRST_WEBSOCKET_PORT = 5700
DEFAULT_ADDRESS = "127.0.0.1"


def port_key(position: int) -> str:
    """The key of display number `position`'s port among the needs and grants."""
    return f"graphics{position}"


def websocket_key(position: int) -> str:
    return f"graphics{position}.websocket"


def _listen(graphics: VncGraphics) -> AnyListen:
    """The first place it listens at; old documents put it into attributes."""
    if graphics.listens:
        return graphics.listens[0]
    if graphics.socket is not None:
        return SocketListen(socket=graphics.socket)
    return AddressListen(address=graphics.listen)


def _address(listen: AnyListen) -> str | None:
    """The address of a listen element that has a port; None for a socket or no listening at all."""
    if isinstance(listen, AddressListen | NetworkListen):
        return listen.address or DEFAULT_ADDRESS
    return None


def _wants_any_port(graphics: VncGraphics) -> bool:
    return bool(graphics.autoport) or graphics.port is None or graphics.port == -1


def _port(graphics: VncGraphics, position: int, ctx: Context) -> int:
    granted = ctx.grants.ports.get(port_key(position))
    if granted is not None:
        return granted
    port = graphics.port
    if port is None or port == -1:
        return FIRST_VNC_PORT
    if not FIRST_VNC_PORT <= port <= LAST_PORT:
        raise ConfigUnsupported(
            f"vnc port must be in range [{FIRST_VNC_PORT},{LAST_PORT}]",
            domain=From.QEMU,
            hint=f"port='{port}' is not; autoport='yes' picks a free one",
        )
    return port


def _vnc(graphics: VncGraphics, position: int, ctx: Context) -> Iterator[Piece]:
    listen = _listen(graphics)
    words = []
    if isinstance(listen, SocketListen):
        if listen.socket is None:
            raise InternalError("the VNC display has no socket path yet", domain=From.QEMU)
        words.append(f"vnc=unix:{escape(listen.socket)}")
    elif isinstance(listen, NoListen):
        words.append("none")
    else:
        address = _address(listen) or ""
        host = f"[{address}]" if ":" in address else address
        words.append(f"{host}:{_port(graphics, position, ctx) - FIRST_VNC_PORT}")
        websocket = ctx.grants.ports.get(websocket_key(position), graphics.websocket)
        if websocket:
            words.append(f"websocket={websocket if websocket != -1 else FIRST_WEBSOCKET_PORT}")
    if graphics.share_policy is not None:
        words.append(f"share={graphics.share_policy}")
    if graphics.passwd is not None:
        words.append("password=on")
    if graphics.power_control is not None:
        words.append(f"power-control={on_off(graphics.power_control)}")
    audios = ctx.domain.devices.audios
    audio = graphics.audio_id or (audios[0].id if audios else None)
    if audio is not None:
        words.append(f"audiodev=audio{audio}")
    yield option("-vnc", ",".join(words))
    if graphics.keymap is not None:
        yield option("-k", graphics.keymap)


def section(ctx: Context) -> Iterator[Piece]:
    for position, graphics in enumerate(ctx.domain.devices.graphics):
        if not isinstance(graphics, VncGraphics):
            raise ConfigUnsupported(
                f"graphics type '{graphics.type}' is not supported by this driver",
                domain=From.QEMU,
                hint="use type 'vnc'",
            )
        ctx.require("option:vnc", "vnc graphics are not supported with this QEMU", "use a QEMU built with VNC")
        yield from _vnc(graphics, position, ctx)


def needs(ctx: Context) -> Iterator[Port]:
    for position, graphics in enumerate(ctx.domain.devices.graphics):
        if not isinstance(graphics, VncGraphics):
            continue
        address = _address(_listen(graphics))
        if address is None:
            continue
        if _wants_any_port(graphics):
            yield Port(port_key(position), FIRST_VNC_PORT, LAST_PORT, address)
        else:
            port = _port(graphics, position, ctx)
            yield Port(port_key(position), port, port, address)
        websocket = graphics.websocket
        if websocket == -1:
            yield Port(websocket_key(position), FIRST_WEBSOCKET_PORT, LAST_PORT, address)
        elif websocket:
            yield Port(websocket_key(position), websocket, websocket, address)
