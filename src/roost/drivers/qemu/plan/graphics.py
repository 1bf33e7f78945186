"""Displays: VNC, and those that the host shows itself; SPICE has its own file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from roost.drivers.qemu.plan import audio, spice
from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.listening import (
    FIRST_PORT,
    LAST_PORT,
    address_of,
    port_key,
    websocket_key,
)
from roost.drivers.qemu.plan.pieces import Piece, escape, on_off, option
from roost.drivers.qemu.plan.resources import File, Port
from roost.errors import ConfigUnsupported, From
from roost.model.domain.devices.graphics import (
    AddressListen,
    AnyListen,
    DbusGraphics,
    EglHeadlessGraphics,
    NoListen,
    SdlGraphics,
    SocketListen,
    SpiceGraphics,
    VncGraphics,
)

FIRST_WEBSOCKET_PORT = 5700
_VNC_CREDENTIALS = "vnc-tls-creds0"


def _listen(graphics: VncGraphics) -> AnyListen:
    """The first place it listens at; old documents put it into attributes."""
    if graphics.listens:
        return graphics.listens[0]
    if graphics.socket is not None:
        return SocketListen(socket=graphics.socket)
    return AddressListen(address=graphics.listen)


def _wants_any_port(graphics: VncGraphics) -> bool:
    return bool(graphics.autoport) or graphics.port is None or graphics.port == -1


def _port(graphics: VncGraphics, position: int, ctx: Context) -> int:
    granted = ctx.grants.ports.get(port_key(position))
    if granted is not None:
        return granted
    port = graphics.port
    if port is None or port == -1:
        return FIRST_PORT
    if not FIRST_PORT <= port <= LAST_PORT:
        raise ConfigUnsupported(
            f"vnc port must be in range [{FIRST_PORT},{LAST_PORT}]",
            domain=From.QEMU,
            hint=f"port='{port}' is not; autoport='yes' picks a free one",
        )
    return port


def _vnc(graphics: VncGraphics, position: int, ctx: Context) -> Iterator[Piece]:
    listen, settings = _listen(graphics), ctx.grants.displays
    words = []
    if isinstance(listen, SocketListen):
        words.append(f"vnc=unix:{escape(listen.socket or f'{ctx.grants.directory}/vnc.sock')}")
    elif isinstance(listen, NoListen):
        words.append("none")
    else:
        address = address_of(listen) or ""
        host = f"[{address}]" if ":" in address else address
        words.append(f"{host}:{_port(graphics, position, ctx) - FIRST_PORT}")
        websocket = ctx.grants.ports.get(websocket_key(position), graphics.websocket)
        if websocket:
            words.append(f"websocket={websocket}")
    if graphics.share_policy is not None:
        words.append(f"share={graphics.share_policy}")
    if graphics.passwd is not None or "vnc" in settings.passwords:
        words.append("password=on")
    if settings.vnc_certificates is not None:
        yield _vnc_credentials(settings.vnc_certificates, verify=settings.vnc_verifies)
        words.append(f"tls-creds={_VNC_CREDENTIALS}")
    if "vnc" in settings.sasl:
        words.append("sasl=on")
    if graphics.power_control is not None:
        words.append(f"power-control={on_off(graphics.power_control)}")
    backend = audio.chosen(graphics.audio_id, ctx)
    if backend is not None:
        words.append(f"audiodev={backend}")
    yield option("-vnc", ",".join(words))
    if graphics.keymap is not None:
        yield option("-k", graphics.keymap)


def _vnc_credentials(directory: str, *, verify: bool) -> Piece:
    data = {"qom-type": "tls-creds-x509", "id": _VNC_CREDENTIALS, "dir": directory}
    return Piece("object", data | {"endpoint": "server", "verify-peer": verify})


def _gl(words: list[str], gl: bool | None, rendernode: str | None = None) -> str:
    """The words of a -display option with what it draws with."""
    if gl is not None:
        words.append(f"gl={on_off(gl)}")
    if rendernode is not None:
        words.append(f"rendernode={escape(rendernode)}")
    return ",".join(words)


def _sdl(graphics: SdlGraphics, position: int, ctx: Context) -> Iterator[Piece]:
    if graphics.fullscreen:
        yield option("-full-screen")
    yield option("-display", _gl(["sdl"], graphics.gl))


def _egl_headless(graphics: EglHeadlessGraphics, position: int, ctx: Context) -> Iterator[Piece]:
    yield option("-display", _gl(["egl-headless"], None, graphics.rendernode))


def _dbus(graphics: DbusGraphics, position: int, ctx: Context) -> Iterator[Piece]:
    words = ["dbus", "p2p=on" if graphics.p2p else f"addr={escape(graphics.address or '')}"]
    text = _gl(words, graphics.gl, graphics.rendernode)
    backend = audio.chosen(graphics.audio_id, ctx) if graphics.audio_id is not None else None
    yield option("-display", f"{text},audiodev={backend}" if backend is not None else text)


#: By kind: QEMU's name for what it must have, how it is made.
_KINDS: dict[str, tuple[str, Callable[[Any, int, Context], Iterator[Piece]]]] = {
    "vnc": ("option:vnc", _vnc),
    "spice": ("option:spice", spice.pieces),
    "sdl": ("", _sdl),
    "egl-headless": ("", _egl_headless),
    "dbus": ("", _dbus),
}


def section(ctx: Context) -> Iterator[Piece]:
    kinds = [graphics.type for graphics in ctx.domain.devices.graphics]
    if len(set(kinds)) < len(kinds):
        raise ConfigUnsupported(
            "only 1 graphics device of each type (sdl, vnc, spice, headless, dbus) is supported",
            domain=From.QEMU,
            hint="clients of VNC and SPICE can share a display; <video> with <model heads='2'> gives another screen",
        )
    for position, graphics in enumerate(ctx.domain.devices.graphics):
        missing = f"{graphics.type} graphics are not supported with this QEMU"
        if graphics.type not in _KINDS:
            raise ConfigUnsupported(missing, domain=From.QEMU, hint="use one of " + ", ".join(_KINDS))
        needed, make = _KINDS[graphics.type]
        if needed:
            ctx.require(needed, missing, f"use a QEMU built with {graphics.type}")
        yield from make(graphics, position, ctx)


def environment(ctx: Context) -> dict[str, str]:
    """What displays read from QEMU's environment: where the X server is, and the way in; the configuration of SASL."""
    found = {}
    for graphics in ctx.domain.devices.graphics:
        directory = ctx.grants.displays.sasl.get(graphics.type)
        if directory:
            found["SASL_CONF_PATH"] = directory
        if isinstance(graphics, SdlGraphics):
            pairs = (("XAUTHORITY", graphics.xauth), ("DISPLAY", graphics.display))
            found.update({name: value for name, value in pairs if value})
    return found


def _vnc_needs(graphics: VncGraphics, position: int, ctx: Context) -> Iterator[Port]:
    address = address_of(_listen(graphics))
    if address is None:
        return
    if _wants_any_port(graphics):
        yield Port(port_key(position), FIRST_PORT, LAST_PORT, address)
    else:
        port = _port(graphics, position, ctx)
        yield Port(port_key(position), port, port, address)
    websocket = graphics.websocket
    if websocket == -1:
        yield Port(websocket_key(position), FIRST_WEBSOCKET_PORT, LAST_PORT, address)
    elif websocket:
        yield Port(websocket_key(position), websocket, websocket, address)


def needs(ctx: Context) -> Iterator[Port | File]:
    for position, graphics in enumerate(ctx.domain.devices.graphics):
        if isinstance(graphics, VncGraphics):
            yield from _vnc_needs(graphics, position, ctx)
        elif isinstance(graphics, SpiceGraphics):
            yield from spice.needs(graphics, position)
        rendernode = getattr(graphics, "rendernode", None)
        if rendernode is not None:
            yield File(rendernode, write=True, user=graphics.type, kind="device")
