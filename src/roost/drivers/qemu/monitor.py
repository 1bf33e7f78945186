"""QEMU's own monitor for clients that want it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from roost.contract import flags as F
from roost.contract.domains import Monitor
from roost.contract.references import DomainIdentity, DomainRef
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.taints import CUSTOM_MONITOR, taint
from roost.errors import From, InternalError, NoSupport

#: VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP: the human monitor's language.
COMMAND_HMP = 1


class QemuMonitor(Monitor):
    """contract.Monitor. Whoever uses it may change anything, so the domain is marked."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def attach(self, pid: int, flags: int) -> DomainRef:
        """libvirt has given this up, and so it is refused as there, saying what to do instead."""
        raise NoSupport(
            "virDomainQemuAttach",
            domain=From.NONE,
            hint="a QEMU started by hand has no names of ours for its devices, images and monitor; "
            f"domxml-from-native makes a domain of the words in /proc/{pid}/cmdline, to be started here instead",
        )

    async def command(self, domain: DomainIdentity, command: str, flags: int) -> str:
        return (await self.command_with_files(domain, command, flags, ()))[0]

    async def command_with_files(
        self, domain: DomainIdentity, command: str, flags: int, files: Sequence[int]
    ) -> tuple[str, Sequence[int]]:
        """QEMU 7.2 has no command that hands descriptors out: there are never any to give back."""
        F.check(flags, COMMAND_HMP, "qemuDomainQemuMonitorCommandWithFiles", From.QEMU)
        record = self._context.table.get_active(domain)
        guest, monitor = require_guest(record), require_monitor(record)
        taint(self._context, record, guest, CUSTOM_MONITOR)
        if flags & COMMAND_HMP:
            answer = await monitor.execute("human-monitor-command", {"command-line": command}, descriptors=files)
            return str(answer), ()
        try:
            return await monitor.execute_text(command, descriptors=files), ()
        except msgspec.MsgspecError as error:
            raise InternalError(
                f"cannot parse json {command}: {error}",
                domain=From.QEMU,
                hint='write {"execute": "COMMAND"}, or use --hmp',
            ) from error
