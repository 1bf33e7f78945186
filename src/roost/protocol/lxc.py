"""The LXC program: namespaces of a container."""

from __future__ import annotations

from roost.protocol.procedure import Procedure
from roost.protocol.types import DOMAIN
from roost.wire.types import UINT

PROCEDURES = (
    Procedure(
        1,
        "DOMAIN_OPEN_NAMESPACE",
        "virDomainLxcOpenNamespace",
        args=(("dom", DOMAIN), ("flags", UINT)),
        acl=("domain:open_namespace",),
        fds="reply",
    ),
)
