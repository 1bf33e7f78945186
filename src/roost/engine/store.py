"""Definitions and running state on disk.

A definition is `CONFIG/NAME.xml`, autostart a symbolic link to it in
`CONFIG/autostart/` (with `.once` behind its name for the next boot alone), a
running domain's state `STATUS/NAME.json`. Definitions are synced before the
caller hears success. Status is not: it matters only as long
as the host's QEMUs live, and is ignored after a reboot (`boot_id`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec

from roost.contract.references import DomainRef
from roost.engine.files import Disk, SpareFile, failed, file_header, remove_leftovers, sync_directory, write_atomically
from roost.engine.table import uuid_bytes
from roost.errors import RoostError
from roost.model import domain as model

log = logging.getLogger(__name__)

#: Raised when a status file's shape changes; a file of another version is refused, not guessed at.
STATUS_VERSION = 1

_NAME = re.compile(r"^  <name>([^<&]+)</name>$", re.M)
#: Ends the name of a note about a domain that gets another name.
_RENAMING = ".renaming"
_UUID = re.compile(r"^  <uuid>([0-9a-f-]{36})</uuid>$", re.M)


class Status(msgspec.Struct, frozen=True):
    """A running domain as the daemon must know it again after its death.

    boot_id: the host's boot it belongs to.
    document: the live XML, secrets included. definition: whether it is persistent.
    driver: what the driver needs to find its process again, of its own shape.
    """

    version: int
    boot_id: str
    name: str
    uuid: str
    id: int
    state: int
    reason: int
    document: str
    driver: msgspec.Raw = msgspec.Raw(b"null")


class DefinitionStore(Protocol):
    """Where definitions are kept: `Store` on disk, `MemoryStore` nowhere."""

    @property
    def lock(self) -> asyncio.Lock:
        """Held while the table's set of domains or a definition changes.

        The checks against the table, the write, and the table's change are one
        step to everyone else who defines, creates or undefines.
        """
        ...

    async def save_definition(self, name: str, text: str) -> None: ...
    async def remove_definition(self, name: str) -> None: ...
    async def set_autostart(self, name: str, autostart: bool, *, once: bool = False) -> None: ...
    def renaming(self, old: str, new: str) -> contextlib.AbstractAsyncContextManager[None]: ...


class MemoryStore:
    """Keeps nothing: for drivers whose domains end with the daemon."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    def renaming(self, old: str, new: str) -> contextlib.AbstractAsyncContextManager[None]:
        return contextlib.nullcontext()

    async def save_definition(self, name: str, text: str) -> None:
        """Nothing to write."""

    async def remove_definition(self, name: str) -> None:
        """Nothing to remove."""

    async def set_autostart(self, name: str, autostart: bool, *, once: bool = False) -> None:
        """Nothing to link."""


class Loaded(msgspec.Struct, frozen=True):
    """A definition found on disk."""

    ref: DomainRef
    text: str
    autostart: bool
    autostart_once: bool = False


class Store:
    """The files of one driver's domains.

    config, status: directories, made when missing. boot_id: of this host's boot.
    """

    def __init__(self, config: Path, status: Path, boot_id: str) -> None:
        self.config = config
        self.autostart = config / "autostart"
        self.status = status
        self.boot_id = boot_id
        self.lock = asyncio.Lock()
        self._disk = Disk()
        self._spare = SpareFile(config)
        for directory in (self.config, self.autostart, self.status):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            remove_leftovers(directory)

    # -- definitions -----------------------------------------------------------------------

    def path(self, name: str) -> Path:
        return self.config / f"{name}.xml"

    async def save_definition(self, name: str, text: str) -> None:
        """Write and sync. Raises SystemCallError; then the old definition stands."""
        data = (file_header(f"virsh edit {name}") + text).encode("utf-8", "surrogateescape")
        path = self.path(name)
        await self._disk.run(lambda: write_atomically(path, data, sync=True, spare=self._spare))
        # Once whoever waits for this one has been answered.
        asyncio.get_running_loop().call_soon(self._spare.make)

    async def remove_definition(self, name: str) -> None:
        """Delete the definition and its autostart link. Raises SystemCallError."""
        await self._disk.run(lambda: self._remove_definition(name))

    def _remove_definition(self, name: str) -> None:
        path = self.path(name)
        try:
            for link in (self._link(name, once=False), self._link(name, once=True)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(link)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            sync_directory(self.config)
        except OSError as error:
            raise failed("cannot remove config", path, error) from error

    def _link(self, name: str, *, once: bool) -> Path:
        return self.autostart / (f"{name}.xml.once" if once else f"{name}.xml")

    async def set_autostart(self, name: str, autostart: bool, *, once: bool = False) -> None:
        """Make or remove the link. once: of those that are for the next boot alone. Raises SystemCallError."""
        await self._disk.run(lambda: self._set_autostart(name, autostart, once=once))

    def _set_autostart(self, name: str, autostart: bool, *, once: bool) -> None:
        link = self._link(name, once=once)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(link)
            if autostart:
                os.symlink(self.path(name), link)
            sync_directory(self.autostart)
        except OSError as error:
            action = "Failed to create symlink" if autostart else "Failed to delete symlink"
            raise failed(action, link, error) from error

    @contextlib.asynccontextmanager
    async def renaming(self, old: str, new: str) -> AsyncIterator[None]:
        """While a domain gets another name. Noted on disk: what a killed daemon leaves of it, `finish_renames` does.

        Raises SystemCallError.
        """
        note, data = self.config / f"{old}{_RENAMING}", new.encode("utf-8", "surrogateescape")
        await self._disk.run(lambda: write_atomically(note, data, sync=True))
        try:
            yield
        finally:
            note.unlink(missing_ok=True)

    def finish_renames(self, move: Callable[[str, str], None]) -> None:
        """Before definitions are loaded. move: what else is kept under the old name to the new one."""
        for note in self.config.glob(f"*{_RENAMING}"):
            old = note.name.removesuffix(_RENAMING)
            try:
                new = note.read_bytes().decode("utf-8", "surrogateescape")
                if self.path(new).exists():
                    log.warning("the daemon ended while it renamed %s to %s; it is done", old, new)
                    move(old, new)
                    for once in (False, True):
                        if self._link(old, once=once).is_symlink():
                            self._set_autostart(new, True, once=once)
                    self._remove_definition(old)
                note.unlink()
            except (OSError, RoostError) as error:
                log.error("renaming %s cannot be finished: %s", old, error)  # noqa: TRY400 - no bug of ours

    def load_definitions(self) -> Iterator[Loaded]:
        """All definitions on disk, by name. A file that cannot be read is logged and left alone."""
        links = {entry.name for entry in os.scandir(self.autostart)}
        for entry in sorted(os.scandir(self.config), key=lambda entry: entry.name):
            if not entry.name.endswith(".xml") or not entry.is_file():
                continue
            try:
                text = Path(entry.path).read_text("utf-8", "surrogateescape")
                name, uuid, body = _identify(text)
            except (OSError, RoostError, ValueError) as error:
                log.error("ignoring %s, which stays as it is: %s", entry.path, error)  # noqa: TRY400 - no bug of ours
                continue
            if entry.name != f"{name}.xml":
                log.error("ignoring %s: it defines '%s', whose file is %s.xml", entry.path, name, name)
                continue
            yield Loaded(DomainRef(name, uuid, -1), body, entry.name in links, f"{entry.name}.once" in links)

    # -- running domains -------------------------------------------------------------------

    def save_status(self, status: Status) -> None:
        """Write a running domain's state; cheap enough to do in the loop (no sync)."""
        write_atomically(self.status / f"{status.name}.json", msgspec.json.encode(status), sync=False)

    def remove_status(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self.status / f"{name}.json")

    def load_statuses(self) -> Iterator[Status]:
        """The domains that ran when the last daemon ended, in order of their ids.

        Files of another boot are deleted: their guests ended with it. A file that
        cannot be understood is logged and left alone: its guest may be running.
        """
        found: list[Status] = []
        for path in self.status.glob("*.json"):
            try:
                status = msgspec.json.decode(path.read_bytes(), type=Status)
            except (OSError, msgspec.MsgspecError) as error:
                log.error("ignoring %s: %s", path, error)  # noqa: TRY400 - no bug of ours
                continue
            if status.boot_id != self.boot_id:
                path.unlink(missing_ok=True)
            elif status.version != STATUS_VERSION:
                log.error("ignoring %s: version %d, known is %d", path, status.version, STATUS_VERSION)
            else:
                found.append(status)
        yield from sorted(found, key=lambda status: status.id)


def _identify(text: str) -> tuple[str, bytes, str]:
    """(name, uuid, document text) of a definition file.

    Our own files tell both by their layout, which costs a hundredth of parsing
    them; a file that somebody wrote is parsed.
    """
    start = text.find("<domain ")
    body = text[start:]
    name, uuid = _NAME.search(body), _UUID.search(body)
    if text.startswith("<!--\nWARNING") and start > 0 and name and uuid and body.endswith("</domain>\n"):
        return name[1], uuid_bytes(uuid[1]), body
    document = model.parse(text)
    if not document.uuid:
        raise ValueError("it has no <uuid>")
    return document.name, uuid_bytes(document.uuid), model.format(document, secure=True)
