"""<domainCapabilities>: what a guest of one emulator, machine and domain type may have."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.model.cpu.document import Processor
from roost.model.domain.cpu import CpuFeature, CpuModel, MaxPhysAddr
from roost.xml import Child, Int, KiB, OnOff, Record, Text, UInt, YesNo, at, format_document, parse_document


class Enum(Record):
    """The values that an attribute may have."""

    name: str
    values: Annotated[tuple[str, ...], at("value")] = ()


class Section(Record):
    """Whether something is there at all, and which kinds of it."""

    supported: YesNo
    enums: Annotated[tuple[Enum, ...], at("enum")] = ()

    def values(self, name: str) -> tuple[str, ...]:
        """Of one enum; () when it is not listed."""
        return next((enum.values for enum in self.enums if enum.name == name), ())


class HypervDefaults(Record):
    """What `mode='custom'` starts from: the state or the value of each enlightenment."""

    spinlocks: Child[UInt | None] = None
    stimer_direct: Child[OnOff | None] = None
    tlbflush_direct: Child[OnOff | None] = None
    tlbflush_extended: Child[OnOff | None] = None
    vendor_id: Child[str | None] = None


class HypervSection(Section):
    """Which enlightenments there are."""

    defaults: HypervDefaults | None = None


class LoaderSection(Record):
    supported: YesNo
    paths: Annotated[tuple[str, ...], at("value")] = ()
    enums: Annotated[tuple[Enum, ...], at("enum")] = ()


class OsSection(Record):
    supported: YesNo
    enums: Annotated[tuple[Enum, ...], at("enum")] = ()
    loader: LoaderSection | None = None


class KnownModel(Record):
    """A model that may be named. usable: whether this host can run it."""

    usable: Literal["yes", "no", "unknown"] | None = None
    deprecated: YesNo | None = None
    vendor: str | None = None
    canonical: str | None = None
    fallback: Literal["allow", "forbid"] | None = None
    name: Text[str | None] = None


class Blockers(Record):
    """The features that the host lacks for a model."""

    model: str
    features: Annotated[tuple[str, ...], at("feature/@name")] = ()


class CpuMode(Record):
    """One mode of <cpu>. models: of `custom` those there are, of `host-model` the one it stands for."""

    name: Literal["host-passthrough", "maximum", "host-model", "custom"]
    supported: YesNo
    enums: Annotated[tuple[Enum, ...], at("enum")] = ()
    models: Annotated[tuple[KnownModel, ...], at("model")] = ()
    maxphysaddr: MaxPhysAddr | None = None
    blockers: Annotated[tuple[Blockers, ...], at("blockers")] = ()
    vendor: Child[str | None] = None
    features: Annotated[tuple[CpuFeature, ...], at("feature")] = ()


class Devices(Record):
    disk: Section | None = None
    graphics: Section | None = None
    video: Section | None = None
    hostdev: Section | None = None
    rng: Section | None = None
    filesystem: Section | None = None
    tpm: Section | None = None
    redirdev: Section | None = None
    channel: Section | None = None
    crypto: Section | None = None
    interface: Section | None = None
    panic: Section | None = None
    console: Section | None = None


class Sev(Record):
    """AMD's encrypted guests."""

    supported: YesNo
    cbitpos: Child[UInt | None] = None
    reduced_phys_bits: Annotated[UInt | None, at("reducedPhysBits")] = None
    max_guests: Annotated[Int | None, at("maxGuests")] = None
    max_es_guests: Annotated[Int | None, at("maxESGuests")] = None
    cpu0_id: Annotated[str | None, at("cpu0Id")] = None


class SgxSection(Record):
    node: UInt
    size: UInt
    unit: Literal["KiB"] = "KiB"


class Sgx(Record):
    """Intel's enclaves."""

    supported: YesNo
    flc: Child[YesNo | None] = None
    sgx1: Child[YesNo | None] = None
    sgx2: Child[YesNo | None] = None
    section_size: Annotated[KiB | None, at("section_size")] = None
    sections: Annotated[tuple[SgxSection, ...], at("sections/section")] = ()


class FeatureSections(Record):
    gic: Section | None = None
    vmcoreinfo: Section | None = None
    genid: Section | None = None
    backing_store_input: Annotated[Section | None, at("backingStoreInput")] = None
    backup: Section | None = None
    async_teardown: Annotated[Section | None, at("async-teardown")] = None
    s390_pv: Annotated[Section | None, at("s390-pv")] = None
    ps2: Section | None = None
    sev: Sev | None = None
    sgx: Sgx | None = None
    tdx: Section | None = None
    hyperv: HypervSection | None = None
    launch_security: Annotated[Section | None, at("launchSecurity")] = None


class DomainCapabilities(Record):
    path: Child[str]
    domain: Child[str]
    machine: Child[str | None] = None
    arch: Child[str]
    max_vcpus: Annotated[UInt | None, at("vcpu/@max")] = None
    iothreads: Section | None = None
    os: OsSection | None = None
    cpu: Annotated[tuple[CpuMode, ...], at("cpu/mode")] = ()
    memory_backing: Annotated[Section | None, at("memoryBacking")] = None
    devices: Devices = Devices()
    features: FeatureSections = FeatureSections()

    def host_model(self) -> Processor | None:
        """The processor that mode='host-model' stands for; None where it stands for nothing."""
        for mode in self.cpu:
            if mode.name == "host-model" and mode.models:
                model = CpuModel(fallback=mode.models[0].fallback, name=mode.models[0].name)
                return Processor(mode="custom", model=model, vendor=mode.vendor, features=mode.features)
        return None


def parse_domain_capabilities(xml: str | bytes) -> DomainCapabilities:
    return parse_document(xml, DomainCapabilities, "domainCapabilities", name="(domain_capabilities)")


def format_domain_capabilities(capabilities: DomainCapabilities) -> str:
    return format_document(capabilities, "domainCapabilities")
