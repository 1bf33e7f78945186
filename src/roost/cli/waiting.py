"""Waiting for events until there was one, the time is over, or the user has had enough."""

from __future__ import annotations

import json
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
    from typing import Any, Protocol

    from roost.cli.shell import Shell
    from roost.client.blocking import Client
    from roost.client.records import Domain

    class Interest(Protocol):
        """What a command waits for."""

        def register(self, client: Client) -> None: ...
        def deregister(self, client: Client) -> None: ...
        def describe(self, fields: Sequence[Any]) -> str | None:
            """An event as text; None for one that was not asked for."""
            ...


def wait_for_events(shell: Shell, interest: Interest, *, seconds: int, loop: bool) -> int:
    """Print events as they come and return how many there were.

    seconds: how long to wait; 0 waits for ever.
    loop: whether to go on after the first one.
    """
    client = shell.client
    printed = 0
    with Interrupt() as interrupt:
        interest.register(client)
        try:
            deadline = time.monotonic() + seconds if seconds else None

            def show() -> bool:
                nonlocal printed
                while client.notifications and (loop or not printed):
                    text = interest.describe(client.notifications.pop(0).fields)
                    if text is not None:
                        shell.write(text + "\n")
                        sys.stdout.flush()
                        printed += 1
                return bool(printed) and not loop

            outcome = _wait(client, interrupt, deadline, show)
            if outcome:
                shell.write(f"event loop {outcome}\n")
        finally:
            shell.write(f"events received: {printed}\n")
        interest.deregister(client)
        client.notifications.clear()
    return printed


class DomainEvents:
    """Events of the API. ids: their numbers; domain: the only one that counts, if given."""

    def __init__(self, ids: Sequence[int], domain: Domain | None, *, timestamps: bool) -> None:
        self._ids, self._domain, self._timestamps = ids, domain, timestamps
        self._registered: dict[int, int] = {}

    def register(self, client: Client) -> None:
        """A daemon may lack the events that are newer than itself, but not the first."""
        for event in self._ids:
            try:
                callback = client.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", event, self._domain)[0]
            except RoostError:
                if not self._registered:
                    raise
            else:
                self._registered[callback] = event

    def deregister(self, client: Client) -> None:
        for callback in self._registered:
            client.call("CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY", callback)

    def describe(self, fields: Sequence[Any]) -> str | None:
        callback, domain, *details = fields
        event = self._registered.get(callback)
        if event is None:
            return None
        name, formatter = EVENTS[event]
        text = f"event '{name}' for domain '{domain.name}'{formatter(*details)}"
        return f"{_timestamp()}: {text}" if self._timestamps else text


class MonitorEvents:
    """Events of QEMU's monitor. flags: 1 takes `event` as a regular expression, 2 does not care for its case."""

    def __init__(self, event: str | None, flags: int, domain: Domain | None, *, pretty: bool, timestamps: bool) -> None:
        self._wanted = domain, event, flags
        self._pretty, self._timestamps = pretty, timestamps
        self._callback = -1

    def register(self, client: Client) -> None:
        self._callback = client.call_qemu("CONNECT_DOMAIN_MONITOR_EVENT_REGISTER", *self._wanted)[0]

    def deregister(self, client: Client) -> None:
        client.call_qemu("CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER", self._callback)

    def describe(self, fields: Sequence[Any]) -> str | None:
        callback, domain, event, seconds, micros, details = fields
        if callback != self._callback:
            return None
        if details is not None and self._pretty:
            details = json.dumps(json.loads(details), indent=2, ensure_ascii=False) + "\n"
        ending = f"for domain '{domain.name}': {'<null>' if details is None else details}"
        if self._timestamps:
            return f"{_timestamp()}: event {event} {ending}"
        return f"event {event} at {seconds}.{micros:06} {ending}"


def _wait(client: Client, interrupt: Interrupt, deadline: float | None, show: Callable[[], bool]) -> str:
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


class Interrupt:
    """Makes SIGINT something that can be waited for together with a socket."""

    def __enter__(self) -> Interrupt:
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
