"""The registry of domains: finding, listing, defining, describing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from roost.constants import domain as D
from roost.contract.domains import Domains
from roost.contract.references import DomainRef
from roost.errors import From, InternalError, RpcError
from roost.rpc import access
from roost.rpc.routes import Row, Values, fields, no_flags, nothing, number, one, row

if TYPE_CHECKING:
    from roost.rpc.session import Session

#: Domains that one list reply may hold.
MAX_DOMAINS = 16384


def _limit(name: str) -> Callable[[Values], Values]:
    def check(values: Values) -> Values:
        (limit,) = values
        if limit < 0:
            raise RpcError(f"{name} must be non-negative", domain=From.RPC)
        if limit > MAX_DOMAINS:
            raise RpcError(f"{name} > REMOTE_DOMAIN_LIST_MAX", domain=From.RPC)
        return values

    return check


def _list_all(session: Session, values: Values) -> Values:
    need_results, flags = values
    found: Sequence[DomainRef] = session.backend.get(Domains).list_all(flags)
    if len(found) > MAX_DOMAINS:
        raise InternalError(f"Too many domains '{len(found)}' for limit '{MAX_DOMAINS}'", domain=From.RPC)
    return found if need_results else (), len(found)


def _renamed(_: object) -> Values:
    return (0,)


def _autostart(values: Values) -> Values:
    domain, autostart = values
    return domain, bool(autostart)


def _describe(session: Session, values: Values) -> Any:
    domain, flags = values
    domains = session.backend.get(Domains)
    # The usual question is answered at once; this one may have to ask an emulator.
    return domains.describe_for_host(domain, flags) if flags & D.XML_UPDATE_CPU else domains.describe(domain, flags)


ROWS = (
    row("DOMAIN_LOOKUP_BY_ID", Domains, "lookup_by_id", one),
    row("DOMAIN_LOOKUP_BY_NAME", Domains, "lookup_by_name", one),
    row("DOMAIN_LOOKUP_BY_UUID", Domains, "lookup_by_uuid", one),
    Row("CONNECT_LIST_ALL_DOMAINS", _list_all, fields),
    row("CONNECT_NUM_OF_DOMAINS", Domains, "count_active", one),
    row("CONNECT_LIST_DOMAINS", Domains, "active_ids", one, _limit("maxids")),
    row("CONNECT_NUM_OF_DEFINED_DOMAINS", Domains, "count_defined", one),
    row("CONNECT_LIST_DEFINED_DOMAINS", Domains, "defined_names", one, _limit("maxnames")),
    row("DOMAIN_DEFINE_XML", Domains, "define", one, no_flags),
    row("DOMAIN_DEFINE_XML_FLAGS", Domains, "define", one),
    row("DOMAIN_UNDEFINE", Domains, "undefine", nothing, no_flags),
    row("DOMAIN_UNDEFINE_FLAGS", Domains, "undefine", nothing),
    Row(
        "DOMAIN_GET_XML_DESC",
        _describe,
        one,
        guard=access.secure_flag("virDomainGetXMLDesc", D.XML_SECURE | D.XML_MIGRATABLE, 1),
    ),
    row("DOMAIN_IS_ACTIVE", Domains, "is_active", number),
    row("DOMAIN_IS_PERSISTENT", Domains, "is_persistent", number),
    row("DOMAIN_IS_UPDATED", Domains, "is_updated", number),
    row("DOMAIN_GET_AUTOSTART", Domains, "autostart", number),
    row("DOMAIN_SET_AUTOSTART", Domains, "set_autostart", nothing, _autostart),
    row("DOMAIN_GET_AUTOSTART_ONCE", Domains, "autostart_once", number),
    row("DOMAIN_SET_AUTOSTART_ONCE", Domains, "set_autostart_once", nothing, _autostart),
    row("DOMAIN_RENAME", Domains, "rename", _renamed),
    row("DOMAIN_GET_METADATA", Domains, "metadata", one),
    row("DOMAIN_SET_METADATA", Domains, "set_metadata", nothing),
)
