"""A network's addresses and what is given out of them: <ip>, <dhcp>, <route>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import From, SystemCallError, XmlError
from roost.model.shared.ip import Family, Ip
from roost.model.shared.switches import EMPTY
from roost.xml import Complaint, Pattern, Positive, Record, UInt, ULong, YesNo, at


def _wrong(text: str) -> Complaint:
    return Complaint(XmlError, text, domain=From.NETWORK)


_NO_ADDRESS = Complaint(
    SystemCallError, "Cannot parse socket address '%s': Name or service not known", domain=From.NONE
)


class MacAsWritten(Pattern):
    """A MAC address that keeps its spelling."""

    def __init__(self) -> None:
        super().__init__(r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}", "a MAC address such as 52:54:00:12:34:56")


class Lease(Record):
    """How long an address is given out; `expiry` 0 means for ever."""

    expiry: ULong | None = None
    unit: Literal["seconds", "minutes", "hours"] | None = None


class DhcpRange(Record):
    """Addresses that are given out, from the first to the last."""

    start: Annotated[
        Ip, at("@start", wrong=_NO_ADDRESS, missing=_wrong("Missing 'start' attribute in dhcp range for network '%n'"))
    ]  # fmt: skip
    end: Annotated[
        Ip, at("@end", wrong=_NO_ADDRESS, missing=_wrong("Missing 'end' attribute in dhcp range for network '%n'"))
    ]  # fmt: skip
    lease: Lease | None = None


class DhcpHost(Record):
    """A guest that always gets the same address, known by its MAC address, client id or name."""

    mac: Annotated[
        str | None, MacAsWritten(), at("@mac", wrong=_wrong("Cannot parse MAC address '%s' in network '%n'"))
    ] = None  # fmt: skip
    id: str | None = None
    name: str | None = None
    ip: Annotated[
        Ip | None, at("@ip", wrong=_wrong("Invalid IP address in static host definition for network '%n'"))
    ] = None  # fmt: skip
    lease: Lease | None = None


class Bootp(Record):
    """What a guest boots from the network. server: where it is, when not here."""

    file: str | None = None
    server: Annotated[Ip | None, at("@server", wrong=_NO_ADDRESS)] = None


class Dhcp(Record):
    """What is given out to guests that ask."""

    ranges: Annotated[tuple[DhcpRange, ...], at("range")] = ()
    hosts: Annotated[tuple[DhcpHost, ...], at("host")] = ()
    bootp: Annotated[Bootp | None, at("bootp", only_with="file")] = None


class NetworkIp(Record):
    """An address of the bridge, and with it a network around."""

    family: Annotated[
        Family | None, at("@family", unset=EMPTY, wrong=_wrong("Unrecognized family '%s' in network '%n'"))
    ] = None  # fmt: skip
    address: Annotated[
        Ip, at("@address", unset=EMPTY, wrong=_wrong("Invalid address '%s' in network '%n'"),
               missing=_wrong("Missing required address attribute in network '%n'")),
    ]  # fmt: skip
    netmask: Annotated[
        Ip | None, at("@netmask", unset=EMPTY, wrong=_wrong("Invalid netmask '%s' in network '%n'"))
    ] = None  # fmt: skip
    prefix: Annotated[UInt | None, at("@prefix", unset=("0",))] = None
    local_ptr: Annotated[YesNo | None, at("@localPtr")] = None
    tftp_root: Annotated[str | None, at("tftp/@root", unset=EMPTY)] = None
    dhcp: Dhcp | None = None


class NetworkRoute(Record):
    """A network behind a gateway on this one. Without an address: all there is."""

    family: Annotated[
        Family | None, at("@family", wrong=_wrong("%n: Unrecognized family '%s' in route definition"))
    ] = None  # fmt: skip
    address: Annotated[
        Ip | None, at("@address", wrong=_wrong("%n: Bad network address '%s' in route definition"))
    ] = None  # fmt: skip
    netmask: Annotated[
        Ip | None, at("@netmask", wrong=_wrong("%n: Bad netmask address '%s' in route definition"))
    ] = None  # fmt: skip
    prefix: UInt | None = None
    gateway: Annotated[
        Ip, at("@gateway", wrong=_wrong("%n: Bad gateway address '%s' in route definition"),
               missing=_wrong("%n: Missing required gateway attribute in route definition")),
    ]  # fmt: skip
    metric: Positive | None = None


__all__ = ["Bootp", "Dhcp", "DhcpHost", "DhcpRange", "Lease", "MacAsWritten", "NetworkIp", "NetworkRoute"]
