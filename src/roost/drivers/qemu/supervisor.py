"""A guest's life after its start: its events, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.contract.events import MonitorEvent
from roost.drivers.qemu import events
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import CRASHED, SHUTDOWN, Ending, Guest, GuestRecord
from roost.drivers.qemu.qmp import Event, QmpClosed
from roost.drivers.qemu.swtpm import is_state_kept, remove_state
from roost.engine.table import uuid_text
from roost.errors import From, HookScriptFailed, OperationFailed, RoostError, SystemCallError
from roost.host.api import Process

log = logging.getLogger(__name__)

#: Seconds a daemon that is to end waits for what it has begun.
SETTLING = 5.0

#: Seconds between SIGTERM and SIGKILL. QEMU needs milliseconds unless its storage hangs.
GRACE = 10.0


class Supervisor:
    """Watches guests: keeps their records true and clears up after them."""

    def __init__(self, context: Context) -> None:
        self.context = context
        #: Writes the memory of a guest that crashed to where such memory goes; given by the driver.
        self.dump: Callable[[GuestRecord, Guest], Awaitable[None]]
        self._tasks: set[asyncio.Task[None]] = set()
        self._leaving: dict[bytes, asyncio.Task[None]] = {}
        self._handlers = dict(events.HANDLERS)
        self._unheard: set[tuple[Guest, str]] = set()

    def listen(self, event: str, handler: events.Handler) -> None:
        """Have another part of the driver deal with an event of QEMU's that the table of events leaves alone."""
        if event in self._handlers:
            raise ValueError(f"{event} has a handler")
        self._handlers[event] = handler

    # -- while it runs ---------------------------------------------------------------------

    def on_event(self, record: GuestRecord, guest: Guest, event: Event) -> None:
        """An event of QEMU's monitor, in order."""
        if record.runtime is not guest:
            return
        details = event.raw.decode("utf-8", "replace") if event.raw else None
        self.context.bus.publish(MonitorEvent(record.ref, event.name, event.seconds, event.micros, details))
        handler = self._handlers.get(event.name)
        if handler is not None and (guest, event.name) not in self._unheard:
            handler(self, record, guest, event.data)

    @contextlib.contextmanager
    def unheard(self, guest: Guest, *names: str) -> Iterator[None]:
        """Let events of these names pass that mean nothing, because we cause them and undo it at once."""
        passing = {(guest, name) for name in names}
        self._unheard |= passing
        try:
            yield
        finally:
            self._unheard -= passing

    def publish(self, record: GuestRecord, kind: int, *args: object) -> None:
        self.context.publish(record, kind, *args)

    def lifecycle(self, record: GuestRecord, event: int, detail: int) -> None:
        self.context.publish(record, E.ID_LIFECYCLE, event, detail)

    def save(self, record: GuestRecord) -> None:
        """Write the status; a disk that refuses it is logged, since the guest goes on regardless."""
        try:
            self.context.save(record)
        except RoostError as error:
            log.error("the status of %s is not on disk: %s", record.name, error)  # noqa: TRY400 - no bug of ours

    def set_fake_reboot(self, record: GuestRecord, guest: Guest, value: bool) -> None:
        """Whether the next shutdown is a reboot; on disk, because the guest may outlive us until then."""
        if guest.reboot.wanted != value:
            guest.reboot.wanted = value
            self.save(record)

    def run(self, coroutine: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        """Do what an event asks for in a task of its own, not in the event's callback. Failures are logged."""
        task = asyncio.get_running_loop().create_task(self._logged(coroutine, what))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _logged(self, coroutine: Coroutine[Any, Any, None], what: str) -> None:
        try:
            await coroutine
        except RoostError as error:
            log.warning("%s: %s", what, error)
        except Exception:
            log.exception("%s failed", what)

    async def settle(self) -> None:
        """Wait for the work that events have asked for, but not for guests that do not answer."""
        if self._tasks:
            _, waiting = await asyncio.wait(tuple(self._tasks), timeout=SETTLING)
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def reboot_in_place(self, record: GuestRecord, guest: Guest) -> None:
        """Reset a guest that has shut down and let it go on: what `-no-shutdown` makes of a reboot."""
        async with record.job("reboot"):
            monitor = guest.monitor
            if record.runtime is not guest or monitor is None:
                return
            try:
                await monitor.execute("system_reset")
                crashed = record.state == D.CRASHED
                guest.running_reason = D.RUNNING_CRASHED if crashed else D.RUNNING_BOOTED
                await monitor.execute("cont")
            except RoostError:
                self.kill(guest, CRASHED)
                raise
            finally:
                guest.reboot.under_way = False
                self.set_fake_reboot(record, guest, False)

    # -- its end ---------------------------------------------------------------------------

    def watch(self, record: GuestRecord, guest: Guest, process: Process) -> None:
        """Clear up when the process ends, whoever ended it."""
        guest.process = process
        process.on_exit(lambda: self.on_exit(record, guest))

    def kill(self, guest: Guest, ending: Ending | None = None) -> None:
        """End a guest without waiting for it."""
        if ending is not None and guest.ending is None:
            guest.ending = ending
        if guest.process is not None:
            guest.process.terminate(GRACE)

    async def stop(self, record: GuestRecord, guest: Guest, ending: Ending, *, force: bool = True) -> None:
        """End a guest and wait for it. Raises SystemCallError when it may not be forced and does not go."""
        process = guest.process
        if process is None:
            guest.ending = ending
            return
        before, guest.ending = guest.ending, ending
        process.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(GRACE):
                await process.wait()
        except TimeoutError:
            if not force:
                guest.ending = before
                text = f"Failed to terminate process {process.pid} with SIGTERM: Device or resource busy"
                raise SystemCallError(text, domain=From.QEMU, int1=16, hint="destroy it without --graceful") from None
            process.signal(signal.SIGKILL)
            await process.wait()

    def on_monitor_closed(self, record: GuestRecord, guest: Guest, reason: QmpClosed) -> None:
        """Mostly the process is about to end, and is helped along; one that talks nonsense is left to itself."""
        if record.runtime is not guest or guest.starting:
            return
        if reason.broken:
            log.error("monitor of %s: %s", record.name, reason)
            self.publish(record, E.ID_CONTROL_ERROR)
            return
        log.debug("monitor of %s: %s", record.name, reason)
        self.kill(guest)

    def on_exit(self, record: GuestRecord, guest: Guest) -> None:
        """The process is gone: forget what it held and say so. Runs once, on the loop."""
        monitor = guest.monitor
        if monitor is not None:
            monitor.drain()  # its last words, SHUTDOWN among them, are still in the socket
            monitor.close(ended=True)
        if not guest.starting:
            self.clear(record, guest)

    def clear(self, record: GuestRecord, guest: Guest) -> None:
        """The end of a guest that had started, or whose start has failed."""
        if record.runtime is not guest:
            return
        table = self.context.table
        self._take_leave(record)
        ending = guest.ending or (SHUTDOWN if record.state == D.SHUTDOWN else CRASHED)
        for stream in tuple(guest.consoles.values()):
            stream.abort()
        guest.agent.close()
        if guest.blocks.backup is not None:
            record.job.long = None
        guest.blocks.abandon(OperationFailed("domain is not running", domain=From.QEMU))
        guest.resources.release()
        guest.log.end(ending.word)
        guest.log.close()
        with contextlib.suppress(OSError):
            self.context.paths.pid_file(record.name).unlink()
        self.context.store.remove_status(record.name)
        if not record.is_persistent and record.live is not None and not is_state_kept(record.live):
            remove_state(self.context.paths.tpms, uuid_text(record.uuid))
        table.deactivate(record)
        record.set_state(D.SHUTOFF, ending.reason)
        if not guest.starting:
            self.lifecycle(record, E.STOPPED, ending.detail)

    def _take_leave(self, record: GuestRecord) -> None:
        """Tell the scripts, behind the end of the guest: what they do or say changes nothing any more."""
        hooks = self.context.hooks
        if record.live is None or not hooks.scripts("qemu"):
            return
        document = record.describe(inactive=False, secure=False)

        async def tell() -> None:
            for operation in ("stopped", "release"):
                try:
                    await hooks.run("qemu", record.name, operation, "end", document=document)
                except HookScriptFailed as error:
                    log.warning("the end of %s: %s", record.name, error)
            if self._leaving.get(record.uuid) is asyncio.current_task():
                del self._leaving[record.uuid]

        self._leaving[record.uuid] = self.run(tell(), f"the scripts of {record.name}")

    async def farewell(self, record: GuestRecord) -> None:
        """Wait until the scripts have heard of a guest's end."""
        task = self._leaving.get(record.uuid)
        if task is not None:
            await asyncio.wait([task])
