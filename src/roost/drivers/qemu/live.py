"""From a definition to the live document: aliases, and what the start has found out. Dry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from roost.model.domain import Domain
from roost.model.domain.device import Device, DriveAddress
from roost.model.domain.devices import Devices
from roost.model.domain.devices.chardev import Channel, CharDevice, PtyChar, UnixChar, VirtioChannel
from roost.model.domain.devices.controller import Controller
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.graphics import AddressListen, AnyGraphics, SpiceGraphics, VncGraphics
from roost.model.domain.devices.interface import Interface, InterfaceTarget
from roost.model.domain.general import Seclabel

DeviceT = TypeVar("DeviceT", bound=Device)
_replace = msgspec.structs.replace

#: Device lists whose aliases are a word and a number, in order.
_COUNTED = {
    "interfaces": "net",
    "serials": "serial",
    "parallels": "parallel",
    "channels": "channel",
    "inputs": "input",
    "videos": "video",
    "sounds": "sound",
    "hubs": "hub",
    "watchdogs": "watchdog",
    "rngs": "rng",
    "panics": "panic",
}
#: Devices there is at most one of.
_SINGLE = {"memballoon": "balloon0", "vsock": "vsock0", "iommu": "iommu0"}


def make_live(config: Domain, id: int, channel_directory: Path) -> Domain:
    """The document a domain starts with: its id, aliases for all devices, sockets for channels that name none."""
    devices = config.devices
    changes: dict[str, Any] = {}
    for field, word in _COUNTED.items():
        found = getattr(devices, field)
        if found:
            changes[field] = _counted(found, word)
    for field, alias in _SINGLE.items():
        found = getattr(devices, field)
        if found is not None:
            changes[field] = _named(found, alias)
    changes["disks"] = tuple(_named(disk, disk_alias(disk)) for disk in devices.disks)
    changes["controllers"] = tuple(_named(each, _controller_alias(each, devices)) for each in devices.controllers)
    changes["consoles"] = _console_aliases(devices)
    channels = changes.get("channels", ())
    if channels:
        changes["channels"] = tuple(_with_socket(channel, channel_directory) for channel in channels)
    return _replace(config, id=id, devices=_replace(devices, **changes))


def _named(device: DeviceT, alias: str) -> DeviceT:
    """With that alias, unless it has one of the user's."""
    return device if device.alias else _replace(device, alias=alias)


def _counted(devices: Iterable[DeviceT], word: str) -> tuple[DeviceT, ...]:
    return tuple(_named(device, f"{word}{number}") for number, device in enumerate(devices))


def disk_index(target: str) -> int:
    """The place of `vda`, `sdb`, `hdaa` in its row, from 0."""
    letters = target.rstrip("0123456789")[2:]
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("a") + 1
    return max(0, number - 1)


def disk_alias(disk: Disk) -> str:
    """libvirt's alias: by address where the bus has one (`scsi0-0-0-1`), else by target (`virtio-disk0`)."""
    bus = disk.target.bus or "virtio"
    address = disk.address
    if isinstance(address, DriveAddress):
        parts = [address.controller, address.bus, address.unit]
        if bus == "scsi":
            parts.insert(2, address.target)
        return bus + "-".join(str(part) for part in parts)
    return f"{bus}-disk{disk_index(disk.target.dev)}"


def _controller_alias(controller: Controller, devices: Devices) -> str:
    kind, index = controller.type, controller.index or 0
    if kind == "pci":
        return f"pcie.{index}" if controller.model == "pcie-root" else f"pci.{index}"
    if index == 0 and kind == "usb":
        return "usb"
    if index == 0 and (kind == "ide" or (kind == "sata" and _on_q35(devices))):
        return "ide"  # the board's own
    return f"{kind}{index}"


def _on_q35(devices: Devices) -> bool:
    return any(each.model == "pcie-root" for each in devices.controllers)


def _console_aliases(devices: Devices) -> tuple[Any, ...]:
    """The first console of a guest with a serial port is that port."""
    found = []
    for number, console in enumerate(devices.consoles):
        is_serial = number == 0 and devices.serials and (console.target is None or console.target.type == "serial")
        found.append(_named(console, (devices.serials[0].alias or "serial0") if is_serial else f"console{number}"))
    return tuple(found)


def _with_socket(channel: Channel, directory: Path) -> Channel:
    source = channel.source
    if not isinstance(source, UnixChar) or source.path is not None:
        return channel
    target = channel.target
    name = target.name if isinstance(target, VirtioChannel) else None
    return _replace(channel, source=_replace(source, mode="bind", path=str(directory / (name or str(channel.alias)))))


# -- what the start has found out --------------------------------------------------------------


def with_ports(live: Domain, ports: Mapping[str, int], names: Mapping[str, str]) -> Domain:
    """Ports of displays and names of tap interfaces, as granted. Keys are those of the plan's needs."""
    devices = live.devices
    graphics = tuple(_with_port(each, number, ports) for number, each in enumerate(devices.graphics))
    interfaces = tuple(_with_target(each, names) for each in devices.interfaces)
    return _replace(live, devices=_replace(devices, graphics=graphics, interfaces=interfaces))


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


def _with_target(interface: Interface, names: Mapping[str, str]) -> Interface:
    name = names.get(interface.alias or "")
    if name is None:
        return interface
    return _replace(interface, target=_replace(interface.target or InterfaceTarget(), dev=name))


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


def display_address(graphics: VncGraphics) -> str | None:
    """Where a VNC display listens."""
    for listen in graphics.listens:
        if isinstance(listen, AddressListen):
            return listen.address
    return graphics.listen
