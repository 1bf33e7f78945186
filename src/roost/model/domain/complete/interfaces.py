"""Defaults of network interfaces: addresses, models, identifiers; and what of a document only some kinds have."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from roost.model.domain.devices.hostdev import HostAddress, HostRoute
from roost.model.domain.devices.interface import (
    HostdevNet,
    Interface,
    InterfaceDriver,
    PciInterface,
    UsbInterface,
    VhostUserNet,
)
from roost.model.domain.draft import Draft
from roost.model.shared.bandwidth import complete_bandwidth
from roost.model.shared.filterref import complete_filterref
from roost.model.shared.identity import Entropy, random_uuid
from roost.model.shared.ip import version_of
from roost.model.shared.virtualport import VirtualPort, VirtualPortParameters, complete_virtualport
from roost.model.shared.vlan import complete_vlan

_VIRTIO = frozenset(("virtio", "virtio-transitional", "virtio-non-transitional"))
#: The kinds of interface whose packets pass through the host's firewall.
_FILTERED = frozenset(("network", "bridge", "ethernet"))
#: The identifier that a port gets which has none, by its type.
_PORT_IDS: dict[str | None, tuple[str, ...]] = {
    "802.1Qbg": ("instanceid",),
    "openvswitch": ("interfaceid",),
    None: ("instanceid", "interfaceid"),
}


def complete_interfaces(draft: Draft) -> None:
    for place, interface in enumerate(draft.interfaces):
        draft.interfaces[place] = _interface(draft, interface)


def _interface(draft: Draft, interface: Interface) -> Interface:
    kind = interface.type
    changes: dict[str, Any] = {}
    if interface.mac is None:
        changes["mac"] = random_mac(draft.entropy)
    model = interface.model
    if model is None and kind != "hostdev":
        changes["model"] = model = "virtio" if kind == "vdpa" else draft.choose(draft.board.interface) or "rtl8139"
    if interface.driver is not None and (model not in _VIRTIO or kind == "hostdev"):
        options = interface.driver
        changes["driver"] = InterfaceDriver(
            iommu=options.iommu, ats=options.ats, packed=options.packed, page_per_vq=options.page_per_vq
        )
    if interface.bandwidth is not None:
        changes["bandwidth"] = complete_bandwidth(interface.bandwidth)
    if interface.vlan is not None:
        changes["vlan"] = complete_vlan(interface.vlan)
    if interface.virtualport is not None:
        changes["virtualport"] = _virtualport(interface.virtualport, draft.entropy)
    if interface.port_forwards and (interface.backend is None or interface.backend.type != "passt"):
        changes["port_forwards"] = tuple(
            replace(forward, ranges=tuple(ports for ports in forward.ranges if ports.start))
            for forward in interface.port_forwards
        )
    if interface.filterref is not None:
        changes["filterref"] = complete_filterref(interface.filterref) if kind in _FILTERED else None
    if interface.ips:
        changes["ips"] = _addresses(interface.ips)
    if interface.routes:
        changes["routes"] = _routes(interface.routes)
    source = _source(interface)
    if source is not interface.source:
        changes["source"] = source
    if kind == "hostdev" and interface.managed is False:
        changes["managed"] = None
    return replace(interface, **changes) if changes else interface


def _source(interface: Interface) -> Any:
    source = interface.source
    if source.host_ips or source.host_routes:
        source = replace(source, host_ips=_addresses(source.host_ips), host_routes=_routes(source.host_routes))
    if isinstance(source, VhostUserNet) and source.reconnect is not None and source.reconnect.enabled is None:
        source = replace(source, reconnect=None)
    if isinstance(source, HostdevNet) and source.device is None and source.vendor is None:
        source = replace(source, device=PciInterface())
    if isinstance(source, HostdevNet) and isinstance(source.device, UsbInterface):
        source = replace(source, write_filtering=None, backend=None)
    return source


def _addresses(ips: tuple[HostAddress, ...]) -> tuple[HostAddress, ...]:
    """Each with its family, which its address tells."""
    return tuple(
        replace(ip, family="ipv6" if version_of(ip.address) == 6 else "ipv4", prefix=ip.prefix or None) for ip in ips
    )


def _routes(routes: tuple[HostRoute, ...]) -> tuple[HostRoute, ...]:
    return tuple(replace(route, metric=route.metric or None) for route in routes)


def _virtualport(port: VirtualPort, entropy: Entropy) -> VirtualPort | None:
    parameters = port.parameters or VirtualPortParameters()
    made = {name: random_uuid(entropy) for name in _PORT_IDS.get(port.type, ()) if getattr(parameters, name) is None}
    return complete_virtualport(replace(port, parameters=replace(parameters, **made)) if made else port)


def random_mac(entropy: Entropy) -> str:
    """A unicast address in QEMU's range 52:54:00."""
    tail = entropy(3)
    return f"52:54:00:{tail[0]:02x}:{tail[1]:02x}:{tail[2]:02x}"


__all__ = ["complete_interfaces", "random_mac"]
