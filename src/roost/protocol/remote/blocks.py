"""Disks of a running domain: contents, size, limits, block jobs."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.acl import DOMAIN_CHANGE
from roost.protocol.procedure import Procedure
from roost.protocol.types import DOMAIN, OPTIONAL_STRING, STRING, TYPED_PARAM
from roost.wire.types import INT, UHYPER, UINT, Array, Opaque

PROCEDURES = (
    Procedure(
        103,
        "DOMAIN_BLOCK_PEEK",
        "virDomainBlockPeek",
        args=(("dom", DOMAIN), ("path", STRING), ("offset", UHYPER), ("size", UINT), ("flags", UINT)),
        ret=(("buffer", Opaque(limits.DOMAIN_BLOCK_PEEK_BUFFER)),),
        acl=("domain:block_read",),
    ),
    Procedure(
        237,
        "DOMAIN_BLOCK_JOB_ABORT",
        "virDomainBlockJobAbort",
        args=(("dom", DOMAIN), ("path", STRING), ("flags", UINT)),
        acl=("domain:write",),
    ),
    Procedure(
        238,
        "DOMAIN_GET_BLOCK_JOB_INFO",
        "virDomainGetBlockJobInfo",
        args=(("dom", DOMAIN), ("path", STRING), ("flags", UINT)),
        ret=(("found", INT), ("type", INT), ("bandwidth", UHYPER), ("cur", UHYPER), ("end", UHYPER)),
        acl=("domain:read",),
    ),
    Procedure(
        239,
        "DOMAIN_BLOCK_JOB_SET_SPEED",
        "virDomainBlockJobSetSpeed",
        args=(("dom", DOMAIN), ("path", STRING), ("bandwidth", UHYPER), ("flags", UINT)),
        acl=("domain:write",),
    ),
    Procedure(
        240,
        "DOMAIN_BLOCK_PULL",
        "virDomainBlockPull",
        args=(("dom", DOMAIN), ("path", STRING), ("bandwidth", UHYPER), ("flags", UINT)),
        acl=("domain:block_write",),
    ),
    Procedure(
        251,
        "DOMAIN_BLOCK_RESIZE",
        "virDomainBlockResize",
        args=(("dom", DOMAIN), ("disk", STRING), ("size", UHYPER), ("flags", UINT)),
        acl=("domain:block_write",),
    ),
    Procedure(
        252,
        "DOMAIN_SET_BLOCK_IO_TUNE",
        "virDomainSetBlockIoTune",
        args=(
            ("dom", DOMAIN),
            ("disk", STRING),
            ("params", Array(TYPED_PARAM, limits.DOMAIN_BLOCK_IO_TUNE_PARAMETERS)),
            ("flags", UINT),
        ),
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        253,
        "DOMAIN_GET_BLOCK_IO_TUNE",
        "virDomainGetBlockIoTune",
        args=(("dom", DOMAIN), ("disk", OPTIONAL_STRING), ("nparams", INT), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.DOMAIN_BLOCK_IO_TUNE_PARAMETERS)), ("nparams", INT)),
        acl=("domain:read",),
    ),
    Procedure(
        266,
        "DOMAIN_BLOCK_REBASE",
        "virDomainBlockRebase",
        args=(("dom", DOMAIN), ("path", STRING), ("base", OPTIONAL_STRING), ("bandwidth", UHYPER), ("flags", UINT)),
        acl=("domain:block_write",),
    ),
    Procedure(
        290,
        "DOMAIN_BLOCK_COMMIT",
        "virDomainBlockCommit",
        args=(
            ("dom", DOMAIN),
            ("disk", STRING),
            ("base", OPTIONAL_STRING),
            ("top", OPTIONAL_STRING),
            ("bandwidth", UHYPER),
            ("flags", UINT),
        ),
        acl=("domain:block_write",),
    ),
    Procedure(
        345,
        "DOMAIN_BLOCK_COPY",
        "virDomainBlockCopy",
        args=(
            ("dom", DOMAIN),
            ("path", STRING),
            ("destxml", STRING),
            ("params", Array(TYPED_PARAM, limits.DOMAIN_BLOCK_COPY_PARAMETERS)),
            ("flags", UINT),
        ),
        acl=("domain:block_write",),
    ),
    Procedure(
        386,
        "DOMAIN_SET_BLOCK_THRESHOLD",
        "virDomainSetBlockThreshold",
        args=(("dom", DOMAIN), ("dev", STRING), ("threshold", UHYPER), ("flags", UINT)),
        acl=("domain:write",),
    ),
    Procedure(
        451,
        "DOMAIN_SET_THROTTLE_GROUP",
        "virDomainSetThrottleGroup",
        args=(
            ("dom", DOMAIN),
            ("group", STRING),
            ("params", Array(TYPED_PARAM, limits.DOMAIN_BLOCK_IO_TUNE_PARAMETERS)),
            ("flags", UINT),
        ),
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        452,
        "DOMAIN_DEL_THROTTLE_GROUP",
        "virDomainDelThrottleGroup",
        args=(("dom", DOMAIN), ("group", OPTIONAL_STRING), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
    ),
)
