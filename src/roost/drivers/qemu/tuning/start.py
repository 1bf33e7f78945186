"""The control group of a guest and the places of its threads, at its start and for what is plugged in later."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from msgspec.structs import replace

from roost.drivers.qemu.guest import Guest
from roost.drivers.qemu.tuning import access, resctrl
from roost.drivers.qemu.tuning.advice import advised
from roost.drivers.qemu.tuning.plan import (
    ThreadPlan,
    emulator_plan,
    group_of,
    group_settings,
    iothread_plan,
    missing_controller,
    partition_of,
    present_vcpus,
    vcpu_plan,
)
from roost.errors import ConfigUnsupported, From, RoostError, SystemCallError
from roost.host.api import Controller, DeviceSetting, Host
from roost.model.domain import Domain
from roost.model.domain.tuning import Resource

log = logging.getLogger(__name__)

#: How many guests of one name and number several daemons may run before something is wrong.
_ATTEMPTS = 100

_HINT = "mount its controller below /sys/fs/cgroup, with root's rights, or drop the element"


def host_cpus(host: Host) -> frozenset[int]:
    """Those that are online."""
    bitmap, _, _ = host.node.cpu_map()
    return frozenset(8 * place + bit for place, byte in enumerate(bitmap) for bit in range(8) if byte >> bit & 1)


def reserve_group(host: Host, guest: Guest, live: Domain, id: int) -> Domain:
    """Decide on the guest's control group, if this host has them, and check that it can bound what it is to bound.

    Likewise on its groups of resctrl. The live document, which names the partition and those groups.
    Raises ConfigUnsupported naming what is not to be had.
    """
    live = resctrl.reserve(host, guest, live, id)
    present: frozenset[Controller] = frozenset(each for each in get_args(Controller) if host.groups.has(each))
    missing = missing_controller(live, present)
    if missing is not None:
        raise ConfigUnsupported(missing, domain=From.QEMU, hint=_HINT)
    if not present:
        return live
    _choose(host, guest, group_of(live, id))
    return replace(live, resource=replace(live.resource or Resource(), partition=partition_of(live)))


def _choose(host: Host, guest: Guest, wanted: str) -> None:
    """A path nobody has: another daemon may run a guest of the same name and number."""
    paths = (wanted, *(f"{wanted}-{number}" for number in range(2, _ATTEMPTS)))
    guest.resources.hold_group(next(path for path in paths if not host.groups.exists(path)))


def make_group(host: Host, guest: Guest, live: Domain, id: int) -> None:
    """Make the groups and bound them. Raises what the kernel or a value's range refuses."""
    resctrl.make(host, guest, live)
    _make_control_group(host, guest, live, id)


def _make_control_group(host: Host, guest: Guest, live: Domain, id: int) -> None:
    """A guest that is not to be bounded does without a group that cannot be made."""
    groups = host.groups
    while guest.group:
        try:
            groups.make(guest.group)
            break
        except SystemCallError as error:
            if error.int1 == errno.EEXIST:
                _choose(host, guest, group_of(live, id))
                continue
            guest.resources.hold_group("")
            access.forget(guest)
            if missing_controller(live, frozenset()) is not None:
                raise
            log.warning("%s runs without a control group: %s", live.name, error)
            return
    for setting, value in group_settings(live):
        groups.set(guest.group, setting, value)
    for device in live.blkiotune.devices if live.blkiotune is not None else ():
        for name in get_args(DeviceSetting):
            limit = getattr(device, name)
            if limit:
                groups.set_device(guest.group, name, device.path, limit)
    access.limit(host, guest, live.name)


def place_process(host: Host, guest: Guest, live: Domain) -> None:
    """Put a process that has just been started where its threads belong that are neither processor nor I/O thread.

    One that has ended already is left alone: its monitor will tell why.
    """
    process = guest.process
    if process is None:
        return
    plan = emulator_plan(advised(host, guest, live))
    if guest.group:
        _bound(host, guest.group, plan)
    try:
        if guest.group:
            host.groups.add_process(guest.group, process.pid, plan.group)
        for thread in host.threads.of(process.pid):
            _set_affinity(host, thread, plan.cpus)
    except SystemCallError as error:
        if error.int1 != errno.ESRCH:
            raise


async def place_helpers(host: Host, guest: Guest, live: Domain) -> None:
    """Bound the processes beside QEMU as its emulator's threads are. Raises SystemCallError."""
    numbers = guest.resources.helper_numbers() if guest.group else ()
    if numbers:
        await asyncio.to_thread(_place_helpers, host, guest.group, numbers, emulator_plan(advised(host, guest, live)))


def _place_helpers(host: Host, group: str, numbers: Sequence[int], plan: ThreadPlan) -> None:
    _bound(host, group, plan)
    for number in numbers:
        host.groups.add_helper(group, number, plan.group)


def tune_threads(host: Host, guest: Guest, live: Domain) -> None:
    """Put all processors and I/O threads of a guest in their places."""
    for number, thread in zip(present_vcpus(live), guest.threads.vcpus, strict=False):
        tune_vcpu(host, guest, live, number, thread)
    for id, thread in guest.threads.iothreads.items():
        tune_iothread(host, guest, live, id, thread)


def tune_vcpu(host: Host, guest: Guest, live: Domain, number: int, thread: int) -> None:
    """Put the thread of a processor in its place. Raises what the kernel refuses."""
    _place(host, guest.group, thread, vcpu_plan(advised(host, guest, live), number))
    resctrl.place_vcpu(host, guest, live, number, thread)


def tune_iothread(host: Host, guest: Guest, live: Domain, id: int, thread: int) -> None:
    """Put an I/O thread in its place. Raises what the kernel refuses."""
    _place(host, guest.group, thread, iothread_plan(advised(host, guest, live), id))


def _bound(host: Host, group: str, plan: ThreadPlan) -> None:
    groups = host.groups
    groups.make_threads(group, plan.group)
    if groups.has("cpuset"):
        if plan.cpus is not None:
            groups.set(group, "cpuset.cpus", ",".join(map(str, sorted(plan.cpus))), plan.group)
        if plan.mems:
            groups.set(group, "cpuset.mems", plan.mems, plan.group)
    if plan.period:
        groups.set(group, "cpu.period", plan.period, plan.group)
    if plan.quota:
        groups.set(group, "cpu.quota", plan.quota, plan.group)


def _place(host: Host, group: str, thread: int, plan: ThreadPlan) -> None:
    if group:
        _bound(host, group, plan)
        host.groups.add_thread(group, thread, plan.group)
    _set_affinity(host, thread, plan.cpus)
    if plan.scheduler is not None:
        host.threads.set_scheduler(thread, *plan.scheduler)


def _set_affinity(host: Host, thread: int, cpus: frozenset[int] | None) -> None:
    """cpus: None for all, which a daemon that is bounded itself may not be able to give."""
    if cpus is not None:
        host.threads.set_affinity(thread, cpus)
        return
    try:
        host.threads.set_affinity(thread, host_cpus(host))
    except RoostError:
        return


def start_counting(host: Host, guest: Guest, live: Domain) -> None:
    """Keep the counters that the document switches on. Raises what the kernel refuses."""
    threads = threads_of(host, guest)
    for event in live.perf.events if live.perf is not None else ():
        if event.enabled:
            guest.resources.counting.start(event.name, threads)


def threads_of(host: Host, guest: Guest) -> Sequence[int]:
    """All threads of a guest's process."""
    return host.threads.of(guest.process.pid) if guest.process is not None else ()


def iothread_numbers(answer: object) -> dict[int, int]:
    """The threads of I/O threads by id, in QEMU's order, from its answer to query-iothreads."""
    entries: Sequence[Mapping[str, Any]] = answer if isinstance(answer, list) else ()
    found = ((str(entry["id"]).removeprefix("iothread"), int(entry["thread-id"])) for entry in entries)
    return {int(id): thread for id, thread in found if id.isdecimal()}


__all__ = [
    "host_cpus", "iothread_numbers", "make_group", "place_helpers", "place_process", "reserve_group", "start_counting",
    "threads_of", "tune_iothread", "tune_threads", "tune_vcpu",
]  # fmt: skip
