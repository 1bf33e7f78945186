"""From a set of features to the model that describes it best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from roost.errors import ConfigUnsupported, From, InternalError
from roost.model.cpu import x86

#: Models that a hypervisor knows, each with the features it lacks for it.
Known = Mapping[str, Sequence[str]]

#: What the first feature to be switched off counts; each further one counts one more.
_PENALTY = 2
#: Intel family 6 models whose TSX is broken, with the stepping from which it works.
_BROKEN_TSX = {60: 16, 63: 4, 69: 16, 70: 16}


class Make(NamedTuple):
    """A processor as CPUID tells of it. vendor: as in <vendor>, "" when not known."""

    features: frozenset[str]
    vendor: str = ""
    signature: x86.Signature | None = None


class Description(NamedTuple):
    """A processor as documents tell of it: a model, with features added and taken away."""

    model: str
    vendor: str
    require: tuple[str, ...]
    disable: tuple[str, ...]

    def cost(self) -> tuple[int, int]:
        """(cost in all, cost of what is switched off)."""
        # libvirt counts while it shortens the list it walks, so only the first half of them count.
        counted = (len(self.disable) + 1) // 2
        disabled = sum(range(_PENALTY, _PENALTY + counted))
        return len(self.require) + len(self.disable) - counted + disabled, disabled


def decode(
    make: Make,
    *,
    host: bool = False,
    known: Known | None = None,
    preferred: Sequence[str] = (),
    fallback: bool = True,
    migratable: bool = False,
) -> Description:
    """The best description of a processor.

    host: without features taken away. known: the models that may be used;
    None for all. preferred: models to choose first; one alone is chosen
    whatever it costs. fallback: another will do when that one is not known.
    migratable: leave out what keeps a guest from migrating.
    Raises InternalError when no model fits, ConfigUnsupported without fallback.
    """
    features = _without_broken_tsx(make)
    best: Description | None = None
    for model in reversed(list(x86.models().values())):
        if known is not None and model.name not in known:
            if [model.name] == list(preferred) and not fallback:
                raise ConfigUnsupported(
                    f"CPU model {model.name} is not supported by hypervisor",
                    domain=From.CPU,
                    hint="virsh domcapabilities lists those that are",
                )
            continue
        if make.vendor and model.vendor and make.vendor != model.vendor:
            continue
        candidate = _describe(model, features, make.vendor, host, known[model.name] if known is not None else ())
        if not (model.for_hosts if host else model.for_guests) or (host and candidate.disable):
            continue
        if [model.name] == list(preferred):
            best = candidate
            break
        if best is None or _is_better(candidate, best, make.signature, host=host, preferred=model.name in preferred):
            best = candidate
    if best is None:
        raise InternalError("Cannot find suitable CPU model for given data", domain=From.CPU)
    if migratable:
        best = best._replace(
            require=tuple(name for name in best.require if x86.is_migratable(name)),
            disable=tuple(name for name in best.disable if x86.is_migratable(name)),
        )
    return best


def _without_broken_tsx(make: Make) -> frozenset[str]:
    signature = make.signature
    if make.vendor != "Intel" or signature is None or signature.family != 6:
        return make.features
    broken = signature.stepping < _BROKEN_TSX.get(signature.model, 0)
    return make.features - {"hle", "rtm"} if broken else make.features


def _describe(
    model: x86.Model, features: frozenset[str], vendor: str, host: bool, blockers: Sequence[str]
) -> Description:
    extra = features - model.features
    # QEMU's model may have more than ours: what it cannot give is to be switched off by name.
    missing = (model.features - features) | {name for name in blockers if x86.is_feature(name) and name not in extra}
    disable = x86.ordered(missing)
    if not host:
        disable += [name for name in model.removed if name not in extra and name not in missing]
    return Description(model.name, vendor, tuple(x86.ordered(extra)), tuple(disable))


def _is_better(
    candidate: Description, best: Description, signature: x86.Signature | None, *, host: bool, preferred: bool
) -> bool:
    if signature is not None:
        matches, matched = (x86.model(each.model).is_made_as(signature) for each in (candidate, best))
        if matches != matched:
            return matches
    if host:
        return len(candidate.require) < len(best.require)
    (cost, disabled), (best_cost, best_disabled) = candidate.cost(), best.cost()
    if cost < best_cost or (cost == best_cost and disabled < best_disabled):
        return True
    return preferred and disabled < best_disabled
