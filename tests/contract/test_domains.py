"""What every driver does alike, asked through the real wire."""

from __future__ import annotations

from typing import Any

import pytest

from contract.conftest import OTHER_UUID, UUID, Driver, define, listed, next_lifecycle, start, state
from roost.client.blocking import Client
from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.errors import (
    InvalidArg,
    NoDomain,
    NoDomainMetadata,
    OperationFailed,
    OperationInvalid,
    RoostError,
    XmlDetail,
    XmlError,
)


def test_life_from_definition_to_oblivion(client: Client, driver: Driver) -> None:
    domain = define(client, driver.document("guest"))
    assert (domain.name, domain.uuid.hex(), domain.id) == ("guest", UUID.replace("-", ""), -1)
    assert state(client, domain) == (D.SHUTOFF, D.SHUTOFF_UNKNOWN)
    started = start(client, domain)
    assert started.id > 0
    assert state(client, domain) == (D.RUNNING, D.RUNNING_BOOTED)
    assert client.call("DOMAIN_LOOKUP_BY_ID", started.id)[0] == started
    client.call("DOMAIN_SUSPEND", domain)
    assert state(client, domain) == (D.PAUSED, D.PAUSED_USER)
    client.call("DOMAIN_RESUME", domain)
    assert state(client, domain) == (D.RUNNING, D.RUNNING_UNPAUSED)
    client.call("DOMAIN_DESTROY", domain)
    assert state(client, domain) == (D.SHUTOFF, D.SHUTOFF_DESTROYED)
    client.call("DOMAIN_UNDEFINE", domain)
    with pytest.raises(NoDomain, match="Domain not found: no domain with matching name 'guest'"):
        client.call("DOMAIN_LOOKUP_BY_NAME", "guest")


def test_ids_count_up_and_are_never_used_again(client: Client, driver: Driver) -> None:
    domain = define(client, driver.document("guest"))
    first = start(client, domain)
    client.call("DOMAIN_DESTROY", domain)
    second = start(client, domain)
    assert second.id > first.id
    with pytest.raises(NoDomain, match=f"no domain with matching id {first.id}"):
        client.call("DOMAIN_LOOKUP_BY_ID", first.id)


def test_events_of_a_life_in_order(client: Client, driver: Driver) -> None:
    client.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", E.ID_LIFECYCLE, None)
    domain = define(client, driver.document("guest"))
    start(client, domain)
    client.call("DOMAIN_SUSPEND", domain)
    client.call("DOMAIN_RESUME", domain)
    client.call("DOMAIN_DESTROY", domain)
    client.call("DOMAIN_UNDEFINE", domain)
    expected = [
        (E.DEFINED, E.DEFINED_ADDED),
        (E.STARTED, E.STARTED_BOOTED),
        (E.SUSPENDED, E.SUSPENDED_PAUSED),
        (E.RESUMED, E.RESUMED_UNPAUSED),
        (E.STOPPED, E.STOPPED_DESTROYED),
        (E.UNDEFINED, E.UNDEFINED_REMOVED),
    ]
    seen = []
    while (E.UNDEFINED, E.UNDEFINED_REMOVED) not in seen:
        name, event, detail = next_lifecycle(client)
        assert name == "guest"
        seen.append((event, detail))
    # A hypervisor may tell more, such as Resumed/Unpaused at the start; never another order.
    remaining = iter(seen)
    assert all(event in remaining for event in expected), seen


def test_a_transient_domain_is_gone_when_it_ends(client: Client, driver: Driver) -> None:
    domain = client.call("DOMAIN_CREATE_XML", driver.document("guest"), 0)[0]
    assert client.call("DOMAIN_IS_PERSISTENT", domain)[0] == 0
    with pytest.raises(OperationInvalid, match="cannot set autostart for transient domain"):
        client.call("DOMAIN_SET_AUTOSTART", domain, 1)
    client.call("DOMAIN_DESTROY", domain)
    assert listed(client) == []


def test_the_definition_changes_at_once_and_the_running_domain_later(client: Client, driver: Driver) -> None:
    domain = define(client, driver.document("guest"))
    start(client, domain)
    define(client, driver.document("guest", memory=65536))
    assert ">32768<" in client.call("DOMAIN_GET_XML_DESC", domain, 0)[0]
    assert ">65536<" in client.call("DOMAIN_GET_XML_DESC", domain, D.XML_INACTIVE)[0]
    client.call("DOMAIN_DESTROY", domain)
    assert ">65536<" in client.call("DOMAIN_GET_XML_DESC", domain, 0)[0]


def test_what_is_described_can_be_defined_again_unchanged(client: Client, driver: Driver) -> None:
    domain = define(client, driver.document("guest"))
    text = client.call("DOMAIN_GET_XML_DESC", domain, D.XML_SECURE)[0]
    define(client, text)
    assert client.call("DOMAIN_GET_XML_DESC", domain, D.XML_SECURE)[0] == text


@pytest.mark.parametrize(
    ("name", "uuid", "message"),
    [("guest", OTHER_UUID, "already exists with uuid"), ("other", UUID, "already defined with uuid")],
)
def test_names_and_uuids_are_taken_once(client: Client, driver: Driver, name: str, uuid: str, message: str) -> None:
    define(client, driver.document("guest"))
    with pytest.raises(OperationFailed, match=message):
        define(client, driver.document(name, uuid))


@pytest.mark.parametrize(
    ("document", "error", "message"),
    [
        ("<domain", XmlDetail, r"\(domain_definition\):1: "),
        ("<network/>", XmlError, "expecting root element of 'domain', not 'network'"),
        ("", XmlDetail, "Document is empty"),
    ],
)
def test_what_is_no_domain_is_refused(client: Client, document: str, error: type[RoostError], message: str) -> None:
    with pytest.raises(error, match=message):
        define(client, document)
    assert listed(client) == []


@pytest.mark.parametrize("procedure", ["DOMAIN_SUSPEND", "DOMAIN_RESUME", "DOMAIN_DESTROY", "DOMAIN_SHUTDOWN"])
def test_a_stopped_domain_cannot_be_changed_like_a_running_one(client: Client, driver: Driver, procedure: str) -> None:
    domain = define(client, driver.document("guest"))
    with pytest.raises(RoostError, match=r"not running|not paused"):
        client.call(procedure, domain)
    assert state(client, domain) == (D.SHUTOFF, D.SHUTOFF_UNKNOWN)


def test_a_running_domain_cannot_be_started(client: Client, driver: Driver) -> None:
    domain = define(client, driver.document("guest"))
    start(client, domain)
    with pytest.raises(RoostError, match="already running"):
        start(client, domain)


def test_unknown_flags_are_refused(client: Client) -> None:
    with pytest.raises(InvalidArg, match=r"unsupported flags \(0x80000000\) in function \w+ListAllDomains"):
        listed(client, 0x80000000)


def test_sizes_and_processors(client: Client, driver: Driver) -> None:
    domain = define(client, driver.document("guest"))
    _, max_memory, memory, vcpus, cpu_time = client.call("DOMAIN_GET_INFO", domain)
    assert (max_memory, memory, vcpus, cpu_time) == (32768, 32768, 1, 0)
    assert client.call("DOMAIN_GET_MAX_MEMORY", domain)[0] == 32768
    assert client.call("DOMAIN_GET_VCPUS_FLAGS", domain, D.VCPU_MAXIMUM | D.VCPU_CONFIG)[0] == 1


URI = "http://example.org/app"


def set_metadata(client: Client, domain: Any, kind: int, text: str | None, flags: int = 0) -> None:
    client.call("DOMAIN_SET_METADATA", domain, kind, text, "app" if kind == D.METADATA_ELEMENT else None,
                URI if kind == D.METADATA_ELEMENT else None, flags)  # fmt: skip


def metadata(client: Client, domain: Any, kind: int, flags: int = 0) -> str:
    uri = URI if kind == D.METADATA_ELEMENT else None
    return str(client.call("DOMAIN_GET_METADATA", domain, kind, uri, flags)[0])


@pytest.mark.parametrize(
    ("kind", "text"),
    [(D.METADATA_TITLE, "a title"), (D.METADATA_DESCRIPTION, "two\nlines"), (D.METADATA_ELEMENT, '<owner name="x"/>')],
)
def test_metadata_is_set_shown_and_removed(client: Client, driver: Driver, kind: int, text: str) -> None:
    domain = define(client, driver.document("guest"))
    with pytest.raises(NoDomainMetadata, match="Requested metadata element is not present"):
        metadata(client, domain, kind)
    client.call("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", E.ID_METADATA_CHANGE, None)
    set_metadata(client, domain, kind, text)
    assert metadata(client, domain, kind) == text
    assert "title" in client.call("DOMAIN_GET_XML_DESC", domain, 0)[0] or kind != D.METADATA_TITLE
    set_metadata(client, domain, kind, None)
    with pytest.raises(NoDomainMetadata):
        metadata(client, domain, kind)
    while len(client.notifications) < 2:
        client.receive()
    _, changed, seen_kind, uri = client.notifications[0].fields
    assert (changed.name, seen_kind, uri) == ("guest", kind, URI if kind == D.METADATA_ELEMENT else None)


def test_metadata_of_the_running_domain_and_of_its_definition_are_two(client: Client, driver: Driver) -> None:
    domain = define(client, driver.document("guest"))
    with pytest.raises(OperationInvalid, match="domain is not running"):
        set_metadata(client, domain, D.METADATA_TITLE, "x", D.AFFECT_LIVE)
    start(client, domain)
    set_metadata(client, domain, D.METADATA_TITLE, "live", D.AFFECT_LIVE)
    set_metadata(client, domain, D.METADATA_TITLE, "config", D.AFFECT_CONFIG)
    assert metadata(client, domain, D.METADATA_TITLE) == "live"
    assert metadata(client, domain, D.METADATA_TITLE, D.AFFECT_CONFIG) == "config"
    with pytest.raises(InvalidArg, match="are mutually exclusive"):
        metadata(client, domain, D.METADATA_TITLE, D.AFFECT_LIVE | D.AFFECT_CONFIG)
    client.call("DOMAIN_DESTROY", domain)
    assert metadata(client, domain, D.METADATA_TITLE) == "config"


def test_a_title_is_one_line(client: Client, driver: Driver) -> None:
    domain = define(client, driver.document("guest"))
    with pytest.raises(InvalidArg, match="metadata title can't contain newlines"):
        set_metadata(client, domain, D.METADATA_TITLE, "two\nlines")
