"""Letting the user edit a text with a program of their choice."""

from __future__ import annotations

import os
import sys
import tempfile

from roost.cli.failure import CommandFailed
from roost.errors import RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from roost.cli.shell import Shell

    class Writer(Protocol):
        """Puts the edited text in place and returns what to tell the user; raises RoostError."""

        def __call__(self, text: str, *, relaxed: bool) -> str: ...


#: With none of these characters the editor's name is a program, else a line for the shell.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/_.:@")


def edit(
    shell: Shell, *, read: Callable[[], str], write: Writer, can_relax: bool, unchanged_too: bool = False
) -> str | None:
    """Read, edit and write until it is accepted or given up; None when nothing was changed.

    can_relax: offer to try again without validation.
    unchanged_too: write also what was not changed.
    """
    original = read()
    with _TemporaryFile(original) as file:
        while True:
            file.run_editor()
            edited = file.text()
            if edited == original and not unchanged_too:
                return None
            relaxed = False
            while True:
                problem: RoostError | None = None
                present = read()
                if present != original:
                    message = "The XML configuration was changed by another user."
                    original = present
                else:
                    try:
                        return write(edited, relaxed=relaxed)
                    except RoostError as error:
                        message, problem = "Failed.", error
                answer = _ask(shell, message, problem, can_relax=can_relax and not relaxed)
                if answer == "y":
                    break
                if answer == "n":
                    raise CommandFailed
                relaxed = relaxed or answer == "i"


def edit_once(text: str) -> str:
    """What the user makes of the text."""
    with _TemporaryFile(text) as file:
        file.run_editor()
        return file.text()


class _TemporaryFile:
    """A file for the editor, gone afterwards."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._path = ""

    def __enter__(self) -> _TemporaryFile:
        folder = os.environ.get("TMPDIR") or "/tmp"
        try:
            descriptor, self._path = tempfile.mkstemp(prefix="roost", suffix=".xml", dir=folder)
            with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write(self._text)
        except OSError as error:
            raise CommandFailed(f"failed to write a temporary file in {folder}: {error.strerror}") from None
        return self

    def __exit__(self, *_: object) -> None:
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            return

    def run_editor(self) -> None:
        """Run $VISUAL, $EDITOR or the system's editor, and wait for it."""
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "sensible-editor"
        words = [editor, self._path] if _PLAIN.issuperset(editor) else ["sh", "-c", f'{editor} "$0"', self._path]
        sys.stdout.flush()
        try:
            code = os.spawnvp(os.P_WAIT, words[0], words)
        except OSError as error:
            raise CommandFailed(f"cannot run the editor '{editor}': {error.strerror}") from None
        if code == 127:
            raise CommandFailed(f"cannot run the editor '{editor}': set VISUAL or EDITOR to one that is installed")
        if code:
            raise CommandFailed(f"the editor '{editor}' ended with code {code}; nothing was changed")

    def text(self) -> str:
        """What is in the file now."""
        try:
            with open(self._path, encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except OSError as error:
            raise CommandFailed(f"{self._path}: failed to read temporary file: {error.strerror}") from None


def _ask(shell: Shell, message: str, problem: RoostError | None, *, can_relax: bool) -> str:
    """What to do after a failure: y(es, edit again), n(o), f(orce, once more), i(gnore validation)."""
    if not sys.stdin.isatty():
        raise CommandFailed(message, cause=problem)
    if problem is not None:
        shell.error(problem.message)
    choices = "y,n,i,f,?" if can_relax else "y,n,f,?"
    while True:
        shell.write(f"{message} Try again? [{choices}]: ")
        sys.stdout.flush()
        line = sys.stdin.readline()
        answer = line[:1].lower()
        if not line:
            return "n"
        if answer != "?" and answer in choices and answer != ",":
            return answer
        shell.write("y - yes, start editor again\nn - no, throw away my changes\n")
        if can_relax:
            shell.write("i - turn off validation and try to redefine again\n")
        shell.write("f - force, try to redefine again\n? - print this help\n")
