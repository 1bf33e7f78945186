"""Starting, pausing and ending domains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.contract.domains import Domains, Lifecycle
from roost.contract.references import DomainRef
from roost.rpc.routes import Row, Values, no_flags, nothing, one, row

if TYPE_CHECKING:
    from roost.rpc.session import Session


async def _create(session: Session, values: Values) -> DomainRef:
    domain, flags = values
    backend = session.backend
    started = await backend.get(Lifecycle).create(domain, flags)
    session.autodestroy.started(backend, started, flags)
    return started


async def _create_xml(session: Session, values: Values) -> DomainRef:
    xml, flags = values
    backend = session.backend
    started = await backend.get(Domains).create_xml(xml, flags)
    session.autodestroy.started(backend, started, flags)
    return started


ROWS = (
    row("DOMAIN_CREATE", Lifecycle, "create", nothing, no_flags),
    Row("DOMAIN_CREATE_WITH_FLAGS", _create, one),
    Row("DOMAIN_CREATE_XML", _create_xml, one),
    row("DOMAIN_SHUTDOWN", Lifecycle, "shutdown", nothing, no_flags),
    row("DOMAIN_SHUTDOWN_FLAGS", Lifecycle, "shutdown", nothing),
    row("DOMAIN_REBOOT", Lifecycle, "reboot", nothing),
    row("DOMAIN_RESET", Lifecycle, "reset", nothing),
    row("DOMAIN_SUSPEND", Lifecycle, "suspend", nothing),
    row("DOMAIN_RESUME", Lifecycle, "resume", nothing),
    row("DOMAIN_DESTROY", Lifecycle, "destroy", nothing, no_flags),
    row("DOMAIN_DESTROY_FLAGS", Lifecycle, "destroy", nothing),
    row("DOMAIN_SET_LIFECYCLE_ACTION", Lifecycle, "set_action", nothing),
)
