"""The family's interfaces: flags checked, the domain found, and then the part that does it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from roost.constants import domain as D
from roost.constants import node as N
from roost.constants import typed_params as T
from roost.contract import flags as F
from roost.contract.references import DomainIdentity
from roost.contract.state import Memory, SavedState
from roost.contract.typed_params import TypedParam, checked
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.state import looking
from roost.drivers.qemu.state.dump import Dumper
from roost.drivers.qemu.state.header import FORMATS
from roost.drivers.qemu.state.image import Images, absolute
from roost.drivers.qemu.state.migration import DUMP_FORMATS
from roost.drivers.qemu.state.restore import Restorer
from roost.drivers.qemu.state.save import Saver
from roost.errors import ArgumentUnsupported, From, InvalidArg, OperationFailed, OperationInvalid
from roost.model import domain as model

_SAVE = D.SAVE_BYPASS_CACHE | D.SAVE_RUNNING | D.SAVE_PAUSED
_DUMP = D.DUMP_LIVE | D.DUMP_CRASH | D.DUMP_BYPASS_CACHE | D.DUMP_RESET | D.DUMP_MEMORY_ONLY
_DIRTY_RATE = D.DIRTYRATE_MODE_DIRTY_BITMAP | D.DIRTYRATE_MODE_DIRTY_RING

_RUN_OR_PAUSE = ((D.SAVE_RUNNING, "VIR_DOMAIN_SAVE_RUNNING"), (D.SAVE_PAUSED, "VIR_DOMAIN_SAVE_PAUSED"))
_DUMP_CRASH, _DUMP_LIVE, _DUMP_RESET = (
    (D.DUMP_CRASH, "VIR_DUMP_CRASH"),
    (D.DUMP_LIVE, "VIR_DUMP_LIVE"),
    (D.DUMP_RESET, "VIR_DUMP_RESET"),
)
_DUMP_EXCLUSIVE = ((_DUMP_CRASH, _DUMP_LIVE), (_DUMP_CRASH, _DUMP_RESET), (_DUMP_LIVE, _DUMP_RESET))


def _check(flags: int, allowed: int, function: str) -> None:
    F.exclusive(flags, *_RUN_OR_PAUSE)
    F.check(flags, allowed, function, From.QEMU)


#: Parameters of a save and of a restore, with their types.
_RESTORE_TYPES = {
    D.SAVE_PARAM_FILE: T.STRING,
    D.SAVE_PARAM_DXML: T.STRING,
    D.SAVE_PARAM_PARALLEL_CHANNELS: T.INT,
}
_SAVE_TYPES = {**_RESTORE_TYPES, D.SAVE_PARAM_IMAGE_FORMAT: T.STRING}
#: The format of libvirt 11.2 that several channels can write at once: QEMU 9.0's mapped-ram.
_SPARSE = "sparse"


class _Wanted(NamedTuple):
    """What a call with parameters asks for; None: not said."""

    path: str | None
    xml: str | None
    format: str | None

    @classmethod
    def of(cls, parameters: Sequence[TypedParam], types: Mapping[str, int], verb: str) -> _Wanted:
        """Raises InvalidArg, as libvirt checks them; ArgumentUnsupported, OperationFailed for other formats."""
        found = checked(parameters, types)
        path, xml, channels, format = (found.get(field) for field in _SAVE_TYPES)
        if format == _SPARSE:
            raise ArgumentUnsupported(
                f"save image format '{_SPARSE}' is not supported",
                domain=From.QEMU,
                hint=f"images are written in one piece, as {', '.join(FORMATS)}",
            )
        if format is not None and format not in FORMATS:
            raise OperationFailed(
                f"Invalid save image format '{format}'", domain=From.QEMU, hint=f"it may be {', '.join(FORMATS)}"
            )
        if channels is not None:
            raise InvalidArg(
                f"Parallel {verb} is only supported with the '{_SPARSE}' save image format",
                domain=From.QEMU,
                hint="leave the parameter out: memory goes through one channel",
            )
        return cls(path, xml, format)


class QemuSavedState(SavedState):
    """contract.SavedState."""

    def __init__(self, context: Context, saver: Saver, restorer: Restorer, images: Images) -> None:
        self._context = context
        self._saver = saver
        self._restorer = restorer
        self._images = images

    async def save(self, domain: DomainIdentity, path: str, xml: str | None, flags: int) -> None:
        _check(flags, _SAVE, "qemuDomainSaveFlags")
        record = self._context.table.get_active(domain)
        await self._saver.save(record, absolute(path), xml, flags)

    async def save_with(self, domain: DomainIdentity, parameters: Sequence[TypedParam], flags: int) -> None:
        _check(flags, _SAVE, "qemuDomainSaveParams")
        path, xml, format = _Wanted.of(parameters, _SAVE_TYPES, "save")
        record = self._context.table.get_active(domain)
        if path is None:
            await self._save_managed(record, xml, flags, format)
        else:
            await self._saver.save(record, absolute(path), xml, flags, format=format)

    async def restore(self, path: str, xml: str | None, flags: int) -> None:
        _check(flags, _SAVE | D.SAVE_RESET_NVRAM, "qemuDomainRestoreInternal")
        await self._restorer.restore(absolute(path), xml, flags)

    async def restore_with(self, parameters: Sequence[TypedParam], flags: int) -> None:
        path, xml, _ = _Wanted.of(parameters, _RESTORE_TYPES, "restore")
        if path is None:
            raise InvalidArg("missing path to restore from", domain=From.QEMU, hint="give the parameter 'file'")
        await self.restore(path, xml, flags)

    async def describe_image(self, path: str, flags: int) -> str:
        F.check(flags, D.SAVE_IMAGE_XML_SECURE, "qemuDomainSaveImageGetXMLDesc", From.QEMU)
        image = await self._images.open(absolute(path))
        return model.format(image.document, secure=bool(flags & D.SAVE_IMAGE_XML_SECURE))

    async def define_image(self, path: str, xml: str, flags: int) -> None:
        _check(flags, D.SAVE_RUNNING | D.SAVE_PAUSED, "qemuDomainSaveImageDefineXML")
        await self._images.define(absolute(path), xml, flags)

    # -- managed save ----------------------------------------------------------------------

    async def managed_save(self, domain: DomainIdentity, flags: int) -> None:
        _check(flags, _SAVE, "qemuDomainManagedSave")
        await self._save_managed(self._context.table.get_active(domain), None, flags)

    async def _save_managed(self, record: GuestRecord, xml: str | None, flags: int, format: str | None = None) -> None:
        if not record.is_persistent:
            raise OperationInvalid(
                "cannot do managed save for transient domain", domain=From.QEMU, hint="define it, or save it to a file"
            )
        self._context.paths.saves.mkdir(mode=0o700, parents=True, exist_ok=True)
        await self._saver.save(record, self._restorer.path(record), xml, flags, managed=True, format=format)

    async def remove_managed_save(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, 0, "qemuDomainManagedSaveRemove", From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("remove managed save"):
            self._restorer.remove(record)

    async def describe_managed_save(self, domain: DomainIdentity, flags: int) -> str:
        F.check(flags, D.SAVE_IMAGE_XML_SECURE, "qemuDomainManagedSaveGetXMLDesc", From.QEMU)
        return await self.describe_image(self._managed_path(domain), flags)

    async def define_managed_save(self, domain: DomainIdentity, xml: str, flags: int) -> None:
        _check(flags, D.SAVE_RUNNING | D.SAVE_PAUSED, "qemuDomainSaveImageDefineXML")
        path = self._managed_path(domain)
        async with self._context.table.get(domain).job("define managed save"):
            await self._images.define(path, xml, flags)

    def _managed_path(self, domain: DomainIdentity) -> str:
        record = self._context.table.get(domain)
        path = self._restorer.path(record)
        if not os.path.exists(path):
            raise OperationInvalid("domain does not have managed save image", domain=From.QEMU)
        return path


class QemuMemory(Memory):
    """contract.Memory."""

    def __init__(self, context: Context, dumper: Dumper) -> None:
        self._context = context
        self._dumper = dumper

    async def dump(self, domain: DomainIdentity, path: str, format: int, flags: int) -> None:
        if not 0 <= format < len(DUMP_FORMATS):
            raise InvalidArg(
                f"dumpformat '{format}' is not supported", domain=From.DOMAIN, verbatim=True, str1="virDomainCoreDump"
            )
        for one, other in _DUMP_EXCLUSIVE:
            F.exclusive(flags, one, other)
        F.check(flags, _DUMP, "qemuDomainCoreDumpWithFormat", From.QEMU)
        await self._dumper.dump(self._context.table.get_active(domain), absolute(path), format, flags)

    async def screenshot(self, domain: DomainIdentity, screen: int, flags: int) -> looking.FileStream:
        F.check(flags, 0, "qemuDomainScreenshot", From.QEMU)
        return await looking.take_screenshot(self._context, self._context.table.get_active(domain), screen)

    async def peek(self, domain: DomainIdentity, offset: int, size: int, flags: int) -> bytes:
        F.check(flags, N.MEMORY_VIRTUAL | N.MEMORY_PHYSICAL, "qemuDomainMemoryPeek", From.QEMU)
        return await looking.peek(self._context, self._context.table.get_active(domain), offset, size, flags)

    async def start_dirty_rate(self, domain: DomainIdentity, seconds: int, flags: int) -> None:
        F.check(flags, _DIRTY_RATE, "qemuDomainStartDirtyRateCalc", From.QEMU)
        looking.check_period(seconds)
        await looking.start_dirty_rate(self._context, self._context.table.get_active(domain), seconds, flags)
