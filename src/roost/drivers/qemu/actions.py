"""What happens when a guest ends or crashes: <on_poweroff>, <on_reboot>, <on_crash>. Dry."""

from __future__ import annotations

import msgspec

from roost.constants import domain as D
from roost.errors import From, InvalidArg
from roost.model.domain import Domain
from roost.model.domain.validate import check_actions

#: Kind of end -> the document's field, in the order of the public numbers.
_FIELDS = {D.LIFECYCLE_POWEROFF: "on_poweroff", D.LIFECYCLE_REBOOT: "on_reboot", D.LIFECYCLE_CRASH: "on_crash"}
_ACTIONS = {
    D.LIFECYCLE_ACTION_DESTROY: "destroy",
    D.LIFECYCLE_ACTION_RESTART: "restart",
    D.LIFECYCLE_ACTION_RESTART_RENAME: "rename-restart",
    D.LIFECYCLE_ACTION_PRESERVE: "preserve",
    D.LIFECYCLE_ACTION_COREDUMP_DESTROY: "coredump-destroy",
    D.LIFECYCLE_ACTION_COREDUMP_RESTART: "coredump-restart",
}
#: Action on a reboot -> what QEMU is to do; of the others it is not told.
_REBOOT = {D.LIFECYCLE_ACTION_DESTROY: "shutdown", D.LIFECYCLE_ACTION_RESTART: "reset"}


def check(kind: int, action: int) -> None:
    """Raises InvalidArg for numbers that mean nothing."""
    if kind not in _FIELDS:
        raise InvalidArg(
            f"invalid lifecycle type '{kind}'", domain=From.DOMAIN, hint="types: 0 poweroff, 1 reboot, 2 crash"
        )
    if action not in _ACTIONS:
        known = ", ".join(f"{number} {name}" for number, name in sorted(_ACTIONS.items()))
        raise InvalidArg(f"invalid lifecycle action '{action}'", domain=From.DOMAIN, hint=f"actions: {known}")


def with_action(document: Domain, kind: int, action: int) -> Domain:
    """The document with it. Raises ConfigUnsupported for what QEMU, or anybody, cannot do."""
    changed = msgspec.structs.replace(document, **{_FIELDS[kind]: _ACTIONS[action]})
    check_actions(changed)
    return changed


def on_reboot(kind: int, action: int) -> str | None:
    """What QEMU itself must know of it, as the `reboot` of its set-action; None for nothing."""
    return _REBOOT.get(action) if kind == D.LIFECYCLE_REBOOT else None
