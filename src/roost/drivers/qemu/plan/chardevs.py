"""Character devices: what stands behind them on the host, and the ports the guest sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from roost.drivers.qemu.plan.context import Context, alias_of, kind_of
from roost.drivers.qemu.plan.pieces import Piece, Props, compact, device, option
from roost.drivers.qemu.plan.resources import File, Listener, Log
from roost.errors import ConfigUnsupported, From, InternalError
from roost.model.domain.devices.chardev import (
    AnyCharSource,
    Channel,
    CharDevice,
    Console,
    DbusChar,
    DevChar,
    FileChar,
    GuestfwdChannel,
    Parallel,
    PipeChar,
    Serial,
    SpiceportChar,
    SpicevmcChar,
    TcpChar,
    UdpChar,
    UdpEnd,
    UnixChar,
    VdagentChar,
    VirtioChannel,
)

_Backend = tuple[str, Props]


def chardev_id(alias: str) -> str:
    return f"char{alias}"


def _reconnect(source: UnixChar | TcpChar) -> int | None:
    reconnect = source.reconnect
    if reconnect is None or reconnect.enabled is None:
        return None
    return (reconnect.timeout or 0) if reconnect.enabled else 0


def _plain(kind: str) -> Callable[[Any, str, Context], _Backend]:
    return lambda source, name, ctx: (kind, {})


def _file(source: FileChar, name: str, ctx: Context) -> _Backend:
    if name in ctx.grants.fds:
        # The host has cut the file already when it was to be; a second opening must not.
        return "file", {"out": _fdset_path(ctx, name), "append": True}
    return "file", {"out": source.path, "append": source.append}


def _dev(source: DevChar, name: str, ctx: Context) -> _Backend:
    kind = "parallel" if name.startswith("charparallel") else "serial"
    return kind, {"device": source.path}


def _pipe(source: PipeChar, name: str, ctx: Context) -> _Backend:
    return "pipe", {"device": source.path}


def _unix(source: UnixChar, name: str, ctx: Context) -> _Backend:
    fds = ctx.grants.fds.get(name)
    address: Props
    if fds:
        address = {"type": "fd", "data": {"str": ctx.use(fds[0])}}
    elif source.path is None:
        raise InternalError(f"character device '{name}' has no path yet", domain=From.QEMU)
    else:
        address = {"type": "unix", "data": {"path": source.path}}
    props: Props = {"addr": address}
    if source.mode != "connect":
        props |= {"server": True, "wait": False}
    props["reconnect"] = _reconnect(source)
    return "socket", props


def _tcp(source: TcpChar, name: str, ctx: Context) -> _Backend:
    data = {"host": source.host or "", "port": source.service or ""}
    props: Props = {"addr": {"type": "inet", "data": data}}
    if source.protocol == "telnet":
        props["telnet"] = True
    if source.mode == "bind":
        props |= {"server": True, "wait": False}
    props["reconnect"] = _reconnect(source)
    if source.tls:
        props["tls-creds"] = _credentials(name)
    return "socket", props


def _credentials(name: str) -> str:
    """The object that holds the certificates of chardev `name`."""
    return f"obj{name}_tls0"


def _tls(source: TcpChar, name: str, ctx: Context) -> Piece:
    """The certificates of a TCP chardev; the other side must have one of the same authority."""
    data = {
        "qom-type": "tls-creds-x509",
        "id": _credentials(name),
        "dir": ctx.grants.chardev_certificates,
        "endpoint": "server" if source.mode == "bind" else "client",
        "verify-peer": True,
    }
    return Piece("object", data)


def _udp(source: UdpChar, name: str, ctx: Context) -> _Backend:
    ends = {end.mode: end for end in source.ends}
    remote, local = ends.get("connect", UdpEnd()), ends.get("bind", UdpEnd())
    return "udp", {
        "remote": {"type": "inet", "data": {"host": remote.host or "", "port": remote.service or ""}},
        "local": {"type": "inet", "data": {"host": local.host or "", "port": local.service or "0"}},
    }


def _vdagent(source: VdagentChar, name: str, ctx: Context) -> _Backend:
    mouse = None if source.mouse is None else source.mouse == "client"
    return "vdagent", {"clipboard": source.clipboard, "mouse": mouse}


def _spiceport(source: SpiceportChar, name: str, ctx: Context) -> _Backend:
    return "spiceport", {"fqdn": source.channel}


def _dbus(source: DbusChar, name: str, ctx: Context) -> _Backend:
    return "dbus", {"name": source.channel}


_BACKENDS: dict[str, Callable[[Any, str, Context], _Backend]] = {
    "null": _plain("null"),
    "vc": _plain("vc"),
    "pty": _plain("pty"),
    "stdio": _plain("stdio"),
    "dev": _dev,
    "file": _file,
    "pipe": _pipe,
    "unix": _unix,
    "tcp": _tcp,
    "udp": _udp,
    "qemu-vdagent": _vdagent,
    "spiceport": _spiceport,
    "spicevmc": _plain("spicevmc"),
    "dbus": _dbus,
}


def _fdset_path(ctx: Context, key: str) -> str:
    return f"/dev/fdset/{ctx.fdset(key)}"


def backend(
    source: AnyCharSource, name: str, ctx: Context, carries: str = "vdagent", *, waits: bool = False
) -> Iterator[Piece]:
    """The host's end of a character device, as the chardev `name`.

    carries: what a SPICE client is told it is for. waits: the guest starts when somebody has connected.
    """
    make = _BACKENDS.get(kind_of(source))
    if make is None:
        raise ConfigUnsupported(
            f"unsupported chardev '{kind_of(source)}'", domain=From.QEMU, hint="use one of " + ", ".join(_BACKENDS)
        )
    if isinstance(source, FileChar):
        yield from _fdset(ctx, name, "source")
    elif isinstance(source, TcpChar) and source.tls:
        yield _tls(source, name, ctx)
    kind, data = make(source, name, ctx)
    if isinstance(source, SpicevmcChar):
        data["type"] = carries
    if waits:
        data.pop("wait", None)
    if source.log_file is not None:
        key = log_key(name)
        yield from _fdset(ctx, key, "log")
        granted = key in ctx.grants.fds
        data["logfile"] = _fdset_path(ctx, key) if granted else source.log_file
        data["logappend"] = True if granted else source.log_append
    yield Piece("chardev", {"id": name, "backend": {"type": kind, "data": compact(data)}})


def log_key(name: str) -> str:
    """The key of the log of chardev `name` among the needs and grants."""
    return f"log:{name}"


def _fdset(ctx: Context, key: str, what: str) -> Iterator[Piece]:
    fds = ctx.grants.fds.get(key)
    if fds:
        if not ctx.running:
            ctx.use(fds[0])
        yield Piece("fdset", {"fdset-id": ctx.fdset(key), "fd": fds[0], "opaque": f"{key.removeprefix('log:')}-{what}"})


#: Serial ports that are part of the board and take their chardev by order.
_PLATFORM_SERIALS = frozenset(("pl011", "16550a", None))


def serial(port: Serial, ctx: Context) -> Iterator[Piece]:
    alias = alias_of(port)
    yield from backend(port.source, chardev_id(alias), ctx)
    target = port.target
    model = target.model if target is not None else None
    if model in _PLATFORM_SERIALS:
        yield option("-serial", f"chardev:{chardev_id(alias)}")
        return
    assert model is not None
    props: Props = {"driver": ctx.driver(model, model), "chardev": chardev_id(alias), "id": alias}
    if model == "isa-serial" and target is not None:
        props["index"] = target.port
    yield device(props | ctx.address(port))


def parallel(port: Parallel, ctx: Context) -> Iterator[Piece]:
    alias = alias_of(port)
    yield from backend(port.source, chardev_id(alias), ctx)
    yield device({"driver": ctx.driver("isa-parallel", "isa-parallel"), "chardev": chardev_id(alias), "id": alias})


def _port(driver: str, port: CharDevice, ctx: Context, name: str | None = None) -> Piece:
    alias = alias_of(port)
    props = {"driver": ctx.driver(driver, driver), **ctx.address(port)}
    return device(props | {"chardev": chardev_id(alias), "id": alias, "name": name})


def channel(port: Channel, ctx: Context) -> Iterator[Piece]:
    alias = alias_of(port)
    target = port.target
    yield from backend(port.source, chardev_id(alias), ctx)
    if isinstance(target, GuestfwdChannel):
        forward = f"tcp:{target.address}:{target.port}-chardev:{chardev_id(alias)}"
        yield Piece("netdev", {"type": "user", "guestfwd": [{"str": forward}], "id": alias})
    elif isinstance(target, VirtioChannel):
        spice = "com.redhat.spice.0" if isinstance(port.source, SpicevmcChar) else None
        yield _port("virtserialport", port, ctx, target.name or spice)
    else:
        raise ConfigUnsupported(
            f"unsupported channel target type '{kind_of(target)}'", domain=From.QEMU, hint="use type 'virtio'"
        )


_SCLP_CONSOLES = {"sclp": "sclpconsole", "sclplm": "sclplmconsole"}


def console(port: Console, ctx: Context) -> Iterator[Piece]:
    kind = port.target.type if port.target is not None else None
    if kind in (None, "serial"):
        return  # another view of the first serial port
    alias = alias_of(port)
    if kind == "virtio":
        yield from backend(port.source, chardev_id(alias), ctx)
        yield _port("virtconsole", port, ctx)
    elif kind in _SCLP_CONSOLES:
        yield from backend(port.source, chardev_id(alias), ctx)
        driver = ctx.driver(_SCLP_CONSOLES[kind], kind)
        yield device({"driver": driver, "chardev": chardev_id(alias), "id": alias})
    else:
        raise ConfigUnsupported(
            f"unsupported console target type {kind}", domain=From.QEMU, hint="use type 'serial' or 'virtio'"
        )


def section(ctx: Context) -> Iterator[Piece]:
    devices = ctx.domain.devices
    for serial_port in devices.serials:
        yield from serial(serial_port, ctx)
    for parallel_port in devices.parallels:
        yield from parallel(parallel_port, ctx)
    for channel_port in devices.channels:
        yield from channel(channel_port, ctx)
    for console_port in devices.consoles:
        yield from console(console_port, ctx)


def _ports(ctx: Context) -> Iterator[CharDevice]:
    """All character devices with a host end of their own."""
    devices = ctx.domain.devices
    yield from devices.serials
    yield from devices.parallels
    yield from devices.channels
    for console_port in devices.consoles:
        if console_port.target is not None and console_port.target.type not in (None, "serial"):
            yield console_port


def source_needs(source: AnyCharSource, name: str, user: str) -> Iterator[File | Listener | Log]:
    """What one host end needs. name: the chardev's id. user: whose it is, for messages."""
    if isinstance(source, UnixChar):
        if source.path is None:
            raise InternalError(f"character device '{user}' has no path yet", domain=From.QEMU)
        if source.mode != "connect":
            yield Listener(name, source.path)
        else:
            # QEMU tries again until it is there.
            yield File(source.path, write=True, user=user, kind="socket", optional=bool(_reconnect(source)))
    elif isinstance(source, FileChar):
        yield Log(name, source.path, bool(source.append))
    elif isinstance(source, DevChar):
        yield File(source.path, write=True, user=user, kind="device")
    elif isinstance(source, PipeChar):
        # A pair of pipes where there is one, else one for both directions.
        for path in (f"{source.path}.in", f"{source.path}.out", source.path):
            yield File(path, write=True, user=user, kind="pipe", optional=True)
    if source.log_file is not None:
        yield Log(log_key(name), source.log_file, bool(source.log_append))


def needs(ctx: Context) -> Iterator[File | Listener | Log]:
    for port in _ports(ctx):
        alias = alias_of(port)
        yield from source_needs(port.source, chardev_id(alias), alias)
