"""Events in words."""

from __future__ import annotations

import pytest

from roost.cli.events import EVENTS
from roost.client.records import TypedParam
from roost.protocol.remote.events import GraphicsAddress, GraphicsIdentity

FORMATTERS = dict(EVENTS)


@pytest.mark.parametrize(
    ("name", "fields", "text"),
    [
        ("lifecycle", (0, 0), ": Defined Added"),
        ("lifecycle", (5, 1), ": Stopped Destroyed"),
        ("lifecycle", (6, 2), ": Shutdown Finished after host request"),
        ("lifecycle", (2, 99), ": Started unknown"),
        ("lifecycle", (99, 0), ": unknown unknown"),
        ("reboot", (), ""),
        ("control-error", (), ""),
        ("pm-wakeup", (0,), ""),
        ("rtc-change", (-3600,), ": -3600"),
        ("watchdog", (3,), ": poweroff"),
        ("io-error", ("/a", "virtio-disk0", 1), ": /a (virtio-disk0) pause"),
        ("io-error-reason", ("/a", "virtio-disk0", 2, "enospc"), ": /a (virtio-disk0) report due to enospc"),
        ("block-job", ("/a", 2, 3), ": Block Copy for /a ready"),
        ("block-job-2", ("vda", 77, 0), ": Unknown job for vda completed"),
        ("disk-change", ("/old", None, "ide0-0-0", 0), " disk ide0-0-0: /old -> <null>: changed"),
        ("tray-change", ("ide0-0-0", 0), " disk ide0-0-0: opened"),
        ("balloon-change", (65536,), ": 65536KiB"),
        ("device-removed", ("net0",), ": net0"),
        ("device-added", ("net0",), ": net0"),
        ("device-removal-failed", ("net0",), ": net0"),
        ("agent-lifecycle", (1, 2), ": state: 'connected' reason: 'channel event'"),
        ("agent-lifecycle", (9, 9), ": state: 'unsupported value' reason: 'unsupported value'"),
        ("migration-iteration", (4,), ": iteration: '4'"),
        ("metadata-change", (2, "http://x"), ": type element, uri http://x"),
        ("metadata-change", (0, None), ": type description, uri <null>"),
        ("block-threshold", ("vda", None, 10, 3), ": dev: vda(<null>) 10 3"),
        (
            "memory-failure",
            (1, 2, 2),
            ":\nrecipient: guest\naction: fatal\nflags:\n\taction required: 0\n\trecursive: 1",
        ),
        ("memory-device-size-change", ("mem0", 4), ":\nalias: mem0\nsize: 4"),
        ("tunable", ([TypedParam("cputune.vcpupin0", (7, "0-1"))],), ":\n\tcputune.vcpupin0: 0-1"),
        ("job-completed", ([TypedParam("ok", (6, 1)), TypedParam("f", (5, 0.5))],), ":\n\tok: yes\n\tf: 0.500000"),
        (
            "graphics",
            (
                0,
                GraphicsAddress(0, "::1", "5900"),
                GraphicsAddress(2, "", "sock"),
                "none",
                [GraphicsIdentity("dname", "x")],
            ),
            ": connect local[IPv4 ::1 5900] remote[unix  sock] none\n\tdname=x",
        ),
    ],
)
def test_words(name: str, fields: tuple[object, ...], text: str) -> None:
    assert FORMATTERS[name](*fields) == text


def test_every_event_of_the_api_has_words() -> None:
    from roost.constants import domain_events

    numbers = {value: name for name, value in vars(domain_events).items() if name.startswith("ID_")}
    # Those of virsh 9.0: a daemon of that age refuses to tell of others.
    assert sorted(numbers)[: len(EVENTS)] == list(range(len(EVENTS)))
    for number, (name, _) in enumerate(EVENTS):
        expected = numbers[number].removeprefix("ID_").lower().replace("_", "-").replace("pmw", "pm-w")
        assert name == expected.replace("pms", "pm-s")
