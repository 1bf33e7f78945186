"""What QEMU does when a guest ends or crashes: <on_poweroff>, <on_reboot>, <on_crash>. Dry."""

from __future__ import annotations

from roost.constants import domain as D
from roost.engine.edits import actions
from roost.model.domain import Domain
from roost.model.domain.validate import check_actions

#: Action on a reboot -> what QEMU is to do; of the others it is not told.
_REBOOT = {D.LIFECYCLE_ACTION_DESTROY: "shutdown", D.LIFECYCLE_ACTION_RESTART: "reset"}


def with_action(document: Domain, kind: int, action: int) -> Domain:
    """The document with it. Raises ConfigUnsupported for what QEMU, or anybody, cannot do."""
    changed = actions.with_action(document, kind, action)
    check_actions(changed)
    return changed


def on_reboot(kind: int, action: int) -> str | None:
    """What QEMU itself must know of it, as the `reboot` of its set-action; None for nothing."""
    return _REBOOT.get(action) if kind == D.LIFECYCLE_REBOOT else None
