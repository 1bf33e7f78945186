"""The agent in a real guest: found, lost and found again, and guests whose agent is none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import node
from roost.contract.agent import GuestAgent
from roost.contract.domains import Consoles, Domains, Inspection, Lifecycle
from roost.contract.references import DomainRef
from roost.contract.streams import ByteStream
from roost.errors import AgentUnresponsive, InternalError, OperationInvalid
from support.agents import AGENT_CHANNEL, AGENT_COMMAND, agent_images
from support.guests import READY, domain_xml
from support.world import PATIENCE, World, run, world_root

pytestmark = pytest.mark.guest

CONNECTED = (E.ID_AGENT_LIFECYCLE, E.AGENT_LIFECYCLE_STATE_CONNECTED, E.AGENT_LIFECYCLE_REASON_CHANNEL)
DISCONNECTED = (E.ID_AGENT_LIFECYCLE, E.AGENT_LIFECYCLE_STATE_DISCONNECTED, E.AGENT_LIFECYCLE_REASON_CHANNEL)
PING = '{"execute": "guest-ping"}'


@pytest.fixture
def root() -> Iterator[Path]:
    with world_root() as made:
        yield made


async def booted(world: World, name: str) -> tuple[DomainRef, ByteStream]:
    xml = domain_xml(name, memory_mib=192, devices=AGENT_CHANNEL, images=agent_images(), graphics="")
    ref = await world.get(Domains).define(xml, 0)
    ref = await world.get(Lifecycle).create(ref, 0)
    return ref, await world.booted(ref)


async def with_agent(world: World, console: ByteStream) -> None:
    await console.write(f"{AGENT_COMMAND}\n".encode())
    await world.seen(*CONNECTED)


def test_from_the_first_word_to_the_last(root: Path) -> None:
    """Asked, and asked again by the next daemon; rebooted by it, suspended, shut down by it."""
    pids: list[int] = []

    async def scenario(world: World) -> None:
        ref, console = await booted(world, "agent-life")
        agent, life, look = world.get(GuestAgent), world.get(Lifecycle), world.get(Inspection)
        with pytest.raises(AgentUnresponsive, match="QEMU guest agent is not connected"):
            await agent.hostname(ref, 0)
        await with_agent(world, console)
        assert "state='connected'" in world.get(Domains).describe(ref, 0)
        assert await agent.hostname(ref, 0) == "roost-guest"
        await agent.set_time(ref, 1_000_000_000, 0, 0)
        assert (await agent.time(ref, 0))[0] // 1000 == 1_000_000
        agent.set_response_timeout(ref, 25, 0)

        console.abort()
        pids.append(int((root / "run" / "qemu" / "agent-life.pid").read_text()))
        await world.driver.stop()
        await world.start()
        agent, life, look = world.get(GuestAgent), world.get(Lifecycle), world.get(Inspection)
        assert await agent.hostname(ref, 0) == "roost-guest"
        record = '"agent_timeout":25'
        assert record in (root / "run" / "qemu" / "agent-life.json").read_text().replace(" ", "")

        await agent.suspend(ref, node.SUSPEND_TARGET_MEM, 0, 0)
        await world.seen(E.ID_LIFECYCLE, E.PMSUSPENDED, E.PMSUSPENDED_MEMORY)
        assert look.state(ref, 0)[0] == D.PMSUSPENDED
        await agent.wake_up(ref, 0)
        await world.seen(E.ID_LIFECYCLE, E.STARTED, E.STARTED_WAKEUP)
        assert await agent.hostname(ref, 0) == "roost-guest"

        world.events.clear()
        console = await world.get(Consoles).open_console(ref, None, 0)
        await life.reboot(ref, D.REBOOT_GUEST_AGENT)
        await world.read_until(console, READY)
        assert (E.ID_REBOOT,) in world.events
        assert look.state(ref, 0)[0] == D.RUNNING
        await with_agent(world, console)
        # Without a word about how, the agent is asked where there is one.
        await life.shutdown(ref, 0)
        await world.seen(E.ID_LIFECYCLE, E.STOPPED, E.STOPPED_SHUTDOWN)
        assert look.state(ref, 0) == (D.SHUTOFF, D.SHUTOFF_SHUTDOWN)
        console.abort()

    run(root, scenario)
    # The second driver has found its process, but it is a child of ours that the first one has started.
    os.waitpid(pids[0], 0)


def test_agents_that_are_none(root: Path) -> None:
    """Silence, rubbish, floods: what the guest does to its channel is told, and nobody else waits for it."""

    async def scenario(world: World) -> None:
        ref, console = await booted(world, "agent-odd")
        agent, look = world.get(GuestAgent), world.get(Inspection)
        agent.set_response_timeout(ref, 1, 0)

        await console.write(b"sh exec 3<>/dev/vport1p1; echo open; sleep 3\n")
        await world.seen(*CONNECTED)
        waiting = asyncio.ensure_future(agent.command(ref, PING, D.AGENT_RESPONSE_TIMEOUT_BLOCK, 0))
        await asyncio.sleep(0)
        assert look.state(ref, 0)[0] == D.RUNNING
        await world.get(Lifecycle).suspend(ref)
        await world.get(Lifecycle).resume(ref)
        with pytest.raises(AgentUnresponsive):
            await waiting
        await world.seen(*DISCONNECTED)

        await console.write(b"sh cat /dev/urandom >/dev/vport1p1 & sleep 4; kill $!\n")
        await world.seen(*CONNECTED)
        with pytest.raises((AgentUnresponsive, InternalError)):
            await agent.hostname(ref, 0)
        await world.seen(*DISCONNECTED)

        await console.write(b"sh sh /extra/liar &\n")
        await world.seen(*CONNECTED)
        with pytest.raises(InternalError, match="malformed return value of guest-get-host-name"):
            await agent.hostname(ref, 0)
        await console.write(b"sh kill $(cat /run/liar.pid)\n")
        await world.seen(*DISCONNECTED)

        await with_agent(world, console)
        async with asyncio.timeout(PATIENCE):
            assert await agent.command(ref, PING, D.AGENT_RESPONSE_TIMEOUT_DEFAULT, 0) == '{"return":{}}'
        console.abort()

    run(root, scenario)


def test_a_guest_that_ends_while_its_agent_is_asked(root: Path) -> None:
    """The agent is stopped between two commands: the second would wait for ever, and others for their turn."""

    async def scenario(world: World) -> None:
        ref, console = await booted(world, "agent-ended")
        await with_agent(world, console)
        agent = world.get(GuestAgent)
        assert await agent.hostname(ref, 0) == "roost-guest"
        await console.write(b"sh killall -STOP qemu-ga && echo stop''ped\n")
        await world.read_until(console, "stopped")
        waiting = [asyncio.ensure_future(agent.hostname(ref, 0)) for _ in range(3)]
        await asyncio.sleep(0.1)
        assert not any(each.done() for each in waiting)
        await world.get(Lifecycle).destroy(ref, 0)
        first, *others = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(first, AgentUnresponsive)
        assert all(isinstance(each, OperationInvalid) for each in others)
        console.abort()

    run(root, scenario)
