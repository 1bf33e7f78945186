"""A guest's <cpu>: what it is started with, and what the guest sees of it. Dry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from roost.drivers.qemu.capabilities import Capabilities, GuestProcessors
from roost.drivers.qemu.qmp import QmpCommandError
from roost.errors import ConfigUnsupported, From
from roost.model.cpu import x86
from roost.model.cpu.arches import is_x86
from roost.model.cpu.expand import (
    as_started,
    expand_for_start,
    refuse_unknown_features,
    updated_for_host,
    verify_invariant_tsc,
)
from roost.model.domain import Domain
from roost.model.domain.cpu import Cpu

Question = tuple[str, Mapping[str, Any] | None]


def _has_model(cpu: Cpu | None) -> bool:
    """Whether the document says more of the processor than how it is laid out."""
    return cpu is not None and not (cpu.mode in (None, "custom") and (cpu.model is None or cpu.model.name is None))


def with_processor(document: Domain, caps: Capabilities, processors: GuestProcessors, host_arch: str) -> Domain:
    """The document with a <cpu> that QEMU can be given: host-model and what is relative to the host decided.

    Raises CpuIncompatible when the host lacks what is asked for, ConfigUnsupported, InternalError.
    """
    cpu = document.cpu
    if cpu is None or not _has_model(cpu):
        return document
    arch = document.os.arch or caps.arch
    if not _is_mode_supported(cpu, caps, document.type, processors):
        raise ConfigUnsupported(
            f"CPU mode '{cpu.mode}' for {arch} {document.type} domain on {host_arch} host is not supported "
            "by hypervisor",
            domain=From.QEMU,
            hint="virsh domcapabilities tells which modes are",
        )
    if not is_x86(arch):
        return document
    refuse_unknown_features(cpu)
    expanded = expand_for_start(
        cpu,
        full=processors.full,
        migratable=processors.migratable,
        known=processors.known,
        features=processors.features,
    )
    return replace(document, cpu=expanded)


def for_this_host(document: Domain, processors: GuestProcessors) -> Domain:
    """The document with a <cpu> as a guest that can migrate would be started with here. Raises as `with_processor`."""
    cpu = document.cpu
    if cpu is None or not _has_model(cpu) or not is_x86(document.os.arch or ""):
        return document
    return replace(document, cpu=updated_for_host(cpu, processors.migratable))


def _is_mode_supported(cpu: Cpu, caps: Capabilities, virt_type: str, processors: GuestProcessors) -> bool:
    match cpu.mode:
        case "host-passthrough":
            return virt_type == "kvm"
        case "host-model":
            return processors.reported is not None
        case "maximum":
            return caps.has_max_processor
        case _:
            return bool(processors.models)


def questions(live: Domain, path: str) -> tuple[Question, ...]:
    """What to ask QEMU of its first processor; () where the answers would change nothing. path: in QOM."""
    if not is_x86(live.os.arch or "") or not _has_model(live.cpu):
        return ()
    names = ("feature-words", "unavailable-features", *map(x86.to_qemu, x86.msr_features()))
    return tuple(("qom-get", {"path": path, "property": name}) for name in names)


def with_answers(live: Domain, answers: Sequence[Any]) -> Domain:
    """The live document with what QEMU made of the processor. answers: to `questions`.

    Raises OperationFailed for check='full' when something differs, ConfigUnsupported.
    """
    cpu = live.cpu
    if cpu is None or not answers or isinstance(answers[0], QmpCommandError):
        return live
    words = {
        (word["cpuid-input-eax"], word.get("cpuid-input-ecx", 0), word["cpuid-register"].lower()): word["features"]
        for word in answers[0]
    }
    registers = (name for name, answer in zip(x86.msr_features(), answers[2:], strict=True) if answer is True)
    enabled = x86.features_in(words) | frozenset(registers)
    missing = () if isinstance(answers[1], QmpCommandError) else map(x86.from_qemu, answers[1])
    verify_invariant_tsc(cpu, enabled)
    return replace(live, cpu=as_started(cpu, enabled, frozenset(filter(x86.is_feature, missing))))
