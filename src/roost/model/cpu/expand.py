"""A guest's <cpu> on its way to QEMU and back: what the host makes of it, and what QEMU made of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, CpuIncompatible, From, OperationFailed
from roost.model.cpu import x86
from roost.model.cpu.baseline import policies
from roost.model.cpu.compare import compare, features_of
from roost.model.cpu.decode import Description, Known, Make, decode
from roost.model.cpu.document import Processor
from roost.model.domain.cpu import Cpu, CpuFeature, CpuModel


def processor_of(cpu: Cpu) -> Processor:
    """A domain's <cpu> as a document of its own, without what is not about features."""
    return Processor(
        mode=cpu.mode, match=cpu.match, check=cpu.check, model=cpu.model, vendor=cpu.vendor, features=cpu.features
    )


def guest_processor(found: Description) -> Processor:
    """A decoded description as a guest's processor."""
    return Processor(
        mode="custom",
        match="exact",
        model=CpuModel(fallback="forbid", name=found.model),
        vendor=found.vendor or None,
        features=policies(found.require, found.disable),
    )


def expand_for_start(
    cpu: Cpu,
    *,
    full: Processor | None,
    migratable: Processor | None,
    known: Known | None,
    features: frozenset[str] | None,
) -> Cpu:
    """The <cpu> that the plan gets: always a model by name, or the host's own or the most there is.

    full: the processor this hypervisor would give a guest; None when it cannot
    tell. migratable: the same without what keeps it from migrating.
    known: models of the hypervisor. features: its features; None when not known.
    Raises CpuIncompatible, ConfigUnsupported, InternalError.
    """
    if cpu.mode in ("host-passthrough", "maximum"):
        return replace(cpu, features=_given(cpu.features, features))
    if cpu.check != "none" and full is not None:
        _refuse_forbidden(cpu, full)
    if cpu.check == "partial" and cpu.mode != "host-model":
        compare(full or Processor(), processor_of(cpu), fail=True)
    cpu = updated_for_host(cpu, migratable)
    cpu = _translated(cpu, known)
    cpu = replace(cpu, model=replace(cpu.model or CpuModel(), fallback="forbid"))
    return replace(cpu, features=_given(cpu.features, features))


def _refuse_forbidden(cpu: Cpu, host: Processor) -> None:
    provided = {feature.name for feature in host.features if feature.policy != "disable"}
    for feature in cpu.features:
        if feature.policy == "forbid" and feature.name in provided:
            raise CpuIncompatible(f"Host CPU provides forbidden feature '{feature.name}'", domain=From.CPU)


def _given(features: Iterable[CpuFeature], known: frozenset[str] | None) -> tuple[CpuFeature, ...]:
    """Without what QEMU gives no guest, and without switching off what it does not know."""
    return tuple(
        feature
        for feature in features
        if feature.name not in x86.HOST_ONLY
        and not (feature.policy in ("disable", "forbid") and known is not None and feature.name not in known)
    )


def updated_for_host(cpu: Cpu, host: Processor | None) -> Cpu:
    """With optional features decided, and the host's model in the place of one relative to it.

    host: what migratable guests get. Raises ConfigUnsupported without one where it matters, InternalError.
    """
    if cpu.mode in ("host-passthrough", "maximum"):
        return cpu
    if cpu.mode == "host-model" or cpu.match == "minimum" or any(f.policy == "optional" for f in cpu.features):
        if host is None:
            raise ConfigUnsupported(
                "unknown host CPU model", domain=From.CPU, hint="name a model in <cpu>, or use mode='maximum'"
            )
        provided = features_of(host)
        decided = tuple(
            replace(f, policy="require" if x86.check_feature(f.name) in provided else "disable")
            if f.policy == "optional"
            else f
            for f in cpu.features
        )
        cpu = replace(cpu, features=decided)
        if cpu.mode == "host-model" or cpu.match == "minimum":
            cpu = _with_model_of(host, cpu)
    model = x86.model(cpu.model.name or "" if cpu.model is not None else "")
    return replace(cpu, features=_with_removed(cpu.features, model))


def _with_model_of(host: Processor, cpu: Cpu) -> Cpu:
    vendor_id = cpu.model.vendor_id if cpu.model is not None else None
    fallback = cpu.model.fallback if cpu.model is not None else "allow"
    return replace(
        cpu,
        mode="custom",
        match="exact",
        model=CpuModel(fallback=fallback, vendor_id=vendor_id, name=host.name),
        vendor=cpu.vendor if cpu.mode == "custom" else host.vendor,
        features=with_policies(host.features, cpu.features),
    )


def with_policies(features: Sequence[CpuFeature], changes: Iterable[CpuFeature]) -> tuple[CpuFeature, ...]:
    """`features` with the policies of `changes`; those not there yet come last."""
    found = {feature.name: feature for feature in features}
    found.update((change.name, change) for change in changes)
    return tuple(found.values())


def _with_removed(features: Sequence[CpuFeature], model: x86.Model) -> tuple[CpuFeature, ...]:
    named = {feature.name for feature in features}
    return (*features, *policies((), [name for name in model.removed if name not in named]))


def _translated(cpu: Cpu, known: Known | None) -> Cpu:
    """With a model that the hypervisor has."""
    assert cpu.model is not None
    name = cpu.model.name or ""
    if known is None or name in known:
        return cpu
    if cpu.model.fallback == "forbid":
        raise ConfigUnsupported(
            f"CPU model {name} is not supported by hypervisor", domain=From.CPU, hint=x86.nearest(name, known)
        )
    model = x86.model(name)
    signature = (
        x86.Signature(*model.signatures[0][:2], *(model.signatures[0][2:3] or (0,))) if model.signatures else None
    )
    found = decode(Make(features_of(processor_of(cpu)), model.vendor, signature), known=known)
    made = with_policies(policies(found.require, found.disable), cpu.features)
    return replace(cpu, model=replace(cpu.model, name=found.model), features=made)


def refuse_unknown_features(cpu: Cpu) -> None:
    """Raises ConfigUnsupported for a feature that no processor has."""
    for feature in cpu.features:
        if not x86.is_feature(feature.name):
            raise ConfigUnsupported(
                f"unknown CPU feature: {feature.name}", domain=From.CPU, hint=x86.nearest_feature(feature.name)
            )


# -- after the start ---------------------------------------------------------------------------


def as_started(cpu: Cpu, enabled: frozenset[str], disabled: frozenset[str]) -> Cpu:
    """The live <cpu>: with what QEMU has added to it and left out of it, and check='full'.

    enabled: features the guest sees. disabled: those it was to have and QEMU cannot give.
    Raises OperationFailed for check='full' when it is not as written.
    """
    if cpu.check != "full" and (cpu.mode or "custom") != "custom":
        return cpu
    written = processor_of(cpu)
    expected = features_of(written) if cpu.model is not None else _required(cpu)
    open_ended = cpu.mode in ("host-passthrough", "maximum")
    off = {feature.name for feature in cpu.features if feature.policy == "disable"}
    added = [name for name in x86.ordered(enabled - expected) if not open_ended or name in off]
    removed = x86.ordered(disabled | (expected - enabled))
    if cpu.check == "full":
        _refuse_other(added, removed)
        return cpu
    features = with_policies(cpu.features, _interleaved(added, removed))
    if cpu.model is not None and cpu.model.name is not None:
        features = _with_removed(features, x86.model(cpu.model.name))
    return replace(cpu, features=features, check="full")


def _required(cpu: Cpu) -> frozenset[str]:
    return frozenset(x86.check_feature(f.name) for f in cpu.features if f.policy in ("force", "require", None))


def _interleaved(added: Sequence[str], removed: Sequence[str]) -> list[CpuFeature]:
    policy = dict.fromkeys(added, "require") | dict.fromkeys(removed, "disable")
    made = [policies([name], []) if policy[name] == "require" else policies([], [name]) for name in x86.ordered(policy)]
    return [feature for each in made for feature in each]


def _refuse_other(added: Sequence[str], removed: Sequence[str]) -> None:
    parts = [f"extra features: {','.join(added)}"] if added else []
    parts += [f"missing features: {','.join(removed)}"] if removed else []
    if parts:
        raise OperationFailed(
            f"guest CPU doesn't match specification: {', '.join(parts)}",
            domain=From.CPU,
            hint="check='partial' lets QEMU leave out what it cannot give",
        )


def verify_invariant_tsc(cpu: Cpu, enabled: frozenset[str]) -> None:
    """Raises ConfigUnsupported when the guest was to have an invariant TSC and has none."""
    wanted = features_of(processor_of(cpu)) if cpu.model is not None else _required(cpu)
    if "invtsc" in wanted and "invtsc" not in enabled:
        raise ConfigUnsupported("host doesn't support invariant TSC", domain=From.QEMU)


__all__ = [
    "as_started",
    "expand_for_start",
    "guest_processor",
    "processor_of",
    "refuse_unknown_features",
    "updated_for_host",
    "verify_invariant_tsc",
    "with_policies",
]
