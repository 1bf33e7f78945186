"""Memory of a domain: size, statistics period, contents."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.acl import DOMAIN_CHANGE
from roost.protocol.procedure import Procedure
from roost.protocol.types import DOMAIN
from roost.wire.types import UHYPER, UINT, Opaque

PROCEDURES = (
    Procedure(
        17,
        "DOMAIN_GET_MAX_MEMORY",
        "virDomainGetMaxMemory",
        args=(("dom", DOMAIN),),
        ret=(("memory", UHYPER),),
        acl=("domain:read",),
        high_priority=True,
    ),
    Procedure(
        30,
        "DOMAIN_SET_MAX_MEMORY",
        "virDomainSetMaxMemory",
        args=(("dom", DOMAIN), ("memory", UHYPER)),
        acl=("domain:write",),
        high_priority=True,
    ),
    Procedure(
        31, "DOMAIN_SET_MEMORY", "virDomainSetMemory", args=(("dom", DOMAIN), ("memory", UHYPER)), acl=("domain:write",)
    ),
    Procedure(
        104,
        "DOMAIN_MEMORY_PEEK",
        "virDomainMemoryPeek",
        args=(("dom", DOMAIN), ("offset", UHYPER), ("size", UINT), ("flags", UINT)),
        ret=(("buffer", Opaque(limits.DOMAIN_MEMORY_PEEK_BUFFER)),),
        acl=("domain:mem_read",),
    ),
    Procedure(
        204,
        "DOMAIN_SET_MEMORY_FLAGS",
        "virDomainSetMemoryFlags",
        args=(("dom", DOMAIN), ("memory", UHYPER), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
    ),
)
