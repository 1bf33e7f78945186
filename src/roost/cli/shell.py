"""The state commands run in, and how they run: connection, output, errors, timing."""

from __future__ import annotations

import os
import sys

from roost.cli.failure import CommandFailed
from roost.cli.parser import parse_integer
from roost.errors import NoDomain, NoSupport, RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from roost.cli.log import LogFile
    from roost.cli.parser import Arguments
    from roost.client.blocking import Client
    from roost.client.records import Domain

#: What a domain argument may be.
BY_ID, BY_UUID, BY_NAME = 1, 2, 4
BY_ANY = BY_ID | BY_UUID | BY_NAME

#: How an unasked-for end of the connection is told.
_DISCONNECTED = {
    "error": "Disconnected from {} due to I/O error",
    "eof": "Disconnected from {} due to end of file",
    "keepalive": "Disconnected from {} due to keepalive timeout",
}


class Shell:
    """One run of the program. All output of commands goes through it."""

    def __init__(self) -> None:
        self.program = "roost"
        self.uri: str | None = None
        self.read_only = False
        self.quiet = False
        self.timing = False
        self.interactive = False
        self.escape = "^]"
        self.debug = 4
        self.keepalive_interval = 5
        self.keepalive_count = 6
        self.log: LogFile | None = None
        self._client: Client | None = None
        self._lost = False

    # Output

    def write(self, text: str) -> None:
        """What the command was asked for."""
        sys.stdout.write(text)

    def extra(self, text: str) -> None:
        """What is said beside the result, and not at all when quiet."""
        if not self.quiet:
            sys.stdout.write(text)

    def error(self, text: str) -> None:
        """One `error:` line on stderr, in order with what stands on stdout."""
        sys.stdout.flush()
        if self.log is not None:
            self.log.write("ERROR", text)
        sys.stderr.write(f"error: {text}\n")
        sys.stderr.flush()

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table; when quiet, without its header."""
        from roost.cli.tables import render

        self.write(render(header, rows, with_header=not self.quiet))

    # Connection

    @property
    def client(self) -> Client:
        """The open connection, made on first use."""
        if self._client is None or self._lost:
            self.connect(None, read_only=False)
        assert self._client is not None
        return self._client

    def connect(self, uri: str | None, *, read_only: bool, forced: bool = False) -> None:
        """Open a connection, closing the present one.

        uri: None opens the present URI again.
        forced: the user asked for it, so that reconnecting is not worth a line.
        """
        from roost.client.blocking import Client

        again = self._client is not None
        if uri is None and not read_only:
            read_only = self.read_only
        if self._client is not None:
            self._client.close()
            self._client = None
        try:
            self._client = Client.open(
                uri or self.uri,
                read_only=read_only,
                # Nobody could answer the daemon's pings while the user thinks at the prompt.
                keepalive=(0, 0) if self.interactive else (self.keepalive_interval, self.keepalive_count),
            )
        except RoostError as error:
            line = "Failed to reconnect to the hypervisor" if self._lost else "failed to connect to the hypervisor"
            raise CommandFailed(line, cause=error) from None
        if uri is not None:
            self.uri = uri
        self.read_only = read_only
        if again and not forced:
            self.error("Reconnected to the hypervisor")
        self._lost = False

    def close(self) -> None:
        """Take leave of the daemon, and of the log."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self.log is not None:
            self.log.close()
            self.log = None

    # Running

    def run(self, commands: Sequence[Arguments]) -> bool:
        """Run the commands one after the other; True when the last one succeeded."""
        succeeded = True
        for arguments in commands:
            elapsed = self._run_one(arguments)
            succeeded = elapsed >= 0
            if arguments.command.name in ("quit", "exit"):
                break
            if self.timing:
                self.write(f"\n(Time: {abs(elapsed):.3f} ms)\n\n")
            else:
                self.extra("\n")
            sys.stdout.flush()
        return succeeded

    def _run_one(self, arguments: Arguments) -> float:
        """Run one command; its milliseconds, as a negative number when it failed."""
        started = _now() if self.timing else 0.0
        try:
            if arguments.command.connects:
                assert self.client
            arguments.command.handler(self, arguments)
            failed = False
        except (CommandFailed, RoostError, OSError) as error:
            self.report(error)
            failed = True
        elapsed = max((_now() - started) * 1000, 1e-6) if self.timing else 1.0
        return -elapsed if failed else elapsed

    def report(self, error: Exception) -> None:
        """Print what made a command fail."""
        if isinstance(error, CommandFailed):
            cause = error.cause
            lines = [str(line) for line in error.lines]
        else:
            cause = error if isinstance(error, RoostError) else None
            lines = [] if cause is not None else [_describe(error)]
        reason = getattr(cause, "reason", "")
        if reason and not self._lost and self._client is not None:
            self._lost = True
            self.error(_DISCONNECTED[reason].format(self._client.uri))
        for line in lines:
            self.error(line)
        if cause is not None:
            self.error(cause.message)

    # What most commands begin with

    def domain(self, arguments: Arguments, by: int = BY_ANY) -> Domain:
        """The domain that the argument `domain` names. Raises CommandFailed when there is none."""
        return self.find_domain(arguments.required("domain"), by)

    def find_domain(self, name: str, by: int = BY_ANY) -> Domain:
        """The domain with that id, UUID or name, tried in this order."""
        attempts: list[tuple[str, object]] = []
        if by & BY_ID:
            number = parse_integer(name)
            if number is not None and 0 <= number < 2**31:
                attempts.append(("DOMAIN_LOOKUP_BY_ID", number))
        if by & BY_UUID and len(name) == 36:
            uuid = parse_uuid(name)
            if uuid is not None:
                attempts.append(("DOMAIN_LOOKUP_BY_UUID", uuid))
        if by & BY_NAME:
            attempts.append(("DOMAIN_LOOKUP_BY_NAME", name))
        cause: RoostError | None = None
        for procedure, key in attempts:
            try:
                domain: Domain = self.client.call(procedure, key)[0]
                return domain
            except NoDomain:
                continue
            except RoostError as error:
                cause = error
                if getattr(error, "reason", ""):
                    break
        raise CommandFailed(f"failed to get domain '{name}'", cause=cause)

    def domain_state(self, domain: Domain) -> tuple[int, int]:
        """State and reason; from daemons that cannot say the reason it is -1."""
        try:
            state, reason = self.client.call("DOMAIN_GET_STATE", domain, 0)
        except NoSupport:
            return int(self.client.call("DOMAIN_GET_INFO", domain)[0]), -1
        return state, reason

    def xml(self, domain: Domain, flags: int = 0) -> str:
        """The domain's document."""
        text: str = self.client.call("DOMAIN_GET_XML_DESC", domain, flags)[0]
        return text


def parse_uuid(text: str) -> bytes | None:
    """The UUID's 16 bytes, None when the text is none."""
    digits = text.replace("-", "")
    if len(digits) != 32 or not digits.isalnum():
        return None
    try:
        return bytes.fromhex(digits)
    except ValueError:
        return None


def format_uuid(uuid: bytes) -> str:
    """The UUID with its dashes."""
    digits = uuid.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def read_document(path: str) -> str:
    """The text of a file of XML. Raises CommandFailed as virsh words it."""
    limit = 10 * 1024 * 1024
    try:
        with open(path, "rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        verb = "read" if isinstance(error, IsADirectoryError) else "open"
        raise CommandFailed(f"Failed to {verb} file '{path}': {os.strerror(error.errno or 0)}") from None
    if len(data) > limit:
        raise CommandFailed(f"Failed to read file '{path}': {os.strerror(75)}")
    return data.decode("utf-8", "surrogateescape")


def _describe(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _now() -> float:
    from time import perf_counter

    return perf_counter()
