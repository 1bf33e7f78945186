"""QEMU's numbers in libvirt's names."""

from __future__ import annotations

from roost.constants import statistics as S
from roost.drivers.qemu.statistics import drive_stats, guest_memory


def test_what_the_guest_has_not_told_is_left_out() -> None:
    unknown = 2**64 - 1
    answer = {
        "stats": {"stat-swap-in": 4096, "stat-major-faults": 7, "stat-free-memory": unknown, "stat-disk-caches": 2048},
        "last-update": 99,
    }
    assert guest_memory(answer) == {
        S.MEMORY_STAT_SWAP_IN: 4,
        S.MEMORY_STAT_MAJOR_FAULT: 7,
        S.MEMORY_STAT_LAST_UPDATE: 99,
        S.MEMORY_STAT_DISK_CACHES: 2,
    }
    assert guest_memory(None) == {}
    assert guest_memory(RuntimeError()) == {}


def test_a_drive_is_found_by_its_device() -> None:
    answer = [
        {"qdev": "/machine/peripheral/virtio-disk1/virtio-backend", "stats": {"rd_bytes": 1}},
        {"qdev": "/machine/peripheral/virtio-disk10/virtio-backend", "stats": {"rd_bytes": 10}},
        {"device": "drive-ide0-0-0", "stats": {"rd_bytes": 3}},
        {"qdev": "ide0-0-1", "stats": {"rd_bytes": 4}},
    ]
    assert drive_stats(answer, "virtio-disk10") == {"rd_bytes": 10}
    assert drive_stats(answer, "ide0-0-0") == {"rd_bytes": 3}
    assert drive_stats(answer, "ide0-0-1") == {"rd_bytes": 4}
    assert drive_stats(answer, "absent") == {}
    assert drive_stats(None, "absent") == {}
