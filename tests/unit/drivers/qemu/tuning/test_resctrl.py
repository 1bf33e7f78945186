"""Groups of resctrl for a guest's processors. Whether a kernel obeys needs a processor with RDT or QoS."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.drivers.qemu.guest import Guest
from roost.drivers.qemu.log import GuestLog
from roost.drivers.qemu.resources import Resources
from roost.drivers.qemu.tuning import resctrl, start
from roost.drivers.qemu.tuning.schemata import Shared, Supply
from roost.errors import ConfigUnsupported, From, SystemCallError
from roost.host.api import HostControl, HostMonitor
from roost.host.fake import FakeHost
from roost.model import domain as model
from roost.model.domain import Domain

CACHE = "<cachetune vcpus='0-1'><cache id='0' level='3' type='both' size='2' unit='MiB'/>{}</cachetune>"
MEMORY = "<memorytune vcpus='{}'><node id='0' bandwidth='60'/>{}</memorytune>"
WATCHED = CACHE.format("<monitor level='3' vcpus='0-1'/><monitor level='3' vcpus='1'/>")
OWN = "qemu-7-web-vcpus_0-1"


def document(tune: str) -> Domain:
    return model.parse(
        f"<domain type='kvm'><name>web</name><memory>65536</memory><vcpu>4</vcpu><cputune>{tune}</cputune>"
        "<os><type arch='x86_64' machine='pc'>hvm</type></os></domain>"
    )


@pytest.fixture
def host() -> FakeHost:
    """A cache of 8 MiB in 8 parts, of which all tasks have two."""
    made = FakeHost()
    made.hardware.shares = (HostControl(1024, 1024, "both", 8, 8),)
    made.hardware.bandwidth = HostControl(10, 10, None, 8)
    made.hardware.monitoring = HostMonitor(0, 64, ("llc_occupancy", "mbm_total_bytes", "mbm_local_bytes"))
    made.resource_control.groups[""] = "L3:0=03\nMB:0=100\n"
    return made


@pytest.fixture
def guest(host: FakeHost, tmp_path: Path) -> Guest:
    made = Guest(Resources(host), GuestLog(tmp_path / "log"), "monitor")
    made.log.close()
    return made


def started(host: FakeHost, guest: Guest, tune: str) -> Domain:
    live = start.reserve_group(host, guest, document(tune), 7)
    start.make_group(host, guest, live, 7)
    return live


def test_one_group_for_caches_and_bandwidth(host: FakeHost, guest: Guest) -> None:
    live = started(host, guest, WATCHED + MEMORY.format("0-1", "") + MEMORY.format("3", ""))
    control = host.resource_control
    inner = f"{OWN}/mon_groups/qemu-7-web-vcpus_1"
    assert control.groups == {
        "": "L3:0=03\nMB:0=100\n",
        OWN: "L3:0=c\nMB:0=60\n",
        inner: "",
        "qemu-7-web-vcpus_3": "L3:0=3\nMB:0=60\n",
    }
    assert guest.status().held.task_groups == (OWN, inner, "qemu-7-web-vcpus_3")
    text = model.format(live)
    assert "<cachetune vcpus='0-1' id='vcpus_0-1'>" in text
    assert "<memorytune vcpus='3' id='vcpus_3'>" in text
    guest.threads.vcpus = (100, 101, 102, 103)
    start.tune_threads(host, guest, live)
    assert control.members == {OWN: [100, 101], inner: [101], "qemu-7-web-vcpus_3": [103]}
    guest.resources.release()
    assert control.removed == ["qemu-7-web-vcpus_3", inner, OWN]
    assert list(control.groups) == [""]


def test_a_daemon_that_comes_back_removes_them(host: FakeHost, guest: Guest) -> None:
    started(host, guest, WATCHED)
    again = Resources(host, guest.status().held)
    again.adopt()
    again.release()
    assert list(host.resource_control.groups) == [""]


def test_who_is_only_watched_stays_with_all_tasks(host: FakeHost, guest: Guest) -> None:
    live = started(host, guest, "<cachetune vcpus='0-2'><monitor level='3' vcpus='0-2'/></cachetune>")
    path = "mon_groups/qemu-7-web-vcpus_0-2"
    assert guest.resources.held.task_groups == (path,)
    start.tune_vcpu(host, guest, live, 2, 102)
    start.tune_vcpu(host, guest, live, 3, 103)
    assert host.resource_control.members == {path: [102]}


def test_a_name_that_another_daemon_uses(host: FakeHost, guest: Guest) -> None:
    host.resource_control.groups[OWN] = "L3:0=0c\n"
    started(host, guest, WATCHED)
    assert host.resource_control.groups["qemu-7-web-2-vcpus_0-1"] == "L3:0=30\nMB:0=100\n"


def test_a_name_that_is_taken_meanwhile_stays_the_others(host: FakeHost, guest: Guest) -> None:
    live = start.reserve_group(host, guest, document(WATCHED), 7)
    host.resource_control.groups[OWN] = "L3:0=0c\n"
    with pytest.raises(SystemCallError, match="Cannot create resctrl directory"):
        start.make_group(host, guest, live, 7)
    guest.resources.release()
    assert OWN in host.resource_control.groups


def test_what_is_not_to_be_had_leaves_nothing(host: FakeHost, guest: Guest) -> None:
    live = start.reserve_group(host, guest, document(CACHE.format("").replace("'2'", "'7'")), 7)
    with pytest.raises(ConfigUnsupported, match="Not enough room for allocation of 7340032 bytes for level 3 cache 0"):
        start.make_group(host, guest, live, 7)
    guest.resources.release()
    assert list(host.resource_control.groups) == [""]
    assert not host.resource_control.in_use


@pytest.mark.parametrize("tune", [CACHE.format(""), MEMORY.format("0", "")])
def test_a_host_without(guest: Guest, tune: str) -> None:
    words = r"Resource control is not supported on this host; mount -t resctrl resctrl /sys/fs/resctrl, .* drop <cache"
    with pytest.raises(ConfigUnsupported, match=words) as caught:
        start.reserve_group(FakeHost(), guest, document(tune), 7)
    assert caught.value.domain == From.RESCTRL
    assert guest.group == ""


def test_what_monitors_tell(host: FakeHost, guest: Guest) -> None:
    live = started(host, guest, WATCHED + MEMORY.format("0-1", "<monitor vcpus='0-1'/>"))
    inner = f"{OWN}/mon_groups/qemu-7-web-vcpus_1"
    told = {"llc_occupancy": 5, "mbm_total_bytes": 7, "mbm_local_bytes": 6}
    host.resource_control.readings = {OWN: {1: told, 0: told}, inner: {0: told}}
    used = {"llc_occupancy": 5}
    assert resctrl.readings(host, guest, live, resctrl.CACHE) == [
        ("vcpus_0-1", "0-1", [(0, used), (1, used)]),
        ("vcpus_1", "1", [(0, used)]),
    ]
    passed = {"mbm_total_bytes": 7, "mbm_local_bytes": 6}
    assert resctrl.readings(host, guest, live, resctrl.BANDWIDTH) == [
        ("vcpus_0-1", "0-1", [(0, passed), (1, passed)]),
    ]
    host.hardware.monitoring = None
    assert resctrl.readings(host, guest, live, resctrl.CACHE) == []


def test_what_a_host_has_to_give(host: FakeHost) -> None:
    """Of a cache whose size nobody knows, and of bandwidth without steps, nothing."""
    cache = Shared(8 << 20, 8, 1)
    ids = {3: frozenset((0,))}
    assert resctrl.supply_of(host) == Supply({(3, "both"): cache}, ids, host.hardware.bandwidth, 1, watches=True)
    host.hardware.shares = (HostControl(0, 0, "both", 8, 8),)
    host.hardware.bandwidth = HostControl(0, 0, None, 8)
    assert resctrl.supply_of(host) == Supply({}, ids, None, 1, watches=True)
