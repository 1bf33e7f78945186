"""URIs: what they mean, which sockets they lead to, what the daemon is told."""

from __future__ import annotations

import pytest

from roost.client.uri import Uri, addresses, quote, unquote
from roost.errors import InternalError, InvalidArg, NoSupport


@pytest.mark.parametrize(
    ("text", "driver", "transport", "user", "host", "port", "path", "parameters"),
    [
        ("qemu:///system", "qemu", "", "", "", 0, "/system", []),
        ("qemu+unix:///session", "qemu", "unix", "", "", 0, "/session", []),
        ("test:///default", "test", "", "", "", 0, "/default", []),
        ("qemu+ssh://me@host.example:2222/system", "qemu", "ssh", "me", "host.example", 2222, "/system", []),
        ("qemu+tcp://[::1]:16509/system", "qemu", "tcp", "", "::1", 16509, "/system", []),
        ("qemu+unix:///system?socket=/run/x%20y", "qemu", "unix", "", "", 0, "/system", [("socket", "/run/x y")]),
        ("esx://h/?a=1;b=2&c", "esx", "", "", "h", 0, "/", [("a", "1"), ("b", "2"), ("c", "")]),
        ("qemu:///a%2fb#fragment", "qemu", "", "", "", 0, "/a/b", []),
        ("qemu:system", "qemu", "", "", "", 0, "system", []),
    ],
)
def test_parts(
    text: str,
    driver: str,
    transport: str,
    user: str,
    host: str,
    port: int,
    path: str,
    parameters: list[tuple[str, str]],
) -> None:
    uri = Uri(text)
    assert (uri.driver, uri.transport, uri.user, uri.host, uri.port, uri.path) == (
        driver,
        transport,
        user,
        host,
        port,
        path,
    )
    assert uri.parameters == parameters
    assert uri.text == text


@pytest.mark.parametrize(
    "text", ["not a uri", "nothing", "://x", "1a:///", "qemu://host:port/system", "qemu://h:99999/"]
)
def test_what_is_no_uri(text: str) -> None:
    with pytest.raises(InternalError, match="Unable to parse URI"):
        Uri(text)


def test_unknown_transport() -> None:
    with pytest.raises(InvalidArg, match="transport in URL not recognised"):
        Uri("qemu+pigeon:///system")


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("qemu+ssh://h/system", "ssh"),
        ("qemu://h/system", "tls"),
        ("qemu+tcp://h/system", "tcp"),
        ("qemu+tls:///system", "tls"),
    ],
)
def test_other_machines_are_refused_by_name(text: str, way: str) -> None:
    with pytest.raises(NoSupport) as refused:
        Uri(text).require_local()
    assert f"the {way} transport of {text}" in refused.value.message
    assert "qemu:///system" in refused.value.message


@pytest.mark.parametrize("text", ["qemu:///system", "qemu+unix:///system", "qemu+unix://ignored/system"])
def test_this_machine(text: str) -> None:
    Uri(text).require_local()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("qemu:///system", "qemu:///system"),
        ("qemu+unix:///system?socket=/x&mode=direct", "qemu:///system"),
        ("qemu+unix:///system?name=lxc%3a///", "lxc:///"),
        ("esx+unix:///?a=b%26c&socket=/x&d=e", "esx:///?a=b%26c&d=e"),
        ("test+unix:///default", "test:///default"),
        ("test:///tmp/some%20file.xml", "test:///tmp/some%20file.xml"),
    ],
)
def test_name_at_the_daemon(text: str, name: str) -> None:
    assert Uri(text).remote_name() == name


def paths(
    text: str | None, *, user: int = 0, read_only: bool = False, runtime: str | None = "/run/user/7"
) -> list[str]:
    environ = {"HOME": "/home/me"} | ({"XDG_RUNTIME_DIR": runtime} if runtime else {})
    found = addresses(Uri(text) if text else None, read_only=read_only, user_id=user, environ=environ)
    return [address.path for address in found]


def test_system_sockets_come_in_order() -> None:
    assert paths("qemu:///system", user=7) == [
        "/run/roost/roost-sock",
        "/run/libvirt/libvirt-sock",
        "/run/libvirt/virtqemud-sock",
    ]
    assert paths("qemu:///system", read_only=True) == [
        "/run/roost/roost-sock-ro",
        "/run/libvirt/libvirt-sock-ro",
        "/run/libvirt/virtqemud-sock-ro",
    ]


def test_session_sockets_are_the_users() -> None:
    assert paths("qemu:///session", user=7)[:2] == ["/run/user/7/roost/roost-sock", "/run/user/7/libvirt/libvirt-sock"]
    assert paths("qemu:///session", user=7, runtime=None)[0] == "/home/me/.cache/roost/roost-sock"
    # A session daemon has no socket of its own for reading only.
    assert paths("qemu:///session", user=7, read_only=True)[0] == "/run/user/7/roost/roost-sock"
    assert paths("qemu:///session", user=0)[0] == "/run/roost/roost-sock"


def test_without_a_uri_the_user_decides() -> None:
    assert paths(None, user=0) == ["/run/roost/roost-sock", "/run/libvirt/libvirt-sock"]
    assert paths(None, user=7) == ["/run/user/7/roost/roost-sock", "/run/user/7/libvirt/libvirt-sock"]


def test_the_test_driver_is_at_any_daemon() -> None:
    assert paths("test:///default", user=7) == [
        "/run/user/7/roost/roost-sock",
        "/run/user/7/libvirt/libvirt-sock",
        "/run/roost/roost-sock",
        "/run/libvirt/libvirt-sock",
    ]


def test_a_given_socket_is_the_only_one() -> None:
    assert paths("qemu+unix:///system?socket=/a/b", read_only=True) == ["/a/b"]


@pytest.mark.parametrize("text", ["", "plain", "a b", "%", "100%", "ä/ö?x=1&y", "\udcff"])
def test_quoting_is_undone(text: str) -> None:
    assert unquote(quote(text)) == text


@pytest.mark.parametrize(("text", "plain"), [("%", "%"), ("%4", "%4"), ("%zz%41", "%zzA"), ("%c3%a4", "ä")])
def test_unquoting_takes_what_comes(text: str, plain: str) -> None:
    assert unquote(text) == plain
