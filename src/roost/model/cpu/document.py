"""The <cpu> document of cpu-compare and cpu-baseline, and of <capabilities>: a host's processor or a guest's."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, From, XmlError
from roost.model.cpu.arches import ARCHES
from roost.model.domain.cpu import CpuCache, CpuFeature, CpuModel, CpuTopology, MaxPhysAddr
from roost.xml import Child, Complaint, Integer, OnOff, Record, UInt, ULong, YesNo, at, format_document, parse_document

_NAME = "(CPU_definition)"
_HOST_MODES = ("host-passthrough", "maximum")


class CpuSignature(Record):
    family: Annotated[int, Integer(1, 2**32 - 1)]
    model: UInt
    stepping: UInt


class Counter(Record):
    """frequency: Hz. scaling: whether guests may be given another frequency."""

    name: str
    frequency: ULong
    scaling: YesNo | None = None


class PageSize(Record):
    """A page size that the host's processors know."""

    unit: Literal["KiB"] = "KiB"
    size: UInt


class Processor(Record):
    """A host's processor where `arch` is given, else a guest's as in a domain."""

    mode: Annotated[
        Literal["custom", "host-model", "host-passthrough", "maximum"] | None,
        at("@mode", wrong=Complaint(ConfigUnsupported, "Invalid mode attribute '%s'", domain=From.CPU)),
    ] = None
    match: Literal["minimum", "exact", "strict"] | None = None
    check: Literal["none", "partial", "full"] | None = None
    migratable: OnOff | None = None
    arch: Child[str | None] = None
    model: CpuModel | None = None
    vendor: Child[str | None] = None
    microcode: Annotated[
        UInt | None,
        at("microcode/@version", wrong=Complaint(ConfigUnsupported, "invalid microcode version", domain=From.CPU)),
    ] = None
    signature: CpuSignature | None = None
    counters: Annotated[tuple[Counter, ...], at("counter")] = ()
    topology: CpuTopology | None = None
    cache: CpuCache | None = None
    maxphysaddr: MaxPhysAddr | None = None
    features: Annotated[tuple[CpuFeature, ...], at("feature")] = ()
    pages: Annotated[tuple[PageSize, ...], at("pages")] = ()

    @property
    def is_host(self) -> bool:
        return self.arch is not None

    @property
    def name(self) -> str | None:
        """The model's."""
        return self.model.name if self.model is not None else None


def parse_processor(xml: str | bytes, *, host: bool = False, validate: bool = False) -> Processor:
    """The processor a document describes. host: it must be a host's. Raises RoostError with libvirt's codes."""
    cpu = parse_document(xml, Processor, "cpu", name=_NAME, validate=validate)
    _check(cpu, host=host)
    return cpu


def format_processor(cpu: Processor) -> str:
    return format_document(cpu, "cpu")


def _check(cpu: Processor, *, host: bool) -> None:
    if host or cpu.is_host:
        if cpu.match is not None and not host:
            raise _wrong("'arch' element cannot be used inside 'cpu' element with 'match' attribute'")
        if cpu.mode is not None:
            raise ConfigUnsupported("Attribute mode is only allowed for guest CPU", domain=From.CPU)
        if cpu.arch is None:
            raise _wrong("Missing CPU architecture", "add <arch>, as in virsh capabilities")
        if cpu.arch not in ARCHES:
            hint = f"one of {', '.join(ARCHES)}"
            raise ConfigUnsupported(f"Unknown architecture {cpu.arch}", domain=From.CPU, hint=hint)
        if cpu.name is None:
            raise _wrong("Missing CPU model name", "add <model>")
    if cpu.migratable is not None and cpu.mode not in _HOST_MODES:
        raise ConfigUnsupported(
            "Attribute migratable is only allowed for 'host-passthrough' / 'maximum' CPU mode", domain=From.CPU
        )
    if cpu.vendor is not None and cpu.name is None:
        raise _wrong("CPU vendor specified without CPU model")
    if cpu.features and cpu.name is None and (cpu.mode or "custom") == "custom":
        raise _wrong("Non-empty feature list specified without CPU model", "add <model>")
    seen: set[str] = set()
    for feature in cpu.features:
        if not feature.name:
            raise _wrong("Invalid CPU feature name")
        if feature.name in seen:
            raise _wrong(f"CPU feature '{feature.name}' specified more than once")
        seen.add(feature.name)


def _wrong(text: str, hint: str = "") -> XmlError:
    return XmlError(text, domain=From.CPU, hint=hint)


__all__ = ["Counter", "CpuSignature", "PageSize", "Processor", "format_processor", "parse_processor"]
