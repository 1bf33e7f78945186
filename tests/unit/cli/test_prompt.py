"""The interactive mode, from a pipe and at a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.client.blocking import Client
from support.answers import Answers
from support.console import Console, ConsoleError
from unit.cli.conftest import Roost


@pytest.fixture
def type_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[object]:
    """Lines that the program finds on its standard input."""
    files = []

    def give(text: str) -> None:
        path = tmp_path / "input"
        path.write_text(text)
        file = path.open()
        files.append(file)
        monkeypatch.setattr(sys, "stdin", file)

    yield give
    for file in files:
        file.close()


def test_lines_from_a_pipe(roost: Roost, type_lines: object) -> None:
    type_lines("echo a; echo b\nnosuch\n\npwd x\nquit\necho never\n")  # type: ignore[operator]
    outcome = roost("-q")
    assert outcome.out == ("roost # echo a; echo b\nabroost # nosuch\nroost # \nroost # pwd x\nroost # quit\n\n")
    assert outcome.err == "error: unknown command: 'nosuch'\nerror: unexpected data 'x'\n"
    assert outcome.code == 0


def test_welcome_and_the_end_of_input(roost: Roost, type_lines: object) -> None:
    type_lines("pwd\n")  # type: ignore[operator]
    assert roost().out == (
        "Welcome to roost, the virtualization interactive terminal.\n\n"
        "Type:  'help' for help with commands\n       'quit' to quit\n\n"
        f"roost # pwd\n{os.getcwd()}\n\nroost # \n"
    )


def test_moving_about(roost: Roost, type_lines: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    type_lines("cd sub\npwd\ncd /proc/nonexistent\n")  # type: ignore[operator]
    outcome = roost("-q")
    assert f"pwd\n{tmp_path}/sub\n" in outcome.out
    assert outcome.err == "error: cd: No such file or directory: /proc/nonexistent\n"


def test_connecting_again(roost: Roost, type_lines: object, daemon: Answers) -> None:
    type_lines("connect --readonly\nuri\nconnect test:///default\nuri\n")  # type: ignore[operator]
    outcome = roost("-q")
    assert outcome.out == (
        "roost # connect --readonly\nroost > uri\nqemu:///system\n"
        "roost > connect test:///default\nroost # uri\ntest:///default\nroost # \n"
    )
    assert outcome.err == ""
    assert [call for name, call in daemon.calls if name == "CONNECT_OPEN"] == [("", 1), ("test:///default", 0)]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[tuple[Console, int]]:
    """The program at a terminal of its own, and the terminal."""
    child, master = pty.fork()
    if child == 0:
        environment = os.environ | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "TERM": "dumb"}
        os.execve(sys.executable, [sys.executable, "-m", "roost.cli"], environment)
    try:
        yield Console(master), master
    finally:
        os.close(master)
        # The end of its terminal ends it, unless it has ended already.
        for _ in range(2000):
            if os.waitpid(child, os.WNOHANG) != (0, 0):
                break
            time.sleep(0.01)


def test_at_a_terminal(terminal: tuple[Console, int], tmp_path: Path) -> None:
    console, master = terminal
    console.wait_for("roost # ")
    console.ask("echo x y", "x y")
    console.wait_for("roost # ")
    os.write(master, b"half a line")
    console.wait_for("half a line")
    for _ in range(20):
        # An interrupt between two looks at the terminal is noticed with the next key only: that is the interpreter's.
        os.write(master, b"\x03")
        with contextlib.suppress(ConsoleError):
            console.wait_for("roost # ", 1)
            break
    os.write(master, b"vcpuc\t")
    console.wait_for("vcpucount ")
    os.write(master, b"--gu\t")
    console.wait_for("--guest ")
    os.write(master, b"\x15quit\n")
    deadline = time.monotonic() + 20
    history = tmp_path / "roost" / "history"
    while not history.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "echo x y" in history.read_text()


def test_a_lost_connection_is_made_anew(roost: Roost, type_lines: object, monkeypatch: pytest.MonkeyPatch) -> None:
    with Answers() as first, Answers({"CONNECT_GET_HOSTNAME": lambda: ("here",)}) as second:

        def die() -> tuple[str]:
            first.hang_up()
            return ("",)

        first.answers["CONNECT_GET_HOSTNAME"] = die
        ends = iter([first, second])

        def open_client(name: str | None, **options: object) -> Client:
            client = Client(next(ends).client_socket())
            client.handshake("")
            client.uri = "qemu:///system"
            return client

        monkeypatch.setattr(Client, "open", open_client)
        type_lines("hostname\nhostname\nhostname\n")  # type: ignore[operator]
        outcome = roost("-q")
    assert outcome.out == "roost # hostname\nroost # hostname\nhere\nroost # hostname\nhere\nroost # \n"
    lines = outcome.err.splitlines()
    assert lines[0].startswith("error: Disconnected from qemu:///system due to ")
    assert lines[1] == "error: failed to get hostname"
    assert lines[3:] == ["error: Reconnected to the hypervisor"]
