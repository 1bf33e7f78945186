"""What the model's rules need to know, out of a binary's capabilities. Dry."""

from __future__ import annotations

import re
from collections.abc import Iterator

from roost.drivers.qemu.capabilities import Capabilities
from roost.model.domain.facts import Machine, MachineFacts

#: Models that libvirt writes in capitals.
_POWER = re.compile(r"power\d+")


def machine_facts(caps: Capabilities) -> MachineFacts:
    """The model's view of one emulator."""
    machines: dict[str, Machine] = {}
    for each in caps.machines:
        made = Machine(name=each.name, max_cpus=each.max_cpus, default_cpu=_model_name(caps, each.default_cpu))
        machines[each.name] = made
        if each.alias:
            machines[each.alias] = made
    default = caps.default_machine
    return MachineFacts(
        emulator=caps.binary,
        arch=caps.arch,
        virt_types=virt_types(caps),
        machines=machines,
        default_machine=default.name if default is not None else "",
        devices=caps.types,
        has_max_cpu=any(model.name == "max" for model in caps.cpu_models),
        protections=frozenset(_protections(caps)),
    )


def _protections(caps: Capabilities) -> Iterator[str]:
    """The kinds of <launchSecurity> that the binary has, and the host for it."""
    if caps.sev is not None:
        yield "sev"
        if "sev-snp-guest" in caps.types:
            yield "sev-snp"
    if "kvm" in caps.accelerators:
        yield from (kind for kind in ("s390-pv", "tdx") if f"{kind}-guest" in caps.types)


def _model_name(caps: Capabilities, typename: str) -> str:
    """What a document calls the processor of a QOM type; "" for emulators that do not list their models."""
    name = next((model.name for model in caps.cpu_models if model.typename == typename), "")
    return name.upper() if _POWER.fullmatch(name) else name


def virt_types(caps: Capabilities) -> frozenset[str]:
    """The <domain type> values a binary serves here."""
    return frozenset("qemu" if name == "tcg" else name for name in caps.accelerators)
