"""contract.Blocks: the calls about jobs. What changes a disk takes the domain's job; what looks never does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from roost.constants import blocks as B
from roost.contract import flags as F
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs import images, names
from roost.drivers.qemu.blockjobs.busy import require_no_job
from roost.drivers.qemu.blockjobs.commit import Committer
from roost.drivers.qemu.blockjobs.copy import Copier, CopyRequest
from roost.drivers.qemu.blockjobs.inspection import BlockInspection
from roost.drivers.qemu.blockjobs.pivot import Pivoter
from roost.drivers.qemu.blockjobs.runner import END_COMMANDS, BlockJobs
from roost.drivers.qemu.blockjobs.state import BlockJob
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.qmp import QmpCommandError
from roost.errors import (
    ArgumentUnsupported,
    From,
    InvalidArg,
    NumericOverflow,
    OperationFailed,
    OperationInvalid,
    OperationUnsupported,
)
from roost.model.domain.devices.disk import BlockSource, Disk, FileSource, VhostUserSource
from roost.model.domain.devices.disksource import Mirror

_REBASE_FLAGS = (
    B.REBASE_SHALLOW | B.REBASE_REUSE_EXT | B.REBASE_COPY_RAW | B.REBASE_COPY | B.REBASE_RELATIVE | B.REBASE_COPY_DEV
    | B.REBASE_BANDWIDTH_BYTES
)  # fmt: skip
_COPY_ONLY = B.REBASE_SHALLOW | B.REBASE_REUSE_EXT | B.REBASE_COPY_RAW | B.REBASE_COPY_DEV
_COMMIT_FLAGS = B.COMMIT_SHALLOW | B.COMMIT_DELETE | B.COMMIT_ACTIVE | B.COMMIT_RELATIVE | B.COMMIT_BANDWIDTH_BYTES
_MAX_MIB = (2**63 - 1) >> 20


def bytes_per_second(bandwidth: int, *, is_bytes: bool) -> int:
    """A limit as QEMU takes it; 0: none. Raises NumericOverflow."""
    if is_bytes:
        return bandwidth
    if bandwidth > _MAX_MIB:
        raise NumericOverflow(f"bandwidth must be less than {_MAX_MIB}", domain=From.QEMU, hint="it is in MiB/s")
    return bandwidth << 20


def require_free(record: GuestRecord, disk: Disk) -> None:
    """Raises for a disk that a job works on, and for one that none can work on."""
    dev = disk.target.dev
    require_no_job(record, disk)
    if disk.target.bus == "sd":
        text = f"block jobs are not supported on disk '{dev}' using bus 'sd'"
    elif disk.transient is not None:
        text = f"block jobs are not supported on transient disk '{dev}'"
    elif isinstance(disk.source, VhostUserSource):
        text = f"block jobs are not supported on vhostuser disk '{dev}'"
    elif C.is_empty(disk.source):
        raise OperationInvalid(f"disk '{dev}' has no media", domain=From.QEMU)
    else:
        return
    raise OperationUnsupported(text, domain=From.QEMU)


class QemuBlocks(BlockInspection):
    """contract.Blocks."""

    def __init__(self, context: Context, jobs: BlockJobs) -> None:
        super().__init__(context)
        self._jobs = jobs
        self._committer = Committer(jobs)
        self._copier = Copier(jobs)
        self._pivoter = Pivoter(jobs)

    # -- pull ------------------------------------------------------------------------------

    async def pull(self, domain: DomainIdentity, path: str, bandwidth: int, flags: int) -> None:
        F.check(flags, B.PULL_BANDWIDTH_BYTES, "qemuDomainBlockPull", From.QEMU)
        await self._pull(domain, path, None, bandwidth, flags)

    async def rebase(self, domain: DomainIdentity, path: str, base: str | None, bandwidth: int, flags: int) -> None:
        F.check(flags, _REBASE_FLAGS, "qemuDomainBlockRebase", From.QEMU)
        if not flags & B.REBASE_COPY:
            if flags & _COPY_ONLY:
                raise InvalidArg("flags in virDomainBlockRebase: use of flags requires a copy job", domain=From.DOMAIN)
            await self._pull(domain, path, base, bandwidth, flags)
            return
        if base is None:
            raise InvalidArg("base in virDomainBlockRebase must not be NULL", domain=From.DOMAIN)
        speed = bytes_per_second(bandwidth, is_bytes=bool(flags & B.REBASE_BANDWIDTH_BYTES))
        if flags & B.REBASE_RELATIVE:
            raise ArgumentUnsupported("Relative backing during copy not supported yet", domain=From.QEMU)
        source = BlockSource(dev=base) if flags & B.REBASE_COPY_DEV else FileSource(file=base)
        mirror = Mirror(source=source, format="raw" if flags & B.REBASE_COPY_RAW else None)
        await self._copy(domain, path, mirror, CopyRequest(speed=speed), flags & (B.COPY_SHALLOW | B.COPY_REUSE_EXT))

    async def _pull(self, domain: DomainIdentity, path: str, base: str | None, bandwidth: int, flags: int) -> None:
        if flags & B.REBASE_RELATIVE and base is None:
            raise InvalidArg("flag VIR_DOMAIN_BLOCK_REBASE_RELATIVE is valid only with non-null base", domain=From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("block pull"):
            guest = require_guest(record)
            require_monitor(record)
            disk = C.disk_named(record.document, path)
            require_free(record, disk)
            chain = C.chain_of(disk)
            top = chain.layers[0]
            place = C.find(chain, disk.target.dev, base, below=0) if base is not None else None
            speed = bytes_per_second(bandwidth, is_bytes=bool(flags & B.PULL_BANDWIDTH_BYTES))
            arguments: dict[str, Any] = {"device": top.format_node}
            job = BlockJob(f"pull-{disk.target.dev}-{top.format_node}", B.JOB_TYPE_PULL, disk.target.dev)
            if place is not None:
                layer = chain.layers[place]
                relative = bool(flags & B.REBASE_RELATIVE)
                arguments["base-node"] = layer.format_node
                # What is written for the top to find its base by, named from where the top's own base is named.
                arguments["backing-file"] = await names.backing_name(chain, 1, place, relative=relative)
                job = replace(job, base=layer.number)
            if speed:
                arguments["speed"] = speed
            await self._jobs.start(record, guest, job, "block-stream", arguments)

    # -- commit ----------------------------------------------------------------------------

    async def commit(
        self, domain: DomainIdentity, path: str, base: str | None, top: str | None, bandwidth: int, flags: int
    ) -> None:
        F.check(flags, _COMMIT_FLAGS, "qemuDomainBlockCommit", From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("block commit"):
            speed = bytes_per_second(bandwidth, is_bytes=bool(flags & B.COMMIT_BANDWIDTH_BYTES))
            disk = C.disk_named(record.document, path)
            chain, dev = C.chain_of(disk), disk.target.dev
            upper = 0 if top in (None, dev) else C.find(chain, dev, top)
            if base is None and flags & B.COMMIT_SHALLOW:
                lower = upper + 1
            else:
                lower = C.find(chain, dev, base, below=upper)
            require_monitor(record)
            require_free(record, disk)
            _check_commit(disk, chain, upper, lower, flags)
            await self._committer.start(
                record,
                disk,
                upper,
                lower,
                speed=speed,
                relative=bool(flags & B.COMMIT_RELATIVE),
                delete=bool(flags & B.COMMIT_DELETE),
            )

    # -- copy ------------------------------------------------------------------------------

    async def copy(
        self, domain: DomainIdentity, path: str, destination: str, params: Sequence[TypedParam], flags: int
    ) -> None:
        allowed = B.COPY_SHALLOW | B.COPY_REUSE_EXT | B.COPY_TRANSIENT_JOB | B.COPY_SYNCHRONOUS_WRITES
        F.check(flags, allowed, "qemuDomainBlockCopy", From.QEMU)
        request = CopyRequest.of(params)
        await self._copy(domain, path, images.destination(destination), request, flags)

    async def _copy(self, domain: DomainIdentity, path: str, mirror: Mirror, request: CopyRequest, flags: int) -> None:
        request.check_speed()
        images.check_absolute(mirror)
        record = self._context.table.get(domain)
        async with record.job("block copy"):
            require_guest(record)
            require_monitor(record)
            disk = C.disk_named(record.document, path)
            require_free(record, disk)
            if disk.device == "lun":
                images.check_passed_through(mirror)
            if record.is_persistent and not flags & B.COPY_TRANSIENT_JOB:
                raise OperationInvalid(
                    "domain is not transient",
                    domain=From.QEMU,
                    hint="--transient-job: the copy ends with the guest, and its definition stays until the pivot",
                )
            await self._copier.start(record, disk, mirror, request, flags)

    # -- the job of a disk -----------------------------------------------------------------

    async def job_info(self, domain: DomainIdentity, path: str, flags: int) -> tuple[int, int, int, int] | None:
        F.check(flags, B.JOB_INFO_BANDWIDTH_BYTES, "qemuDomainGetBlockJobInfo", From.QEMU)
        record = self._context.table.get(domain)
        guest, monitor = require_guest(record), require_monitor(record)
        disk = C.disk_named(record.document, path)
        job = guest.blocks.of_disk(disk.target.dev)
        if job is None:
            return None
        for entry in await monitor.execute("query-block-jobs"):
            if entry["device"] == job.name:
                return progress(job, entry, is_bytes=bool(flags & B.JOB_INFO_BANDWIDTH_BYTES))
        return job.kind, 0, 0, 1

    async def set_job_speed(self, domain: DomainIdentity, path: str, bandwidth: int, flags: int) -> None:
        F.check(flags, B.JOB_SPEED_BANDWIDTH_BYTES, "qemuDomainBlockJobSetSpeed", From.QEMU)
        speed = bytes_per_second(bandwidth, is_bytes=bool(flags & B.JOB_SPEED_BANDWIDTH_BYTES))
        record = self._context.table.get(domain)
        async with record.job("block job speed"):
            _, job = self._job(record, path)
            await require_monitor(record).execute("block-job-set-speed", {"device": job.name, "speed": speed})

    def _job(self, record: GuestRecord, path: str) -> tuple[Disk, BlockJob]:
        """A disk and its job. Raises InvalidArg when it has none."""
        guest = require_guest(record)
        disk = C.disk_named(record.document, path)
        job = guest.blocks.of_disk(disk.target.dev)
        if job is None:
            raise InvalidArg(f"disk {disk.target.dev} does not have an active block job", domain=From.QEMU)
        return disk, job

    async def abort_job(self, domain: DomainIdentity, path: str, flags: int) -> None:
        F.check(flags, B.JOB_ABORT_ASYNC | B.JOB_ABORT_PIVOT, "qemuDomainBlockJobAbort", From.QEMU)
        record = self._context.table.get(domain)
        pivot = bool(flags & B.JOB_ABORT_PIVOT)
        async with record.job("block job abort"):
            guest = require_guest(record)
            require_monitor(record)
            disk, job = self._job(record, path)
            if job.state not in ("new", "running", "ready"):
                raise OperationInvalid(f"block job on disk '{disk.target.dev}' is still being ended", domain=From.QEMU)
            end = guest.blocks.end_of(job.name)
            if pivot:
                await self._pivoter.pivot(record, disk, job)
            else:
                await self._cancel(record, job)
        if flags & B.JOB_ABORT_ASYNC:
            end.cancel()
            return
        # The domain's own turn is free meanwhile: what follows the end takes it.
        ended = await end
        if pivot and ended.state == "failed":
            reason = f": {ended.error}" if ended.error else ""
            raise OperationFailed(f"block job '{job.name}' failed while pivoting{reason}", domain=From.QEMU)

    async def _cancel(self, record: GuestRecord, job: BlockJob) -> None:
        guest, monitor = require_guest(record), require_monitor(record)
        guest.blocks.put(replace(job, state="aborting"))
        before = self._jobs.find_disk(record, job.disk)
        self._jobs.set_mirror(record, job.disk, "abort")
        self._jobs.save(record)
        name, arguments = END_COMMANDS["aborting"](job.name)
        try:
            await monitor.execute(name, arguments)
        except QmpCommandError:
            guest.blocks.put(job)
            if before is not None:
                self._jobs.put_disk(record, before)
            self._jobs.save(record)
            raise


def progress(job: BlockJob, entry: Mapping[str, Any], *, is_bytes: bool) -> tuple[int, int, int, int]:
    """(type, bandwidth, done, of how much): never done before it is, never empty when it is."""
    done, total, speed = int(entry["offset"]), int(entry["len"]), int(entry["speed"])
    ready = bool(entry.get("ready"))
    if done == total == 0:
        done, total = int(ready), 1
    elif not ready and done == total:
        done -= 1
    return job.kind, speed if is_bytes else -(-speed >> 20), done, total


def _check_commit(disk: Disk, chain: C.Chain, upper: int, lower: int, flags: int) -> None:
    dev, layers = disk.target.dev, chain.layers
    if upper == 0 and not flags & B.COMMIT_ACTIVE:
        raise InvalidArg(
            f"commit of '{dev}' active layer requires active flag",
            domain=From.QEMU,
            hint="--active, then blockjob --pivot when it is ready; or name another image with --top",
        )
    if upper and flags & B.COMMIT_ACTIVE:
        raise InvalidArg(f"active commit requested but '{layers[upper].path}' is not active", domain=From.QEMU)
    if upper + 1 >= len(layers):
        raise InvalidArg(
            f"top '{layers[upper].path}' in chain for '{layers[0].path}' has no backing file", domain=From.QEMU
        )
    if flags & B.COMMIT_SHALLOW and lower != upper + 1:
        raise InvalidArg(
            f"base '{layers[lower].path}' is not immediately below '{layers[upper].path}' in chain for "
            f"'{layers[0].path}'",
            domain=From.QEMU,
        )


__all__ = ["QemuBlocks", "bytes_per_second", "progress", "require_free"]
