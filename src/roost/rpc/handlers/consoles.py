"""Character devices as streams."""

from __future__ import annotations

from roost.contract.domains import Consoles
from roost.rpc.routes import nothing, row

ROWS = (
    row("DOMAIN_OPEN_CONSOLE", Consoles, "open_console", nothing, opens_stream=True),
    row("DOMAIN_OPEN_CHANNEL", Consoles, "open_channel", nothing, opens_stream=True),
)
