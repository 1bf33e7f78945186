"""Devices, attached, detached and changed."""

from __future__ import annotations

from roost.constants import domain as D
from roost.contract.devices import Devices
from roost.rpc.routes import Values, nothing, row


def _live(values: Values) -> Values:
    """The procedures without flags are about the running domain."""
    return (*values, D.AFFECT_LIVE)


ROWS = (
    row("DOMAIN_ATTACH_DEVICE", Devices, "attach", nothing, _live),
    row("DOMAIN_ATTACH_DEVICE_FLAGS", Devices, "attach", nothing),
    row("DOMAIN_DETACH_DEVICE", Devices, "detach", nothing, _live),
    row("DOMAIN_DETACH_DEVICE_FLAGS", Devices, "detach", nothing),
    row("DOMAIN_DETACH_DEVICE_ALIAS", Devices, "detach_alias", nothing),
    row("DOMAIN_ANNOUNCE_INTERFACE", Devices, "announce", nothing),
    row("DOMAIN_UPDATE_DEVICE_FLAGS", Devices, "update", nothing),
)
