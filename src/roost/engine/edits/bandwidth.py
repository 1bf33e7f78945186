"""<bandwidth> of a single interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import typed_params as T
from roost.contract.typed_params import TypedParam, uint
from roost.errors import From, InvalidArg
from roost.model.domain import Domain
from roost.model.domain.devices.interface import Interface, InterfaceBandwidth
from roost.model.shared.bandwidth import Rate

#: The parameters: direction and field, in the order of libvirt's answer.
_FIELDS: Mapping[str, tuple[str, str]] = {
    D.BANDWIDTH_IN_AVERAGE: ("inbound", "average"),
    D.BANDWIDTH_IN_PEAK: ("inbound", "peak"),
    D.BANDWIDTH_IN_BURST: ("inbound", "burst"),
    D.BANDWIDTH_IN_FLOOR: ("inbound", "floor"),
    D.BANDWIDTH_OUT_AVERAGE: ("outbound", "average"),
    D.BANDWIDTH_OUT_PEAK: ("outbound", "peak"),
    D.BANDWIDTH_OUT_BURST: ("outbound", "burst"),
}
PARAMETERS: Mapping[str, int] = dict.fromkeys(_FIELDS, T.UINT)


def find_interface(document: Domain, device: str) -> Interface:
    """By its MAC address or its name on the host. Raises InvalidArg."""
    for interface in document.devices.interfaces:
        name = interface.target.dev if interface.target is not None else None
        if device.lower() == (interface.mac or "").lower() or (name and name == device):
            return interface
    raise InvalidArg(
        f"'{device}' is not a known interface", domain=From.DOMAIN, hint="name its target device or MAC address"
    )


def merged(interface: Interface, values: Mapping[str, int]) -> InterfaceBandwidth | None:
    """The limits with `values` set: a direction with an average or a floor is replaced whole, with 0 it is removed."""
    before = interface.bandwidth or InterfaceBandwidth()
    changes: dict[str, Any] = {}
    for direction in ("inbound", "outbound"):
        given = {field: values[name] for name, (way, field) in _FIELDS.items() if way == direction and name in values}
        if given.get("average") or given.get("floor"):
            changes[direction] = Rate(**{field: value or None for field, value in given.items()})
        elif "average" in given or "floor" in given:
            changes[direction] = None
    after = replace(before, **changes)
    return None if after == InterfaceBandwidth() else after


def with_bandwidth(document: Domain, interface: Interface, bandwidth: InterfaceBandwidth | None) -> Domain:
    """The document with the limits of an interface changed."""
    interfaces = tuple(
        replace(each, bandwidth=bandwidth) if each.mac == interface.mac else each
        for each in document.devices.interfaces
    )
    return replace(document, devices=replace(document.devices, interfaces=interfaces))


def shown(bandwidth: InterfaceBandwidth | None) -> Sequence[TypedParam]:
    """All parameters."""
    own = bandwidth or InterfaceBandwidth()
    return [uint(name, getattr(getattr(own, way), field, None) or 0) for name, (way, field) in _FIELDS.items()]


__all__ = ["PARAMETERS", "find_interface", "merged", "shown", "with_bandwidth"]
