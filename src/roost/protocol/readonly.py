"""Which procedures a read-only connection refuses.

A procedure writes when it needs any permission beyond looking. libvirt checks
read-only access in another place than permissions, and the two disagree about
the procedures named here; clients see the former. Asking for secrets in an XML
document with its SECURE flag is refused as well, by the handler that sees the flag.
"""

from __future__ import annotations

# Refused although the permissions are those of a reader.
_WRITES = frozenset(
    {
        "DOMAIN_GET_LAUNCH_SECURITY_INFO",
        "DOMAIN_SET_SCHEDULER_PARAMETERS",
        "NODE_DEVICE_GET_AUTOSTART",
        "NODE_GET_SEV_INFO",
        "SECRET_GET_VALUE",
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
_LOOKING = ("getattr", "read", "read_secure")


def writes(name: str, acl: tuple[str, ...]) -> bool:
    """Whether a read-only connection refuses the procedure."""
    if name in _WRITES or name in _READS:
        return name in _WRITES
    for entry in acl:
        _, permission, *condition = entry.split(":")
        if condition:
            continue  # the handler sees the flag
        if permission not in _LOOKING and not permission.startswith("search_"):
            return True
    return False
