"""Completion: what can follow, from the table and from the daemon."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import pytest

from roost.cli.events import EVENTS
from roost.errors import AccessDenied, NoDomain
from roost.protocol.types import Checkpoint, Domain, Snapshot
from support.answers import Answers
from unit.cli.conftest import Roost

WEB, OFF = Domain("web", bytes(16), 7), Domain("off", bytes(15) + b"\1", -1)
DOCUMENT = (
    "<domain><devices><disk><target dev='vda'/></disk><disk><target dev='vdb'/></disk>"
    "<interface><mac address='52:54:00:00:00:01'/></interface></devices></domain>"
)


@pytest.fixture(autouse=True)
def domains(daemon: Answers) -> None:
    def listing(need: int, flags: int) -> tuple[list[Domain], int]:
        found = {0: [WEB, OFF], 1: [WEB], 2: [OFF], 16: [WEB], 32: [], 1 << 12: [OFF], 1 << 14: [WEB]}[flags]
        return found, len(found)

    daemon.answers |= {
        "CONNECT_LIST_ALL_DOMAINS": listing,
        "DOMAIN_LOOKUP_BY_NAME": lambda name: (WEB,),
        "DOMAIN_GET_XML_DESC": lambda domain, flags: (DOCUMENT,),
        "DOMAIN_LIST_ALL_SNAPSHOTS": lambda domain, need, flags: (
            [Snapshot("first", domain), Snapshot("s", domain)],
            2,
        ),
        "DOMAIN_LIST_ALL_CHECKPOINTS": lambda domain, need, flags: ([Checkpoint("c", domain)], 1),
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["domn"], ["domname"]),
        (["-q", "-c", "test:///default", "domn"], ["domname"]),
        (["--connect=test:///default", "domn"], ["domname"]),
        (["dominfo", ""], ["off", "web"]),
        (["dominfo", "w"], ["web"]),
        (["dominfo", "--domain", ""], ["off", "web"]),
        (["dominfo", "web", ""], ["--domain"]),
        (["destroy", ""], ["web"]),
        (["start", ""], ["off"]),
        (["resume", ""], []),
        (["suspend", ""], ["web"]),
        (["domname", ""], ["00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001"]),
        (["domstats", "web", ""], ["off", "web"]),
        (["domstate", "--"], ["--domain", "--reason"]),
        (["domstate", "--reason", "--"], ["--domain"]),
        (["vcpucount", "web", "--m"], ["--maximum"]),
        (["undefine", "web", "--delete"], ["--delete-storage-volume-snapshots"]),
        (["domblkstat", "web", ""], ["vda", "vdb"]),
        (["domifstat", "web", ""], ["52:54:00:00:00:01"]),
        (["snapshot-revert", ""], ["off"]),
        (["snapshot-revert", "web", ""], ["first", "s"]),
        (["snapshot-list", "web", "--from", "f"], ["first"]),
        (["checkpoint-delete", ""], ["web"]),
        (["checkpoint-delete", "web", ""], ["c"]),
        (["event", "--event", ""], sorted(name for name, _ in EVENTS)),
        (["shutdown", "web", "--mode", "a"], ["acpi", "agent"]),
        (["help", "hos"], ["host", "hostname"]),
        (["completion", ""], ["bash", "fish", "zsh"]),
        (["nosuch", ""], []),
        (["define", ""], []),
    ],
)
def test_candidates(roost: Roost, words: list[str], expected: list[str]) -> None:
    assert roost("complete", "--", *words).out.splitlines() == expected


def test_all_commands(roost: Roost) -> None:
    found = roost("complete", "--", "").out.splitlines()
    assert {"list", "dominfo", "completion"} <= set(found)
    assert "complete" not in found
    assert roost("complete").out.splitlines() == found


def refuse(*_: Any) -> tuple[Any, ...]:
    raise AccessDenied("no")


def test_what_the_daemon_does_not_say_is_left_out(roost: Roost, daemon: Answers) -> None:
    daemon.answers["CONNECT_LIST_ALL_DOMAINS"] = refuse
    outcome = roost("complete", "--", "dominfo", "")
    assert (outcome.out, outcome.err, outcome.code) == ("", "", 0)

    def missing(name: str) -> tuple[Any, ...]:
        raise NoDomain(name)

    daemon.answers["DOMAIN_LOOKUP_BY_NAME"] = missing
    assert roost("complete", "--", "domblkstat", "gone", "").out == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_what_the_shell_takes(roost: Roost, shell: str) -> None:
    script = roost("-q", "completion", shell).out
    assert "roost complete -- " in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script, text=True, check=True)


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_bash_gets_its_words(roost: Roost) -> None:
    script = roost("-q", "completion", "bash").out
    script += (
        'roost() { echo "$@" >&3; printf "%s\\n" "two words" other; }\n'
        "COMP_WORDS=(roost domstate --do); COMP_CWORD=2\n_roost 3>&1\n"
        'printf "<%s>" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "--norc"], input=script, capture_output=True, text=True, check=True)
    assert done.stdout == "complete -- domstate --do\n<two words><other>"
