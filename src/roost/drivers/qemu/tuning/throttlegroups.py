"""contract.ThrottleGroups: limits that disks share by passing their requests through a group."""

from __future__ import annotations

from collections.abc import Sequence

from roost.constants import domain as D
from roost.contract import flags as F
from roost.contract.references import DomainIdentity
from roost.contract.tuning import ThrottleGroups
from roost.contract.typed_params import TypedParam, checked
from roost.drivers.qemu.context import Context, require_monitor
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.plan.blocks import all_limits, throttle_object
from roost.drivers.qemu.tuning import throttling
from roost.drivers.qemu.tuning.change import require_live, save_definition
from roost.engine.affect import affected
from roost.engine.edits import throttling as limits
from roost.errors import From, InvalidArg, OperationInvalid
from roost.model.domain import Domain
from roost.model.domain.devices.disk import ThrottleGroup

_AFFECT = D.AFFECT_LIVE | D.AFFECT_CONFIG
#: A group's name is no parameter of it.
_PARAMETERS = {name: kind for name, kind in limits.PARAMETERS.items() if name != "group_name"}


class QemuThrottleGroups(ThrottleGroups):
    """A group is an object of QEMU's that can be changed while disks pass through it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def set(self, domain: DomainIdentity, group: str, params: Sequence[TypedParam], flags: int) -> None:
        F.check(flags, _AFFECT, "qemuDomainSetThrottleGroup", From.QEMU)
        values = checked(params, _PARAMETERS)
        if not group:
            raise InvalidArg("a throttle group has a name", domain=From.QEMU)
        limits.check(values)
        record = self._context.table.get(domain)
        async with record.job("tune"):
            live, config = affected(record, flags)
            definition = None
            if config:
                changed = throttling.merged_group(record.config, group, values)
                definition = limits.with_group(record.config, changed)
            if live:
                await self._set_live(record, throttling.merged_group(require_live(record)[1], group, values, live=True))
            if definition is not None:
                await save_definition(self._context, record, definition)

    async def _set_live(self, record: GuestRecord, group: ThrottleGroup) -> None:
        name = throttle_object(group.group_name or "")
        if limits.find_group(require_live(record)[1], group.group_name or "") is None:
            arguments = {"qom-type": "throttle-group", "id": name, "limits": all_limits(group)}
            await require_monitor(record).execute("object-add", arguments)
        else:
            arguments = {"path": f"/objects/{name}", "property": "limits", "value": all_limits(group)}
            await require_monitor(record).execute("qom-set", arguments)
        record.live = limits.with_group(require_live(record)[1], group)
        self._context.save_changed(record)

    async def delete(self, domain: DomainIdentity, group: str | None, flags: int) -> None:
        F.check(flags, _AFFECT, "qemuDomainDelThrottleGroup", From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("tune"):
            live, config = affected(record, flags)
            definition = _without(record.config, group or "", "config") if config else None
            if live:
                _without(require_live(record)[1], group or "", "running guest")
                await require_monitor(record).execute("object-del", {"id": throttle_object(group or "")})
                record.live = _without(require_live(record)[1], group or "", "running guest")
                self._context.save_changed(record)
            if definition is not None:
                await save_definition(self._context, record, definition)


def _without(document: Domain, group: str, where: str) -> Domain:
    """Raises OperationInvalid for a group that is not there, or that disks pass through."""
    if limits.find_group(document, group) is None:
        known = ", ".join(each.group_name or "" for each in document.throttle_groups)
        raise OperationInvalid(
            f"throttlegroup '{group}' was not found in the {where}",
            domain=From.QEMU,
            hint=f"there are {known}" if known else "there are none",
        )
    users = [disk.target.dev for disk in document.devices.disks if group in [f.group for f in disk.throttle_filters]]
    if users:
        raise OperationInvalid(
            f"throttle group '{group}' is still being used by disk {users[0]}",
            domain=From.QEMU,
            hint="take it out of the <throttlefilters> of " + ", ".join(users),
        )
    return limits.without_group(document, group)
