"""contract.agent over a fake agent: who may ask when, what is sent, and what becomes of odd answers."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from roost.constants import domain as D
from roost.constants import node
from roost.contract.references import DomainRef
from roost.drivers.qemu.agent import AgentLink
from roost.drivers.qemu.agent.service import QemuGuestAgent
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Facts
from roost.engine.record import Record
from roost.engine.table import DomainTable
from roost.errors import (
    AgentUnresponsive,
    ArgumentUnsupported,
    From,
    InternalError,
    InvalidArg,
    NoConnect,
    NoHostname,
    OperationInvalid,
    OperationUnsupported,
    RoostError,
)
from roost.model import domain as model
from support.agents import FakeAgent, Raw, Reply

DOCUMENT = """<domain type='qemu'><name>a</name><memory>65536</memory><vcpu>2</vcpu>
<os><type arch='x86_64'>hvm</type></os>{pm}<devices>{devices}</devices></domain>"""
CHANNEL = (
    """<channel type='{kind}'>{source}<target type='virtio' name='org.qemu.guest_agent.0' state='{state}'/></channel>"""
)
NIC = """<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='b'/>
<target dev='vnet7'/></interface>"""
VCPUS = [{"logical-id": number, "online": True, "can-offline": number > 0} for number in range(2)]


class Bench:
    """A running domain whose agent is the test's."""

    def __init__(self, agent: FakeAgent, path: Path, **changes: str) -> None:
        self.agent = agent
        self.qmp: list[str] = []
        self.machine = {"wakeup-suspend-support": True}
        self.saved = 0
        wanted = {"kind": "unix", "source": f"<source mode='bind' path='{path}'/>", "state": "connected"} | changes
        devices = NIC if changes.get("kind") == "" else CHANNEL.format(**wanted) + NIC + changes.get("more", "")
        table: DomainTable[Any] = DomainTable(From.QEMU)
        self.record: Record[Any] = table.add("a", bytes(16))
        self.ref = DomainRef("a", bytes(16), 1)
        self.record.live = model.parse(DOCUMENT.format(devices=devices, pm=changes.get("pm", "")), live=True)
        table.activate(self.record, 1)
        self.record.set_state(D.RUNNING, D.RUNNING_BOOTED)
        log = SimpleNamespace(taint=lambda *_: None)
        monitor = SimpleNamespace(execute=self._execute)
        self.guest = SimpleNamespace(agent=AgentLink(), facts=Facts(), log=log, monitor=monitor)
        self.record.runtime = self.guest
        network = SimpleNamespace(
            neighbours=lambda: [("192.0.2.9", "52:54:00:00:00:01"), ("192.0.2.8", "52:54:00:0:0:2")]
        )
        context = SimpleNamespace(table=table, save=self._save, host=SimpleNamespace(network=network))
        self.service = QemuGuestAgent(cast("Context", context))
        self.guest.agent.follow(self.record.live)

    async def _execute(self, command: str) -> object:
        self.qmp.append(command)
        return self.machine

    def _save(self, record: object) -> None:
        self.saved += 1


def run(reply: Reply, scenario: Callable[[Bench], Awaitable[None]], **changes: str) -> FakeAgent:
    async def main() -> FakeAgent:
        with tempfile.TemporaryDirectory(prefix="roost-agent-", dir="/tmp") as directory:
            agent = FakeAgent(reply)
            path = Path(directory, "agent")
            await agent.serve(path)
            bench = Bench(agent, path, **changes)
            try:
                async with asyncio.timeout(60):
                    await scenario(bench)
            finally:
                bench.guest.agent.close()
                await agent.close()
            return agent

    return asyncio.run(main())


def nothing(name: str, arguments: dict[str, Any]) -> object:
    return {}


Ask = Callable[[Bench], Awaitable[object]]

#: What is asked -> what the agent is sent.
SENT: list[tuple[Ask, str, dict[str, Any]]] = [
    (lambda b: b.service.freeze(b.ref, [], 0), "guest-fsfreeze-freeze", {}),
    (lambda b: b.service.freeze(b.ref, ["/"], 0), "guest-fsfreeze-freeze-list", {"mountpoints": ["/"]}),
    (lambda b: b.service.thaw(b.ref, [], 0), "guest-fsfreeze-thaw", {}),
    (lambda b: b.service.trim(b.ref, None, 2**63, 0), "guest-fstrim", {"minimum": 2**63}),
    (lambda b: b.service.set_time(b.ref, 3, 4, 0), "guest-set-time", {"time": 3_000_000_004}),
    (lambda b: b.service.set_time(b.ref, 3, 4, D.TIME_SYNC), "guest-set-time", {}),
    (
        lambda b: b.service.set_password(b.ref, "root", "pä", D.PASSWORD_ENCRYPTED),
        "guest-set-user-password",
        {"crypted": True, "username": "root", "password": "cMOk"},
    ),
    (
        lambda b: b.service.set_ssh_keys(b.ref, "u", ["k"], 0),
        "guest-ssh-add-authorized-keys",
        {"username": "u", "keys": ["k"], "reset": True},
    ),
    (
        lambda b: b.service.set_ssh_keys(b.ref, "u", ["k"], D.AUTHORIZED_SSH_KEYS_SET_APPEND),
        "guest-ssh-add-authorized-keys",
        {"username": "u", "keys": ["k"], "reset": False},
    ),
    (
        lambda b: b.service.set_ssh_keys(b.ref, "u", ["k"], D.AUTHORIZED_SSH_KEYS_SET_REMOVE),
        "guest-ssh-remove-authorized-keys",
        {"username": "u", "keys": ["k"]},
    ),
    (
        lambda b: b.service.command(b.ref, '{"execute": "guest-x", "arguments": {"a": 1}}', -1, 0),
        "guest-x",
        {"a": 1},
    ),
]


@pytest.mark.parametrize(("ask", "name", "arguments"), SENT, ids=[f"{sent[1]}-{n}" for n, sent in enumerate(SENT)])
def test_what_is_sent(ask: Ask, name: str, arguments: dict[str, Any]) -> None:
    async def scenario(bench: Bench) -> None:
        await ask(bench)

    agent = run(lambda *_: 2, scenario)
    assert agent.asked == [(name, arguments)]


EVERY: list[Ask] = [
    *(ask for ask, _, _ in SENT),
    lambda b: b.service.file_systems(b.ref, 0),
    lambda b: b.service.time(b.ref, 0),
    lambda b: b.service.info(b.ref, 0, 0),
    lambda b: b.service.hostname(b.ref, 0),
    lambda b: b.service.addresses(b.ref, D.INTERFACE_ADDRESSES_SRC_AGENT, 0),
    lambda b: b.service.ssh_keys(b.ref, "u", 0),
    lambda b: b.service.vcpus(b.ref, 0),
    lambda b: b.service.set_vcpus(b.ref, "1", 1, 0),
    lambda b: b.service.vcpu_count(b.ref, D.VCPU_GUEST),
    lambda b: b.service.set_vcpu_count(b.ref, 1, D.VCPU_GUEST),
    lambda b: b.service.suspend(b.ref, node.SUSPEND_TARGET_MEM, 0, 0),
]


@pytest.mark.parametrize("number", range(len(EVERY)))
def test_without_an_agent(number: int) -> None:
    def refused(error: type[RoostError], words: str) -> Callable[[Bench], Awaitable[None]]:
        async def scenario(bench: Bench) -> None:
            with pytest.raises(error, match=words):
                await EVERY[number](bench)

        return scenario

    run(nothing, refused(ArgumentUnsupported, "QEMU guest agent is not configured"), kind="")
    run(nothing, refused(AgentUnresponsive, "QEMU guest agent is not connected"), state="disconnected")
    wrong = refused(AgentUnresponsive, "QEMU guest agent is not available due to an error")
    run(nothing, wrong, kind="pty", source="")
    run(nothing, wrong, source="<source mode='bind' path='/nowhere/agent'/>")

    async def paused(bench: Bench) -> None:
        bench.record.set_state(D.PAUSED, D.PAUSED_USER)
        await refused(OperationInvalid, "domain is not running")(bench)

    run(nothing, paused)


@pytest.mark.parametrize("number", range(len(EVERY)))
@pytest.mark.parametrize(
    "answer", [b"rubbish\n", b'{"return": [[[7]]]}\n', b'{"error": {"desc": "no"}}\n', b'{"return": ""}\n']
)
def test_odd_answers_are_errors_at_most(number: int, answer: bytes) -> None:
    async def scenario(bench: Bench) -> None:
        try:
            await EVERY[number](bench)
        except (InternalError, InvalidArg) as error:
            assert "guest-" in str(error) or "json" in str(error) or "agent" in str(error), error  # noqa: PT017 - one of many
        assert bench.guest.agent.is_connected
        assert bench.guest.agent.job.holder is None

    run(lambda *_: Raw(answer), scenario)


def test_callers_take_turns_and_reads_of_the_host_do_not_wait() -> None:
    async def scenario(bench: Bench) -> None:
        answers = await asyncio.gather(*(bench.service.time(bench.ref, 0) for _ in range(5)))
        assert answers == [(1, 5)] * 5
        bench.agent.reply = lambda name, arguments: None
        waiting = asyncio.ensure_future(bench.service.time(bench.ref, 0))
        await bench.agent.heard("guest-get-time")
        second = asyncio.ensure_future(bench.service.hostname(bench.ref, 0))
        await asyncio.sleep(0)
        found = await bench.service.addresses(bench.ref, D.INTERFACE_ADDRESSES_SRC_ARP, 0)
        assert found == [("vnet7", "52:54:00:00:00:01", [(0, "192.0.2.9", 0)])]
        bench.service.set_response_timeout(bench.ref, 5, 0)
        assert bench.guest.agent.timeout == 5
        assert bench.saved == 1
        bench.guest.agent.close()
        for pending in (waiting, second):
            with pytest.raises(AgentUnresponsive):
                await pending

    run(lambda *_: 1_000_000_005, scenario)


def test_a_channel_that_could_not_be_reached_is_tried_again() -> None:
    async def scenario(bench: Bench) -> None:
        bench.guest.agent.close()
        assert not bench.guest.agent.is_connected
        assert await bench.service.hostname(bench.ref, 0) == "web"

    run(lambda *_: {"host-name": "web"}, scenario)


def test_a_response_timeout_is_what_is_waited() -> None:
    async def scenario(bench: Bench) -> None:
        bench.service.set_response_timeout(bench.ref, 0, 0)
        with pytest.raises(AgentUnresponsive, match="Guest agent not available for now"):
            await bench.service.hostname(bench.ref, 0)
        with pytest.raises(InvalidArg, match="guest agent timeout '-3' is less than the minimum '-2'"):
            bench.service.set_response_timeout(bench.ref, -3, 0)
        bench.service.set_response_timeout(bench.ref, 30, 0)
        assert await bench.service.hostname(bench.ref, 0) == "web"

    run(lambda *_: {"host-name": "web"}, scenario)


def test_a_guest_that_ends_or_pauses_meanwhile() -> None:
    async def scenario(bench: Bench) -> None:
        def stop(name: str, arguments: dict[str, Any]) -> object:
            bench.record.set_state(D.PAUSED, D.PAUSED_USER)
            return VCPUS

        bench.agent.reply = stop
        with pytest.raises(OperationInvalid, match="domain is not running"):
            await bench.service.set_vcpus(bench.ref, "1", 0, 0)

    agent = run(nothing, scenario)
    assert [name for name, _ in agent.asked] == ["guest-get-vcpus"]


def test_processors_are_switched_until_all_are() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.service.set_vcpus(bench.ref, "0-1", 1, 0)
        await bench.service.set_vcpu_count(bench.ref, 1, D.VCPU_GUEST)
        assert await bench.service.vcpu_count(bench.ref, D.VCPU_GUEST | D.VCPU_MAXIMUM) == 2
        with pytest.raises(InvalidArg, match=r"requested vcpu count is greater than .*: 3 > 2"):
            await bench.service.set_vcpu_count(bench.ref, 3, D.VCPU_GUEST)
        with pytest.raises(InvalidArg, match="Failed to parse bitmap 'x'"):
            await bench.service.set_vcpus(bench.ref, "x", 1, 0)

    agent = run(lambda name, arguments: VCPUS if name == "guest-get-vcpus" else 1, scenario)
    changed = [arguments["vcpus"] for name, arguments in agent.asked if name == "guest-set-vcpus"]
    assert [[vcpu["logical-id"] for vcpu in each] for each in changed] == [[0, 1], [1], [1]]


@pytest.mark.parametrize("answer", [0, -1, 2, "x"])
def test_an_agent_that_has_switched_what_cannot_be(answer: object) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(InternalError, match="malformed"):
            await bench.service.set_vcpus(bench.ref, "1", 0, 0)

    run(lambda name, arguments: VCPUS if name == "guest-get-vcpus" else answer, scenario)


def test_all_information_is_what_the_agent_knows() -> None:
    def reply(name: str, arguments: dict[str, Any]) -> object:
        if name in ("guest-get-users", "guest-get-disks"):
            return Raw(b'{"error": {"class": "CommandNotFound", "desc": "has not been found"}}\n')
        return {
            "guest-get-osinfo": {"id": "debian"},
            "guest-get-timezone": {"offset": 0},
            "guest-get-host-name": {"host-name": "web"},
        }.get(name, [])

    async def scenario(bench: Bench) -> None:
        found = await bench.service.info(bench.ref, 0, 0)
        assert [param.field for param in found] == ["os.id", "timezone.offset", "hostname"]
        with pytest.raises(InternalError, match="unable to execute QEMU agent command 'guest-get-users'"):
            await bench.service.info(bench.ref, D.GUEST_INFO_USERS, 0)
        with pytest.raises(InvalidArg, match="unsupported guest information types '0x100'"):
            await bench.service.info(bench.ref, 0x101, 0)

    run(reply, scenario)


def test_more_is_not_told_than_a_reply_can_carry() -> None:
    async def scenario(bench: Bench) -> None:
        assert len(await bench.service.info(bench.ref, D.GUEST_INFO_USERS, 0)) == 2049

    run(lambda *_: [{"user": "a", "login-time": 1}] * 4000, scenario)


def test_file_systems_are_told_in_the_order_of_mounting() -> None:
    mounted: list[dict[str, object]] = [
        {"mountpoint": path, "name": "x", "type": "ext4", "disk": []} for path in ("/a/b", "/a", "/")
    ]

    async def scenario(bench: Bench) -> None:
        found = await bench.service.file_systems(bench.ref, 0)
        assert [each.mountpoint for each in found] == ["/", "/a", "/a/b"]

    run(lambda *_: mounted, scenario)


def test_an_answer_that_no_reply_can_carry() -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(InternalError, match=r"the answer to guest-x has .* the limit is 4194304"):
            await bench.service.command(bench.ref, '{"execute": "guest-x"}', -1, 0)
        assert bench.guest.facts.taints == ("custom-ga-command",)

    run(lambda *_: "a" * (5 << 20), scenario)


def test_suspending() -> None:
    async def scenario(bench: Bench) -> None:
        waiting = asyncio.ensure_future(bench.service.suspend(bench.ref, node.SUSPEND_TARGET_DISK, 0, 0))
        await bench.agent.heard("guest-suspend-disk")
        bench.guest.agent.notify("SUSPEND")
        await waiting
        with pytest.raises(ArgumentUnsupported, match="Duration not supported"):
            await bench.service.suspend(bench.ref, node.SUSPEND_TARGET_MEM, 5, 0)
        with pytest.raises(InvalidArg, match="Unknown suspend target: 3"):
            await bench.service.suspend(bench.ref, 3, 0, 0)
        for target in (node.SUSPEND_TARGET_MEM, node.SUSPEND_TARGET_HYBRID):
            with pytest.raises(InternalError, match="S3 state is disabled for this domain"):
                await bench.service.suspend(bench.ref, target, 0, 0)
        bench.machine = {"wakeup-suspend-support": False}
        with pytest.raises(OperationUnsupported, match="Domain does not have suspend support"):
            await bench.service.suspend(bench.ref, node.SUSPEND_TARGET_DISK, 0, 0)

    run(lambda *_: None, scenario, pm="<pm><suspend-to-mem enabled='no'/></pm>")


def test_setting_the_time_leaves_no_ticks_behind() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.service.set_time(bench.ref, 1, 0, 0)
        assert bench.qmp == ["rtc-reset-reinjection"]
        with pytest.raises(InvalidArg, match="Time '9223372037' is too big for guest agent"):
            await bench.service.set_time(bench.ref, 9223372037, 0, 0)

    run(nothing, scenario)


def test_arguments_that_nobody_is_asked_about() -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(ArgumentUnsupported, match="specifying mountpoints is not supported"):
            await bench.service.thaw(bench.ref, ["/"], 0)
        with pytest.raises(ArgumentUnsupported, match="Specifying mount point is not supported for now"):
            await bench.service.trim(bench.ref, "/", 0, 0)
        with pytest.raises(ArgumentUnsupported, match="Unknown IP address data source 3"):
            await bench.service.addresses(bench.ref, 3, 0)
        with pytest.raises(InvalidArg, match="user in virDomainSetUserPassword must not be NULL"):
            await bench.service.set_password(bench.ref, None, "x", 0)
        with pytest.raises(InvalidArg, match="are mutually exclusive"):
            await bench.service.hostname(bench.ref, D.GET_HOSTNAME_AGENT | D.GET_HOSTNAME_LEASE)
        with pytest.raises(InvalidArg, match="unsupported state value"):
            await bench.service.set_vcpus(bench.ref, "0", 2, 0)
        with pytest.raises(InternalError, match="cannot parse json"):
            await bench.service.command(bench.ref, "guest-ping", -1, 0)

    assert run(nothing, scenario).asked == []


def test_leases_are_those_of_networks() -> None:
    async def without(bench: Bench) -> None:
        assert await bench.service.addresses(bench.ref, D.INTERFACE_ADDRESSES_SRC_LEASE, 0) == []
        with pytest.raises(NoHostname, match="no hostname found for domain a"):
            await bench.service.hostname(bench.ref, D.GET_HOSTNAME_LEASE)

    async def with_network(bench: Bench) -> None:
        with pytest.raises(NoConnect, match="no network driver is here yet"):
            await bench.service.addresses(bench.ref, D.INTERFACE_ADDRESSES_SRC_LEASE, 0)
        with pytest.raises(NoConnect, match="no network driver is here yet"):
            await bench.service.hostname(bench.ref, D.GET_HOSTNAME_LEASE)

    run(nothing, without)
    run(nothing, with_network, more="<interface type='network'><source network='n'/></interface>")
