"""Domain checkpoints and backup jobs."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.procedure import Procedure
from roost.protocol.types import CHECKPOINT, DOMAIN, OPTIONAL_STRING, STRING
from roost.wire.types import INT, UINT, Array

PROCEDURES = (
    Procedure(
        411,
        "DOMAIN_CHECKPOINT_CREATE_XML",
        "virDomainCheckpointCreateXML",
        args=(("dom", DOMAIN), ("xml_desc", STRING), ("flags", UINT)),
        ret=(("checkpoint", CHECKPOINT),),
        acl=("domain:checkpoint", "domain:fs_freeze:VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE"),
    ),
    Procedure(
        412,
        "DOMAIN_CHECKPOINT_GET_XML_DESC",
        "virDomainCheckpointGetXMLDesc",
        args=(("checkpoint", CHECKPOINT), ("flags", UINT)),
        ret=(("xml", STRING),),
        acl=("domain:read", "domain:read_secure:VIR_DOMAIN_CHECKPOINT_XML_SECURE"),
    ),
    Procedure(
        413,
        "DOMAIN_LIST_ALL_CHECKPOINTS",
        "virDomainListAllCheckpoints",
        args=(("dom", DOMAIN), ("need_results", INT), ("flags", UINT)),
        ret=(("checkpoints", Array(CHECKPOINT, limits.DOMAIN_CHECKPOINT_LIST)), ("ret", INT)),
        acl=("domain:read",),
        high_priority=True,
    ),
    Procedure(
        414,
        "DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN",
        "virDomainCheckpointListAllChildren",
        args=(("checkpoint", CHECKPOINT), ("need_results", INT), ("flags", UINT)),
        ret=(("checkpoints", Array(CHECKPOINT, limits.DOMAIN_CHECKPOINT_LIST)), ("ret", INT)),
        acl=("domain:read",),
        high_priority=True,
    ),
    Procedure(
        415,
        "DOMAIN_CHECKPOINT_LOOKUP_BY_NAME",
        "virDomainCheckpointLookupByName",
        args=(("dom", DOMAIN), ("name", STRING), ("flags", UINT)),
        ret=(("checkpoint", CHECKPOINT),),
        acl=("domain:read",),
        high_priority=True,
    ),
    Procedure(
        416,
        "DOMAIN_CHECKPOINT_GET_PARENT",
        "virDomainCheckpointGetParent",
        args=(("checkpoint", CHECKPOINT), ("flags", UINT)),
        ret=(("parent", CHECKPOINT),),
        acl=("domain:read",),
        high_priority=True,
    ),
    Procedure(
        417,
        "DOMAIN_CHECKPOINT_DELETE",
        "virDomainCheckpointDelete",
        args=(("checkpoint", CHECKPOINT), ("flags", UINT)),
        acl=("domain:checkpoint",),
    ),
    Procedure(
        421,
        "DOMAIN_BACKUP_BEGIN",
        "virDomainBackupBegin",
        args=(("dom", DOMAIN), ("backup_xml", STRING), ("checkpoint_xml", OPTIONAL_STRING), ("flags", UINT)),
        acl=("domain:checkpoint", "domain:block_write"),
    ),
    Procedure(
        422,
        "DOMAIN_BACKUP_GET_XML_DESC",
        "virDomainBackupGetXMLDesc",
        args=(("dom", DOMAIN), ("flags", UINT)),
        ret=(("xml", STRING),),
        acl=("domain:read",),
        high_priority=True,
    ),
)
