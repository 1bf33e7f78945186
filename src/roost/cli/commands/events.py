"""`event`: what happens to domains, as it happens."""

from __future__ import annotations

from roost.cli.events import EVENTS
from roost.cli.failure import CommandFailed
from roost.cli.table import NUMBER, TEXT, Command, Option, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell


def _event(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.waiting import DomainEvents, wait_for_events

    arguments.exclude(("all", "event"), ("list", "all"), ("list", "event"))
    if arguments.has("list"):
        shell.write("".join(f"{name}\n" for name, _ in EVENTS))
        return
    wanted = arguments.text("event")
    if wanted is None and not arguments.has("all"):
        raise CommandFailed("one of --list, --all, or --event <type> is required")
    ids = [number for number, (name, _) in enumerate(EVENTS) if wanted is None or wanted == name]
    if not ids:
        raise CommandFailed(f"unknown event type {wanted}")
    seconds = arguments.timeout()
    domain = shell.domain(arguments) if arguments.has("domain") else None
    interest = DomainEvents(ids, domain, timestamps=arguments.has("timestamp"))
    received = wait_for_events(shell, interest, seconds=seconds, loop=arguments.has("loop"))
    if not received:
        raise CommandFailed


COMMANDS = (
    Command(
        "event",
        _event,
        "wait for events of domains",
        "Prints the first one that comes, or with --loop all of them. The exit code says whether\nthere was any.",
        Option("domain", TEXT, "only those of this domain", completes="domains"),
        Option("event", TEXT, "only those of this type", completes="event_types"),
        flag("all", "those of every type"),
        flag("loop", "go on after the first one, until the timeout or an interrupt"),
        Option("timeout", NUMBER, "seconds to wait at most"),
        flag("list", "print the types there are"),
        flag("timestamp", "print the time before each event"),
    ),
)
