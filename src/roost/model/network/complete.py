"""Completion of a network: what libvirt adds to a document before it keeps it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Container

from msgspec.structs import replace

from roost.errors import From, InternalError
from roost.model.network.addresses import Dhcp, DhcpHost, DhcpRange, Lease, NetworkIp
from roost.model.network.dns import Dns
from roost.model.network.network import Bridge, Forward, ForwardInterface, Nat, Network, PortGroup
from roost.model.network.validate import check
from roost.model.shared.bandwidth import complete_bandwidth
from roost.model.shared.identity import Entropy, random_uuid
from roost.model.shared.virtualport import complete_virtualport
from roost.model.shared.vlan import complete_vlan

#: The name of a bridge that is given none.
BRIDGE_TEMPLATE = "virbr%d"
_MAX_BRIDGE = 256


def unused_bridge(template: str, taken: Container[str]) -> str:
    """The first name of the template `virbr%d` that is not taken. Raises InternalError when all are."""
    for number in range(_MAX_BRIDGE + 1):
        name = template.replace("%d", str(number), 1)
        if name not in taken:
            return name
    raise InternalError(f"Bridge generation exceeded max id {_MAX_BRIDGE}", domain=From.NETWORK)


def complete(
    network: Network,
    *,
    validate: bool = True,
    entropy: Entropy = secrets.token_bytes,
    bridge: Callable[[str], str] = lambda template: unused_bridge(template, ()),
) -> Network:
    """The network as it will be kept and shown.

    validate: off for documents that were accepted before. entropy: random
    bytes, for a UUID and the bridge's MAC address. bridge: gives an unused
    name for a template such as `virbr%d`. Raises libvirt's errors.
    """
    if validate:
        check(network)
    mac = network.mac
    if mac is None and network.has_own_bridge:
        mac = ":".join(f"{byte:02x}" for byte in b"\x52\x54\x00" + entropy(3))
    return replace(
        network,
        uuid=network.uuid or random_uuid(entropy),
        forward=_forward(network.forward) if network.forward and network.mode != "none" else None,
        bridge=_bridge(network, bridge),
        mac=mac,
        dns=_dns(network.dns) if network.dns else None,
        vlan=complete_vlan(network.vlan),
        bandwidth=complete_bandwidth(network.bandwidth),
        ips=tuple(_ip(ip) for ip in network.ips),
        virtualport=complete_virtualport(network.virtualport),
        port_groups=tuple(_port_group(group) for group in network.port_groups),
    )


def _forward(forward: Forward) -> Forward:
    interfaces = forward.interfaces
    if forward.dev and not interfaces:
        interfaces = (ForwardInterface(dev=forward.dev),)
    dev = interfaces[0].dev if interfaces and not forward.pfs else None
    managed = bool(forward.managed) if forward.mode == "hostdev" else None
    nats = tuple(shown for nat in forward.nats if (shown := _nat(nat)) != Nat())
    return replace(
        forward,
        dev=dev,
        managed=managed,
        nats=nats,
        interfaces=interfaces,
        addresses=() if interfaces else tuple(replace(item, multifunction=None) for item in forward.addresses),
    )


def _nat(nat: Nat) -> Nat:
    return replace(nat, ports=tuple(ports for ports in nat.ports if ports.start or ports.end))


def _bridge(network: Network, unused: Callable[[str], str]) -> Bridge | None:
    bridge = network.bridge or Bridge()
    if not network.has_own_bridge:
        bridge = replace(bridge, stp=None, delay=None, zone=None)
        return None if bridge == Bridge() else bridge
    name = bridge.name or BRIDGE_TEMPLATE
    if "%d" in name:
        name = unused(name)
    return replace(bridge, name=name, stp=bridge.stp is not False, delay=bridge.delay or 0)


def _dns(dns: Dns) -> Dns | None:
    shown = replace(
        dns,
        srvs=tuple(replace(srv, priority=srv.priority or None, weight=srv.weight or None) for srv in dns.srvs),
        hosts=tuple(replace(host, hostnames=tuple(filter(None, host.hostnames))) for host in dns.hosts),
    )
    return None if shown == Dns() else shown


def _ip(ip: NetworkIp) -> NetworkIp:
    dhcp = ip.dhcp
    # Without ranges or hosts the whole section goes, with what else it said.
    if dhcp is None or not (dhcp.ranges or dhcp.hosts):
        return replace(ip, dhcp=None)
    bootp = dhcp.bootp if dhcp.bootp and dhcp.bootp.file is not None and ":" not in ip.address else None
    return replace(
        ip,
        dhcp=Dhcp(
            ranges=tuple(replace(item, lease=_lease(item)) for item in dhcp.ranges),
            hosts=tuple(replace(host, lease=_lease(host)) for host in dhcp.hosts),
            bootp=bootp,
        ),
    )


def _lease(given: DhcpRange | DhcpHost) -> Lease | None:
    lease = given.lease
    if lease is None or lease.expiry is None:
        return None
    return Lease(expiry=0) if lease.expiry == 0 else replace(lease, unit=lease.unit or "minutes")


def _port_group(group: PortGroup) -> PortGroup:
    return replace(
        group,
        vlan=complete_vlan(group.vlan),
        virtualport=complete_virtualport(group.virtualport),
        bandwidth=complete_bandwidth(group.bandwidth),
    )


__all__ = ["BRIDGE_TEMPLATE", "complete", "unused_bridge"]
