"""Displays by descriptor."""

from __future__ import annotations

from roost.contract.displays import Displays
from roost.rpc.routes import Values, nothing, row


def _socket(descriptor: int) -> tuple[Values, tuple[int, ...]]:
    return (), (descriptor,)


ROWS = (
    row("DOMAIN_OPEN_GRAPHICS", Displays, "open", nothing, takes_files=True),
    row("DOMAIN_GRAPHICS_RELOAD", Displays, "reload", nothing),
    row("DOMAIN_OPEN_GRAPHICS_FD", Displays, "connect", _socket, gives_files=True),
)
