"""What QEMU tells of a migration or a dump, as a job's measure."""

from __future__ import annotations

from roost.drivers.qemu.state import progress
from roost.engine.jobs import Amount

RAM = {
    "total": 1000, "transferred": 300, "remaining": 700, "mbps": 8.0, "duplicate": 5, "normal": 6, "normal-bytes": 7,
    "dirty-pages-rate": 0, "dirty-sync-count": 2, "postcopy-requests": 0, "page-size": 4096,
}  # fmt: skip


def test_a_migration_under_way() -> None:
    found = progress.of_migration({"status": "active", "expected-downtime": 300, "setup-time": 1, "ram": RAM})
    assert found.memory == Amount(1000, 300, 700)
    assert found.downtime == 300
    assert [(field, value) for field, (_, value) in found.parameters] == [
        ("setup_time", 1),
        ("data_total", 1000),
        ("data_processed", 300),
        ("data_remaining", 700),
        ("memory_total", 1000),
        ("memory_processed", 300),
        ("memory_remaining", 700),
        ("memory_bps", 1_000_000),
        ("memory_constant", 5),
        ("memory_normal", 6),
        ("memory_normal_bytes", 7),
        ("memory_dirty_rate", 0),
        ("memory_iteration", 2),
        ("memory_postcopy_requests", 0),
        ("memory_page_size", 4096),
    ]


def test_one_that_is_over_tells_its_downtime() -> None:
    assert progress.of_migration({"status": "completed", "downtime": 4, "ram": RAM}).downtime == 4


def test_one_that_has_not_begun() -> None:
    found = progress.of_migration({})
    assert found.memory == Amount()
    assert found.downtime is None


def test_a_dump() -> None:
    found = progress.of_dump({"status": "active", "completed": 10, "total": 30})
    assert found.memory == Amount(30, 10, 20)
    assert [field for field, _ in found.parameters] == ["memory_total", "memory_processed", "memory_remaining"]
