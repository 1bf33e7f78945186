"""What third-party clients do on the wire that libvirt's own never does.

Each test is one trap that a client in use has shown; those about sockets, URIs
and what the daemon answers are tested where those live.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.errors import From, NoSupport, RpcError
from roost.protocol import KEEPALIVE, PROGRAMS, REMOTE, Procedure
from roost.wire import (
    CallReceived,
    Connection,
    MessageReceived,
    PingReceived,
    StreamReceived,
    call,
    decode_error,
    encode_error,
    event,
    ping,
    reply_error,
    stream_data,
    stream_finish,
)
from roost.wire.framing import CONTINUE, OK


def received(data: bytes) -> CallReceived:
    (call,) = Connection(server=True).receive_data(data)
    assert isinstance(call, CallReceived)
    return call


def decoded(record: Procedure, payload: bytes) -> tuple[object, ...]:
    assert record.args is not None
    return record.args.decode(payload)


def test_trap_1_any_flag_but_zero_is_true() -> None:
    """go-libvirt sends an optional string's flag as 0x01000000."""
    record = REMOTE.by_name["CONNECT_OPEN"]
    payload = b"\1\0\0\0\0\0\0\4test\0\0\0\0"
    assert decoded(record, received(call(REMOTE.number, 1, 1, 1, payload)).payload) == ("test", 0)


def test_trap_2_a_void_call_may_have_a_payload() -> None:
    """Old clients send one with AUTH_LIST."""
    record = REMOTE.by_name["AUTH_LIST"]
    assert record.args is None
    (first, second) = Connection(server=True).receive_data(
        call(REMOTE.number, 1, record.number, 0, bytes(8)) + call(REMOTE.number, 1, record.number, 1)
    )
    assert isinstance(first, CallReceived)
    assert isinstance(second, CallReceived)
    assert (first.payload, second.payload) == (bytes(8), b"")


def test_trap_2_what_follows_the_arguments_is_ignored() -> None:
    record = REMOTE.by_name["DOMAIN_LOOKUP_BY_ID"]
    assert decoded(record, b"\0\0\0\5" + b"anything") == (5,)


def test_trap_3_an_unknown_procedure_is_told_by_its_text() -> None:
    error = RpcError(f"unknown procedure: {9999}", domain=From.RPC)
    made = reply_error(received(call(REMOTE.number, 1, 9999, 4)), error)
    again = decode_error(made[28:])
    assert (type(again), again.message) == (NoSupport, "unknown procedure: 9999")


def test_trap_3_no_error_is_without_a_message() -> None:
    for error in (RpcError(), RpcError(""), RpcError("x")):
        error.args = ("",)
        assert encode_error(error)[8:12] == b"\0\0\0\1"


def test_trap_5_the_connection_never_pings_by_itself() -> None:
    """go-libvirt never answers one: whoever holds the connection pings only a client that asked."""
    connection = Connection(server=True)
    assert connection.receive_data(ping()) == [PingReceived()]
    assert [name for name in dir(connection) if "ping" in name] == []


def test_trap_6_an_event_does_not_take_a_pending_serial() -> None:
    """Some clients route every message by serial alone: theirs count up from 0 or 1, and registering was a call."""
    record = REMOTE.by_name["DOMAIN_EVENT_CALLBACK_REBOOT"]
    assert record.msg is not None
    data = event(REMOTE.number, 1, record.number, record.msg.encode((0, ("vm", bytes(16), 1))))
    assert data[20:24] == bytes(4)
    assert [type(event) for event in Connection(server=False).receive_data(data)] == [MessageReceived]


def test_trap_6_every_callback_event_has_its_callback_first() -> None:
    for record in REMOTE:
        if record.is_event and "CALLBACK" in record.name:
            assert record.msg is not None
            assert record.msg.fields[0][0] == "callback_id"


@pytest.mark.parametrize("size", [0, 1, 65536, 262120, 262144, 4 << 20, 33554408])
def test_trap_7_uploads_come_in_packets_of_any_size(size: int) -> None:
    upload = CallReceived(REMOTE.number, 1, 208, 3, OK, b"", ())
    (packet,) = Connection(server=True).receive_data(stream_data(upload, bytes(size)))
    assert packet == StreamReceived(REMOTE.number, 1, 208, 3, CONTINUE, bytes(size))


def test_trap_7_the_end_of_a_download_is_either_an_empty_packet_or_a_finish() -> None:
    download = CallReceived(REMOTE.number, 1, 209, 3, OK, b"", ())
    events = Connection(server=False).receive_data(stream_data(download, b"") + stream_finish(download))
    assert [(packet.status, packet.payload) for packet in events if isinstance(packet, StreamReceived)] == [
        (CONTINUE, b""),
        (OK, b""),
    ]


def test_trap_8_network_update_has_the_command_before_the_section() -> None:
    record = REMOTE.by_name["NETWORK_UPDATE"]
    assert record.args is not None
    assert [name for name, _ in record.args.fields] == ["net", "command", "section", "parent_index", "xml", "flags"]


def test_trap_9_whatever_is_called_can_be_answered() -> None:
    """Unknown programs, versions and procedures, wrong status: all are calls, with what a reply needs."""
    for program, version, procedure in ((1, 1, 1), (REMOTE.number, 9, 1), (REMOTE.number, 1, -1), (0xFFFFFFFF, 0, 0)):
        made = reply_error(received(call(program, version, procedure, 5)), RpcError("x"))
        assert made[4:16] == call(program, version, procedure, 5)[4:16]
        assert made[16:24] == b"\0\0\0\1\0\0\0\5"


def test_trap_12_newer_procedures_are_known_by_number() -> None:
    assert [REMOTE.by_number[number].name for number in (444, 456)] == [
        "NETWORK_SET_METADATA",
        "DOMAIN_ANNOUNCE_INTERFACE",
    ]
    assert 457 not in REMOTE.by_number


def test_trap_13_a_name_may_be_empty_as_well_as_missing() -> None:
    """elixir-libvirt opens with the name ""; a missing name is something else."""
    record = REMOTE.by_name["CONNECT_OPEN"]
    assert decoded(record, b"\0\0\0\1\0\0\0\0\0\0\0\0") == ("", 0)
    assert decoded(record, b"\0\0\0\0\0\0\0\0") == (None, 0)


def test_keepalive_is_no_call_of_any_other_program() -> None:
    assert {record.name: record.number for record in KEEPALIVE} == {"PING": 1, "PONG": 2}
    for number in PROGRAMS:
        assert Connection(server=True).receive_data(event(number, 1, 1, b"")) == (
            [PingReceived()] if number == KEEPALIVE.number else []
        )


def test_every_trap_that_concerns_the_wire_is_here() -> None:
    """4, 10 and 11 are about TLS, authentication and socket names."""
    text = Path(__file__).read_text()
    assert [number for number in range(1, 14) if f"test_trap_{number}_" not in text] == [4, 10, 11]
