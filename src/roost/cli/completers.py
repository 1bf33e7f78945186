"""What can follow on a command line: commands, options, and values that the daemon knows."""

from __future__ import annotations

import os

from roost.cli import registry
from roost.cli.failure import CommandFailed
from roost.cli.shell import format_uuid
from roost.cli.table import ALIAS, FLAG, REST
from roost.cli.xmltree import parse
from roost.constants import domain as constants
from roost.errors import RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from roost.cli.shell import Shell
    from roost.cli.table import Command, Option

    Completer = Callable[[Shell, Sequence[str]], Iterable[str]]

_GLOBAL_FLAGS = ("-q", "--quiet", "-r", "--readonly", "-t", "--timing")
_GLOBAL_VALUES = ("-c", "--connect", "-d", "--debug", "-e", "--escape", "-k", "-K", "-l", "--log")


def candidates(shell: Shell, words: Sequence[str]) -> list[str]:
    """The words that can stand in place of the last one, sorted. Never raises: what cannot be asked is left out."""
    words = list(words)
    last = words.pop() if words else ""
    words = _without_global_options(shell, words)
    if not words:
        found: Iterable[str] = (name for group in registry.GROUPS for name in _shown(group))
    else:
        command = registry.find(words[0])
        if command is None:
            return []
        found = _of_command(shell, command, words[1:], last)
    return sorted({word for word in found if word.startswith(last)})


def _shown(group: registry.Group) -> list[str]:
    return [command.name for command in registry.commands(group)]


def _without_global_options(shell: Shell, words: list[str]) -> list[str]:
    while words and words[0].startswith("-"):
        option, _, value = words.pop(0).partition("=")
        if option in _GLOBAL_VALUES and not value and words:
            value = words.pop(0)
        if option in ("-c", "--connect"):
            shell.uri = value
    return words


def _of_command(shell: Shell, command: Command, before: list[str], last: str) -> Iterable[str]:
    """Options that were not given yet, or values for the one that comes next."""
    options = {f"--{option.name}": option for option in command.options if option.kind != ALIAS}
    waiting: Option | None = None
    given: set[str] = set()
    positional = [option for option in options.values() if option.kind != FLAG and not option.named_only]
    for word in before:
        if waiting is not None:
            waiting = None
        elif word in options:
            given.add(word)
            if options[word].kind != FLAG:
                waiting = options[word]
                positional = [option for option in positional if option is not waiting]
        elif not word.startswith("--") and positional and positional[0].kind != REST:
            del positional[0]
    if waiting is not None:
        return _values(shell, waiting, before)
    if last.startswith("-"):
        return (name for name in options if name not in given)
    return _values(shell, positional[0], before) if positional else (name for name in options if name not in given)


def _values(shell: Shell, option: Option, before: Sequence[str]) -> Iterable[str]:
    completer = COMPLETERS.get(option.completes)
    if completer is None:
        return ()
    try:
        return list(completer(shell, before))
    except (RoostError, CommandFailed, OSError):
        return ()


def _domains(flags: int, *, uuids: bool = False) -> Completer:
    def complete(shell: Shell, _before: Sequence[str]) -> Iterable[str]:
        found = shell.client.call("CONNECT_LIST_ALL_DOMAINS", 1, flags)[0]
        return (format_uuid(domain.uuid) if uuids else domain.name for domain in found)

    return complete


def _from_document(path: str, child: str, attribute: str) -> Completer:
    def complete(shell: Shell, before: Sequence[str]) -> Iterable[str]:
        document = parse(shell.xml(shell.find_domain(_first_word(before))))
        return (value for device in document.all(path) if (value := device.attribute(child, attribute)))

    return complete


def _moments(kind: str) -> Completer:
    def complete(shell: Shell, before: Sequence[str]) -> Iterable[str]:
        domain = shell.find_domain(_first_word(before))
        return (each.name for each in shell.client.call(f"DOMAIN_LIST_ALL_{kind}", domain, 1, 0)[0])

    return complete


def _first_word(before: Sequence[str]) -> str:
    """The domain, which is what most commands begin with."""
    return next(word for word in before if not word.startswith("--"))


def _words(*words: str) -> Completer:
    return lambda _shell, _before: words


def _commands(_shell: Shell, _before: Sequence[str]) -> Iterable[str]:
    for group in registry.GROUPS:
        yield group.keyword
        yield from _shown(group)


def _event_types(_shell: Shell, _before: Sequence[str]) -> Iterable[str]:
    from roost.cli.events import EVENTS

    return (name for name, _ in EVENTS)


def _directories(_shell: Shell, _before: Sequence[str]) -> Iterable[str]:
    return (entry.name + "/" for entry in os.scandir() if entry.is_dir())


COMPLETERS: dict[str, Completer] = {
    "active_domains": _domains(constants.LIST_DOMAINS_ACTIVE),
    "address_sources": _words("agent", "arp", "lease"),
    "architectures": _words("aarch64", "armv7l", "i686", "ppc64", "riscv64", "s390x", "x86_64"),
    "checkpoints": _moments("CHECKPOINTS"),
    "commands": _commands,
    "directories": _directories,
    "disks": _from_document("devices/disk", "target", "dev"),
    "display_types": _words("dbus", "rdp", "spice", "vnc"),
    "domain_uuids": _domains(0, uuids=True),
    "domains": _domains(0),
    "domains_with_checkpoint": _domains(constants.LIST_DOMAINS_HAS_CHECKPOINT),
    "domains_with_snapshot": _domains(constants.LIST_DOMAINS_HAS_SNAPSHOT),
    "event_types": _event_types,
    "hostname_sources": _words("agent", "lease"),
    "inactive_domains": _domains(constants.LIST_DOMAINS_INACTIVE),
    "interfaces": _from_document("devices/interface", "mac", "address"),
    "paused_domains": _domains(constants.LIST_DOMAINS_PAUSED),
    "power_modes": _words("acpi", "agent", "initctl", "paravirt", "signal"),
    "running_domains": _domains(constants.LIST_DOMAINS_RUNNING),
    "shells": _words("bash", "fish", "zsh"),
    "snapshots": _moments("SNAPSHOTS"),
    "suspend_targets": _words("disk", "hybrid", "mem"),
    "virtualization_types": _words("kvm", "qemu"),
}
