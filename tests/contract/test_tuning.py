"""What bounds a domain, and how big it is: each driver remembers it in the document that was meant."""

from __future__ import annotations

from typing import Any

import pytest

from contract.conftest import Driver, define, start
from roost.client.blocking import Client
from roost.constants import domain as D
from roost.contract.typed_params import TypedParam, boolean, int_, string, uint, ullong
from roost.errors import InvalidArg, OperationInvalid, RoostError

DEVICES = """
<disk type='file' device='disk'><source file='/nowhere'/><target dev='vda' bus='virtio'/></disk>
<interface type='bridge'><mac address='52:54:00:00:00:09'/><source bridge='br0'/><target dev='testnet9'/></interface>
<memballoon model='virtio'/>
"""
CONFIG, LIVE = D.AFFECT_CONFIG, D.AFFECT_LIVE


@pytest.fixture
def domain(client: Client, driver: Driver) -> Any:
    return define(client, driver.document("guest", devices=DEVICES))


def shown(client: Client, domain: Any, flags: int = 0) -> str:
    return str(client.call("DOMAIN_GET_XML_DESC", domain, flags)[0])


def values(params: list[TypedParam]) -> dict[str, Any]:
    return {param.field: param.value[1] for param in params}


#: Families of parameters: the procedures' name, what is set, and what the document says then.
FAMILIES: list[tuple[str, list[TypedParam], str]] = [
    ("MEMORY_PARAMETERS", [ullong("hard_limit", 500000)], "<hard_limit unit='KiB'>500000</hard_limit>"),
    ("BLKIO_PARAMETERS", [uint("weight", 300)], "<weight>300</weight>"),
    (
        "BLKIO_PARAMETERS",
        [string("device_read_iops_sec", "/dev/sda,5")],
        "<read_iops_sec>5</read_iops_sec>",
    ),
    (
        "NUMA_PARAMETERS",
        [int_("numa_mode", 2), string("numa_nodeset", "0")],
        "<memory mode='interleave' nodeset='0'/>",
    ),
]


@pytest.mark.parametrize(("family", "params", "words"), FAMILIES)
def test_limits(client: Client, domain: Any, family: str, params: list[TypedParam], words: str) -> None:
    count = client.call(f"DOMAIN_GET_{family}", domain, 0, CONFIG)[1]
    before = values(client.call(f"DOMAIN_GET_{family}", domain, count, CONFIG)[0])
    assert len(before) == count
    client.call(f"DOMAIN_SET_{family}", domain, params, CONFIG)
    after = values(client.call(f"DOMAIN_GET_{family}", domain, count, CONFIG)[0])
    assert after == before | values(params)
    assert words in shown(client, domain)
    with pytest.raises(RoostError, match="parameter 'nosuch' not supported"):
        client.call(f"DOMAIN_SET_{family}", domain, [uint("nosuch", 1)], CONFIG)
    with pytest.raises(OperationInvalid, match="domain is not running"):
        client.call(f"DOMAIN_SET_{family}", domain, params, LIVE)


def test_limits_that_cross(client: Client, domain: Any) -> None:
    limits = [ullong("hard_limit", 5000), ullong("swap_hard_limit", 4000)]
    with pytest.raises(InvalidArg, match="memory hard_limit tunable value must be lower than"):
        client.call("DOMAIN_SET_MEMORY_PARAMETERS", domain, limits, CONFIG)
    assert "<memtune>" not in shown(client, domain)


def test_throttles(client: Client, domain: Any) -> None:
    params = [ullong("total_bytes_sec", 1000), ullong("total_bytes_sec_max", 2000)]
    client.call("DOMAIN_SET_BLOCK_IO_TUNE", domain, "vda", params, CONFIG)
    count = client.call("DOMAIN_GET_BLOCK_IO_TUNE", domain, None, 0, CONFIG)[1]
    found = values(client.call("DOMAIN_GET_BLOCK_IO_TUNE", domain, "/nowhere", count, CONFIG)[0])
    assert (len(found), found["total_bytes_sec"], found["total_iops_sec"]) == (20, 1000, 0)
    assert "<total_bytes_sec_max>2000</total_bytes_sec_max>" in shown(client, domain)
    both = [ullong("total_iops_sec", 1), ullong("read_iops_sec", 1)]
    with pytest.raises(InvalidArg, match="total and read/write of iops_sec cannot be set at the same time"):
        client.call("DOMAIN_SET_BLOCK_IO_TUNE", domain, "vda", both, CONFIG)
    with pytest.raises(InvalidArg, match="disk 'vdz' was not found in the domain config"):
        client.call("DOMAIN_GET_BLOCK_IO_TUNE", domain, "vdz", count, CONFIG)


def test_bandwidth(client: Client, domain: Any) -> None:
    params = [uint("inbound.average", 100), uint("inbound.peak", 200)]
    client.call("DOMAIN_SET_INTERFACE_PARAMETERS", domain, "52:54:00:00:00:09", params, CONFIG)
    count = client.call("DOMAIN_GET_INTERFACE_PARAMETERS", domain, "52:54:00:00:00:09", 0, CONFIG)[1]
    found = values(client.call("DOMAIN_GET_INTERFACE_PARAMETERS", domain, "52:54:00:00:00:09", count, CONFIG)[0])
    assert (len(found), found["inbound.average"], found["outbound.average"]) == (7, 100, 0)
    assert "<inbound average='100' peak='200'/>" in shown(client, domain)
    client.call("DOMAIN_SET_INTERFACE_PARAMETERS", domain, "52:54:00:00:00:09", [uint("inbound.average", 0)], CONFIG)
    assert "<bandwidth>" not in shown(client, domain)


def test_places_of_threads(client: Client, domain: Any) -> None:
    client.call("DOMAIN_PIN_EMULATOR", domain, b"\1", CONFIG)
    assert client.call("DOMAIN_GET_EMULATOR_PIN_INFO", domain, 1, CONFIG) == (b"\1", 1)
    assert "<emulatorpin cpuset='0'/>" in shown(client, domain)
    client.call("DOMAIN_ADD_IOTHREAD", domain, 4, CONFIG)
    client.call("DOMAIN_PIN_IOTHREAD", domain, 4, b"\1", CONFIG)
    assert [tuple(each) for each in client.call("DOMAIN_GET_IOTHREAD_INFO", domain, CONFIG)[0]] == [(4, b"\1")]
    assert "<iothreadpin iothread='4' cpuset='0'/>" in shown(client, domain)
    client.call("DOMAIN_DEL_IOTHREAD", domain, 4, CONFIG)
    assert "iothread" not in shown(client, domain)
    with pytest.raises(InvalidArg, match="Empty cpu list for pinning"):
        client.call("DOMAIN_PIN_EMULATOR", domain, b"\0", CONFIG)
    with pytest.raises(InvalidArg, match="iothreadid 9 not found"):
        client.call("DOMAIN_PIN_IOTHREAD", domain, 9, b"\1", CONFIG)
    with pytest.raises(InvalidArg, match="invalid value of 0 for iothread_id"):
        client.call("DOMAIN_ADD_IOTHREAD", domain, 0, CONFIG)


def test_processors(client: Client, domain: Any) -> None:
    client.call("DOMAIN_SET_VCPUS_FLAGS", domain, 4, D.VCPU_MAXIMUM | CONFIG)
    assert "<vcpu placement='static' current='1'>4</vcpu>" in shown(client, domain)
    client.call("DOMAIN_SET_VCPUS_FLAGS", domain, 3, CONFIG)
    assert client.call("DOMAIN_GET_VCPUS_FLAGS", domain, CONFIG)[0] == 3
    with pytest.raises(InvalidArg, match="5 > 4"):
        client.call("DOMAIN_SET_VCPUS_FLAGS", domain, 5, CONFIG)
    with pytest.raises(InvalidArg, match="'VIR_DOMAIN_AFFECT_CONFIG' is required by flag 'VIR_DOMAIN_VCPU_MAXIMUM'"):
        client.call("DOMAIN_SET_VCPUS_FLAGS", domain, 4, D.VCPU_MAXIMUM)


def test_memory(client: Client, domain: Any) -> None:
    client.call("DOMAIN_SET_MEMORY_FLAGS", domain, 20000, CONFIG)
    assert "<currentMemory unit='KiB'>20000</currentMemory>" in shown(client, domain)
    client.call("DOMAIN_SET_MAX_MEMORY", domain, 16384)
    assert "<memory unit='KiB'>16384</memory>" in shown(client, domain)
    assert "<currentMemory unit='KiB'>16384</currentMemory>" in shown(client, domain)
    with pytest.raises(InvalidArg, match="cannot set memory higher than max memory"):
        client.call("DOMAIN_SET_MEMORY_FLAGS", domain, 90000, CONFIG)
    client.call("DOMAIN_SET_MEMORY_STATS_PERIOD", domain, 5, CONFIG)
    assert "<stats period='5'/>" in shown(client, domain)


def test_counters_and_ends(client: Client, domain: Any) -> None:
    client.call("DOMAIN_SET_PERF_EVENTS", domain, [boolean("cpu_cycles", True)], CONFIG)
    assert values(client.call("DOMAIN_GET_PERF_EVENTS", domain, CONFIG)[0])["cpu_cycles"] == 1
    assert "<event name='cpu_cycles' enabled='yes'/>" in shown(client, domain)
    client.call("DOMAIN_SET_LIFECYCLE_ACTION", domain, D.LIFECYCLE_CRASH, D.LIFECYCLE_ACTION_PRESERVE, CONFIG)
    assert "<on_crash>preserve</on_crash>" in shown(client, domain)
    with pytest.raises(RoostError, match="Lifecycle event 'reboot' doesn't support 'coredump-destroy' action"):
        client.call(
            "DOMAIN_SET_LIFECYCLE_ACTION", domain, D.LIFECYCLE_REBOOT, D.LIFECYCLE_ACTION_COREDUMP_DESTROY, CONFIG
        )


def test_a_running_domain_and_its_definition_are_two(client: Client, driver: Driver) -> None:
    domain = define(client, driver.document("guest", devices="<memballoon model='virtio'/>"))
    start(client, domain)
    client.call("DOMAIN_SET_LIFECYCLE_ACTION", domain, D.LIFECYCLE_CRASH, D.LIFECYCLE_ACTION_PRESERVE, CONFIG)
    assert "<on_crash>preserve</on_crash>" in shown(client, domain, D.XML_INACTIVE)
    assert "<on_crash>preserve</on_crash>" not in shown(client, domain)
    client.call("DOMAIN_SET_LIFECYCLE_ACTION", domain, D.LIFECYCLE_CRASH, D.LIFECYCLE_ACTION_PRESERVE, LIVE)
    assert "<on_crash>preserve</on_crash>" in shown(client, domain)
    with pytest.raises(OperationInvalid, match="cannot resize the maximum memory on an active domain"):
        client.call("DOMAIN_SET_MAX_MEMORY", domain, 16384)
    with pytest.raises(InvalidArg, match="are mutually exclusive"):
        client.call("DOMAIN_GET_NUMA_PARAMETERS", domain, 2, LIVE | CONFIG)
