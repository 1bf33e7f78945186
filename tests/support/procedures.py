"""Which test runs which procedure on a real guest, which of virsh's commands reach it, and why some have no test.

`tests/procedures.tsv` says so, one procedure a line: its name, the commands, then the test as FILE::FUNCTION or the
reason in words, "yes: …" for a procedure that is served and "no: …" for one that is not. docs/compatibility.md is made
from it. Nobody has to believe it: a test that passes without the procedures it stands for fails (`judge`).

    ROOST_RECORD=FILE ./dev test tests/guest tests/interop     notes what happens
    PYTHONPATH=tests python -m support.procedures FILE         brings the table up to date with that
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from roost.protocol import QEMU, REMOTE, Procedure
from support import commands
from support.heard import Note, name_in

TESTS = Path(__file__).parents[1]
TABLE = TESTS / "procedures.tsv"
RECORD = "ROOST_RECORD"


class Line(NamedTuple):
    """One line of the table. where: FILE::FUNCTION below tests/, or why there is none."""

    procedure: str
    commands: tuple[str, ...]
    where: str

    @property
    def there(self) -> bool:
        """Whether the procedure is served."""
        return self.tested or self.where.startswith("yes: ")

    @property
    def reason(self) -> str:
        """Why there is no test."""
        return self.where.partition(": ")[2]

    @property
    def tested(self) -> bool:
        """Whether `where` is a test."""
        return "::" in self.where


def of_domains() -> list[Procedure]:
    """Every procedure about domains, events with them, in the order of their numbers."""
    return [procedure for procedure in REMOTE if "DOMAIN" in procedure.name] + list(QEMU)


def key(procedure: Procedure) -> str:
    """Its name in the table."""
    return name_in(procedure.program, procedure.name)


@functools.cache
def exists(where: str) -> bool:
    """Whether there is such a test."""
    file, _, function = where.partition("::")
    path = TESTS / file
    return path.exists() and re.search(rf"^def {re.escape(function)}\(", path.read_text(), re.MULTILINE) is not None


@functools.cache
def table() -> dict[str, Line]:
    """The lines by procedure."""
    if not TABLE.exists():
        return {}
    rows = (line.split("\t") for line in TABLE.read_text().splitlines())
    return {name: Line(name, tuple(commands.split()), where) for name, commands, where in rows}


@functools.cache
def claims() -> dict[str, set[str]]:
    """Procedures by the test that is said to run them."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in table().values():
        if line.tested:
            found[line.where].add(line.procedure)
    return found


def judge(node: str, notes: Iterable[Note]) -> None:
    """Compare what a test that passes has run with what the table says of it; note it where $ROOST_RECORD says."""
    where = node.removeprefix("tests/")
    happened = set(notes)
    if record := os.environ.get(RECORD):
        with open(record, "a") as file:
            file.writelines(f"{where}\t{note.procedure}\t{note.command}\n" for note in sorted(happened))
    missing = sorted(claims().get(where, set()) - {note.procedure for note in happened})
    missing += commands.missing(where, happened)
    assert not missing, f"the tables in tests/ say that this test runs {', '.join(missing)}: it did not succeed here"


def update(record: Path) -> None:
    """Write the table anew: tests that were recorded without what they stood for are replaced, gaps filled."""
    ran: dict[str, set[Note]] = defaultdict(set)
    for line in record.read_text().splitlines():
        where, *note = line.split("\t")
        ran[where].add(Note(*note))
    commands.write(commands.updated(ran, sorted(commands.table() if commands.TABLE.exists() else ())))
    reached: dict[str, set[str]] = defaultdict(set)
    by_procedure: dict[str, set[str]] = defaultdict(set)
    for where, notes in ran.items():
        for name, command in notes:
            if command:
                reached[name].add(command)
            # What has parameters may do something else with each.
            if "[" not in where and where.startswith(("guest/", "interop/")) and exists(where):
                by_procedure[name].add(where)
    known = table()
    lines = []
    for name in map(key, of_domains()):
        old = known.get(name, Line(name, (), ""))
        where = old.where
        if not old.tested or not exists(where) or (where in ran and where not in by_procedure[name]):
            where = min(by_procedure[name], key=lambda test: rank(test, name), default=where if not old.tested else "")
        lines.append(f"{name}\t{' '.join(sorted({*old.commands, *reached[name]}))}\t{where}\n")
    TABLE.write_text("".join(lines))


def rank(where: str, procedure: str) -> tuple[bool, bool, int, str]:
    """The least is the test that shows a procedure best: one that is there for it, about guests, of the likest name."""
    words = set(procedure.lower().split("_")) - {"domain", "get", "set"}
    alike = sum(word[:5] in where for word in words)
    return "test_procedures" not in where, where.startswith("interop"), -alike, where


if __name__ == "__main__":
    update(Path(sys.argv[1]))
