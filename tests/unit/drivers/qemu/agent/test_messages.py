"""What the agent's bytes are cut and read into: nothing that comes may do more than fail."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roost.drivers.qemu.agent import answers as A
from roost.drivers.qemu.agent.messages import (
    AgentGarbage,
    Answer,
    LineBuffer,
    check_timeout,
    decode,
    encode_sync,
    encode_text,
    error_of,
    is_sync,
)
from roost.errors import InternalError, InvalidArg

KINDS = (
    A.Count,
    A.Nanoseconds,
    A.HostName,
    A.Many[A.Vcpu],
    A.Many[A.FileSystem],
    A.Many[A.GuestDisk],
    A.Many[A.User],
    A.OsInfo,
    A.TimeZone,
    A.Many[A.NetworkInterface],
    A.SshKeys,
)

MANY_USERS = '{"return": [' + ", ".join(['{"user": "a", "login-time": 1}'] * 4097) + "]}"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.sampled_from(
        ["name", "type", "disk", "online", "logical-id", "return", "error", "class", "desc"]
    ), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


def test_sync_is_announced() -> None:
    assert encode_sync(7) == b'\xff{"execute":"guest-sync-delimited","arguments":{"id":7}}\n'


@given(st.binary(), st.lists(st.integers(0, 64)))
def test_lines_do_not_depend_on_how_they_come(data: bytes, cuts: list[int]) -> None:
    whole, pieces = LineBuffer(), LineBuffer()
    expected = whole.feed(data)
    found: list[bytes] = []
    start = 0
    for cut in sorted(cuts):
        found += pieces.feed(data[start:cut])
        start = max(start, cut)
    found += pieces.feed(data[start:])
    # What a sentinel makes void may have been handed on before it came.
    assert found[len(found) - len(expected) :] == expected
    if b"\xff" not in data:
        assert found == expected


@given(st.lists(st.binary(max_size=40)))
def test_no_more_is_kept_than_the_limit(pieces: list[bytes]) -> None:
    buffer = LineBuffer(limit=16)
    for piece in pieces:
        with contextlib.suppress(AgentGarbage):
            assert all(len(line) <= 16 for line in buffer.feed(piece))


def test_what_comes_before_the_sentinel_is_dropped() -> None:
    buffer = LineBuffer()
    buffer.reset(skipping=True)
    assert buffer.feed(b'{"return": 1}\n{"retu') == []
    assert buffer.feed(b'rn": 2}\n\xff{"return"') == []
    assert buffer.feed(b": 3}\n\n \r\n{") == [b'{"return": 3}']


@given(st.binary() | json_values.map(msgspec.json.encode), st.integers())
def test_any_line_is_an_answer_or_rubbish(line: bytes, number: int) -> None:
    is_sync(line, number)
    with contextlib.suppress(AgentGarbage):
        answer = decode(line)
        if answer is not None:
            error_of(answer, "guest-x")


@given(json_values, st.sampled_from(KINDS))
def test_any_result_is_of_its_type_or_refused(value: object, kind: type[object]) -> None:
    answer = decode(msgspec.json.encode({"return": value}))
    assert answer is not None
    assert msgspec.json.decode(A.compact(answer, "guest-x")) == {"return": value}
    with contextlib.suppress(InternalError):
        A.read(answer, kind, "guest-x")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            '{"class": "CommandNotFound", "desc": "The command guest-x has not been found"}',
            "The command guest-x has",
        ),
        ('{"class": "CommandNotFound"}', "The command has not been found"),
        ('{"class": "Odd"}', "Odd"),
        ("{}", "unknown QEMU command error"),
        ("7", "unknown QEMU command error"),
        ('{"desc": 7}', "unknown QEMU command error"),
    ],
)
def test_refusals(error: str, words: str) -> None:
    answer = decode(f'{{"error": {error}}}'.encode())
    assert answer is not None
    refusal = error_of(answer, "guest-x")
    assert refusal is not None
    assert f"unable to execute QEMU agent command 'guest-x': {words}" in str(refusal)
    assert refusal.is_unsupported == ("CommandNotFound" in error)


def test_an_answer_is_no_refusal() -> None:
    assert error_of(Answer(result=msgspec.Raw(b"{}")), "guest-x") is None


@pytest.mark.parametrize(
    ("text", "line", "name"),
    [
        ('{"execute": "guest-ping"}', b'{"execute":"guest-ping"}\n', "guest-ping"),
        ('{"execute":\n "guest-ping",\n"arguments": {"a\\n": 1.50}}',
         b'{"execute":"guest-ping","arguments":{"a\\n":1.50}}\n', "guest-ping"),
        ("[1, 2]", b"[1,2]\n", "<unknown>"),
        ('{"execute": 1}', b'{"execute":1}\n', "<unknown>"),
    ],
)  # fmt: skip
def test_a_clients_command_is_one_line(text: str, line: bytes, name: str) -> None:
    assert encode_text(text) == (line, name)


@pytest.mark.parametrize("text", ["", "guest-ping", '{"execute": "guest-ping"', "{} {}", '{"a": "\n"}', "[" * 100_000])
def test_a_clients_rubbish_is_refused(text: str) -> None:
    with pytest.raises(InternalError, match="cannot parse json"):
        encode_text(text)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ('{"return": {}}', A.HostName, "'host-name' missing in reply of guest-x"),
        ('{"return": [{"logical-id": 0, "online": true}]}', list[A.Vcpu], "'can-offline' missing in reply of guest-x"),
        (MANY_USERS, A.Many[A.User], "malformed return value of guest-x: Expected `array` of length <= 4096"),
        ('{"return": "many"}', A.Count, "malformed return value of guest-x"),
        ('{"return": 2147483648}', A.Count, "malformed return value of guest-x"),
        ('{"return": -1}', A.Nanoseconds, "malformed return value of guest-x"),
        ('{"return": [{"user": "a", "login-time": 1e300}]}', list[A.User], "malformed return value of guest-x"),
    ],
)
def test_wrong_results_say_what_is_wrong(answer: str, kind: type[object], words: str) -> None:
    found = decode(answer.encode())
    assert found is not None
    with pytest.raises(InternalError, match=words):
        A.read(found, kind, "guest-x")


def test_timeouts() -> None:
    for seconds in (-2, -1, 0, 1, 2**31 - 1):
        check_timeout(seconds, -2)
    with pytest.raises(InvalidArg, match="guest agent timeout '-3' is less than the minimum '-2'"):
        check_timeout(-3, -2)
