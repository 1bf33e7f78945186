"""Which interfaces can be bounded, and what that is to the host."""

from __future__ import annotations

from collections.abc import Mapping

from roost.constants import domain as D
from roost.errors import ConfigUnsupported, From, OperationUnsupported
from roost.host.api import Rate
from roost.model.domain.devices.interface import Interface, InterfaceBandwidth

#: The types whose interface on the host can be shaped.
_SHAPED = frozenset(("bridge", "network", "direct", "ethernet"))


def check(interface: Interface, values: Mapping[str, int]) -> None:
    """Raises ConfigUnsupported for an interface that cannot be shaped, OperationUnsupported for a floor."""
    if interface.type not in _SHAPED:
        text = f"setting bandwidth on interfaces of type '{interface.type}' is not implemented yet"
        raise ConfigUnsupported(text, domain=From.QEMU, hint=f"of type {', '.join(sorted(_SHAPED))} it can be set")
    if values.get(D.BANDWIDTH_IN_FLOOR) and interface.type != "network":
        raise OperationUnsupported(
            f"Invalid use of 'floor' on interface with MAC address {interface.mac} - 'floor' is only supported for "
            "interface type 'network' with forward type 'nat', 'route', 'open' or none",
            domain=From.QEMU,
        )


def rates(interface: Interface, bandwidth: InterfaceBandwidth | None) -> tuple[Rate | None, Rate | None]:
    """(sent, received) as the host sees them: of a tap the other way round than its guest does."""
    own = bandwidth or InterfaceBandwidth()
    inbound, outbound = (
        None if rate is None else Rate(rate.average or 0, rate.peak or 0, rate.burst or 0)
        for rate in (own.inbound, own.outbound)
    )
    return (outbound, inbound) if interface.type == "direct" else (inbound, outbound)


__all__ = ["check", "rates"]
