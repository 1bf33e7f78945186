"""What a guest gets of the host at its start."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from roost.drivers.qemu.guest import Guest
from roost.drivers.qemu.log import GuestLog
from roost.drivers.qemu.resources import Resources
from roost.drivers.qemu.tuning import start
from roost.drivers.qemu.tuning.plan import emulator_plan, group_of, machine_name, vcpu_plan
from roost.errors import ConfigUnsupported, SystemCallError
from roost.host.fake import FakeHost, FakeProcess
from roost.model import domain as model
from roost.model.domain import Domain

GROUP = "/machine/qemu-7-web.libvirt-qemu"


def document(inner: str = "", name: str = "web") -> Domain:
    return model.parse(
        f"<domain type='qemu'><name>{name}</name><memory>65536</memory><vcpu cpuset='0-1'>2</vcpu>"
        f"<iothreads>1</iothreads>{inner}<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"
    )


TUNED = """
<cputune><shares>500</shares><period>50000</period><quota>20000</quota><global_quota>90000</global_quota>
<emulator_quota>30000</emulator_quota><vcpupin vcpu='1' cpuset='3'/><vcpusched vcpus='0' scheduler='rr' priority='2'/>
</cputune>
<memtune><hard_limit unit='KiB'>500000</hard_limit></memtune>
<numatune><memory mode='strict' nodeset='0'/></numatune>
"""


@pytest.fixture
def host() -> FakeHost:
    return FakeHost()


@pytest.fixture
def guest(host: FakeHost, tmp_path: Path) -> Guest:
    made = Guest(Resources(host), GuestLog(tmp_path / "log"), "monitor")
    made.log.close()
    return made


def test_names() -> None:
    assert group_of(document(), 7) == GROUP
    assert machine_name("a b/c..d", 3) == "qemu-3-abc.d"
    custom = document("<resource><partition>/production/web</partition></resource>")
    assert group_of(custom, 1) == "/production.partition/web.partition/qemu-1-web.libvirt-qemu"


def test_the_group_and_its_limits(host: FakeHost, guest: Guest) -> None:
    live = start.reserve_group(host, guest, document(TUNED), 7)
    assert live.resource is not None
    assert live.resource.partition == "/machine"
    start.make_group(host, guest, live, 7)
    assert host.groups.groups[GROUP, ""] == {
        "cpu.shares": 500, "cpu.quota": 90000, "memory.hard_limit": 500000,
    }  # fmt: skip
    guest.resources.release()
    assert not host.groups.groups


def test_threads_go_to_their_places(host: FakeHost, guest: Guest) -> None:
    live = start.reserve_group(host, guest, document(TUNED), 7)
    start.make_group(host, guest, live, 7)
    guest.threads.vcpus, guest.threads.iothreads = (
        (51, 52),
        start.iothread_numbers([{"id": "iothread1", "thread-id": 61}]),
    )
    start.tune_threads(host, guest, live)
    assert host.groups.members == {(GROUP, "vcpu0"): [51], (GROUP, "vcpu1"): [52], (GROUP, "iothread1"): [61]}
    assert host.groups.groups[GROUP, "vcpu1"] == {
        "cpuset.cpus": "3", "cpuset.mems": "0", "cpu.period": 50000, "cpu.quota": 20000,
    }  # fmt: skip
    assert host.threads.affinities == {51: {0, 1}, 52: {3}, 61: {0, 1}}
    assert host.threads.schedulers == {51: ("rr", 2)}
    assert emulator_plan(live).quota == 30000


def test_memory_of_processors_follows_their_cell() -> None:
    live = document(
        "<numatune><memnode cellid='1' mode='restrictive' nodeset='1'/></numatune>"
        "<cpu><numa><cell id='0' cpus='0' memory='32768'/><cell id='1' cpus='1' memory='32768'/></numa></cpu>"
    )
    assert (vcpu_plan(live, 0).mems, vcpu_plan(live, 1).mems) == ("", "1")


def test_another_daemons_guest_of_the_same_name(host: FakeHost, guest: Guest) -> None:
    host.groups.make(GROUP)
    live = start.reserve_group(host, guest, document(), 7)
    assert guest.group == f"{GROUP}-2"
    host.groups.make(guest.group)
    start.make_group(host, guest, live, 7)
    assert guest.group == f"{GROUP}-3"


@pytest.mark.parametrize(
    ("controller", "element", "words"),
    [
        ("cpu", "<cputune><shares>500</shares></cputune>", "CPU tuning is not available on this host"),
        ("cpu", "<cputune><quota>5000</quota></cputune>", "cgroup cpu is required for scheduler tuning"),
        ("memory", "<memtune><soft_limit>5</soft_limit></memtune>", "Memory cgroup is not available on this host"),
        ("blkio", "<blkiotune><weight>500</weight></blkiotune>", "Block I/O tuning is not available on this host"),
    ],
)
def test_what_this_host_cannot_bound(host: FakeHost, guest: Guest, controller: str, element: str, words: str) -> None:
    host.groups.controllers = {each for each in host.groups.controllers if each != controller}
    with pytest.raises(ConfigUnsupported, match=words):
        start.reserve_group(host, guest, document(element), 7)
    start.reserve_group(host, guest, document(), 7)


def test_a_group_that_cannot_be_made(host: FakeHost, guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise SystemCallError(f"Failed to create controller group {path}: No space left on device", int1=28)

    monkeypatch.setattr(host.groups, "make", refuse)
    live = start.reserve_group(host, guest, document(), 7)
    start.make_group(host, guest, live, 7)
    assert not guest.group
    tuned = start.reserve_group(host, guest, document(TUNED), 7)
    with pytest.raises(SystemCallError, match="No space left on device"):
        start.make_group(host, guest, tuned, 7)


def test_a_process_that_has_ended_already(host: FakeHost, guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said before is worth more to the user than that it is gone."""
    refusals = [errno.EPERM, errno.ESRCH]

    def refuse(path: str, pid: int, threads: str) -> None:
        raise SystemCallError("Unable to add process", int1=refusals.pop())

    monkeypatch.setattr(host.groups, "add_process", refuse)
    live = start.reserve_group(host, guest, document(), 7)
    start.make_group(host, guest, live, 7)
    guest.process = FakeProcess(51)
    start.place_process(host, guest, live)
    with pytest.raises(SystemCallError, match="Unable to add process"):
        start.place_process(host, guest, live)


def test_a_host_without_control_groups(host: FakeHost, guest: Guest) -> None:
    host.groups.controllers = set()
    plain = document("<cputune><vcpupin vcpu='0' cpuset='2'/></cputune>")
    live = start.reserve_group(host, guest, plain, 7)
    start.make_group(host, guest, live, 7)
    start.tune_vcpu(host, guest, live, 0, 51)
    assert live == plain
    assert not host.groups.groups
    assert host.threads.affinities == {51: {2}}
