"""From a definition to the live document: aliases, and what the start has found out. Dry."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from roost.drivers.qemu.capabilities.record import SevFacts
from roost.drivers.qemu.plan import reservations
from roost.drivers.qemu.plan.imagenumbers import with_numbers
from roost.model.domain import Domain
from roost.model.domain.aliases import assign_aliases
from roost.model.domain.alignment import align_memory
from roost.model.domain.device import VirtioSerialAddress
from roost.model.domain.devices.chardev import Channel, CharDevice, PtyChar, UnixChar, VirtioChannel
from roost.model.domain.devices.disk import BlockSource, Disk, FileSource
from roost.model.domain.devices.graphics import (
    AddressListen,
    AnyGraphics,
    AnyListen,
    SocketListen,
    SpiceGraphics,
    VncGraphics,
)
from roost.model.domain.devices.interface import Interface, InterfaceTarget
from roost.model.domain.security import Seclabel, SevSecurity, SevSnpSecurity

_replace = msgspec.structs.replace


def make_live(config: Domain, id: int, directory: Path) -> Domain:
    """The document a domain starts with: its id, aliases for all devices, sockets where they are left to the daemon.

    directory: the guest's own.
    """
    live = with_channel_sockets(assign_aliases(align_memory(config)), directory)
    live = reservations.with_sockets(live, str(directory))
    return _replace(live, id=id, devices=_replace(live.devices, disks=_with_indexes(live.devices.disks)))


def with_channel_sockets(live: Domain, directory: Path) -> Domain:
    """Sockets below `directory` for channels that are to have one and name none."""
    channels = tuple(_with_socket(channel, directory) for channel in live.devices.channels)
    return _replace(live, devices=_replace(live.devices, channels=channels))


def _with_indexes(disks: Sequence[Disk]) -> tuple[Disk, ...]:
    """Images numbered from the last disk on, empty drives counted: the numbers in the names of their block nodes."""
    empty = frozenset(
        disk.target.dev for disk in disks if isinstance(disk.source, FileSource | BlockSource) and _is_empty(disk)
    )
    return with_numbers(disks, empty)


def _is_empty(disk: Disk) -> bool:
    source = disk.source
    if isinstance(source, FileSource):
        return source.file is None and source.fdgroup is None
    return isinstance(source, BlockSource) and source.dev is None


def _with_socket(channel: Channel, directory: Path) -> Channel:
    source = channel.source
    if not isinstance(source, UnixChar) or source.path is not None:
        return channel
    target = channel.target
    name = target.name if isinstance(target, VirtioChannel) else None
    return _replace(channel, source=_replace(source, mode="bind", path=str(directory / (name or _unnamed(channel)))))


def _unnamed(channel: Channel) -> str:
    """The socket of a channel without a name: by its place."""
    address = channel.address
    if not isinstance(address, VirtioSerialAddress):
        return str(channel.alias)
    return f"vioser-{address.controller:02}-{address.bus:02}-{address.port or 0:02}.sock"


def with_display_sockets(live: Domain, directory: Path, instead: Collection[str] = ()) -> Domain:
    """Sockets below `directory` for displays that are to listen at one and name none.

    instead: kinds of displays that do so where they name no address either.
    """
    displays = tuple(_listening(each, directory, instead) for each in live.devices.graphics)
    return _replace(live, devices=_replace(live.devices, graphics=displays))


def _listening(graphics: AnyGraphics, directory: Path, instead: Collection[str]) -> AnyGraphics:
    if not isinstance(graphics, VncGraphics | SpiceGraphics):
        return graphics
    nowhere: tuple[AnyListen, ...] = (SocketListen(),)
    if graphics.type in instead and not graphics.listen:
        nowhere = (SocketListen(), AddressListen())
    if not any(listen in nowhere for listen in graphics.listens):
        return graphics
    made = SocketListen(socket=str(directory / f"{graphics.type}.sock"))
    listens = tuple(made if listen in nowhere else listen for listen in graphics.listens)
    if listens[0] != made:
        return _replace(graphics, listens=listens)
    if isinstance(graphics, VncGraphics):
        return _replace(graphics, listens=listens, socket=made.socket, port=None, autoport=None)
    return _replace(graphics, listens=listens, port=None, tls_port=None, autoport=None)


def with_protection(document: Domain, sev: SevFacts | None) -> Domain:
    """The document with what the host's processor says of encrypted memory, where it leaves that open."""
    security = document.launch_security
    if sev is None or not isinstance(security, SevSecurity | SevSnpSecurity):
        return document
    made = _replace(
        security,
        cbitpos=sev.cbitpos if security.cbitpos is None else security.cbitpos,
        reduced_phys_bits=(sev.reduced_phys_bits if security.reduced_phys_bits is None else security.reduced_phys_bits),
    )
    return _replace(document, launch_security=made)


def without_sockets(document: Domain, begin: str) -> Domain:
    """The document without sockets of an earlier run, which a running guest's document shows. begin: of their paths."""
    devices = document.devices
    channels = tuple(
        _replace(channel, source=_replace(channel.source, mode=None, path=None))
        if isinstance(channel.source, UnixChar) and (channel.source.path or "").startswith(begin)
        else channel
        for channel in devices.channels
    )
    displays = tuple(_without_socket(display, begin) for display in devices.graphics)
    document = reservations.without_sockets(document, begin)
    devices = document.devices
    if channels == devices.channels and displays == devices.graphics:
        return document
    return _replace(document, devices=_replace(devices, channels=channels, graphics=displays))


def _without_socket(graphics: AnyGraphics, begin: str) -> AnyGraphics:
    if not isinstance(graphics, VncGraphics | SpiceGraphics):
        return graphics
    listens = tuple(
        SocketListen() if isinstance(listen, SocketListen) and (listen.socket or "").startswith(begin) else listen
        for listen in graphics.listens
    )
    if listens == graphics.listens:
        return graphics
    if isinstance(graphics, VncGraphics):
        return _replace(graphics, listens=listens, socket=None)
    return _replace(graphics, listens=listens)


# -- what the start has found out --------------------------------------------------------------


def with_ports(
    live: Domain, ports: Mapping[str, int], names: Mapping[str, str], addresses: Mapping[str, str]
) -> Domain:
    """Ports of displays and names of tap interfaces, as granted. Keys are those of the plan's needs.

    addresses: where displays listen that name no address of their own, by their kind.
    """
    devices = live.devices
    graphics = tuple(
        _with_address(_with_port(each, number, ports), addresses) for number, each in enumerate(devices.graphics)
    )
    interfaces = tuple(_with_target(each, names) for each in devices.interfaces)
    vsock = devices.vsock
    if vsock is not None and vsock.alias is not None and vsock.alias in ports:
        vsock = _replace(vsock, cid=ports[vsock.alias])
    return _replace(live, devices=_replace(devices, graphics=graphics, interfaces=interfaces, vsock=vsock))


def _with_port(graphics: AnyGraphics, number: int, ports: Mapping[str, int]) -> AnyGraphics:
    key = f"graphics{number}"
    if isinstance(graphics, VncGraphics):
        made: AnyGraphics = graphics
        if key in ports:
            made = _replace(graphics, port=ports[key])
        if f"{key}.websocket" in ports:
            made = _replace(made, websocket=ports[f"{key}.websocket"])
        return made
    if isinstance(graphics, SpiceGraphics):
        return _replace(
            graphics, port=ports.get(key, graphics.port), tls_port=ports.get(f"{key}.tls", graphics.tls_port)
        )
    return graphics


def _with_address(graphics: AnyGraphics, addresses: Mapping[str, str]) -> AnyGraphics:
    address = addresses.get(graphics.type)
    if not isinstance(graphics, VncGraphics | SpiceGraphics) or graphics.listen:
        return graphics
    listens = graphics.listens
    if not listens or listens[0] != AddressListen():
        return graphics
    return _replace(graphics, listen=address, listens=(AddressListen(address=address), *listens[1:]))


def _with_target(interface: Interface, names: Mapping[str, str]) -> Interface:
    name = names.get(interface.alias or "")
    if name is None:
        return interface
    return _replace(interface, target=_replace(interface.target or InterfaceTarget(), dev=name))


def with_clock(live: Domain, utc_offset: int) -> Domain:
    """A clock that differs from the host's local time differs from UTC, too: by that it is shown while it runs."""
    clock = live.clock
    if clock is None or clock.offset != "variable" or clock.basis != "localtime":
        return live
    ahead = int(clock.adjustment or 0) + utc_offset
    return _replace(live, clock=_replace(clock, basis="utc", adjustment=str(ahead)))


def clock_ahead(live: Domain) -> int:
    """Seconds that a clock of offset 'variable' is ahead; 0 for others."""
    clock = live.clock
    return int(clock.adjustment or 0) if clock is not None and clock.offset == "variable" else 0


def with_terminals(live: Domain, chardevs: Sequence[Mapping[str, Any]]) -> Domain:
    """Paths of pseudo terminals, from QEMU's answer to query-chardev."""
    paths = {
        str(entry["label"]).removeprefix("char"): str(entry["filename"]).removeprefix("pty:")
        for entry in chardevs
        if str(entry["filename"]).startswith("pty:")
    }
    if not paths:
        return live
    devices = live.devices
    changes: dict[str, Any] = {
        field: tuple(_with_path(device, paths) for device in getattr(devices, field))
        for field in ("serials", "parallels", "channels", "consoles")
    }
    changes["consoles"] = tuple(
        _replace(console, tty=console.source.path) if isinstance(console.source, PtyChar) and console.source.path
        and number == 0 else console
        for number, console in enumerate(changes["consoles"])
    )  # fmt: skip
    return _replace(live, devices=_replace(devices, **changes))


def with_channel_states(live: Domain, chardevs: Sequence[Mapping[str, Any]]) -> Domain:
    """Whether somebody in the guest has its virtio channels open, from QEMU's answer to query-chardev."""
    opened = {str(entry["label"]).removeprefix("char"): bool(entry.get("frontend-open")) for entry in chardevs}
    for channel in live.devices.channels:
        if channel.alias in opened:
            live = with_channel_state(live, channel.alias, opened[channel.alias])
    return live


def with_channel_state(live: Domain, alias: str, connected: bool) -> Domain:
    """The same for one channel that has changed."""
    channels = tuple(
        _replace(channel, target=_replace(channel.target, state="connected" if connected else "disconnected"))
        if channel.alias == alias and isinstance(channel.target, VirtioChannel)
        else channel
        for channel in live.devices.channels
    )
    return _replace(live, devices=_replace(live.devices, channels=channels))


def has_agent(live: Domain, alias: str | None = None) -> bool:
    """Whether the guest agent's channel is there, or is the one named."""
    return any(
        isinstance(channel.target, VirtioChannel)
        and channel.target.name == "org.qemu.guest_agent.0"
        and alias in (None, channel.alias)
        for channel in live.devices.channels
    )


def _with_path(device: CharDevice, paths: Mapping[str, str]) -> CharDevice:
    path = paths.get(device.alias or "")
    if path is None or not isinstance(device.source, PtyChar):
        return device
    return _replace(device, source=_replace(device.source, path=path))


def with_labels(live: Domain, uid: int, gid: int) -> Domain:
    """The owner that files have while the guest runs, as the label of security model dac."""
    if any(label.model == "dac" for label in live.seclabels):
        return live
    label = f"+{uid}:+{gid}"
    made = Seclabel(type="dynamic", model="dac", relabel=True, label=label, imagelabel=label)
    return _replace(live, seclabels=(*live.seclabels, made))
