"""Defaults of input devices and the balloon."""

from __future__ import annotations

from msgspec.structs import replace

from roost.model.domain.boards import Board
from roost.model.domain.devices.small import Input, MemBalloon
from roost.model.domain.draft import Draft

_USB = (Input(type="keyboard", bus="usb"), Input(type="mouse", bus="usb"))
_PS2 = (Input(type="mouse", bus="ps2"), Input(type="keyboard", bus="ps2"))
#: Input devices that QEMU emulates: a host device named for one of them is ignored.
_WITHOUT_SOURCE = frozenset(("mouse", "tablet", "keyboard"))
_BALLOON = MemBalloon(model="virtio")


def complete_inputs(draft: Draft) -> None:
    """A bus for those without; x86 guests always have a PS/2 mouse and keyboard."""
    ps2 = draft.board.ps2
    present: set[tuple[str, str | None]] = set()
    for place, device in enumerate(draft.inputs):
        if device.source is not None and device.type in _WITHOUT_SOURCE:
            draft.inputs[place] = device = replace(device, source=None)
        if device.bus is None:
            bus = _input_bus(device, draft.board)
            if bus is not None:
                draft.inputs[place] = device = replace(device, bus=bus)
        present.add((device.type, device.bus))
    if ps2:
        draft.inputs.extend(device for device in _PS2 if (device.type, device.bus) not in present)
    if draft.board.usb_inputs and draft.graphics:
        wanted = _USB[:1] if ("tablet", "usb") in present else _USB
        draft.inputs.extend(device for device in wanted if (device.type, device.bus) not in present)


def _input_bus(device: Input, board: Board) -> str | None:
    if device.type == "evdev":
        return None
    if board.ps2 and device.type in ("mouse", "keyboard"):
        return "ps2"
    return "virtio" if device.type == "passthrough" else board.input_bus


def complete_balloon(draft: Draft) -> None:
    if not draft.memballoon:
        if draft.board.balloon:
            draft.memballoon.append(_BALLOON)
        return
    balloon = draft.memballoon[0]
    if balloon.model == "none":
        draft.memballoon[0] = balloon = replace(balloon, alias=None, address=None, acpi_index=None)
    if balloon.stats_period is not None and balloon.stats_period < 0:
        draft.memballoon[0] = replace(balloon, stats_period=None)


__all__ = ["complete_balloon", "complete_inputs"]
