"""The help texts, all derived from the command table."""

from __future__ import annotations

from roost.cli import registry
from roost.cli.table import ALIAS, DATA, FLAG, NUMBER, REST, TEXT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from roost.cli.table import Command, Option


def page(command: Command) -> str:
    """The manual page of one command."""
    lines = ["  NAME", f"    {command.name} - {command.help}", "", "  SYNOPSIS"]
    lines.append("    " + " ".join([command.name, *_synopsis(command)]))
    if command.description:
        lines += ["", "  DESCRIPTION"]
        lines += [f"    {line}" for line in command.description.splitlines()]
    shown = [option for option in command.options if option.kind != ALIAS]
    if shown:
        lines += ["", "  OPTIONS"]
        lines += [f"    {_option(command, option):<15}  {option.help}" for option in shown]
    return "\n".join(lines) + "\n\n"


def overview() -> str:
    """All commands with their help lines, by group."""
    return "Grouped commands:\n\n" + "".join(group_page(group) + "\n" for group in registry.GROUPS)


def group_page(group: registry.Group) -> str:
    """The commands of one group."""
    lines = [f" {group.title} (help keyword '{group.keyword}'):\n"]
    lines += [f"    {command.name:<30} {command.help}\n" for command in registry.commands(group)]
    return "".join(lines)


def usage(program: str, options: Sequence[tuple[str, str, str, str, str]]) -> str:
    """What `--help` prints. options: long name, letter, takes, value, help."""
    lines = [
        "",
        f"{program} [options]... [<command_string>]",
        f"{program} [options]... <command> [args...]",
        "",
        "  options:",
    ]
    for long, letter, _takes, value, text in options:
        if letter and long and letter != "v":
            spelling = f"-{letter} | --{long}{value}"
        elif long:
            spelling = f"     --{long}{value}"
        else:
            spelling = f"-{letter}"
        if letter == "v":
            lines.append(f"    {'-v':<23} print the version")
        if len(spelling) > 23:
            lines += [f"    {spelling}", f"    {'':<23} {text}"]
        else:
            lines.append(f"    {spelling:<23} {text}")
    lines += ["  commands (non interactive mode):", "", ""]
    text = "\n".join(lines)
    for group in registry.GROUPS:
        text += group_page(group).replace("):\n", ")\n", 1) + "\n"
    text += "\n  `help GROUP` lists the commands of a group, `help COMMAND` explains one.\n\n"
    return text


def long_version() -> str:
    """What `-V` prints."""
    import sys

    from roost import __version__

    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"Roost command line tool {__version__}\n"
        "\n"
        f" Runs on: Python {python}\n"
        " Speaks: the libvirt remote protocol, over unix sockets\n"
    )


def _takes_words_by_position(command: Command) -> bool:
    return any(option.kind in (TEXT, NUMBER, DATA) and not option.named_only for option in command.options)


def _synopsis(command: Command) -> list[str]:
    words: list[str] = []
    positional = _takes_words_by_position(command)
    for option in command.options:
        name = option.name
        if option.kind == FLAG:
            words.append(f"[--{name}]")
        elif option.kind == NUMBER:
            words.append(f"<{name}>" if option.required else f"[--{name} <number>]")
        elif option.kind == TEXT:
            words.append(f"[--{name} <string>]")
        elif option.kind == DATA:
            words.append(f"<{name}>")
        elif option.kind == REST and positional:
            words.append(f"{{[--{name}] <string>}}..." if option.required else f"[[--{name}] <string>]...")
        elif option.kind == REST:
            words.append(f"<{name}>..." if option.required else f"[<{name}>]...")
    return words


def _option(command: Command, option: Option) -> str:
    if option.kind == FLAG:
        return f"--{option.name}"
    if option.kind == NUMBER:
        return f"[--{option.name}] <number>" if option.required else f"--{option.name} <number>"
    if option.kind == TEXT:
        return f"--{option.name} <string>"
    if option.kind == REST and not _takes_words_by_position(command):
        return f"<{option.name}>"
    return f"[--{option.name}] <string>"
