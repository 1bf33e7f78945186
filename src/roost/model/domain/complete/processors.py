"""How many processors are there from the start, and which I/O threads."""

from __future__ import annotations

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From
from roost.model.domain.complete.tuning import processors_follow_memory
from roost.model.domain.cpuset import format_cpus
from roost.model.domain.draft import Draft
from roost.model.domain.processors import IoThread, Vcpu, VcpuState

_ONE_VCPU = Vcpu(placement="static", count=1)
#: A list of this many host processors says nothing: it names all that any host has.
_ALL_CPUS = format_cpus(set(range(16384)))


def complete_vcpus(draft: Draft) -> None:
    """Placement static unless numad is asked; `current` only when it differs from the maximum."""
    vcpu = draft.domain.vcpu or _ONE_VCPU
    states = draft.domain.vcpus
    placement = "auto" if processors_follow_memory(draft.domain) else vcpu.placement or "static"
    current = vcpu.current
    if states:
        completed = _individual(states, vcpu.count)
        draft.changes["vcpus"] = completed
        current = sum(state.enabled for state in completed)
    elif current is not None and current > vcpu.count:
        raise ConfigUnsupported(
            "maximum vCPU count must not be less than current vCPU count",
            domain=From.DOMAIN,
            hint=f"<vcpu current='{current}'> may be {vcpu.count} at most",
        )
    elif current == 0:
        raise ConfigUnsupported("vcpu 0 can't be offline", domain=From.QEMU, hint="<vcpu current='1'> is the least")
    if current == vcpu.count:
        current = None
    cpuset = None if vcpu.placement == "auto" or vcpu.cpuset == _ALL_CPUS else vcpu.cpuset
    draft.changes["vcpu"] = Vcpu(placement=placement, cpuset=cpuset, current=current, count=vcpu.count)


def _individual(states: tuple[VcpuState, ...], count: int) -> tuple[VcpuState, ...]:
    """All processors in order; those that the document leaves out come later."""
    given = {state.id: state for state in states}
    every = [given.get(number) or VcpuState(id=number, enabled=False) for number in range(count)]
    _check_order(every)
    for state in every:
        if state.hotpluggable is False and not state.enabled:
            raise ConfigUnsupported(
                f"vcpu '{state.id}' is both offline and not hotpluggable",
                domain=From.DOMAIN,
                hint="hotpluggable='yes', or enabled='yes'",
            )
    return tuple(
        replace(state, hotpluggable=not state.enabled) if state.hotpluggable is None else state for state in every
    )


def _check_order(every: list[VcpuState]) -> None:
    """The first processor is always there; those that stay come before those that can be plugged. As written."""
    first, *others = every
    if not first.enabled:
        raise _refuse("vcpu 0 can't be offline")
    if first.hotpluggable:
        raise _refuse("vcpu0 can't be hotpluggable")
    if (first.order or 1) != 1:
        raise _refuse("vcpu0 must be enabled first")
    ordered, before = first.order is not None, first
    for state in others:
        if state.enabled and (state.order is not None) != ordered:
            raise _refuse("all vcpus must have either set or unset order")
        if state.hotpluggable is False:
            if before.hotpluggable:
                raise _refuse("online non-hotpluggable vcpus need to be ordered prior to hotplugable vcpus")
            if (before.order or 0) > (state.order or 0):
                raise _refuse("online non-hotpluggable vcpus must be ordered in ascending order")
        before = state


def _refuse(text: str) -> ConfigUnsupported:
    return ConfigUnsupported(text, domain=From.QEMU, hint="the first <vcpu> is enabled and stays, others follow it")


def complete_iothreads(draft: Draft) -> None:
    """A count without names, or names for all of the count."""
    domain = draft.domain
    named = domain.iothread_ids
    count = max(domain.iothreads or 0, len(named))
    draft.changes["iothreads"] = count or None
    if named:
        taken = {thread.id for thread in named}
        free = (number for number in range(1, count + 1) if number not in taken)
        missing = tuple(IoThread(id=number) for _, number in zip(range(count - len(named)), free, strict=False))
        draft.changes["iothread_ids"] = (*named, *missing)


__all__ = ["complete_iothreads", "complete_vcpus"]
