"""Where numad places guests whose document leaves it to numad."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from roost.drivers.qemu.guest import Guest
from roost.host.api import Host
from roost.model.domain import Domain
from roost.model.domain.cpuset import format_cpus


def is_wanted(domain: Domain) -> bool:
    """Whether numad is to be asked."""
    memory = domain.numatune.memory if domain.numatune is not None else None
    by_processors = domain.vcpu is not None and domain.vcpu.placement == "auto" and domain.vcpu.cpuset is None
    return by_processors or (memory is not None and memory.placement == "auto")


async def ask(host: Host, guest: Guest, domain: Domain) -> None:
    """Ask for the nodes, if the document leaves them to numad. Raises OperationFailed without an answer."""
    if is_wanted(domain):
        count = domain.vcpu.count if domain.vcpu is not None else 1
        guest.facts.advice = await asyncio.to_thread(host.hardware.placement, count, domain.memory)


def advised(host: Host, guest: Guest, domain: Domain) -> Domain:
    """The document as if it named the nodes itself; the same for a guest that numad was not asked for."""
    if not guest.facts.advice:
        return domain
    vcpu, numatune = domain.vcpu, domain.numatune
    if vcpu is not None and vcpu.placement == "auto":
        cpus = {cpu for cell in host.hardware.cells() if cell.id in guest.facts.advice for cpu in cell.cpus}
        vcpu = replace(vcpu, cpuset=format_cpus(cpus))
    if numatune is not None and numatune.memory is not None and numatune.memory.placement == "auto":
        numatune = replace(numatune, memory=replace(numatune.memory, nodeset=format_cpus(set(guest.facts.advice))))
    return replace(domain, vcpu=vcpu, numatune=numatune)


__all__ = ["advised", "ask", "is_wanted"]
