"""Events in the words of the commands that wait for them."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from roost.cli.waiting import DomainEvents, MonitorEvents
from roost.errors import InternalError
from roost.protocol.types import Domain

WEB = Domain("web", bytes(16), 7)


class Client:
    """Registers, and remembers what was asked."""

    known: ClassVar[set[int]] = {0, 1}

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def call(self, procedure: str, *arguments: Any) -> tuple[int]:
        self.asked.append((procedure, *arguments))
        if procedure.endswith("_REGISTER_ANY") and "DE" not in procedure and arguments[0] not in self.known:
            raise InternalError("unsupported event")
        return (10 + int(arguments[0]),)

    def call_qemu(self, procedure: str, *arguments: Any) -> tuple[int]:
        self.asked.append((procedure, *arguments))
        return (3,)


def test_events_of_the_monitor() -> None:
    client: Any = Client()
    events = MonitorEvents("^VNC", 1, None, pretty=False, timestamps=False)
    events.register(client)
    assert client.asked == [("CONNECT_DOMAIN_MONITOR_EVENT_REGISTER", None, "^VNC", 1)]
    assert events.describe((3, WEB, "STOP", 5, 42, None)) == "event STOP at 5.000042 for domain 'web': <null>"
    assert events.describe((4, WEB, "STOP", 5, 42, None)) is None
    events.deregister(client)
    assert client.asked[-1] == ("CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER", 3)


def test_their_details_over_several_lines() -> None:
    events = MonitorEvents(None, 0, None, pretty=True, timestamps=True)
    client: Any = Client()
    events.register(client)
    text = events.describe((3, WEB, "RTC_CHANGE", 5, 42, '{"offset":7}'))
    assert text is not None
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d [\d:.]+\+0000: event RTC_CHANGE for domain 'web': \{\n  \"offset\": 7\n\}\n", text
    )


def test_events_that_a_daemon_does_not_have_are_done_without() -> None:
    client: Any = Client()
    events = DomainEvents([0, 99, 1], WEB, timestamps=False)
    events.register(client)
    assert events.describe((11, WEB)) == "event 'reboot' for domain 'web'"
    assert events.describe((99, WEB)) is None
    events.deregister(client)
    assert [arguments[1] for arguments in client.asked[3:]] == [10, 11]
