"""Copies of a disk that follow it until they take its place, or stay behind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from msgspec.structs import replace

from roost.constants import blocks as B
from roost.constants import typed_params as T
from roost.contract.typed_params import TypedParam, checked
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs import images
from roost.drivers.qemu.blockjobs.images import Images
from roost.drivers.qemu.blockjobs.runner import BlockJobs, gone, undo_all
from roost.drivers.qemu.blockjobs.state import BlockJob
from roost.drivers.qemu.context import require_guest, require_monitor
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.plan.reservations import with_socket
from roost.drivers.qemu.reservations import Reservations
from roost.drivers.qemu.storage import find_chain
from roost.errors import ConfigUnsupported, From, InvalidArg, OperationUnsupported
from roost.model.domain.devices.disk import BackingStore, Disk, FileSource
from roost.model.domain.devices.disksource import Mirror

_TYPES = {B.COPY_BANDWIDTH: T.ULLONG, B.COPY_GRANULARITY: T.UINT, B.COPY_BUF_SIZE: T.ULLONG}
_MAX_SPEED = 2**63 - 1


class CopyRequest(NamedTuple):
    """speed: bytes a second, 0 for as fast as can be. granularity, buffer: bytes, 0 for QEMU's own."""

    speed: int = 0
    granularity: int = 0
    buffer: int = 0

    @classmethod
    def of(cls, params: Sequence[TypedParam]) -> CopyRequest:
        """Raises ArgumentUnsupported, InvalidArg for parameters that are none, of a wrong type, or twice."""
        values: dict[str, int] = checked(params, _TYPES)
        granularity = values.get(B.COPY_GRANULARITY, 0)
        if granularity & (granularity - 1):
            raise InvalidArg("granularity must be power of 2", domain=From.QEMU)
        return cls(values.get(B.COPY_BANDWIDTH, 0), granularity, values.get(B.COPY_BUF_SIZE, 0))

    def check_speed(self) -> None:
        """Raises InvalidArg for more than QEMU can count."""
        if self.speed > _MAX_SPEED:
            raise InvalidArg(
                f"bandwidth must be less than '{_MAX_SPEED}' bytes/s ({_MAX_SPEED >> 20} MiB/s)", domain=From.QEMU
            )


class Copier:
    """Begins copies."""

    def __init__(self, jobs: BlockJobs) -> None:
        self._jobs = jobs
        self._images = Images(jobs)
        self._reservations = Reservations(jobs.context)

    async def start(self, record: GuestRecord, disk: Disk, mirror: Mirror, request: CopyRequest, flags: int) -> None:
        """Make or find the target, and begin; inside the record's job. On failure nothing is left behind."""
        guest, dev = require_guest(record), disk.target.dev
        chain = C.chain_of(disk)
        shallow = bool(flags & B.COPY_SHALLOW) and len(chain.layers) > 1
        reuse = bool(flags & B.COPY_REUSE_EXT)
        mirror, existing = await asyncio.to_thread(_checked, disk, mirror, shallow=shallow, reuse=reuse)
        gone(record, guest)
        number = self._jobs.take_number(record, guest)
        source = with_socket(mirror.source, guest.resources.held.directory)
        needs_helper = source is not mirror.source
        mirror = replace(mirror, source=replace(source, index=number), job="copy", **_old_names(mirror))
        if mirror.backing_store is not None and reuse:
            mirror = replace(mirror, backing_store=self._numbered(record, mirror.backing_store))
        job = BlockJob(
            f"copy-{dev}-{chain.layers[0].format_node}", B.JOB_TYPE_COPY, dev, shallow=shallow, reuse=existing
        )
        size = await images.virtual_size(require_monitor(record), chain.layers[0].format_node)
        layers = C.mirror_chain(mirror).layers
        async with AsyncExitStack() as stack:
            if needs_helper:
                stack.push_async_callback(self._reservations.settle, record, guest)
                await self._reservations.open(record, guest)
            stack.callback(self._jobs.save, record)
            stack.callback(guest.resources.remove_held, layers[0].path)
            stack.push_async_callback(self._jobs.give_back, record, guest, layers)
            # A daemon that dies before QEMU has the job leaves this: the next one takes back what was made for it.
            self._jobs.put_disk(record, replace(disk, mirror=mirror))
            stack.callback(self._jobs.set_mirror, record, dev, None)
            stack.callback(guest.blocks.drop, guest.blocks.put(job))
            if not existing and isinstance(mirror.source, FileSource):
                guest.resources.hold_files([layers[0].path])
            self._jobs.save(record)
            if not existing:
                await self._images.make_file(mirror.source, mirror.format or "raw", size)
            for layer in layers:
                await self._images.lend(record, layer.source, write=layer is layers[0])
            target = images.as_disk(disk, replace(mirror, backing_store=BackingStore()), number)
            if existing:
                commands = await self._images.add(record, target)
            else:
                below = chain.layers[1] if shallow else None
                if below is not None:
                    target = C.with_chain(target, C.Chain((C.chain_of(target).layers[0], *chain.layers[1:]), chain.end))
                commands = await self._images.add_new(record, target, size, below)
            stack.push_async_callback(undo_all, require_monitor(record), commands)
            await self._check_size(record, dev, number, size)
            arguments: dict[str, Any] = {
                "device": await self._jobs.disk_node(record, disk),
                "target": f"libvirt-{number}-format",
                "sync": "top" if shallow else "full",
            }
            arguments |= {
                name: value
                for name, value in (
                    ("speed", request.speed), ("granularity", request.granularity), ("buf-size", request.buffer)
                ) if value
            }  # fmt: skip
            if arguments["device"] != chain.layers[0].format_node:
                # The filters above the image go on with what takes its place.
                arguments["replaces"] = chain.layers[0].format_node
            if flags & B.COPY_SYNCHRONOUS_WRITES:
                arguments["copy-mode"] = "write-blocking"
            await self._jobs.start(record, guest, job, "blockdev-mirror", arguments)
            stack.pop_all()

    async def _check_size(self, record: GuestRecord, dev: str, number: int, size: int) -> None:
        """Raises InvalidArg for a target that QEMU would refuse later, when nobody hears why."""
        found = await images.virtual_size(require_monitor(record), f"libvirt-{number}-format")
        if found != size:
            raise InvalidArg(
                "Source and target image have different sizes",
                domain=From.QEMU,
                hint=f"disk {dev} has {size} bytes, the destination {found}",
            )

    def _numbered(self, record: GuestRecord, store: BackingStore) -> BackingStore:
        """The images below a reused copy, with numbers for the pivot, which opens them."""
        if store.source is None:
            return store
        guest = require_guest(record)
        number = self._jobs.take_number(record, guest)
        below = self._numbered(record, store.backing_store) if store.backing_store is not None else None
        return replace(store, index=number, backing_store=below)


def _checked(disk: Disk, mirror: Mirror, *, shallow: bool, reuse: bool) -> tuple[Mirror, bool]:
    """The copy with its format and, of a reused one, its chain; and whether its image is there already."""
    dev = disk.target.dev
    own = C.chain_of(disk).layers[0]
    if mirror.backing_store is not None and mirror.backing_store.source is not None and not shallow:
        raise InvalidArg(
            "backingStore of mirror without VIR_DOMAIN_BLOCK_COPY_SHALLOW doesn't make sense", domain=From.QEMU
        )
    if shallow and not reuse and mirror.format == "raw":
        raise ConfigUnsupported(f"shallow copy of disk '{dev}' into a raw file is not possible", domain=From.QEMU)
    existing = images.check_target(mirror.source, dev, reuse=reuse)
    if mirror.format is None:
        format = images.probed(mirror.source) if reuse else own.format
        if format is None:
            raise ConfigUnsupported("reused mirror destination format must be specified", domain=From.QEMU)
        mirror = replace(mirror, format=format)
    if disk.shareable and not disk.readonly and mirror.format != "raw":
        raise OperationUnsupported(
            "can't pivot a shared disk to a storage volume not supporting sharing", domain=From.QEMU, hint="--raw"
        )
    if not shallow:
        mirror = replace(mirror, backing_store=BackingStore())
    elif reuse and mirror.backing_store is None:
        mirror = replace(mirror, backing_store=find_chain(mirror.source, mirror.format, dev))
    return mirror, existing


def _old_names(mirror: Mirror) -> dict[str, Any]:
    """The same again, as older clients read it."""
    if isinstance(mirror.source, FileSource):
        return {"file": mirror.source.file, "file_format": mirror.format}
    return {}


__all__ = ["Copier", "CopyRequest"]
