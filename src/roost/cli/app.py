"""The program: its own options, then one command, several, or a prompt."""

from __future__ import annotations

import gc
import os
import sys

from roost.cli import registry
from roost.cli.failure import CommandFailed
from roost.cli.parser import Arguments, parse, parse_integer, split
from roost.cli.shell import Shell
from roost.cli.table import FLAG

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator, Sequence
else:
    import _signal as signal  # `signal` builds enums, which takes longer than a command does.

#: Long name, letter, whether a value follows ("optional" only after `=`), the value's name and the help line.
_OPTIONS = (
    ("connect", "c", "yes", "=URI", "the driver and daemon to use, such as qemu:///system"),
    ("debug", "d", "yes", "=NUM", "tell more, from 0 (everything) to 4 (errors)"),
    ("escape", "e", "yes", " <char>", "what leaves a console, ^] by default"),
    ("help", "h", "no", "", "show this text"),
    ("keepalive-interval", "k", "yes", "=NUM", "seconds of silence before the daemon is asked, 0 for never"),
    ("keepalive-count", "K", "yes", "=NUM", "unanswered questions before the daemon counts as gone"),
    ("log", "l", "yes", "=FILE", "append errors to a file"),
    ("no-pkttyagent", "", "no", "", "accepted for virsh's sake; roost starts no polkit agent"),
    ("quiet", "q", "no", "", "print results only"),
    ("readonly", "r", "no", "", "connect for reading only"),
    ("timing", "t", "no", "", "print how long each command took"),
    ("version", "v", "optional", "[=TYPE]", "print the version, TYPE is short or long"),
    ("", "V", "no", "", "print version and surroundings"),
)
_DEBUG, _INFO, _ERROR = 0, 1, 4


class _Finished(Exception):
    """The program's options said all there is to do."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code.

    words: the arguments without the program's name. None, as the installed
        script calls it, takes the process's own and ends the process: what the
        interpreter tidies up at its end costs as much as a small command.
    """
    if words is not None:
        return _main(words)
    # A command that is over in milliseconds should not spend one on looking for garbage.
    gc.set_threshold(50_000)
    # As for any filter: an interrupt ends it at once, and so does a reader that goes away.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    _prepare_output()
    try:
        code = _main(sys.argv[1:])
        sys.stdout.flush()
    except OSError as error:
        sys.stderr.write(f"error: cannot write to the standard output: {error.strerror}\n")
        code = 1
    sys.stderr.flush()
    os._exit(code)


def _prepare_output() -> None:
    """Names that are not in the terminal's encoding go out as they came in; closed streams swallow what is written."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            stream = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
            setattr(sys, name, stream)
        stream.reconfigure(errors="surrogateescape")


def _main(words: Sequence[str]) -> int:
    shell = Shell()
    try:
        return 0 if _run(shell, words) else 1
    except CommandFailed as error:
        shell.report(error)
        return 1
    finally:
        shell.close()


def _run(shell: Shell, words: Sequence[str]) -> bool:
    try:
        rest = _Settings(shell).take(words)
    except _Finished:
        return True
    commands = _parse_commands(shell, rest)
    if shell.uri is not None:
        # A URI that was asked for must work, whatever the command is.
        shell.connect(None, read_only=False)
    else:
        shell.uri = os.environ.get("ROOST_DEFAULT_URI") or os.environ.get("VIRSH_DEFAULT_CONNECT_URI")
    if shell.interactive:
        from roost.cli.prompt import run

        run(shell)
        return True
    return shell.run(commands)


def _parse_commands(shell: Shell, words: Sequence[str]) -> list[Arguments]:
    if not words:
        shell.interactive = True
        return []
    if len(words) == 1 and not words[0]:
        raise CommandFailed
    source: Iterator[str | None] = split(words[0]) if len(words) == 1 else iter(words)
    commands = parse(source, registry.find)
    if shell.debug <= _INFO:
        show_parsed(shell, commands)
    return commands


def show_parsed(shell: Shell, commands: Sequence[Arguments]) -> None:
    """The debug lines that tell how a command was understood."""
    for arguments in commands:
        for option, value in arguments.given:
            kind, shown = ("bool", "(none)") if option.kind == FLAG else ("optdata", value)
            shell.write(f"{arguments.command.name}: {option.name}({kind}): {shown}\n")


class _Settings:
    """The program's own options, read by getopt's rules up to the first word that is no option."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._actions: dict[str, Callable[[str, str], None]] = {
            "c": self._connect,
            "d": self._debug,
            "e": self._escape,
            "h": self._help,
            "k": self._keepalive_interval,
            "K": self._keepalive_count,
            "l": self._log,
            "q": self._quiet,
            "r": self._read_only,
            "t": self._timing,
            "v": self._version,
            "V": self._long_version,
        }

    def take(self, words: Sequence[str]) -> Sequence[str]:
        """Apply the options and return the words behind them."""
        at = 0
        while at < len(words):
            word = words[at]
            at += 1
            if word == "--":
                break
            if word.startswith("--"):
                at = self._long(word, words, at)
            elif word.startswith("-") and word != "-":
                at = self._short(word, words, at)
            else:
                return words[at - 1 :]
        return words[at:]

    def _long(self, word: str, words: Sequence[str], at: int) -> int:
        name, equals, value = word[2:].partition("=")
        matching = [option for option in _OPTIONS if option[0] and option[0].startswith(name)]
        exact = [option for option in matching if option[0] == name]
        if len(exact or matching) != 1:
            raise CommandFailed(f"unsupported option '{word}'. See --help.")
        long, letter, takes, _, _ = (exact or matching)[0]
        if takes == "no" and equals:
            raise CommandFailed(f"unsupported option '-{letter}'. See --help.")
        if takes == "yes" and not equals:
            if at == len(words):
                raise CommandFailed(f"option '-{letter}'/'--{long}' requires an argument")
            value = words[at]
            at += 1
        if letter:
            self._actions[letter](f"--{long}", value)
        return at

    def _short(self, word: str, words: Sequence[str], at: int) -> int:
        for index, letter in enumerate(word[1:], 2):
            known = next((option for option in _OPTIONS if option[1] == letter), None)
            if known is None:
                raise CommandFailed(f"unsupported option '-{letter}'. See --help.")
            long, _, takes, _, _ = known
            if takes == "yes":
                value = word[index:]
                if not value:
                    if at == len(words):
                        raise CommandFailed(f"option '-{letter}'/'--{long}' requires an argument")
                    value = words[at]
                    at += 1
                self._actions[letter](f"-{letter}", value)
                break
            self._actions[letter](f"-{letter}", "")
        return at

    def _connect(self, _option: str, value: str) -> None:
        self._shell.uri = value

    def _debug(self, option: str, value: str) -> None:
        level = parse_integer(value)
        if level is None:
            raise CommandFailed(f"option {option} takes a numeric argument")
        if not _DEBUG <= level <= _ERROR:
            self._shell.error(f"ignoring debug level {level} out of range [{_DEBUG}-{_ERROR}]")
        else:
            self._shell.debug = level

    def _escape(self, _option: str, value: str) -> None:
        control = len(value) == 2 and value[0] == "^" and ("a" <= value[1] <= "z" or "@" <= value[1] <= "_")
        if not control and (len(value.encode()) != 1 or value == "^"):
            raise CommandFailed(f"Invalid string '{value}' for escape sequence")
        self._shell.escape = value

    def _help(self, _option: str, _value: str) -> None:
        from roost.cli.help import usage

        self._shell.write(usage(self._shell.program, _OPTIONS))
        raise _Finished

    def _keepalive_interval(self, option: str, value: str) -> None:
        self._shell.keepalive_interval = _keepalive(option, value)

    def _keepalive_count(self, option: str, value: str) -> None:
        self._shell.keepalive_count = _keepalive(option, value)

    def _log(self, _option: str, value: str) -> None:
        from roost.cli.log import LogFile

        try:
            self._shell.log = LogFile(value, self._shell.program)
        except OSError:
            raise CommandFailed("failed to open the log file. check the log file path") from None

    def _quiet(self, _option: str, _value: str) -> None:
        self._shell.quiet = True

    def _read_only(self, _option: str, _value: str) -> None:
        self._shell.read_only = True

    def _timing(self, _option: str, _value: str) -> None:
        self._shell.timing = True

    def _version(self, option: str, value: str) -> None:
        if value == "long":
            self._long_version(option, value)
        from roost import __version__

        self._shell.write(f"{__version__}\n")
        raise _Finished

    def _long_version(self, _option: str, _value: str) -> None:
        from roost.cli.help import long_version

        self._shell.write(long_version())
        raise _Finished


def _keepalive(option: str, value: str) -> int:
    number = parse_integer(value, base=0)
    if number is None:
        raise CommandFailed(f"Invalid value for option {option}")
    if number < 0:
        raise CommandFailed(f"option {option} requires a positive integer argument")
    return number
