"""Defining, starting, stopping and removing domains."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.parser import parse_integer
from roost.cli.shell import BY_NAME, BY_UUID, read_document
from roost.cli.table import ALIAS, DATA, TEXT, Command, Option, config_live_current, domain_argument, flag
from roost.constants import domain as constants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

_START_FLAGS = (
    ("paused", constants.START_PAUSED),
    ("autodestroy", constants.START_AUTODESTROY),
    ("bypass-cache", constants.START_BYPASS_CACHE),
    ("force-boot", constants.START_FORCE_BOOT),
    ("validate", constants.START_VALIDATE),
    ("reset-nvram", constants.START_RESET_NVRAM),
)
_MODES = {"acpi": 1, "agent": 2, "initctl": 4, "signal": 8, "paravirt": 16}


def _autostart(shell: Shell, arguments: Arguments) -> None:
    name = arguments.required("domain")
    domain = shell.domain(arguments)
    mark = "unmark" if arguments.has("disable") else "mark"
    procedure = "DOMAIN_SET_AUTOSTART_ONCE" if arguments.has("once") else "DOMAIN_SET_AUTOSTART"
    with failing(f"Failed to {mark} domain '{name}' as autostarted"):
        shell.client.call(procedure, domain, 0 if arguments.has("disable") else 1)
    shell.extra(f"Domain '{name}' {mark}ed as autostarted{' once' * arguments.has('once')}\n")


def _define(shell: Shell, arguments: Arguments) -> None:
    path = arguments.required("file")
    document = read_document(path)
    with failing(f"Failed to define domain from {path}"):
        if document.lstrip().startswith("{"):
            from roost.model.documents import document_type, xml_of

            document = xml_of(document, document_type("domain"))
        if arguments.has("validate"):
            domain = shell.client.call("DOMAIN_DEFINE_XML_FLAGS", document, constants.DEFINE_VALIDATE)[0]
        else:
            domain = shell.client.call("DOMAIN_DEFINE_XML", document)[0]
    shell.extra(f"Domain '{domain.name}' defined from {path}\n")


def _create(shell: Shell, arguments: Arguments) -> None:
    path = arguments.required("file")
    document = read_document(path)
    fds = _passed_fds(arguments)
    flags = arguments.flags(_START_FLAGS)
    with failing(f"Failed to create domain from {path}"):
        if fds:
            domain = shell.client.call_with_fds("DOMAIN_CREATE_XML_WITH_FILES", fds, document, flags)[0]
        else:
            domain = shell.client.call("DOMAIN_CREATE_XML", document, flags)[0]
    shell.extra(f"Domain '{domain.name}' created from {path}\n")
    if arguments.has("console"):
        from roost.cli.console import attach

        attach(shell, domain)


def _start(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments, BY_NAME | BY_UUID)
    if domain.id != -1:
        raise CommandFailed("Domain is already active")
    fds = _passed_fds(arguments)
    flags = arguments.flags(_START_FLAGS)
    client = shell.client
    with failing(f"Failed to start domain '{domain.name}'"):
        if fds:
            client.call_with_fds("DOMAIN_CREATE_WITH_FILES", fds, domain, flags)
        elif flags:
            client.call("DOMAIN_CREATE_WITH_FLAGS", domain, flags)
        else:
            client.call("DOMAIN_CREATE", domain)
    shell.extra(f"Domain '{domain.name}' started\n")
    if arguments.has("console"):
        from roost.cli.console import attach

        attach(shell, domain)


def _passed_fds(arguments: Arguments) -> list[int]:
    given = arguments.text("pass-fds")
    fds: list[int] = []
    for word in given.split(",") if given else ():
        number = parse_integer(word)
        if number is None:
            raise CommandFailed(f"Unable to parse FD number '{word}'")
        fds.append(number)
    return fds


def _power(shell: Shell, arguments: Arguments, command: str) -> tuple[str, Any, int]:
    """The domain's name as given, the domain, and the flags for --mode."""
    flags = 0
    mode = arguments.text("mode")
    for word in mode.split(",") if mode is not None else ():
        if word not in _MODES:
            comma = "," if command == "shutdown" else ""
            raise CommandFailed(
                f"Unknown mode {word} value, expecting 'acpi', 'agent', 'initctl', 'signal'{comma} or 'paravirt'"
            )
        flags |= _MODES[word]
    return arguments.required("domain"), shell.domain(arguments), flags


def _shutdown(shell: Shell, arguments: Arguments) -> None:
    name, domain, flags = _power(shell, arguments, "shutdown")
    with failing(f"Failed to shutdown domain '{name}'"):
        if flags:
            shell.client.call("DOMAIN_SHUTDOWN_FLAGS", domain, flags)
        else:
            shell.client.call("DOMAIN_SHUTDOWN", domain)
    shell.extra(f"Domain '{name}' is being shutdown\n")


def _reboot(shell: Shell, arguments: Arguments) -> None:
    name, domain, flags = _power(shell, arguments, "reboot")
    with failing(f"Failed to reboot domain '{name}'"):
        shell.client.call("DOMAIN_REBOOT", domain, flags)
    shell.extra(f"Domain '{name}' is being rebooted\n")


def _reset(shell: Shell, arguments: Arguments) -> None:
    name = arguments.required("domain")
    domain = shell.domain(arguments)
    with failing(f"Failed to reset domain '{name}'"):
        shell.client.call("DOMAIN_RESET", domain, 0)
    shell.extra(f"Domain '{name}' was reset\n")


def _suspend(shell: Shell, arguments: Arguments) -> None:
    name = arguments.required("domain")
    domain = shell.domain(arguments)
    with failing(f"Failed to suspend domain '{name}'"):
        shell.client.call("DOMAIN_SUSPEND", domain)
    shell.extra(f"Domain '{name}' suspended\n")


def _resume(shell: Shell, arguments: Arguments) -> None:
    name = arguments.required("domain")
    domain = shell.domain(arguments)
    with failing(f"Failed to resume domain '{name}'"):
        shell.client.call("DOMAIN_RESUME", domain)
    shell.extra(f"Domain '{name}' resumed\n")


def _destroy(shell: Shell, arguments: Arguments) -> None:
    name = arguments.required("domain")
    domain = shell.domain(arguments)
    flags = constants.DESTROY_GRACEFUL * arguments.has("graceful")
    flags |= constants.DESTROY_REMOVE_LOGS * arguments.has("remove-logs")
    with failing(f"Failed to destroy domain '{name}'"):
        if flags:
            shell.client.call("DOMAIN_DESTROY_FLAGS", domain, flags)
        else:
            shell.client.call("DOMAIN_DESTROY", domain)
    shell.extra(f"Domain '{name}' destroyed\n")


def _undefine(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.undefine import undefine

    undefine(shell, arguments)


_CONSOLE = flag("console", "attach to its console once it runs")
_PAUSED = flag("paused", "leave it paused")
_AUTODESTROY = flag("autodestroy", "destroy it when this connection ends")
_PASS_FDS = Option("pass-fds", TEXT, "file descriptors N,N,... to pass to it")
_RESET_NVRAM = flag("reset-nvram", "begin with fresh firmware settings")
_MODE = Option("mode", TEXT, "how to ask the guest: acpi, agent, initctl, signal, paravirt", completes="power_modes")

#: Kinds of end and what may follow, by their public numbers.
_ENDS = ("poweroff", "reboot", "crash")
_ACTIONS = ("destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart")


def _set_lifecycle_action(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("current", "live"), ("current", "config"))
    flags = constants.AFFECT_CONFIG * arguments.has("config") | constants.AFFECT_LIVE * arguments.has("live")
    end, action = arguments.required("type"), arguments.required("action")
    if end not in _ENDS:
        raise CommandFailed(f"Invalid lifecycle type '{end}'.")
    if action not in _ACTIONS:
        raise CommandFailed(f"Invalid lifecycle action '{action}'.")
    domain = shell.domain(arguments)
    with failing("Unable to change lifecycle action."):
        shell.client.call("DOMAIN_SET_LIFECYCLE_ACTION", domain, _ENDS.index(end), _ACTIONS.index(action), flags)


COMMANDS = (
    Command(
        "autostart",
        _autostart,
        "start a domain with the host",
        "",
        domain_argument(),
        flag("disable", "do not any more"),
        flag("once", "the next time alone"),
    ),
    Command(
        "create",
        _create,
        "start a domain from an XML file",
        "The domain is transient: nothing is left of it when it stops, unless it is defined too.",
        Option("file", DATA, "the file with the domain's XML", required=True, completes="files"),
        _CONSOLE,
        _PAUSED,
        _AUTODESTROY,
        _PASS_FDS,
        flag("validate", "refuse what the schema does not know"),
        _RESET_NVRAM,
    ),
    Command(
        "define",
        _define,
        "keep a domain's configuration from an XML file",
        "A new domain is added, one of the same name and UUID is changed. Nothing is started.",
        Option("file", DATA, "the file with the domain's XML, or its JSON", required=True, completes="files"),
        flag("validate", "refuse what the schema does not know"),
    ),
    Command(
        "destroy",
        _destroy,
        "stop a domain at once",
        "As if its power were cut. The configuration stays.",
        domain_argument("active_domains"),
        flag("graceful", "only if the hypervisor process ends when it is told to"),
        flag("remove-logs", "delete its log files"),
    ),
    Command(
        "reboot",
        _reboot,
        "ask the guest to restart",
        "",
        domain_argument("active_domains"),
        _MODE,
    ),
    Command(
        "reset",
        _reset,
        "restart a domain at once",
        "As if its reset button were pressed.",
        domain_argument("active_domains"),
    ),
    Command("resume", _resume, "let a suspended domain go on", "", domain_argument("paused_domains")),
    Command(
        "set-lifecycle-action",
        _set_lifecycle_action,
        "choose what follows a guest's end",
        f"Ends: {', '.join(_ENDS)}. Actions: {', '.join(_ACTIONS)}.",
        domain_argument(),
        Option("type", DATA, "the end", required=True),
        Option("action", DATA, "what follows", required=True),
        *config_live_current(),
    ),
    Command(
        "shutdown",
        _shutdown,
        "ask the guest to shut down",
        "The guest decides when, and whether.",
        domain_argument("active_domains"),
        _MODE,
    ),
    Command(
        "start",
        _start,
        "start a defined domain",
        "From its managed save image, if there is one.",
        Option("domain", DATA, "name or UUID of the domain", required=True, completes="inactive_domains"),
        _CONSOLE,
        _PAUSED,
        _AUTODESTROY,
        flag("bypass-cache", "keep the saved image out of the host's cache while loading it"),
        flag("force-boot", "drop a managed save image and boot"),
        _PASS_FDS,
        _RESET_NVRAM,
    ),
    Command("suspend", _suspend, "halt a domain where it is", "", domain_argument("running_domains")),
    Command(
        "undefine",
        _undefine,
        "remove a domain's configuration",
        "A running domain goes on as a transient one.",
        domain_argument(),
        flag("managed-save", "remove its managed save image too"),
        Option(
            "storage", TEXT, "remove these volumes too, by target or source path, comma-separated", completes="disks"
        ),
        flag("remove-all-storage", "remove all its volumes too (with care!)"),
        Option("delete-snapshots", ALIAS, target="delete-storage-volume-snapshots"),
        flag("delete-storage-volume-snapshots", "remove the snapshots in those volumes too"),
        flag("wipe-storage", "overwrite the volumes before they are removed"),
        flag("snapshots-metadata", "forget its snapshots, if it does not run"),
        flag("checkpoints-metadata", "forget its checkpoints, if it does not run"),
        flag("nvram", "remove its firmware settings"),
        flag("keep-nvram", "keep its firmware settings"),
        flag("tpm", "remove the state of its TPM"),
        flag("keep-tpm", "keep the state of its TPM"),
    ),
)
