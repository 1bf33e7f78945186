"""passt: user networking by a process of its own."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.context import alias_of
from roost.drivers.qemu.plan.resources import Passt
from roost.model.domain.devices.interface import Interface, PortForward, PortRange, UserNet
from roost.model.shared.ip import version_of


def is_wanted(interface: Interface) -> bool:
    return interface.backend is not None and interface.backend.type == "passt"


def need(interface: Interface) -> Passt:
    """The process that an interface with this backend needs."""
    return Passt(alias_of(interface), tuple(_arguments(interface)))


def _arguments(interface: Interface) -> Iterator[str]:
    source, own = interface.source, interface.backend
    yield from ("--mac-addr", interface.mac or "")
    if interface.mtu:
        yield from ("--mtu", str(interface.mtu))
    if isinstance(source, UserNet) and source.dev is not None:
        yield from ("--interface", source.dev)
    if own is not None:
        for flag, value in (("--log-file", own.log_file), ("--hostname", own.hostname), ("--fqdn", own.fqdn)):
            if value is not None:
                yield from (flag, value)
    for ip in interface.ips:
        yield from ("--address", ip.address)
        # Of the newer protocol it takes no prefix.
        if ip.prefix and version_of(ip.address) == 4:
            yield from ("--netmask", str(ip.prefix))
    for forward in interface.port_forwards:
        yield from (f"--{forward.proto}-ports", _ports(forward))


def _ports(forward: PortForward) -> str:
    where = ""
    if forward.address is not None:
        where = f"{forward.address}%{forward.dev}/" if forward.dev is not None else f"{forward.address}/"
    return where + (",".join(map(_range, forward.ranges)) or "all")


def _range(ports: PortRange) -> str:
    """`~8000-8080:80-160`: the host's ports and the guest's."""
    text = f"{'~' if ports.exclude else ''}{ports.start}"
    if ports.end:
        text += f"-{ports.end}"
    if ports.to:
        text += f":{ports.to}"
        if ports.end:
            text += f"-{ports.end + ports.to - (ports.start or 0)}"
    return text
