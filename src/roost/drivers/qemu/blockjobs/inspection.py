"""contract.Blocks: what is known of a disk, and small changes of it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from roost.constants import blocks as B
from roost.constants import domain as D
from roost.constants import typed_params as T
from roost.contract import flags as F
from roost.contract.blocks import Blocks
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam, llong
from roost.drivers.qemu import imageformats
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs.images import virtual_size
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.statistics.answers import BLOCKS, Question, understand
from roost.drivers.qemu.statistics.blocks import BlockAnswers, is_vhost_user, sum_of
from roost.drivers.qemu.statistics.service import DEADLINE
from roost.drivers.qemu.statistics.sizes import size_of
from roost.errors import (
    From,
    InternalError,
    InvalidArg,
    NumericOverflow,
    OperationUnsupported,
    SystemCallError,
)
from roost.model.domain.devices.disk import BlockSource, Disk, FileSource, NetworkSource, VhostUserSource
from roost.model.moment import is_empty, source_path

_MAX_KIB = (2**64 - 1) // 1024
#: Sectors: what the sizes of these formats are counted in.
_SECTORED = frozenset(("qcow2", "qed"))
_IO_STATUS = {"ok": D.DISK_ERROR_NONE, "failed": D.DISK_ERROR_UNSPEC, "nospace": D.DISK_ERROR_NO_SPACE}
#: libvirt's counters and QEMU's, in the order of the answer.
_COUNTERS = (
    (B.STATS_WRITE_BYTES, "wr_bytes"),
    (B.STATS_WRITE_REQ, "wr_operations"),
    (B.STATS_READ_BYTES, "rd_bytes"),
    (B.STATS_READ_REQ, "rd_operations"),
    (B.STATS_FLUSH_REQ, "flush_operations"),
    (B.STATS_WRITE_TOTAL_TIMES, "wr_total_time_ns"),
    (B.STATS_READ_TOTAL_TIMES, "rd_total_time_ns"),
    (B.STATS_FLUSH_TOTAL_TIMES, "flush_total_time_ns"),
)


class BlockInspection(Blocks):
    """Needs no job in QEMU."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def resize(self, domain: DomainIdentity, path: str, size: int, flags: int) -> None:
        known = B.RESIZE_BYTES | B.RESIZE_CAPACITY | B.RESIZE_EXTEND
        F.check(flags, known, "qemuDomainBlockResize", From.QEMU)
        if not flags & B.RESIZE_BYTES:
            if size > _MAX_KIB:
                raise NumericOverflow(f"size must be less than {_MAX_KIB}", domain=From.QEMU)
            size *= 1024
        record = self._context.table.get(domain)
        async with record.job("block resize"):
            require_guest(record)
            monitor = require_monitor(record)
            disk = _disk(record, path, "disk '{}' was not found in the domain config")
            if isinstance(disk.source, VhostUserSource):
                raise OperationUnsupported("block resize is not supported for vhostuser disk", domain=From.QEMU)
            top = C.chain_of(disk).layers[0]
            if top.format in _SECTORED:
                size = -(-size // 512) * 512
            if is_empty(disk.source) or disk.readonly:
                raise OperationUnsupported(f"can't resize empty or readonly disk '{disk.target.dev}'", domain=From.QEMU)
            if flags & B.RESIZE_CAPACITY:
                size = await asyncio.to_thread(_capacity, disk, top.format, size)
            if flags & B.RESIZE_EXTEND and size < (now := await virtual_size(monitor, top.format_node)):
                raise InvalidArg(
                    f"disk '{disk.target.dev}' would shrink from {now} to {size} bytes",
                    domain=From.QEMU,
                    hint="without VIR_DOMAIN_BLOCK_RESIZE_EXTEND it may",
                )
            await monitor.execute("block_resize", {"node-name": top.format_node, "size": size})

    async def set_threshold(self, domain: DomainIdentity, device: str, threshold: int, flags: int) -> None:
        F.check(flags, 0, "qemuDomainSetBlockThreshold", From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("block threshold"):
            guest, monitor = require_guest(record), require_monitor(record)
            layer = _device(record, device)
            if isinstance(layer.source, VhostUserSource):
                raise OperationUnsupported(
                    "setting device threshold is not supported for vhostuser disk", domain=From.QEMU
                )
            if is_empty(layer.source):
                raise InvalidArg(f"disk '{device}' does not currently have a source assigned", domain=From.QEMU)
            arguments = {"node-name": layer.storage_node, "write-threshold": threshold}
            await monitor.execute("block-set-write-threshold", arguments)
            guest.blocks.named_thresholds.discard(layer.storage_node)
            if "[" in device:
                guest.blocks.named_thresholds.add(layer.storage_node)

    # -- looking ---------------------------------------------------------------------------

    async def info(self, domain: DomainIdentity, path: str, flags: int) -> tuple[int, int, int]:
        F.check(flags, 0, "qemuDomainGetBlockInfo", From.QEMU)
        record = self._context.table.get(domain)
        disk = _disk(record, path, "invalid path {} not assigned to domain")
        source = disk.source
        if isinstance(source, VhostUserSource):
            raise OperationUnsupported("block info is not supported for vhostuser disk", domain=From.QEMU)
        if is_empty(source):
            raise InvalidArg(f"disk '{path}' does not currently have a source assigned", domain=From.QEMU)
        if isinstance(source, FileSource) and source.fdgroup is not None:
            raise OperationUnsupported("block info is not supported for FD passed disk image", domain=From.QEMU)
        if not record.is_active:
            return await asyncio.to_thread(_sizes_of_image, disk)
        return await self._live_sizes(record, disk)

    async def _live_sizes(self, record: GuestRecord, disk: Disk) -> tuple[int, int, int]:
        """allocation tells what the guest has written of a raw device, and what is taken of anything else."""
        known = await _ask(record, BLOCKS)
        counters, image, _ = known.image(disk.source.index or 0)
        if image is None:
            raise InternalError(f"cannot find statistics for device '{disk.alias}'", domain=From.QEMU)
        capacity, actual = image.image.virtual_size, image.image.actual_size
        physical = capacity if actual is None else actual
        written = counters.parent if counters is not None else None
        is_growing = isinstance(disk.source, FileSource) and C.chain_of(disk).layers[0].format == "qcow2"
        allocation = physical if written is None or is_growing else written.stats.wr_highest_offset
        if physical == 0 or allocation in (0, physical):
            allocation = allocation or physical
            path = source_path(disk.source) if isinstance(disk.source, FileSource | BlockSource) else None
            with contextlib.suppress(OSError):
                physical = await asyncio.to_thread(_length, path) if path is not None else physical
        return allocation, capacity, physical

    async def peek(self, domain: DomainIdentity, path: str, offset: int, size: int, flags: int) -> bytes:
        F.check(flags, 0, "qemuDomainBlockPeek", From.QEMU)
        record = self._context.table.get(domain)
        disk = C.disk_named(record.document, path)
        source = disk.source
        if isinstance(source, VhostUserSource):
            raise OperationUnsupported("peeking is not supported for vhostuser disk", domain=From.QEMU)
        format = C.chain_of(disk).layers[0].format
        if format != "raw":
            raise OperationUnsupported(
                f"peeking is only supported for disk with 'raw' format not '{format}'", domain=From.QEMU
            )
        if isinstance(source, FileSource) and source.fdgroup is not None:
            raise OperationUnsupported("peeking is not supported for FD passed images", domain=From.QEMU)
        if not isinstance(source, FileSource | BlockSource):
            raise InternalError(
                f"storage file reading is not supported for storage type {disk.type} "
                f"(protocol: {getattr(source, 'protocol', None) or 'none'})",
                domain=From.QEMU,
            )
        data = await asyncio.to_thread(_read, source_path(source) or "", offset, size)
        if len(data) < size:
            raise InvalidArg(f"'{path}' starting from {offset} has only {len(data)} bytes available", domain=From.QEMU)
        return data

    async def disk_errors(
        self, domain: DomainIdentity, limit: int, flags: int
    ) -> tuple[Sequence[tuple[str, int]], int]:
        F.check(flags, 0, "qemuDomainGetDiskErrors", From.QEMU)
        record = self._context.table.get(domain)
        require_guest(record)
        monitor, disks = require_monitor(record), record.document.devices.disks
        if limit == 0:
            return (), len(disks)
        answer = await monitor.execute("query-block", deadline=DEADLINE)
        found = [(disk.target.dev, status) for disk in disks if (status := _status(answer, disk.alias or ""))]
        return found[:limit], len(found[:limit])

    async def statistics(
        self, domain: DomainIdentity, path: str, limit: int, flags: int
    ) -> tuple[Sequence[TypedParam], int]:
        F.check(flags, T.STRING_OKAY, "qemuDomainBlockStatsFlags", From.QEMU)
        record = self._context.table.get(domain)
        require_guest(record)
        disks = [_disk(record, path, "invalid path: {}")] if path else record.document.devices.disks
        found = []
        known = await _ask(record, BLOCKS[:1])
        for disk in disks:
            if is_vhost_user(disk):
                if path:
                    raise OperationUnsupported("block stats are not supported for vhostuser disk", domain=From.QEMU)
                continue
            counters = known.counters(disk)
            if counters is None:
                raise InternalError(f"cannot find statistics for device '{disk.alias}'", domain=From.QEMU)
            found.append(counters)
        if limit == 0:
            return (), len(_COUNTERS)
        total = sum_of(found)
        params = [llong(name, getattr(total, field)) for name, field in _COUNTERS[:limit]]
        return params, len(params)


async def _ask(record: GuestRecord, questions: Sequence[Question]) -> BlockAnswers:
    asked = [(question.command, question.arguments) for question in questions]
    raw = await asyncio.gather(*require_monitor(record).send_all(asked, deadline=DEADLINE))
    return BlockAnswers(understand(questions, raw))


def _disk(record: GuestRecord, path: str, complaint: str) -> Disk:
    """The disk with that target or path. complaint: what libvirt says of one that is not there, here."""
    try:
        return C.disk_named(record.document, path)
    except InvalidArg as error:
        raise InvalidArg(complaint.format(path), domain=From.QEMU, hint=error.hint) from None


def _device(record: GuestRecord, device: str) -> C.Layer:
    """An image of a disk, or of its copy, by `vda` or `vda[3]`."""
    target, _, index = device.removesuffix("]").partition("[")
    if index and not index.isdecimal():
        raise InvalidArg(f"failed to parse block device '{device}'", domain=From.QEMU, hint="vda, or vda[3]")
    disk = next((disk for disk in record.document.devices.disks if disk.target.dev == target), None)
    if disk is None:
        known = ", ".join(disk.target.dev for disk in record.document.devices.disks) or "none"
        raise InvalidArg(f"failed to find disk '{target}'", domain=From.QEMU, hint=f"its disks are {known}")
    layers = list(C.chain_of(disk).layers)
    if not int(index or 0):
        return layers[0]
    if disk.mirror is not None:
        layers += C.mirror_chain(disk.mirror).layers
    for layer in layers:
        if layer.number == int(index):
            return layer
    known = ", ".join(f"{target}[{layer.number}]" for layer in layers)
    raise InvalidArg(f"failed to find disk '{device}'", domain=From.QEMU, hint=f"there are {known}")


def _status(answer: Sequence[Mapping[str, Any]], alias: str) -> int:
    for entry in answer:
        if f"/{alias}/" in f"/{entry.get('qdev', '')}/" or entry.get("device") == f"drive-{alias}":
            return _IO_STATUS.get(str(entry.get("io-status", "ok")), D.DISK_ERROR_UNSPEC)
    return D.DISK_ERROR_NONE


def _length(path: str) -> int:
    """Of a file or device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return os.lseek(descriptor, 0, os.SEEK_END)
    finally:
        os.close(descriptor)


def _capacity(disk: Disk, format: str, asked: int) -> int:
    """The bytes of a raw disk's device, which are what was asked for unless that is 0."""
    source = disk.source
    if not isinstance(source, BlockSource) or source.dev is None or format != "raw":
        text = "block resize to full capacity supported only with 'raw' local block-backed disks"
        raise OperationUnsupported(text, domain=From.QEMU)
    try:
        found = size_of(source.dev, format).physical
    except OSError as error:
        text = f"cannot stat file '{source.dev}': {error.strerror}"
        raise SystemCallError(text, domain=From.QEMU, int1=error.errno or 0, str2=text) from error
    if asked not in (0, found):
        raise InvalidArg(f"Requested resize to '{asked}' but device size is '{found}'", domain=From.QEMU)
    return found


def _sizes_of_image(disk: Disk) -> tuple[int, int, int]:
    """(allocation, capacity, physical) of an image that nobody uses, from the file and its header."""
    source = disk.source
    path = source_path(source)
    if not isinstance(source, FileSource | BlockSource) or path is None:
        kind = (
            f"network files using {source.protocol} protocol"
            if isinstance(source, NetworkSource)
            else (f"'{source.__struct_config__.tag}' storage")
        )
        raise InternalError(
            f"missing storage backend for {kind}", domain=From.STORAGE, hint="QEMU knows the size while the guest runs"
        )
    try:
        found = size_of(path, C.chain_of(disk).layers[0].format)
    except OSError as error:
        raise _failed(f"cannot stat file '{path}'", error) from error
    except imageformats.BadImage as error:
        raise InternalError(f"cannot read the header of '{path}': {error}", domain=From.QEMU) from error
    return found.allocation, found.capacity, found.physical


def _read(path: str, offset: int, size: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _failed(f"Failed to open file '{path}'", error) from error
    try:
        return os.pread(descriptor, size, offset)
    except (OSError, OverflowError) as error:
        raise InvalidArg(f"cannot read '{path}' at {offset}: {error}", domain=From.QEMU) from error
    finally:
        os.close(descriptor)


def _failed(text: str, error: OSError) -> SystemCallError:
    text = f"{text}: {error.strerror}"
    return SystemCallError(text, domain=From.QEMU, int1=error.errno or 0, str2=text)


__all__ = ["BlockInspection"]
