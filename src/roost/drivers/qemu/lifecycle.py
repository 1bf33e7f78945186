"""Starting, pausing and ending domains."""

from __future__ import annotations

import contextlib

from roost.constants import domain as D
from roost.contract import flags as F
from roost.contract.domains import Lifecycle
from roost.contract.references import DomainIdentity, DomainRef
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import DESTROYED, GuestRecord
from roost.drivers.qemu.launch import Launcher
from roost.drivers.qemu.supervisor import Supervisor
from roost.errors import AgentUnresponsive, ArgumentUnsupported, From, OperationInvalid

#: Flags of the calls that start a domain.
START_FLAGS = D.START_PAUSED | D.START_AUTODESTROY | D.START_BYPASS_CACHE | D.START_FORCE_BOOT | D.START_RESET_NVRAM
_ACPI, _AGENT = D.SHUTDOWN_ACPI_POWER_BTN, D.SHUTDOWN_GUEST_AGENT


class QemuLifecycle(Lifecycle):
    """contract.Lifecycle."""

    def __init__(self, context: Context, supervisor: Supervisor, launcher: Launcher) -> None:
        self._context = context
        self._supervisor = supervisor
        self._launcher = launcher

    async def create(self, domain: DomainIdentity, flags: int) -> DomainRef:
        F.check(flags, START_FLAGS, "qemuDomainCreateWithFlags", From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("start"):
            if record.is_active:
                raise OperationInvalid("domain is already running", domain=From.QEMU)
            await self._launcher.start(record, record.config, flags)
            return record.ref

    async def shutdown(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, _ACPI | _AGENT, "qemuDomainShutdownFlags", From.QEMU)
        record = self._context.table.get(domain)
        live = record.live
        restart = live is not None and live.on_poweroff in ("restart", "rename-restart")
        await self._press_power_button(record, flags, reboot=restart)

    async def reboot(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, _ACPI | _AGENT, "qemuDomainReboot", From.QEMU)
        record = self._context.table.get(domain)
        live = record.live
        reboot = live is None or live.on_reboot not in ("destroy", "preserve")
        await self._press_power_button(record, flags, reboot=reboot)

    async def _press_power_button(self, record: GuestRecord, flags: int, *, reboot: bool) -> None:
        """ACPI shutdown; a reboot is one that the daemon turns into a reset when it is through."""
        require_guest(record)
        if flags & _AGENT and not flags & _ACPI:
            _refuse_agent(record)
        async with record.job("shutdown"):
            if record.state != D.RUNNING:
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
            if record.state == D.CRASHED:
                raise OperationInvalid("domain is crashed; reset it first", domain=From.QEMU)
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
        guest.fake_reboot = False
        await self._supervisor.stop(record, guest, DESTROYED, force=not flags & D.DESTROY_GRACEFUL)
        if guest.starting:
            async with record.job("destroy"):
                pass  # the start gives up and gives everything back
        if flags & D.DESTROY_REMOVE_LOGS:
            with contextlib.suppress(OSError):
                self._context.paths.log_file(record.name).unlink()


def _refuse_agent(record: GuestRecord) -> None:
    live = record.live
    channels = live.devices.channels if live is not None else ()
    if any(getattr(channel.target, "name", None) == "org.qemu.guest_agent.0" for channel in channels):
        raise AgentUnresponsive("QEMU guest agent is not connected", domain=From.QEMU, hint="shut down by ACPI instead")
    raise ArgumentUnsupported(
        "QEMU guest agent is not configured",
        domain=From.QEMU,
        hint="add a <channel> with target org.qemu.guest_agent.0, or shut down by ACPI",
    )
