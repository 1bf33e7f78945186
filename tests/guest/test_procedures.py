"""Procedures that today's clients hardly call, on a real guest: older ones, and those that no virsh command needs."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from roost.client.blocking import Client
from roost.client.records import Domain
from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import node as N
from roost.contract.typed_params import string
from roost.protocol import REMOTE
from support.daemon import RoostDaemon

pytestmark = [pytest.mark.guest, pytest.mark.root]

DOCUMENT = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu current='1'>2</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices><disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{files}/disk'/>
<target dev='vda' bus='virtio'/></disk><video><model type='vga'/></video>
<interface type='user'><model type='virtio'/></interface>
<channel type='unix'><target type='virtio' name='org.example.a'/></channel>
<graphics type='vnc' socket='{files}/{name}.vnc'/></devices></domain>"""
DISK = """<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{files}/more'/>
<target dev='sdx' bus='usb'/></disk>"""


class Guest(NamedTuple):
    """A guest that is paused, and the connection that started it."""

    client: Client
    domain: Domain
    files: Path

    def ask(self, procedure: str, *arguments: object) -> tuple[Any, ...]:
        """A call about the domain."""
        return self.client.call(procedure, self.domain, *arguments)

    def state(self) -> int:
        return int(self.ask("DOMAIN_GET_STATE", 0)[0])

    def xml(self) -> str:
        return str(self.ask("DOMAIN_GET_XML_DESC", 0)[0])


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


@pytest.fixture
def guest(daemon: RoostDaemon) -> Iterator[Guest]:
    # Not pytest's own directory: QEMU's user must be able to enter.
    files = Path(tempfile.mkdtemp(prefix="roost-procedures-", dir="/tmp"))
    client = Client.open(daemon.uri)
    try:
        files.chmod(0o777)
        for name in ("disk", "more"):
            (files / name).write_bytes(name.encode().ljust(1 << 20, b"\0"))
        document = DOCUMENT.format(name="asked", files=files)
        domain = client.call("DOMAIN_CREATE_XML", document, D.START_PAUSED)[0]
        guest = Guest(client, domain, files)
        yield guest
        for ref in client.call("CONNECT_LIST_ALL_DOMAINS", 1, 1)[0]:
            client.call("DOMAIN_DESTROY", ref)
    finally:
        client.close()
        shutil.rmtree(files)


def test_lists_of_older_clients(guest: Guest) -> None:
    client = guest.client
    (other,) = client.call("DOMAIN_DEFINE_XML", DOCUMENT.format(name="other", files=guest.files))
    try:
        assert client.call("DOMAIN_LOOKUP_BY_ID", guest.domain.id) == (guest.domain,)
        assert client.call("CONNECT_LIST_DOMAINS", 10) == ([guest.domain.id],)
        assert client.call("CONNECT_NUM_OF_DOMAINS") == (1,)
        assert client.call("CONNECT_LIST_DEFINED_DOMAINS", 10) == (["other"],)
        assert client.call("CONNECT_NUM_OF_DEFINED_DOMAINS") == (1,)
        client.call("DOMAIN_SET_MAX_MEMORY", other, 131072)
        assert client.call("DOMAIN_GET_MAX_MEMORY", other) == (131072,)
        client.call("DOMAIN_SET_AUTOSTART_ONCE", other, 1)
        assert client.call("DOMAIN_GET_AUTOSTART_ONCE", other) == (1,)
        client.call("DOMAIN_SET_AUTOSTART_ONCE", other, 0)
    finally:
        client.call("DOMAIN_UNDEFINE", other)


def test_questions_of_older_clients(guest: Guest) -> None:
    assert guest.ask("DOMAIN_GET_MAX_MEMORY") == (65536,)
    assert guest.ask("DOMAIN_GET_MAX_VCPUS") == (2,)
    assert guest.ask("DOMAIN_IS_UPDATED") == (0,)
    labels, count = guest.ask("DOMAIN_GET_SECURITY_LABEL_LIST")
    assert [enforcing for _, enforcing in labels] == [0] * count
    assert guest.ask("DOMAIN_GET_JOB_INFO")[0] == 0
    assert len(guest.ask("DOMAIN_BLOCK_STATS", "vda")) == 5
    assert guest.ask("DOMAIN_BLOCK_PEEK", "vda", 0, 4, 0) == (b"disk",)
    assert guest.ask("DOMAIN_MEMORY_PEEK", 0xFFFF0, 1, N.MEMORY_PHYSICAL) == (b"\xea",)  # the jump at the reset vector


def test_changes_of_older_clients(guest: Guest) -> None:
    disk = DISK.format(files=guest.files)
    guest.ask("DOMAIN_ATTACH_DEVICE", disk)
    assert f"{guest.files}/more" in guest.xml()
    guest.ask("DOMAIN_DETACH_DEVICE", disk)
    assert f"{guest.files}/more" not in guest.xml()
    guest.ask("DOMAIN_SET_VCPUS", 2)
    assert guest.ask("DOMAIN_GET_VCPUS_FLAGS", D.VCPU_LIVE) == (2,)
    guest.ask("DOMAIN_SET_MEMORY", 48 * 1024)
    guest.ask("DOMAIN_ANNOUNCE_INTERFACE", None, [], 0)
    guest.ask("DOMAIN_RESUME")
    guest.ask("DOMAIN_REBOOT", 0)
    guest.ask("DOMAIN_SHUTDOWN")
    assert guest.state() == D.RUNNING  # firmware does not listen to either
    guest.ask("DOMAIN_DESTROY_FLAGS", D.DESTROY_GRACEFUL)
    assert guest.client.call("CONNECT_NUM_OF_DOMAINS") == (0,)


def test_saved_and_restored_by_older_and_newer_clients(guest: Guest) -> None:
    image = f"{guest.files}/image"
    for save, restore in (
        (("DOMAIN_SAVE", image), ("DOMAIN_RESTORE", image)),
        (("DOMAIN_SAVE_FLAGS", image, None, 0), ("DOMAIN_RESTORE_FLAGS", image, None, 0)),
        (("DOMAIN_SAVE_PARAMS", [string("file", image)], 0), ("DOMAIN_RESTORE_PARAMS", [string("file", image)], 0)),
    ):
        guest.ask(*save)
        assert guest.client.call("CONNECT_NUM_OF_DOMAINS") == (0,)
        guest.client.call(*restore)
        (domain,) = guest.client.call("DOMAIN_LOOKUP_BY_NAME", "asked")
        guest = guest._replace(domain=domain)
        assert guest.state() == D.PAUSED
    guest.ask("DOMAIN_CORE_DUMP_WITH_FORMAT", f"{guest.files}/core", 0, D.DUMP_MEMORY_ONLY)
    assert (guest.files / "core").read_bytes()[:4] == b"\x7fELF"


def test_descriptors_and_streams(guest: Guest) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        guest.client.call_with_fds("DOMAIN_OPEN_GRAPHICS", [theirs.fileno()], guest.domain, 0, 0)
        assert ours.recv(4) == b"RFB "
    _, received = guest.client.perform(REMOTE.by_name["DOMAIN_OPEN_GRAPHICS_FD"], (guest.domain, 0, 0))
    with socket.socket(fileno=received[0]) as display:
        assert display.recv(4) == b"RFB "
    with open(guest.files / "more", "rb") as file:
        guest.client.call_with_fds("DOMAIN_FD_ASSOCIATE", [file.fileno()], guest.domain, "lent", 0)
    stream = guest.client.open_stream("DOMAIN_OPEN_CHANNEL", guest.domain, "org.example.a", 0)
    stream.abort()
    picture = guest.client.open_stream("DOMAIN_SCREENSHOT", guest.domain, 0, 0)
    assert picture.answer == ("image/png",)
    assert picture.read()[:8] == b"\x89PNG\r\n\x1a\n"
    picture.abort()


def test_events_of_older_clients(guest: Guest) -> None:
    """Messages without the number of a registration, as clients before libvirt 1.3.3 take them."""
    client = guest.client
    client.call("CONNECT_DOMAIN_EVENT_REGISTER")
    client.call("CONNECT_DOMAIN_EVENT_REGISTER_ANY", E.ID_REBOOT)
    client.call("CONNECT_DOMAIN_EVENT_REGISTER_ANY", E.ID_DEVICE_REMOVED)
    guest.ask("DOMAIN_ATTACH_DEVICE", DISK.format(files=guest.files))
    guest.ask("DOMAIN_DETACH_DEVICE", DISK.format(files=guest.files))
    guest.ask("DOMAIN_RESET", 0)
    guest.ask("DOMAIN_RESUME")
    wanted = {"DOMAIN_EVENT_LIFECYCLE", "DOMAIN_EVENT_REBOOT", "DOMAIN_EVENT_DEVICE_REMOVED"}
    while {told.procedure.name for told in client.notifications} < wanted:
        client.receive()
    (resumed,) = (told.fields for told in client.notifications if told.procedure.name == "DOMAIN_EVENT_LIFECYCLE")
    assert resumed == (guest.domain, E.RESUMED, E.RESUMED_UNPAUSED)
    client.call("CONNECT_DOMAIN_EVENT_DEREGISTER_ANY", E.ID_REBOOT)
    client.call("CONNECT_DOMAIN_EVENT_DEREGISTER")


def test_snapshots_of_older_clients(daemon: RoostDaemon, guest: Guest) -> None:
    image = guest.files / "image.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "1M"], check=True)
    image.chmod(0o666)
    document = DOCUMENT.format(name="snapped", files=guest.files).replace("'raw'", "'qcow2'")
    client = guest.client
    (domain,) = client.call("DOMAIN_DEFINE_XML", document.replace(f"{guest.files}/disk", str(image)))
    try:
        for name in ("first", "second"):
            client.call(
                "DOMAIN_SNAPSHOT_CREATE_XML", domain, f"<domainsnapshot><name>{name}</name></domainsnapshot>", 0
            )
        assert client.call("DOMAIN_SNAPSHOT_NUM", domain, 0) == (2,)
        assert client.call("DOMAIN_SNAPSHOT_LIST_NAMES", domain, 9, 0) == (["first", "second"],)
        (first,) = client.call("DOMAIN_SNAPSHOT_LOOKUP_BY_NAME", domain, "first", 0)
        assert client.call("DOMAIN_SNAPSHOT_NUM_CHILDREN", first, 0) == (1,)
        assert client.call("DOMAIN_SNAPSHOT_LIST_CHILDREN_NAMES", first, 9, 0) == (["second"],)
    finally:
        client.call("DOMAIN_UNDEFINE_FLAGS", domain, D.UNDEFINE_SNAPSHOTS_METADATA)


def test_the_monitor(guest: Guest) -> None:
    client = guest.client
    (number,) = client.call_qemu("CONNECT_DOMAIN_MONITOR_EVENT_REGISTER", guest.domain, "RES.*", 1)
    guest.ask("DOMAIN_RESUME")
    while not client.notifications:
        client.receive()
    assert client.notifications[0].fields[:3] == (number, guest.domain, "RESUME")
    client.call_qemu("CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER", number)
    command = '{"execute": "getfd", "arguments": {"fdname": "lent"}}'
    with open(guest.files / "more", "rb") as file:
        answer = client.call_qemu("DOMAIN_MONITOR_COMMAND_WITH_FILES", guest.domain, command, 0, fds=[file.fileno()])
    assert json.loads(answer[0])["return"] == {}


def test_a_job_is_ended(guest: Guest) -> None:
    files = guest.files
    disks = f"<disk name='vda' type='file'><scratch file='{files}/scratch'/></disk>"
    server = f"<server transport='unix' socket='{files}/nbd'/>"
    document = f"<domainbackup mode='pull'>{server}<disks>{disks}</disks></domainbackup>"
    guest.ask("DOMAIN_BACKUP_BEGIN", document, None, 0)
    assert guest.ask("DOMAIN_GET_JOB_INFO")[0] != 0
    guest.ask("DOMAIN_ABORT_JOB_FLAGS", 0)
    while guest.ask("DOMAIN_GET_JOB_INFO")[0] != 0:
        pass


def test_a_document_as_a_command_line(guest: Guest) -> None:
    document = DOCUMENT.format(name="other", files=guest.files)
    (line,) = guest.client.call("CONNECT_DOMAIN_XML_TO_NATIVE", "qemu-argv", document, 0)
    assert "-name guest=other" in line
