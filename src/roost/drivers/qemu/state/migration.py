"""Memory and devices of a guest to a file and back: QEMU's migration, with progress and an end on demand."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from roost.constants import jobs as J
from roost.drivers.qemu.qmp import QmpClient, QmpClosed, QmpCommandError
from roost.drivers.qemu.qmp.client import EventQueue
from roost.drivers.qemu.state import progress
from roost.drivers.qemu.state.routes import Route
from roost.engine.jobs import LongJob, Measure
from roost.errors import From, OperationAborted, OperationFailed, OperationInvalid, RoostError

#: Bytes a second, when nothing else needs the way: as fast as it goes.
UNLIMITED = (2**63 - 1) // (1 << 20) * (1 << 20)
#: Seconds a question about progress may take: it is asked by reads.
PATIENCE = 2.0

#: Seconds it gets to end when the daemon does.
_GRACE = 1.0
#: How QEMU calls the ends of a migration.
_ENDS = ("completed", "failed", "cancelled")


class MemoryWriter:
    """Writes a guest's memory and devices to a file.

    name: the job's, as errors call it: `domain save`. bandwidth: bytes a second.
    """

    def __init__(self, monitor: QmpClient, name: str, bandwidth: int = UNLIMITED) -> None:
        self._monitor = monitor
        self._name = name
        self._bandwidth = bandwidth
        self._started = False
        self._cancelled = False

    def job(self, operation: int) -> LongJob:
        """What clients see of it. operation: constants.jobs.OPERATION_*."""
        return LongJob(operation, measure=self.measure, abort=self.cancel)

    async def measure(self) -> Measure:
        """How far it has come, asked of QEMU."""
        if not self._started:
            return Measure()
        return progress.of_migration(await self._monitor.execute("query-migrate", deadline=PATIENCE))

    async def cancel(self) -> None:
        """End it; `run` raises OperationAborted."""
        self._cancelled = True
        if self._started:
            await self._monitor.execute("migrate_cancel")

    async def run(self, route: Route) -> Measure:
        """Until everything is written; the guest's processors stand still then.

        Raises OperationAborted when cancelled, OperationFailed with QEMU's reason or when the guest is gone.
        """
        try:
            return await self._run(route)
        except QmpClosed as error:
            raise gone() from error

    async def _run(self, route: Route) -> Measure:
        monitor = self._monitor
        before = (await monitor.execute("query-migrate-parameters")).get("max-bandwidth")
        await check_blockers(monitor)
        self.check()
        with monitor.expecting("MIGRATION") as events:
            async with route.opened(monitor) as uri:
                await self._set_bandwidth(self._bandwidth)
                # Once it has started, only QEMU can tell how it ends.
                self._started = True
                try:
                    await monitor.execute("migrate", {"uri": uri, "detach": True})
                    end = await ended(events)
                except QmpCommandError:
                    await self._set_bandwidth(before)
                    raise
                except asyncio.CancelledError:
                    await self._give_up(events)
                    raise
        answer = await monitor.execute("query-migrate")
        await self._set_bandwidth(before)
        if end == "completed":
            return progress.of_migration(answer)
        if end == "cancelled" or self._cancelled:
            raise self._aborted()
        raise OperationFailed(
            f"job '{self._name}' failed: {answer.get('error-desc') or 'unknown reason'}", domain=From.QEMU
        )

    async def _give_up(self, events: EventQueue) -> None:
        """The daemon ends: the guest must not go on writing for nobody, nor still do so when the next one asks it."""
        self._monitor.send("migrate_cancel")
        with contextlib.suppress(TimeoutError, QmpClosed):
            async with asyncio.timeout(_GRACE):
                await ended(events)

    def check(self) -> None:
        """Raises OperationAborted when it was cancelled."""
        if self._cancelled:
            raise self._aborted()

    def _aborted(self) -> RoostError:
        return OperationAborted(f"job '{self._name}' canceled by client", domain=From.QEMU)

    async def _set_bandwidth(self, value: int | None) -> None:
        if value is not None:
            await self._monitor.execute("migrate-set-parameters", {"max-bandwidth": value})


async def check_blockers(monitor: QmpClient) -> None:
    """Raises OperationInvalid, with QEMU's reasons, for a guest whose memory cannot be taken."""
    blockers = (await monitor.execute("query-migrate")).get("blocked-reasons") or ()
    if blockers:
        raise OperationInvalid(f"cannot migrate domain: {'; '.join(blockers)}", domain=From.QEMU)


async def read_memory(monitor: QmpClient, route: Route) -> None:
    """Fill a guest that was started to wait for it (`-incoming defer`).

    Raises OperationFailed or QmpClosed when QEMU does not take what it gets: it ends, and its log says why.
    """
    with monitor.expecting("MIGRATION") as events:
        async with route.opened(monitor) as uri:
            await monitor.execute("migrate-incoming", {"uri": uri})
            end = await ended(events)
    if end != "completed":
        raise OperationFailed(f"job 'start' failed: QEMU says '{end}'", domain=From.QEMU)


async def activate_images(monitor: QmpClient) -> None:
    """Have QEMU take the images of a guest whose memory has come, though its processors stand still.

    One that has the command leaves them alone until they run, and refuses jobs on them; an older one takes them itself.
    """
    try:
        await monitor.execute("blockdev-set-active", {"active": True})
    except QmpCommandError as error:
        if error.kind != "CommandNotFound":
            raise


async def ended(events: EventQueue) -> str:
    """Wait for the end of a migration; how it ended."""
    while True:
        status = str((await events.next()).data.get("status"))
        if status in _ENDS:
            return status


def gone() -> RoostError:
    """For a guest that ended under the job."""
    return OperationFailed("domain is not running", domain=From.QEMU, hint="it ended while the job ran; see its log")


#: core dump formats, by number, as QEMU calls them.
DUMP_FORMATS = ("elf", "kdump-zlib", "kdump-lzo", "kdump-snappy", "win-dmp")


class MemoryDumper:
    """Writes a guest's memory alone, as a core file that crash utilities read. It cannot be ended."""

    def __init__(self, monitor: QmpClient) -> None:
        self._monitor = monitor

    def job(self) -> LongJob:
        """What clients see of it."""
        return LongJob(J.OPERATION_DUMP, measure=self.measure, refusal="cannot abort memory-only dump")

    async def measure(self) -> Measure:
        return progress.of_dump(await self._monitor.execute("query-dump", deadline=PATIENCE))

    async def run(self, descriptor: int, format: str) -> Measure:
        """Raises OperationFailed with QEMU's reason, or when the guest is gone."""
        monitor = self._monitor
        arguments: dict[str, Any] = {"paging": False, "protocol": "fd:dump", "detach": True}
        if format != "elf":
            arguments["format"] = format
        try:
            with monitor.expecting("DUMP_COMPLETED") as events:
                await monitor.execute("getfd", {"fdname": "dump"}, descriptors=(descriptor,))
                await monitor.execute("dump-guest-memory", arguments)
                data = (await events.next()).data
        except QmpClosed as error:
            raise gone() from error
        result = data.get("result", {})
        if result.get("status") == "failed":
            reason = data.get("error") or "for unknown reason"
            raise OperationFailed(f"memory-only dump failed: {reason}", domain=From.QEMU)
        return progress.of_dump(result)


async def dump_formats(monitor: QmpClient) -> tuple[str, ...]:
    """The formats this QEMU can write."""
    return tuple((await monitor.execute("query-dump-guest-memory-capability"))["formats"])
