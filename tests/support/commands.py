"""Which test runs which of virsh's commands against libvirtd and roostd, and why some are not compared.

`tests/commands.tsv`, one command a line: its name, the test as FILE::FUNCTION or "-", and a reason: with "-", why it is
not compared; with a test, why both daemons refuse the command. A test that passes fails when it has not run there what
it stands for, with success at both unless a reason says that there is none (`missing`).
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from support.heard import Note

TABLE = Path(__file__).parents[1] / "commands.tsv"
#: virsh's groups of commands about domains.
GROUPS = ("domain", "monitor", "events", "snapshot", "checkpoint", "backup")
DAEMONS = ("libvirtd", "roostd")


class Line(NamedTuple):
    """One line of the table. where: FILE::FUNCTION below tests/, "" for none."""

    command: str
    where: str
    reason: str


@functools.cache
def table() -> dict[str, Line]:
    """The lines by command."""
    rows = (line.split("\t") for line in TABLE.read_text().splitlines())
    return {command: Line(command, where if where != "-" else "", reason) for command, where, reason in rows}


@functools.cache
def claims() -> dict[str, list[Line]]:
    """Lines by the test that is said to run their command."""
    found: dict[str, list[Line]] = defaultdict(list)
    for line in table().values():
        if line.where:
            found[line.where].append(line)
    return found


def missing(where: str, notes: Iterable[Note]) -> list[str]:
    """What a test stands for and has not run."""
    happened = set(notes)
    return [
        f"virsh {line.command} ({daemon})"
        for line in claims().get(where, [])
        for daemon in DAEMONS
        if not is_there(line.command, daemon, happened, refused=bool(line.reason))
    ]


def is_there(command: str, daemon: str, notes: set[Note], *, refused: bool) -> bool:
    """Whether the command was run with the daemon, and with the result that is expected."""
    results = ("ok", "refused") if refused else ("ok",)
    return any(Note(f"virsh {command}", f"{daemon} {result}") in notes for result in results)


def write(lines: Iterable[Line]) -> None:
    """Put the table on disk."""
    TABLE.write_text("".join(f"{line.command}\t{line.where or '-'}\t{line.reason}\n" for line in lines))


def updated(ran: dict[str, set[Note]], names: Iterable[str]) -> list[Line]:
    """The table with its gaps filled from what was recorded: notes by test."""
    known = table() if TABLE.exists() else {}
    return [known[name] if name in known and known[name] != (name, "", "") else found(name, ran) for name in names]


def found(name: str, ran: dict[str, set[Note]]) -> Line:
    """The best test of a command that is in no table yet."""
    for refused in (False, True):
        tests = [
            where
            for where, notes in ran.items()
            if "as_libvirtd" in where
            and "[" not in where
            and all(is_there(name, daemon, notes, refused=refused) for daemon in DAEMONS)
        ]
        if tests:
            return Line(name, min(tests), "both refuse it" if refused else "")
    return Line(name, "", "")
