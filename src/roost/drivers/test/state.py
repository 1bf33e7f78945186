"""Saving what has no memory: the document alone goes to the file."""

from __future__ import annotations

import os
import struct

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import node as N
from roost.contract import flags as F
from roost.contract.events import DomainEvent
from roost.contract.references import DomainIdentity
from roost.contract.state import Memory, SavedState
from roost.drivers.test.devices import TestPicture
from roost.drivers.test.documents import complete
from roost.drivers.test.domains import start, stop
from roost.drivers.test.world import World
from roost.engine.table import uuid_bytes
from roost.errors import (
    ArgumentUnsupported,
    From,
    InternalError,
    InvalidArg,
    OperationInvalid,
    OperationUnsupported,
    SystemCallError,
)
from roost.model import domain as model
from roost.model.domain import Domain

#: What libvirt's test driver begins its files with, the NUL included.
MAGIC = b"TestGuestMagic\0"
_LENGTH = struct.Struct("=i")
#: The longest document, as libvirt bounds it.
_LONGEST = 8192


def _failed(action: str, error: OSError) -> SystemCallError:
    text = f"{action}: {error.strerror}"
    return SystemCallError(text, domain=From.TEST, int1=error.errno or 0, str1="%s", str2=text)


def _write(path: str, data: bytes, action: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise _failed(action, error) from error


def _save(path: str, document: Domain) -> None:
    text = model.format(document).encode("utf-8", "surrogateescape")
    action = f"saving domain '{document.name}' to '{path}': open failed"
    _write(path, MAGIC + _LENGTH.pack(len(text)) + text, action)


def _load(path: str) -> Domain:
    """Raises SystemCallError, InternalError, and what refuses the document."""
    try:
        with open(path, "rb") as file:
            magic, length, text = file.read(len(MAGIC)), file.read(_LENGTH.size), file.read(_LONGEST + 1)
    except OSError as error:
        raise _failed(f"cannot read domain image '{path}'", error) from error
    if len(magic) < len(MAGIC):
        raise _failed(f"incomplete save header in '{path}'", OSError(0, "Success"))
    if magic != MAGIC:
        raise InternalError(
            "mismatched header magic", domain=From.TEST, hint=f"'{path}' was not saved by test:///default"
        )
    size = _LENGTH.unpack(length)[0] if len(length) == _LENGTH.size else 0
    if not 1 <= size <= _LONGEST:
        raise InternalError("length of metadata out of range", domain=From.TEST, hint=f"'{path}' is damaged")
    return complete(model.parse(text[:size]))


def _refuse_document(xml: str | None) -> None:
    if xml is not None:
        raise ArgumentUnsupported("xml modification unsupported", domain=From.TEST, hint="leave out --xml")


class TestSavedState(SavedState):
    """contract.SavedState. A managed save leaves nothing but the mark that there was one."""

    __test__ = False

    def __init__(self, world: World) -> None:
        self._world = world

    async def save(self, domain: DomainIdentity, path: str, xml: str | None, flags: int) -> None:
        F.check(flags, 0, "testDomainSaveFlags", From.TEST)
        _refuse_document(xml)
        record = self._world.table.get_active(domain)
        async with record.job("save"):
            _save(path, record.document)
            stop(self._world, record, D.SHUTOFF_SAVED, E.STOPPED_SAVED)

    async def restore(self, path: str, xml: str | None, flags: int) -> None:
        F.check(flags, 0, "testDomainRestoreFlags", From.TEST)
        _refuse_document(xml)
        document, table = _load(path), self._world.table
        record = table.check_new(document, live=True) or table.add(document.name, uuid_bytes(document.uuid or ""))
        start(table, record, document)
        record.set_state(D.RUNNING, D.RUNNING_RESTORED)
        self._world.bus.publish(DomainEvent(E.ID_LIFECYCLE, record.ref, (E.STARTED, E.STARTED_RESTORED)))

    async def describe_image(self, path: str, flags: int) -> str:
        F.check(flags, D.SAVE_IMAGE_XML_SECURE, "testDomainSaveImageGetXMLDesc", From.TEST)
        return model.format(_load(path))

    async def define_image(self, path: str, xml: str, flags: int) -> None:
        F.check(flags, D.SAVE_RUNNING | D.SAVE_PAUSED, "testDomainSaveImageDefineXML", From.TEST)
        _load(path)
        _save(path, complete(model.parse(xml)))

    async def managed_save(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, D.SAVE_BYPASS_CACHE | D.SAVE_RUNNING | D.SAVE_PAUSED, "testDomainManagedSave", From.TEST)
        record = self._world.table.get_active(domain)
        if not record.is_persistent:
            raise OperationInvalid("cannot do managed save for transient domain", domain=From.TEST)
        async with record.job("save"):
            stop(self._world, record, D.SHUTOFF_SAVED, E.STOPPED_SAVED)
            record.managed_save = True

    async def remove_managed_save(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, 0, "testDomainManagedSaveRemove", From.TEST)
        self._world.table.get(domain).managed_save = False


class TestMemory(Memory):
    """contract.Memory: of bytes that are their own addresses."""

    __test__ = False

    def __init__(self, world: World) -> None:
        self._world = world

    async def dump(self, domain: DomainIdentity, path: str, format: int, flags: int) -> None:
        F.check(flags, D.DUMP_CRASH, "testDomainCoreDumpWithFormat", From.TEST)
        record = self._world.table.get_active(domain)
        _write(path, MAGIC, f"domain '{record.name}' coredump: failed to open {path}")
        if format != D.CORE_DUMP_FORMAT_RAW:
            raise OperationUnsupported("kdump-compressed format is not supported here", domain=From.TEST)
        if flags & D.DUMP_CRASH:
            stop(self._world, record, D.SHUTOFF_CRASHED, E.STOPPED_CRASHED)

    async def screenshot(self, domain: DomainIdentity, screen: int, flags: int) -> TestPicture:
        F.check(flags, 0, "testDomainScreenshot", From.TEST)
        return TestPicture()

    async def peek(self, domain: DomainIdentity, offset: int, size: int, flags: int) -> bytes:
        F.check(flags, N.MEMORY_VIRTUAL | N.MEMORY_PHYSICAL, "testDomainMemoryPeek", From.TEST)
        if flags not in (N.MEMORY_VIRTUAL, N.MEMORY_PHYSICAL):
            raise InvalidArg("flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL", domain=From.TEST)
        self._world.table.get_active(domain)
        first = offset % 256
        return (bytes(range(256)) * (size // 256 + 2))[first : first + size]
