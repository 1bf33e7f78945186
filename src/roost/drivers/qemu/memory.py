"""What a running guest's memory devices came to. Dry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from roost.model.domain import Domain
from roost.model.domain.device import DimmAddress
from roost.model.domain.devices.memory import AnyMemory, Dimm, Nvdimm, VirtioMem, VirtioPmem


def with_memory_devices(live: Domain, answer: object) -> Domain:
    """The live document with the places of memory in the guest's address space, and how much of it is in use.

    answer: of query-memory-devices; an error leaves the document as it is.
    """
    if not isinstance(answer, Sequence):
        return live
    found: dict[str, Mapping[str, Any]] = {each["data"].get("id", ""): each["data"] for each in answer}
    memories = tuple(_placed(each, found.get(each.alias or "", {})) for each in live.devices.memories)
    return replace(live, devices=replace(live.devices, memories=memories))


def _placed(each: AnyMemory, data: Mapping[str, Any]) -> AnyMemory:
    if isinstance(each, Dimm | Nvdimm) and "addr" in data:
        return replace(each, address=DimmAddress(slot=data["slot"], base=data["addr"]))
    if isinstance(each, VirtioMem):
        placed = replace(each, current=data.get("size", 0) // 1024)
        return replace(placed, base=data.get("memaddr", each.base))
    if isinstance(each, VirtioPmem):
        return replace(each, base=data.get("memaddr", each.base))
    return each


def with_balloon(live: Domain, answer: object) -> Domain:
    """The live document with the memory that the guest has now: all of it, until its driver has given some back.

    answer: of query-balloon; an error leaves the document as it is.
    """
    if not isinstance(answer, Mapping):
        return live
    return replace(live, current_memory=int(answer["actual"]) // 1024)


__all__ = ["with_balloon", "with_memory_devices"]
