"""Network interfaces: <interface>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, XmlDetail, XmlError
from roost.model.domain.device import BootableDevice, Reconnect, Rom, VirtioOptions
from roost.model.domain.devices.hostdev import HostAddress, HostRoute, PciBackend, Teaming
from roost.model.shared.bandwidth import Bandwidth
from roost.model.shared.filterref import FilterRef
from roost.model.shared.ip import Ip
from roost.model.shared.pci import PciLocation
from roost.model.shared.virtualport import VirtualPort
from roost.model.shared.vlan import Vlan
from roost.xml import Complaint, Hex4, Long, Mac, OnOff, Record, UInt, ULong, Uuid, YesNo, at, inline, tag_of


class InterfaceSource(Record, tag_field="type"):
    """Where an interface leads; `AnyInterfaceSource` is the union of its members."""

    host_ips: Annotated[tuple[HostAddress, ...], at("source/ip", order=1)] = ()
    host_routes: Annotated[tuple[HostRoute, ...], at("source/route", order=1)] = ()


class UserNet(InterfaceSource, tag="user"):
    dev: Annotated[str | None, at("source/@dev")] = None


class EthernetNet(InterfaceSource, tag="ethernet"):
    pass


class BridgeNet(InterfaceSource, tag="bridge"):
    bridge: Annotated[str, at("source/@bridge", needed=True)] = ""
    mac_table_manager: Annotated[Literal["kernel", "libvirt"] | None, at("source/@macTableManager", live=True)] = None


class NetworkNet(InterfaceSource, tag="network"):
    network: Annotated[str, at("source/@network", needed=True)] = ""
    portgroup: Annotated[str | None, at("source/@portgroup")] = None
    portid: Annotated[Uuid | None, at("source/@portid", live=True)] = None
    bridge: Annotated[str | None, at("source/@bridge", live=True)] = None


class DirectNet(InterfaceSource, tag="direct"):
    dev: Annotated[str, at("source/@dev", needed=True)] = ""
    mode: Annotated[Literal["vepa", "private", "bridge", "passthrough"], at("source/@mode")] = "vepa"


class SocketNet(InterfaceSource):
    address: Annotated[str | None, at("source/@address", needed=True)] = None
    port: Annotated[UInt | None, at("source/@port", needed=True)] = None


class ServerNet(SocketNet, tag="server"):
    address: Annotated[str | None, at("source/@address")] = None


class ClientNet(SocketNet, tag="client"):
    pass


class McastNet(SocketNet, tag="mcast"):
    pass


class UdpNet(SocketNet, tag="udp"):
    local_address: Annotated[str | None, at("source/local/@address", needed=True)] = None
    local_port: Annotated[UInt | None, at("source/local/@port", needed=True)] = None


class InternalNet(InterfaceSource, tag="internal"):
    name: Annotated[str, at("source/@name", needed=True)] = ""


class VhostUserNet(InterfaceSource, tag="vhostuser"):
    """A socket of a switch that runs as a program; `dev` only where passt is that program."""

    socket_type: Annotated[
        Literal["unix"] | None,
        at(
            "source/@type", wrong=Complaint(ConfigUnsupported, "Type='%s' unsupported for <interface type='vhostuser'>")
        ),
    ] = None
    path: Annotated[str, at("source/@path")] = ""
    mode: Annotated[Literal["server", "client"] | None, at("source/@mode")] = None
    dev: Annotated[str | None, at("source/@dev")] = None
    reconnect: Annotated[Reconnect | None, at("source/reconnect")] = None


class VdpaNet(InterfaceSource, tag="vdpa"):
    dev: Annotated[str, at("source/@dev", needed=True)] = ""


class InterfaceHostdev(Record, tag_field="type"):
    """The host's device that is the interface; `AnyInterfaceHostdev` is the union."""


class PciInterface(InterfaceHostdev, PciLocation, tag="pci"):
    """A function of a PCI card."""


class UsbInterface(InterfaceHostdev, tag="usb"):
    """A USB device by where it is plugged in."""

    bus: UInt
    device: UInt


AnyInterfaceHostdev = PciInterface | UsbInterface


class HostdevNet(InterfaceSource, tag="hostdev"):
    """A network card of the host's, or a virtual function of one."""

    backend: Annotated[PciBackend | None, at("driver/@name", unset=("default", "qemu", "vhost"))] = None
    driver_model: Annotated[str | None, at("driver/@model")] = None
    write_filtering: Annotated[YesNo | None, at("source/@writeFiltering")] = None
    vendor: Annotated[Hex4 | None, at("source/vendor/@id")] = None
    product: Annotated[Hex4 | None, at("source/product/@id")] = None
    device: Annotated[
        AnyInterfaceHostdev | None,
        at(
            "source/address",
            missing=Complaint(XmlError, "missing source address type"),
            wrong=Complaint(ConfigUnsupported, "unknown host device source address type '%s'"),
        ),
    ] = None


class NullNet(InterfaceSource, tag="null"):
    """Not connected; of other hypervisors."""


class VdsNet(InterfaceSource, tag="vds"):
    """A port of VMware's distributed switch."""

    switchid: Annotated[Uuid, at("source/@switchid")]
    portid: Annotated[Long, at("source/@portid")]
    portgroupid: Annotated[str, at("source/@portgroupid")]
    connectionid: Annotated[Long, at("source/@connectionid")]


AnyInterfaceSource = (
    UserNet
    | EthernetNet
    | BridgeNet
    | NetworkNet
    | DirectNet
    | ServerNet
    | ClientNet
    | McastNet
    | UdpNet
    | InternalNet
    | VhostUserNet
    | VdpaNet
    | HostdevNet
    | NullNet
    | VdsNet
)


class InterfaceBandwidth(Bandwidth):
    """Its class is given out when the interface is plugged in."""

    class_id: Annotated[UInt | None, at("@classID")] = None


class PortRange(Record):
    start: UInt | None = None
    end: UInt | None = None
    to: UInt | None = None
    exclude: YesNo | None = None


class PortForward(Record):
    proto: Literal["tcp", "udp"]
    address: Annotated[
        Ip | None, at("@address", wrong=Complaint(XmlError, "Invalid address '%s' in <portForward>"))
    ] = None  # fmt: skip
    dev: str | None = None
    ranges: Annotated[tuple[PortRange, ...], at("range")] = ()


class InterfaceTarget(Record):
    """The host's end; `dev` is generated (vnet0) for a running guest unless given."""

    dev: Annotated[
        str | None, at("@dev", live=lambda name: name.startswith(("vnet", "macvtap", "macvlan")))
    ] = None  # fmt: skip
    managed: YesNo | None = None


class HostOffload(Record):
    csum: OnOff | None = None
    gso: OnOff | None = None
    tso4: OnOff | None = None
    tso6: OnOff | None = None
    ecn: OnOff | None = None
    ufo: OnOff | None = None
    mrg_rxbuf: OnOff | None = None


class GuestOffload(Record):
    csum: OnOff | None = None
    tso4: OnOff | None = None
    tso6: OnOff | None = None
    ecn: OnOff | None = None
    ufo: OnOff | None = None


class InterfaceDriver(VirtioOptions):
    # The same attribute names a hostdev's driver, which is none of the card's.
    name: Annotated[
        Literal["qemu", "vhost"] | None, at("@name", unset=("default", "kvm", "vfio", "xen"))
    ] = None  # fmt: skip
    txmode: Literal["iothread", "timer"] | None = None
    ioeventfd: OnOff | None = None
    event_idx: OnOff | None = None
    queues: Annotated[UInt | None, at("@queues", unset=("0",))] = None
    rx_queue_size: Annotated[UInt | None, at("@rx_queue_size", unset=("0",))] = None
    tx_queue_size: Annotated[UInt | None, at("@tx_queue_size", unset=("0",))] = None
    rss: OnOff | None = None
    rss_hash_report: OnOff | None = None
    host: HostOffload | None = None
    guest: GuestOffload | None = None


class InterfaceBackend(Record):
    type: Literal["passt"] | None = None
    tap: str | None = None
    vhost: str | None = None
    log_file: Annotated[str | None, at("@logFile")] = None
    hostname: str | None = None
    fqdn: str | None = None


class Interface(BootableDevice):
    managed: YesNo | None = None
    trust_guest_rx_filters: Annotated[YesNo | None, at("@trustGuestRxFilters")] = None
    mac: Annotated[
        Mac | None, at("mac/@address", wrong=Complaint(XmlError, "unable to parse mac address '%s'"))
    ] = None  # fmt: skip
    mac_type: Annotated[Literal["generated", "static"] | None, at("mac/@type")] = None
    mac_check: Annotated[YesNo | None, at("mac/@check")] = None
    source: Annotated[AnyInterfaceSource, inline()]
    vlan: Annotated[Vlan | None, at("vlan", keep_empty=True)] = None
    virtualport: Annotated[VirtualPort | None, at("virtualport", keep_empty=True)] = None
    bandwidth: InterfaceBandwidth | None = None
    port_isolated: Annotated[YesNo | None, at("port/@isolated")] = None
    ips: Annotated[tuple[HostAddress, ...], at("ip")] = ()
    routes: Annotated[tuple[HostRoute, ...], at("route")] = ()
    port_forwards: Annotated[tuple[PortForward, ...], at("portForward")] = ()
    script: Annotated[str | None, at("script/@path")] = None
    downscript: Annotated[str | None, at("downscript/@path")] = None
    backenddomain: Annotated[str | None, at("backenddomain/@name")] = None
    target: InterfaceTarget | None = None
    guest_dev: Annotated[str | None, at("guest/@dev")] = None
    guest_actual: Annotated[str | None, at("guest/@actual", live=True)] = None
    model: Annotated[str | None, at("model/@type")] = None
    driver: InterfaceDriver | None = None
    backend: InterfaceBackend | None = None
    filterref: FilterRef | None = None
    sndbuf: Annotated[
        ULong | None, at("tune/sndbuf", wrong=Complaint(XmlError, "sndbuf must be a positive integer"))
    ] = None  # fmt: skip
    teaming: Teaming | None = None
    link_state: Annotated[
        Literal["up", "down"] | None,
        at("link/@state", wrong=Complaint(ConfigUnsupported, "unknown interface link state '%s'")),
    ] = None
    mtu: Annotated[UInt | None, at("mtu/@size", unset=("0",), wrong=Complaint(XmlError, "malformed mtu size"))] = None
    coalesce_rx_frames_max: Annotated[
        UInt | None,
        at(
            "coalesce/rx/frames/@max",
            unset=("0",),
            wrong=Complaint(XmlDetail, "cannot parse value '%s' for coalesce parameter"),
        ),
    ] = None
    rom: Annotated[Rom | None, at("rom", order=5)] = None

    @property
    def type(self) -> str:
        """The kind of connection: user, ethernet, bridge, network, ..."""
        return tag_of(self.source)


__all__ = [
    "AnyInterfaceHostdev", "AnyInterfaceSource", "BridgeNet", "ClientNet", "DirectNet", "EthernetNet", "GuestOffload",
    "HostOffload", "HostdevNet", "Interface", "InterfaceBackend", "InterfaceBandwidth", "InterfaceDriver",
    "InterfaceHostdev", "InterfaceSource", "InterfaceTarget", "InternalNet", "McastNet", "NetworkNet", "NullNet",
    "PciInterface", "PortForward", "PortRange", "ServerNet", "SocketNet", "UdpNet", "UsbInterface", "UserNet",
    "VdpaNet", "VdsNet", "VhostUserNet",
]  # fmt: skip
