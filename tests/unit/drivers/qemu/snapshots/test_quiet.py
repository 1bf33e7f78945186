"""Freezing a guest's file systems for a snapshot: thawed whatever happens, and only by whom they were frozen."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from roost.constants import domain as D
from roost.drivers.qemu.agent import AgentLink
from roost.drivers.qemu.guest import Guest
from roost.drivers.qemu.snapshots.quiet import quiet
from roost.engine.record import Record
from roost.errors import AgentUnresponsive, InternalError, OperationFailed, OperationInvalid
from roost.model import domain as model
from support.agents import FakeAgent, Raw

DOCUMENT = """<domain type='qemu'><name>a</name><memory>65536</memory><os><type arch='x86_64'>hvm</type></os><devices>
<channel type='unix'><source mode='bind' path='{}'/>
<target type='virtio' name='org.qemu.guest_agent.0' state='connected'/></channel></devices></domain>"""
REFUSED = Raw(b'{"error": {"class": "CommandNotFound", "desc": "it is disabled"}}\n')
FREEZE, THAW = "guest-fsfreeze-freeze", "guest-fsfreeze-thaw"


def run(
    answers: dict[str, Any], inside: Exception | None = None, *, ends: bool = False, paused: bool = False
) -> tuple[Exception | None, list[str]]:
    """What comes of it, and what the agent was asked. ends: the guest does, inside."""

    async def main() -> tuple[Exception | None, list[str]]:
        with tempfile.TemporaryDirectory(prefix="roost-quiet-", dir="/tmp") as directory:
            agent = FakeAgent(lambda name, _: answers.get(name, 1))
            await agent.serve(Path(directory, "agent"))
            record: Record[Any] = Record("a", bytes(16))
            record.live = model.parse(DOCUMENT.format(Path(directory, "agent")), live=True)
            record.id = 1
            record.set_state(D.PAUSED if paused else D.RUNNING, 0)
            log = SimpleNamespace(taint=lambda *_: None)
            guest = record.runtime = SimpleNamespace(
                agent=AgentLink(), ending=None, taints=("custom-ga-command",), log=log
            )
            guest.agent.follow(record.live)
            guest.agent.timeout = 1
            tasks: list[asyncio.Task[None]] = []

            def in_background(work: Coroutine[Any, Any, None], _: str) -> None:
                tasks.append(asyncio.get_running_loop().create_task(work))

            try:
                async with asyncio.timeout(60), quiet(record, cast("Guest", guest), in_background):
                    if ends:
                        record.runtime = None
                    if inside is not None:
                        raise inside
                found = None
            except Exception as error:
                found = error
            await asyncio.gather(*tasks, return_exceptions=True)
            guest.agent.close()
            await agent.close()
            return found, [name for name, _ in agent.asked]

    return asyncio.run(main())


def test_frozen_and_thawed() -> None:
    assert run({}) == (None, [FREEZE, THAW])


def test_nothing_to_freeze() -> None:
    assert run({FREEZE: 0}) == (None, [FREEZE])


def test_what_fails_inside_thaws_too() -> None:
    error = OperationFailed("no room")
    assert run({}, error) == (error, [FREEZE, THAW])
    # The first error is the one that tells why.
    assert run({THAW: REFUSED}, error) == (error, [FREEZE, THAW])


def test_an_agent_that_does_not_freeze() -> None:
    """Perhaps because somebody else has frozen them: it is not ours to thaw."""
    found, asked = run({FREEZE: REFUSED})
    assert isinstance(found, InternalError)
    assert asked == [FREEZE]


def test_an_agent_that_is_silent_is_told_to_thaw_what_it_may_yet_freeze() -> None:
    found, asked = run({FREEZE: None})
    assert isinstance(found, AgentUnresponsive)
    assert asked == [FREEZE, THAW]


def test_an_agent_that_does_not_thaw_is_told() -> None:
    found, asked = run({THAW: REFUSED})
    assert isinstance(found, InternalError)
    assert asked == [FREEZE, THAW]


def test_a_guest_that_has_ended() -> None:
    assert run({}, ends=True) == (None, [FREEZE])


def test_a_guest_that_stands_still() -> None:
    found, asked = run({}, paused=True)
    assert isinstance(found, OperationInvalid)
    assert asked == []
