"""NUMA cells of the guest: their numbers, the processors nobody claimed, distances in both directions."""

from __future__ import annotations

from msgspec.structs import replace

from roost.model.domain.cpuset import format_cpus, parse_cpus
from roost.model.domain.numa import NumaCell, NumaSibling

_LOCAL_DISTANCE = 10
#: Beyond this the machine's own limit refuses.
_MAX_VCPUS = 16384


def complete_cells(cells: tuple[NumaCell, ...], vcpus: int) -> tuple[NumaCell, ...]:
    """The cells by number, with all `vcpus` processors in one of them."""
    numbered = sorted(
        (cell if cell.id is not None else replace(cell, id=place) for place, cell in enumerate(cells)),
        key=lambda cell: cell.id or 0,
    )
    claimed = [parse_cpus(cell.cpus) if cell.cpus else set[int]() for cell in numbered]
    if vcpus <= _MAX_VCPUS and claimed:
        claimed[0] |= set(range(vcpus)) - set().union(*claimed)
    distances = _distances(numbered)
    return tuple(
        replace(cell, cpus=format_cpus(cpus) or None, distances=distances.get(cell.id or 0, ()))
        for cell, cpus in zip(numbered, claimed, strict=True)
    )


def _distances(cells: list[NumaCell]) -> dict[int, tuple[NumaSibling, ...]]:
    """What one cell says of another holds the other way too, unless that says otherwise."""
    values: dict[int, dict[int, int]] = {}
    for cell in cells:
        here = cell.id or 0
        for sibling in cell.distances:
            values.setdefault(here, {here: _LOCAL_DISTANCE})[sibling.id] = sibling.value
    for cell in cells:
        here = cell.id or 0
        for sibling in cell.distances:
            values.setdefault(sibling.id, {sibling.id: _LOCAL_DISTANCE}).setdefault(here, sibling.value)
    return {
        here: tuple(NumaSibling(id=there, value=value) for there, value in sorted(known.items()))
        for here, known in values.items()
    }


__all__ = ["complete_cells"]
