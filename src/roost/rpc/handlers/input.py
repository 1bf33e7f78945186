"""Keys and interrupts."""

from __future__ import annotations

from roost.contract.input import Input
from roost.rpc.routes import nothing, row

ROWS = (
    row("DOMAIN_SEND_KEY", Input, "send_key", nothing),
    row("DOMAIN_INJECT_NMI", Input, "inject_nmi", nothing),
    row("DOMAIN_SEND_PROCESS_SIGNAL", Input, "send_process_signal", nothing),
)
