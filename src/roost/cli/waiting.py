"""Waiting for events until there was one, the time is over, or the user has had enough."""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from roost.cli.events import EVENTS
from roost.errors import RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from roost.cli.shell import Shell
    from roost.client.blocking import Client
    from roost.client.records import Domain


def wait_for_events(
    shell: Shell, ids: Sequence[int], domain: Domain | None, *, seconds: int, loop: bool, timestamps: bool
) -> int:
    """Print events as they come and return how many there were.

    seconds: how long to wait; 0 waits for ever.
    loop: whether to go on after the first one.
    """
    client = shell.client
    printed = 0
    registered: dict[int, int] = {}
    with _Interrupt() as interrupt:
        try:
            registered = _register(client, ids, domain)
            deadline = time.monotonic() + seconds if seconds else None

            def show() -> bool:
                nonlocal printed
                while client.notifications and (loop or not printed):
                    text = _describe(client.notifications.pop(0).fields, registered)
                    if text is not None:
                        shell.write(f"{_timestamp()}: {text}" if timestamps else text)
                        sys.stdout.flush()
                        printed += 1
                return bool(printed) and not loop

            outcome = _wait(client, interrupt, deadline, show)
            if outcome:
                shell.write(f"event loop {outcome}\n")
        finally:
            if registered:
                shell.write(f"events received: {printed}\n")
        for callback in registered:
            client.call("CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY", callback)
        client.notifications.clear()
    return printed


def _register(client: Client, ids: Sequence[int], domain: Domain | None) -> dict[int, int]:
    """Event number by callback number. A daemon may lack the events that are newer than itself, but not the first."""
    registered: dict[int, int] = {}
    for event in ids:
        try:
            callback = client.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", event, domain)[0]
        except RoostError:
            if not registered:
                raise
        else:
            registered[callback] = event
    return registered


def _describe(fields: Sequence[object], registered: dict[int, int]) -> str | None:
    """The event as text; None for one that was not asked for."""
    callback, domain, *details = fields
    event = registered.get(callback)  # type: ignore[call-overload]
    if event is None:
        return None
    name, formatter = EVENTS[event]
    return f"event '{name}' for domain '{domain.name}'{formatter(*details)}\n"  # type: ignore[attr-defined]


def _wait(client: Client, interrupt: _Interrupt, deadline: float | None, show: Callable[[], bool]) -> str:
    """Wait until `show` has had enough (""), the user interrupts or the deadline comes (in words)."""
    poll = select.poll()
    poll.register(client.fileno(), select.POLLIN)
    poll.register(interrupt.fileno(), select.POLLIN)
    while not show():
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        ready = poll.poll(left)
        if not ready:
            return "timed out"
        for descriptor, _ in ready:
            if descriptor == interrupt.fileno():
                return "interrupted"
            client.receive()
    return ""


def _timestamp() -> str:
    now = time.time()
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}+0000"


class _Interrupt:
    """Makes SIGINT something that can be waited for together with a socket."""

    def __enter__(self) -> _Interrupt:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        self._wakeup = signal.set_wakeup_fd(self._write)
        self._handler = signal.signal(signal.SIGINT, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._read)
        os.close(self._write)

    def fileno(self) -> int:
        return self._read
