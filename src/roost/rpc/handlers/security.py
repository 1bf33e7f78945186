"""Security labels and encrypted memory."""

from __future__ import annotations

from collections.abc import Sequence

from roost.contract.security import Security
from roost.rpc.routes import Values, nothing, one, row


def _labels(labels: Sequence[tuple[str, bool]]) -> Values:
    return [(label.encode() + b"\0", int(enforcing)) for label, enforcing in labels], len(labels)


ROWS = (
    row("DOMAIN_GET_SECURITY_LABEL_LIST", Security, "labels", _labels),
    row("DOMAIN_GET_LAUNCH_SECURITY_INFO", Security, "launch_info", one),
    row("DOMAIN_SET_LAUNCH_SECURITY_STATE", Security, "set_launch_state", nothing),
)
