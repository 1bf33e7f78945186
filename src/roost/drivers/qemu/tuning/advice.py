"""Where numad places guests whose document leaves it to numad, and how much of their memory may be locked."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from roost.drivers.qemu.guest import Guest
from roost.host.api import UNLIMITED, Host
from roost.model.domain import Domain
from roost.model.domain.cpuset import format_cpus
from roost.model.domain.devices.disk import NvmeSource
from roost.model.domain.devices.hostdev import MdevHostdev, PciHostdev

#: KiB that VFIO maps beside the memory of the guest.
_MAPPED = 1 << 20


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


def locked_memory(domain: Domain) -> int | None:
    """Bytes that the guest's process must be able to lock; -1 for any number, None for as many as any process.

    All of its memory must be where that may not be swapped out, or where devices of the host write to it.
    """
    bound = domain.memtune.hard_limit if domain.memtune is not None else None
    locked = domain.memory_backing is not None and domain.memory_backing.locked
    if not locked and not _has_vfio(domain):
        return None
    if bound is not None and bound < UNLIMITED:
        return bound * 1024
    return -1 if locked else (domain.memory + _MAPPED) * 1024


def _has_vfio(domain: Domain) -> bool:
    devices = domain.devices
    return (
        any(isinstance(each.source, PciHostdev | MdevHostdev) for each in devices.hostdevs)
        or any(each.type == "hostdev" for each in devices.interfaces)
        or any(isinstance(each.source, NvmeSource) for each in devices.disks)
    )


__all__ = ["advised", "ask", "is_wanted", "locked_memory"]
