"""What travels to and from the agent: JSON, one object a line. Dry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from roost.errors import From, InternalError, InvalidArg

#: Before it, whatever was under way is to be forgotten; no byte of UTF-8.
SENTINEL = b"\xff"

#: The longest answer taken, as libvirt's.
MAX_ANSWER = 10 << 20

#: How much of what an agent sends is quoted.
_EXCERPT = 80


class AgentGarbage(InternalError):
    """What came is no answer of an agent."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, domain=From.QEMU, hint="what answers in the guest is not the QEMU guest agent")


class Answer(msgspec.Struct):
    """A line from the agent; `result` undecoded. An answer has `result` or `error`, other lines are to be ignored."""

    result: msgspec.Raw | msgspec.UnsetType = msgspec.field(name="return", default=msgspec.UNSET)
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    event: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    QMP: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Failure(msgspec.Struct):
    kind: str = msgspec.field(name="class", default="")
    desc: str = ""


class _Named(msgspec.Struct):
    execute: str


_decode_answer = msgspec.json.Decoder(Answer).decode
_decode_failure = msgspec.json.Decoder(_Failure).decode
_decode_named = msgspec.json.Decoder(_Named).decode
_decode_number = msgspec.json.Decoder(int).decode
_encode = msgspec.json.Encoder().encode

#: Error classes -> what they mean, for answers that do not say so themselves.
_MEANINGS = {
    "BufferOverrun": "Buffer overrun",
    "CommandDisabled": "The command has been disabled for this instance",
    "CommandNotFound": "The command has not been found",
    "FdNotFound": "File descriptor not found",
    "InvalidParameter": "Invalid parameter",
    "InvalidParameterType": "Invalid parameter type",
    "InvalidParameterValue": "Invalid parameter value",
    "OpenFileFailed": "Cannot open file",
    "QgaCommandFailed": "Guest agent command failed",
    "UndefinedError": "An undefined error has occurred",
    "Unsupported": "this feature or command is not currently supported",
}


class LineBuffer:
    """Cuts what comes into lines. Holds no more than `limit` bytes."""

    def __init__(self, limit: int = MAX_ANSWER) -> None:
        self._limit = limit
        self._skipping = False
        self._pending = bytearray()

    def reset(self, *, skipping: bool) -> None:
        """Forget what came. skipping: and what comes, up to the sentinel."""
        self._skipping = skipping
        self._pending.clear()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without empty ones. Raises AgentGarbage for one that is too long."""
        _, sentinel, rest = data.rpartition(SENTINEL)
        if sentinel:
            self.reset(skipping=False)
            data = rest
        elif self._skipping:
            return []
        *lines, last = data.split(b"\n")
        if lines:
            lines[0] = bytes(self._pending) + lines[0]
            self._pending.clear()
        self._pending += last
        if len(self._pending) > self._limit or any(len(line) > self._limit for line in lines):
            self.reset(skipping=True)
            raise AgentGarbage(f"No complete agent response found in {self._limit} bytes")
        return [line for line in lines if line.strip()]


def encode(name: str, arguments: Mapping[str, Any] | None = None) -> bytes:
    """A command as a line."""
    message: dict[str, Any] = {"execute": name}
    if arguments:
        message["arguments"] = arguments
    return _encode(message) + b"\n"


def encode_sync(number: int) -> bytes:
    """Ask for `number` back, after the sentinel; whatever was sent before is void."""
    return SENTINEL + encode("guest-sync-delimited", {"id": number})


def encode_text(text: str) -> tuple[bytes, str]:
    """A client's own command as a line, and its name. Raises InternalError for what is no JSON."""
    try:
        # On one line whatever it was: a line break would end the command.
        line = msgspec.json.format(text.encode(), indent=-1)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InternalError(
            f"cannot parse json {text}: {error}", domain=From.QEMU, hint='write {"execute": "guest-COMMAND"}'
        ) from error
    try:
        name = _decode_named(line).execute
    except msgspec.MsgspecError:
        name = "<unknown>"
    return line + b"\n", name


def decode(line: bytes) -> Answer | None:
    """A line as an answer; None for one that is well formed and none. Raises AgentGarbage."""
    try:
        answer = _decode_answer(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise AgentGarbage(f"cannot parse json {_excerpt(line)}: {error}") from error
    if answer.event is not msgspec.UNSET or answer.QMP is not msgspec.UNSET:
        return None
    if answer.result is msgspec.UNSET and answer.error is msgspec.UNSET:
        raise AgentGarbage(f"Unknown JSON reply '{_excerpt(line)}'")
    return answer


def is_sync(line: bytes, number: int) -> bool:
    """Whether a line gives `number` back."""
    try:
        answer = _decode_answer(line)
        return answer.result is not msgspec.UNSET and _decode_number(answer.result) == number
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def error_of(answer: Answer, command: str) -> AgentCommandError | None:
    """The refusal in an answer, if it is one."""
    if answer.error is msgspec.UNSET:
        return None
    try:
        failure = _decode_failure(answer.error)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        failure = _Failure()
    return AgentCommandError(command, failure.kind, failure.desc)


class AgentCommandError(InternalError):
    """The agent refused a command. kind: its error class."""

    def __init__(self, command: str, kind: str, desc: str) -> None:
        words = desc or _MEANINGS.get(kind) or kind or "unknown QEMU command error"
        super().__init__(f"unable to execute QEMU agent command '{command}': {words}", domain=From.QEMU)
        self.kind = kind

    @property
    def is_unsupported(self) -> bool:
        """Whether this agent does not have the command, or may not use it."""
        return self.kind in ("CommandNotFound", "CommandDisabled")


def check_timeout(seconds: int, least: int) -> None:
    """Refuse a timeout that means nothing. Raises InvalidArg."""
    if seconds < least:
        raise InvalidArg(
            f"guest agent timeout '{seconds}' is less than the minimum '{least}'",
            domain=From.QEMU,
            hint="-2 waits for ever, -1 takes the default, 0 does not wait, others are seconds",
        )


def _excerpt(line: bytes) -> str:
    return line[:_EXCERPT].decode("ascii", "backslashreplace")
