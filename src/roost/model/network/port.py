"""A guest's connection to a network: <networkport>."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec.structs import replace

from roost.errors import From, InternalError, XmlError
from roost.model.network.network import HostdevDriver, MacTableManager
from roost.model.shared.bandwidth import Bandwidth, check_bandwidth, complete_bandwidth
from roost.model.shared.pci import ReadPciLocation, check_pci_location
from roost.model.shared.virtualport import VirtualPort, check_virtualport, complete_virtualport
from roost.model.shared.vlan import Vlan, check_vlan, complete_vlan
from roost.xml import Child, Complaint, Mac, Record, Uuid, YesNo, at


def _internal(text: str) -> Complaint:
    return Complaint(InternalError, text, domain=From.NETWORK)


def _wrong(text: str) -> Complaint:
    return Complaint(XmlError, text, domain=From.NETWORK)


class Plug(Record, tag_field="type"):
    """What the guest is plugged into; `AnyPlug` is the union of its members."""


class BridgePlug(Plug, tag="bridge"):
    """A bridge of the host."""

    bridge: Annotated[str, at("@bridge", missing=_wrong("Missing network port bridge name"))]
    mac_table_manager: Annotated[
        MacTableManager | None,
        at("@macTableManager", wrong=_wrong("Invalid macTableManager setting '%s' in network port")),
    ] = None


class NetworkPlug(BridgePlug, tag="network"):
    """A bridge of libvirt's own."""


class DirectPlug(Plug, tag="direct"):
    """A device of the host that guests share."""

    dev: Annotated[str, at("@dev", missing=_wrong("Missing network port link device name"))]
    mode: Annotated[
        Literal["vepa", "private", "bridge", "passthrough"],
        at("@mode", wrong=_wrong("Invalid mode setting '%s' in network port")),
    ] = "vepa"


class HostdevPlug(Plug, tag="hostdev-pci"):
    """A device that the guest has for itself."""

    managed: YesNo | None = None
    driver: Annotated[
        HostdevDriver | None, at("driver/@name", wrong=_wrong("Missing network port driver name"))
    ] = None  # fmt: skip
    address: Annotated[ReadPciLocation, at("address", missing=_wrong("Missing network port PCI address"))]


AnyPlug = BridgePlug | NetworkPlug | DirectPlug | HostdevPlug


class NetworkPort(Record):
    """The owner is the guest; `group` names a port group of the network."""

    uuid: Annotated[
        Uuid, at("uuid", missing=_internal("network port has no uuid"), wrong=_internal("Unable to parse UUID '%s'"))
    ]  # fmt: skip
    owner_name: Annotated[str, at("owner/name", missing=_internal("network port has no owner name"))]
    owner_uuid: Annotated[
        Uuid,
        at("owner/uuid", missing=_internal("network port has no owner UUID"),
           wrong=_internal("Unable to parse UUID '%s'")),
    ]  # fmt: skip
    group: Child[str | None] = None
    mac: Annotated[
        Mac,
        at("mac/@address", missing=_internal("network port has no mac"), wrong=_internal("Unable to parse MAC '%s'")),
    ]  # fmt: skip
    virtualport: VirtualPort | None = None
    bandwidth: Annotated[Bandwidth | None, at("bandwidth", opened=True)] = None
    vlan: Annotated[Vlan | None, at("vlan", keep_empty=True)] = None
    isolated: Annotated[YesNo | None, at("port/@isolated")] = None
    trust_guest_rx_filters: Annotated[YesNo | None, at("rxfilters/@trustGuest")] = None
    plug: Annotated[AnyPlug | None, at("plug", only_with="type")] = None


def complete_port(port: NetworkPort) -> NetworkPort:
    """The port as it will be kept and shown. Raises libvirt's errors."""
    check_virtualport(port.virtualport)
    check_bandwidth(port.bandwidth, floor=True, class_id=True)
    check_vlan(port.vlan)
    plug = port.plug
    if isinstance(plug, HostdevPlug):
        check_pci_location(plug.address)
        plug = replace(plug, address=replace(plug.address, multifunction=None))
    return replace(
        port,
        virtualport=complete_virtualport(port.virtualport),
        bandwidth=complete_bandwidth(port.bandwidth),
        vlan=complete_vlan(port.vlan),
        plug=plug,
    )


__all__ = [
    "AnyPlug", "BridgePlug", "DirectPlug", "HostdevPlug", "NetworkPlug", "NetworkPort", "Plug", "complete_port",
]  # fmt: skip
