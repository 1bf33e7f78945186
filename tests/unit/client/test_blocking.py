"""The blocking client against an end that answers as told."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from roost import wire
from roost.client.blocking import Client
from roost.client.transport import ConnectionLost
from roost.errors import AuthUnavailable, NoDomain, NoSupport, RoostError, SystemCallError
from roost.protocol import REMOTE
from roost.protocol.types import Domain
from support.answers import Answers

WEB = Domain("web", bytes(range(16)), 7)


@pytest.fixture
def daemon() -> Iterator[Answers]:
    with Answers() as answers:
        yield answers


@pytest.fixture
def client(daemon: Answers) -> Iterator[Client]:
    made = connect(daemon)
    yield made
    made.abandon()


def connect(daemon: Answers, keepalive: tuple[float, int] = (0, 0)) -> Client:
    made = Client(daemon.client_socket(), keepalive=keepalive)
    try:
        made.handshake("qemu:///system")
    except BaseException:
        made.abandon()
        raise
    return made


def test_opening_sequence(daemon: Answers) -> None:
    client = connect(daemon, keepalive=(5, 6))
    client.close()
    assert daemon.calls == [
        ("AUTH_LIST", ()),
        ("CONNECT_SUPPORTS_FEATURE", (10,)),
        ("CONNECT_OPEN", ("qemu:///system", 0)),
        ("CONNECT_CLOSE", ()),
    ]


def test_read_only_is_a_flag(daemon: Answers) -> None:
    client = Client(daemon.client_socket())
    client.handshake("qemu:///system", read_only=True)
    client.abandon()
    assert daemon.calls[-1] == ("CONNECT_OPEN", ("qemu:///system", 1))


def test_polkit_is_asked_for(daemon: Answers) -> None:
    daemon.answers |= {"AUTH_LIST": lambda: ([2],), "AUTH_POLKIT": lambda: (1,)}
    connect(daemon).close()
    assert daemon.calls[1] == ("AUTH_POLKIT", ())


def test_sasl_is_refused_with_a_way_out(daemon: Answers) -> None:
    daemon.answers["AUTH_LIST"] = lambda: ([1],)
    with pytest.raises(AuthUnavailable, match=r"asks for SASL; .*unix socket"):
        connect(daemon)


def test_call_and_result(daemon: Answers, client: Client) -> None:
    daemon.answers["DOMAIN_LOOKUP_BY_NAME"] = lambda name: (WEB,)
    (domain,) = client.call("DOMAIN_LOOKUP_BY_NAME", "web")
    assert domain == WEB
    assert domain.name == "web"
    assert daemon.calls[-1] == ("DOMAIN_LOOKUP_BY_NAME", ("web",))


def test_errors_are_rebuilt(daemon: Answers, client: Client) -> None:
    def refuse(name: str) -> tuple[Any, ...]:
        raise NoDomain(f"no domain with matching name '{name}'", domain=10)

    daemon.answers["DOMAIN_LOOKUP_BY_NAME"] = refuse
    with pytest.raises(NoDomain) as error:
        client.call("DOMAIN_LOOKUP_BY_NAME", "web")
    assert error.value.message == "Domain not found: no domain with matching name 'web'"
    assert (error.value.code, error.value.domain) == (42, 10)
    # The connection goes on.
    assert client.supports(14)


def test_many_calls_keep_their_order(daemon: Answers, client: Client) -> None:
    def state(domain: Domain, flags: int) -> tuple[int, int]:
        if domain.id % 10 == 3:
            raise NoDomain(domain.name)
        return domain.id, flags

    daemon.answers["DOMAIN_GET_STATE"] = state
    domains = [Domain(f"d{number}", bytes(16), number) for number in range(100)]
    results = client.call_each("DOMAIN_GET_STATE", [(domain, 1) for domain in domains])
    for number, result in enumerate(results):
        if number % 10 == 3:
            assert isinstance(result, NoDomain)
        else:
            assert result == (number, 1)


def test_events_are_kept_in_order(daemon: Answers, client: Client) -> None:
    lifecycle = REMOTE.by_name["DOMAIN_EVENT_CALLBACK_LIFECYCLE"]
    assert lifecycle.msg is not None
    packets = [
        wire.event(lifecycle.program, lifecycle.version, lifecycle.number, lifecycle.msg.encode((0, WEB, 2, detail)))
        for detail in (0, 1)
    ]
    # An event may come before the reply of the call that caused it.
    daemon.before["CONNECT_SUPPORTS_FEATURE"] = packets[0]
    daemon.send(packets[1])
    assert client.supports(14)
    while len(client.notifications) < 2:
        client.receive()
    assert {event.fields[3] for event in client.notifications} == {0, 1}
    assert all(event.procedure is lifecycle and event.fields[1] == WEB for event in client.notifications)


def test_unknown_events_are_dropped(daemon: Answers, client: Client) -> None:
    daemon.before["CONNECT_SUPPORTS_FEATURE"] = wire.event(1, 2, 3, b"") + wire.event(REMOTE.number, 1, 9999, b"")
    assert client.supports(14)
    assert client.notifications == []


def test_pings_are_answered(daemon: Answers, client: Client) -> None:
    daemon.before["CONNECT_SUPPORTS_FEATURE"] = wire.ping()
    assert client.supports(14)
    daemon.wait_until(lambda: any(isinstance(event, wire.PongReceived) for event in daemon.received))


def test_a_silent_daemon_is_given_up(daemon: Answers) -> None:
    daemon.silent = {"NODE_GET_FREE_MEMORY"}
    client = connect(daemon, keepalive=(0.01, 2))
    with pytest.raises(ConnectionLost) as error:
        client.call("NODE_GET_FREE_MEMORY")
    assert error.value.reason == "keepalive"
    assert "did not answer 2 pings" in error.value.message
    client.abandon()


def test_the_end_of_the_daemon_is_told_apart(daemon: Answers, client: Client) -> None:
    daemon.hang_up()
    with pytest.raises(ConnectionLost) as error:
        client.supports(1)
    assert error.value.reason in ("eof", "error")
    with pytest.raises(ConnectionLost):
        client.supports(1)


def test_garbage_ends_the_connection(daemon: Answers, client: Client) -> None:
    daemon.before["CONNECT_SUPPORTS_FEATURE"] = b"\0\0\0\1garbage"
    with pytest.raises(ConnectionLost, match="sent what is no message"):
        client.supports(1)


def test_closing_twice_is_nothing(daemon: Answers, client: Client) -> None:
    client.close()
    client.close()
    assert [name for name, _ in daemon.calls].count("CONNECT_CLOSE") == 1
    with pytest.raises(RoostError, match="client socket is closed"):
        client.supports(1)


def test_descriptors_go_along(daemon: Answers, client: Client) -> None:
    daemon.answers["DOMAIN_CREATE_WITH_FILES"] = lambda domain, flags: (domain,)
    read, write = os.pipe()
    try:
        assert client.call_with_fds("DOMAIN_CREATE_WITH_FILES", [read, write], WEB, 1) == (WEB,)
        assert daemon.calls[-1] == ("DOMAIN_CREATE_WITH_FILES", (WEB, 1))
        assert len(daemon.fds) == 2
        assert os.fstat(daemon.fds[0]).st_ino == os.fstat(read).st_ino
    finally:
        for fd in (read, write, *daemon.fds):
            os.close(fd)


def test_qemus_program(daemon: Answers, client: Client) -> None:
    daemon.answers["DOMAIN_MONITOR_COMMAND"] = lambda domain, command, flags: (command.upper(),)
    assert client.call_qemu("DOMAIN_MONITOR_COMMAND", WEB, "info", 1) == ("INFO",)


def test_what_is_not_there_is_no_support(client: Client) -> None:
    with pytest.raises(NoSupport, match="virConnectGetHostname"):
        client.call("CONNECT_GET_HOSTNAME")


def test_open_by_alias_and_socket(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    (tmp_path / "roost").mkdir()
    (tmp_path / "roost" / "roost.conf").write_text(f'uri_aliases = ["mine=test+unix:///default?socket={path}"]\n')
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": "/proc/nonexistent"}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with Answers(listener=listener) as daemon:
            client = Client.open("mine", environ=environ, user_id=0)
            client.close()
    assert client.uri == f"test+unix:///default?socket={path}"
    assert daemon.calls == [("AUTH_LIST", ()), ("CONNECT_OPEN", ("test:///default", 0)), ("CONNECT_CLOSE", ())]


def test_open_without_a_name_lets_the_daemon_choose(tmp_path: Path) -> None:
    (tmp_path / "roost").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "roost" / "roost-sock"))
        listener.listen()
        with Answers({"CONNECT_GET_URI": lambda: ("qemu:///session",)}, listener) as daemon:
            client = Client.open(environ={"XDG_RUNTIME_DIR": str(tmp_path), "HOME": "/proc/nonexistent"}, user_id=7)
            client.close()
    assert client.uri == "qemu:///session"
    assert ("CONNECT_OPEN", ("", 0)) in daemon.calls


def test_a_missing_socket_names_path_daemon_and_the_others() -> None:
    environ = {"XDG_RUNTIME_DIR": "/proc/nonexistent", "HOME": "/proc/nonexistent"}
    with pytest.raises(SystemCallError) as error:
        Client.open("qemu:///session", environ=environ, user_id=7)
    message = error.value.message
    assert message.startswith(
        "Failed to connect socket to '/proc/nonexistent/roost/roost-sock': No such file or directory"
    )
    assert "is roostd running" in message
    assert "'/proc/nonexistent/libvirt/libvirt-sock'" in message
    assert error.value.int1 == 2


def test_a_socket_nobody_listens_on(tmp_path: Path) -> None:
    path = tmp_path / "sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    with pytest.raises(SystemCallError, match="Connection refused; nobody listens there any more"):
        Client.open(f"qemu+unix:///system?socket={path}", environ={}, user_id=0)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user for a moment")
@pytest.mark.parametrize(
    ("mode", "cure"), [(0o700, "only root may use this socket"), (0o770, "members of group 'daemon'")]
)
def test_a_socket_for_others_names_the_group(mode: int, cure: str) -> None:
    # Below /tmp, which anybody may enter, unlike pytest's directories.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as listener:
        os.chmod(folder, 0o755)
        path = f"{folder}/sock"
        listener.bind(path)
        listener.listen()
        os.chown(path, 0, 1)
        os.chmod(path, mode)
        os.seteuid(65534)
        try:
            with pytest.raises(SystemCallError) as error:
                Client.open(f"qemu+unix:///system?socket={path}", environ={})
        finally:
            os.seteuid(0)
    assert error.value.message.startswith(f"Failed to connect socket to '{path}': Permission denied; ")
    assert cure in error.value.message
    assert "qemu:///session" in error.value.message
