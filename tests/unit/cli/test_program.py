"""The program as a process: what it does with its streams and signals."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roost.protocol.types import Domain
from support.answers import Answers

WEB = Domain("w\udce4b", bytes(16), 7)
PATIENCE = 30


@pytest.fixture
def command(tmp_path: Path) -> Iterator[list[str]]:
    """The words that run the program against a daemon with one domain, whose name is not UTF-8."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "sock"))
        listener.listen()
        answers: dict[str, Any] = {
            "CONNECT_LIST_ALL_DOMAINS": lambda need, flags: ([WEB] * 5000, 1),
            "DOMAIN_LOOKUP_BY_NAME": lambda name: (WEB,),
            "DOMAIN_GET_XML_DESC": lambda domain, flags: ("<domain>",),
            "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY": lambda event, domain: (event,),
            "CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY": lambda callback: (),
        }
        with Answers(answers, listener):
            yield [sys.executable, "-m", "roost.cli", "-q", "-c", f"test+unix:///default?socket={tmp_path}/sock"]


def test_bytes_of_names_are_kept(command: list[str]) -> None:
    done = subprocess.run([*command, "list", "--name"], capture_output=True, timeout=PATIENCE)
    assert done.stdout == b"w\xe4b\n" * 5000
    assert (done.returncode, done.stderr) == (0, b"")


def test_bytes_of_words_are_kept(command: list[str]) -> None:
    done = subprocess.run([*command, "domname", b"w\xe4b"], capture_output=True, timeout=PATIENCE)
    assert done.stderr == b"error: failed to get domain 'w\xe4b'\n"


def test_a_reader_that_goes_away_ends_it(command: list[str]) -> None:
    with subprocess.Popen([*command, "list", "--name"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.wait(PATIENCE) == -signal.SIGPIPE
        assert process.stderr.read() == b""


def test_a_full_disk_is_an_error(command: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*command, "list", "--name"], stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE)
    assert b"No space left on device" in done.stderr
    assert done.returncode == 1


def test_closed_streams(command: list[str]) -> None:
    closing = "import os, sys; os.close(1); os.close(2); os.execv(sys.argv[1], sys.argv[1:])"
    assert subprocess.run([sys.executable, "-c", closing, *command, "list", "--name"], timeout=PATIENCE).returncode == 0


def test_an_interrupt_ends_it(command: list[str]) -> None:
    with subprocess.Popen([*command, "event", "--all"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            # `event` is the one command that an interrupt ends in order.
            while process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(0.2)
                except subprocess.TimeoutExpired:
                    continue
            text = process.stdout.read()
        finally:
            process.kill()
    assert process.returncode in (1, -signal.SIGINT)
    assert text in ("", "event loop interrupted\nevents received: 0\n")


def test_a_document_that_is_none(command: list[str]) -> None:
    done = subprocess.run([*command, "domblklist", "w"], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert done.stderr.startswith("error: Failed to parse domain description xml\nerror: the daemon sent XML with ")


def test_a_descriptor_that_is_not_open(command: list[str]) -> None:
    done = subprocess.run(
        [*command, "qemu-monitor-command", "w", "--pass-fds", "987", "x"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stderr == "error: invalid argument: file descriptor 987 is not open\n"


def test_the_project_names_it(command: list[str]) -> None:
    script = Path(sys.executable).with_name("roost")
    if not script.exists():
        pytest.skip("the project is not installed beside this interpreter")
    done = subprocess.run([script, "-v"], capture_output=True, text=True, env=os.environ, timeout=PATIENCE)
    assert done.returncode == 0
