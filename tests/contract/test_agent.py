"""Guests that the test driver invents, asked through the real wire for what an agent would tell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from roost.client.blocking import Client
from roost.constants import domain as D
from roost.errors import ArgumentUnsupported, NoSupport, OperationInvalid, RoostError
from support.daemon import RoostDaemon

DOCUMENT = """<domain type='test'><name>guest</name><memory>8192</memory><os><type>hvm</type></os><devices>
<disk type='file' device='cdrom'><target dev='hdc'/></disk>
<disk type='file' device='disk'><source file='/nowhere'/><target dev='vda'/></disk>
<interface type='network'><mac address='52:54:00:00:00:01'/><source network='default'/><target dev='tap6'/></interface>
<interface type='ethernet'><mac address='52:54:00:00:00:02'/><target dev='tap7'/></interface></devices></domain>"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


@pytest.fixture
def client(daemon: RoostDaemon) -> Iterator[Client]:
    with contextlib.closing(Client.open(daemon.uri_of("test", "default"))) as opened:
        yield opened


@pytest.fixture
def guest(client: Client) -> Any:
    return client.call("DOMAIN_CREATE_XML", DOCUMENT, 0)[0]


def test_names_and_times(client: Client, guest: Any) -> None:
    assert client.call("DOMAIN_GET_HOSTNAME", guest, 0)[0] == "guesthost"
    assert tuple(client.call("DOMAIN_GET_TIME", guest, 0)) == (627319920, 0)
    client.call("DOMAIN_SET_TIME", guest, 7, 8, D.TIME_SYNC)
    assert tuple(client.call("DOMAIN_GET_TIME", guest, 0)) == (7, 8)
    client.call("DOMAIN_SET_USER_PASSWORD", guest, "root", "x", D.PASSWORD_ENCRYPTED)


def test_file_systems(client: Client, guest: Any) -> None:
    found, count = client.call("DOMAIN_GET_FSINFO", guest, 0)
    assert count == 2
    assert [tuple(each) for each in found] == [("/", "vda1", "ext4", ["vda"]), ("/boot", "vda2", "ext4", ["vda"])]
    assert client.call("DOMAIN_FSFREEZE", guest, ["/"], 0)[0] == 1
    assert client.call("DOMAIN_FSFREEZE", guest, [], 0)[0] == 1
    assert client.call("DOMAIN_FSTHAW", guest, ["/boot"], 0)[0] == 1
    assert client.call("DOMAIN_FSTHAW", guest, [], 0)[0] == 1
    client.call("DOMAIN_FSTRIM", guest, "/", 0, 0)
    calls: list[tuple[Any, ...]] = [("DOMAIN_FSFREEZE", guest, ["/x"], 0), ("DOMAIN_FSTRIM", guest, "/x", 0, 0)]
    for call in calls:
        with pytest.raises(OperationInvalid, match="mount point not found: /x"):
            client.call(*call)


def test_addresses(client: Client, guest: Any) -> None:
    offset = 20 * (guest.id - 1) + 1
    found = client.call("DOMAIN_INTERFACE_ADDRESSES", guest, D.INTERFACE_ADDRESSES_SRC_LEASE, 0)[0]
    assert [(name, mac, [tuple(address) for address in addresses]) for name, mac, addresses in found] == [
        ("tap6", "52:54:00:00:00:01", [(0, f"192.168.122.{2 + offset}", 24)]),
        ("tap7", "52:54:00:00:00:02", [(0, "192.168.0.2", 24)]),
    ]
    with pytest.raises(ArgumentUnsupported, match="Unknown IP address data source 3"):
        client.call("DOMAIN_INTERFACE_ADDRESSES", guest, 3, 0)


@pytest.mark.parametrize("name", ["DOMAIN_GET_HOSTNAME", "DOMAIN_GET_TIME", "DOMAIN_GET_FSINFO"])
def test_a_guest_that_does_not_run(client: Client, guest: Any, name: str) -> None:
    (test,) = client.call("DOMAIN_LOOKUP_BY_NAME", "test")
    client.call("DOMAIN_DESTROY", test)
    with pytest.raises(OperationInvalid, match="domain is not running"):
        client.call(name, test, 0)


def test_what_it_has_no_words_for(client: Client, guest: Any) -> None:
    calls: list[tuple[Any, ...]] = [("DOMAIN_GET_GUEST_INFO", guest, 0, 0), ("DOMAIN_GET_GUEST_VCPUS", guest, 0)]
    for call in calls:
        with pytest.raises(NoSupport):
            client.call(*call)


def test_a_read_only_client_may_not_have_the_agent_asked(daemon: RoostDaemon, client: Client, guest: Any) -> None:
    uri = f"test+unix:///default?socket={daemon.readonly_socket_path}"
    with contextlib.closing(Client.open(uri, read_only=True)) as looking:
        found = looking.call("DOMAIN_INTERFACE_ADDRESSES", guest, D.INTERFACE_ADDRESSES_SRC_LEASE, 0)[0]
        assert len(found) == 2
        calls: list[tuple[Any, ...]] = [
            ("DOMAIN_INTERFACE_ADDRESSES", guest, D.INTERFACE_ADDRESSES_SRC_AGENT, 0),
            ("DOMAIN_GET_HOSTNAME", guest, 0),
            ("DOMAIN_GET_TIME", guest, 0),
            ("DOMAIN_FSFREEZE", guest, [], 0),
        ]
        for call in calls:
            with pytest.raises(RoostError, match="read only access prevents"):
                looking.call(*call)
