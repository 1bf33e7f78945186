"""PCI functions of a mainframe's guest: each is told apart by numbers of its own, which a device before it brings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from roost.drivers.qemu.plan.pieces import Piece, device
from roost.model.domain import Domain
from roost.model.domain.device import PciAddress, Zpci
from roost.model.domain.devices import PLACED_CLASSES

Numbers = dict[str, Zpci]


def numbers(domain: Domain) -> Numbers:
    """The numbers of the devices that have some, by alias."""
    found: Numbers = {}
    for field, _ in PLACED_CLASSES:
        listed = getattr(domain.devices, field)
        for each in listed if isinstance(listed, tuple) else (listed,):
            address = each.address if each is not None else None
            if isinstance(address, PciAddress) and address.zpci is not None and each.alias is not None:
                found[each.alias] = address.zpci
    return found


def with_numbers(pieces: Iterable[Piece], known: Numbers) -> Iterator[Piece]:
    """`pieces`, each function preceded by its numbers."""
    for piece in pieces:
        zpci = known.get(str(piece.data.get("id"))) if piece.kind == "device" else None
        if zpci is not None:
            name = f"zpci{zpci.uid}"
            yield device({"driver": "zpci", "uid": zpci.uid, "fid": zpci.fid, "target": piece.data["id"], "id": name})
        yield piece


__all__ = ["Numbers", "numbers", "with_numbers"]
