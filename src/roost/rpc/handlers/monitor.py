"""QEMU's own monitor: the QEMU program."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from roost.contract.domains import Monitor
from roost.contract.flags import check
from roost.errors import From, InvalidArg, NoSupport
from roost.rpc.routes import Row, Values, nothing, one, row

if TYPE_CHECKING:
    from roost.rpc.session import Session

# Registration flags: match the event's name as a regular expression, or without regard to case.
_REGEX, _NOCASE = 1, 2


def _register(session: Session, values: Values) -> int:
    domain, event, flags = values
    if not session.backend.get(Monitor).supports("command"):
        raise NoSupport
    check(flags, _REGEX | _NOCASE, "virConnectDomainQemuMonitorEventRegister", From.NONE)
    return session.subscriptions.register_monitor(domain, event, flags, _matcher(event, flags))


def _matcher(event: str | None, flags: int) -> Callable[[str], bool]:
    if event is None:
        return lambda name: True
    if not flags:
        return lambda name: name == event
    try:
        pattern = re.compile(event if flags & _REGEX else re.escape(event), re.IGNORECASE if flags & _NOCASE else 0)
    except re.error as error:
        raise InvalidArg(f"failed to compile regex '{event}': {error}", domain=From.NONE) from error
    find = pattern.search if flags & _REGEX else pattern.fullmatch
    return lambda name: find(name) is not None


def _deregister(session: Session, values: Values) -> None:
    (callback_id,) = values
    session.subscriptions.deregister_monitor(callback_id)


def _with_files(answer: tuple[str, Sequence[int]]) -> tuple[Values, Sequence[int]]:
    text, files = answer
    return (text,), files


ROWS = (
    row("DOMAIN_MONITOR_COMMAND", Monitor, "command", one),
    row("DOMAIN_ATTACH", Monitor, "attach", one),
    row(
        "DOMAIN_MONITOR_COMMAND_WITH_FILES",
        Monitor,
        "command_with_files",
        _with_files,
        takes_files=True,
        gives_files=True,
    ),
    Row("CONNECT_DOMAIN_MONITOR_EVENT_REGISTER", _register, one),
    Row("CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER", _deregister, nothing),
)
