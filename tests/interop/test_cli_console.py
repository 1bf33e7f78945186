"""roost's console on a real guest under libvirtd: at a terminal, and from a pipe."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.console import Console
from support.guests import READY, domain_xml, guest_images
from support.peer import Peer, virsh, virsh_ok

pytestmark = [pytest.mark.peer, pytest.mark.guest, pytest.mark.root]

NAME = "cli-console"


@pytest.fixture
def command(peer: Peer, tmp_path: Path) -> Iterator[list[str]]:
    """The words that attach to the console of a guest which is paused before its first instruction."""
    path = tmp_path / "guest.xml"
    path.write_text(domain_xml(NAME, images=guest_images()))
    virsh_ok(peer.uri, "create", str(path), "--paused")
    try:
        yield [sys.executable, "-m", "roost.cli", "-q", "-c", peer.uri, "console", NAME]
    finally:
        virsh(peer.uri, "destroy", NAME)


def test_a_guest_answers_at_a_terminal(peer: Peer, command: list[str]) -> None:
    master, slave = pty.openpty()
    try:
        with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave) as process:
            try:
                virsh_ok(peer.uri, "resume", NAME)
                console = Console(master)
                console.wait_for(READY)
                console.ask("echo one two", "one two")
                os.write(master, b"\x1d")
                assert process.wait(30) == 0
            finally:
                process.kill()
    finally:
        os.close(master)
        os.close(slave)
    assert virsh_ok(peer.uri, "domstate", NAME) == "running\n"


def test_a_guest_answers_a_pipe_and_ends(peer: Peer, command: list[str]) -> None:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            virsh_ok(peer.uri, "resume", NAME)
            console = Console(process.stdout.fileno(), process.stdin.fileno())
            console.wait_for(READY)
            console.ask("echo one two", "one two")
            os.write(process.stdin.fileno(), b"poweroff\n")
            process.stdin.close()
            console.wait_for("roost-guest: poweroff")
            assert process.wait(60) == 0
        finally:
            process.kill()
