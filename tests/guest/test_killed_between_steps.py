"""A daemon killed between two steps of what it does with QEMU: the next one finds what is there, clears up what is not,
tells what became of it, and it can be done again. `./dev soak` does it after every step."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from roost.client.blocking import Client
from roost.constants import domain as D
from roost.errors import RoostError
from support import mortal
from support.daemon import RoostDaemon
from support.peer import virsh_ok
from support.victims import PATIENCE, Victim, make_template, traces, victims

pytestmark = [pytest.mark.guest, pytest.mark.root]


class Death(NamedTuple):
    """line: words for virsh. step: the number of QEMU's answer that the daemon dies with. told: by the next one.

    done: it has happened all the same.
    """

    line: str
    step: int
    told: str
    done: bool = False


DEATHS = (
    Death("attach-disk NAME IMAGES/new sdx --targetbus usb --live", 1, "attached usb-disk23: it is not there"),
    Death("attach-disk NAME IMAGES/new sdx --targetbus usb --live", 3, "attached usb-disk23: it is there", True),
    Death("attach-device NAME RNG --live", 1, "attached rng0: it is not there"),
    Death("detach-disk NAME sdb --live", 2, "usb-disk1 left the guest while no daemon ran", True),
    Death("change-media NAME hdc IMAGES/new --insert --live", 4, "the medium of ide0-1-0: the drive is empty"),
    Death("change-media NAME hdc IMAGES/new --insert --live", 6, "the medium of ide0-1-0: it is in", True),
    Death("setvcpus NAME 2 --live", 2, "plugged in processors: 1 came in"),
    Death("iothreadadd NAME 5 --live", 1, "made the I/O thread 5: it is taken back"),
    Death("save NAME IMAGES/memory", 9, "saved the guest to IMAGES/memory: that file is incomplete"),
    Death("dump NAME IMAGES/memory", 9, "dumped the guest to IMAGES/memory: that file may be incomplete"),
    Death(
        "blockcopy NAME vda IMAGES/copied --transient-job --reuse-external",
        2,
        "before the copy of disk vda had begun: there is none; IMAGES/copied stays",
    ),
    Death(
        "blockcopy NAME vda IMAGES/copied --transient-job",
        6,
        "before the copy of disk vda had begun: there is none (IMAGES/copied removed)",
    ),
)
#: Every step of all that the table has, in a soak.
LINES = [*sorted({death.line for death in DEATHS}), "backup-begin NAME PUSH", "blockcommit NAME vda --active --pivot"]


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """What the daemons of all tests have: they are other processes each time."""
    if shutil.which("qemu-img") is None or shutil.which("qemu-io") is None:
        pytest.skip("qemu-utils is not installed")
    directory = Path(tempfile.mkdtemp(prefix="roost-", dir="/tmp"))
    make_template(directory)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def last_step(root: Path) -> Path:
    """The file that holds the number of the step that the daemon does not live to take."""
    return root / "step"


@pytest.fixture
def daemon(root: Path, last_step: Path) -> Iterator[RoostDaemon]:
    environment = {mortal.VARIABLE: str(last_step)}
    with RoostDaemon(root, environment=environment, prefix=[sys.executable, mortal.__file__]) as running:
        yield running


def die(
    daemon: RoostDaemon, last_step: Path, line: str, step: int | str, *, told: str = "", done: bool = False
) -> bool:
    """Let the daemon die at a step of a line, `support.mortal` has the forms; whether it came to that step."""
    client = Client.open(daemon.uri)
    try:
        with victims(daemon, client, ["dies"]) as (victim,):
            if "--reuse-external" in line:
                shutil.copy(victim.images / "base", victim.images / "copied")
            known = traces(victim)
            victim.start()
            last_step.write_text(str(step))
            waiting = victim.begin(line)
            waiting.communicate(timeout=PATIENCE)
            if waiting.returncode == 0 and "backup" in line:
                time.sleep(0.5)  # it goes on without virsh
            last_step.unlink()
            if waiting.returncode == 0 and daemon.is_running:
                return False
            until_dead(daemon)
            client.abandon()
            begin = len(daemon.log)
            daemon.start()
            client = victim.client = Client.open(daemon.uri)
            if line.startswith("save") and not daemon.guest_pids():
                # It was as good as done: its memory is whole.
                assert client.call("DOMAIN_GET_STATE", victim.ref, 0)[0] == D.SHUTOFF
                what = virsh_ok(daemon.uri, "domjobinfo", "dies", "--completed", "--anystats")
                assert f"saved the guest to {victim.images}/memory: the image is complete" in what
                assert not list((daemon.root / "run" / "qemu").glob("dies.*"))
                virsh_ok(daemon.uri, "restore", f"{victim.images}/memory", "--paused")
            until_taken_up(victim)
            log = daemon.log[begin:]
            assert "Traceback" not in log
            check_told(victim, told.replace("IMAGES", str(victim.images)), log)
            client = victim.client
            check(victim)
            again = victim.begin(line)
            said, _ = again.communicate(timeout=PATIENCE)
            assert not told or (again.returncode == 0) != done, said
            if "save" not in line:
                check(victim)
            victim.stop()
            left = traces(victim)
            # The file of a save that did not end stays, and is marked as half an image; a backup is what was wanted.
            assert {path for path in left.files - known.files if not path.endswith(("/memory", "/pushed"))} == set()
            assert left.owners - known.owners <= {("memory", 0), ("pushed", 0)}
            assert left._replace(files=known.files, owners=known.owners) == known
    finally:
        client.abandon()
    return True


def check_told(victim: Victim, told: str, log: str) -> None:
    """In the log, as the last job, and in the messages, which another daemon knows of too."""
    daemon = victim.daemon
    assert told in log, log
    if not told:
        return
    parameters = virsh_ok(daemon.uri, "domjobinfo", victim.name, "--completed", "--rawstats")
    assert told in parameters
    assert virsh_ok(daemon.uri, "domjobinfo", victim.name, "--completed").split() == ["Job", "type:", "None"]
    victim.client.abandon()
    daemon.restart()
    victim.client = Client.open(daemon.uri)
    (message,) = [each for each in victim.client.call("DOMAIN_GET_MESSAGES", victim.ref, 0)[0] if told in each]
    assert message.startswith("interrupted: ")
    assert message in virsh_ok(daemon.uri, "dominfo", victim.name)
    for flag in (D.MESSAGE_TAINTING, D.MESSAGE_DEPRECATION):
        assert message not in victim.client.call("DOMAIN_GET_MESSAGES", victim.ref, flag)[0]


def until_dead(daemon: RoostDaemon) -> None:
    deadline = time.monotonic() + PATIENCE
    while daemon.is_running:
        assert time.monotonic() < deadline, "the daemon lives"
        time.sleep(0.005)


def until_taken_up(victim: Victim) -> None:
    deadline = time.monotonic() + PATIENCE
    while victim.client.call("DOMAIN_GET_CONTROL_INFO", victim.ref, 0)[0] != D.CONTROL_OK:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def check(victim: Victim) -> None:
    """It is paused as it was, and its document has what its QEMU has."""
    assert victim.client.call("DOMAIN_GET_STATE", victim.ref, 0)[0] == D.PAUSED
    uri, name = victim.daemon.uri, victim.name
    document = virsh_ok(uri, "dumpxml", name)

    def ask(command: str) -> str:
        return virsh_ok(uri, "qemu-monitor-command", name, command)

    def names(path: str) -> set[str]:
        return set(re.findall(r'"name": ?"([^"]*)"', ask(f'{{"execute":"qom-list","arguments":{{"path":"{path}"}}}}')))

    listed = set(re.findall(r"<alias name='([^']*)'/>", document))
    assert {each for each in names("/machine/peripheral") - listed if re.match("usb-disk|rng|ua-", each)} == set()
    assert {each for each in listed - names("/machine/peripheral") if re.match("usb-disk|rng|ua-", each)} == set()
    assert names("/objects") & {"iothread5"} == {f"iothread{id}" for id in re.findall("<iothread id='(5)'", document)}
    current = re.search(r"<vcpu .*current='(\d)'", document)
    assert ask('{"execute":"query-cpus-fast"}').count('"cpu-index"') == (int(current[1]) if current else 2)
    nodes = ask('{"execute":"query-named-block-nodes","arguments":{"flat":true}}')
    assert set(re.findall(r'"libvirt-(\d+)-', nodes)) <= set(re.findall(r"index='(\d+)'", document))


@pytest.mark.parametrize("death", DEATHS, ids=lambda death: f"{death.line.split()[0]}-{death.step}")
def test_a_death(daemon: RoostDaemon, last_step: Path, death: Death) -> None:
    assert die(daemon, last_step, death.line, death.step, told=death.told, done=death.done)


@pytest.mark.soak
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("kind", ["", "w"], ids=["answers", "writes"])
def test_a_death_at_every_step(daemon: RoostDaemon, last_step: Path, kind: str, line: str) -> None:
    step = 1
    while die(daemon, last_step, line, f"{kind}{step}"):
        step += 1
    assert step > 1


@pytest.mark.parametrize("step", [4, 12, 20])
def test_a_start_from_an_image(daemon: RoostDaemon, last_step: Path, step: int) -> None:
    """It is given up as a whole: the image stays, and the domain starts from it."""
    client = Client.open(daemon.uri)
    try:
        with victims(daemon, client, ["dies"]) as (victim,):
            victim.start()
            client.call("DOMAIN_MANAGED_SAVE", victim.ref, 0)
            last_step.write_text(str(step))
            with pytest.raises(RoostError):
                victim.start()
            last_step.unlink()
            until_dead(daemon)
            client.abandon()
            begin = len(daemon.log)
            daemon.start()
            client = victim.client = Client.open(daemon.uri)
            log = daemon.log[begin:]
            told = "the daemon ended while it started the guest: the start is given up"
            assert f"dies: {told}" in log
            assert told in virsh_ok(daemon.uri, "domjobinfo", "dies", "--completed", "--anystats")
            assert "stays: Device or resource busy" not in log
            assert not daemon.guest_pids()
            assert client.call("DOMAIN_HAS_MANAGED_SAVE_IMAGE", victim.ref, 0) == (1,)
            victim.start()
            assert client.call("DOMAIN_GET_STATE", victim.ref, 0)[0] == D.PAUSED
    finally:
        client.abandon()


#: What changes a domain that does not run: it has a snapshot, and starts with the host.
AT_REST = ("domrename dies other", "undefine dies --snapshots-metadata", "autostart dies --disable")


@pytest.mark.parametrize("line", AT_REST)
def test_a_death_before_every_write(daemon: RoostDaemon, last_step: Path, line: str) -> None:
    """It is done or not, as a whole: names, snapshots and what starts with the host go together."""
    step = 1
    while dies_at_rest(daemon, last_step, line, f"w{step}"):
        step += 1
    assert step > 1


def dies_at_rest(daemon: RoostDaemon, last_step: Path, line: str, step: str) -> bool:
    """Whether the daemon came to that step of the line."""
    client = Client.open(daemon.uri)
    try:
        with victims(daemon, client, ["dies"]) as (victim,):
            virsh_ok(daemon.uri, "snapshot-create-as", "dies", "s", "--disk-only", "--diskspec", "sdb,snapshot=no")
            virsh_ok(daemon.uri, "autostart", "dies")
            last_step.write_text(step)
            waiting = victim.begin(line)
            waiting.communicate(timeout=PATIENCE)
            last_step.unlink()
            died = waiting.returncode != 0
            if died:
                until_dead(daemon)
                client.abandon()
                daemon.start()
                client = victim.client = Client.open(daemon.uri)
            names = set(virsh_ok(daemon.uri, "list", "--all", "--name").split())
            etc, kept = daemon.root / "etc" / "qemu", daemon.root / "lib" / "qemu" / "snapshot"
            assert {path.stem for path in etc.glob("*.xml")} == names
            assert {path.stem for path in (etc / "autostart").iterdir()} <= names
            assert {path.name for path in kept.iterdir() if any(path.iterdir())} <= names
            if "undefine" not in line:
                (name,) = names
                assert virsh_ok(daemon.uri, "snapshot-list", name, "--name").split() == ["s"]
                assert ("enable" in virsh_ok(daemon.uri, "dominfo", name)) != ("--disable" in line and not died)
            if died and "dies" in names:
                virsh_ok(daemon.uri, *line.split())
            left = virsh_ok(daemon.uri, "list", "--all", "--name").split()
            if left == ["other"]:
                virsh_ok(daemon.uri, "domrename", "other", "dies")
            elif not left:
                victim.define()
            return died
    finally:
        client.abandon()
