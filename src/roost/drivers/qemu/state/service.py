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
from roost.errors import From, InvalidArg, OperationFailed, OperationInvalid
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


class _Wanted(NamedTuple):
    """What a call with parameters asks for; None: not said. channels: see routes.channels_for."""

    path: str | None = None
    xml: str | None = None
    channels: int | None = None
    format: str | None = None

    @classmethod
    def of(cls, parameters: Sequence[TypedParam], types: Mapping[str, int]) -> _Wanted:
        """Raises InvalidArg, OperationFailed, as libvirt checks them."""
        found = checked(parameters, types)
        wanted = cls(*(found.get(field) for field in _SAVE_TYPES))
        if wanted.format is not None and wanted.format not in FORMATS:
            raise OperationFailed(
                f"Invalid image_format '{wanted.format}'", domain=From.QEMU, hint=f"it may be {', '.join(FORMATS)}"
            )
        return wanted


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
        wanted = _Wanted.of(parameters, _SAVE_TYPES)
        record = self._context.table.get_active(domain)
        if wanted.path is None:
            await self._save_managed(record, flags, wanted)
        else:
            await self._saver.save(
                record, absolute(wanted.path), wanted.xml, flags, format=wanted.format, channels=wanted.channels
            )

    async def restore(self, path: str, xml: str | None, flags: int) -> None:
        await self._restore(path, xml, flags, None)

    async def restore_with(self, parameters: Sequence[TypedParam], flags: int) -> None:
        wanted = _Wanted.of(parameters, _RESTORE_TYPES)
        if wanted.path is None:
            raise InvalidArg("missing path to restore from", domain=From.QEMU, hint="give the parameter 'file'")
        await self._restore(wanted.path, wanted.xml, flags, wanted.channels)

    async def _restore(self, path: str, xml: str | None, flags: int, channels: int | None) -> None:
        _check(flags, _SAVE | D.SAVE_RESET_NVRAM, "qemuDomainRestoreInternal")
        await self._restorer.restore(absolute(path), xml, flags, channels)

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
        await self._save_managed(self._context.table.get_active(domain), flags, _Wanted())

    async def _save_managed(self, record: GuestRecord, flags: int, wanted: _Wanted) -> None:
        if not record.is_persistent:
            raise OperationInvalid(
                "cannot do managed save for transient domain", domain=From.QEMU, hint="define it, or save it to a file"
            )
        self._context.paths.saves.mkdir(mode=0o700, parents=True, exist_ok=True)
        path, (_, xml, channels, format) = self._restorer.path(record), wanted
        await self._saver.save(record, path, xml, flags, managed=True, format=format, channels=channels)

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
