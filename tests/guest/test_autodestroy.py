"""A guest started to end with its connection ends with it, however that ends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from roost.client.blocking import Client
from roost.constants import domain as D
from roost.constants import domain_events as E
from support.daemon import RoostDaemon

pytestmark = [pytest.mark.guest, pytest.mark.root]

XML = """<domain type='qemu'><name>{}</name><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


@pytest.fixture
def watcher(daemon: RoostDaemon) -> Iterator[Client]:
    client = Client.open(daemon.uri)
    client.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", E.ID_LIFECYCLE, None)
    yield client
    client.close()


def wait_until_stopped(watcher: Client, name: str) -> int:
    """The detail of the event that says so."""
    while True:
        while not watcher.notifications:
            watcher.receive()
        _, domain, event, detail = watcher.notifications.pop(0).fields
        if domain.name == name and event == E.STOPPED:
            return int(detail)


@pytest.mark.parametrize("polite", [True, False])
def test_it_ends_with_the_connection(daemon: RoostDaemon, watcher: Client, polite: bool) -> None:
    client = Client.open(daemon.uri)
    domain = client.call("DOMAIN_DEFINE_XML_FLAGS", XML.format("auto"), 0)[0]
    client.call("DOMAIN_CREATE_WITH_FLAGS", domain, D.START_AUTODESTROY)
    if polite:
        client.close()
    else:
        client.abandon()
    assert wait_until_stopped(watcher, "auto") == E.STOPPED_DESTROYED
    assert watcher.call("DOMAIN_GET_STATE", domain, 0)[:2] == (D.SHUTOFF, D.SHUTOFF_DESTROYED)
    watcher.call("DOMAIN_UNDEFINE", domain)


def test_the_same_domain_started_by_somebody_else_stays(daemon: RoostDaemon, watcher: Client) -> None:
    client = Client.open(daemon.uri)
    domain = client.call("DOMAIN_DEFINE_XML_FLAGS", XML.format("again"), 0)[0]
    client.call("DOMAIN_CREATE_WITH_FLAGS", domain, D.START_AUTODESTROY)
    watcher.call("DOMAIN_DESTROY", domain)
    watcher.call("DOMAIN_CREATE_WITH_FLAGS", domain, 0)
    client.close()
    transient = watcher.call("DOMAIN_CREATE_XML", XML.format("later"), 0)[0]
    assert watcher.call("DOMAIN_GET_STATE", domain, 0)[0] == D.RUNNING
    for each in (domain, transient):
        watcher.call("DOMAIN_DESTROY", each)
    watcher.call("DOMAIN_UNDEFINE", domain)


def test_it_ends_when_the_daemon_was_killed() -> None:
    with RoostDaemon() as daemon:
        client = Client.open(daemon.uri)
        client.call("DOMAIN_CREATE_XML", XML.format("orphan"), D.START_AUTODESTROY)
        assert len(daemon.guest_pids()) == 1
        daemon.kill()
        client.close()
        daemon.start()
        again = Client.open(daemon.uri)
        assert list(again.call("CONNECT_LIST_ALL_DOMAINS", 1, 0)[0]) == []
        assert daemon.guest_pids() == []
        again.close()
