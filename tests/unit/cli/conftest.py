"""The program run inside the test, against an end that answers as told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from roost.cli import main
from roost.client.blocking import Client
from support.answers import Answers


class Outcome(NamedTuple):
    """How a run of the program ended."""

    code: int
    out: str
    err: str


Roost = Callable[..., Outcome]


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """What the program is connected to, whatever URI it opens."""
    with Answers() as answers:

        def open_client(name: str | None = None, **options: Any) -> Client:
            client = Client(answers.client_socket())
            client.handshake(name or "", read_only=options.get("read_only", False))
            client.uri = name or "qemu:///system"
            return client

        monkeypatch.setattr(Client, "open", open_client)
        yield answers


@pytest.fixture
def roost(capfd: pytest.CaptureFixture[str]) -> Roost:
    """`roost("list", "--all")` runs the program with these words."""

    def run(*words: str) -> Outcome:
        code = main(words)
        out, err = capfd.readouterr()
        return Outcome(code, out, err)

    return run
