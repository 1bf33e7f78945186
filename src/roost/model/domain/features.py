"""Features of the virtual machine and of the hypervisor: <features>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.xml import Flag, KiB, OnOff, PrettyKiB, Record, UInt, at


class Apic(Record):
    eoi: OnOff | None = None


class Hyperv(Record):
    """Enlightenments for Windows."""

    mode: Literal["passthrough", "custom"] = "custom"
    relaxed: Annotated[OnOff | None, at("relaxed/@state")] = None
    vapic: Annotated[OnOff | None, at("vapic/@state")] = None
    spinlocks: Annotated[OnOff | None, at("spinlocks/@state")] = None
    spinlocks_retries: Annotated[UInt | None, at("spinlocks/@retries")] = None
    vpindex: Annotated[OnOff | None, at("vpindex/@state")] = None
    runtime: Annotated[OnOff | None, at("runtime/@state")] = None
    synic: Annotated[OnOff | None, at("synic/@state")] = None
    stimer: Annotated[OnOff | None, at("stimer/@state")] = None
    stimer_direct: Annotated[OnOff | None, at("stimer/direct/@state")] = None
    reset: Annotated[OnOff | None, at("reset/@state")] = None
    vendor_id: Annotated[OnOff | None, at("vendor_id/@state")] = None
    vendor_id_value: Annotated[str | None, at("vendor_id/@value")] = None
    frequencies: Annotated[OnOff | None, at("frequencies/@state")] = None
    reenlightenment: Annotated[OnOff | None, at("reenlightenment/@state")] = None
    tlbflush: Annotated[OnOff | None, at("tlbflush/@state")] = None
    ipi: Annotated[OnOff | None, at("ipi/@state")] = None
    evmcs: Annotated[OnOff | None, at("evmcs/@state")] = None
    avic: Annotated[OnOff | None, at("avic/@state")] = None


class Kvm(Record):
    hidden: Annotated[OnOff | None, at("hidden/@state")] = None
    hint_dedicated: Annotated[OnOff | None, at("hint-dedicated/@state")] = None
    poll_control: Annotated[OnOff | None, at("poll-control/@state")] = None
    pv_ipi: Annotated[OnOff | None, at("pv-ipi/@state")] = None
    dirty_ring: Annotated[OnOff | None, at("dirty-ring/@state")] = None
    dirty_ring_size: Annotated[UInt | None, at("dirty-ring/@size")] = None


class Gic(Record):
    version: Literal["host", "2", "3"] | None = None


class Features(Record):
    acpi: Flag = False
    apic: Annotated[Apic | None, at("apic", keep_empty=True)] = None
    pae: Flag = False
    hyperv: Annotated[Hyperv | None, at("hyperv", keep_empty=True, opened=True)] = None
    kvm: Annotated[Kvm | None, at("kvm", keep_empty=True, opened=True)] = None
    pvspinlock: Annotated[OnOff | None, at("pvspinlock/@state", bare="on")] = None
    pmu: Annotated[OnOff | None, at("pmu/@state", bare="on")] = None
    vmport: Annotated[OnOff | None, at("vmport/@state", bare="on")] = None
    gic: Annotated[Gic | None, at("gic", keep_empty=True)] = None
    smm: Annotated[OnOff | None, at("smm/@state", bare="on")] = None
    smm_tseg: Annotated[PrettyKiB | None, at("smm/tseg")] = None
    ioapic: Annotated[Literal["qemu", "kvm"] | None, at("ioapic/@driver")] = None
    hpt_resizing: Annotated[Literal["enabled", "disabled", "required"] | None, at("hpt/@resizing")] = None
    hpt_maxpagesize: Annotated[KiB | None, at("hpt/maxpagesize")] = None
    vmcoreinfo: Annotated[OnOff | None, at("vmcoreinfo/@state", bare="on")] = None
    htm: Annotated[OnOff | None, at("htm/@state", bare="on")] = None
    nested_hv: Annotated[OnOff | None, at("nested-hv/@state", bare="on")] = None
    msrs_unknown: Annotated[Literal["ignore", "fault"] | None, at("msrs/@unknown")] = None
    ccf_assist: Annotated[OnOff | None, at("ccf-assist/@state", bare="on")] = None
    cfpc: Annotated[Literal["broken", "workaround", "fixed"] | None, at("cfpc/@value")] = None
    sbbc: Annotated[Literal["broken", "workaround", "fixed"] | None, at("sbbc/@value")] = None
    ibs: Annotated[
        Literal["broken", "workaround", "fixed-ibs", "fixed-ccd", "fixed-na"] | None, at("ibs/@value")
    ] = None  # fmt: skip
    tcg_tb_cache: Annotated[KiB | None, at("tcg/tb-cache")] = None


__all__ = ["Apic", "Features", "Gic", "Hyperv", "Kvm"]
