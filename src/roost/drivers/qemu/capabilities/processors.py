"""The processors that guests of an emulator can have, out of what it said. Dry."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from roost.drivers.qemu.capabilities.record import Capabilities, CpuModel, HostModel
from roost.errors import RoostError
from roost.model.cpu import x86
from roost.model.cpu.baseline import expand
from roost.model.cpu.decode import Make, decode
from roost.model.cpu.document import Processor
from roost.model.cpu.expand import guest_processor, with_policies

#: What tells of a processor's make, in CPUID's leaves 0 and 1.
_VENDOR_WORDS = ("ebx", "edx", "ecx")


def make_of_host(words: x86.Words) -> Make | None:
    """The host's own processor; None where there is no CPUID."""
    if not words:
        return None
    said = b"".join(words[0, 0, register].to_bytes(4, "little") for register in _VENDOR_WORDS)
    vendor = x86.VENDOR_NAMES.get(said.decode("latin-1"), "")
    return Make(x86.features_in(words), vendor, x86.signature_of(words[1, 0, "eax"]))


def known_models(models: tuple[CpuModel, ...]) -> Mapping[str, tuple[str, ...]]:
    """The emulator's models, each with the features it cannot have here."""
    return {model.name: tuple(map(x86.from_qemu, model.unavailable or ())) for model in models}


def _make(host: HostModel, *, migratable: bool) -> Make:
    names = host.on if migratable else host.on | host.unmigratable
    features = frozenset(name for name in map(x86.from_qemu, names) if x86.is_feature(name))
    signature = x86.Signature(host.family, host.model, host.stepping)
    return Make(features, x86.VENDOR_NAMES.get(host.vendor, ""), signature)


class GuestProcessors:
    """What <cpu> can be for guests of one emulator and domain type.

    host: the host's own processor, which accelerated guests are compared with.
    """

    def __init__(self, caps: Capabilities, virt_type: str, host: Make | None) -> None:
        self.models = caps.models_of(virt_type)
        self.host_model = caps.host_models.get(virt_type)
        self.is_x86 = caps.arch in ("x86_64", "i686")
        self._known = known_models(self.models)
        self._host = host
        self._accelerated = virt_type == "kvm"

    @property
    def known(self) -> Mapping[str, tuple[str, ...]] | None:
        """Models with what they lack; None when the emulator lists none."""
        return self._known or None

    @property
    def features(self) -> frozenset[str] | None:
        """Every feature the emulator knows, by libvirt's names; None when it does not tell."""
        host = self.host_model
        if host is None:
            return None
        return frozenset(map(x86.from_qemu, host.on | host.unmigratable | host.off))

    @property
    def migratable_features(self) -> frozenset[str] | None:
        """The same without what keeps a guest from migrating."""
        host = self.host_model
        return None if host is None else frozenset(map(x86.from_qemu, host.on | host.off))

    @functools.cached_property
    def reported(self) -> Processor | None:
        """What mode='host-model' stands for; None when there is no telling."""
        return self._decoded(migratable=False)

    @functools.cached_property
    def migratable(self) -> Processor | None:
        """The same, for a guest that may migrate: what it is started with."""
        return self._decoded(migratable=True)

    @functools.cached_property
    def full(self) -> Processor | None:
        """What a guest's requirements are compared with."""
        reported = self.reported
        if reported is None or not self._accelerated or self._host is None:
            return reported
        provided = guest_processor(decode(self._host))
        required = (each for each in expand(reported).features if each.policy == "require")
        return replace(provided, features=with_policies(provided.features, required))

    def _decoded(self, *, migratable: bool) -> Processor | None:
        if self.host_model is None or not self.is_x86:
            return None
        try:
            return guest_processor(decode(_make(self.host_model, migratable=migratable), known=self._known))
        except RoostError:
            return None


def host_processor(make: Make | None, **details: Any) -> Processor:
    """<cpu> of the host. details: further fields of Processor."""
    if make is None or make.signature is None:
        return Processor(**details)
    try:
        found = decode(make, host=True)
    except RoostError:
        return Processor(**details)
    shown = guest_processor(found)
    features = tuple(replace(each, policy=None) for each in shown.features)
    model = replace(shown.model, fallback=None) if shown.model is not None else None
    return Processor(**{"model": model, "vendor": shown.vendor, "features": features} | details)


__all__ = ["GuestProcessors", "host_processor", "known_models", "make_of_host"]
