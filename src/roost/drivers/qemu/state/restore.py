"""Guests from images: what clients restore, and domains that start from their managed save."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterator

from roost.constants import domain as D
from roost.constants import jobs as J
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.launch import RESTORED, Launcher
from roost.drivers.qemu.log import hint_for
from roost.drivers.qemu.qmp import QmpClosed
from roost.drivers.qemu.state.files import failed, has_places, reading
from roost.drivers.qemu.state.image import Image, Images, chosen
from roost.drivers.qemu.state.migration import activate_images, read_memory
from roost.drivers.qemu.state.routes import channels_for, check_mapped
from roost.engine.jobs import LongJob
from roost.engine.table import uuid_bytes
from roost.errors import From, InternalError, OperationFailed, OperationInvalid
from roost.host.api import Processes
from roost.model.domain.savecookie import SaveCookie, format_cookie

log = logging.getLogger(__name__)

#: Seconds that a QEMU which does not take its memory may need to end.
_LAST_WORDS = 5.0
#: What an image is called while a guest is started from it.
_IN_USE = ".restoring"


class ImageSource:
    """An image as a launch.MemorySource. runs: whether the guest goes on running. channels: as the client wants them.

    Raises InvalidArg, OperationFailed for what the image has not.
    """

    incoming = True

    def __init__(
        self, image: Image, processes: Processes, *, runs: bool, bypass_cache: bool, channels: int | None = None
    ) -> None:
        self._image = image
        self._program = image.program
        self._channels = channels_for(image.format, channels)
        self._processes = processes
        self._bypass_cache = bypass_cache
        self.runs = runs

    async def load(self, guest: Guest) -> None:
        """Raises InternalError with QEMU's words when it does not take the memory."""
        image, monitor, process = self._image, guest.monitor, guest.process
        assert monitor is not None
        assert process is not None
        cpu = image.document.cpu
        guest.asked = format_cookie(SaveCookie(cpu=cpu)) if cpu is not None else ""
        channels = self._channels
        if channels and not await asyncio.to_thread(has_places, image.path, image.header.size):
            channels = 0
        if channels:
            await check_mapped(monitor, direct=self._bypass_cache)
        async with reading(
            image.path,
            self._processes,
            begin=image.header.size,
            program=self._program,
            channels=channels,
            bypass_cache=self._bypass_cache,
        ) as source:
            try:
                await read_memory(monitor, source.route)
            except (QmpClosed, OperationFailed) as error:
                # It says that it has failed, and then why as it ends.
                status = None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LAST_WORDS):
                        status = await process.wait()
                words = guest.log.words() or _words_for(status)
                raise InternalError(
                    f"qemu unexpectedly closed the monitor: {words}",
                    domain=From.QEMU,
                    hint=source.complaints or hint_for(words) or "the image is damaged, or another QEMU's",
                ) from error

        if not self.runs:
            await activate_images(monitor)

    def loaded(self) -> None:
        """Nothing has to be done: the image stays."""


def _words_for(status: int | None) -> str:
    """For a QEMU that said nothing: damage in a sparse image may kill it. status: as a process's."""
    return f"it was ended by signal {-status}" if status is not None and status < 0 else ""


class ManagedSource(ImageSource):
    """A managed save image: it must never be used twice, so it is put aside before the guest goes on."""

    def __init__(self, image: Image, processes: Processes, *, runs: bool, bypass_cache: bool) -> None:
        super().__init__(image, processes, runs=runs, bypass_cache=bypass_cache)
        self._path = image.path

    def loaded(self) -> None:
        os.rename(self._path, self._path + _IN_USE)

    def finish(self) -> None:
        """The guest runs: the image is history."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path + _IN_USE)

    def give_back(self) -> None:
        """The guest does not run: its image is what there is of it."""
        with contextlib.suppress(FileNotFoundError):
            os.rename(self._path + _IN_USE, self._path)


@contextlib.contextmanager
def restoring(record: GuestRecord) -> Iterator[None]:
    """Let clients see what the running job is."""
    job = LongJob(J.OPERATION_RESTORE, refusal="cannot abort VM start; use virDomainDestroy instead")
    with record.job.watched(job):
        yield


class Restorer:
    """Starts guests from images."""

    def __init__(self, context: Context, launcher: Launcher, images: Images) -> None:
        self._context = context
        self._launcher = launcher
        self._images = images

    async def restore(self, path: str, xml: str | None, flags: int, channels: int | None = None) -> None:
        """Raises what is wrong with the image or keeps the guest from starting. channels: only for a sparse image."""
        table = self._context.table
        image = await self._images.open(path)
        if xml is not None:
            image = image._replace(document=await self._images.exchanged(image.document, image.started_as, xml))
        document = image.document
        source = ImageSource(
            image,
            self._context.host.processes,
            runs=chosen(flags, default=image.header.running),
            bypass_cache=bool(flags & D.SAVE_BYPASS_CACHE),
            channels=channels,
        )
        reset = D.START_RESET_NVRAM if flags & D.SAVE_RESET_NVRAM else 0
        async with self._context.store.lock:
            record = table.check_new(document, live=True)
            if record is None:
                record = table.add(document.name, uuid_bytes(document.uuid or ""))
        try:
            async with record.job("restore"):
                if record.is_active:
                    raise OperationInvalid(f"domain '{record.name}' is already active", domain=From.DOMAIN)
                with restoring(record):
                    await self._launcher.start(record, image.started_as, reset, source, RESTORED)
        finally:
            if not record.is_active and not record.is_persistent:
                table.remove(record)

    # -- managed save ----------------------------------------------------------------------

    def path(self, record: GuestRecord) -> str:
        """Where the managed save image of a domain is, or would be."""
        return str(self._context.paths.managed_save(record.name))

    async def start(self, record: GuestRecord, flags: int) -> None:
        """Start a defined domain: from its managed save image if it has one. Called inside its job."""
        if not record.managed_save:
            await self._launcher.start(record, record.config, flags)
            return
        path = self.path(record)
        if flags & D.START_FORCE_BOOT:
            self._drop(record, path, "cannot remove managed save file")
        else:
            image = await self._open(record, path)
            if image is not None:
                await self._start_from(record, image, flags)
                return
        await self._launcher.start(record, record.config, flags)

    async def _open(self, record: GuestRecord, path: str) -> Image | None:
        """None for an image that never was one: a save died, the guest did not end with it."""
        try:
            image = await self._images.open(path)
        except OperationFailed as error:
            if error.detail not in ("failed to read qemu header", "save image is incomplete"):
                raise
            log.warning("ignoring the incomplete managed save image %s: %s", path, error.detail)
            self._drop(record, path, "cannot remove corrupt file:")
            return None
        if image.document.name != record.name or image.document.uuid != record.config.uuid:
            raise OperationFailed(
                f"cannot restore domain '{record.name}' uuid {record.config.uuid} from a file which belongs to domain "
                f"'{image.document.name}' uuid {image.document.uuid}",
                domain=From.QEMU,
                hint=f"start it with --force-boot to do without '{path}'",
            )
        return image

    async def _start_from(self, record: GuestRecord, image: Image, flags: int) -> None:
        runs = image.header.running and not flags & D.START_PAUSED
        bypass_cache = bool(flags & D.START_BYPASS_CACHE)
        source = ManagedSource(image, self._context.host.processes, runs=runs, bypass_cache=bypass_cache)
        with restoring(record):
            try:
                await self._launcher.start(record, image.started_as, flags, source, RESTORED)
            except BaseException:
                source.give_back()
                raise
        record.managed_save = False
        source.finish()

    def remove(self, record: GuestRecord) -> None:
        """Raises SystemCallError, also when there is none."""
        self._drop(record, self.path(record), "Failed to remove managed save file")

    def _drop(self, record: GuestRecord, path: str, action: str) -> None:
        try:
            os.unlink(path)
        except OSError as error:
            raise failed(action, path, error, "the domain has none" if not record.managed_save else "") from error
        record.managed_save = False

    def find_images(self) -> None:
        """Which domains have a managed save image; called when it is known which run."""
        for record in self._context.table:
            path = self.path(record)
            aside = path + _IN_USE
            if os.path.exists(aside):
                # The daemon died between a guest's memory being complete and its first step.
                if record.is_active:
                    os.unlink(aside)
                else:
                    os.rename(aside, path)
            record.managed_save = record.is_persistent and os.path.exists(path)
