"""QMP's messages: what QEMU sends, one JSON object a line, and how commands are written. Dry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from roost.errors import From, InternalError

#: The longest line QEMU may send. Its schema, the largest answer there is, has 300 KB.
MAX_LINE = 64 << 20


class Timestamp(msgspec.Struct, frozen=True):
    """Seconds and microseconds; -1 when QEMU could not tell the time."""

    seconds: int = -1
    microseconds: int = -1


class CommandFailure(msgspec.Struct, frozen=True):
    """Why QEMU refused. kind: its error class, `GenericError` mostly."""

    kind: str = msgspec.field(name="class", default="GenericError")
    desc: str = ""


class Version(msgspec.Struct, frozen=True):
    major: int
    minor: int
    micro: int


class VersionInfo(msgspec.Struct, frozen=True):
    """qemu: the release. package: the distribution's name for it."""

    qemu: Version
    package: str = ""


class GreetingBody(msgspec.Struct, frozen=True):
    version: VersionInfo
    capabilities: list[str] = []


class Message(msgspec.Struct):
    """Any line from QEMU: a greeting, an answer, a refusal or an event."""

    QMP: GreetingBody | msgspec.UnsetType = msgspec.UNSET
    event: str | msgspec.UnsetType = msgspec.UNSET
    data: msgspec.Raw = msgspec.Raw()
    timestamp: Timestamp = Timestamp()
    result: msgspec.Raw = msgspec.field(name="return", default=msgspec.Raw())
    error: CommandFailure | msgspec.UnsetType = msgspec.UNSET
    id: str | int | None = None


class Event(NamedTuple):
    """Something QEMU announces. data: decoded, {} without. raw: its JSON text, b"" without."""

    name: str
    data: Mapping[str, Any]
    seconds: int
    micros: int
    raw: bytes


class QmpClosed(InternalError):
    """The monitor's connection is gone, or became useless: `broken`, because what came is not QMP."""

    def __init__(self, detail: str = "End of file from qemu monitor", *, hint: str = "", broken: bool = False) -> None:
        super().__init__(detail, domain=From.QEMU, hint=hint)
        self.broken = broken


class QmpCommandError(InternalError):
    """QEMU refused a command. kind: its error class. desc: its own words."""

    def __init__(self, command: str, kind: str, desc: str) -> None:
        super().__init__(f"unable to execute QEMU command '{command}': {desc}", domain=From.QEMU)
        self.command, self.kind, self.desc = command, kind, desc


_decode = msgspec.json.Decoder(Message).decode
_encode = msgspec.json.Encoder().encode


class LineBuffer:
    """Cuts a stream into lines. `feed` raises QmpClosed on a line that never ends."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[bytes]:
        head, found, rest = data.partition(b"\n")
        if not found:
            self._keep(data)
            return []
        self._parts.append(head)
        lines = [b"".join(self._parts), *rest.split(b"\n")]
        self._parts, self._size = [], 0
        self._keep(lines.pop())
        return lines

    def _keep(self, data: bytes) -> None:
        if data:
            self._parts.append(data)
            self._size += len(data)
        if self._size > self._limit:
            self._parts, self._size = [], 0
            raise QmpClosed(
                f"QEMU sent a message of more than {self._limit} bytes",
                hint="its monitor is closed; destroy the guest",
                broken=True,
            )


def decode(line: bytes) -> Message:
    """One line. Raises QmpClosed for anything that is not QMP."""
    try:
        return _decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        excerpt = line[:80].decode("ascii", "backslashreplace")
        raise QmpClosed(
            f"cannot parse json {excerpt}: {error}",
            hint="what answered on the monitor's socket is not QEMU",
            broken=True,
        ) from error


def encode(command: str, arguments: Mapping[str, Any] | None, identity: str | None = None) -> bytes:
    """One command, with nothing that could be left out: QEMU needs no end of line."""
    message: dict[str, Any] = {"execute": command}
    if identity is not None:
        message["id"] = identity
    if arguments:
        message["arguments"] = arguments
    return _encode(message)


def to_event(message: Message) -> Event:
    """The event in a message that has one."""
    raw = bytes(message.data)
    data = msgspec.json.decode(raw) if raw else {}
    stamp = message.timestamp
    return Event(str(message.event), data if isinstance(data, dict) else {}, stamp.seconds, stamp.microseconds, raw)
