"""`guests-stop`: what a host does with its guests before it goes down."""

from __future__ import annotations

from roost.cli.failure import CommandFailed
from roost.cli.table import NUMBER, Command, Option, flag
from roost.constants import domain as constants
from roost.constants import domain_events as events
from roost.errors import RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.blocking import Client
    from roost.client.records import Domain

#: Seconds that guests have, unless --timeout says otherwise.
_PATIENCE = 300


def _guests_stop(shell: Shell, arguments: Arguments) -> None:
    seconds = arguments.timeout() or _PATIENCE
    at_once = arguments.number("parallel", 0) or 0
    client = shell.client
    running = client.call("CONNECT_LIST_ALL_DOMAINS", 1, constants.LIST_DOMAINS_ACTIVE)[0]
    # Those that were started last may need the others: they go first.
    waiting = sorted(running, key=lambda domain: -domain.id)
    if arguments.has("again"):
        _start_again(shell, waiting)
    failed = _stop_all(shell, waiting, seconds, at_once or len(waiting), save=arguments.has("save"))
    if failed:
        raise CommandFailed(*(f"Domain '{name}' still runs: {reason}" for name, reason in failed))


def _start_again(shell: Shell, domains: Iterable[Domain]) -> None:
    """Let the host's next boot start them. A transient domain cannot be started by its name."""
    for domain in domains:
        if shell.client.call("DOMAIN_IS_PERSISTENT", domain)[0]:
            shell.client.call("DOMAIN_SET_AUTOSTART_ONCE", domain, 1)


def _stop_all(shell: Shell, waiting: list[Domain], seconds: int, at_once: int, *, save: bool) -> list[tuple[str, str]]:
    """Stop them, `at_once` at a time; (name, reason) of those that have not stopped in time."""
    import select
    import time

    client, deadline = shell.client, time.monotonic() + seconds
    callback = client.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", events.ID_LIFECYCLE, None)[0]
    stopping: dict[bytes, Domain] = {}
    failed: list[tuple[str, str]] = []
    poll = select.poll()
    poll.register(client.fileno(), select.POLLIN)
    while waiting or stopping:
        while waiting and len(stopping) < at_once:
            domain = waiting.pop(0)
            try:
                _stop(client, domain, save=save)
            except RoostError as error:
                failed.append((domain.name, str(error)))
            else:
                stopping[domain.uuid] = domain
        for uuid in _stopped(client, callback):
            if uuid in stopping:
                shell.write(f"Domain '{stopping.pop(uuid).name}' is stopped\n")
        left = deadline - time.monotonic()
        if left <= 0:
            break
        if stopping and poll.poll(left * 1000):
            client.receive()
    client.call("CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY", callback)
    late = [*stopping.values(), *waiting]
    return failed + [(domain.name, f"not stopped within {seconds} s") for domain in late]


def _stop(client: Client, domain: Domain, *, save: bool) -> None:
    if save and client.call("DOMAIN_IS_PERSISTENT", domain)[0]:
        client.call("DOMAIN_MANAGED_SAVE", domain, 0)
    else:
        client.call("DOMAIN_SHUTDOWN_FLAGS", domain, 0)


def _stopped(client: Client, callback: int) -> list[bytes]:
    """The domains of which an event has said so."""
    found = []
    while client.notifications:
        fields = client.notifications.pop(0).fields
        if fields[0] == callback and fields[2] == events.STOPPED:
            found.append(fields[1].uuid)
    return found


COMMANDS = (
    Command(
        "guests-stop",
        _guests_stop,
        "stop all guests before the host goes down",
        "Asks each to shut down, the last started first, and waits for them. For the unit that a service\n"
        "manager stops before the daemon; the exit code says whether all have stopped.",
        flag("save", "save their memory instead, so that their next start goes on from it"),
        flag("again", "let the host's next boot start them"),
        Option("timeout", NUMBER, f"seconds that they have, {_PATIENCE} unless given"),
        Option("parallel", NUMBER, "how many are stopped at a time, all unless given"),
    ),
)
