"""Commands of the shell itself; most of them need no connection."""

from __future__ import annotations

import os

from roost.cli import help, registry
from roost.cli.failure import CommandFailed
from roost.cli.parser import split_list
from roost.cli.table import ALIAS, REST, TEXT, Command, Option, flag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

_SHELL_SPECIAL = frozenset("\r\t\n !\"#$&'()*;<>?[\\]^`{|}~")


def _cd(shell: Shell, arguments: Arguments) -> None:
    if not shell.interactive:
        raise CommandFailed("cd: command valid only in interactive mode")
    folder = arguments.text("dir") or os.environ.get("HOME") or "/"
    try:
        os.chdir(folder)
    except OSError as error:
        raise CommandFailed(f"cd: {error.strerror}: {folder}") from None


def _pwd(shell: Shell, _arguments: Arguments) -> None:
    shell.write(os.getcwd() + "\n")


def _quit(shell: Shell, _arguments: Arguments) -> None:
    shell.interactive = False


def _connect(shell: Shell, arguments: Arguments) -> None:
    shell.connect(arguments.text("name"), read_only=arguments.has("readonly"), forced=True)


def _help(shell: Shell, arguments: Arguments) -> None:
    name = arguments.text("command")
    if not name:
        shell.write(help.overview())
        return
    command = registry.find(name)
    group = registry.find_group(name)
    if command is not None:
        shell.write(help.page(command))
    elif group is not None:
        shell.write(help.group_page(group))
    else:
        raise CommandFailed(f"command or command group '{name}' doesn't exist")


def _echo(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("shell", "xml"), ("shell", "split"), ("xml", "split"))
    words = arguments.rest()
    if arguments.has("xml"):
        from roost.cli.xmltree import escaped

        words = [escaped(word) for word in words]
    elif arguments.has("shell"):
        words = [_escape_shell(word) for word in words]
    elif arguments.has("split"):
        words = ["".join(f"{part}\n" for part in split_list(word)) for word in words]
    text = " ".join(words)
    if text or words:
        if arguments.has("err"):
            shell.error(text)
        else:
            shell.write(text)


def _escape_shell(text: str) -> str:
    if text and _SHELL_SPECIAL.isdisjoint(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


COMMANDS = (
    Command(
        "cd",
        _cd,
        "go to another directory",
        "Files that later commands name are looked for there. Only in interactive mode.",
        Option("dir", TEXT, "the directory; without it, home", empty_ok=True, completes="directories"),
        connects=False,
    ),
    Command(
        "connect",
        _connect,
        "connect to a daemon, or connect again",
        "Without a name the present URI is opened once more.",
        Option("name", TEXT, "the URI to open", empty_ok=True),
        flag("readonly", "for reading only"),
        connects=False,
    ),
    Command(
        "echo",
        _echo,
        "print the words given",
        "Shows how a command line is split and quoted.",
        flag("shell", "quote each word for a shell"),
        flag("xml", "quote each word for XML"),
        flag("split", "split each word at commas; ',,' is a comma"),
        flag("err", "print as an error"),
        Option("str", ALIAS, target="string"),
        Option("hi", ALIAS, target="string=hello"),
        Option("string", REST, "the words"),
        connects=False,
    ),
    Command("exit", _quit, "leave the interactive mode", "", connects=False),
    Command(
        "help",
        _help,
        "explain the commands",
        "Lists all commands, or those of one group, or explains one command.",
        Option("command", TEXT, "a command, or the keyword of a group", empty_ok=True, completes="commands"),
        connects=False,
    ),
    Command("pwd", _pwd, "print the current directory", "", connects=False),
    Command("quit", _quit, "leave the interactive mode", "", connects=False),
)
