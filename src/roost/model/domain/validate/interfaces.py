"""Rules about network interfaces."""

from __future__ import annotations

from typing import Any

from roost.errors import From, InternalError, XmlError
from roost.model.domain.validate.rules import Context, Rule, Rules, is_odd_size, virtio_only

_VIRTIO_NET = frozenset(("virtio", "virtio-transitional", "virtio-non-transitional"))


def _several(family: str) -> Any:
    def broken(d: Any, c: Context) -> bool:
        return d.type == "user" and sum(_family(ip) == family for ip in d.ips) > 1

    return broken


def _family(ip: Any) -> str:
    return ip.family or ("ipv6" if ":" in ip.address else "ipv4")


def _bad_prefix(family: str, low: int, high: int) -> Any:
    def broken(d: Any, c: Context) -> bool:
        return d.type == "user" and any(
            _family(ip) == family and ip.prefix and not low <= ip.prefix <= high for ip in d.ips
        )

    return broken


INTERFACE_RULES = Rules(
    Rule(
        lambda d, c: d.teaming.type == "transient" and not d.teaming.persistent,
        "teaming persistent attribute must be set if teaming type is 'transient'",
        origin=From.DOMAIN,
        about="teaming",
    ),
    Rule(
        lambda d, c: d.teaming.type == "persistent" and d.teaming.persistent,
        "teaming persistent attribute not allowed if teaming type is '{d.teaming.type}'",
        origin=From.DOMAIN,
        about="teaming",
    ),
    *virtio_only(lambda d: d.model in _VIRTIO_NET),
    Rule(
        lambda d, c: (d.source.host_ips or d.source.host_routes) and d.type != "ethernet",
        "Invalid attempt to set network interface host-side IP route and/or address info on interface of type "
        "'{d.type}'. This is only supported on interfaces of type 'ethernet'",
        origin=From.DOMAIN,
    ),
    Rule(
        lambda d, c: d.target.managed is False and d.type != "ethernet",
        "unmanaged target dev is not supported on interfaces of type '{d.type}'",
        origin=From.DOMAIN,
        about="target",
    ),
    Rule(
        lambda d, c: d.port_isolated and d.type not in ("network", "bridge"),
        "interface {d.mac} - <port isolated='yes'/> is not supported for network interfaces with type='{d.type}'",
        origin=From.DOMAIN,
        about="port_isolated",
    ),
    Rule(
        lambda d, c: d.port_isolated and d.virtualport is not None and d.virtualport.type is not None,
        "interface {d.mac} - <port isolated='yes'/> is not supported for network interfaces with virtualport "
        "type='{d.virtualport.type}'",
        origin=From.DOMAIN,
        about="port_isolated",
    ),
    Rule(
        lambda d, c: d.backend.type == "passt" and d.type not in ("user", "vhostuser"),
        "The 'passt' backend can only be used with interface type='user'",
        error=InternalError,
        origin=From.DOMAIN,
        about="backend",
    ),
    Rule(
        lambda d, c: d.model not in _VIRTIO_NET,
        "Wrong or no <model> 'type' attribute specified with <interface type='vhostuser'/>. "
        "vhostuser requires the virtio-net* frontend",
        "<model type='virtio'/>",
        InternalError,
        From.DOMAIN,
        about="type=vhostuser",
    ),
    Rule(
        lambda d, c: d.source.mode == "server" and d.source.reconnect is not None and d.source.reconnect.enabled,
        "'reconnect' attribute unsupported 'server' mode for <interface type='vhostuser'>",
        "mode='client'",
        origin=From.DOMAIN,
        about="type=vhostuser",
    ),
    Rule(
        lambda d, c: (
            d.backend.type == "passt"
            and any(
                not ports.start and (ports.end or ports.to or ports.exclude is not None)
                for forward in d.port_forwards
                for ports in forward.ranges
            )
        ),
        "The 'range' of a 'portForward' requires 'start' attribute if 'end', 'to', or 'exclude' is specified",
        origin=From.DOMAIN,
        about="backend",
    ),
    Rule(
        lambda d, c: d.routes,
        "Invalid attempt to set network interface guest-side IP route, not supported by QEMU",
        about="type=user",
    ),
    Rule(
        lambda d, c: any(ip.peer is not None for ip in d.ips),
        "Invalid attempt to set peer IP for guest",
        about="type=user",
    ),
    Rule(_several("ipv4"), "Only one IPv4 address per interface is allowed"),
    Rule(
        _bad_prefix("ipv4", 4, 27),
        "invalid prefix, must be in range of 4-27",
        error=XmlError,
    ),
    Rule(_several("ipv6"), "Only one IPv6 address per interface is allowed"),
    Rule(_bad_prefix("ipv6", 64, 64), "unsupported IPv6 address prefix='{d.ips[0].prefix}' - must be 64"),
    Rule(
        lambda d, c: (d.ips or d.routes) and d.type not in ("user", "vdpa"),
        "Invalid attempt to set network interface guest-side IP route and/or address info, not supported by QEMU",
        "the guest sets its own addresses",
    ),
    Rule(
        lambda d, c: d.model != "virtio",
        "invalid model for interface of type 'vdpa': '{d.model}'",
        "<model type='virtio'/>",
        about="type=vdpa",
    ),
    Rule(
        lambda d, c: d.model in _VIRTIO_NET and is_odd_size(d.driver.rx_queue_size),
        "rx_queue_size has to be a power of two",
        about="driver",
    ),
    Rule(
        lambda d, c: d.model in _VIRTIO_NET and is_odd_size(d.driver.tx_queue_size),
        "tx_queue_size has to be a power of two",
        about="driver",
    ),
    Rule(
        lambda d, c: d.mtu and d.type not in ("network", "bridge", "ethernet", "vhostuser", "hostdev"),
        "setting MTU on interface type {d.type} is not supported yet",
        about="mtu",
    ),
    Rule(
        lambda d, c: d.teaming.type == "persistent" and d.model not in _VIRTIO_NET,
        "virtio-net teaming persistent interface must be <model type='virtio'/>, not '{d.model}'",
        about="teaming",
    ),
    Rule(
        lambda d, c: d.teaming.type == "transient" and d.type not in ("network", "hostdev"),
        "virtio-net teaming transient interface must be type='hostdev', not '{d.type}'",
        about="teaming",
    ),
    Rule(
        lambda d, c: d.coalesce_rx_frames_max and d.type not in ("network", "bridge", "ethernet", "direct", "vdpa"),
        "coalesce settings on interface type {d.type} are not supported",
        about="coalesce_rx_frames_max",
    ),
)


__all__ = ["INTERFACE_RULES"]
