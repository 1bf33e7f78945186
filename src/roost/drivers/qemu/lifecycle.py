"""Starting, pausing and ending domains."""

from __future__ import annotations

import contextlib
from collections.abc import Container

from roost.constants import domain as D
from roost.contract import flags as F
from roost.contract.domains import Lifecycle
from roost.contract.references import DomainIdentity, DomainRef
from roost.drivers.qemu import actions
from roost.drivers.qemu.agent.turn import guest_of, turn
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import DESTROYED, GuestRecord
from roost.drivers.qemu.state.restore import Restorer
from roost.drivers.qemu.supervisor import Supervisor
from roost.engine.affect import affected
from roost.engine.definitions import redefine
from roost.engine.edits.actions import check as check_action
from roost.errors import From, OperationInvalid, RoostError

#: Flags of the calls that start a domain.
START_FLAGS = D.START_PAUSED | D.START_AUTODESTROY | D.START_BYPASS_CACHE | D.START_FORCE_BOOT | D.START_RESET_NVRAM
_ACPI, _AGENT = D.SHUTDOWN_ACPI_POWER_BTN, D.SHUTDOWN_GUEST_AGENT

#: Seconds that a guest may take to begin with its end.
_AGENT_SHUTDOWN = 60


class QemuLifecycle(Lifecycle):
    """contract.Lifecycle."""

    def __init__(self, context: Context, supervisor: Supervisor, restorer: Restorer) -> None:
        self._context = context
        self._supervisor = supervisor
        self._restorer = restorer

    async def create(self, domain: DomainIdentity, flags: int) -> DomainRef:
        F.check(flags, START_FLAGS, "qemuDomainCreateWithFlags", From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("start"):
            if record.is_active:
                raise OperationInvalid("domain is already running", domain=From.QEMU)
            await self._restorer.start(record, flags)
            return record.ref

    async def shutdown(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, _ACPI | _AGENT, "qemuDomainShutdownFlags", From.QEMU)
        record = self._context.table.get(domain)
        live = record.live
        restart = live is not None and live.on_poweroff in ("restart", "rename-restart")
        await self._end(record, flags, reboot=restart, states=(D.RUNNING,))

    async def reboot(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, _ACPI | _AGENT, "qemuDomainReboot", From.QEMU)
        record = self._context.table.get(domain)
        live = record.live
        reboot = live is None or live.on_reboot not in ("destroy", "preserve")
        await self._end(record, flags, reboot=reboot, states=())

    async def _end(self, record: GuestRecord, flags: int, *, reboot: bool, states: Container[int]) -> None:
        """By the agent when it is asked for or there is one, by ACPI when that fails and need not be the agent's.

        states: those that it may be in for ACPI, () for all.
        """
        guest = guest_of(record) if states or flags & _AGENT else require_guest(record)
        if flags & _AGENT or (not flags and guest.agent.is_connected):
            try:
                await self._ask_agent(record, reboot=reboot)
            except RoostError:
                if flags == _AGENT:
                    raise
                if record.runtime is not guest:
                    return  # it has ended by itself meanwhile
            else:
                return
        await self._press_power_button(record, reboot=reboot, states=states)

    async def _ask_agent(self, record: GuestRecord, *, reboot: bool) -> None:
        """There is no answer when it succeeds: the guest goes."""
        async with turn(record, "modify") as agent:
            self._supervisor.set_fake_reboot(record, agent.guest, False)
            mode, event = ("reboot", "RESET") if reboot else ("powerdown", "SHUTDOWN")
            await agent.send("guest-shutdown", {"mode": mode}, patience=_AGENT_SHUTDOWN, event=event)

    async def _press_power_button(self, record: GuestRecord, *, reboot: bool, states: Container[int]) -> None:
        """ACPI shutdown; a reboot is one that the daemon turns into a reset when it is through."""
        async with record.job("shutdown"):
            if states and record.state not in states:
                raise OperationInvalid("domain is not running", domain=From.QEMU)
            guest, monitor = require_guest(record), require_monitor(record)
            self._supervisor.set_fake_reboot(record, guest, reboot)
            await monitor.execute("system_powerdown")

    async def reset(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, 0, "qemuDomainReset", From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("reset"):
            guest, monitor = require_guest(record), require_monitor(record)
            await monitor.execute("system_reset")
            self._supervisor.set_fake_reboot(record, guest, False)
            if record.state == D.CRASHED:
                record.set_state(D.PAUSED, D.PAUSED_CRASHED)

    async def suspend(self, domain: DomainIdentity) -> None:
        record = self._context.table.get_active(domain)
        async with record.job("suspend"):
            guest, monitor = require_guest(record), require_monitor(record)
            if record.state == D.PMSUSPENDED:
                raise OperationInvalid("domain is pmsuspended", domain=From.QEMU)
            if record.state == D.PAUSED:
                return
            guest.paused_reason = D.PAUSED_USER
            try:
                await monitor.execute("stop")
            finally:
                guest.paused_reason = 0

    async def resume(self, domain: DomainIdentity) -> None:
        record = self._context.table.get_active(domain)
        async with record.job("resume"):
            guest, monitor = require_guest(record), require_monitor(record)
            if record.state == D.PMSUSPENDED:
                raise OperationInvalid("domain is pmsuspended", domain=From.QEMU)
            if record.state == D.RUNNING:
                raise OperationInvalid("domain is already running", domain=From.QEMU)
            guest.running_reason = D.RUNNING_UNPAUSED
            try:
                await monitor.execute("cont")
            finally:
                guest.running_reason = 0

    async def destroy(self, domain: DomainIdentity, flags: int) -> None:
        """Takes no job: it is what frees a domain from one that hangs."""
        F.check(flags, D.DESTROY_GRACEFUL | D.DESTROY_REMOVE_LOGS, "qemuDomainDestroyFlags", From.QEMU)
        record = self._context.table.get_active(domain)
        guest = require_guest(record)
        guest.reboot.wanted = False
        await self._supervisor.stop(record, guest, DESTROYED, force=not flags & D.DESTROY_GRACEFUL)
        if guest.starting:
            async with record.job("destroy"):
                pass  # the start gives up and gives everything back
        await self._supervisor.farewell(record)
        if flags & D.DESTROY_REMOVE_LOGS:
            with contextlib.suppress(OSError):
                self._context.paths.log_file(record.name).unlink()

    async def set_action(self, domain: DomainIdentity, kind: int, action: int, flags: int) -> None:
        check_action(kind, action)
        F.check(flags, D.AFFECT_LIVE | D.AFFECT_CONFIG, "qemuDomainSetLifecycleAction", From.QEMU)
        context = self._context
        record = context.table.get(domain)
        async with record.job("set lifecycle action"):
            live, config = affected(record, flags)
            if config:
                actions.with_action(record.config, kind, action)
            if live:
                actions.with_action(record.document, kind, action)
                reboot = actions.on_reboot(kind, action)
                if reboot is not None:
                    await require_monitor(record).execute("set-action", {"reboot": reboot})
                require_guest(record)
                record.live = actions.with_action(record.document, kind, action)
                context.save(record)
            if config:
                async with context.store.lock:
                    await redefine(context.store, record, actions.with_action(record.config, kind, action))
