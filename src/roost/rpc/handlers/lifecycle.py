"""Starting, pausing and ending domains."""

from __future__ import annotations

from roost.contract.domains import Lifecycle
from roost.rpc.routes import no_flags, nothing, one, row

ROWS = (
    row("DOMAIN_CREATE", Lifecycle, "create", nothing, no_flags),
    row("DOMAIN_CREATE_WITH_FLAGS", Lifecycle, "create", one),
    row("DOMAIN_SHUTDOWN", Lifecycle, "shutdown", nothing, no_flags),
    row("DOMAIN_SHUTDOWN_FLAGS", Lifecycle, "shutdown", nothing),
    row("DOMAIN_REBOOT", Lifecycle, "reboot", nothing),
    row("DOMAIN_RESET", Lifecycle, "reset", nothing),
    row("DOMAIN_SUSPEND", Lifecycle, "suspend", nothing),
    row("DOMAIN_RESUME", Lifecycle, "resume", nothing),
    row("DOMAIN_DESTROY", Lifecycle, "destroy", nothing, no_flags),
    row("DOMAIN_DESTROY_FLAGS", Lifecycle, "destroy", nothing),
)
