"""What makes libvirt refuse a network, in its order and words. May enter: one module a part of the document."""

from __future__ import annotations

from roost.errors import From, XmlDetail
from roost.model.network.network import Network
from roost.model.network.validate.addresses import check_ip, check_one_dhcp, check_route
from roost.model.network.validate.dns import check_dns
from roost.model.network.validate.links import (
    check_bridge,
    check_devices,
    check_forward,
    check_mac,
    check_port_group,
    check_unused_sections,
    check_vlans,
)
from roost.model.shared.bandwidth import check_bandwidth
from roost.model.shared.virtualport import check_virtualport
from roost.model.shared.vlan import check_vlan


def check(network: Network) -> None:
    """Raises libvirt's error for a document as it was written."""
    for char, word in (("/", "/"), ("\n", "\n")):
        if char in network.name:
            raise XmlDetail(f"invalid char in name: {word}", domain=From.XML, hint="for instance 'default'")
    check_bandwidth(network.bandwidth)
    check_vlan(network.vlan)
    check_mac(network)
    if network.dns:
        check_dns(network.dns, network.name)
    check_virtualport(network.virtualport, needs_type=True)
    for group in network.port_groups:
        check_port_group(group)
    for ip in network.ips:
        check_ip(ip, network.name)
    for route in network.routes:
        check_route(route, network)
    if network.forward:
        check_forward(network.forward, network.name)
    check_bridge(network)
    check_unused_sections(network)
    check_devices(network)
    check_one_dhcp(network)
    check_vlans(network)


__all__ = ["check"]
