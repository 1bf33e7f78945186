"""What bounds single disks and interfaces, and how much memory the guest may have."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from roost.constants import domain as D
from roost.constants import domain_events as E
from roost.constants import typed_params as T
from roost.contract import flags as F
from roost.contract.references import DomainIdentity
from roost.contract.tuning import DeviceLimits
from roost.contract.typed_params import TypedParam, checked, string
from roost.drivers.qemu.context import Context, require_monitor
from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.plan.blocks import backend_id, throttle
from roost.drivers.qemu.qmp import QmpCommandError
from roost.drivers.qemu.tuning import bandwidth as shaping
from roost.drivers.qemu.tuning import throttling
from roost.drivers.qemu.tuning.change import Change, change, require_live, save_definition
from roost.drivers.qemu.tuning.start import threads_of
from roost.engine.affect import affected, choose
from roost.engine.edits import bandwidth, perf
from roost.engine.edits import memory as sizes
from roost.engine.edits import throttling as limits
from roost.errors import From, InternalError, InvalidArg, OperationInvalid, RoostError
from roost.model.domain import Domain
from roost.model.domain.devices.disk import Disk, IoTune
from roost.model.domain.devices.interface import InterfaceBandwidth
from roost.model.domain.devices.memory import VirtioMem

_AFFECT = D.AFFECT_LIVE | D.AFFECT_CONFIG
_READ = _AFFECT | T.STRING_OKAY
#: Seconds a guest's QEMU has to answer a question.
_DEADLINE = 5.0


class QemuDeviceLimits(DeviceLimits):
    """contract.DeviceLimits."""

    def __init__(self, context: Context) -> None:
        self._context = context

    # -- disks

    async def block_io_tune(self, domain: DomainIdentity, disk: str | None, flags: int) -> Sequence[TypedParam]:
        F.check(flags, _READ, "qemuDomainGetBlockIoTune", From.QEMU)
        record = self._context.table.get(domain)
        document = choose(record, flags)
        if disk is None:
            return limits.shown(None)
        found = limits.find_disk(document, disk)
        if document is not record.live:
            if found is None:
                raise InvalidArg(
                    f"disk '{disk}' was not found in the domain config", domain=From.QEMU, hint=_targets(document)
                )
            return limits.shown(found.iotune)
        found = _require_disk(document, disk)
        if limits.is_empty(found):
            return limits.shown(found.iotune)
        answer = await require_monitor(record).execute("query-block", deadline=_DEADLINE)
        inserted = next((each.get("inserted") for each in answer if each.get("qdev") == backend_id(found)), None)
        return limits.shown(throttling.from_qemu(inserted) if inserted else found.iotune)

    async def set_block_io_tune(
        self, domain: DomainIdentity, disk: str, params: Sequence[TypedParam], flags: int
    ) -> None:
        F.check(flags, _AFFECT, "qemuDomainSetBlockIoTune", From.QEMU)
        values = checked(params, limits.PARAMETERS)
        record = self._context.table.get(domain)
        async with record.job("tune"):
            live, config = affected(record, flags)
            limits.check(values)
            definition = _with_limits(record.config, disk, values) if config else None
            if live:
                await self._throttle(record, disk, values)
                prefixed = (TypedParam(f"blkdeviotune.{each.field}", each.value) for each in params)
                self._context.publish(record, E.ID_TUNABLE, (string(D.TUNABLE_BLKDEV_DISK, disk), *prefixed))
            if definition is not None:
                await save_definition(self._context, record, definition)

    async def _throttle(self, record: GuestRecord, name: str, values: dict[str, Any]) -> None:
        guest, document = require_live(record)
        disk = _require_disk(document, name)
        tune = throttling.merged(document, disk, values, live=True)
        # A drive without a medium gets its limits with the next one.
        arguments = throttle(replace(disk, iotune=tune or IoTune()))
        if arguments is not None and not limits.is_empty(disk):
            await require_monitor(record).execute("block_set_io_throttle", arguments)
        _still_runs(record, guest)
        record.live = limits.with_iotune(record.document, disk, tune)
        self._context.save_changed(record)

    # -- interfaces

    def interface_parameters(self, domain: DomainIdentity, device: str | None, flags: int) -> Sequence[TypedParam]:
        F.check(flags, _READ, "qemuDomainGetInterfaceParameters", From.QEMU)
        document = choose(self._context.table.get(domain), flags)
        return bandwidth.shown(bandwidth.find_interface(document, device).bandwidth if device is not None else None)

    async def set_interface_parameters(
        self, domain: DomainIdentity, device: str, params: Sequence[TypedParam], flags: int
    ) -> None:
        F.check(flags, _AFFECT, "qemuDomainSetInterfaceParameters", From.QEMU)
        values = checked(params, bandwidth.PARAMETERS)

        def edit(document: Domain) -> Domain:
            interface = bandwidth.find_interface(document, device)
            shaping.check(interface, values)
            return bandwidth.with_bandwidth(document, interface, bandwidth.merged(interface, values))

        def act(guest: Guest, live: Domain) -> None:
            interface = bandwidth.find_interface(live, device)
            name = interface.target.dev if interface.target is not None else None
            if not name:
                raise InternalError("the interface has no device on the host", domain=From.QEMU)
            network = self._context.host.network
            switched = interface.virtualport is not None and interface.virtualport.type == "openvswitch"

            def shape(wanted: InterfaceBandwidth | None) -> None:
                sent, received = shaping.rates(interface, wanted)
                if switched:
                    network.shape_port(name, live.uuid or "", sent=sent, received=received)
                else:
                    network.shape(name, sent=sent, received=received)

            try:
                shape(bandwidth.merged(interface, values))
            except RoostError:
                with contextlib.suppress(RoostError):
                    shape(interface.bandwidth)
                raise

        await change(self._context, domain, flags, Change(edit, act))

    # -- counters

    def perf_events(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        F.check(flags, _READ, "qemuDomainGetPerfEvents", From.QEMU)
        record = self._context.table.get(domain)
        document = choose(record, flags)
        if document is record.live:
            counted = require_live(record)[0].resources.counting.events
        else:
            counted = perf.enabled(document)
        return perf.shown(counted)

    async def set_perf_events(self, domain: DomainIdentity, params: Sequence[TypedParam], flags: int) -> None:
        F.check(flags, _AFFECT, "qemuDomainSetPerfEvents", From.QEMU)
        values = checked(params, perf.PARAMETERS)

        def act(guest: Guest, live: Domain) -> None:
            counting = guest.resources.counting
            for name, enabled in values.items():
                if enabled:
                    counting.start(name, threads_of(self._context.host, guest))
                else:
                    counting.stop(name)

        def edit(document: Domain) -> Domain:
            return perf.with_events(document, values)

        await change(self._context, domain, flags, Change(edit, act))

    # -- memory

    async def set_memory(self, domain: DomainIdentity, memory: int, flags: int) -> None:
        F.check(flags, _AFFECT | D.MEM_MAXIMUM, "qemuDomainSetMemoryFlags", From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("set memory"):
            live, config = affected(record, flags)
            definition: Domain | None = None
            if flags & D.MEM_MAXIMUM:
                if live:
                    raise sizes.refuse_live_maximum()
                definition = sizes.with_maximum(record.config, memory)
            else:
                self._check_balloon(record, memory, live=live, config=config)
                if config:
                    definition = replace(record.config, current_memory=memory)
                if live:
                    await self._inflate(record, memory)
            if definition is not None:
                await save_definition(self._context, record, definition)

    def _check_balloon(self, record: GuestRecord, memory: int, *, live: bool, config: bool) -> None:
        documents = ([record.document] if live else []) + ([record.config] if config else [])
        sizes.check_balloon(memory, min(_most(document) for document in documents))

    async def _inflate(self, record: GuestRecord, memory: int) -> None:
        try:
            await require_monitor(record).execute("balloon", {"value": memory * 1024})
        except QmpCommandError as error:
            if error.kind != "DeviceNotActive":
                raise
            raise OperationInvalid(
                "Unable to change memory of active domain without the balloon device and guest OS balloon driver",
                domain=From.QEMU,
                hint="add <memballoon model='virtio'/>",
            ) from error

    async def set_memory_stats_period(self, domain: DomainIdentity, seconds: int, flags: int) -> None:
        F.check(flags, _AFFECT, "qemuDomainSetMemoryStatsPeriod", From.QEMU)
        record = self._context.table.get(domain)
        async with record.job("set memory statistics period"):
            live, config = affected(record, flags)
            definition = sizes.with_period(record.config, seconds) if config else None
            if live:
                guest, document = require_live(record)
                sizes.with_period(document, seconds)
                balloon = document.devices.memballoon
                arguments = {
                    "path": f"/machine/peripheral/{balloon.alias if balloon is not None else ''}",
                    "property": "guest-stats-polling-interval",
                    "value": seconds,
                }
                try:
                    await require_monitor(record).execute("qom-set", arguments)
                except QmpCommandError as error:
                    text = "unable to set balloon driver collection period"
                    raise OperationInvalid(text, domain=From.QEMU, hint=error.desc) from error
                _still_runs(record, guest)
                record.live = sizes.with_period(record.document, seconds)
                self._context.save_changed(record)
            if definition is not None:
                await save_definition(self._context, record, definition)


def _still_runs(record: GuestRecord, guest: Guest) -> None:
    if record.runtime is not guest:
        raise OperationInvalid("domain is not running", domain=From.QEMU)


def _targets(document: Domain) -> str:
    return f"there are {', '.join(disk.target.dev for disk in document.devices.disks)}"


def _require_disk(document: Domain, name: str) -> Disk:
    disk = limits.find_disk(document, name)
    if disk is None:
        raise InvalidArg(f"disk '{name}' not found in domain", domain=From.QEMU, hint=_targets(document))
    return disk


def _with_limits(document: Domain, name: str, values: dict[str, Any]) -> Domain:
    disk = limits.find_disk(document, name)
    if disk is None:
        text = f"missing persistent configuration for disk '{name}'"
        raise InvalidArg(text, domain=From.QEMU, hint=_targets(document))
    return limits.with_iotune(document, disk, throttling.merged(document, disk, values, live=False))


def _most(document: Domain) -> int:
    """KiB that the balloon can leave the guest: memory that virtio-mem brings is not its to give."""
    return document.memory - sum(each.size for each in document.devices.memories if isinstance(each, VirtioMem))


__all__ = ["QemuDeviceLimits"]
