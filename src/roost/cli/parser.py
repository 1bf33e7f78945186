"""From words to checked commands, by virsh's rules.

A command line is a list of words, or one string in which `;` and line ends
separate commands, quotes and backslashes work as in a shell and `#` begins a
comment. Options may stand anywhere; words that are not options fill the
options that take a value, in the order of their declaration.
"""

from __future__ import annotations

from roost.cli.failure import CommandFailed
from roost.cli.table import ALIAS, DATA, FLAG, NUMBER, REST, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

#: Marks the end of one command in a stream of words.
END_OF_COMMAND = None

_HELP = Option("help", FLAG)
_SEPARATORS = " \t"
_INT_MIN, _INT_MAX, _UINT_MAX = -(2**31), 2**31 - 1, 2**32 - 1


class Arguments:
    """The options given to one command, in order."""

    __slots__ = ("command", "given")

    def __init__(self, command: Command, given: Sequence[tuple[Option, str]]) -> None:
        self.command = command
        self.given = given

    def has(self, name: str) -> bool:
        """Whether the option was given, with or without a value."""
        return any(option.name == name for option, _ in self.given)

    def text(self, name: str) -> str | None:
        """The value of the option, None when it was not given. Raises CommandFailed for an empty value."""
        for option, value in self.given:
            if option.name == name:
                if not value and not option.empty_ok:
                    raise CommandFailed(f"Failed to get option '{name}': Option argument is empty")
                return value
        return None

    def required(self, name: str) -> str:
        """The value of an option that the parser has made sure of."""
        value = self.text(name)
        if value is None:
            raise CommandFailed(f"Failed to get option '{name}': Mandatory option not present")
        return value

    def rest(self) -> list[str]:
        """The words of the option that takes all remaining ones."""
        return [value for option, value in self.given if option.kind == REST]

    def number(self, name: str, low: int = _INT_MIN, high: int = _INT_MAX) -> int | None:
        """The value of the option as an integer, None when it was not given."""
        for option, value in self.given:
            if option.name == name:
                parsed = parse_integer(value)
                if parsed is None or not low <= parsed <= high:
                    raise CommandFailed(f"Numeric value '{value}' for <{name}> option is malformed or out of range")
                return parsed
        return None

    def timeout(self) -> int:
        """The seconds of --timeout, 0 when it was not given."""
        seconds = self.number("timeout", 0, _UINT_MAX)
        if seconds is None:
            return 0
        if seconds == 0 or seconds > _INT_MAX // 1000:
            raise CommandFailed(f"Numeric value '{seconds}' for <timeout> option is malformed or out of range")
        return seconds

    def flags(self, table: Iterable[tuple[str, int] | tuple[str, int, str]]) -> int:
        """The values of those options in `table` that were given, added up; a row may have a help text too."""
        return sum(row[1] for row in table if self.has(row[0]))

    def exclude(self, *pairs: tuple[str, str]) -> None:
        """Raise CommandFailed when both options of a pair were given."""
        for first, second in pairs:
            if self.has(first) and self.has(second):
                raise CommandFailed(f"Options --{first} and --{second} are mutually exclusive")


def parse_integer(text: str, base: int = 10) -> int | None:
    """`text` as C's strtol reads it, None when something is left over. base 0 also takes 0x and octal."""
    digits = text.lstrip(" \t\n\v\f\r")
    sign = -1 if digits.startswith("-") else 1
    digits = digits[1:] if digits[:1] in ("-", "+") else digits
    if base == 0:
        prefix = digits[:2].lower()
        base, digits = (16, digits[2:]) if prefix == "0x" else (8, digits) if digits.startswith("0") else (10, digits)
    if not digits.isascii() or not digits.isalnum():
        return None
    try:
        return sign * int(digits, base)
    except ValueError:
        return None


def split(line: str) -> Iterator[str | None]:
    """The words of a command string, with END_OF_COMMAND between commands. Raises CommandFailed for open quotes."""
    at, length = 0, len(line)
    while True:
        while at < length and (line[at] in _SEPARATORS or line.startswith("\\\n", at)):
            at += 2 if line[at] == "\\" else 1
        if at == length:
            return
        if line[at] in ";\n":
            at += 1
            yield END_OF_COMMAND
        elif line[at] == "#":
            end = line.find("\n", at)
            at = length if end < 0 else end + 1
            yield END_OF_COMMAND
        else:
            word, at = _word(line, at)
            yield word


def _word(line: str, at: int) -> tuple[str, int]:
    """The word that begins at `at` and the position behind it."""
    word: list[str] = []
    quote = ""
    while at < len(line):
        character = line[at]
        if not quote and character in " \t;\n":
            break
        if character == "'" and quote != '"':
            quote = "" if quote else "'"
        elif character == '"' and quote != "'":
            quote = "" if quote else '"'
        elif character == "\\" and quote != "'":
            at += 1
            if at == len(line):
                raise CommandFailed("dangling \\")
            if line[at] != "\n":
                word.append(line[at])
        else:
            word.append(character)
        at += 1
    if quote == '"':
        raise CommandFailed('missing "')
    return "".join(word), at


def split_list(text: str) -> list[str]:
    """The parts of a comma-separated list, in which `,,` stands for a comma."""
    return [part.replace("\0", ",") for part in text.replace(",,", "\0").split(",")]


def parse(words: Iterator[str | None], find: Callable[[str], Command | None]) -> list[Arguments]:
    """All commands in `words`. Nothing runs unless everything parses. Raises CommandFailed.

    find: gives the command of a name.
    """
    commands: list[Arguments] = []
    finished = False
    while not finished:
        finished = True
        own: list[str] = []
        for word in words:
            if word is END_OF_COMMAND:
                finished = False
                break
            own.append(word)
        if own and not own[0].startswith("#"):
            commands.append(_parse_command(own, find))
    return commands


def _parse_command(words: list[str], find: Callable[[str], Command | None]) -> Arguments:
    command = find(words[0])
    if command is None:
        raise CommandFailed(f"unknown command: '{words[0]}'")
    state = _Filling(command)
    rest = iter(words[1:])
    only_data = False
    for word in rest:
        if only_data or not word.startswith("--"):
            state.positional(word)
        elif word == "--":
            only_data = True
        elif word[2].isascii() and word[2].isalnum():
            state.named(word[2:], rest)
        else:
            state.positional(word)
    if any(option is _HELP for option, _ in state.given):
        page = find("help")
        assert page is not None
        return Arguments(page, [(page.options[0], command.name)])
    state.check_required()
    return Arguments(command, state.given)


class _Filling:
    """The options of one command being filled."""

    __slots__ = ("command", "given", "open", "seen", "tolerant")

    def __init__(self, command: Command) -> None:
        self.command = command
        self.given: list[tuple[Option, str]] = []
        self.seen: set[str] = set()
        self.open = [option for option in command.options if option.kind not in (FLAG, ALIAS) and not option.named_only]
        #: `help` ignores what it does not know, so that `help list --all` works.
        self.tolerant = command.name == "help"

    def positional(self, word: str) -> None:
        if not self.open:
            if self.tolerant:
                return
            raise CommandFailed(f"unexpected data '{word}'")
        option = self.open[0]
        if option.kind != REST:
            del self.open[0]
        self.seen.add(option.name)
        self.given.append((option, word))

    def named(self, word: str, rest: Iterator[str]) -> None:
        name, equals, value = word.partition("=")
        given = value if equals else None
        if name == "help":
            option: Option | None = _HELP
        else:
            option, given = self._find(name, given)
        if option is None:
            return
        if option.kind == FLAG:
            if given is not None:
                raise CommandFailed(f"invalid '=' after option --{option.name}")
            self.given.append((option, ""))
            return
        if given is None:
            given = next(rest, None)
        if given is None:
            kind = "number" if option.kind == NUMBER else "string"
            raise CommandFailed(f"expected syntax: --{option.name} <{kind}>")
        if option.kind != REST and option in self.open:
            self.open.remove(option)
        self.given.append((option, given))

    def _find(self, name: str, given: str | None) -> tuple[Option | None, str | None]:
        for option in self.command.options:
            if option.name != name:
                continue
            if option.kind == ALIAS:
                name, equals, preset = option.target.partition("=")
                if equals:
                    if given is not None:
                        raise CommandFailed(f"invalid '=' after option --{option.name}")
                    given = preset
                continue
            if name in self.seen and option.kind != REST:
                raise CommandFailed(f"option --{name} already seen")
            self.seen.add(name)
            return option, given
        if self.tolerant:
            return None, None
        raise CommandFailed(f"command '{self.command.name}' doesn't support option --{name}")

    def check_required(self) -> None:
        lines = [
            f"command '{self.command.name}' requires "
            + (f"<{option.name}> option" if option.kind in (DATA, REST) else f"--{option.name} option")
            for option in self.command.options
            if option.required and option.name not in self.seen
        ]
        if lines:
            raise CommandFailed(*lines)
