"""Snapshots of domains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.constants import snapshot as C
from roost.contract.snapshots import Snapshots
from roost.errors import From, InvalidArg
from roost.rpc import access
from roost.rpc.routes import Row, Values, counted, fields, nothing, number, one, row

if TYPE_CHECKING:
    from roost.rpc.session import Session


def _list_all(session: Session, values: Values) -> Values:
    domain, need_results, flags = values
    return counted(session.backend.get(Snapshots).list_all(domain, flags), need_results)


def _all_children(session: Session, values: Values) -> Values:
    snapshot, need_results, flags = values
    return counted(session.backend.get(Snapshots).children(snapshot, flags), need_results)


def _number(session: Session, values: Values) -> int:
    return len(session.backend.get(Snapshots).list_all(*values))


def _number_of_children(session: Session, values: Values) -> int:
    return len(session.backend.get(Snapshots).children(*values))


def _names(session: Session, values: Values) -> Values:
    domain, limit, flags = values
    return [each.name for each in session.backend.get(Snapshots).list_all(domain, flags)][
        : _limit(limit, "virDomainSnapshotListNames")
    ]


def _names_of_children(session: Session, values: Values) -> Values:
    snapshot, limit, flags = values
    return [each.name for each in session.backend.get(Snapshots).children(snapshot, flags)][
        : _limit(limit, "virDomainSnapshotListChildrenNames")
    ]


def _limit(limit: int, function: str) -> int:
    if limit < 0:
        text = f"nameslen in {function} must be zero or greater"
        raise InvalidArg(text, domain=From.DOMAIN_SNAPSHOT, verbatim=True)
    return limit


ROWS = (
    row("DOMAIN_SNAPSHOT_CREATE_XML", Snapshots, "create", one),
    row(
        "DOMAIN_SNAPSHOT_GET_XML_DESC",
        Snapshots,
        "describe",
        one,
        guard=access.secure_flag("virDomainSnapshotGetXMLDesc", C.XML_SECURE, 1),
    ),
    Row("DOMAIN_SNAPSHOT_NUM", _number, number),
    Row("DOMAIN_SNAPSHOT_LIST_NAMES", _names, one),
    Row("DOMAIN_SNAPSHOT_NUM_CHILDREN", _number_of_children, number),
    Row("DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES", _names_of_children, one),
    Row("DOMAIN_LIST_ALL_SNAPSHOTS", _list_all, fields),
    Row("DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN", _all_children, fields),
    row("DOMAIN_SNAPSHOT_LOOKUP_BY_NAME", Snapshots, "lookup", one),
    row("DOMAIN_HAS_CURRENT_SNAPSHOT", Snapshots, "has_current", number),
    row("DOMAIN_SNAPSHOT_CURRENT", Snapshots, "current", one),
    row("DOMAIN_SNAPSHOT_GET_PARENT", Snapshots, "parent", one),
    row("DOMAIN_SNAPSHOT_IS_CURRENT", Snapshots, "is_current", number),
    row("DOMAIN_SNAPSHOT_HAS_METADATA", Snapshots, "has_metadata", number),
    row("DOMAIN_REVERT_TO_SNAPSHOT", Snapshots, "revert", nothing),
    row("DOMAIN_SNAPSHOT_DELETE", Snapshots, "delete", nothing),
)
