"""Where displays listen, and the ports they need."""

from __future__ import annotations

from roost.model.domain.devices.graphics import AddressListen, AnyListen, NetworkListen

#: The ports that displays are given, of which QEMU counts VNC's from the first.
FIRST_PORT, LAST_PORT = 5900, 65535
DEFAULT_ADDRESS = "127.0.0.1"


def port_key(position: int) -> str:
    """The key of display number `position`'s port among the needs and grants."""
    return f"graphics{position}"


def websocket_key(position: int) -> str:
    return f"graphics{position}.websocket"


def tls_key(position: int) -> str:
    return f"graphics{position}.tls"


def address_of(listen: AnyListen) -> str | None:
    """The address of a listen element that has a port; None for a socket or no listening at all."""
    if isinstance(listen, AddressListen | NetworkListen):
        return listen.address or DEFAULT_ADDRESS
    return None
