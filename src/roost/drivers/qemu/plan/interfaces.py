"""Network interfaces: the host's end as a netdev, and the card."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from roost.drivers.qemu.plan import passt
from roost.drivers.qemu.plan.chardevs import backend, chardev_id
from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.pieces import Piece, Props, compact, device
from roost.drivers.qemu.plan.resources import File, Opened, Passt, Switch, Tap
from roost.errors import ConfigUnsupported, From, NoNetwork
from roost.model.domain.device import PciAddress
from roost.model.domain.devices.chardev import UnixChar
from roost.model.domain.devices.interface import (
    BridgeNet,
    DirectNet,
    EthernetNet,
    HostdevNet,
    Interface,
    InterfaceDriver,
    McastNet,
    NetworkNet,
    ServerNet,
    SocketNet,
    UdpNet,
    VdpaNet,
    VhostUserNet,
)

_VIRTIO = frozenset(("virtio", "virtio-transitional", "virtio-non-transitional"))
_TX_MODES = {"iothread": "bh", "timer": "timer"}
#: Sources that end in a tap interface on the host.
_TAPS = (EthernetNet, BridgeNet, NetworkNet, DirectNet)


def is_virtio(interface: Interface) -> bool:
    return interface.model in _VIRTIO


def _queues(interface: Interface) -> int:
    driver = interface.driver
    return driver.queues if driver is not None and driver.queues and is_virtio(interface) else 1


def tap(interface: Interface, *, kvm: bool) -> Tap | None:
    """The tap interface an interface needs; None when it needs none.

    kvm: the guest runs in the kernel, where vhost-net can serve it.
    """
    source = interface.source
    if not isinstance(source, _TAPS):
        return None
    driver = interface.driver
    wanted = driver.name if driver is not None else None
    if wanted == "vhost" and not is_virtio(interface):
        raise ConfigUnsupported(
            "vhost-net is only supported for virtio network interfaces",
            domain=From.QEMU,
            hint="use model 'virtio', or drop the driver's name",
        )
    use_vhost = kvm and is_virtio(interface) and wanted != "qemu"
    queues = _queues(interface)
    target, own = interface.target, interface.backend
    return Tap(
        key=alias_of(interface),
        name=(target.dev if target is not None else None) or "",
        mac=interface.mac or "",
        bridge=_bridge(interface),
        mtu=interface.mtu or None,
        queues=queues,
        vhost=queues if use_vhost else 0,
        vhost_required=use_vhost and wanted == "vhost",
        managed=target is None or target.managed is not False,
        vnet_hdr=is_virtio(interface),
        script=interface.script,
        downscript=interface.downscript,
        link=source.dev if isinstance(source, DirectNet) else None,
        mode=source.mode if isinstance(source, DirectNet) else "",
        device=(own.tap if own is not None else None) or "/dev/net/tun",
        vhost_device=(own.vhost if own is not None else None) or "/dev/vhost-net",
        switch=Switch(
            port=interface.virtualport,
            vlan=interface.vlan,
            bandwidth=interface.bandwidth,
            isolated=bool(interface.port_isolated),
            coalesce=interface.coalesce_rx_frames_max,
        ),
    )


def _bridge(interface: Interface) -> str | None:
    source = interface.source
    if isinstance(source, NetworkNet):
        if source.bridge is None:
            raise NoNetwork(
                f"no network with matching name '{source.network}'",
                domain=From.NETWORK,
                hint="networks are not kept yet: connect to a bridge with <interface type='bridge'>",
            )
        return source.bridge
    return source.bridge if isinstance(source, BridgeNet) else None


def _tap_netdev(interface: Interface, ctx: Context) -> Props:
    alias = alias_of(interface)
    fds = ctx.grants.fds.get(alias, ())
    props: Props = {"type": "tap"}
    if fds:
        props["fds" if len(fds) > 1 else "fd"] = ":".join(ctx.use(fd) for fd in fds)
    else:
        target = interface.target
        name = ctx.grants.names.get(alias) or (target.dev if target is not None else None)
        props |= {"ifname": name, "script": "no", "downscript": "no"}
    vhost = ctx.grants.fds.get(f"vhost:{alias}", ())
    if vhost:
        props["vhost"] = True
        props["vhostfds" if len(vhost) > 1 else "vhostfd"] = ":".join(ctx.use(fd) for fd in vhost)
    props["sndbuf"] = interface.sndbuf
    return props


def _user_netdev(interface: Interface, ctx: Context) -> Props:
    if passt.is_wanted(interface):
        path = ctx.grants.names.get(alias_of(interface)) or f"{ctx.grants.directory}/{alias_of(interface)}.socket"
        return {"type": "stream", "addr": {"type": "unix", "path": path}, "server": False}
    props: Props = {"type": "user"}
    for ip in interface.ips:
        if ip.family == "ipv6" or (ip.family is None and ":" in ip.address):
            props |= {"ipv6-prefix": ip.address, "ipv6-prefixlen": ip.prefix or None}
        else:
            props["net"] = f"{ip.address}/{ip.prefix}" if ip.prefix else ip.address
    return props


def _socket_netdev(interface: Interface, ctx: Context) -> Props:
    source = interface.source
    assert isinstance(source, SocketNet)
    kind = "listen" if isinstance(source, ServerNet) else "mcast" if isinstance(source, McastNet) else "connect"
    return {"type": "socket", kind: f"{source.address or ''}:{source.port}"}


def _udp_netdev(interface: Interface, ctx: Context) -> Props:
    source = interface.source
    assert isinstance(source, UdpNet)
    return {
        "type": "socket",
        "udp": f"{source.address}:{source.port}",
        "localaddr": f"{source.local_address or ''}:{source.local_port or 0}",
    }


def _vhost_user_netdev(interface: Interface, ctx: Context) -> Props:
    if passt.is_wanted(interface):
        return {"type": "vhost-user", "chardev": chardev_id(alias_of(interface))}
    queues = _queues(interface)
    return {
        "type": "vhost-user",
        "chardev": chardev_id(alias_of(interface)),
        "queues": queues if queues > 1 else None,
    }


def _vdpa_key(interface: Interface) -> str:
    return f"vdpa:{alias_of(interface)}"


def _vdpa_netdev(interface: Interface, ctx: Context) -> Props:
    source = interface.source
    assert isinstance(source, VdpaNet)
    queues, key = _queues(interface), _vdpa_key(interface)
    device = f"/dev/fdset/{ctx.fdset(key)}" if key in ctx.grants.fds else source.dev
    return {"type": "vhost-vdpa", "vhostdev": device, "queues": queues if queues > 1 else None}


#: Of other hypervisors: translated as libvirt does, but never started.
_OTHERS = ("null", "vds")
_NETDEVS: dict[str, Callable[[Interface, Context], Props]] = {
    "user": _user_netdev,
    "ethernet": _tap_netdev,
    "bridge": _tap_netdev,
    "network": _tap_netdev,
    "server": _socket_netdev,
    "client": _socket_netdev,
    "mcast": _socket_netdev,
    "udp": _udp_netdev,
    "direct": _tap_netdev,
    "vhostuser": _vhost_user_netdev,
    "vdpa": _vdpa_netdev,
    "internal": lambda interface, ctx: {"type": "user"},
    **dict.fromkeys(_OTHERS, lambda interface, ctx: {}),
}


def netdev(interface: Interface, ctx: Context) -> Piece:
    """The host's end."""
    kind = interface.type
    make = _NETDEVS[kind]
    if interface.script is not None and kind != "ethernet":
        raise ConfigUnsupported(
            f"scripts are not supported on interfaces of type {kind}",
            domain=From.QEMU,
            hint="drop <script>, or use type 'ethernet'",
        )
    return Piece("netdev", compact(make(interface, ctx)) | {"id": f"host{alias_of(interface)}"})


def _host_end(interface: Interface, ctx: Context) -> Iterator[Piece]:
    """The netdev, and what it stands on."""
    alias = alias_of(interface)
    if isinstance(interface.source, VhostUserNet):
        yield from backend(vhost_user_socket(interface.source), chardev_id(alias), ctx, waits=not ctx.running)
    elif isinstance(interface.source, VdpaNet):
        fds = ctx.grants.fds.get(_vdpa_key(interface), ())
        for fd in fds:
            if not ctx.running:
                ctx.use(fd)
            number = ctx.fdset(_vdpa_key(interface))
            yield Piece("fdset", {"fdset-id": number, "fd": fd, "opaque": f"{alias}-vdpa"})
    yield netdev(interface, ctx)


def vhost_user_socket(source: VhostUserNet) -> UnixChar:
    """The socket that an interface of this kind is spoken to over: the guest waits at its own for the switch."""
    mode = "bind" if source.mode == "server" else "connect"
    return UnixChar(mode=mode, path=source.path, reconnect=source.reconnect)  # type: ignore[arg-type]  # of a Literal


def _virtio_card(interface: Interface, ctx: Context) -> Props:
    driver = interface.driver or InterfaceDriver()
    model = interface.model if interface.model != "virtio" else None
    props = ctx.virtio("virtio-net", interface, driver, model)
    props |= {
        "tx": _TX_MODES.get(driver.txmode or ""),
        "ioeventfd": driver.ioeventfd,
        "event_idx": driver.event_idx,
        "rx_queue_size": driver.rx_queue_size or None,
        "tx_queue_size": driver.tx_queue_size or None,
        "rss": driver.rss,
        "hash": driver.rss_hash_report,
        "host_mtu": interface.mtu or None,
    }
    host, guest = driver.host, driver.guest
    if host is not None:
        props |= {
            "csum": host.csum,
            "gso": host.gso,
            "host_tso4": host.tso4,
            "host_tso6": host.tso6,
            "host_ecn": host.ecn,
            "host_ufo": host.ufo,
            "mrg_rxbuf": host.mrg_rxbuf,
        }
    if guest is not None:
        props |= {
            "guest_csum": guest.csum,
            "guest_tso4": guest.tso4,
            "guest_tso6": guest.tso6,
            "guest_ecn": guest.ecn,
            "guest_ufo": guest.ufo,
        }
    queues = _queues(interface)
    if queues > 1:
        props["mq"] = True
        if isinstance(interface.address, PciAddress):
            # An interrupt for each queue's two directions, one for the control queue, one for configuration.
            props["vectors"] = 2 * queues + 2
    if interface.teaming is not None and interface.teaming.type == "persistent":
        props["failover"] = True
    return props


def card(interface: Interface, ctx: Context) -> Piece:
    """The device the guest sees."""
    alias = alias_of(interface)
    if is_virtio(interface):
        props = _virtio_card(interface, ctx)
    else:
        model = interface.model or "rtl8139"
        # What model there is only QEMU knows: libvirt lets it say so.
        props = {"driver": model}
    props |= {
        "netdev": f"host{alias}",
        "id": alias,
        "mac": interface.mac,
        "bootindex": ctx.boot.get(alias),
        **ctx.address(interface),
    }
    rom = interface.rom
    if rom is not None:
        if not isinstance(interface.address, PciAddress):
            raise ConfigUnsupported(
                "ROM tuning is only supported for PCI devices", domain=From.QEMU, hint="drop <rom> from the interface"
            )
        if rom.enabled is False:
            props["romfile"] = ""
        else:
            props["romfile"] = rom.file
            props["rombar"] = None if rom.bar is None else int(rom.bar)
    return device(props)


def pieces(interface: Interface, ctx: Context) -> Iterator[Piece]:
    """None for a network card of the host's, which is a host device."""
    if isinstance(interface.source, HostdevNet):
        return
    yield from _host_end(interface, ctx)
    yield card(interface, ctx)


def section(ctx: Context) -> Iterator[Piece]:
    for interface in ctx.domain.devices.interfaces:
        yield from pieces(interface, ctx)


def needs(ctx: Context) -> Iterator[Tap | Opened | Passt | File]:
    for interface in ctx.domain.devices.interfaces:
        alias, source = alias_of(interface), interface.source
        if interface.type in _OTHERS:
            raise ConfigUnsupported(
                f"network device type '{interface.type}' is not supported by this version of qemu",
                domain=From.QEMU,
                hint="type='bridge', 'direct' or 'user'",
            )
        need = tap(interface, kvm=ctx.domain.type == "kvm")
        if need is not None:
            yield need
        elif passt.is_wanted(interface):
            yield passt.need(interface)
        elif isinstance(source, VhostUserNet):
            # QEMU makes the socket itself: over one that is passed to it no descriptors can be.
            kind = "chardev" if source.mode == "server" else "socket"
            yield File(source.path, write=True, user=alias, kind=kind)
        elif isinstance(source, VdpaNet):
            yield Opened(_vdpa_key(interface), source.dev, f"Unable to open '{source.dev}' for vdpa device")
