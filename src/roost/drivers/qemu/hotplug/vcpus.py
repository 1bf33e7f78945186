"""contract.Vcpus: processors and I/O threads of a running guest and of its definition."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.contract import flags as F
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam
from roost.contract.vcpus import Vcpus
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.events import Data
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.hotplug import iothreads
from roost.drivers.qemu.hotplug import processors as P
from roost.drivers.qemu.hotplug.unplug import Unplugger
from roost.drivers.qemu.interruptions import IOTHREAD, VCPU, settled
from roost.drivers.qemu.qmp import QmpClient
from roost.drivers.qemu.tuning.change import require_live, save_definition
from roost.drivers.qemu.tuning.plan import present_vcpus
from roost.drivers.qemu.tuning.start import iothread_numbers, tune_iothread, tune_vcpu
from roost.engine.affect import affected
from roost.engine.edits import iothreads as threads
from roost.engine.edits import processors
from roost.errors import From, InvalidArg, OperationTimeout, OperationUnsupported
from roost.model.domain import Domain
from roost.model.domain.cpuset import parse_cpus

_IMPACT = D.AFFECT_LIVE | D.AFFECT_CONFIG
_CONFIG = (D.AFFECT_CONFIG, "VIR_DOMAIN_AFFECT_CONFIG")
_MAXIMUM = (D.VCPU_MAXIMUM, "VIR_DOMAIN_VCPU_MAXIMUM")


class QemuVcpus(Vcpus):
    """What changes the guest comes first; the definition is written when that has succeeded."""

    def __init__(self, context: Context, unplugger: Unplugger) -> None:
        self._context = context
        self._unplugger = unplugger
        unplugger.when_gone("vcpu", self._left_late)

    # -- processors ------------------------------------------------------------------------

    async def set_count(self, domain: DomainIdentity, count: int, flags: int) -> None:
        F.check(flags, _IMPACT | D.VCPU_MAXIMUM | D.VCPU_HOTPLUGGABLE, "qemuDomainSetVcpusFlags", From.QEMU)
        if not count:
            raise InvalidArg("nvcpus in qemuDomainSetVcpusFlags must not be zero", domain=From.QEMU, verbatim=True)
        F.require(flags, _MAXIMUM, _CONFIG)
        record = self._context.table.get(domain)
        async with record.job("set vcpus"):
            live, config = affected(record, flags)
            if flags & D.VCPU_MAXIMUM:
                await self._set_maximum(record, count, live=live)
                return
            if live:
                _check_count(require_live(record)[1], count, "live")
            changed = None
            if config:
                _check_count(record.config, count, "persistent")
                changed = processors.with_count(record.config, count, hotpluggable=bool(flags & D.VCPU_HOTPLUGGABLE))
            if live:
                chosen, enable = P.choose(await self._entities(record), require_live(record)[1], count)
                for entity in chosen:
                    await self._switch(record, entity, enable=enable)
                settled(self._context, record, VCPU)
            if changed is not None:
                await save_definition(self._context, record, changed)

    async def _set_maximum(self, record: GuestRecord, count: int, *, live: bool) -> None:
        if live:
            raise OperationUnsupported(
                "maximum vcpu count of a live domain can't be modified",
                domain=From.QEMU,
                hint="--config changes it for the next start",
            )
        await save_definition(self._context, record, processors.with_maximum(record.config, count))

    async def set_one(self, domain: DomainIdentity, vcpus: str, state: int, flags: int) -> None:
        F.check(flags, _IMPACT, "qemuDomainSetVcpu", From.QEMU)
        if state not in (0, 1):
            raise InvalidArg("unsupported state value in qemuDomainSetVcpu", domain=From.QEMU, verbatim=True)
        numbers, enable = parse_cpus(vcpus), bool(state)
        if not numbers:
            raise InvalidArg("no vcpus selected for modification", domain=From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("set vcpu"):
            live, config = affected(record, flags)
            if config:
                _check_number(record.config, numbers, "persistent")
            if live:
                _check_number(require_live(record)[1], numbers, "live")
            changed = P.with_switched(record.config, numbers, enable=enable) if config else None
            if live:
                found = await self._entities(record)
                entity = P.choose_one(found, require_live(record)[1], numbers, enable=enable)
                await self._switch(record, entity, enable=enable)
                settled(self._context, record, VCPU)
            if changed is not None:
                await save_definition(self._context, record, changed)

    async def _entities(self, record: GuestRecord) -> tuple[P.Entity, ...]:
        return P.entities(await require_monitor(record).execute("query-hotpluggable-cpus"))

    async def _switch(self, record: GuestRecord, entity: P.Entity, *, enable: bool) -> None:
        """Plug one in or take one out, and have the documents and its threads follow."""
        guest, monitor = require_guest(record), require_monitor(record)
        if enable:
            arguments = {"driver": entity.driver, "id": f"vcpu{entity.first}", **entity.properties}
            await monitor.execute("device_add", arguments)
            await self._follow(record, guest, monitor, lambda live: P.plugged(live, entity.numbers))
            live = require_live(record)[1]
            threads = dict(zip(present_vcpus(live), guest.threads.vcpus, strict=False))
            for number in entity.numbers:
                await asyncio.to_thread(tune_vcpu, self._context.host, guest, live, number, threads[number])
            return
        try:
            await self._unplugger.leaves(record, entity.alias or "")
        except OperationTimeout as error:
            raise OperationTimeout(
                "vcpu unplug request timed out. Unplug result must be manually inspected in the domain",
                domain=From.QEMU,
                hint="the guest must take the processor offline itself: its kernel has to support that, and be booted",
            ) from error
        await self._left(record, guest, entity.numbers)

    async def _left(self, record: GuestRecord, guest: Guest, numbers: Sequence[int]) -> None:
        await self._follow(record, guest, require_monitor(record), lambda live: P.unplugged(live, numbers))
        for number in numbers:
            if guest.group:
                self._context.host.groups.remove_threads(guest.group, f"vcpu{number}")
            self._context.publish(record, E.ID_VCPU_REMOVED, number)

    async def _follow(
        self, record: GuestRecord, guest: Guest, monitor: QmpClient, edit: Callable[[Domain], Domain]
    ) -> None:
        answer = await monitor.execute("query-cpus-fast")
        guest.threads.vcpus = tuple(
            each["thread-id"] for each in sorted(answer, key=lambda each: int(each["cpu-index"]))
        )
        record.live = edit(require_live(record)[1])
        self._context.save_changed(record)

    async def _left_late(self, record: GuestRecord, guest: Guest, data: Data) -> None:
        """A processor that the guest has let go of when nobody waited for it any more."""
        first = int(str(data["device"]).removeprefix("vcpu"))
        present = {number for entity in await self._entities(record) if entity.present for number in entity.numbers}
        listed = processors.states(require_live(record)[1])
        gone = [state.id for state in listed if state.id >= first and state.enabled and state.id not in present]
        await self._left(record, guest, gone)

    # -- I/O threads -----------------------------------------------------------------------

    async def add_iothread(self, domain: DomainIdentity, id: int, flags: int) -> None:
        F.check(flags, _IMPACT, "qemuDomainAddIOThread", From.QEMU)
        await self._change(domain, flags, id, lambda document: threads.added(document, id), self._make_iothread)

    async def delete_iothread(self, domain: DomainIdentity, id: int, flags: int) -> None:
        F.check(flags, _IMPACT, "qemuDomainDelIOThread", From.QEMU)
        await self._change(domain, flags, id, lambda document: threads.removed(document, id), self._end_iothread)

    async def set_iothread(self, domain: DomainIdentity, id: int, params: Sequence[TypedParam], flags: int) -> None:
        F.check(flags, _IMPACT, "qemuDomainSetIOThreadParams", From.QEMU)
        values = iothreads.values(params)

        async def act(record: GuestRecord, id: int) -> None:
            iothreads.check_live(values)
            monitor, path = require_monitor(record), f"/objects/iothread{id}"
            current = await monitor.execute("qom-get", {"path": path, "property": "thread-pool-max"})
            for name, value in iothreads.properties(values, int(current)):
                await monitor.execute("qom-set", {"path": path, "property": name, "value": value})

        def edit(document: Domain) -> Domain:
            return iothreads.changed(document, id, values)

        def edit_config(document: Domain) -> Domain:
            changed = edit(document)
            iothreads.check_config(values)
            return changed

        await self._change(domain, flags, id, edit, act, edit_config)

    async def _change(
        self,
        domain: DomainIdentity,
        flags: int,
        id: int,
        edit: Callable[[Domain], Domain],
        act: Callable[[GuestRecord, int], Awaitable[None]],
        edit_config: Callable[[Domain], Domain] | None = None,
    ) -> None:
        """edit: a document, refusing what it does not allow. act: the running guest."""
        if not id:
            raise InvalidArg("invalid value of 0 for iothread_id", domain=From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("change iothreads"):
            live, config = affected(record, flags)
            changed = (edit_config or edit)(record.config) if config else None
            if live:
                edit(require_live(record)[1])
                await act(record, id)
                record.live = edit(require_live(record)[1])
                self._context.save_changed(record)
                settled(self._context, record, IOTHREAD)
            if changed is not None:
                await save_definition(self._context, record, changed)

    async def _make_iothread(self, record: GuestRecord, id: int) -> None:
        guest, monitor = require_guest(record), require_monitor(record)
        await monitor.execute("object-add", {"qom-type": "iothread", "id": f"iothread{id}"})
        guest.threads.iothreads = iothread_numbers(await monitor.execute("query-iothreads"))
        live = require_live(record)[1]
        await asyncio.to_thread(tune_iothread, self._context.host, guest, live, id, guest.threads.iothreads[id])

    async def _end_iothread(self, record: GuestRecord, id: int) -> None:
        guest, monitor = require_guest(record), require_monitor(record)
        await monitor.execute("object-del", {"id": f"iothread{id}"})
        guest.threads.iothreads.pop(id, None)
        if guest.group:
            self._context.host.groups.remove_threads(guest.group, f"iothread{id}")


def _check_count(document: Domain, count: int, which: str) -> None:
    most = processors.maximum(document)
    if count > most:
        raise InvalidArg(
            f"requested vcpus is greater than max allowable vcpus for the {which} domain: {count} > {most}",
            domain=From.QEMU,
        )


def _check_number(document: Domain, numbers: set[int], which: str) -> None:
    if max(numbers) >= processors.maximum(document):
        raise InvalidArg(f"vcpu {max(numbers)} is not present in {which} config", domain=From.QEMU)


__all__ = ["QemuVcpus"]
