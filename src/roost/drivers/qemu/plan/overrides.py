"""What the document says about single properties of devices: `<qemu:override>`, the last word."""

from __future__ import annotations

from roost.drivers.qemu.plan.pieces import Piece, Props
from roost.errors import From, XmlError
from roost.model.domain.qemu import QemuDeviceOverride, QemuOverride, QemuProperty


class Overrides:
    """The overrides of one document, by the alias of the device."""

    __slots__ = ("_by_alias",)

    def __init__(self, override: QemuOverride | None) -> None:
        self._by_alias: dict[str, QemuDeviceOverride] = {}
        for device in override.devices if override is not None else ():
            self._by_alias.setdefault(device.alias, device)

    def applied(self, piece: Piece) -> Piece:
        """`piece` with its device's properties replaced, added and taken away. Raises XmlError for a bad value."""
        if piece.kind != "device":
            return piece
        override = self._by_alias.get(str(piece.data.get("id", "")))
        if override is None:
            return piece
        data: Props = dict(piece.data)
        for each in override.properties:
            if each.type == "remove":
                data.pop(each.name, None)
            else:
                data[each.name] = value_of(each)
        return Piece(piece.kind, data)


def value_of(each: QemuProperty) -> str | int | bool:
    """The value as QEMU takes it. Raises XmlError."""
    text = each.value or ""
    if each.type == "string":
        return text
    try:
        if each.type == "bool":
            return {"true": True, "false": False}[text]
        number = int(text)
    except (KeyError, ValueError):
        raise XmlError(
            f"invalid value '{text}' of 'value' attribute of 'qemu:property'",
            domain=From.QEMU,
            hint="'true' or 'false'" if each.type == "bool" else "a whole number",
        ) from None
    return number
