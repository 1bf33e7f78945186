"""Defaults of character devices: target kinds and ports, and the console that mirrors the first serial port."""

from __future__ import annotations

from typing import Any, cast

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From
from roost.model.domain.device import VirtioSerialAddress
from roost.model.domain.devices.chardev import (
    AnyChannelTarget,
    Console,
    ConsoleTarget,
    ParallelTarget,
    Serial,
    SerialTarget,
    SerialTargetModel,
    UnixChar,
    VirtioChannel,
)
from roost.model.domain.draft import Draft

#: QEMU's device of each kind of serial port.
_SERIAL_MODELS: dict[str, SerialTargetModel] = {
    "isa-serial": "isa-serial",
    "usb-serial": "usb-serial",
    "pci-serial": "pci-serial",
    "spapr-vio-serial": "spapr-vty",
    "sclp-serial": "sclpconsole",
    "isa-debug": "isa-debugcon",
}
#: Serial ports that a <console> stands for.
_CONSOLE_TARGETS = frozenset(("isa-serial", "spapr-vio-serial", "system-serial", "sclp-serial", None))


def complete_serials(draft: Draft) -> None:
    for place, serial in enumerate(draft.serials):
        draft.serials[place] = _serial(draft, serial)


def _serial(draft: Draft, serial: Serial) -> Serial:
    target = serial.target or SerialTarget()
    kind = target.type
    if kind in (None, "isa-serial"):
        # ISA was the default before other boards had one of their own: there it means that.
        kind = cast(Any, draft.board.serial)
    model = target.model
    if model is None and kind is not None:
        model = cast(Any, draft.board.serial_model) if kind == "system-serial" else _SERIAL_MODELS.get(kind)
    port = target.port
    if port is None:
        port = _next_port(draft.serials)
    source = serial.source
    if isinstance(source, UnixChar) and source.path is None and source.mode != "bind":
        source = replace(source, mode="bind")
    if kind is target.type and model is target.model and port is target.port and source is serial.source:
        return serial
    return replace(serial, source=source, target=SerialTarget(type=kind, port=port, model=model))


def _next_port(devices: list[Any]) -> int:
    return max((-1 if d.target is None or d.target.port is None else d.target.port for d in devices), default=-1) + 1


def complete_parallels(draft: Draft) -> None:
    for place, parallel in enumerate(draft.parallels):
        if parallel.target is None or parallel.target.port is None:
            port = _next_port(draft.parallels[:place])
            draft.parallels[place] = replace(parallel, target=ParallelTarget(port=port))


def complete_consoles(draft: Draft) -> None:
    for place, console in enumerate(draft.consoles):
        target = console.target or ConsoleTarget()
        port = target.port
        if target.type == "virtio":
            # They are numbered by their place; one before which the serial console was put keeps its number.
            port = place if port is None else min(port, place)
        if target.type is None or target.port is None or port != target.port:
            port = _next_port(draft.consoles) if port is None else port
            draft.consoles[place] = replace(console, target=replace(target, type=target.type or "serial", port=port))


def complete_channels(draft: Draft) -> None:
    """Sockets that the driver makes have neither path nor mode."""
    for place, channel in enumerate(draft.channels):
        source = channel.source
        if not isinstance(source, UnixChar):
            continue
        if source.path is not None and _is_generated(source.path, channel.target):
            source = replace(source, path=None, mode=None)
        elif source.path is None and source.mode is not None:
            # The driver makes the socket, so the mode says nothing.
            source = replace(source, mode=None)
        if source is not channel.source:
            draft.channels[place] = replace(channel, source=source)


def _is_generated(path: str, target: AnyChannelTarget) -> bool:
    """Whether a driver made the path for a guest that ran: a definition does not keep it."""
    if not isinstance(target, VirtioChannel) or target.name is None:
        return False
    _, found, rest = path.partition("/channel/target/")
    directory, slash, name = rest.partition("/")
    if slash:
        return bool(found) and directory.startswith("domain-") and name == target.name
    return bool(found) and rest.endswith("." + target.name)


def pair_console(draft: Draft) -> None:
    """The first console is the first serial port under another name; each is made from the other where one lacks."""
    consoles, serials = draft.consoles, draft.serials
    for console in consoles[1:]:
        if console.target is None or console.target.type in (None, "serial"):
            raise ConfigUnsupported(
                "Only the first console can be a serial port",
                domain=From.DOMAIN,
                hint="give the other consoles <target type='virtio'/>, or use <serial>",
            )
    if consoles and _is_serial(consoles[0]):
        if not serials:
            first = consoles[0]
            serial = Serial(source=first.source, alias=first.alias, address=first.address, target=SerialTarget(port=0))
            serials.append(_serial(draft, serial))
    elif serials and _target_type(serials[0]) in _CONSOLE_TARGETS:
        consoles.insert(0, Console(target=ConsoleTarget(type="serial", port=0)))


def _is_serial(console: Console) -> bool:
    return console.target is None or console.target.type in (None, "serial")


def _target_type(serial: Serial) -> str | None:
    return serial.target.type if serial.target else None


def mirror_console(draft: Draft) -> None:
    """Show in the first console what the first serial port became."""
    if not draft.consoles or not draft.serials or not _is_serial(draft.consoles[0]):
        return
    serial = draft.serials[0]
    port = serial.target.port if serial.target else 0
    draft.consoles[0] = Console(
        source=serial.source,
        target=ConsoleTarget(type="serial", port=port),
        alias=serial.alias,
        address=serial.address,
    )


def add_virtio_serial_controllers(draft: Draft) -> None:
    for channel in draft.channels:
        if isinstance(channel.target, VirtioChannel):
            _ensure_for(draft, channel.address)
    for console in draft.consoles:
        if console.target is not None and console.target.type == "virtio":
            _ensure_for(draft, console.address)


def _ensure_for(draft: Draft, address: object) -> None:
    index = address.controller if isinstance(address, VirtioSerialAddress) else 0
    draft.ensure_controller("virtio-serial", index)


__all__ = [
    "add_virtio_serial_controllers", "complete_channels", "complete_consoles", "complete_parallels",
    "complete_serials", "mirror_console", "pair_console",
]  # fmt: skip
