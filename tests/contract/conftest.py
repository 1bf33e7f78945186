"""The drivers that the suites here are about, each asked through the real wire in a world without domains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from roost.client.blocking import Client
from roost.constants import domain as D
from support.daemon import RoostDaemon

UUID = "5c1f1b3e-0000-4000-8000-00000000000a"
OTHER_UUID = "5c1f1b3e-0000-4000-8000-00000000000b"


class Driver(NamedTuple):
    """uri: driver and path. type: of its domains. architecture: of a document."""

    scheme: str
    path: str
    type: str

    def document(self, name: str, uuid: str = UUID, memory: int = 32768, *, devices: str = "") -> str:
        return f"""\
<domain type='{self.type}'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='KiB'>{memory}</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>{devices}</devices>
</domain>
"""


DRIVERS = [
    pytest.param(Driver("test", "default", "test"), id="test"),
    pytest.param(Driver("qemu", "system", "qemu"), id="qemu", marks=[pytest.mark.guest, pytest.mark.root]),
]


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> Driver:
    found: Driver = request.param
    return found


@pytest.fixture
def client(daemon: RoostDaemon, driver: Driver) -> Iterator[Client]:
    """A connection in a world without domains."""
    client = Client.open(daemon.uri_of(driver.scheme, driver.path))
    clear(client)
    yield client
    clear(client)
    client.close()


def clear(client: Client) -> None:
    for domain in listed(client):
        if client.call("DOMAIN_IS_ACTIVE", domain)[0]:
            client.call("DOMAIN_DESTROY", domain)
    for domain in listed(client):
        client.call("DOMAIN_UNDEFINE_FLAGS", domain, D.UNDEFINE_SNAPSHOTS_METADATA)


def listed(client: Client, flags: int = 0) -> list[Any]:
    return list(client.call("CONNECT_LIST_ALL_DOMAINS", 1, flags)[0])


def define(client: Client, document: str) -> Any:
    return client.call("DOMAIN_DEFINE_XML_FLAGS", document, 0)[0]


def start(client: Client, domain: Any) -> Any:
    return client.call("DOMAIN_CREATE_WITH_FLAGS", domain, 0)[0]


def state(client: Client, domain: Any) -> tuple[int, int]:
    found = client.call("DOMAIN_GET_STATE", domain, 0)
    return found[0], found[1]


def next_lifecycle(client: Client) -> tuple[str, int, int]:
    while not client.notifications:
        client.receive()
    _, (domain, event, detail) = flatten(client.notifications.pop(0).fields)
    return domain.name, event, detail


def flatten(fields: tuple[Any, ...]) -> tuple[int, tuple[Any, ...]]:
    """(callback id, the event's fields)."""
    callback, rest = fields[0], fields[1:]
    return callback, tuple(rest[0]) if len(rest) == 1 else rest
