"""A save image: the guest's document and processor before its memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from roost.constants import domain as D
from roost.drivers.qemu.guest import Guest
from roost.drivers.qemu.live import without_sockets
from roost.drivers.qemu.state.files import read_beginning, replace_header
from roost.drivers.qemu.state.header import Header, Preface, format_of, new_preface, read_preface
from roost.drivers.qemu.state.pipeline import find_program
from roost.model import domain as model
from roost.model.domain import Domain
from roost.model.domain.compare import compare_abi
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.graphics import AddressListen, AnyGraphics, SpiceGraphics, VncGraphics
from roost.model.domain.savecookie import SaveCookie, format_cookie, parse_cookie


class Image(NamedTuple):
    """document: complete, as a domain is defined."""

    path: str
    preface: Preface
    document: Domain

    @property
    def header(self) -> Header:
        return self.preface.header

    @property
    def format(self) -> str:
        """How its memory is written, of header.FORMATS. Raises OperationFailed."""
        return format_of(self.header.format)

    @property
    def program(self) -> tuple[str, ...]:
        """What makes memory of the rest of the file; () when nothing must. Raises OperationFailed."""
        program = find_program(self.format, "save")
        if not program:
            return ()
        return (program, "-dc", "--ignore-warn") if self.format == "lzop" else (program, "-dc")

    @property
    def started_as(self) -> Domain:
        """The document with the processor that the memory was saved with."""
        if not self.preface.cookie:
            return self.document
        cookie = parse_cookie(self.preface.cookie)
        return replace(self.document, cpu=cookie.cpu) if cookie.cpu is not None else self.document


def preface_of(document: Domain, live: Domain, *, running: bool, format: int) -> Preface:
    """What stands before the memory of a guest. document: what it is restored as. live: what it is."""
    cookie = format_cookie(SaveCookie(cpu=live.cpu)) if live.cpu is not None else ""
    return new_preface(model.format(document, secure=True), cookie, running=running, format=format)


def at_rest(live: Domain, guest: Guest, config: Domain | None) -> Domain:
    """A running guest's document without what belongs to this run of it. config: its definition."""
    # What only a running guest has is marked in the records: the reader leaves it out.
    document = model.parse(model.format(live, secure=True))
    if guest.asked:
        document = replace(document, cpu=parse_cookie(guest.asked).cpu)
    document = without_sockets(document, f"{guest.resources.held.directory}/")
    labels = tuple(label for label in document.seclabels if label.type != "dynamic" or label.label is None)
    devices = document.devices
    disks = _without_found_chains(devices.disks, config)
    graphics = _without_found_addresses(devices.graphics, config)
    return replace(document, seclabels=labels, devices=replace(devices, disks=disks, graphics=graphics))


def _without_found_chains(disks: Sequence[Disk], config: Domain | None) -> tuple[Disk, ...]:
    """Backing chains that the start has found are found anew; those that somebody wrote down stay.

    That an image has none below it stays as well, as libvirt has it.
    """
    left_open = {disk.target.dev for disk in config.devices.disks if disk.backing_store is None} if config else ()
    return tuple(
        replace(disk, backing_store=None) if disk.target.dev in left_open and _is_built_upon(disk) else disk
        for disk in disks
    )


def _is_built_upon(disk: Disk) -> bool:
    return disk.backing_store is not None and disk.backing_store.source is not None


def _without_found_addresses(displays: Sequence[AnyGraphics], config: Domain | None) -> tuple[AnyGraphics, ...]:
    """Displays listen where the next host's settings say, unless somebody wrote an address down."""
    asked = config.devices.graphics if config is not None else ()
    if len(asked) != len(displays):
        return tuple(displays)
    return tuple(
        replace(display, listen=None, listens=(AddressListen(), *display.listens[1:]))
        if isinstance(display, VncGraphics | SpiceGraphics)
        and isinstance(own, VncGraphics | SpiceGraphics)
        and own.listen is None
        and own.listens[:1] == (AddressListen(),)
        else display
        for display, own in zip(displays, asked, strict=True)
    )


class Images:
    """Reads and changes images. complete: makes a whole document of one that somebody wrote."""

    def __init__(self, complete: Callable[[Domain], Awaitable[Domain]]) -> None:
        self._complete = complete

    async def open(self, path: str) -> Image:
        """Raises SystemCallError, OperationFailed for what is no image, and what refuses the document."""
        header, body = await asyncio.to_thread(read_beginning, path)
        preface = read_preface(header, body)
        return Image(path, preface, await self._complete(model.parse(preface.document)))

    async def exchanged(self, old: Domain, live: Domain, xml: str) -> Domain:
        """A client's document instead of `old`. Raises ConfigUnsupported when the guest would notice.

        live: `old` with the processor as the guest has it: either may be told of again.
        """
        new = await self._complete(model.parse(xml))
        compare_abi(replace(old, cpu=live.cpu) if new.cpu == live.cpu else old, new)
        return new

    async def define(self, path: str, xml: str, flags: int) -> None:
        """Replace the document, and with SAVE_RUNNING or SAVE_PAUSED how the guest begins."""
        image = await self.open(path)
        running = chosen(flags, default=image.header.running)
        if xml == image.preface.document and running == image.header.running:
            return
        document = await self.exchanged(image.document, image.started_as, xml)
        text = model.format(document, secure=True)
        preface = image.preface._replace(header=image.header._replace(running=running), document=text)
        await asyncio.to_thread(replace_header, path, preface.pack(complete=True), "header data")


def chosen(flags: int, *, default: bool) -> bool:
    """Whether the guest runs when it is restored."""
    return bool(flags & D.SAVE_RUNNING) or (default and not flags & D.SAVE_PAUSED)


def absolute(path: str) -> str:
    """Clients give paths from their own directory; what is left of that is the daemon's."""
    return os.path.abspath(path)
