"""The words of a command line, and the properties inside one word."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from roost.errors import From, InternalError

Props = dict[str, Any]

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
#: Variables that a driver sets for every QEMU.
_OF_EVERY_GUEST = frozenset(
    ("LC_ALL", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
)
#: Words of a shell that may stand before the emulator.
_PREFIXES = frozenset(("exec", "sudo", "env", "nohup"))
_TRUE, _FALSE = frozenset(("on", "yes", "true")), frozenset(("off", "no", "false"))


class CommandLine(NamedTuple):
    """env: what the user set. words: the options and their values."""

    env: dict[str, str]
    emulator: str
    words: list[str]


def split(text: str) -> CommandLine:
    """The parts of a command line as a shell would take it; continued lines are one. Raises InternalError."""
    try:
        words = shlex.split(text, comments=True)
    except ValueError as error:
        raise InternalError(f"cannot parse the command line: {error}", domain=From.QEMU) from None
    env: dict[str, str] = {}
    while words and (words[0] in _PREFIXES or _ASSIGNMENT.match(words[0])):
        name, equals, value = words.pop(0).partition("=")
        if equals and name not in _OF_EVERY_GUEST:
            env[name] = value
    if not words:
        raise InternalError(
            "no emulator path found", domain=From.QEMU, hint="the command line begins with the emulator's path"
        )
    return CommandLine(env, words[0], words[1:])


def properties(text: str, implied: str = "") -> Props:
    """`a=b,c=d` or a JSON object. implied: the property that a first item without `=` is."""
    if text.startswith("{"):
        try:
            return msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise InternalError(f"cannot parse {text}: {error}", domain=From.QEMU) from None
    found: Props = {}
    for number, item in enumerate(_items(text)):
        name, equals, value = item.partition("=")
        if equals:
            found[name] = value
        elif number == 0 and implied:
            found[implied] = item
        elif item:
            found[item.removeprefix("no")] = "off" if item.startswith("no") else "on"
    return found


def _items(text: str) -> Iterator[str]:
    """Split at single commas; two of them stand for one."""
    for item in re.split(r"(?<!,),(?!,)(?=(?:,,)*[^,]|$)", text) if ",," in text else text.split(","):
        yield item.replace(",,", ",")


def is_on(value: object) -> bool | None:
    """Of a switch; None for anything else."""
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    return True if text in _TRUE else False if text in _FALSE else None


def nested(props: Props, name: str) -> Props:
    """The object `name`, written as one or as dotted properties."""
    value = props.get(name)
    if isinstance(value, dict):
        return value
    return {key.removeprefix(f"{name}."): item for key, item in props.items() if key.startswith(f"{name}.")}
