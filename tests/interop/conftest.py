"""Both programs, roost run inside the test."""

from __future__ import annotations

import pytest

from roost.cli import main
from support.programs import Both, Outcome, Pair, Program, virsh


@pytest.fixture
def programs(capfd: pytest.CaptureFixture[str]) -> tuple[Program, Program]:
    """virsh and roost."""

    def roost(*words: str) -> Outcome:
        capfd.readouterr()
        code = main(words)
        return Outcome(code, *capfd.readouterr())

    return virsh, roost


@pytest.fixture
def both(programs: tuple[Program, Program]) -> Both:
    """What the two make of the same words."""
    virsh, roost = programs
    return lambda *words: Pair(virsh(*words), roost(*words))
