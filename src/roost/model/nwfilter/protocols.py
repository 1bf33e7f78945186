"""What a rule looks at in a packet: one record for each protocol, fields in libvirt's order.

The records build on one another as headers do: Ethernet below IP, IP below the
protocols that it carries. Every field is text, a value or a variable.
"""

from __future__ import annotations

from typing import Annotated

from roost.model.nwfilter.values import (
    U8,
    U16,
    U32,
    Boolean,
    CommentText,
    Decimal16,
    Dscp,
    EitherIp,
    Encapsulated,
    EtherType,
    Flags,
    IpProtocol,
    Ipv4,
    Ipv4Mask,
    Ipv6,
    Ipv6Mask,
    MacAddress,
    MacMask,
    Opcode,
    SetFlags,
    SetName,
    States,
    VlanId,
)
from roost.xml import Record, Switch, at


class NoMatch(Switch):
    """`no` for packets that do not have the values; whatever else means that they do."""

    complete = False

    def __init__(self) -> None:
        super().__init__("yes", "no")
        self.table = {"no": False}

    def parse(self, text: str) -> bool | None:
        return False if text == "no" else None


class Match(Record, tag_field="element"):
    """What packets have, or with `match` False do not have; `AnyMatch` is the union of its members."""

    match: Annotated[bool | None, NoMatch(), at("@match", order=-1)] = None
    comment: Annotated[CommentText | None, at("@comment", order=9)] = None


class EthernetMatch(Match):
    """What every Ethernet frame has."""

    srcmacaddr: MacAddress | None = None
    srcmacmask: MacMask | None = None
    dstmacaddr: MacAddress | None = None
    dstmacmask: MacMask | None = None


class MacMatch(EthernetMatch, tag="mac"):
    """Ethernet frames. protocolid: what they carry."""

    protocolid: EtherType | None = None


class VlanMatch(EthernetMatch, tag="vlan"):
    """Tagged frames. encap_protocol: what they carry."""

    vlanid: VlanId | None = None
    encap_protocol: Annotated[Encapsulated | None, at("@encap-protocol")] = None


class StpMatch(Match, tag="stp"):
    """Spanning tree. The fields in `_hi` are the other end of a range."""

    srcmacaddr: MacAddress | None = None
    srcmacmask: MacMask | None = None
    type: U8 | None = None
    flags: U8 | None = None
    root_priority: Annotated[U16 | None, at("@root-priority")] = None
    root_priority_hi: Annotated[U16 | None, at("@root-priority-hi")] = None
    root_address: Annotated[MacAddress | None, at("@root-address")] = None
    root_address_mask: Annotated[MacMask | None, at("@root-address-mask")] = None
    root_cost: Annotated[U32 | None, at("@root-cost")] = None
    root_cost_hi: Annotated[U32 | None, at("@root-cost-hi")] = None
    sender_priority: Annotated[U16 | None, at("@sender-priority")] = None
    sender_priority_hi: Annotated[U16 | None, at("@sender-priority-hi")] = None
    sender_address: Annotated[MacAddress | None, at("@sender-address")] = None
    sender_address_mask: Annotated[MacMask | None, at("@sender-address-mask")] = None
    port: U16 | None = None
    port_hi: Annotated[U16 | None, at("@port-hi")] = None
    age: U16 | None = None
    age_hi: Annotated[U16 | None, at("@age-hi")] = None
    max_age: Annotated[U16 | None, at("@max-age")] = None
    max_age_hi: Annotated[U16 | None, at("@max-age-hi")] = None
    hello_time: Annotated[U16 | None, at("@hello-time")] = None
    hello_time_hi: Annotated[U16 | None, at("@hello-time-hi")] = None
    forward_delay: Annotated[U16 | None, at("@forward-delay")] = None
    forward_delay_hi: Annotated[U16 | None, at("@forward-delay-hi")] = None


class ArpMatch(EthernetMatch, tag="arp"):
    """Questions for the MAC address of an IP address, and answers."""

    hwtype: U16 | None = None
    protocoltype: U16 | None = None
    opcode: Opcode | None = None
    arpsrcmacaddr: MacAddress | None = None
    arpdstmacaddr: MacAddress | None = None
    arpsrcipaddr: Ipv4 | None = None
    arpsrcipmask: Ipv4Mask | None = None
    arpdstipaddr: Ipv4 | None = None
    arpdstipmask: Ipv4Mask | None = None
    gratuitous: Boolean | None = None


class RarpMatch(ArpMatch, tag="rarp"):
    """Questions for the IP address of a MAC address, and answers."""


class IpMatch(EthernetMatch, tag="ip"):
    """IPv4, looked at below its connections."""

    srcipaddr: Ipv4 | None = None
    srcipmask: Ipv4Mask | None = None
    dstipaddr: Ipv4 | None = None
    dstipmask: Ipv4Mask | None = None
    protocol: IpProtocol | None = None
    srcportstart: U16 | None = None
    srcportend: U16 | None = None
    dstportstart: U16 | None = None
    dstportend: U16 | None = None
    dscp: Dscp | None = None


class Ipv6Match(EthernetMatch, tag="ipv6"):
    """IPv6, looked at below its connections. type, code: of ICMPv6, from and to."""

    srcipaddr: Ipv6 | None = None
    srcipmask: Ipv6Mask | None = None
    dstipaddr: Ipv6 | None = None
    dstipmask: Ipv6Mask | None = None
    protocol: IpProtocol | None = None
    srcportstart: U16 | None = None
    srcportend: U16 | None = None
    dstportstart: U16 | None = None
    dstportend: U16 | None = None
    type: U8 | None = None
    typeend: U8 | None = None
    code: U8 | None = None
    codeend: U8 | None = None


class CarriedByIpv4(Match):
    """What every protocol above IPv4 has."""

    srcmacaddr: MacAddress | None = None
    srcipaddr: Ipv4 | None = None
    srcipmask: Ipv4Mask | None = None
    dstipaddr: Ipv4 | None = None
    dstipmask: Ipv4Mask | None = None
    srcipfrom: Ipv4 | None = None
    srcipto: Ipv4 | None = None
    dstipfrom: Ipv4 | None = None
    dstipto: Ipv4 | None = None
    dscp: Dscp | None = None
    connlimit_above: Annotated[Decimal16 | None, at("@connlimit-above")] = None
    state: States | None = None
    ipset: SetName | None = None
    ipsetflags: SetFlags | None = None


class CarriedByIpv6(Match):
    """What every protocol above IPv6 has."""

    srcmacaddr: MacAddress | None = None
    srcipaddr: Ipv6 | None = None
    srcipmask: Ipv6Mask | None = None
    dstipaddr: Ipv6 | None = None
    dstipmask: Ipv6Mask | None = None
    srcipfrom: Ipv6 | None = None
    srcipto: Ipv6 | None = None
    dstipfrom: Ipv6 | None = None
    # libvirt takes an address of the other version here, and by mistake no other.
    dstipto: EitherIp | None = None
    dscp: Dscp | None = None
    connlimit_above: Annotated[Decimal16 | None, at("@connlimit-above")] = None
    state: States | None = None
    ipset: SetName | None = None
    ipsetflags: SetFlags | None = None


class Ipv4Ports(CarriedByIpv4):
    """Above IPv4, with ports."""

    srcportstart: U16 | None = None
    srcportend: U16 | None = None
    dstportstart: U16 | None = None
    dstportend: U16 | None = None


class Ipv6Ports(CarriedByIpv6):
    """Above IPv6, with ports."""

    srcportstart: U16 | None = None
    srcportend: U16 | None = None
    dstportstart: U16 | None = None
    dstportend: U16 | None = None


class TcpMatch(Ipv4Ports, tag="tcp"):
    """TCP above IPv4."""

    option: U8 | None = None
    flags: Flags | None = None


class UdpMatch(Ipv4Ports, tag="udp"):
    """UDP above IPv4."""


class SctpMatch(Ipv4Ports, tag="sctp"):
    """SCTP above IPv4."""


class IcmpMatch(CarriedByIpv4, tag="icmp"):
    """ICMP above IPv4."""

    type: U8 | None = None
    code: U8 | None = None


class IgmpMatch(CarriedByIpv4, tag="igmp"):
    """IGMP above IPv4."""


class AllMatch(CarriedByIpv4, tag="all"):
    """Every packet above IPv4."""


class EspMatch(CarriedByIpv4, tag="esp"):
    """Encrypted packets of IPsec above IPv4."""


class AhMatch(CarriedByIpv4, tag="ah"):
    """Authenticated packets of IPsec above IPv4."""


class UdpliteMatch(CarriedByIpv4, tag="udplite"):
    """UDP-Lite above IPv4."""


class Tcp6Match(Ipv6Ports, tag="tcp-ipv6"):
    """TCP above IPv6."""

    option: U8 | None = None
    flags: Flags | None = None


class Udp6Match(Ipv6Ports, tag="udp-ipv6"):
    """UDP above IPv6."""


class Sctp6Match(Ipv6Ports, tag="sctp-ipv6"):
    """SCTP above IPv6."""


class Icmp6Match(CarriedByIpv6, tag="icmpv6"):
    """ICMPv6."""

    type: U8 | None = None
    code: U8 | None = None


class All6Match(CarriedByIpv6, tag="all-ipv6"):
    """Every packet above IPv6."""


class Esp6Match(CarriedByIpv6, tag="esp-ipv6"):
    """Encrypted packets of IPsec above IPv6."""


class Ah6Match(CarriedByIpv6, tag="ah-ipv6"):
    """Authenticated packets of IPsec above IPv6."""


class Udplite6Match(CarriedByIpv6, tag="udplite-ipv6"):
    """UDP-Lite above IPv6."""


AnyMatch = (
    MacMatch
    | VlanMatch
    | StpMatch
    | ArpMatch
    | RarpMatch
    | IpMatch
    | Ipv6Match
    | TcpMatch
    | UdpMatch
    | SctpMatch
    | IcmpMatch
    | IgmpMatch
    | AllMatch
    | EspMatch
    | AhMatch
    | UdpliteMatch
    | Tcp6Match
    | Udp6Match
    | Sctp6Match
    | Icmp6Match
    | All6Match
    | Esp6Match
    | Ah6Match
    | Udplite6Match
)

__all__ = [
    "Ah6Match", "AhMatch", "All6Match", "AllMatch", "AnyMatch", "ArpMatch", "CarriedByIpv4", "CarriedByIpv6",
    "Esp6Match", "EspMatch", "EthernetMatch", "Icmp6Match", "IcmpMatch", "IgmpMatch", "IpMatch", "Ipv4Ports",
    "Ipv6Match", "Ipv6Ports", "MacMatch", "Match", "RarpMatch", "Sctp6Match", "SctpMatch", "StpMatch", "Tcp6Match",
    "TcpMatch", "Udp6Match", "UdpMatch", "Udplite6Match", "UdpliteMatch", "VlanMatch",
]  # fmt: skip
