"""Registrations for domain events, in both styles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.constants.domain_events import ID_LIFECYCLE
from roost.rpc.routes import Row, Values, nothing, one

if TYPE_CHECKING:
    from roost.rpc.session import Session


def _register(session: Session, values: Values) -> int:
    event_id, domain = values
    return session.subscriptions.register(event_id, domain)


def _deregister(session: Session, values: Values) -> None:
    (callback_id,) = values
    session.subscriptions.deregister(callback_id)


def _register_lifecycle(session: Session, values: Values) -> int:
    session.subscriptions.register(ID_LIFECYCLE, None, legacy=True)
    return 0  # the count of registrations, which libvirtd leaves 0


def _deregister_lifecycle(session: Session, values: Values) -> int:
    session.subscriptions.deregister_legacy(ID_LIFECYCLE)
    return 0


def _register_any(session: Session, values: Values) -> None:
    (event_id,) = values
    session.subscriptions.register(event_id, None, legacy=True)


def _deregister_any(session: Session, values: Values) -> None:
    (event_id,) = values
    session.subscriptions.deregister_legacy(event_id)


ROWS = (
    Row("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", _register, one),
    Row("CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY", _deregister, nothing),
    Row("CONNECT_DOMAIN_EVENT_REGISTER", _register_lifecycle, one),
    Row("CONNECT_DOMAIN_EVENT_DEREGISTER", _deregister_lifecycle, one),
    Row("CONNECT_DOMAIN_EVENT_REGISTER_ANY", _register_any, nothing),
    Row("CONNECT_DOMAIN_EVENT_DEREGISTER_ANY", _deregister_any, nothing),
)
