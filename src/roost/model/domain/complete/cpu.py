"""The processor a guest gets when the document leaves it open, and how strictly it is compared with the host's."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from roost.model.domain.boards import is_x86
from roost.model.domain.complete.numa import complete_cells
from roost.model.domain.cpu import Cpu, CpuFeature, CpuModel
from roost.model.domain.draft import Draft

#: <cpu check> by mode; custom models are compared under KVM only.
_CHECK: dict[str, Literal["none", "partial"]] = {"host-passthrough": "none", "maximum": "none", "host-model": "partial"}
#: Modes that take a processor as it is: no model is named.
_WHOLE = frozenset(("host-passthrough", "maximum"))


def complete_cpu(draft: Draft, default_model: str) -> None:
    """default_model: the machine's own; "" when it has none that is known."""
    cpu = draft.domain.cpu
    if cpu is None or (cpu.mode in (None, "custom") and cpu.model is None):
        if default_model:
            cpu = _default(cpu, default_model)
        elif cpu is not None:
            # What says which processor says nothing without one.
            cpu = replace(cpu, mode=None, match=None, check=None)
    else:
        cpu = _given(cpu, draft)
    if cpu is None:
        return
    if cpu.numa is not None:
        vcpu = draft.domain.vcpu
        cells = complete_cells(cpu.numa.cells, vcpu.count if vcpu is not None else 1)
        cpu = replace(cpu, numa=replace(cpu.numa, cells=cells))
    if cpu.topology is not None and cpu.topology.dies is None:
        cpu = replace(cpu, topology=replace(cpu.topology, dies=1))
    if cpu.features:
        cpu = replace(cpu, features=_features(cpu.features))
    draft.changes["cpu"] = cpu


def _default(cpu: Cpu | None, model: str) -> Cpu:
    base = cpu or Cpu()
    if model == "host":
        return replace(base, mode="host-passthrough", match=None, check="none", migratable=True)
    # The machine's model may need what the host lacks; QEMU drops it, so nothing is checked.
    return replace(base, mode="custom", match="exact", check="none", model=CpuModel(fallback="forbid", name=model))


def _given(cpu: Cpu, draft: Draft) -> Cpu:
    mode = cpu.mode or "custom"
    check = cpu.check or _CHECK.get(mode) or ("none" if draft.domain.type == "qemu" else "partial")
    model = cpu.model
    if model is not None and model.fallback is None:
        model = replace(model, fallback="allow")
    match = (cpu.match or "exact") if mode == "custom" else None
    migratable = cpu.migratable
    if mode == "host-passthrough" and migratable is None and is_x86(draft.arch):
        # Only QEMU's x86 processors can leave out what cannot be migrated.
        migratable = True
    if mode in _WHOLE:
        return replace(cpu, mode=mode, match=None, check=check, model=None, vendor=None, migratable=migratable)
    return replace(cpu, mode=mode, match=match, check=check, model=model, migratable=migratable)


def _features(features: tuple[CpuFeature, ...]) -> tuple[CpuFeature, ...]:
    """Required unless told otherwise; lengths of ARM's vectors require the vectors."""
    completed = [feature if feature.policy else replace(feature, policy="require") for feature in features]
    if any(feature.name.startswith("sve") and feature.name != "sve" for feature in completed):
        completed = [replace(each, policy="require") if each.name == "sve" else each for each in completed]
        if all(feature.name != "sve" for feature in completed):
            completed.append(CpuFeature(policy="require", name="sve"))
    return tuple(completed)


__all__ = ["complete_cpu"]
