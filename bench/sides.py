"""The two daemons that are compared, each with its own directories and its own client process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Protocol

from support.daemon import RoostDaemon
from support.peer import BINDING_PYTHON, Peer

CLIENT = Path(__file__).with_name("client.py")


class MeasureError(Exception):
    """An operation failed on one side; the text is the client's."""


class Daemon(Protocol):
    """What both daemons of tests/support offer."""

    @property
    def uri(self) -> str: ...
    @property
    def pid(self) -> int: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


class Side:
    """One daemon and the client that is connected to it."""

    def __init__(self, name: str, daemon: Daemon) -> None:
        self.name = name
        self.daemon = daemon
        self._client: subprocess.Popen[str] | None = None

    def start(self) -> float:
        """Start the daemon; seconds until a client had its first answer."""
        begin = time.perf_counter()
        self.daemon.start()
        if self._client is None:
            self._client = subprocess.Popen(
                [BINDING_PYTHON, str(CLIENT), self.daemon.uri],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        self.ask("reopen")
        return time.perf_counter() - begin

    def stop(self) -> None:
        """Stop the daemon, with the client kept for the next start."""
        if self._client is not None:
            self.ask("close")
        self.daemon.stop()

    def close(self) -> None:
        """End the client and the daemon, and remove what they wrote."""
        if self._client is not None:
            self._client.communicate()
            self._client = None
        self.daemon.close()

    def ask(self, operation: str, *arguments: object) -> list[float]:
        """Seconds of each sample of an operation in `client.py`."""
        assert self._client is not None
        assert self._client.stdin is not None
        assert self._client.stdout is not None
        self._client.stdin.write(json.dumps([operation, arguments]) + "\n")
        self._client.stdin.flush()
        line = self._client.stdout.readline()
        if not line:
            raise MeasureError(f"the client of {self.name} ended with {self._client.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise MeasureError(f"{operation}: {answer['error']}")
        seconds: list[float] = answer["seconds"]
        return seconds

    def resident_bytes(self) -> int:
        """The daemon's resident memory now."""
        for line in Path(f"/proc/{self.daemon.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise MeasureError(f"{self.name} is not running")


def both() -> tuple[Side, Side]:
    """libvirtd and roostd, neither started."""
    return Side("libvirtd", Peer()), Side("roostd", RoostDaemon(options=()))


def interpreter() -> str:
    """What roostd runs under."""
    return f"{sys.executable} ({sys.version.split()[0]})"
