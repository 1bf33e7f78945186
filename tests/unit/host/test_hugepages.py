"""Where the host makes files of huge pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.host.linux.hardware import LinuxHardware


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "meminfo").write_text("MemTotal: 1024 kB\nHugepagesize:    2048 kB\n")
    return tmp_path


def test_mounts_by_size(proc: Path) -> None:
    (proc / "mounts").write_text(
        "tmpfs /run tmpfs rw 0 0\n"
        "hugetlbfs /dev/hugepages hugetlbfs rw,relatime 0 0\n"
        "none /big hugetlbfs rw,pagesize=1024M 0 0\n"
        "none /again hugetlbfs rw,pagesize=2M 0 0\n"
    )
    assert LinuxHardware(proc=proc).page_mounts() == {2048: "/dev/hugepages", 1 << 20: "/big", 0: "/dev/hugepages"}


def test_other_sizes_are_not_the_default(proc: Path) -> None:
    (proc / "mounts").write_text("none /big hugetlbfs rw,pagesize=1G 0 0\n")
    assert LinuxHardware(proc=proc).page_mounts() == {1 << 20: "/big"}


def test_a_host_without(tmp_path: Path) -> None:
    hardware = LinuxHardware(proc=tmp_path)
    assert (hardware.page_mounts(), hardware.default_huge_page()) == ({}, 0)
