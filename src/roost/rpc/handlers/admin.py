"""The admin program: servers, their clients and limits."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from roost.constants import typed_params as T
from roost.contract.flags import check
from roost.contract.typed_params import TypedParam, boolean, int_, string, uint
from roost.errors import From, InvalidArg, NoClient, NoServer
from roost.rpc.handlers.connect import LIB_VERSION
from roost.rpc.routes import Row, Values, fields, nothing, one

if TYPE_CHECKING:
    from roost.rpc.server import Server
    from roost.rpc.session import Session

#: virAdm's number for a client on a unix socket.
TRANSPORT_UNIX = 0


def _check(flags: int, function: str) -> None:
    check(flags, 0, function, From.ADMIN)


def _open(session: Session, values: Values) -> None:
    _check(values[0], "adminDispatchConnectOpen")


def _close(session: Session, values: Values) -> None:
    session.server.loop.call_soon(session.close)


def _lib_version(session: Session, values: Values) -> int:
    return LIB_VERSION


def _list_servers(session: Session, values: Values) -> Values:
    need_results, flags = values
    _check(flags, "adminConnectListServers")
    names = [(name,) for name in session.server.peers]
    return names if need_results else (), len(names)


def _lookup_server(session: Session, values: Values) -> Values:
    name, flags = values
    _check(flags, "adminConnectLookupServer")
    return (_server(session, name).name,)


def _list_clients(session: Session, values: Values) -> Values:
    server, need_results, flags = values
    _check(flags, "adminServerListClients")
    clients = [_client(other) for other in _server(session, server.name).sessions.values()]
    return clients if need_results else (), len(clients)


def _lookup_client(session: Session, values: Values) -> Values:
    server, client_id, flags = values
    _check(flags, "adminServerLookupClient")
    return _client(_find(session, server.name, client_id))


def _client_info(session: Session, values: Values) -> Sequence[TypedParam]:
    client, flags = values
    _check(flags, "adminClientGetInfo")
    other = _find(session, client.srv.name, client.id)
    identity = other.identity
    return [
        boolean("readonly", identity.readonly),
        int_("unix_user_id", identity.uid),
        string("unix_user_name", _name(lambda: pwd.getpwuid(identity.uid).pw_name, identity.uid)),
        int_("unix_group_id", identity.gid),
        string("unix_group_name", _name(lambda: grp.getgrgid(identity.gid).gr_name, identity.gid)),
        int_("unix_process_id", identity.pid),
    ]


def _close_client(session: Session, values: Values) -> None:
    client, flags = values
    _check(flags, "adminClientClose")
    other = _find(session, client.srv.name, client.id)
    session.server.loop.call_soon(other.close)


def _threadpool(session: Session, values: Values) -> Sequence[TypedParam]:
    """One loop serves everybody: there are no workers to count, and no queue before them."""
    server, flags = values
    _check(flags, "adminServerGetThreadPoolParameters")
    _server(session, server.name)
    names = ("minWorkers", "maxWorkers", "nWorkers", "freeWorkers", "prioWorkers", "jobQueueDepth")
    return [uint(name, 0) for name in names]


def _client_limits(session: Session, values: Values) -> Sequence[TypedParam]:
    name, flags = values
    _check(flags, "adminServerGetClientLimits")
    server = _server(session, name.name)
    return [
        uint("nclients_max", server.limits.max_clients),
        uint("nclients", len(server.sessions)),
        uint("nclients_unauth_max", server.limits.max_anonymous_clients),
        uint("nclients_unauth", server.unauthenticated),
    ]


#: Names in a request to the fields of `server.Limits`.
_SETTABLE = {"nclients_max": "max_clients", "nclients_unauth_max": "max_anonymous_clients"}


def _set_client_limits(session: Session, values: Values) -> None:
    name, params, flags = values
    _check(flags, "adminServerSetClientLimits")
    server = _server(session, name.name)
    changes: dict[str, int] = {}
    for field, (kind, value) in params:
        if field not in _SETTABLE or kind != T.UINT:
            settable = ", ".join(_SETTABLE)
            raise InvalidArg(f"parameter '{field}' not supported", domain=From.ADMIN, hint=f"settable: {settable}")
        changes[_SETTABLE[field]] = value
    limits = msgspec.structs.replace(server.limits, **changes)
    if limits.max_clients < limits.max_anonymous_clients:
        raise InvalidArg(
            "The overall maximum number of clients must not be less than the number of clients waiting for "
            "authentication",
            domain=From.RPC,
        )
    server.set_limits(limits)


def _server(session: Session, name: str) -> Server:
    server = session.server.peers.get(name)
    if server is None:
        known = ", ".join(session.server.peers)
        raise NoServer(f"No server named '{name}'", domain=From.RPC, hint=f"servers: {known}")
    return server


def _find(session: Session, server: str, client_id: int) -> Session:
    found = _server(session, server).sessions.get(client_id)
    if found is None:
        raise NoClient(f"No client with matching ID '{client_id}'", domain=From.RPC)
    return found


def _client(session: Session) -> Values:
    return (session.server.name,), session.id, session.connected_at, TRANSPORT_UNIX


def _name(look_up: Callable[[], str], number: int) -> str:
    try:
        return look_up()
    except KeyError:
        return str(number)


ROWS = (
    Row("CONNECT_OPEN", _open, nothing, before_open=True),
    Row("CONNECT_CLOSE", _close, nothing, before_open=True),
    Row("CONNECT_GET_LIB_VERSION", _lib_version, one, before_open=True),
    Row("CONNECT_LIST_SERVERS", _list_servers, fields, before_open=True),
    Row("CONNECT_LOOKUP_SERVER", _lookup_server, one, before_open=True),
    Row("SERVER_LIST_CLIENTS", _list_clients, fields, before_open=True),
    Row("SERVER_LOOKUP_CLIENT", _lookup_client, one, before_open=True),
    Row("SERVER_GET_THREADPOOL_PARAMETERS", _threadpool, one, before_open=True),
    Row("SERVER_GET_CLIENT_LIMITS", _client_limits, one, before_open=True),
    Row("SERVER_SET_CLIENT_LIMITS", _set_client_limits, nothing, before_open=True),
    Row("CLIENT_GET_INFO", _client_info, one, before_open=True),
    Row("CLIENT_CLOSE", _close_client, nothing, before_open=True),
)
