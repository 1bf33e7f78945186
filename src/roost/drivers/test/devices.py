"""Disks, keyboards and screens of domains that have none."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Sequence

from roost.constants import domain as D
from roost.constants import keys as K
from roost.contract import flags as F
from roost.contract.blocks import Blocks
from roost.contract.input import Input
from roost.contract.references import DomainIdentity
from roost.contract.security import Security
from roost.contract.typed_params import TypedParam
from roost.engine.edits.throttling import find_disk, is_empty
from roost.engine.table import DomainTable
from roost.errors import From, InternalError, InvalidArg, OperationInvalid

#: Bytes of every image: taken, seen by the guest, and of the file.
ALLOCATION, CAPACITY, PHYSICAL = 1_099_511_627_776, 1_099_506_450_432, 1_099_511_627_776

#: What is wrong with disks, in turns.
ERRORS = (D.DISK_ERROR_UNSPEC, D.DISK_ERROR_NO_SPACE)
_SIGNALS = D.PROCESS_SIGNAL_RT32 + 1
_WIDTH, _HEIGHT = 640, 480


class TestBlocks(Blocks):
    """contract.Blocks: of images that nobody has."""

    __test__ = False

    def __init__(self, table: DomainTable[None]) -> None:
        self._table = table

    async def info(self, domain: DomainIdentity, path: str, flags: int) -> tuple[int, int, int]:
        F.check(flags, 0, "testDomainGetBlockInfo", From.TEST)
        document = self._table.get(domain).document
        disk = find_disk(document, path)
        if disk is None:
            known = ", ".join(each.target.dev for each in document.devices.disks)
            raise InvalidArg(f"invalid path {path} not assigned to domain", domain=From.TEST, hint=f"there are {known}")
        if is_empty(disk):
            raise InvalidArg(f"disk '{path}' does not currently have a source assigned", domain=From.TEST)
        return ALLOCATION, CAPACITY, PHYSICAL

    async def disk_errors(
        self, domain: DomainIdentity, limit: int, flags: int
    ) -> tuple[Sequence[tuple[str, int]], int]:
        F.check(flags, 0, "testDomainGetDiskErrors", From.TEST)
        disks = self._table.get_active(domain).document.devices.disks
        if not limit:
            return (), len(disks)
        found = [(disk.target.dev, ERRORS[place % len(ERRORS)]) for place, disk in enumerate(disks[:limit])]
        return found, len(found)


class TestInput(Input):
    """contract.Input: nobody hears it."""

    __test__ = False

    def __init__(self, table: DomainTable[None]) -> None:
        self._table = table

    async def send_key(self, domain: DomainIdentity, codeset: int, hold: int, keys: Sequence[int], flags: int) -> None:
        F.check(flags, 0, "testDomainSendKey", From.TEST)
        self._table.get_active(domain)
        if codeset >= len(K.CODESETS):
            raise InvalidArg(f"Unsupported codeset '{codeset}'", domain=From.DOMAIN, verbatim=True)
        known = K.numbers(codeset)
        for key in keys:
            if key not in known:
                raise InternalError(f"invalid keycode {key} of {K.CODESETS[codeset]} codeset", domain=From.TEST)

    async def inject_nmi(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, 0, "testDomainInjectNMI", From.TEST)
        self._table.get_active(domain)

    async def send_process_signal(self, domain: DomainIdentity, pid: int, signal: int, flags: int) -> None:
        F.check(flags, 0, "testDomainSendProcessSignal", From.TEST)
        if pid != 1:
            raise InvalidArg("only sending a signal to pid 1 is supported", domain=From.TEST)
        if signal >= _SIGNALS:
            raise InvalidArg(f"signum value {signal} is out of range", domain=From.TEST)
        self._table.get(domain)


class TestSecurity(Security):
    """contract.Security."""

    __test__ = False

    async def launch_info(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        F.check(flags, 0, "testDomainGetLaunchSecurityInfo", From.TEST)
        return ()


class TestPicture:
    """contract.state.Picture: the screen that every domain has."""

    __test__ = False
    mime = "image/png"

    def __init__(self) -> None:
        self._rest = _png()

    async def read(self, limit: int) -> bytes:
        data, self._rest = self._rest[:limit], self._rest[limit:]
        return data

    async def write(self, data: bytes) -> None:
        raise OperationInvalid("the stream is only for reading", domain=From.STREAMS)

    async def finish(self) -> None:
        """Nothing was begun."""

    def abort(self) -> None:
        self._rest = b""


@functools.cache
def _png() -> bytes:
    """Grey bars."""
    row = b"\0" + bytes(column * 8 // _WIDTH * 32 for column in range(_WIDTH))
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 0, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(row * _HEIGHT)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


__all__ = ["TestBlocks", "TestInput", "TestPicture", "TestSecurity"]
