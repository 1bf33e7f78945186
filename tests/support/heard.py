"""`roostd` that notes what it did: run as a program, it is the daemon; imported, it reads the notes.

A note is a line "PROCEDURE<TAB>COMMAND" in the file that $ROOST_HEARD names: a call of the QEMU driver that was
answered with success, or an event that was sent to its client. Procedures of the QEMU program have QEMU_ before their
names, COMMAND is the client's own when it is a single one of virsh's. So what docs/compatibility.md says of tests is
compared with what happened in them.

Commands of virsh's that tests run are noted, too: "virsh COMMAND<TAB>DAEMON RESULT".
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from roost.protocol import QEMU

VARIABLE = "ROOST_HEARD"


class Note(NamedTuple):
    """One call or event. command: "" for clients other than virsh with one command."""

    procedure: str
    command: str


def name_in(program: int, procedure: str) -> str:
    """A procedure's name in notes: of DOMAIN_ATTACH there are two kinds in two programs."""
    return f"QEMU_{procedure}" if program == QEMU.number else procedure


def position() -> int:
    """Where the next note will stand."""
    return os.stat(os.environ[VARIABLE]).st_size


def since(begin: int) -> set[Note]:
    """What was noted since `position` gave that."""
    text = Path(os.environ[VARIABLE]).read_bytes()[begin:].decode()
    return {Note(*line.split("\t")) for line in text.splitlines()}


def note(what: str, by: str) -> None:
    """Add a line, in tests: elsewhere nobody reads it."""
    if VARIABLE in os.environ:
        with open(os.environ[VARIABLE], "a") as file:
            file.write(f"{what}\t{by}\n")


def note_virsh(uri: str, words: Sequence[str], *, ok: bool) -> None:
    """A command of virsh's that ended, about a guest of QEMU's: "virsh COMMAND", and with which daemon and result."""
    for daemon, socket in (("libvirtd", "/run/libvirt-sock"), ("roostd", "/run/roost-sock")):
        if uri.startswith("qemu") and socket in uri and words:
            note(f"virsh {words[0]}", f"{daemon} {'ok' if ok else 'refused'}")


def command_of(pid: int) -> str:
    """The command that a virsh was started with; "" for other programs, and for several commands at once."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return ""
    if not words or Path(words[0]).name != "virsh":
        return ""
    rest = iter(words[1:])
    for word in rest:
        if word in ("-c", "-k", "-K", "-d", "-e", "-l"):
            next(rest, None)
        elif not word.startswith("-"):
            return word if word.replace("-", "").isalnum() else ""
    return ""


def main() -> int:
    """Run the daemon, with its tables and its events overheard."""
    # Imported here: tests read notes without them.
    from roost.contract.events import EventSource
    from roost.daemon import main as run
    from roost.protocol import Procedure, Program
    from roost.rpc import handlers, session
    from roost.rpc.routes import Row, Values
    from roost.rpc.subscriptions import Subscriptions

    commands: dict[int, str] = {}
    # Event sources of the QEMU driver, kept so that no other object gets their identity.
    sources: dict[int, EventSource] = {}

    def note_call(client: session.Session, name: str) -> None:
        if client.opened is None or not client.opened.uri.startswith("qemu"):
            return
        if client.id not in commands:
            commands[client.id] = command_of(client.identity.pid)
        events = client.backend.events
        if events is not None:
            sources[id(events)] = events
        note(name, commands[client.id])

    def overheard(program: Program, row: Row) -> Row:
        name = name_in(program.number, row.name)

        def serve(client: session.Session, values: Values) -> object:
            value = row.serve(client, values)
            if inspect.iscoroutine(value):
                return finish(client, value)
            note_call(client, name)
            return value

        async def finish(client: session.Session, waiting: Coroutine[Any, Any, Any]) -> object:
            value = await waiting
            note_call(client, name)
            return value

        return row._replace(serve=serve)

    def in_table(tables: Mapping[Program, Iterable[Row]]) -> Mapping[Program, Iterable[Row]]:
        return {program: tuple(overheard(program, row) for row in rows) for program, rows in tables.items()}

    class Overheard(Subscriptions):
        def __init__(self, source: EventSource, send: Callable[[Procedure, tuple[object, ...]], None]) -> None:
            def noted(procedure: Procedure, values: tuple[object, ...]) -> None:
                if id(source) in sources:
                    note(name_in(procedure.program, procedure.name), "event")
                send(procedure, values)

            super().__init__(source, noted)

    handlers.MAIN = in_table(handlers.MAIN)
    session.Subscriptions = Overheard  # type: ignore[attr-defined]  # no re-export: the module that makes them
    return run()


if __name__ == "__main__":
    del sys.path[0]  # this directory, whose modules are the tests'
    sys.exit(main())
