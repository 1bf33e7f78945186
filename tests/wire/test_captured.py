"""Messages that libvirt 9.0's own virsh and libvirtd sent each other, one in hexadecimal per line.

Recorded between virsh and the test and QEMU drivers: each procedure's first call
and reply, events, and some errors. What one implementation wrote, the other must
read, and write again to the byte.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.protocol import PROGRAMS
from roost.wire import (
    CallReceived,
    Codec,
    Connection,
    DecodeError,
    HoleReceived,
    MessageReceived,
    PingReceived,
    PongReceived,
    ReplyReceived,
    StreamReceived,
    call,
    decode_error,
    encode_error,
    ping,
    pong,
    reply,
)
from roost.wire.framing import ERROR, MESSAGE, OK

MESSAGES = [bytes.fromhex(line) for line in Path(__file__).with_name("captured.txt").read_text().split()]


def name(data: bytes) -> str:
    program, procedure, kind = [int.from_bytes(data[at : at + 4]) for at in (4, 12, 16)]
    return f"{PROGRAMS[program].by_number[procedure].name}-{kind}-{len(data)}"


def again(codec: Codec | None, payload: bytes) -> bytes:
    """Through walking and compiled code: the bytes that come out."""
    if codec is None:
        return b""
    compiled = Codec(codec.fields, "compiled")
    compiled.compile()
    values = compiled.decode(payload)
    assert codec.decode(payload) == values
    encoded = codec.encode(values)
    assert compiled.encode(values) == encoded
    return encoded


@pytest.mark.parametrize("data", MESSAGES, ids=name)
def test_a_real_message_is_understood_and_repeated(data: bytes) -> None:
    server = int.from_bytes(data[16:20]) not in (1, 2)
    (event,) = Connection(server=server).receive_data(data)
    match event:
        case CallReceived():
            record = PROGRAMS[event.program].by_number[event.procedure]
            assert event.status == OK
            payload = again(record.args, event.payload)
            assert call(event.program, event.version, event.procedure, event.serial, payload) == data
        case ReplyReceived(status=status) if status == ERROR:
            error = decode_error(event.payload)
            assert error.message
            assert encode_error(error) == event.payload
        case ReplyReceived():
            record = PROGRAMS[event.program].by_number[event.procedure]
            assert reply(event, again(record.ret, event.payload)) == data
        case MessageReceived():
            record = PROGRAMS[event.program].by_number[event.procedure]
            assert record.is_event
            assert data[16:20] == MESSAGE.to_bytes(4)
            assert again(record.msg, event.payload) == data[28:]
        case PingReceived() | PongReceived():
            assert data in (ping(), pong())
        case _:
            pytest.fail(f"not to be seen here: {event}")


@given(
    st.sampled_from(MESSAGES), st.booleans(), st.lists(st.tuples(st.integers(0, 1499), st.integers(0, 255)), max_size=4)
)
def test_a_real_message_with_wrong_bytes_does_no_harm(data: bytes, server: bool, wrong: list[tuple[int, int]]) -> None:
    """Whatever comes of it is events and DecodeError."""
    changed = bytearray(data)
    for at, byte in wrong:
        changed[at % len(changed)] = byte
    for event in Connection(server=server).receive_data(changed):
        program = PROGRAMS.get(getattr(event, "program", 0))
        record = program.by_number.get(getattr(event, "procedure", 0)) if program else None
        if record is None or isinstance(event, StreamReceived | HoleReceived):
            continue
        codec = record.args if isinstance(event, CallReceived) else record.ret or record.msg
        for decode in (decode_error, codec.decode if codec else decode_error):
            try:
                decode(event.payload)  # type: ignore[union-attr]  # events with a program and no stream have one
            except DecodeError:
                continue


def test_the_recording_is_worth_its_name() -> None:
    seen = {name(data).rsplit("-", 2)[0] for data in MESSAGES}
    assert len(seen) > 60
    assert {"DOMAIN_LOOKUP_BY_NAME", "CONNECT_LIST_ALL_DOMAINS", "CONNECT_GET_ALL_DOMAIN_STATS"} <= seen
