"""How much memory there is, NUMA cells and memory devices counted."""

from __future__ import annotations

from msgspec.structs import replace

from roost.errors import From, XmlError
from roost.model.domain.device import PciAddress
from roost.model.domain.devices.memory import AnyMemory, Dimm, Nvdimm, VirtioMem, VirtioPmem
from roost.model.domain.draft import Draft
from roost.model.domain.memory import MemoryBacking, MemTune
from roost.model.shared.identity import random_uuid

#: Limits from here on are none.
_UNLIMITED = 9007199254740991
#: POWER's memory blocks, in KiB.
_POWER_BLOCK = 256 << 10


def complete_memory(draft: Draft) -> None:
    """The guest starts with all of its memory unless told otherwise. Raises XmlError for none at all."""
    domain = draft.domain
    plugged = sum(device.size for device in draft.memories)
    in_cells = sum(cell.memory for cell in domain.cells)
    # The cells know better than <memory> does.
    total = in_cells + plugged if in_cells else domain.memory
    if plugged > total:
        raise XmlError(
            "Total size of memory devices exceeds the total memory size",
            domain=From.DOMAIN,
            hint=f"<memory> has {total} KiB, the devices {plugged} KiB of it",
        )
    if total == plugged:
        raise XmlError(
            "Memory size must be specified via <memory> or in the <numa> configuration",
            domain=From.DOMAIN,
            hint="for instance <memory unit='MiB'>512</memory>",
        )
    current = domain.current_memory
    if not current or current > total:
        current = total
    draft.changes["memory"] = total
    draft.changes["current_memory"] = current
    ceiling = domain.max_memory
    if ceiling is None:
        return
    if bool(ceiling.size) != bool(ceiling.slots):
        raise XmlError("both maximum memory size and memory slot count must be specified", domain=From.DOMAIN)
    if not ceiling.size:
        draft.changes["max_memory"] = None
    elif ceiling.size < total:
        raise XmlError(
            "maximum memory size must be equal or greater than the actual memory size",
            domain=From.DOMAIN,
            hint=f"<maxMemory> is {ceiling.size} KiB, <memory> {total} KiB",
        )


def complete_memory_devices(draft: Draft) -> None:
    draft.memories[:] = [_device(device, draft) for device in draft.memories]


def _device(device: AnyMemory, draft: Draft) -> AnyMemory:
    if isinstance(device, VirtioPmem) and device.access is None:
        # What the guest writes must reach the file.
        return replace(device, access="shared")
    if isinstance(device, VirtioMem):
        return replace(device, requested=(device.requested or 0) if device.block else None)
    if isinstance(device, Dimm | Nvdimm) and device.address == PciAddress():
        # Asks for any place, and modules have slots.
        device = replace(device, address=None)
    if draft.arch.startswith("ppc64"):
        if isinstance(device, Nvdimm):
            if device.uuid is None:
                device = replace(device, uuid=random_uuid(draft.entropy))
            return replace(device, size=_power_nvdimm(device))
        return replace(device, size=-(-device.size // _POWER_BLOCK) * _POWER_BLOCK)
    return device


def _power_nvdimm(device: Nvdimm) -> int:
    """What the guest sees ends at a whole block, and the label comes on top, all within the file."""
    label = device.label_size or 0
    seen = device.size - label
    if seen < _POWER_BLOCK:
        raise XmlError(
            "minimum target size for the NVDIMM must be 256MB plus the label size",
            domain=From.QEMU,
            hint=f"<size> has {device.size} KiB, the label {label} KiB of it",
        )
    return seen // _POWER_BLOCK * _POWER_BLOCK + label


def complete_backing(draft: Draft) -> None:
    """Limits that are none; nodes of a guest that has none."""
    domain = draft.domain
    backing = domain.memory_backing
    if backing is not None:
        if not domain.cells and any(page.nodeset == "0" for page in backing.pages):
            pages = tuple(replace(page, nodeset=None) if page.nodeset == "0" else page for page in backing.pages)
            backing = replace(backing, pages=pages)
        draft.changes["memory_backing"] = None if backing == MemoryBacking() else backing
    if domain.memtune is not None:
        limits = {
            name: None if (limit := getattr(domain.memtune, name)) is None or limit >= _UNLIMITED else limit
            for name in ("hard_limit", "soft_limit", "swap_hard_limit")
        }
        tune = replace(domain.memtune, **limits)
        draft.changes["memtune"] = None if tune == MemTune() else tune


__all__ = ["complete_backing", "complete_memory", "complete_memory_devices"]
