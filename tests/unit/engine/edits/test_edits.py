"""What calls make of documents."""

from __future__ import annotations

from typing import Any

import pytest

from roost.contract.typed_params import boolean, ullong
from roost.engine.edits import blkio, cputune, iothreads, memory, numa, perf, throttling
from roost.errors import (
    ArgumentUnsupported,
    ConfigUnsupported,
    InternalError,
    InvalidArg,
    OperationInvalid,
    RoostError,
)
from roost.host.api import UNLIMITED
from roost.model import domain as model
from roost.model.domain import Domain
from roost.model.domain.tuning import BlkioTune


def document(inner: str = "", devices: str = "") -> Domain:
    return model.parse(
        f"<domain type='test'><name>web</name><memory>65536</memory><vcpu>2</vcpu>{inner}"
        f"<os><type arch='x86_64' machine='pc'>hvm</type></os><devices>{devices}</devices></domain>"
    )


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        ({"total_bytes_sec": 5, "read_bytes_sec": 6}, InvalidArg, "total and read/write of bytes_sec cannot be set"),
        ({"total_iops_sec_max": 5, "write_iops_sec_max": 6}, InvalidArg, "read/write of iops_sec_max cannot be set"),
        ({"total_bytes_sec": 10**15 + 1}, ArgumentUnsupported, "must be no more than 1000000000000000"),
    ],
)
def test_throttles_that_are_refused(values: dict[str, Any], error: type[RoostError], words: str) -> None:
    with pytest.raises(error, match=words):
        throttling.check(values)


def test_devices_of_the_host() -> None:
    assert blkio.parse_devices("device_weight", "/dev/sda,300,/dev/sdb,0") == {"/dev/sda": 300, "/dev/sdb": 0}
    assert blkio.parse_devices("device_weight", "") == {}
    tune = blkio.with_devices(BlkioTune(), {"weight": {"/dev/sda": 300}, "read_iops_sec": {"/dev/sdb": 5}})
    assert dict(blkio.device_lists(tune))["device_weight"] == "/dev/sda,300"
    assert dict(blkio.device_lists(tune))["device_read_iops_sec"] == "/dev/sdb,5"
    assert [each.path for each in blkio.with_devices(tune, {"weight": {"/dev/sda": 0}}).devices] == ["/dev/sdb"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/dev/sda", "unable to parse blkio device 'device_weight' '/dev/sda'"),
        ("/dev/sda,5,/dev/sdb", "unable to parse blkio device"),
        ("/dev/sda,x", "invalid value 'x' for parameter 'device_weight' of device '/dev/sda'"),
        ("/dev/sda,4294967296", "invalid value '4294967296'"),
    ],
)
def test_lists_of_devices_that_are_none(text: str, words: str) -> None:
    with pytest.raises(InvalidArg, match=words):
        blkio.parse_devices("device_weight", text)


def memory_of(found: Domain) -> tuple[str | None, str | None]:
    assert found.numatune is not None
    assert found.numatune.memory is not None
    return found.numatune.memory.mode, found.numatune.memory.nodeset


def test_memory_nodes() -> None:
    assert memory_of(numa.with_numatune(document(), None, "0-1")) == ("strict", "0-1")
    placed = document("<numatune><memory mode='interleave' nodeset='1'/></numatune>")
    assert memory_of(numa.with_numatune(placed, None, "0")) == ("interleave", "0")
    assert memory_of(numa.with_numatune(placed, "preferred", None)) == ("preferred", "1")
    with pytest.raises(ConfigUnsupported, match="nodeset for NUMA memory tuning must be set"):
        numa.with_numatune(document(), "strict", None)
    assert numa.with_numatune(placed, None, None) is placed
    assert numa.read_nodeset({"numa_mode": 3, "numa_nodeset": "1,0"}) == ("restrictive", "0-1")
    with pytest.raises(InvalidArg, match="unsupported numatune mode: '7'"):
        numa.read_nodeset({"numa_mode": 7})
    with pytest.raises(OperationInvalid, match="Invalid nodeset of 'numatune'"):
        numa.read_nodeset({"numa_nodeset": "^0"})


def ids(domain: Domain) -> list[int]:
    return [thread.id for thread in iothreads.listed(domain)]


def test_threads_come_and_go() -> None:
    two = document("<iothreads>2</iothreads>")
    assert ids(two) == [1, 2]
    more = iothreads.added(two, 7)
    assert (ids(more), more.iothreads) == ([1, 2, 7], 3)
    assert iothreads.removed(more, 7).iothread_ids == ()
    assert ids(iothreads.removed(more, 1)) == [2, 7]
    assert iothreads.removed(document("<iothreads>1</iothreads>"), 1).iothreads is None
    with pytest.raises(InvalidArg, match="an IOThread is already using iothread_id '2'; taken: 1, 2"):
        iothreads.added(two, 2)
    with pytest.raises(InvalidArg, match="cannot find IOThread '9' in iothreadids list; there are 1, 2"):
        iothreads.removed(two, 9)


def test_a_thread_that_serves_stays() -> None:
    disk = "<disk><driver iothread='1'/><source file='/x'/><target dev='vda'/></disk>"
    with pytest.raises(InvalidArg, match="cannot remove IOThread 1 since it is being used by disk 'vda'"):
        iothreads.removed(document("<iothreads>1</iothreads>", disk), 1)
    adapter = "<controller type='scsi' model='virtio-scsi'><driver iothread='1'/></controller>"
    with pytest.raises(InvalidArg, match="since it is being used by controller"):
        iothreads.removed(document("<iothreads>1</iothreads>", adapter), 1)


def test_where_threads_may_run() -> None:
    found = document("<iothreads>1</iothreads>")
    assert cputune.vcpu_cpus(found, 1) is cputune.emulator_cpus(found) is cputune.iothread_cpus(found, 1) is None
    found = cputune.with_vcpu_pin(cputune.with_vcpu_pin(found, 1, "0-1"), 0, "3")
    found = cputune.with_iothread_pin(cputune.with_emulator_pin(found, "2"), 1, "1")
    assert [pin.vcpu for pin in found.cputune.vcpupins] == [0, 1]  # type: ignore[union-attr]
    assert cputune.vcpu_cpus(found, 1) == frozenset({0, 1})
    assert (cputune.emulator_cpus(found), cputune.iothread_cpus(found, 1)) == (frozenset({2}), frozenset({1}))
    assert iothreads.removed(found, 1).cputune.iothreadpins == ()  # type: ignore[union-attr]
    with pytest.raises(InvalidArg, match="iothreadid 4 not found; there are 1"):
        cputune.with_iothread_pin(found, 4, "1")
    with pytest.raises(InvalidArg, match="Empty cpu list for pinning"):
        cputune.require_cpus(frozenset())


def test_counters() -> None:
    found = perf.with_events(document(), {"cpu_cycles": 1, "cmt": 0})
    assert perf.enabled(found) == {"cpu_cycles"}
    assert [event.name for event in found.perf.events] == ["cmt", "cpu_cycles"]  # type: ignore[union-attr]
    assert perf.shown(perf.enabled(found))[3] == boolean("cpu_cycles", True)


def test_limits_of_memory() -> None:
    found = memory.with_limits(document(), {"hard_limit": 5, "soft_limit": UNLIMITED})
    assert memory.shown(found)[:2] == [ullong("hard_limit", 5), ullong("soft_limit", UNLIMITED)]
    with pytest.raises(InvalidArg, match="hard_limit tunable value must be lower than or equal to swap_hard_limit"):
        memory.check_limits(found, {"swap_hard_limit": 4})
    memory.check_limits(found, {"soft_limit": 4})
    assert memory.with_limits(found, {"hard_limit": UNLIMITED}).memtune is None


def test_sizes_of_memory() -> None:
    found = memory.with_maximum(document(), 100)
    assert (found.memory, found.current_memory) == (100, 100)
    cells = "<cpu><numa><cell id='0' cpus='0-1' memory='65536'/></numa></cpu>"
    with pytest.raises(OperationInvalid, match="domain with NUMA nodes cannot be modified"):
        memory.with_maximum(document(cells), 100)
    with pytest.raises(OperationInvalid, match="initial memory size greater than the maximum"):
        memory.with_maximum(document("<maxMemory slots='1'>70000</maxMemory>"), 80000)
    with pytest.raises(InvalidArg, match="cannot set memory higher than max memory; the most is 5 KiB"):
        memory.check_balloon(6, 5)
    with pytest.raises(InternalError, match="No memory balloon device configured"):
        memory.with_period(document(), 5)
    balloon = memory.with_period(document(devices="<memballoon model='virtio'/>"), 5).devices.memballoon
    assert balloon is not None
    assert balloon.stats_period == 5
