"""What follows the end of a job on a disk's chain: the graph, the live document and the definition agree with it."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable

from msgspec.structs import replace

from roost.constants import blocks as B
from roost.drivers.qemu.blockjobs import bitmaps
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs.runner import BlockJobs
from roost.drivers.qemu.blockjobs.state import BlockJob
from roost.drivers.qemu.context import require_monitor
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.qmp import QmpCommandError
from roost.drivers.qemu.reservations import Reservations
from roost.errors import RoostError
from roost.model.domain.devices.disk import BackingStore, Disk, FileSource

log = logging.getLogger(__name__)


class ChainJobs:
    """The ends of pull, commit and copy."""

    def __init__(self, jobs: BlockJobs) -> None:
        self._jobs = jobs
        self._reservations = Reservations(jobs.context)
        jobs.conclude |= {
            B.JOB_TYPE_PULL: self._pulled,
            B.JOB_TYPE_COMMIT: self._committed,
            B.JOB_TYPE_ACTIVE_COMMIT: self._active_committed,
            B.JOB_TYPE_COPY: self._copied,
        }

    async def _pulled(self, record: GuestRecord, guest: Guest, job: BlockJob) -> None:
        """The top stands on the base, or alone; what was between is out of use."""
        disk = self._jobs.find_disk(record, job.disk)
        if disk is None or job.state != "completed":
            return
        chain = C.chain_of(disk)
        base = _place(chain, job.base) if job.base else len(chain.layers)
        if base is None or len(chain.layers) == 1:
            return
        removed = chain.layers[1:base]
        await self._merge(record, chain, chain.layers[0].format_node, last=base)
        end = chain.end if job.base else BackingStore()
        self._jobs.put_disk(record, C.with_chain(disk, C.Chain((chain.layers[0], *chain.layers[base:]), end)))
        await self._jobs.remove_images(record, guest, disk, removed)
        await self._define(record, disk, lambda config: _spliced(config, chain, 1, base, alone=not job.base))

    async def _committed(self, record: GuestRecord, guest: Guest, job: BlockJob) -> None:
        """What stood above the committed images stands on the base."""
        disk = self._jobs.find_disk(record, job.disk)
        if disk is None or job.state != "completed":
            return
        chain = C.chain_of(disk)
        top, base = _place(chain, job.top), _place(chain, job.base)
        if top is None or base is None:
            return
        removed = chain.layers[top:base]
        await self._merge_into_base(record, disk, chain, top, base)
        kept = C.Chain((*chain.layers[:top], *chain.layers[base:]), chain.end)
        self._jobs.put_disk(record, C.with_chain(disk, kept))
        await self._jobs.remove_images(record, guest, disk, removed)
        await self._define(record, disk, lambda config: _spliced(config, chain, top, base))
        if job.delete:
            _delete(removed)

    async def _active_committed(self, record: GuestRecord, guest: Guest, job: BlockJob) -> None:
        """Pivoted: the base is the disk's image. Else nothing has changed."""
        disk = self._jobs.find_disk(record, job.disk)
        if disk is None:
            return
        chain = C.chain_of(disk)
        base = _place(chain, job.base)
        if base is None:
            return
        node = chain.layers[base].format_node
        if job.state != "completed":
            await require_monitor(record).batch(
                [("block-dirty-bitmap-remove", {"node": node, "name": bitmaps.ACTIVE_WRITES})]
            )
            return
        removed = chain.layers[:base]
        kept = C.Chain(chain.layers[base:], chain.end)
        self._jobs.put_disk(record, replace(C.with_chain(disk, kept), mirror=None))
        await self._merge(record, chain, node, last=base, writes=True)
        await self._jobs.remove_images(record, guest, disk, removed)
        await self._define(record, disk, lambda config: _replaced(config, kept))
        if job.delete:
            _delete(removed)

    async def _copied(self, record: GuestRecord, guest: Guest, job: BlockJob) -> None:
        """Pivoted: the copy is the disk's image. Else it is let go of, and stays as a file."""
        disk = self._jobs.find_disk(record, job.disk)
        if disk is None or disk.mirror is None:
            return
        old, copy = C.chain_of(disk), C.mirror_chain(disk.mirror)
        if job.state != "completed" or disk.mirror.ready != "pivot":
            # The images below a reused copy were never opened; below a new shallow one are the disk's own.
            self._jobs.put_disk(record, replace(disk, mirror=None))
            await self._jobs.remove_images(record, guest, disk, copy.layers[:1])
            # One that QEMU has not begun: its file was made for nothing.
            guest.resources.remove_held(copy.layers[0].path)
            await self._reservations.settle(record, guest)
            return
        removed = old.layers
        await self._merge(record, old, copy.layers[0].format_node, last=1 if job.shallow else None, writes=True)
        if job.shallow and not job.reuse and len(copy.layers) == 1:
            copy, removed = C.Chain((*copy.layers, *old.layers[1:]), old.end), old.layers[:1]
        pivoted = replace(C.with_chain(disk, copy), mirror=None)
        self._jobs.put_disk(record, pivoted)
        if disk.readonly or disk.device == "cdrom":
            await self._jobs.reopen(record, pivoted)
        await self._jobs.remove_images(record, guest, disk, removed)
        await self._reservations.settle(record, guest)
        await self._define(record, disk, lambda config: _replaced(config, copy))

    async def _merge(
        self, record: GuestRecord, chain: C.Chain, target: str, *, last: int | None = None, writes: bool = False
    ) -> None:
        """Bring the bitmaps of images that go into the one that stays. What fails costs bitmaps, never data."""
        monitor = require_monitor(record)
        nodes = bitmaps.read(await monitor.execute("query-named-block-nodes", {"flat": True}))
        has_writes = writes and bitmaps.ACTIVE_WRITES in nodes.get(target, {})
        actions = bitmaps.merge(chain.layers, target, nodes, last=last, writes=has_writes)
        if not actions:
            return
        try:
            await monitor.execute("transaction", {"actions": actions})
        except QmpCommandError as error:
            log.warning("checkpoints of %s are of no use for %s from now on: %s", record.name, target, error.desc)

    async def _merge_into_base(self, record: GuestRecord, disk: Disk, chain: C.Chain, top: int, base: int) -> None:
        """The same for an image that QEMU has open for reading alone."""
        layers = chain.layers[top:]
        monitor = require_monitor(record)
        nodes = bitmaps.read(await monitor.execute("query-named-block-nodes", {"flat": True}))
        if not bitmaps.merge(layers, layers[base - top].format_node, nodes, last=base - top):
            return
        below = C.Chain(chain.layers[base:], chain.end)
        async with self._jobs.writable(record, disk, below):
            await self._merge(record, C.Chain(layers, chain.end), layers[base - top].format_node, last=base - top)

    async def _define(self, record: GuestRecord, disk: Disk, change: Callable[[Disk], Disk]) -> None:
        """Change the definition's disk, if it is the image that the running guest had."""
        try:
            await self._jobs.change_definition(record, lambda config: C.with_same_disk(config, disk, change))
        except RoostError as error:
            log.error("the definition of %s still names %s: %s", record.name, disk.target.dev, error)  # noqa: TRY400


def _place(chain: C.Chain, number: int) -> int | None:
    return next((place for place, layer in enumerate(chain.layers) if layer.number == number), None)


def _delete(layers: tuple[C.Layer, ...]) -> None:
    for layer in layers:
        if isinstance(layer.source, FileSource) and layer.path:
            with contextlib.suppress(FileNotFoundError):
                try:
                    os.unlink(layer.path)
                except PermissionError as error:
                    log.warning("%s was committed and cannot be removed: %s", layer.path, error)


def _spliced(config: Disk, live: C.Chain, first: int, last: int, *, alone: bool = False) -> Disk:
    """A definition's disk without the images [first, last) of the live chain.

    One that names no images below its own finds them at its start; one that names others than the guest has had is
    told to do so too.
    """
    own = C.chain_of(config)
    if len(own.layers) == 1 and config.backing_store is None:
        return config
    known = own.layers[: max(last, 1)]
    if len(own.layers) < last or not all(
        C.is_same_place(mine.source, theirs.source) for mine, theirs in zip(known, live.layers, strict=False)
    ):
        return replace(config, backing_store=None)
    end = BackingStore() if alone else own.end
    return C.with_chain(config, C.Chain((*own.layers[:first], *own.layers[last:]), end))


def _replaced(config: Disk, chain: C.Chain) -> Disk:
    """A definition's disk with another image at its top; images below are found at its start, as ever."""
    top = C.as_defined(chain.layers[0])
    return C.with_chain(config, C.Chain((top,), chain.end if len(chain.layers) == 1 else None))


__all__ = ["ChainJobs"]
