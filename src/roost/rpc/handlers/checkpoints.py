"""Checkpoints of domains, and backups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.constants import checkpoint as C
from roost.contract.checkpoints import Backups, Checkpoints
from roost.rpc import access
from roost.rpc.routes import Row, Values, counted, fields, nothing, one, row

if TYPE_CHECKING:
    from roost.rpc.session import Session


def _list_all(session: Session, values: Values) -> Values:
    domain, need_results, flags = values
    return counted(session.backend.get(Checkpoints).list_all(domain, flags), need_results)


def _children(session: Session, values: Values) -> Values:
    checkpoint, need_results, flags = values
    return counted(session.backend.get(Checkpoints).children(checkpoint, flags), need_results)


ROWS = (
    row("DOMAIN_CHECKPOINT_CREATE_XML", Checkpoints, "create", one),
    row(
        "DOMAIN_CHECKPOINT_GET_XML_DESC",
        Checkpoints,
        "describe",
        one,
        guard=access.secure_flag("virDomainCheckpointGetXMLDesc", C.XML_SECURE, 1),
    ),
    Row("DOMAIN_LIST_ALL_CHECKPOINTS", _list_all, fields),
    Row("DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN", _children, fields),
    row("DOMAIN_CHECKPOINT_LOOKUP_BY_NAME", Checkpoints, "lookup", one),
    row("DOMAIN_CHECKPOINT_GET_PARENT", Checkpoints, "parent", one),
    row("DOMAIN_CHECKPOINT_DELETE", Checkpoints, "delete", nothing),
    row("DOMAIN_BACKUP_BEGIN", Backups, "begin", nothing),
    row("DOMAIN_BACKUP_GET_XML_DESC", Backups, "describe", one),
)
