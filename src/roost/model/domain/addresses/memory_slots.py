"""Slots of memory modules."""

from __future__ import annotations

from msgspec.structs import replace

from roost.errors import From, InternalError
from roost.model.domain.device import DimmAddress
from roost.model.domain.devices.memory import Dimm, Nvdimm
from roost.model.domain.draft import Draft


def assign_memory_slots(draft: Draft) -> None:
    """A free slot for each module that names none, where the guest has slots. Raises InternalError."""
    ceiling = draft.domain.max_memory
    if ceiling is None or not ceiling.slots:
        return
    modules = [place for place, device in enumerate(draft.memories) if isinstance(device, Dimm | Nvdimm)]
    taken = {a.slot for place in modules if isinstance(a := draft.memories[place].address, DimmAddress)}
    free = (slot for slot in range(ceiling.slots) if slot not in taken)
    for place in modules:
        device = draft.memories[place]
        if device.address is not None:
            continue
        slot = next(free, None)
        if slot is None:
            raise InternalError(
                "failed to find an empty memory slot", domain=From.QEMU, hint=f"<maxMemory slots='{len(modules)}'>"
            )
        draft.memories[place] = replace(device, address=DimmAddress(slot=slot))


__all__ = ["assign_memory_slots"]
