"""Two clients that want opposite things of one domain, again and again: each is served or told why not, and what is
left is what one of them wanted last. `./dev soak` does it a thousand times."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from roost.client.blocking import Client
from roost.constants import blocks as B
from roost.constants import domain as D
from roost.contract.references import DomainRef, MomentRef
from roost.contract.typed_params import ullong
from roost.errors import OperationInvalid, RoostError
from support import groups
from support.daemon import RoostDaemon

pytestmark = [pytest.mark.guest, pytest.mark.root]

ROUNDS = 1000 if os.environ.get("ROOST_SOAK") else 6

XML = """<domain type='qemu'><name>NAME</name><uuid>UUID</uuid><memory unit='KiB'>32768</memory>
<vcpu current='1'>4</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
<devices><controller type='usb' model='qemu-xhci'/>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='FILES/disk'/>
<target dev='vda' bus='virtio'/></disk>
<disk type='file' device='cdrom'><target dev='hdc' bus='ide'/></disk>
<serial type='pty'/></devices></domain>"""
LENT = "<disk><source file='FILES/FILE'/><target dev='sdx' bus='usb'/></disk>"
DISC = "<disk device='cdrom'>SOURCE<target dev='hdc' bus='ide'/></disk>"
COPY = "<disk type='file'><source file='FILES/copy'/><driver type='qcow2'/></disk>"
PULL = """<domainbackup mode='pull'><server transport='unix' socket='FILES/nbd.sock'/>
<disks><disk name='vda' type='file'><scratch file='FILES/scratch'/></disk></disks></domainbackup>"""
CHECKPOINT = "<domaincheckpoint><name>moment</name></domaincheckpoint>"
SNAPSHOT = "<domainsnapshot><name>moment</name></domainsnapshot>"

#: What must not be said of anything that two clients do to each other.
UNCLEAR = re.compile(r"Traceback|failed: [A-Z][a-zA-Z]+(Error|Exception)|unexpected|unknown error|assert")


class Subject(NamedTuple):
    """The domain. files: its directory."""

    client: Client
    ref: DomainRef
    files: Path

    def call(self, name: str, *values: object) -> Any:
        """A call on the domain; FILES in texts is its directory."""
        filled = [value.replace("FILES", str(self.files)) if isinstance(value, str) else value for value in values]
        return self.client.call(name, self.ref, *filled)

    def define(self) -> None:
        text = XML.replace("NAME", self.ref.name).replace("UUID", str(uuid.UUID(bytes=self.ref.uuid)))
        self.client.call("DOMAIN_DEFINE_XML", text.replace("FILES", str(self.files)))

    @property
    def moment(self) -> MomentRef:
        return MomentRef("moment", self.ref)


Act = Callable[[Subject], object]


def does(name: str, *values: object) -> Act:
    """A call on the domain."""
    return lambda subject: subject.call(name, *values)


def saves(name: str, *values: object) -> Act:
    """A call on an image of the domain's memory."""

    def act(subject: Subject) -> None:
        subject.client.call(name, str(subject.files / "memory"), *values)

    return act


def of_moment(name: str) -> Act:
    return lambda subject: subject.client.call(name, subject.moment, 0)


def renames(one: str, other: str) -> Act:
    def act(subject: Subject) -> None:
        (found,) = subject.client.call("DOMAIN_LOOKUP_BY_NAME", f"{subject.ref.name}{one}")
        subject.client.call("DOMAIN_RENAME", found, f"{subject.ref.name}{other}", 0)

    return act


BOTH = D.AFFECT_LIVE | D.AFFECT_CONFIG
LENT_A, LENT_B = LENT.replace("FILE'", "a'"), LENT.replace("FILE'", "b'")


class Pair(NamedTuple):
    """What the one and the other does. runs: the domain does at the beginning."""

    one: Act
    other: Act
    runs: bool = True


PAIRS: Mapping[str, Pair] = {
    "attach-detach": Pair(
        does("DOMAIN_ATTACH_DEVICE_FLAGS", LENT_A, D.AFFECT_LIVE),
        does("DOMAIN_DETACH_DEVICE_FLAGS", LENT_A, D.AFFECT_LIVE),
    ),
    "attach-attach": Pair(
        does("DOMAIN_ATTACH_DEVICE_FLAGS", LENT_A, BOTH),
        does("DOMAIN_DETACH_DEVICE_FLAGS", LENT_B, BOTH),
    ),
    "insert-eject": Pair(
        does("DOMAIN_UPDATE_DEVICE_FLAGS", DISC.replace("SOURCE", "<source file='FILES/a'/>"), BOTH),
        does("DOMAIN_UPDATE_DEVICE_FLAGS", DISC.replace("SOURCE", ""), BOTH),
    ),
    "suspend-resume": Pair(does("DOMAIN_SUSPEND"), does("DOMAIN_RESUME")),
    "start-destroy": Pair(does("DOMAIN_CREATE"), does("DOMAIN_DESTROY"), runs=False),
    "start-undefine": Pair(
        lambda subject: (subject.define(), subject.call("DOMAIN_CREATE")),
        lambda subject: (subject.call("DOMAIN_UNDEFINE"), subject.call("DOMAIN_DESTROY")),
        runs=False,
    ),
    "define-undefine": Pair(Subject.define, does("DOMAIN_UNDEFINE"), runs=False),
    "rename-back": Pair(renames("", "-b"), renames("-b", ""), runs=False),
    "save-restore": Pair(does("DOMAIN_SAVE", "FILES/memory"), saves("DOMAIN_RESTORE")),
    "save-start": Pair(does("DOMAIN_MANAGED_SAVE", 0), does("DOMAIN_CREATE")),
    "save-destroy": Pair(
        lambda subject: (subject.call("DOMAIN_CREATE"), subject.call("DOMAIN_SAVE", "FILES/memory")),
        does("DOMAIN_DESTROY"),
    ),
    "more-fewer-vcpus": Pair(
        does("DOMAIN_SET_VCPUS_FLAGS", 4, D.AFFECT_CONFIG), does("DOMAIN_SET_VCPUS_FLAGS", 1, D.AFFECT_CONFIG)
    ),
    "more-less-memory": Pair(
        does("DOMAIN_SET_MEMORY_FLAGS", 32768, BOTH), does("DOMAIN_SET_MEMORY_FLAGS", 16384, BOTH)
    ),
    "more-fewer-iothreads": Pair(
        does("DOMAIN_ADD_IOTHREAD", 3, BOTH),
        does("DOMAIN_DEL_IOTHREAD", 3, BOTH),
    ),
    "copy-abort": Pair(
        does("DOMAIN_BLOCK_COPY", "vda", COPY, [ullong("bandwidth", 1)], B.COPY_TRANSIENT_JOB),
        lambda subject: (subject.call("DOMAIN_BLOCK_JOB_ABORT", "vda", 0), (subject.files / "copy").write_bytes(b"")),
    ),
    "copy-destroy": Pair(
        lambda subject: subject.call("DOMAIN_BLOCK_COPY", "vda", COPY, [], B.COPY_TRANSIENT_JOB),
        lambda subject: (
            subject.call("DOMAIN_DESTROY"),
            (subject.files / "copy").write_bytes(b""),
            subject.call("DOMAIN_CREATE"),
        ),
    ),
    "backup-abort": Pair(does("DOMAIN_BACKUP_BEGIN", PULL, None, 0), does("DOMAIN_ABORT_JOB")),
    "checkpoint": Pair(
        does("DOMAIN_CHECKPOINT_CREATE_XML", CHECKPOINT, 0),
        of_moment("DOMAIN_CHECKPOINT_DELETE"),
    ),
    "snapshot": Pair(does("DOMAIN_SNAPSHOT_CREATE_XML", SNAPSHOT, 0), of_moment("DOMAIN_SNAPSHOT_DELETE")),
    "autostart": Pair(does("DOMAIN_SET_AUTOSTART", 1), does("DOMAIN_SET_AUTOSTART", 0)),
    "throttle": Pair(
        does("DOMAIN_SET_BLOCK_IO_TUNE", "vda", [ullong("total_iops_sec", 500)], BOTH),
        does("DOMAIN_SET_BLOCK_IO_TUNE", "vda", [ullong("total_iops_sec", 0)], BOTH),
    ),
    "describe": Pair(
        does("DOMAIN_SET_METADATA", D.METADATA_DESCRIPTION, "words", None, None, BOTH),
        does("DOMAIN_SET_METADATA", D.METADATA_DESCRIPTION, None, None, None, BOTH),
    ),
}


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-utils is not installed")
    with RoostDaemon() as running:
        yield running


@pytest.fixture
def files() -> Iterator[Path]:
    # Not pytest's own directory: QEMU's user must be able to enter.
    directory = Path(tempfile.mkdtemp(prefix="roost-opposites-", dir="/tmp"))
    directory.chmod(0o777)
    for name in ("a", "b"):
        (directory / name).write_bytes(bytes(1 << 20))
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", directory / "disk", "8M"], check=True)
    yield directory
    shutil.rmtree(directory)


class Tally:
    """What two clients have come to together."""

    def __init__(self) -> None:
        self.done = 0
        self.refusals: list[RoostError] = []

    @property
    def is_full(self) -> bool:
        return self.done >= ROUNDS or len(self.refusals) > 100 * ROUNDS


def again_and_again(daemon: RoostDaemon, subject: Subject, act: Act, tally: Tally) -> None:
    with contextlib.closing(Client.open(daemon.uri)) as client:
        while not tally.is_full:
            try:
                act(subject._replace(client=client))
                tally.done += 1
            except RoostError as error:
                tally.refusals.append(error)
                # The other one has the next word.
                time.sleep(0.001)


def left(daemon: RoostDaemon, name: str) -> set[str]:
    """What the daemon has of it, but for its log."""
    root = daemon.root
    found = [path for top in ("etc", "run", "lib") for path in (root / top).rglob("*")]
    return {str(path.relative_to(root)) for path in found if name in path.name}


def play(daemon: RoostDaemon, subject: Subject, pair: Pair) -> None:
    subject.define()
    if pair.runs:
        subject.call("DOMAIN_CREATE_WITH_FLAGS", D.START_PAUSED)
    tally = Tally()
    sides = [
        threading.Thread(target=again_and_again, args=(daemon, subject, act, tally)) for act in (pair.one, pair.other)
    ]
    for side in sides:
        side.start()
    for side in sides:
        side.join()
    unclear = {str(error) for error in tally.refusals if UNCLEAR.search(str(error))}
    assert not unclear, unclear
    assert tally.done >= ROUNDS, f"nothing is done: {tally.refusals[-5:]}"
    assert "failed unexpectedly" not in daemon.log
    assert "Traceback" not in daemon.log


@pytest.mark.parametrize("name", PAIRS)
def test_opposites(daemon: RoostDaemon, files: Path, name: str) -> None:
    with contextlib.closing(Client.open(daemon.uri)) as client:
        subject = Subject(client, DomainRef(f"two-{name}", uuid.uuid4().bytes, -1), files)
        descriptors = len(os.listdir(f"/proc/{daemon.pid}/fd"))
        try:
            play(daemon, subject, PAIRS[name])
            check(subject)
            guests = groups.groups_of(daemon.guest_pids())
        finally:
            remove(subject)
        assert not left(daemon, subject.ref.name)
        assert not daemon.guest_pids()
        assert not [group for group in guests if group.exists()]
        assert {path.name for path in files.iterdir()} <= {"a", "b", "disk", "memory", "copy"}
        assert {path.stat().st_uid for path in files.iterdir()} == {0}
        assert len(os.listdir(f"/proc/{daemon.pid}/fd")) == descriptors


def domains(subject: Subject) -> list[DomainRef]:
    found = subject.client.call("CONNECT_LIST_ALL_DOMAINS", 1, 0)[0]
    return [domain for domain in found if domain.uuid == subject.ref.uuid]


def check(subject: Subject) -> None:
    """What the daemon tells of a guest is what its QEMU tells."""
    found = domains(subject)
    assert len(found) <= 1
    if not found or found[0].id == -1:
        return
    (ref,) = found
    client = subject.client
    assert client.call("DOMAIN_GET_CONTROL_INFO", ref, 0)[0] == D.CONTROL_OK
    document = client.call("DOMAIN_GET_XML_DESC", ref, 0)[0]

    def ask(line: str) -> str:
        return str(client.call_qemu("DOMAIN_MONITOR_COMMAND", ref, line, 0)[0])

    running = '"running":true' in ask('{"execute":"query-status"}')
    assert (client.call("DOMAIN_GET_STATE", ref, 0)[0] == D.RUNNING) == running
    devices = ask('{"execute":"qom-list","arguments":{"path":"/machine/peripheral"}}')
    assert ('"usb-disk' in devices) == ("bus='usb'/>" in document)
    objects = ask('{"execute":"qom-list","arguments":{"path":"/objects"}}')
    assert ('"iothread3"' in objects) == ("<iothread id='3'" in document)
    copies = '"mirror"' in ask('{"execute":"query-block-jobs"}')
    assert copies == ("<mirror" in document)


def remove(subject: Subject) -> None:
    for ref in domains(subject):
        if ref.id != -1:
            subject.client.call("DOMAIN_DESTROY", ref)
        kept = D.UNDEFINE_MANAGED_SAVE | D.UNDEFINE_SNAPSHOTS_METADATA | D.UNDEFINE_CHECKPOINTS_METADATA
        with contextlib.suppress(OperationInvalid):
            subject.client.call("DOMAIN_UNDEFINE_FLAGS", ref, kept)
