"""What a network's name server knows: <dns>, <domain>."""

from __future__ import annotations

from typing import Annotated

from roost.errors import From, XmlDetail, XmlError
from roost.model.shared.ip import Ip
from roost.xml import Complaint, Integer, Record, UInt, YesNo, at


def _wrong(text: str) -> Complaint:
    return Complaint(XmlDetail, text, domain=From.NETWORK)


class DnsDomain(Record):
    """The domain that guests are in. local_only: its names are not asked for elsewhere."""

    name: str | None = None
    local_only: Annotated[YesNo | None, at("@localOnly")] = None
    register: YesNo | None = None


class Forwarder(Record):
    """Where to ask for the names of a domain, or for all names."""

    domain: str | None = None
    addr: Annotated[
        Ip | None,
        at("@addr",
           wrong=Complaint(XmlError, "Invalid forwarder IP address '%s' in network '%n'", domain=From.NETWORK)),
    ] = None  # fmt: skip
    port: Annotated[int, Integer(1, 65535)] | None = None


class TxtRecord(Record):
    """A text under a name."""

    name: Annotated[str, at("@name", missing=_wrong("missing required name attribute in DNS TXT record of network %n"))]
    value: str | None = None


class SrvRecord(Record):
    """Where a service is; port, priority and weight belong to a target."""

    service: Annotated[
        str,
        at("@service", missing=_wrong("missing required service attribute in DNS SRV record of network '%n'")),
    ]  # fmt: skip
    protocol: str | None = None
    domain: str | None = None
    target: str | None = None
    port: Annotated[UInt | None, at("@port", wrong=_wrong("invalid DNS SRV port attribute in network '%n'"))] = None
    priority: Annotated[
        UInt | None, at("@priority", wrong=_wrong("Invalid DNS SRV priority attribute in network '%n'"))
    ] = None  # fmt: skip
    weight: Annotated[
        UInt | None, at("@weight", wrong=_wrong("invalid DNS SRV weight attribute in network '%n'"))
    ] = None  # fmt: skip


class HostRecord(Record):
    """The names of an address."""

    ip: Annotated[
        Ip, at("@ip", wrong=_wrong("Invalid IP address in network '%n' DNS HOST record"),
               missing=_wrong("Missing IP address in network '%n' DNS HOST record")),
    ]  # fmt: skip
    hostnames: Annotated[tuple[str, ...], at("hostname")] = ()


class Dns(Record):
    """The records that guests are answered with, and who is asked for the rest."""

    enable: YesNo | None = None
    forward_plain_names: Annotated[YesNo | None, at("@forwardPlainNames")] = None
    forwarders: Annotated[tuple[Forwarder, ...], at("forwarder")] = ()
    txts: Annotated[tuple[TxtRecord, ...], at("txt")] = ()
    srvs: Annotated[tuple[SrvRecord, ...], at("srv")] = ()
    hosts: Annotated[tuple[HostRecord, ...], at("host")] = ()


__all__ = ["Dns", "DnsDomain", "Forwarder", "HostRecord", "SrvRecord", "TxtRecord"]
