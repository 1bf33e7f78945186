"""The console: at a terminal, from a pipe, and how it ends."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost import wire
from roost.errors import OperationFailed
from roost.protocol import REMOTE
from roost.protocol.types import Domain
from roost.wire.framing import CONTINUE, ERROR, OK, STREAM
from support.answers import Answer, Answers
from support.console import Console
from unit.cli.conftest import Roost

WEB = Domain("web", bytes(16), 7)
CONSOLE = REMOTE.by_name["DOMAIN_OPEN_CONSOLE"]
ANSWERS: dict[str, Answer] = {
    "DOMAIN_LOOKUP_BY_NAME": lambda name: (WEB,),
    "DOMAIN_GET_STATE": lambda domain, flags: (1, 1),
    "DOMAIN_OPEN_CONSOLE": lambda domain, device, flags: (),
}
PATIENCE = 30


class Guest:
    """The far end of the console."""

    def __init__(self, daemon: Answers) -> None:
        self._daemon = daemon

    def say(self, data: bytes, status: int = CONTINUE) -> None:
        """Send a packet on the stream that the last call opened."""
        serial = len(self._daemon.calls) - 1
        self._daemon.send(wire.frame(CONSOLE.program, 1, CONSOLE.number, STREAM, serial, status, data))

    def heard(self) -> bytes:
        return b"".join(
            event.payload
            for event in self._daemon.received
            if isinstance(event, wire.StreamReceived) and event.status == CONTINUE
        )

    def endings(self) -> list[int]:
        return [
            event.status
            for event in self._daemon.received
            if isinstance(event, wire.StreamReceived) and event.status != CONTINUE
        ]


@pytest.fixture
def far_end(tmp_path: Path) -> Iterator[tuple[Answers, list[str]]]:
    """A daemon, and the command line that attaches to its console."""
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with Answers(dict(ANSWERS), listener) as daemon:
            uri = f"qemu+unix:///system?socket={path}"
            yield daemon, [sys.executable, "-m", "roost.cli", "-k", "0", "-c", uri, "console", "web"]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a terminal."""
    master, slave = pty.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


def test_at_a_terminal(far_end: tuple[Answers, list[str]], terminal: tuple[int, int]) -> None:
    daemon, command = far_end
    master, slave = terminal
    before = termios.tcgetattr(slave)
    guest, console = Guest(daemon), Console(master)
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave) as process:
        try:
            assert console.wait_for("\n", PATIENCE) == "Connected to domain 'web'\n"
            assert console.wait_for("\n", PATIENCE) == "Escape character is ^] (Ctrl + ])\n"
            daemon.wait_until(lambda: "DOMAIN_OPEN_CONSOLE" in daemon.replied)
            guest.say(b"login: ")
            console.wait_for("login: ", PATIENCE)
            # Raw: nothing is echoed, and an interrupt is a byte like others.
            os.write(master, b"root\r\x03\x04")
            daemon.wait_until(lambda: guest.heard() == b"root\r\x03\x04")
            os.write(master, b"\x1d")
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
    assert guest.endings() == [OK]
    assert daemon.calls[-2:] == [("DOMAIN_OPEN_CONSOLE", (WEB, None, 0)), ("CONNECT_CLOSE", ())]
    assert termios.tcgetattr(slave) == before


def test_another_escape_and_a_device(far_end: tuple[Answers, list[str]], terminal: tuple[int, int]) -> None:
    daemon, command = far_end
    master, slave = terminal
    words = [*command[:3], "-e", "^a", *command[3:], "--devname", "serial1", "--force", "--safe"]
    with subprocess.Popen(words, stdin=slave, stdout=slave, stderr=slave) as process:
        try:
            Console(master).wait_for("Escape character is ^a (Ctrl + a)\n", PATIENCE)
            daemon.wait_until(lambda: "DOMAIN_OPEN_CONSOLE" in daemon.replied)
            os.write(master, b"\x01")
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
    assert ("DOMAIN_OPEN_CONSOLE", (WEB, "serial1", 3)) in daemon.calls


def test_the_guest_ends_it(far_end: tuple[Answers, list[str]], terminal: tuple[int, int]) -> None:
    daemon, command = far_end
    master, slave = terminal
    guest, console = Guest(daemon), Console(master)
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave) as process:
        try:
            console.wait_for("(Ctrl + ])\n", PATIENCE)
            daemon.wait_until(lambda: "DOMAIN_OPEN_CONSOLE" in daemon.replied)
            guest.say(b"bye")
            guest.say(b"")
            console.wait_for("bye", PATIENCE)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
    assert guest.endings() == [OK]


def test_from_a_pipe(far_end: tuple[Answers, list[str]]) -> None:
    daemon, command = far_end
    guest = Guest(daemon)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            # The escape character is for terminals: a pipe may carry any byte.
            process.stdin.write(b"\x1dls\n")
            process.stdin.close()
            daemon.wait_until(lambda: guest.heard() == b"\x1dls\n")
            # What the guest says after the end of the input still comes.
            guest.say(b"\xff\x00file\n")
            guest.say(b"")
            assert process.stdout.read() == b"\xff\x00file\n\n"
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def test_an_error_ends_it(far_end: tuple[Answers, list[str]]) -> None:
    daemon, command = far_end
    guest = Guest(daemon)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            daemon.wait_until(lambda: "DOMAIN_OPEN_CONSOLE" in daemon.replied)
            guest.say(wire.encode_error(OperationFailed("device gone")), ERROR)
            assert process.wait(PATIENCE) == 1
            assert process.stderr.read() == "error: operation failed: device gone\n"
        finally:
            process.kill()


def test_a_domain_that_does_not_run(roost: Roost, daemon: Answers) -> None:
    daemon.answers |= ANSWERS | {"DOMAIN_GET_STATE": lambda domain, flags: (5, 1)}
    assert roost("console", "web").err == "error: The domain is not running\n"


def test_a_domain_whose_state_is_not_known(roost: Roost, daemon: Answers) -> None:
    def refuse(domain: Domain, flags: int) -> tuple[int, int]:
        raise OperationFailed("no")

    daemon.answers |= ANSWERS | {"DOMAIN_GET_STATE": refuse}
    assert roost("console", "web").err == "error: Unable to get domain status\nerror: operation failed: no\n"
