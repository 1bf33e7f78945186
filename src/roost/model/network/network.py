"""The network document's root, and the parts of it that concern links: <network>, <forward>, <bridge>."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from roost.errors import ConfigUnsupported, From, InternalError, NoName, XmlDetail, XmlError
from roost.model.network.addresses import NetworkIp, NetworkRoute
from roost.model.network.dns import Dns, DnsDomain
from roost.model.shared.bandwidth import Bandwidth
from roost.model.shared.ip import Ipv4
from roost.model.shared.pci import ReadPciLocation
from roost.model.shared.switches import EMPTY, Lenient
from roost.model.shared.virtualport import VirtualPort
from roost.model.shared.vlan import Vlan
from roost.xml import Child, Complaint, Integer, Mac, RawXml, Record, Switch, UInt, ULong, Uuid, YesNo, at

ForwardMode = Literal["nat", "route", "open", "bridge", "private", "vepa", "passthrough", "hostdev", "none"]
MacTableManager = Literal["kernel", "libvirt"]
HostdevDriver = Literal["kvm", "vfio"]


def _wrong(text: str) -> Complaint:
    return Complaint(XmlError, text, domain=From.NETWORK)


class NatAddresses(Record):
    """The addresses that guests have outside."""

    start: Annotated[
        Ipv4,
        at("@start", wrong=_wrong("Bad ipv4 start address '%s' in <nat> in <forward> in network '%n'"),
           missing=_wrong("missing 'start' attribute in <address> element in <nat> in <forward> in network %n")),
    ]  # fmt: skip
    end: Annotated[
        Ipv4,
        at("@end", wrong=_wrong("Bad ipv4 end address '%s' in <nat> in <forward> in network '%n'"),
           missing=_wrong("missing 'end' attribute in <address> element in <nat> in <forward> in network %n")),
    ]  # fmt: skip


def _port(name: str) -> object:
    text = f"Missing or invalid '{name}' attribute in <port> in <nat> in <forward> in network %n"
    complaint = Complaint(XmlDetail, text, domain=From.NETWORK)
    return at(f"@{name}", wrong=complaint, missing=complaint)


class NatPorts(Record):
    """The ports that guests have outside."""

    start: Annotated[int, Integer(0, 65535), _port("start")]
    end: Annotated[int, Integer(0, 65535), _port("end")]


class Nat(Record):
    """How guests look from outside; of each element there may be one."""

    ipv6: YesNo | None = None
    addresses: Annotated[tuple[NatAddresses, ...], at("address")] = ()
    ports: Annotated[tuple[NatPorts, ...], at("port")] = ()


class ForwardInterface(Record):
    """A device of the host that the network leads to. connections: guests that use it now."""

    dev: Annotated[
        str,
        at("@dev", missing=_wrong("Missing required dev attribute in <forward> <interface> element of network %n")),
    ]
    connections: Annotated[UInt | None, at("@connections", live=True)] = None


class ForwardAddress(ReadPciLocation):
    """A virtual function of the host that guests may have."""

    type: Annotated[
        Literal["pci"],
        at("@type", order=-1, missing=_wrong("missing address type in network %n"),
           wrong=Complaint(ConfigUnsupported, "unknown address type '%s' in network %n", domain=From.NETWORK)),
    ]  # fmt: skip
    connections: Annotated[UInt | None, at("@connections", live=True)] = None


class PhysicalFunction(Record):
    """The device whose virtual functions guests may have."""

    dev: Annotated[
        str, at("@dev", missing=_wrong("Missing required dev attribute in <pf> element of network '%n'"))
    ]  # fmt: skip


class Forward(Record):
    """Where the network leads. An isolated network has none."""

    dev: Annotated[str | None, at("@dev", unset=EMPTY)] = None
    mode: Annotated[
        ForwardMode,
        at(
            "@mode",
            unset=EMPTY,
            wrong=Complaint(ConfigUnsupported, "unknown forwarding type '%s'", domain=From.NETWORK),
        ),
    ] = "nat"
    managed: Annotated[bool | None, Lenient()] = None
    driver: Annotated[
        HostdevDriver | None,
        at("driver/@name", unset=EMPTY, wrong=Complaint(
            ConfigUnsupported, "Unknown forward <driver name='%s'/> in network %n", domain=From.NETWORK)),
    ] = None  # fmt: skip
    nats: Annotated[tuple[Nat, ...], at("nat")] = ()
    pfs: Annotated[tuple[PhysicalFunction, ...], at("pf")] = ()
    interfaces: Annotated[tuple[ForwardInterface, ...], at("interface")] = ()
    addresses: Annotated[tuple[ForwardAddress, ...], at("address")] = ()


class Stp(Switch):
    """Whether a bridge looks for loops: unless it says `off`, it does."""

    complete = False

    def __init__(self) -> None:
        super().__init__("on", "off")

    def parse(self, text: str) -> bool:
        return text != "off"


class Bridge(Record):
    """The bridge that guests are plugged into. delay: seconds until a new port forwards."""

    name: Annotated[str | None, at("@name", unset=EMPTY)] = None
    zone: Annotated[str | None, at("@zone", unset=EMPTY)] = None
    stp: Annotated[bool | None, Stp(), at("@stp", unset=EMPTY)] = None
    delay: Annotated[ULong | None, at("@delay", unset=EMPTY, wrong=_wrong("Invalid delay value in network '%n'"))] = (
        None
    )
    mac_table_manager: Annotated[
        MacTableManager | None,
        at("@macTableManager", unset=EMPTY, wrong=_wrong("Invalid macTableManager setting '%s' in network '%n'")),
    ] = None


class PortGroup(Record):
    """Settings for the guests that ask for them by this name."""

    name: Annotated[str, at("@name", unset=EMPTY, missing=_wrong("Missing required name attribute in portgroup"))]
    default: Annotated[bool | None, Lenient()] = None
    trust_guest_rx_filters: Annotated[YesNo | None, at("@trustGuestRxFilters")] = None
    vlan: Annotated[Vlan | None, at("vlan", keep_empty=True)] = None
    virtualport: VirtualPort | None = None
    bandwidth: Annotated[Bandwidth | None, at("bandwidth", opened=True)] = None


class DnsmasqOptions(Record):
    """Lines for dnsmasq's configuration, as they are."""

    options: Annotated[
        tuple[str, ...],
        at("dnsmasq:option/@value",
           missing=Complaint(InternalError, "No dnsmasq options value specified", domain=From.NETWORK)),
    ] = ()  # fmt: skip


class Network(Record):
    """A virtual network. connections: guests plugged in now."""

    namespaces: ClassVar[dict[str, str]] = {"dnsmasq": "http://libvirt.org/schemas/network/dnsmasq/1.0"}
    namespaces_first: ClassVar[bool] = True

    connections: Annotated[UInt | None, at("@connections", live=True)] = None
    ipv6: Annotated[
        YesNo | None, at("@ipv6", unset=("no", ""), wrong=_wrong("Invalid ipv6 setting '%s' in network '%n'"))
    ] = None  # fmt: skip
    trust_guest_rx_filters: Annotated[YesNo | None, at("@trustGuestRxFilters")] = None
    name: Annotated[str, at("name", missing=Complaint(NoName, domain=From.NETWORK))]
    uuid: Annotated[
        Uuid | None, at("uuid", wrong=Complaint(InternalError, "malformed uuid element", domain=From.NETWORK))
    ] = None  # fmt: skip
    title: Child[str | None] = None
    description: Child[str | None] = None
    metadata: RawXml | None = None
    forward: Annotated[Forward | None, at("forward", keep_empty=True)] = None
    bridge: Bridge | None = None
    mtu: Annotated[
        UInt | None, at("mtu/@size", unset=("0", ""), wrong=_wrong("Invalid mtu size '%s' in network '%n'"))
    ] = None  # fmt: skip
    mac: Annotated[
        Mac | None, at("mac/@address", unset=EMPTY, wrong=_wrong("Invalid bridge mac address '%s' in network '%n'"))
    ] = None  # fmt: skip
    domain: Annotated[DnsDomain | None, at("domain", only_with="name")] = None
    dns: Dns | None = None
    vlan: Annotated[Vlan | None, at("vlan", keep_empty=True)] = None
    bandwidth: Annotated[Bandwidth | None, at("bandwidth", opened=True)] = None
    port_isolated: Annotated[YesNo | None, at("port/@isolated")] = None
    ips: Annotated[tuple[NetworkIp, ...], at("ip", opened=True)] = ()
    routes: Annotated[tuple[NetworkRoute, ...], at("route")] = ()
    virtualport: Annotated[VirtualPort | None, at("virtualport", keep_empty=True)] = None
    port_groups: Annotated[tuple[PortGroup, ...], at("portgroup", opened=True)] = ()
    dnsmasq_options: Annotated[DnsmasqOptions | None, at("dnsmasq:options")] = None

    @property
    def mode(self) -> str:
        """Where the network leads: a mode of <forward>, or `none`."""
        return self.forward.mode if self.forward else "none"

    @property
    def has_own_bridge(self) -> bool:
        """Whether the bridge is made for the network, with addresses on it."""
        return self.mode in OWN_BRIDGE


#: The modes whose bridge libvirt makes itself.
OWN_BRIDGE = frozenset(("none", "nat", "route", "open"))

__all__ = [
    "OWN_BRIDGE", "Bridge", "DnsmasqOptions", "Forward", "ForwardAddress", "ForwardInterface", "ForwardMode",
    "HostdevDriver", "MacTableManager", "Nat", "NatAddresses", "NatPorts", "Network", "PhysicalFunction", "PortGroup",
]  # fmt: skip
