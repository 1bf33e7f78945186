"""Features of the virtual machine and of the hypervisor: <features>."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from roost.errors import ConfigUnsupported
from roost.xml import Complaint, Flag, Integer, KiB, OnOff, Record, Size, YesNo, at

#: Numbers in any of C's spellings.
_AnyBase = Annotated[int, Integer(0, 2**32 - 1, base=0)]
#: A size in KiB, in MiB where no unit is given, and written in the largest unit that divides it.
_PrettyMiB = Annotated[int, Size(1024, "", "MiB")]


class Apic(Record):
    """eoi: end-of-interrupt without leaving the guest."""

    eoi: OnOff | None = None


class Stimer(Record):
    """Timers that interrupt; direct: without a message."""

    strangers: ClassVar[Complaint] = Complaint(ConfigUnsupported, "unsupported Hyper-V stimer feature: %s")

    state: OnOff
    direct: Annotated[OnOff | None, at("direct/@state", needed=True)] = None


class TlbFlush(Record):
    """Flushing other processors' buffers. direct: from nested guests; extended: single addresses."""

    strangers: ClassVar[Complaint] = Complaint(ConfigUnsupported, "unsupported Hyper-V tlbflush feature: %s")

    state: OnOff
    direct: Annotated[OnOff | None, at("direct/@state", needed=True)] = None
    extended: Annotated[OnOff | None, at("extended/@state", needed=True)] = None


class Hyperv(Record):
    """Enlightenments for Windows; mode 'passthrough' takes all that the host has."""

    strangers: ClassVar[Complaint] = Complaint(ConfigUnsupported, "unsupported HyperV Enlightenment feature: %s")

    mode: Literal["passthrough", "custom"] = "custom"
    relaxed: Annotated[OnOff | None, at("relaxed/@state", needed=True)] = None
    vapic: Annotated[OnOff | None, at("vapic/@state", needed=True)] = None
    spinlocks: Annotated[OnOff | None, at("spinlocks/@state", needed=True)] = None
    spinlocks_retries: Annotated[_AnyBase | None, at("spinlocks/@retries")] = None
    vpindex: Annotated[OnOff | None, at("vpindex/@state", needed=True)] = None
    runtime: Annotated[OnOff | None, at("runtime/@state", needed=True)] = None
    synic: Annotated[OnOff | None, at("synic/@state", needed=True)] = None
    stimer: Stimer | None = None
    reset: Annotated[OnOff | None, at("reset/@state", needed=True)] = None
    vendor_id: Annotated[OnOff | None, at("vendor_id/@state", needed=True)] = None
    vendor_id_value: Annotated[str | None, at("vendor_id/@value")] = None
    frequencies: Annotated[OnOff | None, at("frequencies/@state", needed=True)] = None
    reenlightenment: Annotated[OnOff | None, at("reenlightenment/@state", needed=True)] = None
    tlbflush: TlbFlush | None = None
    ipi: Annotated[OnOff | None, at("ipi/@state", needed=True)] = None
    evmcs: Annotated[OnOff | None, at("evmcs/@state", needed=True)] = None
    avic: Annotated[OnOff | None, at("avic/@state", needed=True)] = None
    emsr_bitmap: Annotated[OnOff | None, at("emsr_bitmap/@state", needed=True)] = None
    xmm_input: Annotated[OnOff | None, at("xmm_input/@state", needed=True)] = None


class Kvm(Record):
    """What KVM shows of itself. dirty_ring_size: entries of the ring that collects written pages."""

    strangers: ClassVar[Complaint] = Complaint(ConfigUnsupported, "unsupported KVM feature: %s")

    hidden: Annotated[OnOff | None, at("hidden/@state", needed=True)] = None
    hint_dedicated: Annotated[OnOff | None, at("hint-dedicated/@state", needed=True)] = None
    poll_control: Annotated[OnOff | None, at("poll-control/@state", needed=True)] = None
    pv_ipi: Annotated[OnOff | None, at("pv-ipi/@state", needed=True)] = None
    dirty_ring: Annotated[OnOff | None, at("dirty-ring/@state", needed=True)] = None
    dirty_ring_size: Annotated[_AnyBase | None, at("dirty-ring/@size")] = None


class Xen(Record):
    """For Xen's guests; kept for QEMU's and of no effect."""

    strangers: ClassVar[Complaint] = Complaint(ConfigUnsupported, "unsupported Xen feature: %s")

    e820_host: Annotated[OnOff | None, at("e820_host/@state", needed=True)] = None
    passthrough: Annotated[OnOff | None, at("passthrough/@state", needed=True)] = None
    passthrough_mode: Annotated[Literal["sync_pt", "share_pt"] | None, at("passthrough/@mode")] = None


class Gic(Record):
    version: Literal["host", "2", "3"] | None = None


class Features(Record):
    strangers: ClassVar[Complaint] = Complaint(ConfigUnsupported, "unexpected feature '%s'")

    acpi: Flag = False
    apic: Annotated[Apic | None, at("apic", keep_empty=True)] = None
    pae: Flag = False
    hap: Annotated[OnOff | None, at("hap/@state", bare="on")] = None
    viridian: Flag = False
    privnet: Flag = False
    hyperv: Annotated[Hyperv | None, at("hyperv", keep_empty=True, opened=True)] = None
    kvm: Annotated[Kvm | None, at("kvm", keep_empty=True, opened=True)] = None
    pvspinlock: Annotated[OnOff | None, at("pvspinlock/@state", bare="on")] = None
    pmu: Annotated[OnOff | None, at("pmu/@state", bare="on")] = None
    vmport: Annotated[OnOff | None, at("vmport/@state", bare="on")] = None
    gic: Annotated[Gic | None, at("gic", keep_empty=True)] = None
    smm: Annotated[OnOff | None, at("smm/@state", bare="on")] = None
    #: Memory that system management mode has above the first MiB, in KiB.
    smm_tseg: Annotated[_PrettyMiB | None, at("smm/tseg")] = None
    ioapic: Annotated[Literal["qemu", "kvm"] | None, at("ioapic/@driver")] = None
    hpt_resizing: Annotated[Literal["enabled", "disabled", "required"] | None, at("hpt/@resizing")] = None
    hpt_maxpagesize: Annotated[KiB | None, at("hpt/maxpagesize")] = None
    vmcoreinfo: Annotated[OnOff | None, at("vmcoreinfo/@state", bare="on")] = None
    htm: Annotated[OnOff | None, at("htm/@state", needed=True)] = None
    nested_hv: Annotated[OnOff | None, at("nested-hv/@state", needed=True)] = None
    msrs_unknown: Annotated[Literal["ignore", "fault"] | None, at("msrs/@unknown", needed=True)] = None
    ccf_assist: Annotated[OnOff | None, at("ccf-assist/@state", needed=True)] = None
    xen: Annotated[Xen | None, at("xen", keep_empty=True, opened=True)] = None
    cfpc: Annotated[Literal["broken", "workaround", "fixed"] | None, at("cfpc/@value")] = None
    sbbc: Annotated[Literal["broken", "workaround", "fixed"] | None, at("sbbc/@value")] = None
    ibs: Annotated[
        Literal["broken", "workaround", "fixed-ibs", "fixed-ccd", "fixed-na"] | None, at("ibs/@value")
    ] = None  # fmt: skip
    #: The cache of translated code, in KiB.
    tcg_tb_cache: Annotated[KiB | None, at("tcg/tb-cache", unset=("0",))] = None
    async_teardown: Annotated[YesNo | None, at("async-teardown/@enabled", bare="yes")] = None
    ras: Annotated[OnOff | None, at("ras/@state", bare="on")] = None
    ps2: Annotated[OnOff | None, at("ps2/@state", bare="on")] = None
    aia: Annotated[Literal["none", "aplic", "aplic-imsic"] | None, at("aia/@value")] = None
    virtualization: Annotated[OnOff | None, at("virtualization/@state", bare="on")] = None


__all__ = ["Apic", "Features", "Gic", "Hyperv", "Kvm", "Stimer", "TlbFlush", "Xen"]
