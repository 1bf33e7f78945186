"""Security labels and launch security of a domain."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.procedure import Procedure
from roost.protocol.types import DOMAIN, TYPED_PARAM
from roost.wire.records import Record
from roost.wire.types import INT, UINT, Array, Chars, Struct


class SecurityLabel(Record):
    """label: with its trailing NUL."""

    label: bytes
    enforcing: int


SECURITY_LABEL = Struct(SecurityLabel, Chars(limits.SECURITY_LABEL), INT)

PROCEDURES = (
    Procedure(
        121,
        "DOMAIN_GET_SECURITY_LABEL",
        "virDomainGetSecurityLabel",
        args=(("dom", DOMAIN),),
        ret=(("label", Chars(limits.SECURITY_LABEL)), ("enforcing", INT)),
        acl=("domain:read",),
        high_priority=True,
    ),
    Procedure(
        278,
        "DOMAIN_GET_SECURITY_LABEL_LIST",
        "virDomainGetSecurityLabelList",
        args=(("dom", DOMAIN),),
        ret=(("labels", Array(SECURITY_LABEL, limits.SECURITY_LABEL_LIST)), ("ret", INT)),
        acl=("domain:read",),
        high_priority=True,
    ),
    Procedure(
        396,
        "DOMAIN_GET_LAUNCH_SECURITY_INFO",
        "virDomainGetLaunchSecurityInfo",
        args=(("dom", DOMAIN), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.DOMAIN_LAUNCH_SECURITY_INFO_PARAMS)),),
        acl=("domain:read",),
    ),
    Procedure(
        439,
        "DOMAIN_SET_LAUNCH_SECURITY_STATE",
        "virDomainSetLaunchSecurityState",
        args=(
            ("dom", DOMAIN),
            ("params", Array(TYPED_PARAM, limits.DOMAIN_LAUNCH_SECURITY_STATE_PARAMS)),
            ("flags", UINT),
        ),
        acl=("domain:write",),
    ),
)
