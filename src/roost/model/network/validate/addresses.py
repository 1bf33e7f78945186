"""Rules for addresses: <ip>, <dhcp>, <route>."""

from __future__ import annotations

from roost.errors import ConfigUnsupported, From, InternalError, RoostError, XmlError
from roost.model.network.addresses import DhcpHost, DhcpRange, Lease, NetworkIp, NetworkRoute
from roost.model.network.network import Network
from roost.model.shared.ip import bits_of, masked, parse_ip, prefix_of, version_of

_HEX_AND_COLONS = frozenset("0123456789abcdefABCDEF:")
_SHORTEST_LEASE = {"seconds": 120, "minutes": 2, "hours": 0}


def _unsupported(text: str, hint: str = "") -> RoostError:
    return ConfigUnsupported(text, domain=From.NETWORK, hint=hint)


def _wrong(text: str, hint: str = "") -> RoostError:
    return XmlError(text, domain=From.NETWORK, hint=hint)


def check_ip(ip: NetworkIp, name: str) -> None:
    """An address of the bridge, with what is given out of its network."""
    given, version = ip.address, version_of(ip.address)
    if ip.family != "ipv6" and version == 6:
        family = ip.family or "no"
        raise _unsupported(
            f"{family} family specified for non-IPv4 address '{given}' in network '{name}'", "add family='ipv6'"
        )
    if ip.family == "ipv6" and version == 4:
        raise _unsupported(f"Family 'ipv6' specified for non-IPv6 address '{given}' in network '{name}'")
    if ip.netmask and version == 6:
        raise _unsupported(
            f"netmask not allowed for IPv6 address '{given}' in network '{name}'", "give a prefix instead"
        )
    if ip.netmask and version_of(ip.netmask) != 4:
        raise _unsupported(
            f"Invalid netmask '{ip.netmask}' for address '{given}' in network '{name}' (both must be IPv4)"
        )
    if ip.netmask and ip.prefix:
        raise _unsupported(f"Network '{name}' IP address cannot have both a prefix and a netmask")
    if (ip.prefix or 0) > bits_of(version):
        raise _unsupported(
            f"Invalid IPv{version} prefix '{ip.prefix}' in network '{name}'", f"at most {bits_of(version)}"
        )
    if ip.dhcp:
        for item in ip.dhcp.ranges:
            check_range(item, ip)
        for host in ip.dhcp.hosts:
            check_host(host, version, name)
    if ip.tftp_root is not None and version == 6:
        raise _unsupported(f"Unsupported <tftp> element in an IPv6 element in network '{name}'")


def check_range(item: DhcpRange, ip: NetworkIp) -> None:
    """A range of addresses lies in its network, the right way round and not too large."""
    check_within(item.start, item.end, ip)
    check_order(item.start, item.end)
    _check_lease(item.lease)


def check_within(start: str, end: str, ip: NetworkIp) -> None:
    """Both ends are in the network of the address, and neither is its first or last number."""
    between, version = f"range {start} - {end}", version_of(start)
    if version_of(end) != version:
        raise _internal(f"mismatch of address family in {between}")
    if version_of(ip.address) != version:
        raise _internal(f"mismatch of address family in {between} for network {ip.address}")
    prefix = prefix_of(ip.address, ip.netmask, ip.prefix)
    network = f"network {ip.address}/{prefix}"
    if prefix < 0:
        raise _internal(f"bad prefix {prefix} for network {ip.address} when  checking {between}")
    first = masked(ip.address, prefix)
    if masked(start, prefix) != first or masked(end, prefix) != first:
        raise _internal(f"{between} is not entirely within {network}")
    if version == 4:
        if int(parse_ip(start)) == first:
            raise _internal(f"start of {between} in {network} is the network address")
        if int(parse_ip(end)) == first + (1 << bits_of(version) - prefix) - 1:
            raise _internal(f"end of {between} in {network} is the broadcast address")


def check_order(start: str, end: str) -> None:
    """A range ends after it starts, and has at most 65536 addresses."""
    between = f"range {start} - {end}"
    first, last = int(parse_ip(start)), int(parse_ip(end))
    if first >> 16 != last >> 16:
        raise _internal(f"{between} is too large (> 65535)")
    if last < first:
        raise _internal(f"{between} " + ("is reversed " if version_of(start) == 4 else "start larger than end"))


def _internal(text: str) -> RoostError:
    return InternalError(text, domain=From.NONE)


def _check_lease(lease: Lease | None) -> None:
    if lease is not None and lease.expiry and lease.expiry < _SHORTEST_LEASE[lease.unit or "minutes"]:
        raise _unsupported("The minimum lease time should be greater than 2 minutes")


def check_host(host: DhcpHost, version: int, name: str) -> None:
    """An address kept for one guest, and what the guest is known by."""
    if host.mac is not None:
        if version == 6:
            raise _wrong(
                f"Invalid to specify MAC address '{host.mac}' in network '{name}' IPv6 static host definition",
                "IPv6 guests are known by id or name",
            )
        if int(host.mac.split(":")[0], 16) & 1:
            raise _wrong(f"expected unicast mac address, found multicast '{host.mac}' in network '{name}'")
    strange = [char for char in host.id or "" if char not in _HEX_AND_COLONS]
    if strange:
        raise _wrong(f"Invalid character '{strange[0]}' in id '{host.id}' of network '{name}'")
    if host.name is not None and not (host.name[:1].isascii() and host.name[:1].isalnum()):
        raise _wrong(f"Cannot use host name '{host.name}' in network '{name}'")
    if version == 6 and host.id is None and host.name is None:
        raise _wrong(f"Static host definition in IPv6 network '{name}' must have id or name attribute")
    if version == 4 and host.mac is None and host.name is None:
        raise _wrong(f"Static host definition in IPv4 network '{name}' must have mac or name attribute")
    if host.ip is None:
        raise _wrong(f"Missing IP address in static host definition for network '{name}'")
    _check_lease(host.lease)


def check_route(route: NetworkRoute, network: Network) -> None:
    """A route leads to a network, through a gateway that one of the bridge's addresses reaches."""
    name, given = network.name, route.address
    if given is not None:
        _check_target(route, given, name)
    for ip in network.ips:
        prefix = prefix_of(ip.address, ip.netmask, ip.prefix)
        same_version = version_of(ip.address) == version_of(route.gateway)
        if same_version and prefix >= 0 and masked(ip.address, prefix) == masked(route.gateway, prefix):
            return
    raise _unsupported(f"unreachable static route gateway '{route.gateway}' specified for network '{name}'")


def _check_target(route: NetworkRoute, given: str, name: str) -> None:
    version = 6 if route.family == "ipv6" else 4
    for what, text in (("address", given), ("gateway", route.gateway)):
        if version_of(text) == version:
            continue
        if version == 4:
            # The message names the address, whichever of the two is wrong.
            family = "No family" if route.family is None else "IPv4 family"
            raise _wrong(
                f"{name}: {family} specified for non-IPv4 {what} '{given}' in route definition", "family='ipv6'?"
            )
        family = "ipv6 family specified for non-IPv6" if what == "address" else "ipv6 specified for non-IPv6 gateway"
        raise _wrong(f"{name}: {family} address '{text}' in route definition")
    if route.netmask is not None:
        if version == 6:
            raise _wrong(f"{name}: Specifying netmask invalid for IPv6 address '{given}' in route definition")
        if version_of(route.netmask) != version:
            raise _wrong(f"{name}: Invalid netmask '{route.netmask}' for address '{given}' (both must be IPv4)")
        if route.prefix is not None:
            raise _wrong(f"{name}: Route definition cannot have both a prefix and a netmask")
    prefix = route.prefix or 0
    if prefix > bits_of(version):
        raise _wrong(f"{name}: Invalid prefix {prefix} specified in route definition, must be 0 - {bits_of(version)}")
    number = int(parse_ip(given))
    inside = number & int(parse_ip(route.netmask)) if route.netmask else masked(given, prefix)
    if inside != number:
        raise _wrong(
            f"{name}: Address '{given}' in route definition is not a network address",
            "no bit may be set behind the prefix or netmask",
        )


def check_one_dhcp(network: Network) -> None:
    """Of the addresses of each version, one gives addresses out."""
    for version in (4, 6):
        serving = [
            ip
            for ip in network.ips
            if version_of(ip.address) == version and ip.dhcp and (ip.dhcp.ranges or ip.dhcp.hosts)
        ]
        if len(serving) > 1:
            raise _unsupported(
                f"Multiple IPv{version} dhcp sections found -- dhcp is supported only for a single IPv{version} "
                "address on each network"
            )


__all__ = [
    "check_host", "check_ip", "check_one_dhcp", "check_order", "check_range", "check_route", "check_within",
]  # fmt: skip
