"""QEMU's own monitor."""

from __future__ import annotations

from roost.cli.failure import CommandFailed
from roost.cli.parser import parse_integer
from roost.cli.table import NUMBER, REST, TEXT, Command, Option, domain_argument, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

_HMP = 1
_REGEX, _NOCASE = 1, 2


def _qemu_monitor_command(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("hmp", "pretty"), ("hmp", "return-value"))
    domain = shell.domain(arguments)
    words = arguments.rest()
    human = arguments.has("hmp")
    command = " ".join(words) if human else wrap(words)
    flags = _HMP if human else 0
    fds = [parse_integer(word) for word in (arguments.text("pass-fds") or "").split(",") if word]
    passed = [fd for fd in fds if fd is not None]
    if len(passed) != len(fds):
        raise CommandFailed(f"Unable to parse FD number in '{arguments.text('pass-fds')}'")
    procedure = "DOMAIN_MONITOR_COMMAND_WITH_FILES" if passed else "DOMAIN_MONITOR_COMMAND"
    result = shell.client.call_qemu(procedure, domain, command, flags, fds=passed)[0]
    if arguments.has("return-value") or arguments.has("pretty"):
        shell.write(_reshape(result, only_return=arguments.has("return-value"), pretty=arguments.has("pretty")))
    else:
        shell.write(result + "\n")


def _qemu_monitor_event(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.waiting import MonitorEvents, wait_for_events

    flags = _REGEX * arguments.has("regex") | _NOCASE * arguments.has("no-case")
    seconds = arguments.timeout()
    event = arguments.text("event")
    domain = shell.domain(arguments) if arguments.has("domain") else None
    interest = MonitorEvents(
        event, flags, domain, pretty=arguments.has("pretty"), timestamps=arguments.has("timestamp")
    )
    if not wait_for_events(shell, interest, seconds=seconds, loop=arguments.has("loop")):
        raise CommandFailed


def wrap(words: list[str]) -> str:
    """The words as one QMP command: an object as it is, else a command's name and its arguments."""
    import json

    command = " ".join(words)
    if _is_object(command):
        return command
    name, given = words[0], words[1:]
    message: dict[str, object] = {"execute": name}
    if given:
        text = " ".join(given)
        if not _is_object(text):
            text = "{" + ",".join(given).rstrip(",") + "}"
        try:
            message["arguments"] = json.loads(text)
        except ValueError as error:
            raise CommandFailed(
                f"failed to wrap arguments '{' '.join(given)}' into a QMP command wrapper",
                f"internal error: cannot parse json {text}: {error}",
            ) from None
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def _is_object(text: str) -> bool:
    import json

    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _reshape(result: str, *, only_return: bool, pretty: bool) -> str:
    import json

    try:
        value = json.loads(result)
    except ValueError:
        if only_return:
            raise CommandFailed("failed to parse JSON returned by qemu") from None
        return result + "\n"
    if only_return:
        if not isinstance(value, dict) or "return" not in value:
            raise CommandFailed("'return' member missing")
        value = value["return"]
    if pretty:
        return json.dumps(value, indent=2, ensure_ascii=False)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


COMMANDS = (
    Command(
        "qemu-monitor-command",
        _qemu_monitor_command,
        "send a command to QEMU's monitor",
        "In JSON, or as a command's name and its arguments (KEY:VALUE, in JSON). What is\n"
        "changed this way is unknown to the daemon, which marks the domain as tainted.",
        domain_argument("active_domains"),
        flag("hmp", "in the language of the human monitor"),
        flag("pretty", "print the answer over several lines"),
        flag("return-value", "print only the answer's return value"),
        Option("pass-fds", TEXT, "file descriptors N,N,... to pass along", named_only=True),
        Option("cmd", REST, "the command", required=True),
    ),
    Command(
        "qemu-monitor-event",
        _qemu_monitor_event,
        "wait for events of QEMU's monitor",
        "As QEMU sends them. Prints the first one that comes, or with --loop all of them.",
        Option("domain", TEXT, "only those of this domain", completes="domains"),
        Option("event", TEXT, "only those of this name"),
        flag("pretty", "print their details over several lines"),
        flag("loop", "go on after the first one, until the timeout or an interrupt"),
        Option("timeout", NUMBER, "seconds to wait at most"),
        flag("regex", "take the name as a regular expression"),
        flag("no-case", "do not care for upper and lower case in the name"),
        flag("timestamp", "print the time before each event"),
    ),
)
