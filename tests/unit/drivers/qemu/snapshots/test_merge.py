"""What deleting an external snapshot takes, by the images that its domain's snapshots stand on."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.snapshots import lineage
from roost.drivers.qemu.snapshots.merge import plan_deletion
from roost.errors import OperationFailed, OperationUnsupported
from roost.model import domain as domains
from roost.model.domain import Domain
from roost.model.domain.devices.disk import FileSource
from roost.model.snapshot import KeptSnapshot, SnapshotDisk, SnapshotMode


def domain(*images: str) -> Domain:
    """A domain whose disk vda has these images, from the top down."""
    below = "<backingStore/>"
    for image in reversed(images[1:]):
        below = f"<backingStore type='file'><format type='qcow2'/><source file='/{image}'/>{below}</backingStore>"
    return domains.parse(
        f"""<domain type='qemu'><name>web</name><memory>1024</memory><os><type>hvm</type></os><devices>
        <disk type='file'><driver name='qemu' type='qcow2'/><source file='/{images[0]}'/>{below}
        <target dev='vda'/></disk></devices></domain>"""
    )


def taken(
    name: str, parent: str | None, then: Domain, image: str | None, mode: SnapshotMode = "external"
) -> KeptSnapshot:
    """A snapshot of a domain that goes on in `image`."""
    source = FileSource(file=f"/{image}") if image is not None else None
    disks = (SnapshotDisk(name="vda", snapshot=mode, source=source),)
    return KeptSnapshot(name=name, parent=parent, state="disk-snapshot", disks=disks, domain=then)


A = taken("a", None, domain("base"), "a")
B = taken("b", "a", domain("a", "base"), "b")
NOW = domain("b", "a", "base")


def paths(disk_of: Domain) -> list[str]:
    return [layer.path for layer in C.chain_of(disk_of.devices.disks[0]).layers]


def test_the_top_is_merged() -> None:
    plan = plan_deletion(B, [A], NOW, B)
    (merge,) = plan.merges
    assert (merge.place, merge.base.path, merge.above) == (0, "/a", ())
    assert plan.removed == ()


def test_one_in_the_middle_is_merged_and_others_told() -> None:
    plan = plan_deletion(A, [B], NOW, B)
    (merge,) = plan.merges
    assert (merge.place, merge.base.path, merge.above) == (1, "/base", ())
    (gone,) = plan.gone
    after = lineage.merged(B, gone.target, gone.source, gone.base)
    assert after.domain is not None
    assert paths(after.domain) == ["/base"]
    assert paths(lineage.without_image(NOW, "vda", gone.source, gone.base)) == ["/b", "/base"]
    assert lineage.without_image(NOW, "vdz", gone.source, gone.base) is NOW


def test_images_of_another_branch_are_told_where_they_stand() -> None:
    """Two were made of b's image; the one that goes is below both."""
    other = taken("c", "a", domain("a", "base"), "c")
    plan = plan_deletion(A, [B, other], domain("c", "a", "base"), other)
    (merge,) = plan.merges
    assert merge.above == ("/b",)


def test_one_that_nothing_was_made_of_loses_its_images() -> None:
    other = taken("c", "a", domain("a", "base"), "c")
    plan = plan_deletion(B, [A, other], domain("c", "a", "base"), other)
    assert plan.merges == ()
    assert plan.removed == ("/b",)


def test_after_going_back() -> None:
    """a was gone back to: the guest is in an image of its own, and b is another branch."""
    current = replace(A, revert_disks=(SnapshotDisk(name="vda", snapshot="external", source=FileSource(file="/a2")),))
    now = domain("a2", "base")
    with pytest.raises(OperationUnsupported, match="active external snapshot that is not a leaf"):
        plan_deletion(current, [B], now, current)
    third = taken("c", "a", domain("a2", "base"), "c")
    with pytest.raises(OperationUnsupported, match="multiple children not supported; snapshot 'b' needs '/base'"):
        plan_deletion(current, [B, third], domain("c", "a2", "base"), third)
    (merge,) = plan_deletion(current, [third], domain("c", "a2", "base"), third).merges
    assert merge.place == 1


def test_internal_ones_in_the_base_do_not_mind() -> None:
    inside = taken("i", None, domain("base"), None, "internal")
    outer = replace(A, parent="i")
    assert len(plan_deletion(outer, [inside], domain("a", "base"), outer).merges) == 1
    # One in an image that stands on the base does.
    other = taken("j", None, domain("x", "base"), None, "internal")
    with pytest.raises(OperationUnsupported, match="snapshot 'j' needs '/base'"):
        plan_deletion(outer, [inside, other], domain("a", "base"), outer)


def test_an_interrupted_deletion_is_gone_on_with() -> None:
    def marked(snapshot: KeptSnapshot) -> KeptSnapshot:
        return replace(snapshot, disks=tuple(replace(disk, delete_in_progress=True) for disk in snapshot.disks))

    # The image is merged already: what is above the base is another's.
    plan = plan_deletion(marked(A), [B], domain("b", "base"), B)
    assert plan.merges == ()
    assert [(gone.target, gone.base.path) for gone in plan.gone] == [("vda", "/base")]
    assert len(plan_deletion(marked(A), [B], NOW, B).merges) == 1


def test_images_that_somebody_has_changed() -> None:
    with pytest.raises(OperationFailed, match="snapshot VM disk source and parent disk source are not the same"):
        plan_deletion(B, [A], domain("b", "base"), B)
    with pytest.raises(OperationUnsupported, match="non-leaf external snapshot that is not in active chain"):
        plan_deletion(A, [B], domain("z"), taken("z", None, domain("y"), "z"))


def test_disks_that_a_snapshot_leaves_alone() -> None:
    alone = replace(A, disks=(SnapshotDisk(name="vda", snapshot="no"),))
    assert plan_deletion(alone, [], NOW, alone) == ((), (), ())


def test_images_of_another_snapshot_that_are_gone() -> None:
    """What its document leaves open cannot be found, and nobody else suffers from that."""
    open_ended = domains.parse(domains.format(domain("gone")).replace("<backingStore/>", ""))
    other = taken("z", None, open_ended, "y")
    assert len(plan_deletion(B, [A, other], NOW, B).merges) == 1
