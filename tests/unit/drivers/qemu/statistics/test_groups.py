"""What each group makes of QEMU's answers: recorded ones, of guests that this machine need not be able to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from roost.constants import statistics as S
from roost.constants import typed_params as T
from roost.drivers.qemu.statistics.answers import Answers, balloon_question, questions, understand
from roost.drivers.qemu.statistics.groups import ALL, COLLECTORS, Observed, OnHost, collect, guest_memory
from roost.drivers.qemu.tuning.resctrl import Reading
from roost.host.api import ProcessUsage, ThreadUsage
from roost.model import domain as model
from roost.model.domain import Domain

DOMAIN = """<domain type='{type}' id='1'><name>g</name><memory unit='KiB'>65536</memory>
<currentMemory unit='KiB'>{current}</currentMemory><vcpu current='2'>4</vcpu>{vcpus}<iothreads>2</iothreads>
<os><type>hvm</type></os><devices>{devices}{balloon}</devices></domain>"""
BALLOON = "<memballoon model='virtio'><alias name='balloon0'/></memballoon>"
UNKNOWN = 2**64 - 1


def domain(
    type: str = "qemu", *, vcpus: str = "", devices: str = "", balloon: str = BALLOON, current: int = 32768
) -> Domain:
    text = DOMAIN.format(type=type, vcpus=vcpus, devices=devices, balloon=balloon, current=current)
    return model.parse(text, live=True)


def answered(live: Domain, groups: int, said: Mapping[str, Any]) -> Answers:
    """The answers to a guest's questions, by command; those not given are refused."""
    asked = questions(live, groups, measured=True)
    replies = [
        msgspec.Raw(msgspec.json.encode(said[question.field])) if question.field in said else RuntimeError()
        for question in asked
    ]
    return understand(asked, replies)


def shown(groups: int, live: Domain, **said: Any) -> dict[str, tuple[int, Any]]:
    host = OnHost(
        ProcessUsage(2_000, 1_000, 4096), (100, 101), {100: ThreadUsage(100, 7, 8, 9)}, {"vnet0": range(1, 9)}
    )
    seen = Observed(1, 5, live, answered(live, groups, said), host, {})
    return dict(collect(seen, groups))


def test_groups_are_libvirts() -> None:
    assert list(COLLECTORS) == [
        S.STATE, S.CPU_TOTAL, S.BALLOON, S.VCPU, S.INTERFACE, S.BLOCK, S.PERF, S.IOTHREAD, S.MEMORY, S.DIRTYRATE, S.VM,
    ]  # fmt: skip
    assert ALL == 0x7FF


def test_a_guest_is_asked_only_what_it_has() -> None:
    def asked(live: Domain, groups: int = ALL, *, measured: bool = True) -> list[str]:
        return [question.command for question in questions(live, groups, measured=measured)]

    bare = domain(balloon="<memballoon model='none'/>")
    assert asked(bare, S.BALLOON | S.BLOCK | S.STATE) == []
    assert balloon_question(bare) is None
    assert asked(domain()) == ["qom-get", "query-iothreads", "query-dirty-rate"]
    assert asked(domain(), S.DIRTYRATE, measured=False) == []
    disk = "<disk type='file'><target dev='vda'/></disk>"
    assert asked(domain(devices=disk), S.BLOCK) == ["query-blockstats", "query-named-block-nodes"]
    reading = disk.replace("<target", "<driver name='qemu' copy_on_read='on'/><target")
    assert asked(domain(devices=reading), S.BLOCK)[2:] == ["query-blockstats"]
    assert asked(domain("kvm"), S.VM | S.CPU_TOTAL) == ["query-stats", "query-stats", "query-stats-schemas"]


def test_answers_that_are_none() -> None:
    live = domain()
    assert answered(live, ALL, {"dirty_rate": ["nonsense"], "balloon": {"stats": 1}}) == Answers()


def test_what_the_guest_has_not_told_is_left_out() -> None:
    stats = {"stat-swap-in": 4096, "stat-major-faults": 7, "stat-free-memory": UNKNOWN, "stat-disk-caches": 2048}
    found = answered(domain(), S.BALLOON, {"balloon": {"stats": stats, "last-update": 99}})
    assert dict(guest_memory(found.balloon)) == {
        S.MEMORY_STAT_SWAP_IN: 4,
        S.MEMORY_STAT_MAJOR_FAULT: 7,
        S.MEMORY_STAT_LAST_UPDATE: 99,
        S.MEMORY_STAT_DISK_CACHES: 2,
    }
    assert dict(guest_memory(None)) == {}


def test_balloon() -> None:
    params = shown(S.BALLOON, domain(), balloon={"stats": {"stat-free-memory": 8192}, "last-update": 5})
    assert params == {
        "balloon.current": (T.ULLONG, 32768),
        "balloon.maximum": (T.ULLONG, 65536),
        "balloon.unused": (T.ULLONG, 8),
        "balloon.last-update": (T.ULLONG, 5),
        "balloon.rss": (T.ULLONG, 4096),
    }
    without = shown(S.BALLOON, domain(balloon="<memballoon model='none'/>"))
    assert without["balloon.current"] == without["balloon.maximum"]


def test_processor_time_of_an_emulated_guest() -> None:
    assert shown(S.CPU_TOTAL, domain()) == {
        "cpu.time": (T.ULLONG, 3_000),
        "cpu.user": (T.ULLONG, 2_000),
        "cpu.system": (T.ULLONG, 1_000),
        "cpu.cache.monitor.count": (T.UINT, 0),
        "cpu.haltpoll.success.time": (T.ULLONG, 0),
        "cpu.haltpoll.fail.time": (T.ULLONG, 0),
    }


KVM_VCPU = [
    {
        "provider": "kvm",
        "qom-path": f"/machine/unattached/device[{number}]",
        "stats": [
            {"name": "guest_mode", "value": False},
            {"name": "halt_poll_success_ns", "value": 100 + number},
            {"name": "halt_poll_fail_ns", "value": 7},
            {"name": "halt_wait_hist", "value": [1, 2, 3]},
        ],
    }
    for number in range(2)
]
KVM_VM = [{"provider": "kvm", "stats": [{"name": "remote_tlb_flush", "value": 4}, {"name": "pages_4k", "value": 9}]}]
SCHEMAS = [
    {
        "provider": "kvm",
        "target": "vcpu",
        "stats": [
            {"name": "guest_mode", "type": "instant", "unit": "boolean"},
            {"name": "halt_poll_success_ns", "type": "cumulative", "unit": "seconds", "base": 10, "exponent": -9},
            {"name": "halt_poll_fail_ns", "type": "cumulative"},
            {"name": "halt_wait_hist", "type": "log2-histogram"},
        ],
    },
    {
        "provider": "kvm",
        "target": "vm",
        "stats": [{"name": "remote_tlb_flush", "type": "cumulative"}, {"name": "pages_4k", "type": "peak"}],
    },
]


def test_what_kvm_counts() -> None:
    live = domain("kvm")
    params = shown(S.CPU_TOTAL | S.VCPU | S.VM, live, vcpus=KVM_VCPU, machine=KVM_VM, schemas=SCHEMAS)
    assert params["cpu.haltpoll.success.time"] == (T.ULLONG, 201)
    assert params["cpu.haltpoll.fail.time"] == (T.ULLONG, 14)
    assert params["vcpu.1.halt_poll_success_ns.sum"] == (T.ULLONG, 101)
    assert params["vcpu.0.guest_mode.cur"] == (T.BOOLEAN, 0)
    assert params["vm.remote_tlb_flush.sum"] == (T.ULLONG, 4)
    assert params["vm.pages_4k.max"] == (T.ULLONG, 9)
    assert not [name for name in params if "hist" in name]


def test_kvm_that_does_not_count() -> None:
    assert "cpu.haltpoll.success.time" not in shown(S.CPU_TOTAL, domain("kvm"))


def test_processors_keep_their_numbers() -> None:
    vcpus = (
        "<vcpus><vcpu id='0' enabled='yes'/><vcpu id='1' enabled='no'/><vcpu id='2' enabled='yes'/>"
        "<vcpu id='3' enabled='no'/></vcpus>"
    )
    assert shown(S.VCPU, domain(vcpus=vcpus)) == {
        "vcpu.current": (T.UINT, 2),
        "vcpu.maximum": (T.UINT, 4),
        "vcpu.0.state": (T.INT, 1),
        "vcpu.0.time": (T.ULLONG, 7),
        "vcpu.0.wait": (T.ULLONG, 9),
        "vcpu.0.delay": (T.ULLONG, 8),
        "vcpu.2.state": (T.INT, 1),
        "vcpu.2.time": (T.ULLONG, 0),
        "vcpu.2.wait": (T.ULLONG, 0),
        "vcpu.2.delay": (T.ULLONG, 0),
    }


def test_interfaces() -> None:
    devices = (
        "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"
        "<interface type='ethernet'><mac address='52:54:00:00:00:02'/><target dev='vnet0'/></interface>"
        "<interface type='ethernet'><mac address='52:54:00:00:00:03'/><target dev='gone'/></interface>"
    )
    params = shown(S.INTERFACE, domain(devices=devices))
    assert params["net.count"] == (T.UINT, 3)
    assert params["net.1.name"] == (T.STRING, "vnet0")
    assert [params[f"net.1.rx.{name}"][1] for name in ("bytes", "pkts", "errs", "drop")] == [1, 2, 3, 4]
    assert [params[f"net.1.tx.{name}"][1] for name in ("bytes", "pkts", "errs", "drop")] == [5, 6, 7, 8]
    assert params["net.2.name"] == (T.STRING, "gone")
    assert len(params) == 11


def test_iothreads() -> None:
    polling = {"poll-max-ns": 32768, "poll-grow": 0, "poll-shrink": 0, "aio-max-batch": 0}
    told = [{"id": "iothread2", "thread-id": 9, **polling}, {"id": "iothread1", "thread-id": 8}, {"id": "other"}]
    assert shown(S.IOTHREAD, domain(), iothreads=told) == {
        "iothread.count": (T.UINT, 2),
        "iothread.2.poll-max-ns": (T.ULLONG, 32768),
        "iothread.2.poll-grow": (T.UINT, 0),
        "iothread.2.poll-shrink": (T.UINT, 0),
    }
    assert shown(S.IOTHREAD, domain()) == {}


def test_dirty_rate() -> None:
    unstarted = {"status": "unstarted", "start-time": 0, "calc-time": 0, "sample-pages": 0, "mode": "page-sampling"}
    assert shown(S.DIRTYRATE, domain(), dirty_rate=unstarted) == {
        "dirtyrate.calc_status": (T.INT, 0),
        "dirtyrate.calc_start_time": (T.LLONG, 0),
        "dirtyrate.calc_period": (T.INT, 0),
        "dirtyrate.calc_mode": (T.STRING, "page-sampling"),
    }
    measured = {
        "status": "measured", "start-time": 70, "calc-time": 1, "sample-pages": 0, "mode": "dirty-ring",
        "dirty-rate": 12, "vcpu-dirty-rate": [{"id": 0, "dirty-rate": 5}, {"id": 1, "dirty-rate": 7}],
    }  # fmt: skip
    params = shown(S.DIRTYRATE, domain(), dirty_rate=measured)
    assert params["dirtyrate.megabytes_per_second"] == (T.LLONG, 12)
    assert params["dirtyrate.vcpu.1.megabytes_per_second"] == (T.ULLONG, 7)
    assert shown(S.DIRTYRATE, domain(), dirty_rate={**unstarted, "status": "later"}) == {}


def test_groups_without_numbers() -> None:
    assert shown(S.PERF | S.MEMORY, domain()) == {}


def test_what_monitors_of_resctrl_tell() -> None:
    """Names, types and order are libvirt's; bytes of a cache are cut to 32 bits as it cuts them."""
    caches = [Reading("vcpus_0-1", "0-1", [(0, {"llc_occupancy": 4096}), (2, {"llc_occupancy": (1 << 32) + 1})])]
    passed = {"mbm_total_bytes": 7, "mbm_local_bytes": 6, "mbm_of_tomorrow": 5}
    host = OnHost(ProcessUsage(2, 1, 4096), caches=caches, bandwidths=[Reading("vcpus_1", "1", [(3, passed)])])
    seen = Observed(1, 5, domain(), Answers(), host, {})
    assert collect(seen, S.CPU_TOTAL)[3:11] == [
        ("cpu.cache.monitor.count", (T.UINT, 1)),
        ("cpu.cache.monitor.0.name", (T.STRING, "vcpus_0-1")),
        ("cpu.cache.monitor.0.vcpus", (T.STRING, "0-1")),
        ("cpu.cache.monitor.0.bank.count", (T.UINT, 2)),
        ("cpu.cache.monitor.0.bank.0.id", (T.UINT, 0)),
        ("cpu.cache.monitor.0.bank.0.bytes", (T.UINT, 4096)),
        ("cpu.cache.monitor.0.bank.1.id", (T.UINT, 2)),
        ("cpu.cache.monitor.0.bank.1.bytes", (T.UINT, 1)),
    ]
    assert collect(seen, S.MEMORY) == [
        ("memory.bandwidth.monitor.count", (T.UINT, 1)),
        ("memory.bandwidth.monitor.0.name", (T.STRING, "vcpus_1")),
        ("memory.bandwidth.monitor.0.vcpus", (T.STRING, "1")),
        ("memory.bandwidth.monitor.0.node.count", (T.UINT, 1)),
        ("memory.bandwidth.monitor.0.node.0.id", (T.UINT, 3)),
        ("memory.bandwidth.monitor.0.node.0.bytes.total", (T.ULLONG, 7)),
        ("memory.bandwidth.monitor.0.node.0.bytes.local", (T.ULLONG, 6)),
    ]
