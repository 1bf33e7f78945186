"""Network documents in and out, as XML."""

from __future__ import annotations

from roost.errors import From
from roost.model.network.network import Network
from roost.model.network.port import NetworkPort
from roost.xml import format_document, parse_document


def parse(xml: str | bytes, *, validate: bool = False, live: bool = False) -> Network:
    """The network that a document describes, as it was written.

    live: keep what only an active network has (connections). validate: refuse
    what no field declares. Raises RoostError with libvirt's code; nothing else, whatever the bytes.
    """
    return parse_document(
        xml, Network, "network", name="(network_definition)", origin=From.NETWORK, live=live, validate=validate
    )


def format(network: Network) -> str:
    """The document, laid out as libvirt does."""
    return format_document(network, "network")


def parse_port(xml: str | bytes, *, validate: bool = False) -> NetworkPort:
    """The port that a document describes, as it was written. Raises as `parse` does."""
    return parse_document(
        xml, NetworkPort, "networkport", name="(networkport_definition)", origin=From.NETWORK, validate=validate
    )


def format_port(port: NetworkPort) -> str:
    """The port's document, laid out as libvirt does."""
    return format_document(port, "networkport")


__all__ = ["format", "format_port", "parse", "parse_port"]
