"""Rules for where a network leads: <forward>, <bridge>, <portgroup>, and what does not go with a mode."""

from __future__ import annotations

from collections import Counter

from roost.errors import ConfigUnsupported, From, RoostError, XmlDetail, XmlError
from roost.model.network.network import Forward, Nat, Network, PortGroup
from roost.model.network.validate.addresses import check_order
from roost.model.shared.bandwidth import check_bandwidth
from roost.model.shared.pci import check_pci_location
from roost.model.shared.virtualport import check_virtualport
from roost.model.shared.vlan import check_vlan

_L3 = frozenset(("nat", "route", "open"))


def _unsupported(text: str, hint: str = "") -> RoostError:
    return ConfigUnsupported(text, domain=From.NETWORK, hint=hint)


def _wrong(text: str, hint: str = "") -> RoostError:
    return XmlError(text, domain=From.NETWORK, hint=hint)


def check_mac(network: Network) -> None:
    """A bridge has an address of its own."""
    if network.mac is not None and int(network.mac[:2], 16) & 1:
        raise _wrong(
            f"Invalid multicast bridge mac address '{network.mac}' in network '{network.name}'",
            "the second digit must be even",
        )


def check_port_group(group: PortGroup) -> None:
    """The parts that stand in a network's root as well."""
    check_virtualport(group.virtualport)
    check_bandwidth(group.bandwidth)
    check_vlan(group.vlan)


def check_forward(forward: Forward, name: str) -> None:
    """The devices that a network leads to: one way of naming them, each once."""
    if len(forward.nats) > 1:
        raise _wrong(f"Only one <nat> element is allowed in <forward> of network {name}")
    for nat in forward.nats:
        _check_nat(nat, forward.mode, name)
    if forward.dev is not None and (forward.addresses or forward.pfs):
        raise _wrong(
            "the <forward> 'dev' attribute cannot be used when <address> or <pf> sub-elements are present "
            f"in network {name}"
        )
    if forward.interfaces:
        _check_interfaces(forward, name)
    elif forward.dev is None:
        _check_addresses(forward, name)


def _check_nat(nat: Nat, mode: str, name: str) -> None:
    where = f"in <nat> in <forward> in network {name}"
    if mode != "nat":
        raise _wrong(f"The <nat> element can only be used when <forward> 'mode' is 'nat' in network {name}")
    if len(nat.addresses) > 1:
        raise _wrong(f"Only one <address> element is allowed {where}")
    for addresses in nat.addresses:
        check_order(addresses.start, addresses.end)
    if len(nat.ports) > 1:
        raise _wrong(f"Only one <port> element is allowed {where}")
    for ports in nat.ports:
        if ports.end < ports.start:
            raise XmlDetail(
                f"Missing or invalid 'end' attribute in <port> {where}",
                domain=From.NETWORK,
                hint=f"from {ports.start} to 65535",
            )


def _check_interfaces(forward: Forward, name: str) -> None:
    names = [interface.dev for interface in forward.interfaces]
    if forward.dev is not None and forward.dev != names[0]:
        raise _wrong(f"<forward dev='{forward.dev}'> must match first <interface dev='{names[0]}'/> in network {name}")
    for number, dev in enumerate(names):
        if dev in names[:number]:
            raise _wrong(f"interface '{dev}' can only be listed once in network {name}")


def _check_addresses(forward: Forward, name: str) -> None:
    seen: set[str] = set()
    for address in forward.addresses:
        check_pci_location(address)
        if str(address) in seen:
            raise _wrong(f"PCI device '{address}' can only be listed once in network {name}")
        seen.add(str(address))
    if len(forward.pfs) > 1 and not forward.addresses:
        raise _wrong(f"Only one <pf> element is allowed in <forward> of network {name}")


def check_bridge(network: Network) -> None:
    """What must and what may be said of the bridge and its size of packets in each mode."""
    mode, name, bridge, forward = network.mode, network.name, network.bridge, network.forward
    if forward and mode in _L3:
        if not network.ips:
            raise _wrong(f"{mode} forwarding requested, but no IP address provided for network '{name}'")
        if len(forward.interfaces) > 1:
            raise _wrong(f"multiple forwarding interfaces specified for network '{name}', only one is supported")
        if mode == "open" and (forward.interfaces or forward.dev):
            raise _wrong(f"forward dev not allowed for network '{name}' with forward mode='{mode}'")
    if bridge and not network.has_own_bridge:
        if mode != "bridge":
            for value, what in (
                (bridge.name, "name"), (bridge.zone, "zone"), (bridge.mac_table_manager, "macTableManager setting"),
            ):  # fmt: skip
                if value is not None:
                    raise _wrong(f"bridge {what} not allowed in {mode} mode (network '{name}')")
        if bridge.delay or bridge.stp is not None or bridge.zone is not None:
            raise _wrong(
                "bridge delay/stp/zone options only allowed in route, nat, and isolated mode, "
                f"not in {mode} (network '{name}')"
            )
        if forward and bridge.name is not None and (forward.interfaces or forward.dev or forward.pfs):
            raise _wrong(
                f"A network with forward mode='{mode}' can specify a bridge name or a forward dev, but not both "
                f"(network '{name}')"
            )
    if network.mtu and not network.has_own_bridge:
        raise _wrong(f"mtu size only allowed in open, route, nat, and isolated mode, not in {mode} (network '{name}')")


def check_unused_sections(network: Network) -> None:
    """What only a bridge of libvirt's own can have."""
    if network.has_own_bridge:
        return
    dns = network.dns
    for element, given in (
        ("mac", network.mac), ("ip", network.ips), ("dns", dns and (dns.txts or dns.hosts or dns.srvs)),
        ("domain", network.domain),
    ):  # fmt: skip
        if given:
            raise _unsupported(
                f"Unsupported <{element}> element in network {network.name} with forward mode='{network.mode}'"
            )
    if (
        network.bandwidth
        and not _takes_bandwidth(network)
        and (network.bandwidth.inbound is not None or network.bandwidth.outbound is not None)
    ):
        raise _unsupported(
            f"Unsupported network-wide <bandwidth> element in network {network.name} with forward mode='{network.mode}'"
        )


def _takes_bandwidth(network: Network) -> bool:
    named = network.bridge is not None and network.bridge.name is not None
    return network.has_own_bridge or (network.mode == "bridge" and named)


def check_devices(network: Network) -> None:
    """Guests get PCI devices in hostdev mode, and interfaces in all others."""
    forward, name = network.forward, network.name
    if forward is None:
        return
    names = [interface.dev for interface in forward.interfaces] or ([forward.dev] if forward.dev is not None else [])
    for dev in names:
        if forward.mode == "hostdev":
            raise _unsupported(
                f"hostdev network '{name}' lists '{dev}' in the device pool, but hostdev networks require all devices "
                "to be listed by PCI address, not network device name"
            )
    if forward.addresses and not names and forward.mode != "hostdev":
        raise _unsupported(
            f"network '{name}' has forward mode '{forward.mode}'  but lists a device by PCI address in the device "
            "pool. This is only supported for networks with forward mode 'hostdev'"
        )


def check_vlans(network: Network) -> None:
    """Port groups: one default, names that differ, VLAN tags only where something can tag, rates where shaped."""
    default: PortGroup | None = None
    names = Counter(group.name for group in network.port_groups)
    allowed, bad = _tags_allowed(network), False
    for group in network.port_groups:
        if network.vlan or group.vlan:
            port = group.virtualport
            bad |= not allowed if port is None else network.mode != "bridge" or port.type != "openvswitch"
        if group.default:
            if default is not None:
                raise _unsupported(
                    f"network '{network.name}' has multiple default <portgroup> elements ({default.name} and "
                    f"{group.name}), but only one default is allowed"
                )
            default = group
        if names[group.name] > 1:
            raise _unsupported(
                f"multiple <portgroup> elements with the same name ({group.name}) in network '{network.name}'"
            )
        if group.bandwidth and not _takes_bandwidth(network):
            raise _unsupported(
                f"Unsupported <bandwidth> element in network '{network.name}' in portgroup '{group.name}' "
                f"with forward mode='{network.mode}'"
            )
    if bad or (network.vlan and not allowed and default is None):
        raise _unsupported(
            f"<vlan> element specified for network {network.name}, whose type doesn't support vlan configuration",
            "Open vSwitch bridges, hostdev and passthrough do",
        )


def _tags_allowed(network: Network) -> bool:
    port = network.virtualport
    tagging = network.mode == "bridge" and port is not None and port.type == "openvswitch"
    return tagging or network.mode in ("hostdev", "passthrough")


__all__ = [
    "check_bridge", "check_devices", "check_forward", "check_mac", "check_port_group", "check_unused_sections",
    "check_vlans",
]  # fmt: skip
