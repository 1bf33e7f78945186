"""What clients do to a daemon, by mistake or on purpose. It answers the others all the while, and keeps nothing."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roost.protocol import REMOTE
from roost.wire import call, frame, ping, stream_data
from roost.wire.framing import CALL, CALL_WITH_FDS, OK, STREAM
from support.daemon import RoostDaemon
from support.raw import RawClient, Refusal

URI = "test:///default"


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


@pytest.fixture(autouse=True)
def unharmed(daemon: RoostDaemon) -> Iterator[None]:
    """After each test the daemon answers, logged no surprise, and holds no more descriptors than before."""
    with RawClient(daemon.socket_path) as client:
        client.open(URI)
    before, logged = settled_descriptors(daemon), len(daemon.log)
    yield
    with RawClient(daemon.socket_path) as client:
        client.open(URI)
        assert client.call("CONNECT_GET_TYPE") == ("TEST",)
    assert settled_descriptors(daemon, at_most=before) <= before
    assert "Traceback" not in daemon.log[logged:]


def settled_descriptors(daemon: RoostDaemon, at_most: int = 0) -> int:
    """The number of the daemon's descriptors, once it has seen its clients go."""
    deadline = time.monotonic() + 20
    seen = -1
    while True:
        count = len(os.listdir(f"/proc/{daemon.pid}/fd"))
        if (count == seen and (not at_most or count <= at_most)) or time.monotonic() > deadline:
            return count
        seen = count
        time.sleep(0.05)


def is_dropped(sock: socket.socket, *, after: int = 0) -> bool:
    """Whether the daemon closed the connection, having said no more than `after` bytes."""
    received = 0
    try:
        while data := sock.recv(1 << 16):
            received += len(data)
    except ConnectionResetError:
        pass
    return received <= after


@pytest.mark.parametrize("length", [0, 1, 4, 27, 33554437, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_a_length_no_message_can_have_ends_the_connection(daemon: RoostDaemon, length: int) -> None:
    with RawClient(daemon.socket_path) as client:
        client.send(struct.pack(">I", length))
        assert is_dropped(client.sock)


def test_a_message_in_single_bytes(daemon: RoostDaemon) -> None:
    with RawClient(daemon.socket_path) as client:
        for byte in call(REMOTE.number, 1, REMOTE.by_name["AUTH_LIST"].number, 5):
            client.send(bytes([byte]))
        assert client.reply().serial == 5


def test_a_message_cut_short(daemon: RoostDaemon) -> None:
    whole = call(REMOTE.number, 1, REMOTE.by_name["CONNECT_OPEN"].number, 0, bytes(8))
    for end in range(len(whole)):
        with RawClient(daemon.socket_path) as client:
            client.send(whole[:end])


def test_the_longest_message(daemon: RoostDaemon) -> None:
    """32 MiB of arguments for a procedure without any: taken, ignored, answered."""
    with RawClient(daemon.socket_path) as client:
        answer = client.exchange(REMOTE.number, 1, REMOTE.by_name["AUTH_LIST"].number, bytes(33554408))
        assert answer == struct.pack(">II", 1, 0)


def test_a_long_message_announced_and_never_sent_takes_no_memory(daemon: RoostDaemon) -> None:
    def resident() -> int:
        return int(Path(f"/proc/{daemon.pid}/statm").read_text().split()[1]) * resource.getpagesize()

    before = resident()
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            client = stack.enter_context(RawClient(daemon.socket_path))
            client.send(struct.pack(">IIIiIII", 33554436, REMOTE.number, 1, 66, CALL, 0, OK) + bytes(1000))
        with RawClient(daemon.socket_path) as other:
            other.open(URI)
        assert resident() - before < 64 * 1024 * 1024


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_random_bytes(daemon: RoostDaemon, data: bytes) -> None:
    with RawClient(daemon.socket_path) as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        client.send(data)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    procedure=st.integers(0, 460),
    kind=st.integers(0, 7),
    status=st.integers(0, 3),
    serial=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=200),
)
def test_random_messages(
    daemon: RoostDaemon, procedure: int, kind: int, status: int, serial: int, payload: bytes
) -> None:
    """Well framed nonsense, before and after open; whoever sends it may lose the connection, and nothing else."""
    for opened in (False, True):
        with RawClient(daemon.socket_path) as client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if opened:
                client.open(URI)
            client.send(frame(REMOTE.number, 1, procedure, kind, serial, status, payload))


def test_descriptors_nobody_asked_for(daemon: RoostDaemon) -> None:
    with RawClient(daemon.socket_path) as client, Path("/dev/null").open("rb") as null:
        whole = call(REMOTE.number, 1, REMOTE.by_name["AUTH_LIST"].number, 0)
        socket.send_fds(client.sock, [whole], [null.fileno()] * 3)
        assert is_dropped(client.sock, after=36)


def test_descriptors_with_a_procedure_that_takes_none(daemon: RoostDaemon) -> None:
    with RawClient(daemon.socket_path) as client, Path("/dev/null").open("rb") as null:
        client.open(URI)
        message = frame(REMOTE.number, 1, 3, CALL_WITH_FDS, 9, OK, struct.pack(">I", 2))
        client.send(message)
        for _ in range(2):
            socket.send_fds(client.sock, [b"\0"], [null.fileno()])
        assert client.reply().serial == 9


def test_more_descriptors_than_fit(daemon: RoostDaemon) -> None:
    with RawClient(daemon.socket_path) as client, Path("/dev/null").open("rb") as null:
        socket.send_fds(client.sock, [bytes(40)], [null.fileno()] * 200)
        assert is_dropped(client.sock)


def test_two_thousand_clients(daemon: RoostDaemon) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2200:
        pytest.skip(f"only {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2200), hard))
    try:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(RawClient(daemon.socket_path)) for _ in range(2000)]
            for client in clients:
                client.open(URI)
            for client in random.Random(1).sample(clients, 200):
                assert client.call("DOMAIN_LOOKUP_BY_NAME", "test")[0].name == "test"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_client_that_stops_reading(daemon: RoostDaemon) -> None:
    """It stops being read itself; what it is owed stays bounded."""
    with RawClient(daemon.socket_path) as client:
        client.open(URI)
        asking = call(REMOTE.number, 1, REMOTE.by_name["CONNECT_GET_CAPABILITIES"].number, 7)
        client.sock.setblocking(False)
        sent = 0
        deadline = time.monotonic() + 20
        with contextlib.suppress(BlockingIOError):
            while time.monotonic() < deadline:
                sent += client.sock.send(asking * 100)
        with RawClient(daemon.socket_path) as other:
            other.open(URI)
            for _ in range(200):
                assert other.call("CONNECT_GET_TYPE") == ("TEST",)
        assert sent < 64 * 1024 * 1024


def test_a_client_that_vanishes_while_calls_run(daemon: RoostDaemon) -> None:
    define = REMOTE.by_name["DOMAIN_DEFINE_XML"]
    assert define.args is not None
    for number in range(20):
        xml = f"<domain type='test'><name>gone{number}</name><memory>1024</memory><os><type>hvm</type></os></domain>"
        with RawClient(daemon.socket_path) as client:
            client.open(URI)
            client.send(
                b"".join(call(REMOTE.number, 1, define.number, n, define.args.encode((xml,))) for n in range(8))
            )


def test_a_client_that_vanishes_in_the_middle_of_a_stream(daemon: RoostDaemon) -> None:
    class Header:
        program, version, procedure, serial = REMOTE.number, 1, REMOTE.by_name["DOMAIN_OPEN_CONSOLE"].number, 3

    with RawClient(daemon.socket_path) as client:
        client.open(URI)
        client.call("DOMAIN_OPEN_CONSOLE", ("test", bytes(16), 1), None, 0)
        for _ in range(50):
            client.send(stream_data(Header, bytes(100)))
        client.send(frame(REMOTE.number, 1, 201, STREAM, 3, OK)[:-5])


def test_pings_without_end(daemon: RoostDaemon) -> None:
    with RawClient(daemon.socket_path) as client:
        client.sock.setblocking(False)
        deadline = time.monotonic() + 10
        with contextlib.suppress(BlockingIOError):
            while time.monotonic() < deadline:
                client.sock.send(ping() * 1000)
        with RawClient(daemon.socket_path) as other:
            other.open(URI)


def test_strings_with_anything_in_them(daemon: RoostDaemon) -> None:
    with RawClient(daemon.socket_path) as client:
        client.open(URI)
        for name in ("", "x" * 4_194_304, "\udcff\udcfe", "a\0b", "%s%n", "\n", "../../etc/passwd", "\u202e"):
            assert isinstance(client.call("DOMAIN_LOOKUP_BY_NAME", name), Refusal), name
