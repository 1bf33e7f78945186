"""The interactive mode: prompt, history, completion."""

from __future__ import annotations

import os
import sys

from roost.cli import registry
from roost.cli.failure import CommandFailed
from roost.cli.parser import parse, parse_integer, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.shell import Shell

_HISTORY_LENGTH = 500


def run(shell: Shell) -> None:
    """Read and run lines until `quit` or the end of the input."""
    shell.extra(
        f"Welcome to {shell.program}, the virtualization interactive terminal.\n\n"
        "Type:  'help' for help with commands\n"
        "       'quit' to quit\n\n"
    )
    if sys.stdin.isatty() and sys.stdout.isatty():
        with _History(shell):
            _loop(shell, _Terminal())
    else:
        _loop(shell, _Pipe())
    shell.write("\n")


def _loop(shell: Shell, source: _Terminal | _Pipe) -> None:
    while shell.interactive:
        line = source.read(f"{shell.program} {'>' if shell.read_only else '#'} ")
        if line is None:
            return
        if not line:
            continue
        try:
            commands = parse(split(line), registry.find)
        except CommandFailed as error:
            shell.report(error)
            continue
        try:
            shell.run(commands)
        except KeyboardInterrupt:
            shell.write("\n")


class _Terminal:
    """Lines typed at a terminal."""

    def read(self, prompt: str) -> str | None:
        """The next line, None at the end; an interrupt drops the line being typed."""
        sys.stdout.flush()
        try:
            return input(prompt)
        except EOFError:
            return None
        except KeyboardInterrupt:
            sys.stdout.write("\n")
            return ""


class _Pipe:
    """Lines from a pipe or a file, shown behind the prompt as if they had been typed."""

    def read(self, prompt: str) -> str | None:
        """The next line, None at the end."""
        sys.stdout.write(prompt)
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            return None
        line = line.removesuffix("\n")
        sys.stdout.write(line + "\n")
        return line


class _History:
    """readline with the history of earlier sessions, and completion from the command table."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.environ.get("HOME") or "/", ".cache")
        self._path = os.path.join(cache, "roost", "history")
        self._matches: list[str] = []

    def __enter__(self) -> None:
        import signal

        # At the prompt an interrupt drops a line, it does not end the program.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            import readline
        except ImportError:
            return
        try:
            readline.read_history_file(self._path)
        except OSError:
            # The first session has none, and one that cannot be read is no reason not to start.
            readline.clear_history()
        length = parse_integer(os.environ.get("ROOST_HISTSIZE", ""))
        readline.set_history_length(_HISTORY_LENGTH if length is None or length < 0 else length)
        readline.set_completer(self._complete)
        readline.set_completer_delims(" \t\n;")
        readline.parse_and_bind("tab: complete")

    def __exit__(self, *_: object) -> None:
        try:
            import readline

            os.makedirs(os.path.dirname(self._path), mode=0o755, exist_ok=True)
            readline.write_history_file(self._path)
        except (ImportError, OSError):
            return

    def _complete(self, _text: str, state: int) -> str | None:
        import readline

        from roost.cli.completers import candidates

        if state == 0:
            line = readline.get_line_buffer()[: readline.get_endidx()]
            words = line.rpartition(";")[2].split(" ")
            self._matches = candidates(self._shell, [word for word in words[:-1] if word] + words[-1:])
            if len(self._matches) == 1 and not self._matches[0].endswith("/"):
                self._matches[0] += " "
        return self._matches[state] if state < len(self._matches) else None
