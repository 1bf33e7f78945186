"""Domain documents as the hypervisor's own configuration, and back."""

from __future__ import annotations

from roost.contract.translation import Translation
from roost.rpc.routes import one, row

ROWS = (
    row("CONNECT_DOMAIN_XML_TO_NATIVE", Translation, "to_native", one),
    row("CONNECT_DOMAIN_XML_FROM_NATIVE", Translation, "from_native", one),
)
