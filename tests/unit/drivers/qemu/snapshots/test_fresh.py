"""The images that were on top of what a snapshot keeps go, whenever a daemon dies over that."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.snapshots import fresh as F
from roost.engine.moments import FileShelf
from roost.engine.record import Definition
from roost.engine.snapshots import SnapshotStore
from roost.errors import From
from roost.model import domain as domains
from roost.model import snapshot as model
from roost.model.domain import Domain
from roost.model.domain.devices.disk import FileSource
from roost.model.snapshot import KeptSnapshot, Snapshot, SnapshotDisk


class Dying(FileShelf[KeptSnapshot]):
    """The daemon dies before the given number of writes is done."""

    left = 1000

    def write(self, domain: str, moment: KeptSnapshot) -> None:
        self.left -= 1
        if self.left < 0:
            raise InterruptedError
        super().write(domain, moment)


def domain(image: Path) -> Domain:
    return domains.parse(f"""<domain type='qemu'><name>back</name><memory>1024</memory>
<os><type>hvm</type></os><devices>
<disk type='file'><driver name='qemu' type='qcow2'/><source file='{image}'/><target dev='vda'/></disk>
</devices></domain>""")


def on_top(image: Path) -> tuple[SnapshotDisk, ...]:
    return (SnapshotDisk(name="vda", snapshot="external", source=FileSource(file=str(image)), format="qcow2"),)


@pytest.mark.parametrize("writes", range(5))
def test_a_death_after_each_write(tmp_path: Path, writes: int) -> None:
    """The domain was gone back to the older snapshot, and goes back to the younger one, which is its child."""
    base, older, younger, before, fresh = (tmp_path / name for name in ("base", "older", "younger", "before", "fresh"))
    for path in (base, older, before, fresh):
        path.touch()
    shelf = Dying(
        tmp_path / "kept", "snapshot", encode=lambda _, each: model.format_kept(each), decode=model.parse_kept
    )
    store = SnapshotStore(shelf, From.QEMU)
    parent = Snapshot(name="older", creation_time=1, state="disk-snapshot", disks=on_top(older), domain=domain(base))
    child = Snapshot(
        name="younger", parent="older", creation_time=2, state="disk-snapshot", disks=on_top(younger),
        domain=domain(older),
    )  # fmt: skip
    store.keep("back", parent)
    store.keep("back", child)
    store.put("back", replace(store.get("back", "older"), revert_disks=on_top(before)))
    store.set_current("back", "older")
    noted = store.get("back", "younger")
    made = Snapshot(name="3", disks=on_top(fresh))
    record = GuestRecord("back", bytes(16))
    record.definition = Definition("", domain(fresh))

    shelf.left = writes
    died = False
    try:
        F.keep(store, record, noted, made, (str(before),))
    except InterruptedError:
        died = True
    assert died == (writes < 4)
    shelf.left = 1000
    again = SnapshotStore(shelf, From.QEMU)
    F.keep(again, record, noted, made, (str(before),))

    assert {path.name for path in tmp_path.iterdir()} == {"base", "older", "fresh", "kept"}
    assert again.current("back") is again.get("back", "younger")
    assert again.get("back", "older").revert_disks == ()
    assert again.get("back", "younger").disks == on_top(fresh)
