"""A real QEMU's monitor: much asked at once, by commands with descriptors and without."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from roost.drivers.qemu.qmp import QmpClient

pytestmark = pytest.mark.guest

ROUNDS = 50


@asynccontextmanager
async def monitor() -> AsyncIterator[tuple[QmpClient, int]]:
    ours, theirs = socket.socketpair()
    words = ["qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none", "-S"]
    words += ["-chardev", f"socket,id=m,fd={theirs.fileno()}", "-mon", "chardev=m,mode=control"]
    with theirs:
        process = await asyncio.create_subprocess_exec(*words, pass_fds=(theirs.fileno(),))
    client = QmpClient(ours)
    try:
        await client.negotiate()
        yield client, process.pid
    finally:
        client.close()
        process.kill()
        await process.wait()


def test_all_is_answered_in_order() -> None:
    async def main() -> None:
        async with monitor() as (client, _):
            for _ in range(ROUNDS):
                batch = [("query-status", None), ("query-name", None), ("query-version", None)] * 10
                answers = await client.batch(batch)
                for status, name, version in zip(*(answers[first::3] for first in range(3)), strict=True):
                    assert (status["status"], name, version["qemu"]["major"] > 5) == ("prelaunch", {}, True)

    asyncio.run(main())


def test_every_command_gets_its_own_descriptors() -> None:
    async def main() -> None:
        pipes = [os.pipe() for _ in range(8)]
        async with monitor() as (client, pid):
            for _ in range(ROUNDS):
                lent = [
                    client.send("add-fd", {"fdset-id": place}, descriptors=[writer])
                    for place, (_, writer) in enumerate(pipes)
                ]
                await asyncio.gather(*lent)
                known = {entry["fdset-id"]: entry["fds"][0]["fd"] for entry in await client.execute("query-fdsets")}
                for place, (_, writer) in enumerate(pipes):
                    assert os.readlink(f"/proc/{pid}/fd/{known[place]}") == os.readlink(f"/proc/self/fd/{writer}")
                await client.batch([("remove-fd", {"fdset-id": place}) for place in known])
        for pipe in pipes:
            for descriptor in pipe:
                os.close(descriptor)

    asyncio.run(main())
