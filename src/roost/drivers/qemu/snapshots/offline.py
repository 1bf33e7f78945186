"""Images of a guest that does not run: what `qemu-img` does to them, and which snapshots are in them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from typing import Any, NamedTuple

import msgspec

from roost.drivers.qemu import imageformats
from roost.drivers.qemu.context import Context
from roost.errors import From, InternalError, OperationFailed, RoostError
from roost.host.api import Command
from roost.model.domain import Domain
from roost.model.domain.devices.disk import AnyDiskSource, BlockSource, FileSource, NetworkSource, VolumeSource
from roost.model.moment import source_path, source_type
from roost.model.snapshot import Snapshot


class OfflineImage(NamedTuple):
    """target: of the disk. format: "raw" where the document leaves it open."""

    target: str
    path: str
    format: str


class OfflineImages:
    """Works on images that no guest has open; QEMU's locks keep it from those that one has."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def run(self, *words: str) -> str:
        """What `qemu-img` answers. Raises InternalError in libvirt's words, with the program's."""
        program = shutil.which("qemu-img")
        if program is None:
            raise InternalError(
                "unable to find qemu-img", domain=From.QEMU, hint="install qemu-utils; or start the domain"
            )
        output, errors = (os.memfd_create(name, os.MFD_CLOEXEC) for name in ("output", "errors"))
        try:
            environment = {"LC_ALL": "C", "PATH": os.environ.get("PATH", os.defpath)}
            process = await self._context.host.processes.start(
                Command((program, *words), environment, output, lives_on=False, errors=errors)
            )
            try:
                status = await process.wait()
            except asyncio.CancelledError:
                process.terminate(0.0)
                raise
            if status:
                said = os.pread(errors, 4000, 0).decode("utf-8", "replace").strip()
                raise InternalError(
                    f"Child process ({' '.join((program, *words))}) unexpected exit status {status}: {said}",
                    domain=From.QEMU,
                )
            return os.pread(output, os.fstat(output).st_size, 0).decode("utf-8", "replace")
        finally:
            os.close(output)
            os.close(errors)

    async def path_of(self, source: AnyDiskSource, kind: str) -> str:
        """Where an image is on this host. kind: of the snapshot, for the error that it is not here."""
        if isinstance(source, VolumeSource) and source.pool is not None and source.volume is not None:
            source = await self._context.lookups.volumes.source(source.pool, source.volume, source.mode)
        if isinstance(source, FileSource | BlockSource):
            return source_path(source) or ""
        text = f"{kind} inactive snapshots are not supported on '{source_type(source)}' disks"
        if isinstance(source, NetworkSource):
            text += f" using '{source.protocol}' protocol"
        raise InternalError(text, domain=From.QEMU, hint="start the domain, --paused will do")

    async def images(
        self, snapshot: Snapshot, document: Domain, mode: str, *, only_here: bool = False
    ) -> list[OfflineImage]:
        """The images of those disks of a domain that are part of a snapshot in that way.

        only_here: leave out those that are not on this host, instead of raising InternalError.
        """
        modes = {disk.name: disk.snapshot for disk in snapshot.disks}
        wanted = [disk for disk in document.devices.disks if modes.get(disk.target.dev) == mode]
        if only_here:
            wanted = [disk for disk in wanted if isinstance(disk.source, FileSource | BlockSource | VolumeSource)]
        return [
            OfflineImage(
                disk.target.dev,
                await self.path_of(disk.source, mode),
                (disk.driver.type if disk.driver is not None else None) or "raw",
            )
            for disk in wanted
        ]

    # -- internal snapshots ----------------------------------------------------------------

    async def take(self, images: list[OfflineImage], name: str) -> None:
        """Take a snapshot in all of them, or in none."""
        async with contextlib.AsyncExitStack() as stack:
            for image in images:
                await self.run("snapshot", "-c", name, image.path)
                stack.push_async_callback(self._drop, image, name)
            stack.pop_all()

    async def _drop(self, image: OfflineImage, name: str) -> None:
        with contextlib.suppress(RoostError):
            await self.run("snapshot", "-d", name, image.path)

    async def apply(self, images: list[OfflineImage], name: str) -> None:
        """Make all of them what they were; all have it."""
        for image in images:
            await self.run("snapshot", "-a", name, image.path)

    async def delete(self, images: list[OfflineImage], name: str) -> None:
        """Remove a snapshot from those that have it. Raises the first complaint when all have been tried."""
        complaint: RoostError | None = None
        for image in images:
            try:
                if name in await self.snapshots(image.path):
                    await self.run("snapshot", "-d", name, image.path)
            except RoostError as error:
                complaint = complaint or error
        if complaint is not None:
            raise complaint

    async def require(self, images: list[OfflineImage], name: str, *, memory: bool) -> None:
        """Raises OperationFailed when one does not have a snapshot. memory: one must have the guest's memory, too."""
        has_memory = False
        for image in images:
            known = await self.snapshots(image.path)
            has_memory = has_memory or known.get(name, False)
            if name not in known:
                raise OperationFailed(
                    f"disk '{image.target}' has no snapshot '{name}' in its image '{image.path}'",
                    domain=From.QEMU,
                    hint=f"there are {', '.join(known) or 'none'}; --metadata forgets the snapshot",
                )
        if memory and not has_memory:
            raise OperationFailed(f"no disk has the memory of the snapshot '{name}'", domain=From.QEMU)

    async def snapshots(self, path: str) -> dict[str, bool]:
        """The snapshots in an image, and whether each has a guest's memory in it."""
        return await asyncio.to_thread(_snapshots, path)

    async def bitmaps(self, path: str) -> list[str]:
        """The bitmaps that an image keeps."""
        if not await asyncio.to_thread(_bitmap_count, path):
            return []
        info = await self.info(path)
        return [each["name"] for each in info.get("format-specific", {}).get("data", {}).get("bitmaps", ())]

    async def info(self, path: str) -> dict[str, Any]:
        """What QEMU tells of an image, which may be in use."""
        found: dict[str, Any] = msgspec.json.decode(await self.run("info", "-U", "--output=json", path))
        return found


def _bitmap_count(path: str) -> int:
    try:
        with open(path, "rb") as file:
            return imageformats.bitmap_count(file.read(imageformats.HEADER_BYTES))
    except (OSError, imageformats.BadImage) as error:
        raise OperationFailed(f"cannot read the header of '{path}': {error}", domain=From.QEMU) from error


def _snapshots(path: str) -> dict[str, bool]:
    try:
        with open(path, "rb") as file:
            count, offset = imageformats.snapshot_table(file.read(imageformats.HEADER_BYTES))
            file.seek(offset)
            return imageformats.snapshots(file.read(imageformats.MAX_SNAPSHOT_TABLE) if count else b"", count)
    except (OSError, imageformats.BadImage) as error:
        raise OperationFailed(f"cannot read the snapshots in '{path}': {error}", domain=From.QEMU) from error


__all__ = ["OfflineImage", "OfflineImages"]
