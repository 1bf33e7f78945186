"""The processor a guest gets when the document leaves it open, and how strictly it is compared with the host's."""

from __future__ import annotations

from msgspec.structs import replace

from roost.model.domain.complete.numa import complete_cells
from roost.model.domain.cpu import Cpu, CpuFeature, CpuModel
from roost.model.domain.draft import Draft

#: <cpu check> by mode; custom models are compared under KVM only.
_CHECK = {"host-passthrough": "none", "maximum": "none", "host-model": "partial"}


def complete_cpu(draft: Draft, default_model: str) -> None:
    """default_model: the machine's own; "" leaves a missing <cpu> missing."""
    cpu = draft.domain.cpu
    if cpu is None or (cpu.mode in (None, "custom") and cpu.model is None):
        if not default_model:
            return
        cpu = _default(cpu, default_model)
    else:
        cpu = _given(cpu, draft.domain.type)
    if cpu.numa:
        vcpu = draft.domain.vcpu
        cpu = replace(cpu, numa=complete_cells(cpu.numa, vcpu.count if vcpu is not None else 1))
    if cpu.topology is not None and cpu.topology.dies is None:
        cpu = replace(cpu, topology=replace(cpu.topology, dies=1))
    if cpu.features:
        cpu = replace(cpu, features=tuple(_feature(feature) for feature in cpu.features))
    draft.changes["cpu"] = cpu


def _default(cpu: Cpu | None, model: str) -> Cpu:
    base = cpu or Cpu()
    if model == "host":
        return replace(base, mode="host-passthrough", match=None, check="none", migratable=True)
    # The machine's model may need what the host lacks; QEMU drops it, so nothing is checked.
    return replace(base, mode="custom", match="exact", check="none", model=CpuModel(fallback="forbid", name=model))


def _given(cpu: Cpu, virt_type: str) -> Cpu:
    mode = cpu.mode or "custom"
    check = cpu.check or _CHECK.get(mode) or ("none" if virt_type == "qemu" else "partial")
    model = cpu.model
    if model is not None and model.fallback is None:
        model = replace(model, fallback="allow")
    match, migratable = cpu.match, cpu.migratable
    if mode == "custom":
        match = match or "exact"
    elif mode == "host-passthrough" and migratable is None:
        migratable = True
    return replace(cpu, mode=mode, match=match, check=check, model=model, migratable=migratable)


def _feature(feature: CpuFeature) -> CpuFeature:
    return feature if feature.policy else replace(feature, policy="require")


__all__ = ["complete_cpu"]
