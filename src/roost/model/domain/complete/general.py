"""Defaults of what is not a device: memory, processors, lifecycle, clock."""

from __future__ import annotations

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, XmlError
from roost.model.domain.clock import Clock
from roost.model.domain.draft import Draft
from roost.model.domain.features import Features, Gic
from roost.model.domain.general import MemoryBacking, Vcpu

_UTC_CLOCK = Clock(offset="utc")
_ONE_VCPU = Vcpu(placement="static", count=1)


def complete_vcpus(draft: Draft) -> None:
    """Placement static unless numad is asked; `current` only when it differs from the maximum."""
    vcpu = draft.domain.vcpu
    if vcpu is None:
        draft.changes["vcpu"] = _ONE_VCPU
        return
    current = vcpu.current
    if current is not None and current > vcpu.count:
        raise ConfigUnsupported(
            "maximum vCPU count must not be less than current vCPU count",
            domain=From.DOMAIN,
            hint=f"<vcpu current='{current}'> may be {vcpu.count} at most",
        )
    if current == 0:
        raise ConfigUnsupported("vcpu 0 can't be offline", domain=From.QEMU, hint="<vcpu current='1'> is the least")
    placement = vcpu.placement or "static"
    if current == vcpu.count:
        current = None
    cpuset = None if placement == "auto" else vcpu.cpuset
    draft.changes["vcpu"] = Vcpu(placement=placement, cpuset=cpuset, current=current, count=vcpu.count)


def complete_memory(draft: Draft) -> None:
    """The guest starts with all of its memory unless told otherwise. Raises XmlError for none at all."""
    domain = draft.domain
    cells = domain.cpu.numa if domain.cpu is not None else ()
    # The cells know better than <memory> does.
    total = sum(cell.memory for cell in cells) or domain.memory
    if total == 0:
        raise XmlError(
            "Memory size must be specified via <memory> or in the <numa> configuration",
            domain=From.DOMAIN,
            hint="for instance <memory unit='MiB'>512</memory>",
        )
    current = domain.current_memory
    if not current or current > total:
        current = total
    draft.changes["memory"] = total
    draft.changes["current_memory"] = current
    ceiling = domain.max_memory
    if ceiling is None:
        return
    if bool(ceiling.size) != bool(ceiling.slots):
        raise XmlError("both maximum memory size and memory slot count must be specified", domain=From.DOMAIN)
    if ceiling.size < total:
        raise XmlError(
            "maximum memory size must be equal or greater than the actual memory size",
            domain=From.DOMAIN,
            hint=f"<maxMemory> is {ceiling.size} KiB, <memory> {total} KiB",
        )


def complete_lifecycle(draft: Draft) -> None:
    domain, changes = draft.domain, draft.changes
    changes["on_poweroff"] = domain.on_poweroff or "destroy"
    changes["on_reboot"] = domain.on_reboot or "restart"
    changes["on_crash"] = domain.on_crash or "destroy"


def complete_clock(draft: Draft) -> None:
    """UTC unless told otherwise; the kind of clock that an adjustment makes of it."""
    clock = draft.domain.clock
    if clock is None:
        draft.changes["clock"] = _UTC_CLOCK
        return
    adjustment, offset = clock.adjustment, clock.offset
    if offset in ("utc", "localtime") and adjustment not in (None, "reset"):
        # A number of seconds makes the clock a variable one with that base.
        basis = offset
        draft.changes["clock"] = replace(clock, offset="variable", adjustment=adjustment, basis=basis)
    elif offset == "variable":
        draft.changes["clock"] = replace(clock, adjustment=adjustment or "0", basis=clock.basis or "utc")


def complete_features(draft: Draft) -> None:
    """A board with an interrupt controller of ARM's has version 2 unless told otherwise."""
    features = draft.domain.features
    if features == Features():
        draft.changes["features"] = features = None
    if draft.board.gic and (features is None or features.gic is None or features.gic.version is None):
        draft.changes["features"] = replace(features or Features(), gic=Gic(version="2"))


def complete_sections(draft: Draft) -> None:
    """Smaller sections whose emptiness means nothing, and identifiers made on demand."""
    domain, changes = draft.domain, draft.changes
    if domain.iothreads is None and domain.iothread_ids:
        changes["iothreads"] = len(domain.iothread_ids)
    if domain.memory_backing == MemoryBacking():
        changes["memory_backing"] = None
    if any(label.type == "none" and label.model is None for label in domain.seclabels):
        changes["seclabels"] = tuple(
            replace(label, model="none") if label.type == "none" and label.model is None else label
            for label in domain.seclabels
        )


__all__ = [
    "complete_clock", "complete_lifecycle", "complete_memory", "complete_sections", "complete_vcpus",
]  # fmt: skip
