"""The numbers of images, as libvirt gives them: disks' own images first, then what is below them."""

from __future__ import annotations

from roost.drivers.qemu.plan.imagenumbers import number_images
from roost.model.domain.devices.disk import BackingStore, Disk, DiskTarget, FileSource


def disk(target: str, depth: int, first: int | None = None) -> Disk:
    below: BackingStore | None = BackingStore()
    for _ in range(depth - 1):
        below = BackingStore(source=FileSource(file="/below"), format="qcow2", backing_store=below)
    return Disk(target=DiskTarget(dev=target), source=FileSource(file="/top", index=first), backing_store=below)


def numbers(*disks: Disk) -> dict[str, tuple[int, ...]]:
    return {each.target.dev: found for each, found in number_images(disks)}


def test_tops_come_before_what_is_below_them() -> None:
    assert numbers(disk("vda", 3), disk("vdb", 2)) == {"vdb": (1, 3), "vda": (2, 4, 5)}


def test_known_numbers_stay_and_are_not_given_again() -> None:
    assert numbers(disk("vda", 2, first=4), disk("vdb", 2)) == {"vdb": (5, 6), "vda": (4, 7)}
