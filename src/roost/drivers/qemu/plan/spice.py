"""SPICE displays."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.listening import FIRST_PORT, LAST_PORT, address_of, port_key, tls_key
from roost.drivers.qemu.plan.pieces import Piece, escape, option
from roost.drivers.qemu.plan.resources import Port
from roost.errors import ConfigUnsupported, From
from roost.model.domain.devices.graphics import NoListen, SocketListen, SpiceGraphics

#: Options of QEMU by the field they come from; switches are written on and off.
_COMPRESSION = (
    ("image_compression", "image-compression"),
    ("jpeg_compression", "jpeg-wan-compression"),
    ("zlib_compression", "zlib-glz-wan-compression"),
    ("playback_compression", "playback-compression"),
    ("streaming_mode", "streaming-video"),
)
_AGENT_MOUSE = {"server": "off", "client": "on"}
_NEED = {"secure": ("secure", "TLS connection is not available"),
         "insecure": ("insecure", "plaintext connection is not available")}  # fmt: skip


def _ports(spice: SpiceGraphics, position: int, ctx: Context) -> tuple[int, int]:
    """The plain port and the one for TLS; 0 for none."""
    plain = ctx.grants.ports.get(port_key(position), spice.port or 0)
    secure = ctx.grants.ports.get(tls_key(position), spice.tls_port or 0)
    # Translated without a host to pick ports: as libvirt writes them then.
    if (spice.autoport or plain == -1) and port_key(position) not in ctx.grants.ports:
        plain = FIRST_PORT + 1
    if secure == -1:
        secure = FIRST_PORT + 2
    return max(plain, 0), max(secure, 0)


def _listening(spice: SpiceGraphics, position: int, ctx: Context) -> tuple[list[str], set[str]]:
    """Where it listens, and which of `secure` and `insecure` that allows."""
    listen = spice.listens[0] if spice.listens else NoListen()
    if isinstance(listen, SocketListen):
        path = listen.socket or f"{ctx.grants.directory}/spice.sock"
        return ["unix", f"addr={escape(path)}"], {"insecure"}
    if isinstance(listen, NoListen):
        # QEMU wants a port although nobody is to connect there.
        return ["port=0"], {"insecure"}
    plain, secure = _ports(spice, position, ctx)
    words, ways = [], set()
    if plain:
        words.append(f"port={plain}")
        ways.add("insecure")
    if secure:
        words.append(f"tls-port={secure}")
        ways.add("secure")
    if ways:
        words.append(f"addr={address_of(listen)}")
    return words, ways


def _channel(what: str, mode: str, ways: set[str], subject: str) -> str:
    if mode not in ways:
        raise ConfigUnsupported(
            f"spice {subject} in XML configuration, but {_NEED[mode][1]}",
            domain=From.QEMU,
            hint=f"give <graphics> a {'tlsPort' if mode == 'secure' else 'port'}, or use mode 'any'",
        )
    return f"{'tls' if mode == 'secure' else 'plaintext'}-channel={what}"


def _channels(spice: SpiceGraphics, ways: set[str]) -> Iterator[str]:
    if spice.default_mode is not None:
        yield _channel("default", spice.default_mode, ways, f"defaultMode {spice.default_mode} requested")
    for channel in spice.channels:
        yield _channel(channel.name, channel.mode, ways, f"{channel.mode} channels set")


def pieces(spice: SpiceGraphics, position: int, ctx: Context) -> Iterator[Piece]:
    words, ways = _listening(spice, position, ctx)
    if "spice" in ctx.grants.displays.sasl:
        words.append("sasl=on")
    if spice.mouse_mode is not None:
        words.append(f"agent-mouse={_AGENT_MOUSE[spice.mouse_mode]}")
    if spice.passwd is None and "spice" not in ctx.grants.displays.passwords:
        words.append("disable-ticketing=on")
    if "secure" in ways:
        words.append(f"x509-dir={escape(ctx.grants.displays.spice_certificates)}")
    words.extend(_channels(spice, ways))
    for field, name in _COMPRESSION:
        value = getattr(spice, field)
        if value is not None:
            words.append(f"{name}={('on' if value else 'off') if isinstance(value, bool) else value}")
    if spice.clipboard is False:
        words.append("disable-copy-paste=on")
    if spice.filetransfer is False:
        words.append("disable-agent-file-xfer=on")
    if spice.gl:
        words.append("gl=on")
        if spice.rendernode is not None:
            words.append(f"rendernode={escape(spice.rendernode)}")
    words.append("seamless-migration=on")
    yield option("-spice", ",".join(words))
    if spice.keymap is not None:
        yield option("-k", spice.keymap)


def needs(spice: SpiceGraphics, position: int) -> Iterator[Port]:
    """Its ports. TLS on top of a port that is picked is a setting of the host, off by default."""
    listen = spice.listens[0] if spice.listens else NoListen()
    address = address_of(listen)
    if address is None:
        return
    if spice.autoport:
        yield Port(port_key(position), FIRST_PORT, LAST_PORT, address)
        return
    for key, port in ((port_key(position), spice.port), (tls_key(position), spice.tls_port)):
        if port == -1:
            yield Port(key, FIRST_PORT, LAST_PORT, address)
        elif port:
            yield Port(key, port, port, address)
