"""The x86 tables, resolved: features by name and bit, models by name."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from roost.errors import From, InternalError
from roost.model.cpu.x86_features import FEATURES, NOT_MIGRATABLE, QEMU_NAMES
from roost.model.cpu.x86_models import ROWS

#: A word of CPUID or an MSR: (leaf, subleaf, register) to its value, as the tables name it.
Words = Mapping[tuple[int, int, str], int]

#: <vendor> to what CPUID says.
VENDORS = {"Intel": "GenuineIntel", "AMD": "AuthenticAMD", "Hygon": "HygonGenuine"}
VENDOR_NAMES = {said: name for name, said in VENDORS.items()}

#: Features that hosts have and QEMU gives no guest.
HOST_ONLY = frozenset(("cmt", "mbm_total", "mbm_local", "osxsave", "ospke"))

_POSITIONS = {feature.name: number for number, feature in enumerate(FEATURES)}
_LIBVIRT_NAMES = {theirs: ours for ours, theirs in QEMU_NAMES.items()}


class Signature(NamedTuple):
    """What CPUID says of a processor's make."""

    family: int
    model: int
    stepping: int


class Model(NamedTuple):
    """vendor: "" for any. features: what it has. removed: what it is told to leave out even so."""

    name: str
    vendor: str
    features: frozenset[str]
    removed: tuple[str, ...]
    signatures: tuple[tuple[int, ...], ...]
    for_guests: bool
    for_hosts: bool

    def is_made_as(self, signature: Signature) -> bool:
        """Whether processors of that make are what the model stands for."""
        for family, model, *steppings in self.signatures:
            if (family, model) == signature[:2]:
                return not steppings or steppings[0] <= signature.stepping <= steppings[1]
        return False


@functools.cache
def models() -> Mapping[str, Model]:
    """By name, the oldest first."""
    found: dict[str, Model] = {}
    for row in ROWS:
        base = found[row.base].features if row.base else frozenset()
        features = (base | frozenset(row.adds.split())) - frozenset(row.drops.split())
        removed = tuple(row.removed.split())
        found[row.name] = Model(row.name, row.vendor, features, removed, row.signatures, row.for_guests, row.for_hosts)
    return found


def model(name: str) -> Model:
    """Raises InternalError (as libvirt does) with the nearest names."""
    found = models().get(name)
    if found is None:
        raise InternalError(f"Unknown CPU model {name}", domain=From.CPU, hint=nearest(name, models()))
    return found


def check_feature(name: str) -> str:
    """The name itself. Raises InternalError when there is no such feature."""
    if name not in _POSITIONS:
        raise InternalError(f"Unknown CPU feature {name}", domain=From.CPU, hint=nearest(name, _POSITIONS))
    return name


def is_feature(name: str) -> bool:
    return name in _POSITIONS


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint with the names that `name` may have been meant for, or where to find them."""
    lower = {each.lower(): each for each in known}
    close = [lower[each] for each in difflib.get_close_matches(name.lower(), lower, 3, 0.5)]
    return f"did you mean {' or '.join(close)}?" if close else "virsh domcapabilities shows names that are known here"


def nearest_feature(name: str) -> str:
    """A hint with the features that `name` may have been meant for."""
    return nearest(name, _POSITIONS)


def ordered(names: Iterable[str]) -> list[str]:
    """Features as documents list them."""
    return sorted(names, key=_POSITIONS.__getitem__)


def is_migratable(name: str) -> bool:
    return name not in NOT_MIGRATABLE


def features_in(words: Words) -> frozenset[str]:
    """The features that CPUID words and MSRs tell of."""
    return frozenset(
        feature.name
        for feature in FEATURES
        if words.get((feature.leaf, feature.subleaf, feature.register), 0) >> feature.bit & 1
    )


def to_qemu(name: str) -> str:
    """QEMU's spelling of a feature."""
    return QEMU_NAMES.get(name, name)


def from_qemu(name: str) -> str:
    """libvirt's spelling of a property of QEMU's processors."""
    return _LIBVIRT_NAMES.get(name, name)


def msr_features() -> tuple[str, ...]:
    """Features that no CPUID word tells of."""
    return tuple(feature.name for feature in FEATURES if feature.register == "msr")


def signature_of(eax: int) -> Signature:
    """CPUID leaf 1's EAX, taken apart."""
    family, model, stepping = eax >> 8 & 0xF, eax >> 4 & 0xF, eax & 0xF
    if family in (6, 15):
        model |= eax >> 12 & 0xF0
    if family == 15:
        family += eax >> 20 & 0xFF
    return Signature(family, model, stepping)
