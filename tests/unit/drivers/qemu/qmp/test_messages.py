"""QMP's lines: cut, decoded, refused."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.drivers.qemu.qmp.messages import LineBuffer, Message, QmpClosed, decode, encode, to_event

LINES = b'{"return": {}, "id": "a"}\r\n{"event": "STOP"}\r\n{"return": 1}\r\n'


@given(st.lists(st.integers(0, len(LINES)), max_size=12))
def test_lines_do_not_depend_on_how_they_arrive(cuts: list[int]) -> None:
    buffer, found, places = LineBuffer(), [], [0, *sorted(cuts), len(LINES)]
    for start, end in itertools.pairwise(places):
        found += buffer.feed(LINES[start:end])
    assert [line.strip() for line in found] == LINES.split(b"\r\n")[:-1]


def test_a_line_that_never_ends() -> None:
    buffer = LineBuffer(limit=10)
    buffer.feed(b"12345\n12345")
    with pytest.raises(QmpClosed, match="more than 10 bytes"):
        buffer.feed(b"678901")


@given(st.binary(max_size=200))
def test_garbage_is_one_clear_error(data: bytes) -> None:
    with contextlib.suppress(QmpClosed):  # nothing else may come out of it
        assert isinstance(decode(data), Message)


@pytest.mark.parametrize("line", [b"", b"[]", b"nonsense", b'{"return"', b'{"event": 5}', b"[" * 100_000, b'"\xff"'])
def test_what_is_not_qmp(line: bytes) -> None:
    with pytest.raises(QmpClosed, match="is not QEMU"):
        decode(line)


def test_an_event() -> None:
    line = b'{"event":"SHUTDOWN","data":{"guest":true},"timestamp":{"seconds":5,"microseconds":6}}'
    event = to_event(decode(line))
    assert (event.name, event.data, event.seconds, event.micros) == ("SHUTDOWN", {"guest": True}, 5, 6)
    assert event.raw == b'{"guest":true}'
    assert to_event(decode(b'{"event":"STOP","timestamp":{"seconds":-1,"microseconds":-1}}')).data == {}


def test_a_command() -> None:
    assert encode("stop", None) == b'{"execute":"stop"}'
    assert encode("stop", {"a": [1]}, "x-2") == b'{"execute":"stop","id":"x-2","arguments":{"a":[1]}}'
