"""The host's hardware, out of a /sys made for the test and of the machine itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from roost.host.api import HostCache, HostControl, HostMonitor
from roost.host.linux import cpuid, kvm
from roost.host.linux.hardware import LinuxHardware

PAGE = os.sysconf("SC_PAGESIZE") // 1024


def write(root: Path, **files: str) -> None:
    """Files by their path, with __ for a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    node = "devices__system__node__"
    write(
        tmp_path,
        **{
            f"{node}online": "0-1",
            f"{node}node0__meminfo": "Node 0 MemTotal:  1048576 kB\nNode 0 MemFree: 1 kB",
            f"{node}node0__cpulist": "0-1",
            f"{node}node0__distance": "10 20",
            f"{node}node0__hugepages__hugepages-2048kB__nr_hugepages": "128",
            f"{node}node0__hugepages__hugepages-1048576kB__nr_hugepages": "0",
            f"{node}node1__meminfo": "Node 1 MemTotal:  2048 kB",
            f"{node}node1__cpulist": "",
            f"{node}node1__distance": "20 10",
            "devices__system__cpu__online": "0-1",
            "kernel__mm__hugepages__hugepages-2048kB__nr_hugepages": "128",
            "power__state": "freeze mem disk",
        },
    )
    for cpu in (0, 1):
        for index, (level, kind, id) in enumerate((("1", "Data", cpu), ("3", "Unified", 0), ("4", "Unified", ""))):
            base = f"devices__system__cpu__cpu{cpu}__cache__index{index}__"
            write(
                tmp_path,
                **{
                    f"{base}level": level,
                    f"{base}type": kind,
                    f"{base}id": str(id),
                    f"{base}size": "16384K",
                    f"{base}shared_cpu_list": "0-1",
                },
            )
    return tmp_path


def test_cells(root: Path) -> None:
    first, second = LinuxHardware(root).cells()
    assert (first.id, first.memory, first.cpus) == (0, 1048576, (0, 1))
    assert first.pages == ((PAGE, (1048576 - 128 * 2048) // PAGE), (2048, 128), (1048576, 0))
    assert first.distances == ((0, 10), (1, 20))
    assert (second.cpus, second.pages) == ((), ((PAGE, 2048 // PAGE),))


def test_caches_that_are_shared(root: Path) -> None:
    assert LinuxHardware(root).caches() == [HostCache(0, 3, "both", 16384, "0-1")]


def test_page_sizes_and_sleep(root: Path) -> None:
    hardware = LinuxHardware(root)
    assert hardware.page_sizes() == (PAGE, 2048)
    assert hardware.sleep_states() == ["freeze", "mem", "disk"]


def test_an_iommu_has_groups(root: Path) -> None:
    assert not LinuxHardware(root).has_iommu()
    (root / "kernel/iommu_groups").mkdir()
    assert not LinuxHardware(root).has_iommu()
    (root / "kernel/iommu_groups/0").mkdir()
    assert LinuxHardware(root).has_iommu()


def test_what_tasks_can_be_given(root: Path) -> None:
    hardware = LinuxHardware(root)
    cache = hardware.caches()[0]
    assert hardware.cache_controls(cache) == []
    assert hardware.bandwidth_control() is None
    assert hardware.monitor() is None
    info = "fs__resctrl__info__"
    write(
        root,
        **{
            f"{info}L3CODE__cbm_mask": "ffff",
            f"{info}L3CODE__min_cbm_bits": "2",
            f"{info}L3CODE__num_closids": "8",
            f"{info}MB__bandwidth_gran": "10",
            f"{info}MB__min_bandwidth": "20",
            f"{info}MB__num_closids": "4",
            f"{info}L3_MON__max_threshold_occupancy": "270336",
            f"{info}L3_MON__num_rmids": "176",
            f"{info}L3_MON__mon_features": "llc_occupancy\nmbm_total_bytes",
        },
    )
    assert hardware.cache_controls(cache) == [HostControl(1024, 2048, "code", 8, 16)]
    assert hardware.bandwidth_control() == HostControl(10, 20, None, 4)
    assert hardware.monitor() == HostMonitor(270336, 176, ("llc_occupancy", "mbm_total_bytes"))


def test_a_host_without_numa(tmp_path: Path) -> None:
    hardware = LinuxHardware(tmp_path)
    (cell,) = hardware.cells()
    assert (cell.id, cell.cpus, cell.pages, cell.distances) == (0, (0,), (), ())
    assert cell.memory > 0
    assert hardware.caches() == []
    assert hardware.page_sizes() == (PAGE,)


def test_without_kvm(tmp_path: Path) -> None:
    plain = tmp_path / "kvm"
    assert kvm.max_vcpus(str(plain)) == 0
    assert kvm.tsc(str(plain)) is None
    plain.touch()
    assert kvm.max_vcpus(str(plain)) == 0
    assert kvm.tsc(str(plain)) is None


@pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="no access to /dev/kvm")
def test_kvm_tells_its_limits() -> None:
    hardware = LinuxHardware()
    assert hardware.kvm_max_vcpus() > 0
    told = hardware.tsc()
    assert told is None or told[0] > 100_000_000


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="only x86 has CPUID")
def test_the_processor_tells_who_it_is() -> None:
    words = LinuxHardware().cpuid()
    assert words[0, 0, "eax"] > 0
    assert words[0x80000000, 0, "eax"] >= 0x80000000
    vendor = b"".join(words[0, 0, register].to_bytes(4, "little") for register in ("ebx", "edx", "ecx"))
    assert vendor.decode() in Path("/proc/cpuinfo").read_text()


def test_without_a_way_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> cpuid.Cpuid:
        raise PermissionError(1, "no executable pages here")

    monkeypatch.setattr(cpuid, "_instruction", refuse)
    monkeypatch.setattr(cpuid, "_device", refuse)
    assert cpuid.read_words() == {}


def test_another_way_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> cpuid.Cpuid:
        raise PermissionError(1, "no executable pages here")

    def tell(leaf: int, subleaf: int) -> cpuid.Registers:
        return (leaf | 2, leaf, subleaf, 7)

    monkeypatch.setattr(cpuid, "_instruction", refuse)
    monkeypatch.setattr(cpuid, "_device", lambda: tell)
    words = cpuid.read_words()
    assert words[0, 0, "edx"] == 7
    assert words[0x80000002, 0, "ebx"] == 0x80000002
    assert (3, 0, "eax") not in words
