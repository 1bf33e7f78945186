"""Messages as bytes."""

from __future__ import annotations

import pytest

from roost.errors import NoDomain
from roost.wire import (
    CallReceived,
    EncodeError,
    call,
    decode_error,
    event,
    fd_pieces,
    frame,
    ping,
    pong,
    reply,
    reply_error,
    stream_abort,
    stream_data,
    stream_finish,
    stream_hole,
)

CALL = CallReceived(0x20008086, 1, 208, 7, 0, b"", ())


def words(text: str) -> bytes:
    return bytes.fromhex(text.replace("|", ""))


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (
            call(0x20008086, 1, 23, 7, b"args"),
            "20|20008086|1|17|0|7|0|61726773",
        ),
        (call(0x20008086, 1, 249, 7, b"args", 2), "24|20008086|1|f9|4|7|0|2|61726773"),
        (reply(CALL, b"ret!"), "20|20008086|1|d0|1|7|0|72657421"),
        (reply(CALL), "1c|20008086|1|d0|1|7|0"),
        (reply(CALL, b"ret!", 1), "24|20008086|1|d0|5|7|0|1|72657421"),
        (event(0x20008086, 1, 318, b"msg!"), "20|20008086|1|13e|2|0|0|6d736721"),
        (ping(), "1c|6b656570|1|1|2|0|0"),
        (pong(), "1c|6b656570|1|2|2|0|0"),
        (stream_data(CALL, b"data"), "20|20008086|1|d0|3|7|2|64617461"),
        (stream_data(CALL, b""), "1c|20008086|1|d0|3|7|2"),
        (stream_hole(CALL, 2**32, 0), "28|20008086|1|d0|6|7|2|1|0|0"),
        (stream_finish(CALL), "1c|20008086|1|d0|3|7|0"),
        (stream_abort(CALL), "1c|20008086|1|d0|3|7|1"),
        (frame(1, 2, -1, 4, 5, 6), "1c|1|2|ffffffff|4|5|6"),
    ],
)
def test_every_kind_of_message(made: bytes, expected: str) -> None:
    assert made == b"".join([bytes.fromhex(word.rjust(8, "0")) for word in expected.split("|")])


def test_errors_of_calls_and_streams() -> None:
    error = NoDomain("x", domain=10)
    for made, kind in ((reply_error(CALL, error), 1), (stream_abort(CALL, error), 3)):
        assert made[:28] == len(made).to_bytes(4) + words("20008086|00000001|000000d0") + kind.to_bytes(4) + words(
            "00000007|00000001"
        )
        assert decode_error(made[28:]).message == "Domain not found: x"


def test_no_message_is_longer_than_peers_accept() -> None:
    assert len(reply(CALL, bytes(33554408))) == 33554436
    with pytest.raises(EncodeError, match="a message of 33554437 bytes, at most 33554436 fit"):
        reply(CALL, bytes(33554409))


def test_descriptors_follow_one_by_one() -> None:
    assert fd_pieces([5, 6]) == [(b"\0", 5), (b"\0", 6)]
    assert len(call(1, 1, 1, 1, b"", 32)) == 32
    with pytest.raises(EncodeError, match="33 descriptors, at most 32 fit"):
        call(1, 1, 1, 1, b"", 33)
    with pytest.raises(EncodeError, match="33 descriptors, at most 32 fit"):
        reply(CALL, b"", 33)


@pytest.mark.parametrize(("length", "flags"), [(2**63, 0), (0, -1), ("1", 0)])
def test_a_hole_of_no_size_is_refused(length: int, flags: int) -> None:
    with pytest.raises(EncodeError):
        stream_hole(CALL, length, flags)
