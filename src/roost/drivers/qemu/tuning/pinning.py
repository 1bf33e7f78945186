"""Which CPUs of the host a guest's threads may run on."""

from __future__ import annotations

from collections.abc import Sequence

from roost.constants import domain as D
from roost.contract import flags as F
from roost.contract.references import DomainIdentity
from roost.contract.tuning import Pinning, VcpuPlace
from roost.contract.typed_params import string
from roost.drivers.qemu.context import Context
from roost.drivers.qemu.guest import Guest
from roost.drivers.qemu.tuning.change import Change, change, require_live
from roost.drivers.qemu.tuning.plan import (
    ThreadPlan,
    emulator_plan,
    iothread_ids,
    iothread_plan,
    present_vcpus,
    vcpu_plan,
)
from roost.drivers.qemu.tuning.start import host_cpus
from roost.engine.affect import choose
from roost.engine.edits.cputune import (
    known_threads,
    require_cpus,
    with_emulator_pin,
    with_iothread_pin,
    with_vcpu_pin,
)
from roost.errors import From, InvalidArg, OperationInvalid
from roost.model.domain import Domain

_AFFECT = D.AFFECT_LIVE | D.AFFECT_CONFIG
_RUNNING = 1


class QemuPinning(Pinning):
    """contract.Pinning."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._host = context.host

    def _affinity(self, plan: ThreadPlan) -> frozenset[int]:
        return host_cpus(self._host) if plan.cpus is None else plan.cpus

    def _pin(self, guest: Guest, thread: int | None, group: str, text: str, cpus: frozenset[int]) -> None:
        """thread: None when there is none at present."""
        if thread is None:
            return
        groups = self._host.groups
        if guest.group and groups.has("cpuset"):
            groups.set(guest.group, "cpuset.cpus", text, group)
        self._host.threads.set_affinity(thread, cpus)

    # -- processors

    async def pin_vcpu(self, domain: DomainIdentity, vcpu: int, cpus: frozenset[int], flags: int) -> None:
        F.check(flags, _AFFECT, "qemuDomainPinVcpuFlags", From.QEMU)
        text = require_cpus(cpus)

        def edit(document: Domain) -> Domain:
            return with_vcpu_pin(document, vcpu, text)

        def in_definition(document: Domain) -> Domain:
            _check_vcpu(document, vcpu, "persistent")
            return edit(document)

        def act(guest: Guest, live: Domain) -> None:
            _check_vcpu(live, vcpu, "live")
            threads = dict(zip(present_vcpus(live), guest.threads.vcpus, strict=False))
            self._pin(guest, threads.get(vcpu), f"vcpu{vcpu}", text, cpus)

        event = (string(D.TUNABLE_CPU_VCPUPIN.replace("%u", str(vcpu)), text),)
        await change(self._context, domain, flags, Change(edit, act, event, in_definition))

    def vcpu_pins(self, domain: DomainIdentity, flags: int) -> Sequence[frozenset[int]]:
        F.check(flags, _AFFECT, "qemuDomainGetVcpuPinInfo", From.QEMU)
        document = choose(self._context.table.get(domain), flags)
        count = document.vcpu.count if document.vcpu is not None else 1
        return [self._affinity(vcpu_plan(document, number)) for number in range(count)]

    def vcpu_places(self, domain: DomainIdentity) -> Sequence[VcpuPlace]:
        record = self._context.table.get(domain)
        if not record.is_active:
            raise OperationInvalid("cannot retrieve vcpu information for inactive domain", domain=From.QEMU)
        guest, live = require_live(record)
        process, threads = guest.process, self._host.threads
        used = process.threads(guest.threads.vcpus) if process is not None else ()
        times = {each.thread: each.used for each in used}
        return [
            VcpuPlace(number, _RUNNING, times.get(thread, 0), threads.last_cpu(thread), threads.affinity(thread))
            for number, thread in zip(present_vcpus(live), guest.threads.vcpus, strict=False)
        ]

    # -- the other threads

    async def pin_emulator(self, domain: DomainIdentity, cpus: frozenset[int], flags: int) -> None:
        F.check(flags, _AFFECT, "qemuDomainPinEmulator", From.QEMU)
        text = require_cpus(cpus)

        def act(guest: Guest, live: Domain) -> None:
            process = guest.process
            self._pin(guest, process.pid if process is not None else None, "emulator", text, cpus)

        def edit(document: Domain) -> Domain:
            return with_emulator_pin(document, text)

        await change(self._context, domain, flags, Change(edit, act, (string(D.TUNABLE_CPU_EMULATORPIN, text),)))

    def emulator_pin(self, domain: DomainIdentity, flags: int) -> frozenset[int]:
        F.check(flags, _AFFECT, "qemuDomainGetEmulatorPinInfo", From.QEMU)
        return self._affinity(emulator_plan(choose(self._context.table.get(domain), flags)))

    async def pin_iothread(self, domain: DomainIdentity, id: int, cpus: frozenset[int], flags: int) -> None:
        F.check(flags, _AFFECT, "qemuDomainPinIOThread", From.QEMU)
        text = require_cpus(cpus, "Empty iothread cpumap list for pinning")

        def edit(document: Domain) -> Domain:
            return with_iothread_pin(document, id, text)

        def in_guest(document: Domain) -> Domain:
            numbers = iothread_ids(document)
            if id not in numbers:
                raise InvalidArg(f"iothread {id} not found", domain=From.QEMU, hint=known_threads(numbers))
            return edit(document)

        def act(guest: Guest, live: Domain) -> None:
            self._pin(guest, guest.threads.iothreads.get(id), f"iothread{id}", text, cpus)

        event = (string(D.TUNABLE_CPU_IOTHREADSPIN.replace("%u", str(id)), text),)
        await change(self._context, domain, flags, Change(in_guest, act, event, edit))

    def iothread_pins(self, domain: DomainIdentity, flags: int) -> Sequence[tuple[int, frozenset[int]]]:
        F.check(flags, _AFFECT, "qemuDomainGetIOThreadInfo", From.QEMU)
        record = self._context.table.get(domain)
        document = choose(record, flags)
        if document is record.live:
            guest, _ = require_live(record)
            return [(id, self._host.threads.affinity(thread)) for id, thread in guest.threads.iothreads.items()]
        return [(id, self._affinity(iothread_plan(document, id))) for id in iothread_ids(document)]


def _check_vcpu(document: Domain, vcpu: int, which: str) -> None:
    count = document.vcpu.count if document.vcpu is not None else 1
    if vcpu >= count:
        shown = len(present_vcpus(document)) if which == "persistent" else count
        raise InvalidArg(
            f"vcpu {vcpu} is out of range of {which} cpu count {shown}",
            domain=From.QEMU,
            hint=f"they go from 0 to {count - 1}",
        )


__all__ = ["QemuPinning"]
