"""Event registrations in both styles, and what is delivered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from roost.constants import domain_events as E
from roost.contract.events import MonitorEvent, Subscriber
from roost.contract.references import DomainRef
from roost.errors import From, InternalError, InvalidArg, NoSupport, RoostError
from roost.protocol import QEMU, REMOTE
from roost.rpc import subscriptions
from roost.wire import MessageReceived
from support.desk import WEB, Client, Desk, run

OTHER = DomainRef("other", bytes(16), 8)

#: Event fields after the domain, as drivers publish them: one example of each kind.
FIELDS: dict[int, tuple[object, ...]] = {
    E.ID_LIFECYCLE: (2, 0),
    E.ID_REBOOT: (),
    E.ID_RTC_CHANGE: (-3600,),
    E.ID_WATCHDOG: (1,),
    E.ID_IO_ERROR: ("/disk", "virtio-disk0", 1),
    E.ID_GRAPHICS: (0, (0, "127.0.0.1", "5900"), (0, "10.0.0.1", "41234"), "none", [("x509dname", "CN=me")]),
    E.ID_IO_ERROR_REASON: ("/disk", "virtio-disk0", 1, "enospc"),
    E.ID_CONTROL_ERROR: (),
    E.ID_BLOCK_JOB: ("/disk", 1, 0),
    E.ID_DISK_CHANGE: (None, "/new", "ide0", 0),
    E.ID_TRAY_CHANGE: ("ide0", 1),
    E.ID_PMWAKEUP: (),
    E.ID_PMSUSPEND: (),
    E.ID_BALLOON_CHANGE: (1 << 40,),
    E.ID_PMSUSPEND_DISK: (),
    E.ID_DEVICE_REMOVED: ("net0",),
    E.ID_BLOCK_JOB_2: ("vda", 1, 0),
    E.ID_TUNABLE: ([("cputune.cpu_shares", (4, 512))],),
    E.ID_AGENT_LIFECYCLE: (1, 2),
    E.ID_DEVICE_ADDED: ("net0",),
    E.ID_MIGRATION_ITERATION: (3,),
    E.ID_JOB_COMPLETED: ([("operation", (1, 2))],),
    E.ID_DEVICE_REMOVAL_FAILED: ("net0",),
    E.ID_METADATA_CHANGE: (2, "urn:x"),
    E.ID_BLOCK_THRESHOLD: ("vda[1]", None, 10, 20),
    E.ID_MEMORY_FAILURE: (0, 1, 2),
    E.ID_MEMORY_DEVICE_SIZE_CHANGE: ("dimm0", 1 << 33),
    E.ID_NIC_MAC_CHANGE: ("net0", "52:54:00:00:00:01", "52:54:00:00:00:02"),
    E.ID_VCPU_REMOVED: (3,),
}

POWER = (E.ID_PMWAKEUP, E.ID_PMSUSPEND, E.ID_PMSUSPEND_DISK)


async def message(client: Client) -> tuple[str, tuple[object, ...]]:
    """(name, values) of the next message."""
    event = await client.event()
    assert isinstance(event, MessageReceived)
    program = {REMOTE.number: REMOTE, QEMU.number: QEMU}[event.program]
    procedure = program.by_number[event.procedure]
    assert procedure.msg is not None
    return procedure.name, procedure.msg.decode(event.payload)


def plain(value: object) -> object:
    """Records and tuples alike as lists."""
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


async def refused(client: Client, name: str, *values: object) -> RoostError:
    with pytest.raises(RoostError) as caught:
        await client.call(name, *values)
    return caught.value


@pytest.mark.parametrize("kind", sorted(subscriptions.KINDS))
def test_every_kind_travels_in_both_styles(kind: int) -> None:
    async def test(desk: Desk) -> None:
        new, old = await desk.opened(), await desk.opened()
        assert await new.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", kind, None) == (0,)
        legacy = subscriptions.KINDS[kind].legacy
        if legacy is not None:
            await old.call("CONNECT_DOMAIN_EVENT_REGISTER_ANY", kind)
        desk.publish(kind, *FIELDS[kind])
        fields = [plain(WEB), *(plain(field) for field in FIELDS[kind])]
        name, values = await message(new)
        assert name == subscriptions.KINDS[kind].callback
        assert plain(values) == [0, *([0] if kind in POWER else []), *fields]
        if legacy is not None:
            name, values = await message(old)
            assert (name, plain(values)) == (legacy, fields)

    run("asyncio", test)


def test_kinds_and_examples_are_the_same_set() -> None:
    assert set(FIELDS) == set(subscriptions.KINDS) == set(range(29))


def test_a_registration_may_name_a_domain(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        assert await client.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", E.ID_REBOOT, OTHER) == (0,)
        assert await client.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", E.ID_REBOOT, None) == (1,)
        desk.publish(E.ID_REBOOT)
        desk.publish(E.ID_REBOOT, domain=OTHER)
        received = [(await message(client))[1] for _ in range(3)]
        assert received == [(1, WEB), (0, OTHER), (1, OTHER)]

    run(loop, test)


def test_deregistration_ends_delivery_and_ids_are_not_reused(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        assert await client.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", 0, None) == (0,)
        assert await client.call("CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY", 0) == ()
        desk.publish(0, 2, 0)
        error = await refused(client, "CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY", 0)
        assert (type(error), error.domain) == (InternalError, From.RPC)
        assert error.message == "internal error: domain event callback 0 not registered"
        assert await client.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", 0, None) == (1,)

    run(loop, test)


def test_refused_registrations(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        for name in ("CONNECT_DOMAIN_EVENT_REGISTER_ANY", "CONNECT_DOMAIN_EVENT_DEREGISTER_ANY"):
            error = await refused(client, name, 16)
            assert error.message == "internal error: unsupported event ID 16"
        error = await refused(client, "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", 99, None)
        assert (error.code, error.domain, error.message) == (1, From.RPC, "internal error: unsupported event ID 99")
        error = await refused(client, "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", -1, None)
        assert error.message == "internal error: unsupported event ID -1"
        assert await client.call("CONNECT_DOMAIN_EVENT_REGISTER") == (0,)
        error = await refused(client, "CONNECT_DOMAIN_EVENT_REGISTER")
        assert (type(error), error.domain) == (InvalidArg, From.NONE)
        assert error.message == "invalid argument: event callback already tracked"
        assert await client.call("CONNECT_DOMAIN_EVENT_DEREGISTER") == (0,)
        error = await refused(client, "CONNECT_DOMAIN_EVENT_DEREGISTER")
        assert error.message == "internal error: domain event 0 not registered"

    run(loop, test)


def test_a_backend_without_events(loop: str) -> None:
    async def test(desk: Desk) -> None:
        desk.backend.events = None
        client = await desk.opened()
        error = await refused(client, "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", 0, None)
        assert isinstance(error, NoSupport)
        assert error.message.endswith(": virConnectDomainEventRegisterAny")

    run(loop, test)


class CountingSource:
    """An event source that remembers how many came and went."""

    def __init__(self) -> None:
        self.subscribed = self.ended = 0

    def subscribe(self, event_type: type, subscriber: Subscriber) -> Callable[[], None]:
        self.subscribed += 1

        def end() -> None:
            self.ended += 1

        return end


def test_a_closed_client_is_forgotten(loop: str) -> None:
    async def test(desk: Desk) -> None:
        counting = desk.backend.events = CountingSource()
        client = await desk.opened()
        await client.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", 0, None)
        await client.call("CONNECT_DOMAIN_MONITOR_EVENT_REGISTER", None, None, 0, program=QEMU)
        await desk.client_gone(client)
        assert (counting.subscribed, counting.ended) == (2, 2)

    run(loop, test)


@pytest.mark.parametrize(
    ("wanted", "flags", "delivered"),
    [
        (None, 0, ["STOP", "RESUME", "RTC_CHANGE"]),
        ("STOP", 0, ["STOP"]),
        ("stop", 0, []),
        ("stop", 2, ["STOP"]),
        ("^R", 1, ["RESUME", "RTC_CHANGE"]),
        ("change$", 3, ["RTC_CHANGE"]),
    ],
)
def test_monitor_events(wanted: str | None, flags: int, delivered: list[str]) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        register, deregister = "CONNECT_DOMAIN_MONITOR_EVENT_REGISTER", "CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER"
        assert await client.call(register, None, wanted, flags, program=QEMU) == (0,)
        assert await client.call(register, OTHER, wanted, flags, program=QEMU) == (1,)
        with pytest.raises(InvalidArg):
            await client.call(register, None, wanted, flags, program=QEMU)
        for name in ("STOP", "RESUME", "RTC_CHANGE"):
            desk.bus.publish(MonitorEvent(WEB, name, 5, 6, "{}"))
        for name in delivered:
            assert await message(client) == ("DOMAIN_MONITOR_EVENT", (0, WEB, name, 5, 6, "{}"))
        assert await client.call(deregister, 0, program=QEMU) == ()
        with pytest.raises(InternalError, match="qemu monitor event callback 0 not registered"):
            await client.call(deregister, 0, program=QEMU)

    run("asyncio", test)


def test_monitor_expression_that_cannot_be_compiled(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        with pytest.raises(InvalidArg, match="failed to compile regex"):
            await client.call("CONNECT_DOMAIN_MONITOR_EVENT_REGISTER", None, "(", 1, program=QEMU)
        with pytest.raises(InvalidArg, match="unsupported flags"):
            await client.call("CONNECT_DOMAIN_MONITOR_EVENT_REGISTER", None, "x", 8, program=QEMU)

    run(loop, test)


def test_a_client_that_leaves_its_events_unread_is_dropped(loop: str) -> None:
    async def test(desk: Desk) -> None:
        deaf, listening = await desk.opened(), await desk.opened()
        await deaf.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", E.ID_METADATA_CHANGE, None)
        for _ in range(70):
            desk.publish(E.ID_METADATA_CHANGE, 2, "x" * 1_000_000)
        assert await listening.call("CONNECT_GET_TYPE") == ("FAKE",)
        assert len(desk.servers["roostd"].sessions) == 1

    run(loop, test)
