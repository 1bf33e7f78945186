"""The processor that runs everywhere: what several have in common."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec.structs import replace

from roost.errors import From, InvalidArg, OperationFailed
from roost.model.cpu import x86
from roost.model.cpu.arches import is_x86, unsupported
from roost.model.cpu.compare import features_of
from roost.model.cpu.decode import Known, Make, decode
from roost.model.cpu.document import Processor
from roost.model.domain.cpu import CpuFeature, CpuModel


def baseline(
    cpus: Sequence[Processor],
    *,
    arch: str | None = None,
    known: Known | None = None,
    features: Collection[str] | None = None,
    migratable: bool = False,
) -> Processor:
    """The guest's processor with what all of `cpus` have.

    arch: of the guest; None for the first one's. known: models the hypervisor
    has. features: those it has; None for any. Raises OperationFailed when they
    have nothing in common or come from several vendors; InvalidArg, InternalError.
    """
    for number, cpu in enumerate(cpus):
        if cpu.name is None:
            raise InvalidArg(f"no CPU model specified at index {number}", domain=From.CPU, hint="add <model>")
    if not is_x86(arch or cpus[0].arch):
        raise unsupported(arch or cpus[0].arch)
    common = features_of(cpus[0])
    names = list(dict.fromkeys(cpu.name or "" for cpu in cpus))
    vendor = _known_vendor(cpus[0].vendor or "")
    for cpu in cpus[1:]:
        vendor = _joint_vendor(cpu, vendor)
        common &= features_of(cpu)
    if features is not None:
        common &= frozenset(features)
    if not common:
        raise OperationFailed("CPUs are incompatible", domain=From.CPU, hint="they have no feature in common")
    found = decode(Make(common, vendor), known=known, preferred=names, migratable=migratable)
    return Processor(
        mode="custom",
        match="exact",
        model=CpuModel(fallback="forbid" if names == [found.model] else "allow", name=found.model),
        vendor=(found.vendor or None) if all(cpu.vendor for cpu in cpus) else None,
        features=policies(found.require, found.disable),
    )


def policies(require: Sequence[str], disable: Sequence[str]) -> tuple[CpuFeature, ...]:
    """<feature> elements."""
    return (
        *(CpuFeature(policy="require", name=name) for name in require),
        *(CpuFeature(policy="disable", name=name) for name in disable),
    )


def _known_vendor(vendor: str) -> str:
    if vendor and vendor not in x86.VENDORS:
        raise OperationFailed(
            f"Unknown CPU vendor {vendor}", domain=From.CPU, hint=f"known are {', '.join(x86.VENDORS)}"
        )
    return vendor


def _joint_vendor(cpu: Processor, vendor: str) -> str:
    own = x86.model(cpu.name or "").vendor
    if cpu.vendor and own and cpu.vendor != own:
        raise OperationFailed(f"CPU vendor {own} of model {cpu.name} differs from vendor {cpu.vendor}", domain=From.CPU)
    said = cpu.vendor or own
    if said and vendor and said != vendor:
        raise OperationFailed("CPU vendors do not match", domain=From.CPU, hint=f"{vendor} and {said}")
    return vendor or _known_vendor(said)


def without_host_only(cpu: Processor) -> Processor:
    """Without the features that QEMU gives no guest."""
    return replace(cpu, features=tuple(each for each in cpu.features if each.name not in x86.HOST_ONLY))


def expand(cpu: Processor) -> Processor:
    """With every feature of its model written out, sorted by name."""
    model = x86.model(cpu.name or "")
    policy_of = dict.fromkeys(model.features, "require")
    for feature in cpu.features:
        if cpu.is_host or feature.policy in ("require", "disable"):
            policy_of[feature.name] = feature.policy or "require"
    if not cpu.is_host:
        for name in model.removed:
            policy_of.setdefault(name, "disable")
    required = [name for name, policy in policy_of.items() if policy == "require"]
    made = policies(required, [name for name in policy_of if name not in required])
    return replace(cpu, features=tuple(sorted(made, key=lambda feature: feature.name)))
