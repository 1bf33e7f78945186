"""Deleting an external snapshot: what was written since is merged into the image that the snapshot kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs.commit import Committer
from roost.drivers.qemu.blockjobs.pivot import Pivoter
from roost.drivers.qemu.blockjobs.runner import BlockJobs
from roost.drivers.qemu.blockjobs.state import BlockJob
from roost.drivers.qemu.context import Context, require_guest
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.snapshots import lineage
from roost.drivers.qemu.snapshots.offline import OfflineImages
from roost.drivers.qemu.snapshots.overlays import Overlays, remove_file
from roost.errors import From, InternalError, OperationFailed, OperationUnsupported
from roost.model.domain import Domain
from roost.model.domain.devices.disk import AnyDiskSource, BlockSource, Disk, FileSource
from roost.model.moment import source_path
from roost.model.snapshot import KeptSnapshot, Snapshot, SnapshotDisk


class Merge(NamedTuple):
    """One disk's part. place: of the image that goes, in the disk's chain; base: what it is merged into.

    above: images of other branches that stand on the one that goes.
    """

    disk: Disk
    place: int
    base: C.Layer
    above: tuple[str, ...]

    @property
    def target(self) -> str:
        return self.disk.target.dev

    @property
    def source(self) -> AnyDiskSource:
        return C.chain_of(self.disk).layers[self.place].source


class Gone(NamedTuple):
    """An image of a disk that is, or will be, merged into its base."""

    target: str
    source: AnyDiskSource
    base: C.Layer


class Plan(NamedTuple):
    """What becomes of a snapshot's images: merged, or removed because nothing is built upon them.

    gone: all that are merged when the merges are done, those of an interrupted deletion too.
    """

    merges: tuple[Merge, ...] = ()
    gone: tuple[Gone, ...] = ()
    removed: tuple[str, ...] = ()


def plan_deletion(
    snapshot: KeptSnapshot, others: Sequence[KeptSnapshot], now: Domain, current: KeptSnapshot | None
) -> Plan:
    """What deleting an external snapshot takes. Reads files; raises OperationUnsupported for what would harm others.

    others: the domain's other snapshots. now: its document, live where it runs.
    """
    children = [each for each in others if each.parent == snapshot.name]
    if current is not None and current.name == snapshot.name and children:
        raise _refused(
            "deletion of active external snapshot that is not a leaf snapshot is not supported",
            "delete the snapshots made from it first, or go back to another one",
        )
    is_active = current is not None and snapshot.name in _ancestry(current, others)
    merges: list[Merge] = []
    gone: list[Gone] = []
    removed: list[str] = []
    for part in snapshot.disks:
        if part.snapshot != "external" or part.source is None:
            continue
        then, disk = lineage.find_disk(snapshot.domain, part.name), lineage.find_disk(now, part.name)
        if disk is not None:
            disk = lineage.whole(disk)
        place = _find(snapshot, disk, part, then) if is_active else None
        if place is None or disk is None:
            if part.delete_in_progress and then is not None and disk is not None:
                base_place = lineage.place_of(disk, then.source)
                if base_place is not None:
                    gone.append(Gone(part.name, part.source, C.chain_of(disk).layers[base_place]))
                    continue
            if children:
                raise _refused(
                    "deletion of non-leaf external snapshot that is not in active chain is not supported",
                    "delete the snapshots made from it first",
                )
            removed += [_path(made.source) for made in lineage.made_by(snapshot, part.name)]
            continue
        layers = C.chain_of(disk).layers
        base = layers[place + 1] if place + 1 < len(layers) else None
        if then is None or base is None or not C.is_same_place(base.source, then.source):
            raise OperationFailed(
                "snapshot VM disk source and parent disk source are not the same",
                domain=From.QEMU,
                hint=f"the images of disk '{part.name}' have changed since: --metadata forgets the snapshot alone",
            )
        merge = _merge(disk, place, base, others)
        merges.append(merge)
        gone.append(Gone(part.name, merge.source, base))
    return Plan(tuple(merges), tuple(gone), tuple(path for path in removed if path))


def _ancestry(current: Snapshot, others: Sequence[Snapshot]) -> Iterator[str | None]:
    """The names of a snapshot and those that it was made from."""
    parents = {each.name: each.parent for each in others}
    name, seen = current.name, set[str | None]()
    while name is not None and name not in seen:
        yield name
        seen.add(name)
        name = current.parent if name == current.name else parents.get(name)


def _find(snapshot: Snapshot, disk: Disk | None, part: SnapshotDisk, then: Disk | None) -> int | None:
    """Where the image stands that was put on top of what the snapshot keeps, in the disk's chain of now."""
    if disk is None:
        return None
    for made in lineage.made_by(snapshot, part.name):
        place = lineage.place_of(disk, made.source) if made.source is not None else None
        if place is not None:
            return place
    base = lineage.place_of(disk, then.source) if then is not None else None
    # What is above it may be another's by now when the deletion was begun before.
    return base - 1 if base and not part.delete_in_progress else None


def _merge(disk: Disk, place: int, base: C.Layer, others: Sequence[Snapshot]) -> Merge:
    """Raises OperationUnsupported when a snapshot needs the base as it is."""
    target, going = disk.target.dev, C.chain_of(disk).layers[place].source
    above: list[str] = []
    by_name = {each.name: each for each in others}
    for branch in lineage.branches(others, target):
        kept = lineage.known(branch.disk)
        position = lineage.place_of(kept, going)
        below = lineage.place_of(kept, base.source)
        # What is inside of the base does not change with what it shows.
        if position is None and below is not None and not (branch.is_internal and below == 0):
            raise _refused(
                "deletion of external disk snapshots with multiple children not supported",
                f"snapshot '{branch.name}' needs '{base.path}' as it is: delete that one first",
            )
        if position == 0:
            above += [_path(made.source) for made in lineage.made_by(by_name[branch.name], target)]
    own = {layer.path for layer in C.chain_of(disk).layers}
    return Merge(disk, place, base, tuple(path for path in dict.fromkeys(above) if path and path not in own))


def _path(source: AnyDiskSource | None) -> str:
    return (source_path(source) or "") if isinstance(source, FileSource | BlockSource) else ""


def _refused(text: str, hint: str = "") -> OperationUnsupported:
    return OperationUnsupported(text, domain=From.QEMU, hint=hint)


class Merger:
    """Merges images, of running guests by block jobs and of others by itself."""

    def __init__(self, context: Context, jobs: BlockJobs, overlays: Overlays) -> None:
        self._committer = Committer(jobs)
        self._pivoter = Pivoter(jobs)
        self._jobs = jobs
        self._overlays = overlays
        self._offline = OfflineImages(context)

    # -- of a domain that does not run -----------------------------------------------------

    async def merge_offline(self, record: GuestRecord, merge: Merge) -> None:
        """Every step may be done again: the image that goes is there until nothing names it any more."""
        layers = C.chain_of(merge.disk).layers
        going = layers[merge.place]
        top = await self._offline.path_of(going.source, "external")
        base = await self._offline.path_of(merge.base.source, "external")
        await self._offline.run("commit", "-q", "-f", going.format, "-d", "-b", base, top)
        if merge.place:
            upper = layers[merge.place - 1]
            path = await self._offline.path_of(upper.source, "external")
            await self._rebase(path, upper.format, base, merge.base.format)
        await self._rebase_others(merge, base)
        changed = lineage.without_image(record.config, merge.target, going.source, C.as_defined(merge.base))
        await self._overlays.define(record, changed)
        if isinstance(going.source, FileSource):
            remove_file(top)

    async def _rebase(self, path: str, format: str, base: str, base_format: str) -> None:
        await self._offline.run("rebase", "-u", "-f", format, "-F", base_format, "-b", base, path)

    async def _rebase_others(self, merge: Merge, base: str) -> None:
        for path in merge.above:
            await self._rebase(path, "qcow2", base, merge.base.format)

    # -- of a running guest ----------------------------------------------------------------

    async def begin(self, record: GuestRecord, merge: Merge) -> BlockJob:
        """Have QEMU merge; inside the record's job. A job that does it already is gone on with."""
        guest = require_guest(record)
        going = C.chain_of(merge.disk).layers[merge.place]
        running = guest.blocks.of_disk(merge.target)
        if running is not None and running.top == going.number and running.base == merge.base.number:
            return running
        disk = self._jobs.find_disk(record, merge.target) or merge.disk
        return await self._committer.start(record, disk, merge.place, merge.place + 1, delete=True)

    async def finish(self, record: GuestRecord, guest: Guest, merge: Merge, job: BlockJob) -> None:
        """Wait until it is merged; not inside the record's job, which the end of the block job needs."""
        end = guest.blocks.end_of(job.name)
        if not merge.place:
            ready = await guest.blocks.ready_of(job.name)
            if ready.state == "ready":
                async with record.job("snapshot delete"):
                    disk = self._jobs.find_disk(record, merge.target)
                    if record.runtime is not guest or disk is None:
                        raise OperationFailed("domain is not running", domain=From.QEMU)
                    await self._pivoter.pivot(record, disk, ready)
        ended = await end
        if ended.state != "completed":
            raise InternalError(
                f"block commit failed while deleting disk '{merge.target}' snapshot: '{ended.error or ended.state}'",
                domain=From.QEMU,
            )
        base = await self._offline.path_of(merge.base.source, "external") if merge.above else ""
        await self._rebase_others(merge, base)


async def planned(
    snapshot: KeptSnapshot, others: Sequence[KeptSnapshot], now: Domain, current: KeptSnapshot | None
) -> Plan:
    """`plan_deletion` in a thread: images may be on a slow disk."""
    return await asyncio.to_thread(plan_deletion, snapshot, others, now, current)


__all__ = ["Merge", "Merger", "Plan", "plan_deletion", "planned"]
