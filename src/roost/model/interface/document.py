"""Host interface documents in and out, and what libvirt makes of them."""

from __future__ import annotations

from msgspec.structs import replace

from roost.errors import From, XmlError
from roost.model.interface.interface import (
    Bond,
    BondSettings,
    BridgeInterface,
    BridgeMember,
    HostInterface,
    MiiMonitor,
    Protocol,
)
from roost.xml import format_document, parse_document

_MAX_MTU = 100_000


def parse(xml: str | bytes, *, validate: bool = False) -> HostInterface:
    """The interface that a document describes, as it was written.

    validate: refuse what no field declares. Raises RoostError with libvirt's
    code; nothing else, whatever the bytes.
    """
    return parse_document(
        xml, HostInterface, "interface", name="(interface_definition)", origin=From.INTERFACE, validate=validate
    )


def complete(interface: HostInterface) -> HostInterface:
    """The interface as it will be kept and shown. Raises XmlError."""
    if (interface.mtu or 0) > _MAX_MTU:
        raise XmlError(
            f"value of the 'size' attribute of 'mtu' element must be at most {_MAX_MTU}", domain=From.INTERFACE
        )
    kind, link = interface.kind, interface.link
    if isinstance(kind, BridgeInterface):
        # A bridge has no carrier of its own.
        link = None
        members = tuple(_member(member) for member in kind.bridge.members)
        kind = replace(kind, bridge=replace(kind.bridge, members=members))
    elif isinstance(kind, Bond):
        kind = replace(kind, bond=_bond(kind.bond))
    return replace(interface, kind=kind, link=link, protocols=tuple(_protocol(p) for p in interface.protocols))


def _member(member: BridgeMember) -> BridgeMember:
    return replace(member, kind=replace(member.kind, bond=_bond(member.kind.bond))) if isinstance(
        member.kind, Bond
    ) else member  # fmt: skip


def _bond(bond: BondSettings) -> BondSettings:
    if bond.miimon is None:
        return bond
    # The two ways of watching exclude each other; this one is looked for first.
    return replace(bond, miimon=_monitor(bond.miimon), arpmon=None)


def _monitor(monitor: MiiMonitor) -> MiiMonitor:
    return replace(monitor, downdelay=_positive(monitor.downdelay), updelay=_positive(monitor.updelay))


def _positive(delay: int | None) -> int | None:
    return delay if delay and delay > 0 else None


def _protocol(protocol: Protocol) -> Protocol:
    return replace(
        protocol,
        autoconf=protocol.autoconf and protocol.family == "ipv6",
        ips=tuple(ip for ip in protocol.ips if ip.address is not None),
    )


def format(interface: HostInterface) -> str:
    """The document, laid out as libvirt does."""
    return format_document(interface, "interface")


__all__ = ["complete", "format", "parse"]
