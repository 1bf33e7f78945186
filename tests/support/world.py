"""The QEMU driver over the real host, without a daemon around it: what guests do as its events and streams tell it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from roost.constants import domain as D
from roost.contract.domains import Consoles, Domains, Lifecycle
from roost.contract.events import DomainEvent
from roost.contract.interface import Backend
from roost.contract.references import DomainRef
from roost.contract.streams import ByteStream
from roost.drivers.qemu.config import QemuConfig
from roost.drivers.qemu.driver import QemuDriver
from roost.drivers.qemu.paths import QemuPaths
from roost.host.linux import LinuxHost, guest_account
from support.guests import READY

#: Seconds for anything the guest does by itself: it is emulated, on a machine shared with other tests.
PATIENCE = 120.0

_PLAIN = QemuConfig()


class World:
    """A driver of the test's own. `start` and `stop` are a daemon's beginning and end."""

    def __init__(self, root: Path, config: QemuConfig = _PLAIN) -> None:
        self.root = root
        self.config = config
        self.events: list[tuple[Any, ...]] = []
        self._changed = asyncio.Event()
        self.driver: QemuDriver
        self.backend: Backend

    async def start(self) -> None:
        account = guest_account() if os.geteuid() == 0 else None
        paths = QemuPaths.under(*(self.root / name for name in ("etc", "run", "lib", "log", "cache")))
        host = LinuxHost(account)
        self.driver = QemuDriver(paths, self.config, host, account=account, privileged=os.geteuid() == 0)
        self.backend = self.driver.open("/session")
        assert self.backend.events is not None
        self.backend.events.subscribe(DomainEvent, self._on_event)
        await self.driver.start()

    def _on_event(self, event: DomainEvent) -> None:
        self.events.append((event.kind, *event.args))
        self._changed.set()

    def get(self, kind: type[Any]) -> Any:
        return self.backend.get(kind)

    async def seen(self, *event: Any) -> None:
        """Wait until that event has been published; forget it and those before."""
        async with asyncio.timeout(PATIENCE):
            while event not in self.events:
                self._changed.clear()
                await self._changed.wait()
        del self.events[: self.events.index(event) + 1]

    async def read_until(self, stream: ByteStream, text: str) -> str:
        seen = b""
        async with asyncio.timeout(PATIENCE):
            while text.encode() not in seen:
                data = await stream.read(4096)
                assert data, f"the console ended after {seen!r}"
                seen += data
        return seen.decode("utf-8", "replace")

    async def booted(self, ref: DomainRef) -> ByteStream:
        stream: ByteStream = await self.get(Consoles).open_console(ref, None, 0)
        await self.read_until(stream, READY)
        return stream


@contextlib.contextmanager
def world_root() -> Iterator[Path]:
    """A directory for a world; what still runs in it is killed at the end."""
    # Not pytest's own directory: a socket's path must be short, and QEMU's user must be able to enter.
    made = Path(tempfile.mkdtemp(prefix="roost-q", dir="/tmp"))
    made.chmod(0o755)
    try:
        yield made
    finally:
        for pid_file in (made / "run" / "qemu").glob("*.pid"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid_file.read_text()), signal.SIGKILL)
        shutil.rmtree(made, ignore_errors=True)


def run(root: Path, scenario: Callable[[World], Awaitable[None]], config: QemuConfig = _PLAIN) -> None:
    """One life of a driver in `root`; its guests end with it."""

    async def main() -> None:
        world = World(root, config)
        await world.start()
        try:
            await scenario(world)
        finally:
            lifecycle, domains = world.get(Lifecycle), world.get(Domains)
            for ref in domains.list_all(D.LIST_DOMAINS_ACTIVE):
                await lifecycle.destroy(ref, 0)
            await world.driver.stop()

    asyncio.run(main())
