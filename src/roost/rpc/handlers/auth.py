"""The auth gate.

A client of whom nothing is asked (root, the daemon's own user, or everybody
where the socket's configuration says "none") has passed the gate when it
connects; AUTH_LIST then only tells it so. Clients that skip AUTH_LIST work,
as they do with libvirtd on a socket configured for "none".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roost.errors import AuthFailed, From
from roost.rpc.routes import Row, Values, one

if TYPE_CHECKING:
    from roost.rpc.session import Session


def _list(session: Session, values: Values) -> list[int]:
    return [session.auth]


def _no_sasl(session: Session, values: Values) -> None:
    raise AuthFailed("authentication failed", domain=From.RPC, hint="SASL is not offered on this socket")


def _no_polkit(session: Session, values: Values) -> None:
    raise AuthFailed(
        "authentication failed",
        domain=From.RPC,
        hint='polkit is not available; set auth_unix_rw = "none" and let unix_sock_group say who may connect',
    )


ROWS = (
    Row("AUTH_LIST", _list, one, before_auth=True, before_open=True),
    Row("AUTH_SASL_INIT", _no_sasl, one, before_auth=True, before_open=True),
    Row("AUTH_SASL_START", _no_sasl, one, before_auth=True, before_open=True),
    Row("AUTH_SASL_STEP", _no_sasl, one, before_auth=True, before_open=True),
    Row("AUTH_POLKIT", _no_polkit, one, before_auth=True, before_open=True),
)
