"""A client's way through the gates, and what holds for every call."""

from __future__ import annotations

import asyncio
import logging
import struct

import pytest

from roost.errors import (
    AuthFailed,
    From,
    InternalError,
    NoConnect,
    NoDomain,
    NoSupport,
    OperationDenied,
    OperationInvalid,
    RoostError,
    RpcError,
)
from roost.protocol import LXC, QEMU, REMOTE
from roost.rpc import access
from roost.rpc.server import Limits
from roost.wire import PingReceived, PongReceived, call, frame, ping, pong
from roost.wire.framing import CALL, ERROR, MESSAGE, OK, REPLY, STREAM
from support.desk import ADMIN, WEB, Client, Desk, run


async def refused(client: Client, name: str, *values: object, **options: object) -> RoostError:
    with pytest.raises(RoostError) as caught:
        await client.call(name, *values, **options)  # type: ignore[arg-type]
    return caught.value


def wire_error(payload: bytes) -> tuple[int, int]:
    """(code, domain) as sent; decoding turns "unknown procedure" into NoSupport."""
    code, domain = struct.unpack_from(">ii", payload)
    return code, domain


def test_open_sequence_of_the_c_client(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = desk.client()
        assert await client.call("AUTH_LIST") == ([0],)
        assert await client.call("CONNECT_SUPPORTS_FEATURE", 10) == (1,)
        assert await client.call("CONNECT_OPEN", "fake:///", 0) == ()
        assert await client.call("CONNECT_SUPPORTS_FEATURE", 14) == (1,)
        assert await client.call("CONNECT_SUPPORTS_FEATURE", 15) == (1,)
        assert await client.call("CONNECT_SUPPORTS_FEATURE", 16) == (1,)
        assert await client.call("CONNECT_SUPPORTS_FEATURE", 99) == (0,)
        assert await client.call("CONNECT_REGISTER_CLOSE_CALLBACK") == ()
        assert await client.call("CONNECT_GET_URI") == ("fake:///",)
        assert await client.call("CONNECT_GET_TYPE") == ("FAKE",)
        assert await client.call("CONNECT_GET_LIB_VERSION") == (12006000,)
        assert await client.call("DOMAIN_LOOKUP_BY_NAME", "web") == (WEB,)
        assert await client.call("CONNECT_UNREGISTER_CLOSE_CALLBACK") == ()
        assert await client.call("CONNECT_CLOSE") == ()
        with pytest.raises((EOFError, ConnectionError)):
            await client.event()

    run(loop, test)


def test_trailing_bytes_after_arguments_are_ignored(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = desk.client()
        await client.send(call(REMOTE.number, 1, REMOTE.by_name["AUTH_LIST"].number, 0, b"from an old client"))
        assert await client.result(0, "AUTH_LIST") == ([0],)

    run(loop, test)


def test_a_peer_asked_for_nothing_may_skip_auth_list_and_name(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = desk.client()
        assert await client.call("CONNECT_OPEN", "", 0) == ()
        assert await client.call("CONNECT_GET_URI") == ("fake:///",)

    run(loop, test)


def test_before_open(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = desk.client()
        error = await refused(client, "DOMAIN_LOOKUP_BY_NAME", "web")
        assert (type(error), error.domain) == (InternalError, From.RPC)
        assert error.message == "internal error: hypervisor connection not open"
        error = await refused(client, "NETWORK_LOOKUP_BY_NAME", "default")
        assert error.message == "internal error: connection not open"
        error = await refused(client, "CONNECT_SUPPORTS_FEATURE", 14)
        assert error.message == "internal error: hypervisor connection not open"

    run(loop, test)


def test_open_refusals(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = desk.client()
        error = await refused(client, "CONNECT_OPEN", None, 0)
        assert (error.code, error.domain, error.message) == (1, From.RPC, "internal error: connection not open")
        error = await refused(client, "CONNECT_OPEN", "xen:///system", 0)
        assert (type(error), error.domain) == (NoConnect, From.NONE)
        assert error.message.startswith("no connection driver available for xen:///system")
        error = await refused(client, "CONNECT_OPEN", "junk", 0)
        assert "URI 'junk' does not include a driver name" in error.message
        await client.open()
        error = await refused(client, "CONNECT_OPEN", "fake:///", 0)
        assert (error.code, error.message) == (1, "internal error: connection already open")
        assert await client.call("CONNECT_GET_TYPE") == ("FAKE",)

    run(loop, test)


def test_polkit_is_asked_for_and_refused(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "auth_type", lambda configured, peer, own_uid: configured)

    async def test(desk: Desk) -> None:
        client = desk.client(auth=access.AUTH_POLKIT)
        error = await refused(client, "CONNECT_OPEN", "fake:///", 0)
        assert (type(error), error.domain, error.message) == (RpcError, From.RPC, "authentication required")
        assert await client.call("AUTH_LIST") == ([access.AUTH_POLKIT],)
        assert isinstance(await refused(client, "AUTH_POLKIT"), AuthFailed)
        assert isinstance(await refused(client, "AUTH_SASL_INIT"), AuthFailed)
        error = await refused(client, "CONNECT_OPEN", "fake:///", 0)
        assert error.message == "authentication required"

    run(loop, test)


def test_polkit_does_not_question_root_or_the_daemons_user() -> None:
    from roost.contract.identity import Identity

    def asked(uid: int) -> int:
        return access.auth_type(access.AUTH_POLKIT, Identity(uid, 0, 1, False), own_uid=1000)

    assert (asked(0), asked(1000), asked(1001)) == (access.AUTH_NONE, access.AUTH_NONE, access.AUTH_POLKIT)


def test_too_many_unauthenticated_clients(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "auth_type", lambda configured, peer, own_uid: configured)

    async def test(desk: Desk) -> None:
        kept = [desk.client(auth=access.AUTH_POLKIT) for _ in range(3)]
        with pytest.raises((EOFError, ConnectionError)):
            await desk.client(auth=access.AUTH_POLKIT).event()
        assert await kept[2].call("AUTH_LIST") == ([access.AUTH_POLKIT],)

    run(loop, test, Limits(max_anonymous_clients=3))


@pytest.mark.parametrize(
    ("program", "version", "procedure", "status", "message"),
    [
        (REMOTE.number, 1, 9999, OK, "unknown procedure: 9999"),
        (REMOTE.number, 1, 318, OK, "unknown procedure: 318"),
        (REMOTE.number, 1, 0, OK, "unknown procedure: 0"),
        (REMOTE.number, 1, -1, OK, "unknown procedure: -1"),
        (74565, 1, 1, OK, "Cannot find program 74565 version 1"),
        (REMOTE.number, 2, 1, OK, "Cannot find program 536903814 version 2"),
        (ADMIN.number, 1, 1, OK, "Cannot find program 110102160 version 1"),
        (REMOTE.number, 1, 3, ERROR, "Unexpected message status 1"),
        (REMOTE.number, 1, 3, 77, "Unexpected message status 77"),
    ],
)
def test_wrong_headers(loop: str, program: int, version: int, procedure: int, status: int, message: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        await client.call("CONNECT_GET_TYPE")  # its route is known from now on
        await client.send(frame(program, version, procedure, CALL, 77, status))
        reply = await client.reply(77)
        assert (reply.program, reply.version, reply.procedure, reply.status) == (program, version, procedure, ERROR)
        assert wire_error(reply.payload) == (39, From.RPC)
        assert message.encode() in reply.payload
        assert await client.call("CONNECT_GET_TYPE") == ("FAKE",)

    run(loop, test)


@pytest.mark.parametrize("payload", [b"", b"\0\0", b"\0\0\0\x08web\0", struct.pack(">I", 5_000_000)])
def test_arguments_that_cannot_be_decoded(loop: str, payload: bytes) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        await client.send(call(REMOTE.number, 1, 23, 77, payload))
        reply = await client.reply(77)
        assert wire_error(reply.payload) == (39, From.RPC)
        assert b"Unable to decode message payload" in reply.payload
        assert await client.call("DOMAIN_LOOKUP_BY_NAME", "web") == (WEB,)

    run(loop, test)


def test_what_makes_no_sense_from_a_client_is_dropped(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        await client.send(frame(REMOTE.number, 1, 3, REPLY, 50, OK))
        await client.send(frame(REMOTE.number, 1, 318, MESSAGE, 0, OK))
        await client.send(frame(REMOTE.number, 1, 201, STREAM, 500, OK, b"nobody's"))
        await client.send(pong())
        serial = await client.begin("CONNECT_GET_TYPE")
        event = await client.event()
        assert getattr(event, "serial", None) == serial

    run(loop, test)


def test_unimplemented_procedures_name_their_api_and_family(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        unsupported = "this function is not supported by the connection driver: "
        error = await refused(client, "DOMAIN_SUSPEND", WEB)
        assert (type(error), error.domain, error.message) == (NoSupport, From.DOMAIN, unsupported + "virDomainSuspend")
        for name, values, domain, api in (
            ("CONNECT_NUM_OF_NETWORKS", (), From.NETWORK, "virConnectNumOfNetworks"),
            ("CONNECT_NUM_OF_INTERFACES", (), From.INTERFACE, "virConnectNumOfInterfaces"),
            ("CONNECT_LIST_ALL_STORAGE_POOLS", (1, 0), From.STORAGE, "virConnectListAllStoragePools"),
            ("CONNECT_LIST_ALL_NODE_DEVICES", (1, 0), From.NODEDEV, "virConnectListAllNodeDevices"),
            ("CONNECT_LIST_ALL_NWFILTERS", (1, 0), From.NWFILTER, "virConnectListAllNWFilters"),
            ("CONNECT_LIST_ALL_SECRETS", (1, 0), From.SECRET, "virConnectListAllSecrets"),
            ("DOMAIN_SNAPSHOT_NUM", (WEB, 0), From.DOMAIN_SNAPSHOT, "virDomainSnapshotNum"),
            ("NODE_GET_FREE_MEMORY", (), From.DOMAIN, "virNodeGetFreeMemory"),
        ):
            error = await refused(client, name, *values)
            assert (error.domain, error.message) == (domain, unsupported + api), name
        error = await refused(client, "DOMAIN_OPEN_NAMESPACE", WEB, 0, program=LXC)
        assert (error.domain, error.message) == (From.NONE, unsupported + "virDomainLxcOpenNamespace")

    run(loop, test)


def test_every_procedure_is_answered(loop: str) -> None:
    """With garbage for arguments too: nothing in the tables ends a session."""

    async def test(desk: Desk) -> None:
        client = await desk.opened()
        logging.disable(logging.CRITICAL)
        try:
            for program in (REMOTE, QEMU, LXC):
                for procedure in program:
                    if procedure.name == "CONNECT_CLOSE":
                        continue
                    await client.send(call(program.number, 1, procedure.number, procedure.number, bytes(4)))
                    assert (await client.reply(procedure.number)).procedure == procedure.number
        finally:
            logging.disable(logging.NOTSET)
        assert await client.call("CONNECT_GET_TYPE") == ("FAKE",)

    run(loop, test)


def test_readonly(loop: str) -> None:
    async def test(desk: Desk) -> None:
        by_socket, by_flag = desk.client(readonly=True), desk.client()
        await by_socket.open()
        await by_flag.open(flags=1)
        for client in (by_socket, by_flag):
            error = await refused(client, "DOMAIN_CREATE", WEB)
            assert (type(error), error.domain) == (OperationDenied, From.DOMAIN)
            assert error.message == "operation forbidden: read only access prevents virDomainCreate"
            error = await refused(client, "DOMAIN_GET_XML_DESC", WEB, 1)
            assert error.message == "operation forbidden: virDomainGetXMLDesc with secure flag"
            error = await refused(client, "DOMAIN_GET_VCPUS_FLAGS", WEB, 8)
            assert error.message == "operation forbidden: read only access prevents virDomainGetVcpusFlags"
            error = await refused(client, "DOMAIN_MONITOR_COMMAND", WEB, "info", 1, program=QEMU)
            assert (error.code, error.domain) == (29, From.NONE)
            error = await refused(client, "NETWORK_CREATE_XML", "<network/>")
            assert (error.code, error.domain) == (29, From.NETWORK)
            assert await client.call("DOMAIN_GET_XML_DESC", WEB, 0) == ("<domain/>",)
            assert await client.call("DOMAIN_LOOKUP_BY_NAME", "web") == (WEB,)

    run(loop, test)


def test_errors_of_drivers(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        error = await refused(client, "DOMAIN_LOOKUP_BY_NAME", "nope")
        assert (type(error), error.domain) == (NoDomain, From.TEST)
        assert error.message == "Domain not found: no domain with matching name 'nope'"
        assert (error.str1, error.str2, error.int1, error.int2) == (
            "Domain not found: %s",
            "no domain with matching name 'nope'",
            -1,
            -1,
        )
        error = await refused(client, "DOMAIN_DEFINE_XML", "<bad/>")
        assert isinstance(error, OperationInvalid)
        assert error.message == "Requested operation is not valid: it is bad; make it good"
        error = await refused(client, "DOMAIN_LOOKUP_BY_NAME", "bug")
        assert isinstance(error, InternalError)
        assert await client.call("DOMAIN_LOOKUP_BY_NAME", "web") == (WEB,)

    run(loop, test)
    assert "DOMAIN_LOOKUP_BY_NAME failed unexpectedly" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_lists_count_without_results_and_are_limited(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        assert await client.call("CONNECT_LIST_ALL_DOMAINS", 1, 2) == ([WEB, WEB], 2)
        assert await client.call("CONNECT_LIST_ALL_DOMAINS", 0, 2) == ([], 2)
        error = await refused(client, "CONNECT_LIST_ALL_DOMAINS", 1, 16385)
        assert error.message == "internal error: Too many domains '16385' for limit '16384'"
        error = await refused(client, "CONNECT_LIST_DOMAINS", 20000)
        assert (error.code, error.domain, error.message) == (39, From.RPC, "maxids > REMOTE_DOMAIN_LIST_MAX")
        error = await refused(client, "CONNECT_LIST_DOMAINS", -1)
        assert error.message == "maxids must be non-negative"

    run(loop, test)


def test_host_answers_take_the_wires_shape(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        assert await client.call("NODE_GET_SECURITY_MODEL") == (b"none\0", b"0\0")
        assert await client.call("NODE_GET_CPU_STATS", -1, 0, 0) == ([], 2)
        params, count = await client.call("NODE_GET_CPU_STATS", -1, 2, 0)
        assert ([tuple(param) for param in params], count) == ([("user", 5), ("idle", 6)], 2)
        error = await refused(client, "NODE_GET_CPU_STATS", -1, 3, 0)
        assert error.message == "nparams in virNodeGetCPUStats must be equal to 2"
        assert await client.call("NODE_GET_CELLS_FREE_MEMORY", 0, 1024) == ([11, 12],)
        error = await refused(client, "NODE_GET_CELLS_FREE_MEMORY", 0, 1025)
        assert error.message == "maxcells > REMOTE_NODE_MAX_CELLS"

    run(loop, test)


def test_waiting_calls_do_not_hold_up_others(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        desk.domains.gate.clear()
        define = await client.begin("DOMAIN_DEFINE_XML", "<domain/>")
        assert await client.call("DOMAIN_LOOKUP_BY_NAME", "web") == (WEB,)
        assert desk.domains.defined == []
        desk.domains.gate.set()
        assert await client.result(define, "DOMAIN_DEFINE_XML") == (WEB,)

    run(loop, test)


def test_requests_beyond_the_limit_wait_but_pings_do_not(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        desk.domains.gate.clear()
        defines = [await client.begin("DOMAIN_DEFINE_XML", f"<domain{n}/>") for n in range(3)]
        lookup = await client.begin("DOMAIN_LOOKUP_BY_NAME", "web")
        other = await desk.opened()
        assert await other.call("DOMAIN_LOOKUP_BY_NAME", "web") == (WEB,)
        assert desk.domains.defined == []
        desk.domains.gate.set()
        for serial in defines:
            assert await client.result(serial, "DOMAIN_DEFINE_XML") == (WEB,)
        assert await client.result(lookup, "DOMAIN_LOOKUP_BY_NAME") == (WEB,)

    run(loop, test, Limits(max_client_requests=2))


def test_ping_in_the_same_bytes_as_waiting_calls(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        desk.domains.gate.clear()
        define = REMOTE.by_name["DOMAIN_DEFINE_XML"]
        assert define.args is not None
        payload = define.args.encode(("<domain/>",))
        batch = b"".join(call(REMOTE.number, 1, define.number, serial, payload) for serial in range(100, 105))
        await client.send(batch + ping())
        assert isinstance(await client.event(), PongReceived)
        assert desk.domains.defined == []
        desk.domains.gate.set()
        for serial in range(100, 105):
            assert await client.result(serial, "DOMAIN_DEFINE_XML") == (WEB,)

    run(loop, test, Limits(max_client_requests=2))


def test_a_call_goes_on_when_its_client_vanishes(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        desk.domains.gate.clear()
        await client.begin("DOMAIN_DEFINE_XML", "<domain/>")
        await (await desk.opened()).call("CONNECT_GET_TYPE")
        await desk.client_gone(client)
        assert desk.domains.defined == []
        desk.domains.gate.set()
        await desk.domains.defined_one.wait()

    run(loop, test)


def test_keepalive_begins_when_asked_for_and_ends_the_silent(loop: str) -> None:
    async def test(desk: Desk) -> None:
        quiet, asking = await desk.opened(), await desk.opened()
        assert await asking.call("CONNECT_SUPPORTS_FEATURE", 10) == (1,)
        for _ in range(2):
            assert isinstance(await asking.event(), PingReceived)
        with pytest.raises((EOFError, ConnectionError)):
            await asking.event()
        assert await quiet.call("CONNECT_GET_TYPE") == ("FAKE",)

    run(loop, test, Limits(keepalive_interval=0.1, keepalive_count=2))


def test_keepalive_is_patient_with_a_client_that_waits_for_us(loop: str) -> None:
    async def test(desk: Desk) -> None:
        client = await desk.opened()
        await client.call("CONNECT_SUPPORTS_FEATURE", 10)
        desk.domains.gate.clear()
        serials = [await client.begin("DOMAIN_DEFINE_XML", "<domain/>") for _ in range(4)]
        await asyncio.sleep(0.5)
        desk.domains.gate.set()
        for serial in serials:
            assert await client.result(serial, "DOMAIN_DEFINE_XML") == (WEB,)

    run(loop, test, Limits(keepalive_interval=0.1, keepalive_count=1, max_client_requests=2))
