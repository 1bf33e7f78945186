"""Rules about <features> and <cpu>."""

from __future__ import annotations

from roost.errors import ConfigUnsupported, From, XmlError
from roost.model.domain.cpu import Cpu
from roost.model.domain.domain import Domain
from roost.model.domain.features import Features, Hyperv, Kvm
from roost.model.domain.validate.rules import Context, Rule, Rules

_LEAST_RETRIES = 0xFFF
_VENDOR_LENGTH = 12
_RING = (1024, 65536)
_WHOLE = frozenset(("host-passthrough", "maximum"))


def _wrong(text: str, hint: str = "", origin: int = From.DOMAIN) -> XmlError:
    return XmlError(text, domain=origin, hint=hint)


def check_features(domain: Domain) -> None:
    """What libvirt refuses in <features> while it reads them."""
    features = domain.features
    if features is None:
        return
    if features.hyperv is not None:
        _check_hyperv(features.hyperv)
    if features.kvm is not None:
        _check_kvm(features.kvm)


def _check_hyperv(hyperv: Hyperv) -> None:
    if hyperv.spinlocks:
        if hyperv.spinlocks_retries is None:
            raise _wrong("Missing required attribute 'retries' in element 'spinlocks'", "8191", From.XML)
        if hyperv.spinlocks_retries < _LEAST_RETRIES:
            raise _wrong("HyperV spinlock retry count must be at least 4095", f"not {hyperv.spinlocks_retries}")
    if hyperv.vendor_id:
        value = hyperv.vendor_id_value
        if value is None:
            raise _wrong("missing 'value' attribute for HyperV feature 'vendor_id'")
        if len(value.encode()) > _VENDOR_LENGTH:
            raise _wrong("HyperV vendor_id value must not be more than 12 characters.", f"{value} has {len(value)}")
        if "," in value:
            raise _wrong("HyperV vendor_id value is invalid", "no commas")


def _check_kvm(kvm: Kvm) -> None:
    if not kvm.dirty_ring:
        return
    size = kvm.dirty_ring_size
    if size is None:
        raise _wrong("Missing required attribute 'size' in element 'dirty-ring'", "4096", From.XML)
    if not _RING[0] <= size <= _RING[1] or size & (size - 1):
        raise _wrong("dirty ring must be power of 2 and ranges [1024, 65536]", f"not {size}")


def check_tseg(domain: Domain, *, is_q35: bool) -> None:
    """What libvirt refuses in the memory of system management mode when it completes a document."""
    features = domain.features
    if features is None or not features.smm or features.smm_tseg is None:
        return
    if not is_q35:
        raise ConfigUnsupported("SMM TSEG is only supported with q35 machine type", domain=From.QEMU)
    if features.smm_tseg % 1024:
        raise ConfigUnsupported("SMM TSEG size must be divisible by 1 MiB", domain=From.QEMU)


def check_cpu(domain: Domain) -> None:
    """What libvirt refuses in <cpu> while it reads it."""
    cpu = domain.cpu
    if cpu is None:
        return
    if cpu.migratable is not None and cpu.mode not in _WHOLE:
        raise ConfigUnsupported(
            "Attribute migratable is only allowed for 'host-passthrough' / 'maximum' CPU mode",
            domain=From.CPU,
            hint="leave it out",
        )
    if cpu.mode not in _WHOLE and cpu.model is not None and cpu.model.vendor_id is not None:
        vendor = cpu.model.vendor_id
        if len(vendor) != _VENDOR_LENGTH:
            raise _wrong("vendor_id must be exactly 12 characters long", f"{vendor} has {len(vendor)}", From.CPU)
        if "," in vendor:
            raise _wrong("vendor id is invalid", "no commas", From.CPU)
    named = cpu.model is not None and cpu.model.name is not None
    if cpu.vendor is not None and not named:
        raise _wrong("CPU vendor specified without CPU model", "add <model>", From.CPU)
    if cpu.features and not named and cpu.mode in (None, "custom"):
        raise _wrong("Non-empty feature list specified without CPU model", "add <model>", From.CPU)
    names: set[str] = set()
    for feature in cpu.features:
        if not feature.name:
            raise _wrong("Invalid CPU feature name", "", From.CPU)
        if feature.name in names:
            raise _wrong(f"CPU feature '{feature.name}' specified more than once", "once", From.CPU)
        names.add(feature.name)
    _check_vectors(cpu)


def _check_vectors(cpu: Cpu) -> None:
    off = any(feature.name == "sve" and feature.policy in ("disable", "forbid") for feature in cpu.features)
    if off and any(feature.name.startswith("sve") and feature.name != "sve" for feature in cpu.features):
        raise ConfigUnsupported("SVE disabled, but SVE vector lengths provided", domain=From.QEMU)


def _is_arm_virt(c: Context) -> bool:
    machine = c.domain.os.machine or ""
    return c.domain.os.arch in ("aarch64", "armv7l") and (machine == "virt" or machine.startswith("virt-"))


def _is_pseries(c: Context) -> bool:
    machine = c.domain.os.machine or ""
    return (c.domain.os.arch or "").startswith("ppc64") and machine.startswith("pseries")


def _has_maximum(types: frozenset[str]) -> bool:
    return any(name.startswith("max-") and name.endswith("-cpu") for name in types)


_NOT_FOR = "is not supported for architecture '{c.domain.os.arch}' or machine type '{c.domain.os.machine}'"


def _only_x86(field: str, name: str) -> Rule:
    return Rule(
        lambda d, c: not c.is_x86,
        f"The '{name}' feature {_NOT_FOR}",
        f"leave <{name}> out",
        about=field,
    )


def _only_power(field: str, name: str) -> Rule:
    return Rule(
        lambda d, c: not _is_pseries(c),
        f"The '{name}' feature {_NOT_FOR}",
        f"leave <{name}> out",
        about=field,
    )


def _huge_table(d: Features) -> bool:
    return d.hpt_resizing is not None or d.hpt_maxpagesize is not None


#: On <features>, `{d}`; in libvirt's order.
FEATURE_RULES = Rules(
    Rule(
        lambda d, c: not c.is_x86,
        f"The 'eoi' attribute of the 'apic' feature {_NOT_FOR}",
        "leave eoi out",
        about="apic.eoi",
    ),
    Rule(
        lambda d, c: not c.is_x86 and not _is_arm_virt(c),
        "Hyperv features are not supported for architecture '{c.domain.os.arch}' or machine type "
        "'{c.domain.os.machine}'",
        "leave <hyperv> out",
        about="hyperv",
    ),
    _only_x86("pvspinlock", "pvspinlock"),
    Rule(
        lambda d, c: d.pmu is False and (c.domain.os.arch or "").startswith("ppc64"),
        "PMU is always enabled for architecture '{c.domain.os.arch}'",
        "leave <pmu> out",
        about="pmu",
    ),
    Rule(
        lambda d, c: not c.is_x86,
        "vmport is not available with this QEMU binary",
        "leave <vmport> out",
        about="vmport",
    ),
    Rule(
        lambda d, c: not _is_arm_virt(c),
        f"The 'gic' feature {_NOT_FOR}",
        "leave <gic> out",
        about="gic",
    ),
    _only_x86("ioapic", "ioapic"),
    Rule(lambda d, c: _huge_table(d) and not _is_pseries(c), f"The 'hpt' feature {_NOT_FOR}", "leave <hpt> out"),
    _only_power("htm", "htm"),
    _only_power("nested_hv", "nested-hv"),
    _only_power("ccf_assist", "ccf-assist"),
    _only_power("cfpc", "cfpc"),
    _only_power("sbbc", "sbbc"),
    _only_power("ibs", "ibs"),
    Rule(
        lambda d, c: not _is_arm_virt(c),
        f"The 'ras' feature {_NOT_FOR}",
        "leave <ras> out",
        about="ras",
    ),
    _only_x86("ps2", "ps2"),
    Rule(
        lambda d, c: c.domain.os.arch != "riscv64",
        f"The 'aia' feature {_NOT_FOR}",
        "leave <aia> out",
        about="aia",
    ),
    Rule(
        lambda d, c: c.domain.type != "qemu",
        "TCG features are incompatible with domain type '{c.domain.type}'",
        "leave <tcg> out",
        about="tcg_tb_cache",
    ),
    Rule(
        lambda d, c: d.tcg_tb_cache % 1024,
        "tb-cache size must be an integer multiple of MiB",
        about="tcg_tb_cache",
    ),
)

#: On <cpu>, `{d}`.
CPU_RULES = Rules(
    Rule(
        lambda d, c: d.deprecated_features is not None,
        "toggling deprecated features for CPU model is unsupported",
        "disable them by name",
        about="deprecated_features",
    ),
    Rule(
        lambda d, c: not c.is_x86,
        "CPU maximum physical address bits specification is not supported for '{c.domain.os.arch}' architecture",
        about="maxphysaddr",
    ),
    Rule(
        lambda d, c: d.maxphysaddr.mode == "passthrough" and d.maxphysaddr.bits is not None,
        "CPU maximum physical address bits number specification cannot be used with mode='passthrough'",
        "limit= bounds the host's number",
        about="maxphysaddr",
    ),
    Rule(
        lambda d, c: d.maxphysaddr.mode == "emulate" and d.maxphysaddr.bits is None,
        "if using CPU maximum physical address mode='emulate', bits= must be specified too",
        about="maxphysaddr",
    ),
    Rule(
        lambda d, c: not c.is_x86,
        "CPU cache specification is not supported for '{c.domain.os.arch}' architecture",
        about="cache",
    ),
    Rule(
        lambda d, c: d.cache.mode == "emulate" and d.cache.level != 3,
        "CPU cache mode 'emulate' can only be used with level='3'",
        about="cache",
    ),
    Rule(
        lambda d, c: d.cache.mode == "passthrough" and d.mode not in _WHOLE,
        "CPU cache mode 'passthrough' can only be used with 'host-passthrough' / 'maximum' CPUs",
        about="cache",
    ),
    Rule(
        lambda d, c: d.cache.mode != "emulate" and d.cache.level is not None,
        "unsupported CPU cache level for mode '{d.cache.mode}'",
        "leave level out",
        about="cache",
    ),
    Rule(
        lambda d, c: not _has_maximum(c.facts.devices),
        "maximum CPU is not supported by QEMU binary",
        "name a model",
        about="mode=maximum",
    ),
)

__all__ = ["CPU_RULES", "FEATURE_RULES", "check_cpu", "check_features", "check_tseg"]
