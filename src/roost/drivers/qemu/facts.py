"""What the model's rules need to know, out of a binary's capabilities. Dry."""

from __future__ import annotations

from roost.drivers.qemu.capabilities import Capabilities
from roost.model.domain.facts import Machine, MachineFacts


def machine_facts(caps: Capabilities) -> MachineFacts:
    """The model's view of one emulator."""
    machines: dict[str, Machine] = {}
    default = ""
    for each in caps.machines:
        cpu = each.default_cpu.removesuffix(f"-{caps.arch}-cpu").removesuffix("-i386-cpu")
        made = Machine(name=each.name, max_cpus=each.max_cpus, default_cpu=cpu)
        machines[each.name] = made
        if each.alias:
            machines[each.alias] = made
        if each.is_default:
            default = each.name
    return MachineFacts(
        emulator=caps.binary,
        arch=caps.arch,
        virt_types=virt_types(caps),
        machines=machines,
        default_machine=default,
        devices=caps.types,
    )


def virt_types(caps: Capabilities) -> frozenset[str]:
    """The <domain type> values a binary serves here."""
    return frozenset("qemu" if name == "tcg" else name for name in caps.accelerators)
