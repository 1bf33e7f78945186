"""Secrets and their events."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.procedure import Procedure
from roost.protocol.types import OPTIONAL_SECRET, SECRET, STRING, UUID
from roost.wire.types import INT, UINT, Array, Opaque

PROCEDURES = (
    Procedure(
        139,
        "CONNECT_NUM_OF_SECRETS",
        "virConnectNumOfSecrets",
        ret=(("num", INT),),
        acl=("connect:search_secrets",),
        high_priority=True,
    ),
    Procedure(
        140,
        "CONNECT_LIST_SECRETS",
        "virConnectListSecrets",
        args=(("maxuuids", INT),),
        ret=(("uuids", Array(STRING, limits.SECRET_LIST)),),
        acl=("connect:search_secrets",),
        high_priority=True,
    ),
    Procedure(
        141,
        "SECRET_LOOKUP_BY_UUID",
        "virSecretLookupByUUID",
        args=(("uuid", UUID),),
        ret=(("secret", SECRET),),
        acl=("secret:getattr",),
        high_priority=True,
    ),
    Procedure(
        142,
        "SECRET_DEFINE_XML",
        "virSecretDefineXML",
        args=(("xml", STRING), ("flags", UINT)),
        ret=(("secret", SECRET),),
        acl=("secret:write", "secret:save"),
        high_priority=True,
    ),
    Procedure(
        143,
        "SECRET_GET_XML_DESC",
        "virSecretGetXMLDesc",
        args=(("secret", SECRET), ("flags", UINT)),
        ret=(("xml", STRING),),
        acl=("secret:read",),
        high_priority=True,
    ),
    Procedure(
        144,
        "SECRET_SET_VALUE",
        "virSecretSetValue",
        args=(("secret", SECRET), ("value", Opaque(limits.SECRET_VALUE)), ("flags", UINT)),
        acl=("secret:write",),
        high_priority=True,
    ),
    Procedure(
        145,
        "SECRET_GET_VALUE",
        "virSecretGetValue",
        args=(("secret", SECRET), ("flags", UINT)),
        ret=(("value", Opaque(limits.SECRET_VALUE)),),
        acl=("secret:read_secure",),
        high_priority=True,
    ),
    Procedure(
        146,
        "SECRET_UNDEFINE",
        "virSecretUndefine",
        args=(("secret", SECRET),),
        acl=("secret:delete",),
        high_priority=True,
    ),
    Procedure(
        147,
        "SECRET_LOOKUP_BY_USAGE",
        "virSecretLookupByUsage",
        args=(("usage_type", INT), ("usage_id", STRING)),
        ret=(("secret", SECRET),),
        acl=("secret:getattr",),
        high_priority=True,
    ),
    Procedure(
        287,
        "CONNECT_LIST_ALL_SECRETS",
        "virConnectListAllSecrets",
        args=(("need_results", INT), ("flags", UINT)),
        ret=(("secrets", Array(SECRET, limits.SECRET_LIST)), ("ret", UINT)),
        acl=("connect:search_secrets",),
        high_priority=True,
    ),
    Procedure(
        380,
        "CONNECT_SECRET_EVENT_REGISTER_ANY",
        "virConnectSecretEventRegisterAny",
        args=(("event_id", INT), ("secret", OPTIONAL_SECRET)),
        ret=(("callback_id", INT),),
        acl=("connect:search_secrets",),
        high_priority=True,
    ),
    Procedure(
        381,
        "CONNECT_SECRET_EVENT_DEREGISTER_ANY",
        "virConnectSecretEventDeregisterAny",
        args=(("callback_id", INT),),
        acl=("connect:read",),
        high_priority=True,
    ),
    Procedure(
        382, "SECRET_EVENT_LIFECYCLE", msg=(("callback_id", INT), ("secret", SECRET), ("event", INT), ("detail", INT))
    ),
    Procedure(383, "SECRET_EVENT_VALUE_CHANGED", msg=(("callback_id", INT), ("secret", SECRET))),
)
