"""Defaults of network interfaces, input devices and the balloon."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from roost.model.domain.devices.small import Input, MemBalloon
from roost.model.domain.draft import Draft

_PS2 = (Input(type="mouse", bus="ps2"), Input(type="keyboard", bus="ps2"))
#: Input devices that QEMU emulates: a host device named for one of them is ignored.
_WITHOUT_SOURCE = frozenset(("mouse", "tablet", "keyboard"))
_BALLOON = MemBalloon(model="virtio")


def complete_interfaces(draft: Draft) -> None:
    for place, interface in enumerate(draft.interfaces):
        if interface.mac is None or interface.model is None:
            draft.interfaces[place] = replace(
                interface,
                mac=interface.mac or random_mac(draft.entropy),
                model=interface.model or default_interface(draft),
            )


def random_mac(entropy: Callable[[int], bytes]) -> str:
    """A unicast address in QEMU's range 52:54:00."""
    tail = entropy(3)
    return f"52:54:00:{tail[0]:02x}:{tail[1]:02x}:{tail[2]:02x}"


def default_interface(draft: Draft) -> str:
    return draft.choose(draft.board.interface) or "rtl8139"


def complete_inputs(draft: Draft) -> None:
    """A bus for those without; x86 guests always have a PS/2 mouse and keyboard."""
    ps2 = draft.board.ps2
    present: set[tuple[str, str | None]] = set()
    for place, device in enumerate(draft.inputs):
        if device.source is not None and device.type in _WITHOUT_SOURCE:
            draft.inputs[place] = device = replace(device, source=None)
        if device.bus is None:
            bus = _input_bus(device, ps2)
            if bus is not None:
                draft.inputs[place] = device = replace(device, bus=bus)
        present.add((device.type, device.bus))
    if ps2:
        draft.inputs.extend(device for device in _PS2 if (device.type, device.bus) not in present)


def _input_bus(device: Input, ps2: bool) -> str | None:
    if device.type == "evdev":
        return None
    if ps2 and device.type in ("mouse", "keyboard"):
        return "ps2"
    return "virtio" if device.type == "passthrough" else "usb"


def complete_balloon(draft: Draft) -> None:
    if not draft.memballoon:
        if draft.board.balloon:
            draft.memballoon.append(_BALLOON)
    elif draft.memballoon[0].model == "none":
        draft.memballoon[0] = MemBalloon(model="none")


__all__ = [
    "complete_balloon", "complete_inputs", "complete_interfaces", "default_interface", "random_mac",
]  # fmt: skip
