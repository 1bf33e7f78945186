"""The client of the agent against agents that answer, do not, or say what they like."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import uvloop

from roost.drivers.qemu.agent import client as module
from roost.drivers.qemu.agent.client import AgentClient
from roost.drivers.qemu.agent.messages import AgentGarbage, Answer, encode
from roost.errors import AgentUnresponsive, RoostError
from support.agents import FakeAgent, Raw

#: Seconds that a client is given where the agent never answers.
SHORT = 0.05
#: Where it does, on a machine under load.
LONG = 30.0

ODD_ANSWERS = [
    b"rubbish\n",
    b"[]\n",
    b"{}\n",
    b'{"answer": 1}\n',
    b'{"return": \xc3}\n',
    b'{"return": nan}\n',
    b"[" * 9999 + b"\n",
]

PING = encode("guest-ping")
Scenario = Callable[[AgentClient, FakeAgent], Awaitable[None]]


@contextlib.asynccontextmanager
async def pair(reply: Callable[[str, dict[str, Any]], Any]) -> AsyncIterator[tuple[AgentClient, FakeAgent]]:
    ours, theirs = socket.socketpair()
    agent = FakeAgent(reply)
    await agent.attach(theirs)
    client = AgentClient(ours)
    try:
        yield client, agent
    finally:
        client.close()
        await agent.close()


@pytest.fixture(scope="module", autouse=True)
def first_uvloop() -> None:
    """libuv's signal pipe is made with the first loop and kept; it is no test's leak."""
    uvloop.run(asyncio.sleep(0))


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[..., None]:
    def run(reply: Callable[[str, dict[str, Any]], Any], scenario: Scenario) -> None:
        async def main() -> None:
            async with pair(reply) as (client, agent):
                await scenario(client, agent)

        factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(main())

    return run


def result(answer: Answer | None) -> bytes:
    assert answer is not None
    return bytes(answer.result)  # type: ignore[arg-type]


def test_commands_are_answered_after_one_synchronization(run: Callable[..., None]) -> None:
    async def scenario(client: AgentClient, agent: FakeAgent) -> None:
        for _ in range(3):
            assert result(await client.execute(PING, LONG)) == b"{}"
        assert agent.syncs == 1
        assert agent.asked == [("guest-ping", {})] * 3

    run(lambda name, arguments: {}, scenario)


def test_a_silent_agent_is_given_up(run: Callable[..., None]) -> None:
    async def scenario(client: AgentClient, agent: FakeAgent) -> None:
        agent.sync = lambda number: b""
        with pytest.raises(AgentUnresponsive, match="Guest agent not available for now"):
            await client.execute(PING, LONG, SHORT)
        assert agent.asked == []

    run(lambda name, arguments: {}, scenario)


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next(run: Callable[..., None]) -> None:
    async def scenario(client: AgentClient, agent: FakeAgent) -> None:
        with pytest.raises(AgentUnresponsive):
            await client.execute(encode("guest-slow"), SHORT)
        await agent.send(b'{"return": "slow"}\n')
        assert result(await client.execute(PING, LONG)) == b'"guest-ping"'
        assert agent.syncs == 2

    run(lambda name, arguments: None if name == "guest-slow" else name, scenario)


def test_what_nobody_asked_for_is_not_taken_for_an_answer(run: Callable[..., None]) -> None:
    async def scenario(client: AgentClient, agent: FakeAgent) -> None:
        await client.execute(PING, LONG)
        await agent.send(b'{"return": "a lie"}\n{"return": "another')
        assert result(await client.execute(PING, LONG)) == b'"guest-ping"'

    run(lambda name, arguments: name, scenario)


def test_an_answer_may_come_in_pieces_with_others_before_it(run: Callable[..., None]) -> None:
    async def scenario(client: AgentClient, agent: FakeAgent) -> None:
        waiting = asyncio.ensure_future(client.execute(PING, LONG))
        await agent.heard("guest-ping")
        for piece in (b'\n{"event": "x"}\n{"QMP', b'": {}}\n{"ret', b'urn": [1,', b"2]}\n", b'{"return": 3}\n'):
            await agent.send(piece)
        assert result(await waiting) == b"[1,2]"

    run(lambda name, arguments: None, scenario)


@pytest.mark.parametrize("number", [b"0", b"null", b'"7"', b"1e3", b"9" * 40, b"{}"])
def test_only_the_number_sent_is_a_synchronization(run: Callable[..., None], number: bytes) -> None:
    async def scenario(client: AgentClient, agent: FakeAgent) -> None:
        agent.sync = lambda wanted: b'\xff{"return": %b}\n' % number
        with pytest.raises(AgentUnresponsive):
            await client.execute(PING, LONG, SHORT)
        agent.sync = lambda wanted: b'rubbish\xff{"return": %b}\n\xff\n{"return": %d}\n' % (number, wanted)
        assert result(await client.execute(PING, LONG)) == b"{}"

    run(lambda name, arguments: {}, scenario)


@pytest.mark.parametrize(
    "answer",
    [
        b"rubbish\n",
        b"[]\n",
        b"{}\n",
        b'{"answer": 1}\n',
        b'{"return": \xc3}\n',
        b'{"return": nan}\n',
        b"[" * 9999 + b"\n",
    ],
)
def test_rubbish_ends_a_command_and_no_other(run: Callable[..., None], answer: bytes) -> None:
    async def scenario(client: AgentClient, agent: FakeAgent) -> None:
        with pytest.raises(AgentGarbage):
            await client.execute(encode("guest-odd"), LONG)
        assert result(await client.execute(PING, LONG)) == b"{}"

    run(lambda name, arguments: Raw(answer) if name == "guest-odd" else {}, scenario)


def test_an_answer_without_an_end_is_not_kept(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(client: AgentClient, agent: FakeAgent) -> None:
        with pytest.raises(AgentGarbage, match="No complete agent response found in 10485760 bytes"):
            await client.execute(encode("guest-odd"), LONG)
        assert result(await client.execute(PING, LONG)) == b"{}"

    run(lambda name, arguments: Raw(b"a" * (11 << 20)) if name == "guest-odd" else {}, scenario)


def test_a_flood_of_what_is_no_answer_ends(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(client: AgentClient, agent: FakeAgent) -> None:
        with pytest.raises(AgentGarbage, match="No agent response found in 1048576 bytes"):
            await client.execute(encode("guest-odd"), None)

    monkeypatch.setattr(module, "MAX_FLOOD", 1 << 20)
    run(lambda name, arguments: Raw(b'{"event": "again"}\n' * 100_000), scenario)


def test_an_agent_that_goes_away(run: Callable[..., None]) -> None:
    async def scenario(client: AgentClient, agent: FakeAgent) -> None:
        await client.execute(PING, LONG)
        waiting = asyncio.ensure_future(client.execute(encode("guest-slow"), None))
        await agent.heard("guest-slow")
        await agent.close()
        with pytest.raises(AgentUnresponsive, match="Guest agent disappeared while executing command"):
            await waiting
        assert client.is_closed
        with pytest.raises(AgentUnresponsive, match="Guest agent disappeared"):
            await client.execute(PING, None)

    run(lambda name, arguments: None if name == "guest-slow" else {}, scenario)


@pytest.mark.parametrize("end", ["event", "close"])
def test_an_event_stands_for_the_answer(run: Callable[..., None], end: str) -> None:
    async def scenario(client: AgentClient, agent: FakeAgent) -> None:
        waiting = asyncio.ensure_future(client.execute(encode("guest-shutdown"), None, event="SHUTDOWN"))
        client.notify("SHUTDOWN")  # too early to be meant
        await agent.heard("guest-shutdown")
        client.notify("RESET")
        await asyncio.sleep(0)
        assert not waiting.done()
        if end == "event":
            client.notify("SHUTDOWN")
        else:
            client.close()
        assert await waiting is None

    run(lambda name, arguments: None, scenario)


def test_not_waiting_sends_the_command_all_the_same(run: Callable[..., None]) -> None:
    async def scenario(client: AgentClient, agent: FakeAgent) -> None:
        with pytest.raises(AgentUnresponsive, match="not available for now"):
            await client.execute(encode("guest-later"), 0)
        assert result(await client.execute(PING, LONG)) == b"{}"
        assert [name for name, _ in agent.asked] == ["guest-later", "guest-ping"]

    run(lambda name, arguments: {}, scenario)


def test_a_large_command_is_sent_as_the_agent_takes_it(run: Callable[..., None]) -> None:
    async def scenario(client: AgentClient, agent: FakeAgent) -> None:
        agent.reply = lambda name, arguments: len(arguments["data"])
        # More than a stream reader of the test takes at once: it is the agent that is overwhelmed.
        assert result(await client.execute(encode("guest-file-write", {"data": "x" * 60_000}), LONG)) == b"60000"

    run(lambda name, arguments: {}, scenario)


def test_a_peer_that_never_reads_holds_up_nobody(run: Callable[..., None]) -> None:
    async def scenario(client: AgentClient, agent: FakeAgent) -> None:
        ours, theirs = socket.socketpair()
        stuck = AgentClient(ours)
        with theirs, pytest.raises(RoostError):
            await stuck.execute(encode("guest-file-write", {"data": "x" * (4 << 20)}), SHORT, SHORT)
        stuck.close()

    run(lambda name, arguments: {}, scenario)
