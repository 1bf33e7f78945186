"""Opening and closing, and what a connection says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.constants import connect as C
from roost.contract.node import Node
from roost.errors import From, InternalError
from roost.rpc.routes import Row, Values, nothing, number, one

if TYPE_CHECKING:
    from roost.rpc.session import Session

#: The API level whose procedures this daemon knows, as clients choose by it.
LIB_VERSION = 12_006_000

# Driver features that the daemon itself answers.
_KEEPALIVE = 10
_FD_PASSING = 8
_EVENT_CALLBACKS = 14
_CLOSE_CALLBACKS = 15


def _open(session: Session, values: Values) -> None:
    name, flags = values
    if session.opened is not None:
        raise InternalError("connection already open", domain=From.RPC)
    session.open(session.server.backends.open(name), readonly=bool(flags & C.RO))


def _close(session: Session, values: Values) -> None:
    # The reply is queued before the transport closes behind it.
    session.server.loop.call_soon(session.close)


def _supports_feature(session: Session, values: Values) -> bool:
    (feature,) = values
    if feature == _KEEPALIVE:
        session.start_keepalive()
        return True
    backend = session.backend
    if feature in (_FD_PASSING, _EVENT_CALLBACKS, _CLOSE_CALLBACKS):
        return True
    return backend.get(Node).supports_feature(feature)


def _type(session: Session, values: Values) -> str:
    return session.backend.name


def _uri(session: Session, values: Values) -> str:
    assert session.opened is not None
    return session.opened.uri


def _lib_version(session: Session, values: Values) -> int:
    return LIB_VERSION


def _yes(session: Session, values: Values) -> bool:
    """A unix socket is as safe as encryption makes others, which is how libvirtd sees it."""
    return True


def _close_callback(session: Session, values: Values) -> None:
    """Clients must be able to ask; no driver here ever loses a hypervisor and would have to say so."""


ROWS = (
    Row("CONNECT_OPEN", _open, nothing, before_open=True),
    Row("CONNECT_CLOSE", _close, nothing, before_open=True),
    Row("CONNECT_SUPPORTS_FEATURE", _supports_feature, number, before_open=True),
    Row("CONNECT_GET_TYPE", _type, one),
    Row("CONNECT_GET_URI", _uri, one),
    Row("CONNECT_GET_LIB_VERSION", _lib_version, one),
    Row("CONNECT_IS_SECURE", _yes, number),
    Row("CONNECT_REGISTER_CLOSE_CALLBACK", _close_callback, nothing),
    Row("CONNECT_UNREGISTER_CLOSE_CALLBACK", _close_callback, nothing),
)
