"""Sizes of memory as a guest really gets them: whole blocks."""

from __future__ import annotations

from msgspec.structs import replace

from roost.model.domain.devices.memory import AnyMemory, Nvdimm
from roost.model.domain.domain import Domain

#: In KiB: the memory of a guest, and a module of it.
_BLOCK, _MODULE = 1024, 2048
_POWER_BLOCK = 256 << 10


def _up(size: int, block: int) -> int:
    return -(-size // block) * block


def align_memory(domain: Domain) -> Domain:
    """The document of a guest that is about to start, its memory rounded up."""
    power = (domain.os.arch or "").startswith("ppc64")
    block, module = (_POWER_BLOCK, _POWER_BLOCK) if power else (_BLOCK, _MODULE)
    devices = domain.devices
    memories = tuple(_device(each, module, power=power) for each in devices.memories)
    cpu = domain.cpu
    initial = _up(domain.memory - sum(each.size for each in devices.memories), block)
    if cpu is not None and cpu.numa is not None:
        cells = tuple(replace(cell, memory=_up(cell.memory, block)) for cell in cpu.numa.cells)
        cpu = replace(cpu, numa=replace(cpu.numa, cells=cells))
        initial = sum(cell.memory for cell in cells) or initial
    ceiling = domain.max_memory
    return replace(
        domain,
        cpu=cpu,
        memory=initial + sum(each.size for each in memories),
        max_memory=replace(ceiling, size=_up(ceiling.size, block)) if ceiling is not None else None,
        devices=replace(devices, memories=memories) if memories else devices,
    )


def _device(each: AnyMemory, module: int, *, power: bool) -> AnyMemory:
    if power and isinstance(each, Nvdimm):
        # Its size was settled with its label.
        return each
    return replace(each, size=_up(each.size, module))


__all__ = ["align_memory"]
