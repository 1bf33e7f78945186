"""USB devices that a client hands over."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.chardevs import backend, chardev_id, source_needs
from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.pieces import Piece, device
from roost.drivers.qemu.plan.resources import File, Listener, Log
from roost.model.domain.devices.redirdev import Redirdev, RedirFilter, RedirUsbDevice


def _number(value: int | None, digits: int) -> str:
    return "-1" if value is None else f"0x{value:0{digits}X}"


def _version(text: str | None) -> str:
    """A version's digits, as devices say them: 1.10 is 0x0110."""
    if text is None:
        return "-1"
    major, _, minor = text.partition(".")
    return f"0x{major:0>2}{minor}"


def _rule(rule: RedirUsbDevice) -> str:
    parts = (_number(rule.class_, 2), _number(rule.vendor, 4), _number(rule.product, 4), _version(rule.version))
    return ":".join((*parts, "1" if rule.allow else "0"))


def _filter(rules: RedirFilter | None) -> str | None:
    return "|".join(map(_rule, rules.rules)) or None if rules is not None else None


def pieces(redirdev: Redirdev, ctx: Context) -> Iterator[Piece]:
    alias = alias_of(redirdev)
    yield from backend(redirdev.source, chardev_id(alias), ctx, "usbredir")
    props = {
        "driver": ctx.driver("usb-redir", "USB redirection"),
        "chardev": chardev_id(alias),
        "id": alias,
        "filter": _filter(ctx.domain.devices.redirfilter),
        "bootindex": redirdev.boot.order if redirdev.boot is not None else None,
    }
    yield device(props | ctx.address(redirdev))


def section(ctx: Context) -> Iterator[Piece]:
    for redirdev in ctx.domain.devices.redirdevs:
        yield from pieces(redirdev, ctx)


def needs(ctx: Context) -> Iterator[File | Listener | Log]:
    for redirdev in ctx.domain.devices.redirdevs:
        alias = alias_of(redirdev)
        yield from source_needs(redirdev.source, chardev_id(alias), alias)
