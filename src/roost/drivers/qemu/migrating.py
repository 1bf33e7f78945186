"""What bounds the way of a guest to another host; QEMU keeps it but for the speed of one that does not run."""

from __future__ import annotations

from typing import Any

from roost.constants import domain as D
from roost.contract import flags as F
from roost.contract.migration import Migration
from roost.contract.references import DomainIdentity
from roost.drivers.qemu.context import Context, require_monitor
from roost.errors import From, NumericOverflow, OperationInvalid, OperationUnsupported

_MIB = 1 << 20
#: MiB/s: what QEMU's numbers hold, and, of a guest that is over there already, libvirt's.
_MOST, _MOST_POSTCOPY = (2**63 - 1) // _MIB, (2**64 - 1) // _MIB
_DOWNTIME, _SPEED, _CACHE = "downtime-limit", "max-bandwidth", "xbzrle-cache-size"
_POSTCOPY_SPEED = "max-postcopy-bandwidth"


class QemuMigration(Migration):
    """contract.Migration. What is set waits for what else goes through the same parameters: saving, dumping."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def set_max_downtime(self, domain: DomainIdentity, downtime: int, flags: int) -> None:
        F.check(flags, 0, "qemuDomainMigrateSetMaxDowntime", From.QEMU)
        await self._set(domain, _DOWNTIME, downtime)

    async def max_downtime(self, domain: DomainIdentity, flags: int) -> int:
        F.check(flags, 0, "qemuDomainMigrateGetMaxDowntime", From.QEMU)
        return await self._get(domain, _DOWNTIME)

    async def set_max_speed(self, domain: DomainIdentity, bandwidth: int, flags: int) -> None:
        F.check(flags, D.MIGRATE_MAX_SPEED_POSTCOPY, "qemuDomainMigrateSetMaxSpeed", From.QEMU)
        record = self._context.table.get(domain)
        postcopy = bool(flags & D.MIGRATE_MAX_SPEED_POSTCOPY)
        most = _MOST_POSTCOPY if postcopy else _MOST
        if bandwidth > most:
            raise NumericOverflow(
                f"bandwidth must be less than {most + 1}", domain=From.QEMU, hint="it is in MiB a second"
            )
        if postcopy or record.is_active:
            await self._set(domain, _POSTCOPY_SPEED if postcopy else _SPEED, bandwidth * _MIB)
        if not postcopy:
            record.migration_speed = bandwidth

    async def max_speed(self, domain: DomainIdentity, flags: int) -> int:
        F.check(flags, D.MIGRATE_MAX_SPEED_POSTCOPY, "qemuDomainMigrateGetMaxSpeed", From.QEMU)
        if flags & D.MIGRATE_MAX_SPEED_POSTCOPY:
            return await self._get(domain, _POSTCOPY_SPEED) // _MIB
        speed = self._context.table.get(domain).migration_speed
        return _MOST if speed is None else speed

    async def set_compression_cache(self, domain: DomainIdentity, size: int, flags: int) -> None:
        F.check(flags, 0, "qemuDomainMigrateSetCompressionCache", From.QEMU)
        await self._check_compresses(domain)
        await self._set(domain, _CACHE, size)

    async def compression_cache(self, domain: DomainIdentity, flags: int) -> int:
        F.check(flags, 0, "qemuDomainMigrateGetCompressionCache", From.QEMU)
        await self._check_compresses(domain)
        return await self._get(domain, _CACHE)

    async def start_post_copy(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, 0, "qemuDomainMigrateStartPostCopy", From.QEMU)
        self._context.table.get_active(domain)
        raise OperationInvalid(
            "post-copy can only be started while outgoing migration is in progress", domain=From.QEMU
        )

    async def _check_compresses(self, domain: DomainIdentity) -> None:
        monitor = require_monitor(self._context.table.get_active(domain))
        known = await monitor.execute("query-migrate-capabilities")
        if not any(each["capability"] == "xbzrle" for each in known):
            raise OperationUnsupported("Compressed migration is not supported by QEMU binary", domain=From.QEMU)

    async def _set(self, domain: DomainIdentity, parameter: str, value: int) -> None:
        record = self._context.table.get_active(domain)
        async with record.job("migration parameters"):
            await require_monitor(record).execute("migrate-set-parameters", {parameter: value})

    async def _get(self, domain: DomainIdentity, parameter: str) -> int:
        """Raises OperationInvalid for what this QEMU does not tell."""
        monitor = require_monitor(self._context.table.get_active(domain))
        found: dict[str, Any] = await monitor.execute("query-migrate-parameters")
        if parameter not in found:
            raise OperationInvalid(
                f"querying the migration parameter {parameter} is not supported by QEMU binary", domain=From.QEMU
            )
        return int(found[parameter])


__all__ = ["QemuMigration"]
