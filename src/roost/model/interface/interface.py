"""Interfaces of the host: <interface> as the interface driver has it, not as guests do."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import From, XmlError
from roost.model.shared.ip import Family
from roost.model.shared.link import Link
from roost.xml import Complaint, Flag, Int, Integer, Record, Switch, UInt, YesNo, at, inline

BondMode = Literal[
    "balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb",
]  # fmt: skip


def _wrong(text: str) -> Complaint:
    return Complaint(XmlError, text, domain=From.INTERFACE)


_NO_NAME = _wrong("interface has no name")
_UNSUPPORTED = _wrong("interface has unsupported type '%s'")


class InterfaceKind(Record, tag_field="type"):
    """What an interface is; the members of the unions below."""


class Ethernet(InterfaceKind, tag="ethernet"):
    """A network card, or what acts like one."""

    mac: Annotated[str | None, at("mac/@address")] = None


class VlanSettings(Record):
    """The tag, and the interface whose packets have it."""

    tag: Annotated[str, at("@tag", missing=_wrong("vlan interface misses the tag attribute"))]
    device: Annotated[str, at("interface/@name", missing=_wrong("vlan interface misses name attribute"))]


class VlanInterface(InterfaceKind, tag="vlan"):
    """The packets of another interface that have a tag."""

    vlan: Annotated[VlanSettings, at("vlan", missing=_wrong("vlan interface misses the vlan element"))]


class BondMember(Record):
    """An interface of a bond."""

    name: Annotated[str, at("@name", missing=_NO_NAME)]
    link: Link | None = None
    kind: Annotated[Ethernet, inline(wrong=_UNSUPPORTED)]


class MiiMonitor(Record):
    """Watches the carrier of a bond's interfaces; times in milliseconds."""

    freq: Annotated[
        Int,
        at("@freq", wrong=_wrong("bond interface miimon freq missing or invalid"),
           missing=_wrong("bond interface miimon freq missing or invalid")),
    ]  # fmt: skip
    downdelay: Annotated[Int | None, at("@downdelay", wrong=_wrong("bond interface miimon downdelay invalid"))] = None
    updelay: Annotated[Int | None, at("@updelay", wrong=_wrong("bond interface miimon updelay invalid"))] = None
    carrier: Annotated[
        Literal["ioctl", "netif"] | None, at("@carrier", wrong=_wrong("unknown mii bonding carrier %s"))
    ] = None  # fmt: skip


class ArpMonitor(Record):
    """Asks for an address now and then; the interval in milliseconds."""

    interval: Annotated[
        Int,
        at("@interval", wrong=_wrong("bond interface arpmon interval missing or invalid"),
           missing=_wrong("bond interface arpmon interval missing or invalid")),
    ]  # fmt: skip
    target: Annotated[str, at("@target", missing=_wrong("bond interface arpmon target missing"))]
    validate: Annotated[
        Literal["active", "backup", "all"] | None, at("@validate", wrong=_wrong("unknown arp bonding validate %s"))
    ] = None  # fmt: skip


class BondSettings(Record):
    """How the interfaces of a bond share the work, and how it is found out which of them work."""

    mode: Annotated[BondMode | None, at("@mode", wrong=_wrong("unknown bonding mode %s"))] = None
    miimon: MiiMonitor | None = None
    arpmon: ArpMonitor | None = None
    members: Annotated[tuple[BondMember, ...], at("interface", opened=True)] = ()


class Bond(InterfaceKind, tag="bond"):
    """Several interfaces that act as one."""

    bond: Annotated[
        BondSettings, at("bond", opened=True, missing=_wrong("bond interface misses the bond element"))
    ]  # fmt: skip


class BridgeMember(Record):
    """An interface plugged into a bridge."""

    name: Annotated[str, at("@name", missing=_NO_NAME)]
    link: Link | None = None
    kind: Annotated[Ethernet | Bond | VlanInterface, inline(wrong=_UNSUPPORTED)]


class Stp(Switch):
    """Whether a bridge looks for loops; libvirt takes what it cannot read for nothing said."""

    complete = False

    def __init__(self) -> None:
        super().__init__("on", "off")

    def parse(self, text: str) -> bool | None:
        return self.table.get(text)


class BridgeSettings(Record):
    """delay: seconds until a new port forwards."""

    stp: Annotated[bool | None, Stp()] = None
    delay: str | None = None
    members: Annotated[tuple[BridgeMember, ...], at("interface", opened=True)] = ()


class BridgeInterface(InterfaceKind, tag="bridge"):
    """A switch in software, and what is plugged into it."""

    bridge: Annotated[
        BridgeSettings, at("bridge", opened=True, missing=_wrong("bridge interface misses the bridge element"))
    ]


class Dhcp(Record):
    """Addresses are asked for. peerdns: name servers too."""

    peerdns: YesNo | None = None


class ProtocolIp(Record):
    """prefix: the length of the network's part."""

    address: str | None = None
    prefix: Annotated[int | None, Integer(-(2**31), 2**31 - 1, base=0), at("@prefix", unset=("0",))] = None


class Protocol(Record):
    """How an interface gets its addresses."""

    family: Annotated[
        Family,
        at("@family", wrong=_wrong("unsupported protocol family '%s'"),
           missing=_wrong("protocol misses the family attribute")),
    ]  # fmt: skip
    autoconf: Flag = False
    dhcp: Annotated[Dhcp | None, at("dhcp", keep_empty=True)] = None
    ips: Annotated[tuple[ProtocolIp, ...], at("ip")] = ()
    gateway: Annotated[str | None, at("route/@gateway")] = None


class HostInterface(Record):
    """An interface of the host."""

    name: Annotated[str, at("@name", missing=_NO_NAME)]
    start_mode: Annotated[
        Literal["onboot", "none", "hotplug"] | None,
        at("start/@mode", wrong=_wrong("unknown interface startmode %s")),
    ] = None
    mtu: Annotated[UInt | None, at("mtu/@size", unset=("0",))] = None
    protocols: Annotated[tuple[Protocol, ...], at("protocol", opened=True)] = ()
    link: Link | None = None
    kind: Annotated[Ethernet | BridgeInterface | Bond | VlanInterface, inline()]


__all__ = [
    "ArpMonitor", "Bond", "BondMember", "BondMode", "BondSettings", "BridgeInterface", "BridgeMember",
    "BridgeSettings", "Dhcp", "Ethernet", "HostInterface", "InterfaceKind", "MiiMonitor", "Protocol", "ProtocolIp",
    "VlanInterface", "VlanSettings",
]  # fmt: skip
