"""<on_poweroff>, <on_reboot>, <on_crash>: what follows when a guest ends or crashes."""

from __future__ import annotations

import msgspec

from roost.constants import domain as D
from roost.errors import ConfigUnsupported, From, InvalidArg
from roost.model.domain import Domain

#: Kind of end -> its name, in the order of the public numbers; the document's field is named after it.
_KINDS = {D.LIFECYCLE_POWEROFF: "poweroff", D.LIFECYCLE_REBOOT: "reboot", D.LIFECYCLE_CRASH: "crash"}
_ACTIONS = {
    D.LIFECYCLE_ACTION_DESTROY: "destroy",
    D.LIFECYCLE_ACTION_RESTART: "restart",
    D.LIFECYCLE_ACTION_RESTART_RENAME: "rename-restart",
    D.LIFECYCLE_ACTION_PRESERVE: "preserve",
    D.LIFECYCLE_ACTION_COREDUMP_DESTROY: "coredump-destroy",
    D.LIFECYCLE_ACTION_COREDUMP_RESTART: "coredump-restart",
}
_DUMPS = frozenset((D.LIFECYCLE_ACTION_COREDUMP_DESTROY, D.LIFECYCLE_ACTION_COREDUMP_RESTART))


def check(kind: int, action: int) -> None:
    """Raises InvalidArg for numbers that mean nothing, ConfigUnsupported for a dump of what has not crashed."""
    if kind not in _KINDS:
        raise InvalidArg(
            f"invalid lifecycle type '{kind}'", domain=From.DOMAIN, hint="types: 0 poweroff, 1 reboot, 2 crash"
        )
    if action not in _ACTIONS:
        known = ", ".join(f"{number} {name}" for number, name in sorted(_ACTIONS.items()))
        raise InvalidArg(f"invalid lifecycle action '{action}'", domain=From.DOMAIN, hint=f"actions: {known}")
    if action in _DUMPS and kind != D.LIFECYCLE_CRASH:
        text = f"Lifecycle event '{_KINDS[kind]}' doesn't support '{_ACTIONS[action]}' action"
        raise ConfigUnsupported(text, domain=From.DOMAIN, hint="core dumps are for 'crash'")


def with_action(document: Domain, kind: int, action: int) -> Domain:
    """The document with it."""
    return msgspec.structs.replace(document, **{f"on_{_KINDS[kind]}": _ACTIONS[action]})


__all__ = ["check", "with_action"]
