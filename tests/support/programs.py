"""virsh and roost given the same words."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import NamedTuple

from support.peer import Peer, run


class Outcome(NamedTuple):
    """How a run of either program ended."""

    code: int
    out: str
    err: str


class Pair(NamedTuple):
    """The same words given to both programs."""

    virsh: Outcome
    roost: Outcome


Program = Callable[..., Outcome]
Both = Callable[..., Pair]


def virsh(*words: str, input: str | None = None) -> Outcome:
    """Run virsh with these words, and with the editor that the test has set."""
    editor = {name: os.environ[name] for name in ("VISUAL",) if name in os.environ}
    answer = run(["virsh", *words], input=input, environment=editor)
    return Outcome(answer.returncode, answer.stdout, answer.stderr)


def in_test_driver(peer: Peer) -> str:
    """The URI of the peer's own `test:///default`."""
    return f"test+unix:///default?socket={peer.socket_path}"


def lines(text: str) -> list[str]:
    """The lines that have something."""
    return [line for line in text.splitlines() if line]


__all__ = ["Both", "Outcome", "Pair", "Program", "in_test_driver", "lines", "virsh"]
