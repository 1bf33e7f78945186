"""Whether a host can run a guest's processor, and how much more it has."""

from __future__ import annotations

from roost.constants import cpu as C
from roost.errors import CpuIncompatible, From
from roost.model.cpu import x86
from roost.model.cpu.arches import is_x86
from roost.model.cpu.document import Processor


def features_of(cpu: Processor) -> frozenset[str]:
    """What the processor has: its model's features with those added and without those taken away.

    Raises InternalError for a model or feature that is not known.
    """
    features = set(x86.model(cpu.name).features if cpu.name is not None else ())
    for feature in cpu.features:
        policy = "require" if cpu.is_host else feature.policy or "require"
        name = x86.check_feature(feature.name)
        if policy in ("force", "require"):
            features.add(name)
        elif policy in ("disable", "forbid"):
            features.discard(name)
    return frozenset(features)


def _named(cpu: Processor, policy: str) -> frozenset[str]:
    """The features under one policy; the model's own are required."""
    wanted: set[str] = set()
    if policy == "require" and cpu.name is not None:
        wanted |= x86.model(cpu.name).features
    for feature in cpu.features:
        if ("require" if cpu.is_host else feature.policy or "require") == policy:
            wanted.add(x86.check_feature(feature.name))
    return frozenset(wanted)


def compare(host: Processor, cpu: Processor, *, fail: bool = False) -> int:
    """COMPARE_INCOMPATIBLE, COMPARE_IDENTICAL or COMPARE_SUPERSET (the host has more).

    fail: raise CpuIncompatible, which says why, instead of the first.
    Raises InternalError for unknown names.
    """
    result, reason = _compute(host, cpu)
    if result == C.COMPARE_INCOMPATIBLE and fail:
        raise CpuIncompatible(reason, domain=From.CPU)
    return result


def _compute(host: Processor, cpu: Processor) -> tuple[int, str]:
    if host.name is None:
        return C.COMPARE_INCOMPATIBLE, "unknown host CPU"
    if cpu.arch is not None and not is_x86(cpu.arch):
        return C.COMPARE_INCOMPATIBLE, f"CPU arch {cpu.arch} does not match host arch"
    if cpu.vendor is not None and cpu.vendor != host.vendor:
        return C.COMPARE_INCOMPATIBLE, f"host CPU vendor does not match required CPU vendor {cpu.vendor}"
    provided = features_of(host)
    force, require, optional, disable, forbid = (
        _named(cpu, policy) for policy in ("force", "require", "optional", "disable", "forbid")
    )
    if forbid & provided:
        return C.COMPARE_INCOMPATIBLE, f"Host CPU provides forbidden features: {_listed(forbid & provided)}"
    require -= force | optional | disable
    if not require <= provided:
        return C.COMPARE_INCOMPATIBLE, f"Host CPU does not provide required features: {_listed(require - provided)}"
    extra = provided - optional - require - disable - force
    if extra and not cpu.is_host and cpu.match == "strict":
        return (
            C.COMPARE_INCOMPATIBLE,
            f"Host CPU does not strictly match guest CPU: Extra features: {_listed(extra)}",
        )
    return (C.COMPARE_SUPERSET if extra else C.COMPARE_IDENTICAL), ""


def _listed(names: frozenset[str]) -> str:
    return ", ".join(x86.ordered(names))
