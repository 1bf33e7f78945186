"""What a read-only connection refuses.

A call is refused when it needs a permission beyond looking. libvirt checks
read-only access in another place than permissions, and the two disagree about
the procedures named here; clients see the former.
"""

from __future__ import annotations

from roost.protocol.acl import needed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from roost.protocol.procedure import Procedure

# Refused although the permissions are those of a reader.
_WRITES = frozenset(
    {
        "DOMAIN_GET_LAUNCH_SECURITY_INFO",
        "DOMAIN_SET_SCHEDULER_PARAMETERS",
        "NODE_DEVICE_GET_AUTOSTART",
        "NODE_GET_SEV_INFO",
    }
)
# Allowed although the permissions go beyond reading.
_READS = frozenset(
    {
        "CONNECT_SET_IDENTITY",
        "DOMAIN_MIGRATE_GET_COMPRESSION_CACHE",
        "DOMAIN_MIGRATE_GET_MAX_DOWNTIME",
    }
)


def writes(name: str, acl: tuple[str, ...]) -> bool:
    """Whether the procedure is refused whatever its arguments; `Procedure.writes`."""
    if name in _WRITES or name in _READS:
        return name in _WRITES
    for entry in acl:
        _, permission, *condition = entry.split(":", 2)
        if not condition and not _looks(permission):
            return True
    return False


def refused(procedure: Procedure, args: Sequence[object]) -> bool:
    """Whether this very call is refused: a document with its secrets, say, or a question to the guest agent."""
    if procedure.writes:
        return True
    return procedure.name not in _READS and not all(_looks(permission) for _, permission in needed(procedure, args))


def _looks(permission: str) -> bool:
    return permission in ("getattr", "read") or permission.startswith("search_")
