"""Snapshots of domains that do not run, with every driver: a tree, one of them the current one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from contract.conftest import Driver, define
from roost.client.blocking import Client
from roost.constants import domain as D
from roost.constants import snapshot as S
from roost.errors import InvalidArg, NoDomainSnapshot, OperationFailed, OperationInvalid, RoostError


@pytest.fixture
def domain(client: Client, driver: Driver, tmp_path: Path) -> Any:
    image = tmp_path / "image.qcow2"
    if driver.scheme == "qemu":
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "1M"], check=True)
    disk = (
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        f"<source file='{image}'/><target dev='vda' bus='virtio'/></disk>"
    )
    return define(client, driver.document("guest", devices=disk))


def take(client: Client, domain: Any, name: str, flags: int = 0, inside: str = "") -> Any:
    text = f"<domainsnapshot><name>{name}</name>{inside}</domainsnapshot>"
    return client.call("DOMAIN_SNAPSHOT_CREATE_XML", domain, text, flags)[0]


def names(client: Client, domain: Any, flags: int = 0) -> list[str]:
    return [each.name for each in client.call("DOMAIN_LIST_ALL_SNAPSHOTS", domain, 1, flags)[0]]


def current(client: Client, domain: Any) -> str | None:
    if not client.call("DOMAIN_HAS_CURRENT_SNAPSHOT", domain, 0)[0]:
        return None
    return str(client.call("DOMAIN_SNAPSHOT_CURRENT", domain, 0)[0].name)


def test_a_tree(client: Client, domain: Any) -> None:
    assert (names(client, domain), current(client, domain)) == ([], None)
    one, two = take(client, domain, "one"), take(client, domain, "two", inside="<description>d</description>")
    assert (names(client, domain), current(client, domain)) == (["one", "two"], "two")
    assert client.call("DOMAIN_SNAPSHOT_GET_PARENT", two, 0)[0].name == "one"
    with pytest.raises(NoDomainSnapshot, match="snapshot 'one' does not have a parent"):
        client.call("DOMAIN_SNAPSHOT_GET_PARENT", one, 0)
    client.call("DOMAIN_REVERT_TO_SNAPSHOT", one, 0)
    assert current(client, domain) == "one"
    take(client, domain, "three")
    assert names(client, domain, S.LIST_ROOTS) == ["one"]
    assert names(client, domain, S.LIST_LEAVES) == ["two", "three"]
    assert client.call("DOMAIN_SNAPSHOT_NUM_CHILDREN", one, 0)[0] == 2
    shown = client.call("DOMAIN_SNAPSHOT_GET_XML_DESC", two, 0)[0]
    for words in ("<state>shutoff</state>", "<description>d</description>", "<disk name='vda' snapshot='internal'/>"):
        assert words in shown
    assert "<name>guest</name>" in shown
    client.call("DOMAIN_SNAPSHOT_DELETE", one, S.DELETE_CHILDREN)
    assert (names(client, domain), current(client, domain)) == ([], None)


def test_deleting_one_of_several(client: Client, domain: Any) -> None:
    for name in ("one", "two", "three"):
        take(client, domain, name)
    two = client.call("DOMAIN_SNAPSHOT_LOOKUP_BY_NAME", domain, "two", 0)[0]
    client.call("DOMAIN_SNAPSHOT_DELETE", two, 0)
    three = client.call("DOMAIN_SNAPSHOT_LOOKUP_BY_NAME", domain, "three", 0)[0]
    assert client.call("DOMAIN_SNAPSHOT_GET_PARENT", three, 0)[0].name == "one"
    client.call("DOMAIN_SNAPSHOT_DELETE", three, 0)
    assert current(client, domain) == "one"
    one = client.call("DOMAIN_SNAPSHOT_LOOKUP_BY_NAME", domain, "one", 0)[0]
    with pytest.raises(InvalidArg, match="'VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY' are mutually exclusive"):
        client.call("DOMAIN_SNAPSHOT_DELETE", one, S.DELETE_CHILDREN | S.DELETE_CHILDREN_ONLY)
    client.call("DOMAIN_SNAPSHOT_DELETE", one, 0)


def test_going_back_changes_the_definition(client: Client, domain: Any) -> None:
    one = take(client, domain, "one")
    client.call("DOMAIN_SET_METADATA", domain, D.METADATA_TITLE, "later", None, None, D.AFFECT_CONFIG)
    client.call("DOMAIN_REVERT_TO_SNAPSHOT", one, 0)
    assert "<title>" not in client.call("DOMAIN_GET_XML_DESC", domain, 0)[0]
    assert client.call("DOMAIN_GET_STATE", domain, 0)[0] == D.SHUTOFF
    with pytest.raises(InvalidArg, match="'VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED' are mutually exclusive"):
        client.call("DOMAIN_REVERT_TO_SNAPSHOT", one, S.REVERT_RUNNING | S.REVERT_PAUSED)


def test_one_is_made_known_again(client: Client, domain: Any) -> None:
    one = take(client, domain, "one")
    shown = client.call("DOMAIN_SNAPSHOT_GET_XML_DESC", one, S.XML_SECURE)[0]
    take(client, domain, "two")
    changed = shown.replace("<state>", "<description>words</description><state>")
    client.call("DOMAIN_SNAPSHOT_CREATE_XML", domain, changed, S.CREATE_REDEFINE | S.CREATE_CURRENT)
    assert current(client, domain) == "one"
    assert "<description>words</description>" in client.call("DOMAIN_SNAPSHOT_GET_XML_DESC", one, 0)[0]
    with pytest.raises(RoostError, match="a redefined snapshot must have a name"):
        client.call("DOMAIN_SNAPSHOT_CREATE_XML", domain, "<domainsnapshot/>", S.CREATE_REDEFINE)
    with pytest.raises(InvalidArg, match="SNAPSHOT_CREATE_REDEFINE' is required by flag"):
        client.call("DOMAIN_SNAPSHOT_CREATE_XML", domain, shown, S.CREATE_CURRENT)


def test_what_is_refused(client: Client, domain: Any) -> None:
    take(client, domain, "one")
    with pytest.raises(OperationFailed, match="domain moment one already exists"):
        take(client, domain, "one")
    with pytest.raises(NoDomainSnapshot, match="no domain snapshot with matching name 'nosuch'"):
        client.call("DOMAIN_SNAPSHOT_LOOKUP_BY_NAME", domain, "nosuch", 0)
    with pytest.raises(OperationInvalid, match="cannot delete inactive domain with 1 snapshots"):
        client.call("DOMAIN_UNDEFINE", domain)


def test_they_follow_the_domains_name(client: Client, domain: Any) -> None:
    take(client, domain, "one")
    client.call("DOMAIN_RENAME", domain, "other", 0)
    assert names(client, domain) == ["one"]
    assert [each.name for each in client.call("CONNECT_LIST_ALL_DOMAINS", 1, D.LIST_DOMAINS_HAS_SNAPSHOT)[0]] == [
        "other"
    ]
