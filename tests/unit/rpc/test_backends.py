"""URIs as clients send them, and the families of the public API."""

from __future__ import annotations

import pytest

from roost.contract.interface import Backend
from roost.errors import From, InternalError, NoConnect
from roost.protocol import LXC, QEMU, REMOTE
from roost.rpc import access
from roost.rpc.backends import Backends, split


@pytest.mark.parametrize(
    ("uri", "scheme", "path"),
    [
        ("qemu:///system", "qemu", "/system"),
        ("qemu+unix:///system?socket=/run/x", "qemu", "/system"),
        ("qemu+ssh://root@host.example:22/system?keyfile=/k#fragment", "qemu", "/system"),
        ("test:///default", "test", "/default"),
        ("test:///a/file.xml", "test", "/a/file.xml"),
        ("qemu://host", "qemu", ""),
        ("qemu:", "qemu", ""),
        ("qemu:/system", "qemu", "/system"),
    ],
)
def test_split(uri: str, scheme: str, path: str) -> None:
    assert split(uri) == (scheme, path)


@pytest.mark.parametrize("uri", ["junk", ":///system", "/system"])
def test_no_scheme(uri: str) -> None:
    with pytest.raises(NoConnect, match=f"URI '{uri}' does not include a driver name"):
        split(uri)


def test_open() -> None:
    backend = Backend("FAKE", "fake:///x", From.TEST, {})
    paths: list[str] = []

    def opener(path: str) -> Backend:
        paths.append(path)
        return backend

    backends = Backends("fake:///default", {"fake": opener})
    assert backends.open("fake+tls://host/here?x=y") == (backend, "fake:///here")
    assert backends.open("") == (backend, "fake:///default")
    assert paths == ["/here", "/default"]
    with pytest.raises(InternalError, match="connection not open"):
        backends.open(None)
    with pytest.raises(NoConnect, match="no connection driver available for other:///x; this daemon serves fake://"):
        backends.open("other:///x")


@pytest.mark.parametrize(
    ("api", "domain"),
    [
        ("virDomainCreate", From.DOMAIN),
        ("virConnectListAllDomains", From.DOMAIN),
        ("virNodeGetInfo", From.DOMAIN),
        ("virNodeDeviceReset", From.NODEDEV),
        ("virNodeListDevices", From.NODEDEV),
        ("virConnectListAllNodeDevices", From.NODEDEV),
        ("virDomainSnapshotDelete", From.DOMAIN_SNAPSHOT),
        ("virDomainRevertToSnapshot", From.DOMAIN_SNAPSHOT),
        ("virDomainListAllCheckpoints", From.DOMAIN_CHECKPOINT),
        ("virConnectListNWFilterBindings", From.NWFILTER),
        ("virConnectNumOfDefinedNetworks", From.NETWORK),
        ("virConnectNetworkEventRegisterAny", From.NETWORK),
        ("virConnectDomainEventRegisterAny", From.DOMAIN),
        ("virStorageVolResize", From.STORAGE),
        ("virSecretGetValue", From.SECRET),
        ("virDomainQemuAgentCommand", From.NONE),
        ("virDomainLxcOpenNamespace", From.NONE),
    ],
)
def test_family(api: str, domain: int) -> None:
    assert access.family(api).error_domain == domain


def test_every_procedure_has_a_family() -> None:
    known = {value for name, value in vars(From).items() if name.isupper()}
    assert {
        access.family(procedure.api).error_domain for program in (REMOTE, QEMU, LXC) for procedure in program
    } <= known
