"""The same wrong calls to libvirtd and to roostd: code, domain and text of the refusals are the same."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from roost.errors import NoSupport, OperationDenied
from roost.protocol import LXC, QEMU, REMOTE
from roost.wire.framing import ERROR, OK
from support.daemon import RoostDaemon
from support.peer import Peer
from support.raw import RawClient, Refusal

pytestmark = pytest.mark.peer

URIS = ("test:///default", "qemu:///system")
NOBODY = ("nobody", bytes(16), -1)

#: (program, version, procedure, status, payload)
MISSPOKEN = [
    (REMOTE.number, 1, 9999, OK, b""),
    (REMOTE.number, 1, 318, OK, b""),
    (REMOTE.number, 1, -1, OK, b""),
    (74565, 1, 1, OK, b""),
    (REMOTE.number, 2, 1, OK, b""),
    (0x06900690, 1, 1, OK, b""),
    (REMOTE.number, 1, 3, ERROR, b""),
    (REMOTE.number, 1, 23, OK, b"\0\0"),
    (REMOTE.number, 1, 23, OK, struct.pack(">I", 5_000_000)),
]

#: Procedure, arguments, program; answered after open.
REFUSED = [
    ("DOMAIN_LOOKUP_BY_NAME", ("nobody",), REMOTE),
    ("DOMAIN_LOOKUP_BY_ID", (4711,), REMOTE),
    ("DOMAIN_LOOKUP_BY_UUID", (bytes(16),), REMOTE),
    ("CONNECT_LIST_DOMAINS", (20000,), REMOTE),
    ("CONNECT_LIST_DOMAINS", (-1,), REMOTE),
    ("CONNECT_LIST_DEFINED_DOMAINS", (-1,), REMOTE),
    ("DOMAIN_MEMORY_STATS", (NOBODY, 2000, 0), REMOTE),
    ("CONNECT_DOMAIN_EVENT_REGISTER_ANY", (16,), REMOTE),
    ("CONNECT_DOMAIN_EVENT_DEREGISTER_ANY", (1,), REMOTE),
    ("CONNECT_DOMAIN_EVENT_DEREGISTER", (), REMOTE),
    ("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", (99, None), REMOTE),
    ("CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY", (77,), REMOTE),
    ("CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER", (77,), QEMU),
    ("DOMAIN_MONITOR_COMMAND", (NOBODY, "info", 1), QEMU),
    ("AUTH_SASL_INIT", (), REMOTE),
]

#: What libvirt's test driver does not have either.
UNSUPPORTED = [
    ("DOMAIN_MIGRATE_GET_MAX_SPEED", (NOBODY, 0), REMOTE),
    ("DOMAIN_PM_WAKEUP", (NOBODY, 0), REMOTE),
    ("DOMAIN_OPEN_CONSOLE", (NOBODY, None, 0), REMOTE),
    ("CONNECT_GET_DOMAIN_CAPABILITIES", (None, None, None, None, 1), REMOTE),
]

#: The same on a read-only connection.
FORBIDDEN = [
    ("DOMAIN_CREATE", (NOBODY,), REMOTE),
    ("DOMAIN_DEFINE_XML", ("<x/>",), REMOTE),
    ("DOMAIN_GET_XML_DESC", (NOBODY, 1), REMOTE),
    ("DOMAIN_GET_VCPUS_FLAGS", (NOBODY, 8), REMOTE),
    ("NETWORK_CREATE_XML", ("<x/>",), REMOTE),
    ("STORAGE_POOL_CREATE_XML", ("<x/>", 0), REMOTE),
    ("SECRET_DEFINE_XML", ("<x/>", 0), REMOTE),
    ("NWFILTER_DEFINE_XML", ("<x/>",), REMOTE),
    ("INTERFACE_DEFINE_XML", ("<x/>", 0), REMOTE),
    ("NODE_DEVICE_CREATE_XML", ("<x/>", 0), REMOTE),
    ("NODE_SUSPEND_FOR_DURATION", (0, 60, 0), REMOTE),
    ("DOMAIN_SNAPSHOT_CREATE_XML", (NOBODY, "<x/>", 0), REMOTE),
    ("DOMAIN_CHECKPOINT_CREATE_XML", (NOBODY, "<x/>", 0), REMOTE),
    ("DOMAIN_MONITOR_COMMAND", (NOBODY, "info", 1), QEMU),
]

#: Before open.
EARLY = [
    ("DOMAIN_LOOKUP_BY_NAME", ("nobody",), REMOTE),
    ("NETWORK_LOOKUP_BY_NAME", ("nobody",), REMOTE),
    ("STORAGE_POOL_LOOKUP_BY_NAME", ("nobody",), REMOTE),
    ("SECRET_LOOKUP_BY_UUID", (bytes(16),), REMOTE),
    ("NODE_DEVICE_LOOKUP_BY_NAME", ("nobody",), REMOTE),
    ("CONNECT_SUPPORTS_FEATURE", (14,), REMOTE),
    ("CONNECT_OPEN", (None, 0), REMOTE),
    ("CONNECT_OPEN", ("foo:///bar", 0), REMOTE),
    ("CONNECT_OPEN", ("junk", 0), REMOTE),
]


#: Where libvirtd misses a descriptor or an argument before it looks at the connection.
STUMBLES = frozenset(
    {
        "CONNECT_BASELINE_HYPERVISOR_CPU",
        "CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER",
        "DOMAIN_ATTACH",
        "DOMAIN_FD_ASSOCIATE",
        "DOMAIN_OPEN_GRAPHICS",
        "DOMAIN_RENAME",
        "DOMAIN_SEND_PROCESS_SIGNAL",
        "DOMAIN_SET_LAUNCH_SECURITY_STATE",
    }
)

#: CONNECT_CLOSE and _OPEN say nothing here; libvirtd answers AUTH_POLKIT with whatever error its thread met last.
LEFT_OUT = frozenset({"AUTH_POLKIT", "CONNECT_CLOSE", "CONNECT_OPEN"})


#: What our test driver answers and libvirt's does not, or only with other arguments.
SERVED_HERE = frozenset({"CONNECT_FIND_STORAGE_POOL_SOURCES", "DOMAIN_GET_JOB_INFO"})


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


@pytest.fixture(params=URIS)
def uri(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sockets(daemon: RoostDaemon, peer: Peer) -> tuple[Path, Path]:
    return daemon.socket_path, peer.socket_path


def alike(ours: object, theirs: object) -> None:
    """Our text may go on after libvirt's with the cause (after a colon) and the cure (after a semicolon)."""
    assert isinstance(theirs, Refusal), theirs
    assert isinstance(ours, Refusal), ours
    assert (ours.code, ours.domain) == (theirs.code, theirs.domain), (ours, theirs)
    assert ours.message == theirs.message or ours.message.startswith((theirs.message + "; ", theirs.message + ": ")), (
        ours,
        theirs,
    )


@pytest.mark.parametrize(("program", "version", "procedure", "status", "payload"), MISSPOKEN)
def test_misspoken(
    uri: str, sockets: tuple[Path, Path], program: int, version: int, procedure: int, status: int, payload: bytes
) -> None:
    answers = []
    for path in sockets:
        with RawClient(path) as client:
            client.open(uri)
            answers.append(client.exchange(program, version, procedure, payload, status=status))
    alike(*answers)


@pytest.mark.parametrize("case", range(len(REFUSED)), ids=lambda n: f"{REFUSED[n][0]}-{n}")
def test_refused(uri: str, sockets: tuple[Path, Path], case: int) -> None:
    name, values, program = REFUSED[case]
    answers = []
    for path in sockets:
        with RawClient(path) as client:
            client.open(uri)
            answers.append(client.call(name, *values, program=program))
    alike(*answers)


@pytest.mark.parametrize("case", range(len(UNSUPPORTED)), ids=lambda n: UNSUPPORTED[n][0])
def test_unsupported(sockets: tuple[Path, Path], case: int) -> None:
    name, values, program = UNSUPPORTED[case]
    answers = []
    for path in sockets:
        with RawClient(path) as client:
            client.open("test:///default")
            answers.append(client.call(name, *values, program=program))
    alike(*answers)


@pytest.mark.parametrize("case", range(len(FORBIDDEN)), ids=lambda n: f"{FORBIDDEN[n][0]}-{n}")
def test_forbidden_to_readers(uri: str, sockets: tuple[Path, Path], case: int) -> None:
    name, values, program = FORBIDDEN[case]
    answers = []
    for path in sockets:
        with RawClient(path.with_name(path.name + "-ro")) as client:
            client.open(uri)
            answers.append(client.call(name, *values, program=program))
    alike(*answers)


@pytest.mark.parametrize("case", range(len(EARLY)), ids=lambda n: f"{EARLY[n][0]}-{n}")
def test_too_early(sockets: tuple[Path, Path], case: int) -> None:
    name, values, program = EARLY[case]
    answers = []
    for path in sockets:
        with RawClient(path) as client:
            client.call("AUTH_LIST")
            answers.append(client.call(name, *values, program=program))
    alike(*answers)


def test_registering_twice(uri: str, sockets: tuple[Path, Path]) -> None:
    for name, values in (
        ("CONNECT_DOMAIN_EVENT_REGISTER", ()),
        ("CONNECT_DOMAIN_EVENT_REGISTER_ANY", (1,)),
        ("CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY", (2, None)),
    ):
        answers = []
        for path in sockets:
            with RawClient(path) as client:
                client.open(uri)
                assert not isinstance(client.call(name, *values), Refusal)
                answers.append(client.call(name, *values))
        alike(*answers)


def test_the_same_procedures_are_forbidden_to_readers(sockets: tuple[Path, Path]) -> None:
    """Every procedure that libvirtd 9.0 knows, with zeros for arguments."""
    with contextlib.ExitStack() as stack:
        ours, theirs = (stack.enter_context(RawClient(path.with_name(path.name + "-ro"))) for path in sockets)
        ours.open(URIS[0])
        theirs.open(URIS[0])
        wrong: list[str] = []
        for program in (REMOTE, QEMU, LXC):
            for procedure in program:
                if procedure.is_event or procedure.name in LEFT_OUT or procedure.number > 443:
                    continue
                asked = (program.number, 1, procedure.number, bytes(256))
                answer, expected = ours.exchange(*asked), theirs.exchange(*asked)
                if procedure.name in STUMBLES:
                    assert isinstance(expected, Refusal), procedure
                elif isinstance(expected, Refusal) and expected.code == OperationDenied.code:
                    wrong += [f"{procedure}: {answer!r}"] * (answer != expected)
                elif isinstance(answer, Refusal) and answer.code == OperationDenied.code:
                    wrong.append(f"{procedure}: {answer!r}, libvirtd: {expected!r}")
        assert not wrong, "\n".join(wrong)


def test_what_the_test_driver_lacks_is_refused_alike(sockets: tuple[Path, Path]) -> None:
    """NO_SUPPORT from libvirtd is NO_SUPPORT here, with the same domain and the same API's name."""
    with contextlib.ExitStack() as stack:
        ours, theirs = (stack.enter_context(RawClient(path)) for path in sockets)
        ours.open(URIS[0])
        theirs.open(URIS[0])
        wrong: list[str] = []
        for program in (REMOTE, QEMU, LXC):
            for procedure in program:
                if procedure.is_event or procedure.name in LEFT_OUT or procedure.number > 443 or procedure.stream:
                    continue
                if procedure.name in SERVED_HERE:
                    continue
                asked = (program.number, 1, procedure.number, bytes(256))
                answer, expected = ours.exchange(*asked), theirs.exchange(*asked)
                if isinstance(expected, Refusal) and expected.code == NoSupport.code and answer != expected:
                    wrong.append(f"{procedure}: {answer!r}, libvirtd: {expected!r}")
        assert not wrong, "\n".join(wrong)
