"""The admin program over the servers it administers."""

from __future__ import annotations

import os
from typing import Any

import pytest

from roost.constants import typed_params as T
from roost.errors import InvalidArg, NoClient, NoServer, RoostError
from roost.rpc.server import Limits
from support.desk import ADMIN, Client, Desk, run


async def opened(desk: Desk) -> Client:
    client = desk.client(server="admin")
    await client.call("CONNECT_OPEN", 0, program=ADMIN)
    return client


async def ask(client: Client, name: str, *values: object) -> Any:
    return await client.call(name, *values, program=ADMIN)


async def params(client: Client, name: str, *values: object) -> dict[str, object]:
    (found,) = await client.call(name, *values, program=ADMIN)
    return {field: value for field, (_, value) in found}


def test_servers(loop: str) -> None:
    async def test(desk: Desk) -> None:
        admin = await opened(desk)
        assert await ask(admin, "CONNECT_GET_LIB_VERSION") == (12006000,)
        assert await ask(admin, "CONNECT_LIST_SERVERS", 1, 0) == ([("roostd",), ("admin",)], 2)
        assert await ask(admin, "CONNECT_LIST_SERVERS", 0, 0) == ([], 2)
        assert await ask(admin, "CONNECT_LOOKUP_SERVER", "roostd", 0) == (("roostd",),)
        with pytest.raises(NoServer, match="No server named 'nope'"):
            await ask(admin, "CONNECT_LOOKUP_SERVER", "nope", 0)
        with pytest.raises(InvalidArg, match=r"unsupported flags \(0x7\) in function adminConnectListServers"):
            await ask(admin, "CONNECT_LIST_SERVERS", 1, 7)
        assert await ask(admin, "CONNECT_CLOSE") == ()
        with pytest.raises((EOFError, ConnectionError)):
            await admin.event()

    run(loop, test)


def test_clients(loop: str) -> None:
    async def test(desk: Desk) -> None:
        admin, client = await opened(desk), await desk.opened(readonly=True)
        listed, count = await ask(admin, "SERVER_LIST_CLIENTS", ("roostd",), 1, 0)
        assert (count, listed[0].srv.name, listed[0].transport) == (1, "roostd", 0)
        number = listed[0].id
        assert await ask(admin, "SERVER_LOOKUP_CLIENT", ("roostd",), number, 0) == (listed[0],)
        info = await params(admin, "CLIENT_GET_INFO", listed[0], 0)
        assert (info["readonly"], info["unix_user_id"], info["unix_process_id"]) == (1, os.getuid(), os.getpid())
        with pytest.raises(NoClient, match="No client with matching ID '999'"):
            await ask(admin, "SERVER_LOOKUP_CLIENT", ("roostd",), 999, 0)
        assert await ask(admin, "CLIENT_CLOSE", listed[0], 0) == ()
        with pytest.raises((EOFError, ConnectionError)):
            await client.event()
        assert await ask(admin, "SERVER_LIST_CLIENTS", ("roostd",), 0, 0) == ([], 0)

    run(loop, test)


def test_limits_hold_at_once(loop: str) -> None:
    async def test(desk: Desk) -> None:
        admin = await opened(desk)
        server = ("roostd",)
        await desk.opened()
        change = [("nclients_max", (T.UINT, 30)), ("nclients_unauth_max", (T.UINT, 10))]
        assert await ask(admin, "SERVER_SET_CLIENT_LIMITS", server, change, 0) == ()
        limits = await params(admin, "SERVER_GET_CLIENT_LIMITS", server, 0)
        assert limits == {"nclients_max": 30, "nclients": 1, "nclients_unauth_max": 10, "nclients_unauth": 0}
        with pytest.raises(RoostError, match="must not be less than"):
            await ask(admin, "SERVER_SET_CLIENT_LIMITS", server, [("nclients_max", (T.UINT, 3))], 0)
        with pytest.raises(InvalidArg, match="settable: nclients_max"):
            await ask(admin, "SERVER_SET_CLIENT_LIMITS", server, [("nclients", (T.UINT, 3))], 0)
        pool = await params(admin, "SERVER_GET_THREADPOOL_PARAMETERS", server, 0)
        assert set(pool.values()) == {0}

    run(loop, test, Limits(max_clients=50))
