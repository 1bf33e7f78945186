"""External snapshots: new images above those that a domain's disks have, for what is written from then on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from roost.drivers.qemu.blockjobs import bitmaps
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs.images import Images, virtual_size
from roost.drivers.qemu.blockjobs.runner import BlockJobs, gone, undo_all
from roost.drivers.qemu.blockjobs.service import require_free
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.qmp import QmpCommandError
from roost.drivers.qemu.snapshots.offline import OfflineImages
from roost.engine.definitions import redefine
from roost.errors import ConfigUnsupported, From, InternalError, OperationUnsupported, SystemCallError
from roost.model.domain import Domain
from roost.model.domain.complete.sources import complete_source
from roost.model.domain.devices.disk import BackingStore, BlockSource, Disk, FileSource, VolumeSource
from roost.model.moment import source_path, source_type
from roost.model.snapshot import Snapshot, SnapshotDisk


class Overlay(NamedTuple):
    """disk: of the domain, as it is. layer: the image that goes on top of it."""

    disk: Disk
    layer: C.Layer

    def above(self, disk: Disk) -> Disk:
        """The disk with the new image on top of what it has."""
        chain = C.chain_of(disk)
        return C.with_chain(disk, C.Chain((self.layer, *chain.layers), chain.end))


def external_disks(snapshot: Snapshot, domain: Domain) -> list[tuple[SnapshotDisk, Disk]]:
    """The disks of a domain that an external snapshot is of."""
    own = {disk.target.dev: disk for disk in domain.devices.disks}
    return [
        (part, own[part.name])
        for part in snapshot.disks
        if part.snapshot == "external" and part.source is not None and part.name in own
    ]


class Overlays:
    """Makes them. Everything made is undone when the `stack` that a call gets is unwound."""

    def __init__(self, context: Context, jobs: BlockJobs) -> None:
        self._context = context
        self._jobs = jobs
        self._images = Images(jobs)
        self._offline = OfflineImages(context)

    # -- of a running guest ----------------------------------------------------------------

    async def prepare(
        self, record: GuestRecord, snapshot: Snapshot, stack: contextlib.AsyncExitStack, *, reuse: bool
    ) -> list[Overlay]:
        """Have QEMU open the new images; nothing is on top of anything yet."""
        found = []
        wanted = external_disks(snapshot, record.document)
        for part, disk in wanted:
            _check_active(part, disk)
            require_free(record, disk)
            await asyncio.to_thread(check_image, part, reuse=reuse)
        for part, disk in wanted:
            found.append(await self._prepare(record, part, disk, stack, reuse=reuse))
        return found

    async def _prepare(
        self, record: GuestRecord, part: SnapshotDisk, disk: Disk, stack: contextlib.AsyncExitStack, *, reuse: bool
    ) -> Overlay:
        guest, monitor = require_guest(record), require_monitor(record)
        assert part.source is not None
        below = C.chain_of(disk).layers[0]
        number = self._jobs.take_number(record, guest)
        source = replace(complete_source(part.source), index=number)
        layer = C.Layer(number, source, part.format or "qcow2", part.metadata_cache_size)
        overlay = Overlay(disk, layer)
        size = await virtual_size(monitor, below.format_node)
        if not reuse and await self._images.make_file(layer.source, layer.format, size):
            stack.callback(remove_file, layer.path)
        stack.push_async_callback(self._jobs.give_back, record, guest, (layer,))
        await self._images.lend(record, layer.source)
        # What is below it is QEMU's to say when it puts it there.
        alone = C.with_chain(disk, C.Chain((layer,), BackingStore()))
        if reuse:
            commands = await self._images.add(record, alone)
        else:
            commands = await self._images.add_new(record, alone, size, below)
        stack.push_async_callback(undo_all, monitor, commands)
        gone(record, guest)
        return overlay

    async def switch(
        self, record: GuestRecord, overlays: Sequence[Overlay], known: bitmaps.Nodes, stack: contextlib.AsyncExitStack
    ) -> None:
        """Let the guest write to the new images, to all from the same moment on; the documents say so then.

        known: the bitmaps of its images, which are gone on with in the new ones. stack: given up once there is no way
        back; when QEMU ends without an answer there is none, because the guest may have written.
        """
        monitor = require_monitor(record)
        actions: list[dict[str, Any]] = []
        for overlay in overlays:
            old, new = C.chain_of(overlay.disk).layers[0].format_node, overlay.layer.format_node
            actions += [
                bitmaps.add(new, each.name, granularity=each.granularity)
                for each in known.get(old, {}).values()
                if each.persistent and each.recording and not each.inconsistent
            ]
            actions.append({"type": "blockdev-snapshot", "data": {"node": old, "overlay": new}})
        undo = stack.pop_all()
        try:
            await monitor.execute("transaction", {"actions": actions})
        except QmpCommandError:
            await undo.aclose()
            raise
        await self.adopt(record, overlays)

    async def adopt(self, record: GuestRecord, overlays: Sequence[Overlay]) -> None:
        """The guest writes to them: have the documents say so."""
        for overlay in overlays:
            now = self._jobs.find_disk(record, overlay.disk.target.dev)
            if now is not None:
                self._jobs.put_disk(record, overlay.above(now))
        self._jobs.save(record)
        await self.define_above(record, overlays)

    async def define_above(self, record: GuestRecord, overlays: Sequence[Overlay]) -> None:
        """Have the definition say so too, of the disks that have the image there that the guest had."""

        def changed(config: Domain) -> Domain:
            for overlay in overlays:
                defined = overlay._replace(layer=C.as_defined(overlay.layer))
                config = C.with_same_disk(config, overlay.disk, defined.above)
            return config

        await self._jobs.change_definition(record, changed)

    async def bitmaps(self, record: GuestRecord) -> bitmaps.Nodes:
        """What is known of changes; asked for before memory is written, which puts an end to counting."""
        return bitmaps.read(await require_monitor(record).execute("query-named-block-nodes", {"flat": True}))

    # -- of a domain that does not run -----------------------------------------------------

    async def make_offline(
        self, snapshot: Snapshot, document: Domain, stack: contextlib.AsyncExitStack, *, reuse: bool
    ) -> Domain:
        """The document with new images on top of its disks'; they are made unless they are there already."""
        wanted = external_disks(snapshot, document)
        for part, disk in wanted:
            await self._check_inactive(part, disk)
            await asyncio.to_thread(check_image, part, reuse=reuse)
        for part, disk in wanted:
            assert part.source is not None
            layer = C.Layer(0, complete_source(part.source), part.format or "qcow2", part.metadata_cache_size)
            if not reuse:
                await self._make(layer, disk, stack)
            document = C.with_disk(document, Overlay(disk, layer).above(disk))
        return document

    async def _make(self, layer: C.Layer, disk: Disk, stack: contextlib.AsyncExitStack) -> None:
        base = await self._offline.path_of(disk.source, "external")
        format = (disk.driver.type if disk.driver is not None else None) or "raw"
        if not await asyncio.to_thread(os.path.lexists, layer.path):
            stack.callback(remove_file, layer.path)
        await self._offline.run("create", "-q", "-f", layer.format, "-F", format, "-b", base, layer.path)
        if layer.format == format == "qcow2":
            await self._go_on_counting(base, layer.path)

    async def _go_on_counting(self, base: str, path: str) -> None:
        """The bitmaps of checkpoints, which are of use only while every image above has them too."""
        info = await self._offline.info(base)
        for each in info.get("format-specific", {}).get("data", {}).get("bitmaps", ()):
            if "auto" in each["flags"] and "in-use" not in each["flags"]:
                granularity = str(each["granularity"])
                await self._offline.run("bitmap", "--add", "-g", granularity, path, each["name"])

    async def _check_inactive(self, part: SnapshotDisk, disk: Disk) -> None:
        await self._offline.path_of(disk.source, "external")
        assert part.source is not None
        if not isinstance(part.source, FileSource | BlockSource):
            raise InternalError(
                f"external inactive snapshots are not supported on '{source_type(part.source)}' disks",
                domain=From.QEMU,
                hint="start the domain, --paused will do",
            )
        _check_shared(disk)

    async def define(self, record: GuestRecord, document: Domain) -> None:
        """Replace the definition, synced."""
        async with self._context.store.lock:
            await redefine(self._context.store, record, document)


def _check_shared(disk: Disk) -> None:
    if disk.shareable and not disk.readonly:
        raise ConfigUnsupported(
            f"shared access for disk '{disk.target.dev}' requires use of supported storage format", domain=From.QEMU
        )


def _check_active(part: SnapshotDisk, disk: Disk) -> None:
    if disk.device == "lun":
        raise ConfigUnsupported(
            "external active snapshots are not supported on scsi passthrough devices", domain=From.QEMU
        )
    assert part.source is not None
    kind = source_type(part.source)
    if isinstance(part.source, VolumeSource) or kind in ("dir", "nvme", "vhostuser", "vhostvdpa"):
        raise InternalError(f"external active snapshots are not supported on '{kind}' disks", domain=From.QEMU)
    _check_shared(disk)


def check_image(part: SnapshotDisk, *, reuse: bool) -> None:
    """Look whether the new image may be made, or reused, where it is to be. Raises libvirt's errors."""
    source = part.source
    if not isinstance(source, FileSource | BlockSource):
        return
    path = source_path(source) or ""
    try:
        status = os.stat(path)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            raise _failed(f"unable to stat for disk {part.name}: {path}", error) from error
        if reuse:
            text = f"missing existing file for disk {part.name}: {path}"
            raise _failed(text, error, "--reuse-external is for one that is there") from error
        if isinstance(source, BlockSource):
            raise OperationUnsupported(
                f"block device snapshot target '{path}' doesn't exist", domain=From.QEMU
            ) from error
        return
    is_right = stat.S_ISBLK(status.st_mode) if isinstance(source, BlockSource) else stat.S_ISREG(status.st_mode)
    if not is_right:
        raise ConfigUnsupported(
            f"mismatch between configured type for snapshot disk '{part.name}' and the type of existing file '{path}'",
            domain=From.QEMU,
        )
    if not reuse and isinstance(source, FileSource) and status.st_size > 0:
        raise ConfigUnsupported(
            f"external snapshot file for disk {part.name} already exists and is not a block device: {path}",
            domain=From.QEMU,
            hint="name another <source>; --reuse-external goes on in one that is prepared",
        )


def _failed(text: str, error: OSError, hint: str = "") -> SystemCallError:
    text = f"{text}: {error.strerror}"
    return SystemCallError(text, domain=From.QEMU, int1=error.errno or 0, str2=text, hint=hint)


def remove_file(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


__all__ = ["Overlay", "Overlays", "check_image", "external_disks", "remove_file"]
