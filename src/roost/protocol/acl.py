"""Permissions: the sets that many procedures share, and what conditions mean.

An entry of `Procedure.acl` is "object:permission", needed always, or has a condition:

    domain:read_secure:FLAG    if the call's `flags` have FLAG
    domain:save:!A|B           if they have neither A nor B
    domain:write::source:X     if the argument `source` is X
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from roost.protocol.procedure import Procedure

#: Changing a domain needs `save` too as soon as its definition is changed.
DOMAIN_CHANGE = (
    "domain:write",
    "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
    "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
)

#: The values that conditions name.
CONDITIONS = {
    "VIR_DOMAIN_AFFECT_LIVE": 1,
    "VIR_DOMAIN_AFFECT_CONFIG": 2,
    "VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE": 2,
    "VIR_DOMAIN_CHECKPOINT_XML_SECURE": 1,
    "VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT": 1,
    "VIR_DOMAIN_REBOOT_GUEST_AGENT": 2,
    "VIR_DOMAIN_SAVE_IMAGE_XML_SECURE": 1,
    "VIR_DOMAIN_SHUTDOWN_GUEST_AGENT": 2,
    "VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE": 64,
    "VIR_DOMAIN_SNAPSHOT_XML_SECURE": 1,
    "VIR_DOMAIN_VCPU_GUEST": 8,
    "VIR_DOMAIN_XML_MIGRATABLE": 8,
    "VIR_DOMAIN_XML_SECURE": 1,
    "VIR_NETWORK_UPDATE_AFFECT_CONFIG": 2,
    "VIR_NETWORK_UPDATE_AFFECT_LIVE": 1,
}


def needed(procedure: Procedure, args: Sequence[object]) -> list[tuple[str, str]]:
    """The (object, permission) pairs that this very call needs, in the procedure's order."""
    pairs = []
    for entry in procedure.acl:
        kind, permission, *condition = entry.split(":", 2)
        if not condition or _holds(condition[0], procedure, args):
            pairs.append((kind, permission))
    return pairs


def _holds(condition: str, procedure: Procedure, args: Sequence[object]) -> bool:
    if condition.startswith(":"):
        field, _, name = condition[1:].partition(":")
        return _argument(procedure, args, field) == CONDITIONS[name]
    flags = _argument(procedure, args, "flags")
    unset = condition.startswith("!")
    mask = 0
    for name in condition.removeprefix("!").split("|"):
        mask |= CONDITIONS[name]
    return not flags & mask if unset else bool(flags & mask)


def _argument(procedure: Procedure, args: Sequence[object], name: str) -> int:
    if procedure.args is not None:
        for value, (field, _) in zip(args, procedure.args.fields, strict=True):
            if field == name and isinstance(value, int):
                return value
    raise LookupError(f"{procedure.name} has no number called {name}")
