"""Names of processors, and how they compare with the host's and with what an emulator gives."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from roost.constants import connect as C
from roost.contract import flags as F
from roost.contract.node import Processors
from roost.drivers.qemu.capabilities import CapabilityDocuments
from roost.errors import CpuIncompatible, From, InvalidArg, OperationUnsupported
from roost.host.api import NodeFacts
from roost.model.cpu.arches import is_x86, model_names, unsupported
from roost.model.cpu.baseline import baseline, expand, without_host_only
from roost.model.cpu.compare import compare
from roost.model.cpu.document import Processor, format_processor, parse_processor

_COMPARE_FLAGS = C.COMPARE_CPU_FAIL_INCOMPATIBLE | C.COMPARE_CPU_VALIDATE_XML
_BASELINE_FLAGS = C.BASELINE_CPU_EXPAND_FEATURES | C.BASELINE_CPU_MIGRATABLE


class QemuProcessors(Processors):
    """contract.Processors."""

    def __init__(self, documents: CapabilityDocuments, node: NodeFacts) -> None:
        self._documents = documents
        self._node = node

    def model_names(self, arch: str, flags: int) -> Sequence[str]:
        F.check(flags, 0, "qemuConnectGetCPUModelNames", From.QEMU)
        return model_names(arch)

    def compare(self, document: str, flags: int) -> int:
        F.check(flags, _COMPARE_FLAGS, "qemuConnectCompareCPU", From.QEMU)
        arch = self._node.machine()
        cpu = _parse(document, flags)
        if not is_x86(arch):
            raise unsupported(arch)
        return _compare(self._documents.host_processor, cpu, flags)

    def baseline(self, documents: Sequence[str], flags: int) -> str:
        F.check(flags, _BASELINE_FLAGS, "qemuConnectBaselineCPU", From.QEMU)
        _require_some(documents)
        cpus = [parse_processor(document, host=True) for document in documents]
        found = baseline(cpus, migratable=bool(flags & C.BASELINE_CPU_MIGRATABLE))
        return _shown(without_host_only(found), flags)

    async def compare_hypervisor(
        self,
        emulator: str | None,
        arch: str | None,
        machine: str | None,
        virt_type: str | None,
        document: str,
        flags: int,
    ) -> int:
        F.check(flags, _COMPARE_FLAGS, "qemuConnectCompareHypervisorCPU", From.QEMU)
        choice = await self._documents.choose(emulator, arch, machine, virt_type)
        reported = self._documents.processors(choice.caps, choice.virt_type).reported
        if reported is None:
            raise OperationUnsupported(
                f"QEMU '{choice.caps.binary}' does not support reporting CPU model for virttype '{choice.virt_type}'",
                domain=From.QEMU,
            )
        return _compare(reported, _parse(document, flags), flags)

    async def baseline_hypervisor(
        self,
        emulator: str | None,
        arch: str | None,
        machine: str | None,
        virt_type: str | None,
        documents: Sequence[str],
        flags: int,
    ) -> str:
        F.check(flags, _BASELINE_FLAGS | C.BASELINE_CPU_IGNORE_HOST, "qemuConnectBaselineHypervisorCPU", From.QEMU)
        _require_some(documents)
        cpus = [parse_processor(document) for document in documents]
        choice = await self._documents.choose(emulator, arch, machine, virt_type)
        processors = self._documents.processors(choice.caps, choice.virt_type)
        if processors.known is None:
            raise OperationUnsupported(
                f"QEMU '{choice.caps.binary}' does not support any CPU models for virttype '{choice.virt_type}'",
                domain=From.QEMU,
            )
        if not is_x86(choice.arch):
            raise OperationUnsupported(
                f"computing baseline hypervisor CPU is not supported for arch {choice.arch}", domain=From.QEMU
            )
        migratable = bool(flags & C.BASELINE_CPU_MIGRATABLE)
        features = processors.migratable_features if migratable else processors.features
        if flags & C.BASELINE_CPU_IGNORE_HOST:
            features = None
        # An emulator that tells what migrates has already left out what does not.
        found = baseline(
            cpus,
            arch=choice.arch,
            known=processors.known,
            features=features,
            migratable=migratable and features is None,
        )
        model = replace(found.model, fallback="forbid") if found.model is not None else None
        return _shown(replace(found, model=model), flags)


def _require_some(documents: Sequence[str]) -> None:
    if not documents:
        raise InvalidArg("no CPUs given", domain=From.CPU, hint="give at least one <cpu> document")


def _parse(document: str, flags: int) -> Processor:
    return parse_processor(document, validate=bool(flags & C.COMPARE_CPU_VALIDATE_XML))


def _compare(host: Processor | None, cpu: Processor, flags: int) -> int:
    fail = bool(flags & C.COMPARE_CPU_FAIL_INCOMPATIBLE)
    if host is None and fail:
        raise CpuIncompatible("unknown host CPU", domain=From.CPU)
    return compare(host or Processor(), cpu, fail=fail)


def _shown(cpu: Processor, flags: int) -> str:
    return format_processor(expand(cpu) if flags & C.BASELINE_CPU_EXPAND_FEATURES else cpu)
