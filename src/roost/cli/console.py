"""A terminal, or a pipe, joined to a domain's console."""

from __future__ import annotations

import os
import select
import sys

from roost.cli.failure import CommandFailed
from roost.constants import domain as constants
from roost.errors import InternalError, RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.shell import Shell
    from roost.client.blocking import Client
    from roost.client.records import Domain
    from roost.client.streams import Stream

_STDIN, _STDOUT = 0, 1
_PIECE = 16384


def attach(shell: Shell, domain: Domain, device: str | None = None, flags: int = 0) -> None:
    """Join stdin and stdout to the console until the escape character, or until either side ends.

    device: alias of the device; None is the first console.
    """
    try:
        state, _ = shell.domain_state(domain)
    except RoostError as error:
        raise CommandFailed("Unable to get domain status", cause=error) from None
    if state == constants.SHUTOFF:
        raise CommandFailed("The domain is not running")
    terminal = os.isatty(_STDIN)
    if terminal:
        shell.extra(f"Connected to domain '{domain.name}'\nEscape character is {shell.escape}")
        shell.extra(f" (Ctrl + {shell.escape[1]})\n" if shell.escape.startswith("^") else "\n")
    sys.stdout.flush()
    with _RawTerminal(terminal):
        stream = shell.client.open_stream("DOMAIN_OPEN_CONSOLE", domain, device, flags)
        _Relay(shell.client, stream, _escape_byte(shell.escape) if terminal else None).run()


def _escape_byte(escape: str) -> int:
    if escape.startswith("^"):
        return ord(escape[1].upper()) ^ 0x40
    return ord(escape)


class _RawTerminal:
    """The terminal passes every key on and shows none by itself, until the end."""

    def __init__(self, is_terminal: bool) -> None:
        self._is_terminal = is_terminal
        self._attributes: list[object] = []

    def __enter__(self) -> None:
        if not self._is_terminal:
            return
        import signal
        import termios

        # An interrupt must not leave the terminal raw; keys do not interrupt a raw one anyway.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, _ended_by_signal)
        self._attributes = termios.tcgetattr(_STDIN)
        raw = termios.tcgetattr(_STDIN)
        raw[0] &= ~(
            termios.IGNBRK
            | termios.BRKINT
            | termios.PARMRK
            | termios.ISTRIP
            | termios.INLCR
            | termios.IGNCR
            | termios.ICRNL
            | termios.IXON
        )
        raw[1] &= ~termios.OPOST
        raw[2] = raw[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        raw[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        raw[6][termios.VMIN] = 1
        raw[6][termios.VTIME] = 0
        termios.tcsetattr(_STDIN, termios.TCSAFLUSH, raw)

    def __exit__(self, *_: object) -> None:
        if self._attributes:
            import termios

            termios.tcsetattr(_STDIN, termios.TCSAFLUSH, self._attributes)  # type: ignore[arg-type]


def _ended_by_signal(number: int, _frame: object) -> None:
    raise CommandFailed(f"console ended by signal {number}")


class _Relay:
    """Bytes both ways. escape: the byte that ends it, None when stdin is no terminal."""

    def __init__(self, client: Client, stream: Stream, escape: int | None) -> None:
        self._client = client
        self._stream = stream
        self._escape = escape
        self._poll = select.poll()

    def run(self) -> None:
        """Relay until the end. Raises RoostError when the daemon ends it with an error."""
        self._poll.register(self._client.fileno(), select.POLLIN)
        self._poll.register(_STDIN, select.POLLIN)
        try:
            while not self._show_received():
                for descriptor, _ in self._poll.poll():
                    if descriptor == _STDIN:
                        if not self._forward_input():
                            return
                    else:
                        self._client.receive()
            self._stream.finish()
        except BaseException:
            self._give_up()
            raise

    def _show_received(self) -> bool:
        """Write what has come; True at the end of the stream."""
        while self._stream.received:
            piece = self._stream.read()
            while piece:
                piece = piece[os.write(_STDOUT, piece) :]
        if self._stream.ended:
            self._stream.check()
        return self._stream.ended

    def _forward_input(self) -> bool:
        """Send what was typed; False when that was the escape character."""
        data = os.read(_STDIN, _PIECE)
        if not data:
            if self._escape is not None:
                raise InternalError("EOF on stdin")
            # Nothing more is typed, but the guest may still have something to say.
            self._poll.unregister(_STDIN)
            return True
        if self._escape is not None and data[0] == self._escape:
            self._stream.finish()
            return False
        self._stream.write(data)
        return True

    def _give_up(self) -> None:
        try:
            self._stream.abort()
        except RoostError:
            # What is raised already is the reason; that the stream cannot be left tidily adds nothing.
            return
