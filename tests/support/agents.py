"""A guest agent of the test's own at the other end of a channel: as well-behaved or as odd as the test wants."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from guests.build import BuildError
from guests.tools import AGENT, build_with
from support.guests import GuestImages, guest_images

#: What is answered to a command: bytes as they are, anything else as JSON after `return`. None is silence.
Reply = Callable[[str, dict[str, Any]], Any]

SENTINEL = b"\xff"


class Raw(bytes):
    """Sent as it is."""


class FakeAgent:
    """Reads commands from a socket and answers them by `reply(name, arguments)`.

    asked: names and arguments of all commands but synchronizing. syncs: how often the host began anew.
    sync: the answer to that, by its number.
    """

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.syncs = 0
        self._heard = asyncio.Event()
        self.sync: Callable[[int], bytes] = lambda number: SENTINEL + b'{"return": %d}\n' % number
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._server: asyncio.Server | None = None

    async def serve(self, path: Path) -> None:
        """Take the place of QEMU's end of the channel."""
        self._server = await asyncio.start_unix_server(self._talk, path)

    async def attach(self, connection: socket.socket) -> None:
        """Talk on one end of a pair."""
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        self._tasks.append(asyncio.get_running_loop().create_task(self._talk(reader, writer)))

    async def heard(self, name: str) -> None:
        """Wait until that command has come."""
        while name not in (asked for asked, _ in self.asked):
            self._heard.clear()
            await self._heard.wait()

    async def send(self, data: bytes) -> None:
        """Say something unasked."""
        for writer in self._writers:
            writer.write(data)
            await writer.drain()

    async def close(self) -> None:
        """Go away."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        try:
            while line := await reader.readline():
                self._answer(line.rpartition(SENTINEL)[2], writer)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        command = json.loads(line)
        name, arguments = command["execute"], command.get("arguments", {})
        if name == "guest-sync-delimited":
            self.syncs += 1
            writer.write(self.sync(arguments["id"]))
            return
        self.asked.append((name, arguments))
        self._heard.set()
        answer = self.reply(name, arguments)
        if isinstance(answer, Raw):
            writer.write(answer)
        elif answer is not None:
            writer.write(json.dumps({"return": answer}).encode() + b"\n")


#: Typed on the console of a guest that has `agent_images`.
AGENT_COMMAND = "sh sh /extra/agent &"

AGENT_CHANNEL = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"


def agent_images() -> GuestImages:
    """The guest's images with the agent in it; skips the test where they cannot be made."""
    try:
        return guest_images()._replace(initrd=build_with(AGENT))
    except BuildError as error:
        pytest.skip(str(error))
