"""Keyboards, mice and tablets."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.pieces import Piece, compact, device
from roost.drivers.qemu.plan.resources import File
from roost.errors import ConfigUnsupported, From
from roost.model.domain.devices.small import Input

_USB = {"mouse": "usb-mouse", "tablet": "usb-tablet", "keyboard": "usb-kbd"}
_VIRTIO = {
    "mouse": "virtio-mouse",
    "tablet": "virtio-tablet",
    "keyboard": "virtio-keyboard",
    "passthrough": "virtio-input-host",
}


def pieces(input: Input, ctx: Context) -> Iterator[Piece]:
    """The device; none for PS/2, which the board brings."""
    alias = alias_of(input)
    source = input.source
    if input.type == "evdev":
        path = source.dev if source is not None else None
        data = {
            "qom-type": "input-linux",
            "id": alias,
            "evdev": path,
            "repeat": source.repeat if source is not None else None,
            "grab_all": True if source is not None and source.grab == "all" else None,
            "grab-toggle": source.grab_toggle if source is not None else None,
        }
        yield Piece("object", compact(data))
    elif input.bus == "usb":
        name = _USB.get(input.type)
        if name is None:
            raise ConfigUnsupported(
                f"usb bus does not support '{input.type}' input device",
                domain=From.QEMU,
                hint="use one of " + ", ".join(_USB),
            )
        yield device({"driver": ctx.driver(name, f"{input.bus} {input.type}"), "id": alias, **ctx.address(input)})
    elif input.bus == "virtio":
        props = ctx.virtio(_VIRTIO[input.type], input, input.driver)
        evdev = source.evdev if source is not None and input.type == "passthrough" else None
        yield device(props | {"id": alias, "evdev": evdev, **ctx.address(input)})


def section(ctx: Context) -> Iterator[Piece]:
    for input in ctx.domain.devices.inputs:
        yield from pieces(input, ctx)


def needs(ctx: Context) -> Iterator[File]:
    for input in ctx.domain.devices.inputs:
        path = (input.source.evdev or input.source.dev) if input.source is not None else None
        if path is not None:
            yield File(path, write=True, user=alias_of(input), kind="device")
