"""Images merged into one below them."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from roost.constants import blocks as B
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs import names
from roost.drivers.qemu.blockjobs.runner import BlockJobs
from roost.drivers.qemu.blockjobs.state import BlockJob
from roost.drivers.qemu.context import require_guest
from roost.drivers.qemu.guest import GuestRecord
from roost.errors import RoostError
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.disksource import Mirror


class Committer:
    """Begins commits; their end is dealt with by `conclude`, after a pivot where the top of the chain is merged."""

    def __init__(self, jobs: BlockJobs) -> None:
        self._jobs = jobs

    async def start(
        self,
        record: GuestRecord,
        disk: Disk,
        upper: int,
        lower: int,
        *,
        speed: int = 0,
        relative: bool = False,
        delete: bool = False,
    ) -> BlockJob:
        """Merge the images from `upper` on down into `lower`, places in the disk's chain; inside the record's job.

        speed: bytes a second, 0 for as fast as can be. relative: keep relative names. delete: remove what was merged.
        """
        guest, dev, chain = require_guest(record), disk.target.dev, C.chain_of(disk)
        top, base = chain.layers[upper], chain.layers[lower]
        arguments: dict[str, Any] = {
            "device": await self._jobs.disk_node(record, disk),
            "top-node": top.format_node,
            "base-node": base.format_node,
        }
        await self._jobs.let_write(record, (base, *chain.layers[max(upper - 1, 0) : upper]))
        if speed:
            arguments["speed"] = speed
        if upper:
            arguments["backing-file"] = await names.backing_name(chain, upper, lower, relative=relative)
        job = BlockJob(
            f"commit-{dev}-{top.format_node}",
            B.JOB_TYPE_COMMIT if upper else B.JOB_TYPE_ACTIVE_COMMIT,
            dev,
            base=base.number,
            top=top.number,
            parent=chain.layers[upper - 1].number if upper else 0,
            delete=delete,
        )
        if not upper:
            source = replace(base.source, index=base.number)
            mirror = Mirror(job="active-commit", format=base.format, source=source)
            self._jobs.put_disk(record, replace(disk, mirror=mirror))
        try:
            await self._jobs.start(record, guest, job, "block-commit", arguments)
        except RoostError:
            self._jobs.set_mirror(record, dev, None)
            self._jobs.save(record)
            raise
        return job


__all__ = ["Committer"]
