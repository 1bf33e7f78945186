"""Listening sockets, and a server's limit on its clients."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest

from roost.errors import SystemCallError
from roost.rpc.listener import Listener
from roost.rpc.server import Limits
from support.desk import LOOPS, Client, Desk, run


def test_mode_and_end(loop: str, tmp_path: Path) -> None:
    path = tmp_path / "sock"

    async def main() -> None:
        accepted: asyncio.Queue[socket.socket] = asyncio.Queue()
        umask = os.umask(0o022)
        os.umask(umask)
        listener = Listener(asyncio.get_running_loop(), path, accepted.put_nowait, mode=0o640)
        assert os.umask(umask) == umask
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        with socket.socket(socket.AF_UNIX) as early:
            early.connect(str(path))  # before anybody accepts: it waits
            listener.resume()
            (await accepted.get()).close()
        listener.close()
        listener.close()
        assert not path.exists()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main())


def test_what_a_killed_daemon_left_is_replaced_and_anothers_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sock"

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        first = Listener(loop, path, socket.socket.close, mode=0o600)
        path.unlink()
        second = Listener(loop, path, socket.socket.close, mode=0o600)
        first.close()
        assert path.exists()
        second.close()
        assert not path.exists()

    asyncio.run(main())


@pytest.mark.parametrize("name", ["x" * 200, "absent/sock"])
def test_a_path_that_cannot_be(tmp_path: Path, name: str) -> None:
    async def main() -> None:
        with pytest.raises(SystemCallError, match=r"cannot listen on .*at most 107 bytes"):
            Listener(asyncio.get_running_loop(), tmp_path / name, socket.socket.close, mode=0o600)

    asyncio.run(main())


def test_clients_beyond_the_limit_wait_for_one_to_leave(loop: str, tmp_path: Path) -> None:
    path = tmp_path / "sock"

    def connect() -> Client:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(path))
        return Client(sock)

    async def test(desk: Desk) -> None:
        desk.servers["roostd"].listen(path, mode=0o600)
        desk.servers["roostd"].start()
        first, second, third = connect(), connect(), connect()
        await first.open()
        await second.open()
        serial = await third.begin("AUTH_LIST")
        assert await first.call("CONNECT_GET_TYPE") == ("FAKE",)
        assert len(desk.servers["roostd"].sessions) == 2
        second.close()
        assert await third.result(serial, "AUTH_LIST") == ([0],)
        first.close()
        third.close()

    run(loop, test, Limits(max_clients=2))
