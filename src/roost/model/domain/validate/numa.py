"""Rules about NUMA: the guest's nodes, and which of the host's they come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from roost.errors import ConfigUnsupported, From, InternalError, RoostError, XmlError
from roost.model.domain.cpuset import format_cpus, parse_cpus
from roost.model.domain.domain import Domain
from roost.model.domain.numa import Interconnect, NumaCell
from roost.model.domain.tuning import NumaTune
from roost.model.domain.validate.rules import Rule, Rules

_LOCAL, _UNREACHABLE = 10, 255
_MAX_CACHE_LEVEL = 3


def _wrong(text: str, hint: str = "", error: type[RoostError] = XmlError) -> RoostError:
    return error(text, domain=From.DOMAIN, hint=hint)


def check_numa(domain: Domain) -> None:
    """What libvirt refuses in <numa> and <numatune> while it reads them."""
    numa = domain.cpu.numa if domain.cpu is not None else None
    count = domain.vcpu.count if domain.vcpu is not None else 1
    if numa is not None:
        if not numa.cells:
            raise _wrong("NUMA topology defined without NUMA cells", "add a <cell> to <numa>")
        claimed = _check_cells(numa.cells)
        if sum(map(len, claimed.values())) > count:
            raise _wrong(
                "Number of CPUs in <numa> exceeds the <vcpu> count", f"<vcpu> is {count}", InternalError
            )  # fmt: skip
        if any(max(cpus, default=0) >= count for cpus in claimed.values()):
            raise _wrong("CPU IDs in <numa> exceed the <vcpu> count", f"<vcpu> is {count}", InternalError)
    if count == 0:
        raise _wrong("CPU IDs in <numa> exceed the <vcpu> count", "<vcpu> must be at least 1", InternalError)
    if domain.numatune is not None:
        _check_numatune(domain.numatune, domain)


def _check_cells(cells: tuple[NumaCell, ...]) -> dict[int, set[int]]:
    """The processors of each cell by its number."""
    claimed: dict[int, set[int]] = {}
    sized: set[int] = set()
    for place, cell in enumerate(cells):
        number = place if cell.id is None else cell.id
        if number >= len(cells):
            raise _wrong(
                "Exactly one 'cell' element per guest NUMA cell allowed, non-contiguous ranges or ranges not "
                "starting from 0 are not allowed",
                f"ids go from 0 to {len(cells) - 1}",
            )
        if number in sized:
            raise _wrong(f"Duplicate NUMA cell info for cell id '{number}'")
        cpus = parse_cpus(cell.cpus) if cell.cpus else set()
        if cpus:
            claimed[number] = cpus
        for other in sorted(claimed):
            if other != number and cpus & claimed[other]:
                raise _wrong(
                    f"NUMA cells {number} and {other} have overlapping vCPU ids",
                    f"both have {format_cpus(cpus & claimed[other])}",
                    ConfigUnsupported,
                )
        if cell.memory:
            sized.add(number)
        if any(cache.level == 0 for cache in cell.caches):
            raise _wrong(f"Invalid 'level' attribute in cache element for NUMA node {number}", "levels count from 1")
        for sibling in cell.distances:
            _check_distance(number, sibling.id, sibling.value, len(cells))
    return claimed


def _check_distance(cell: int, sibling: int, value: int, count: int) -> None:
    if sibling >= count:
        raise _wrong(f"'sibling_id {sibling}' does not refer to a valid cell within NUMA 'cell id {cell}'")
    if not _LOCAL <= value <= _UNREACHABLE or (sibling == cell) != (value == _LOCAL):
        raise _wrong(
            f"'value {value}' is invalid for 'sibling id {sibling}' under NUMA 'cell id {cell}'",
            f"{_LOCAL} for the cell itself, {_LOCAL + 1} to {_UNREACHABLE} for others",
        )


def _check_numatune(tune: NumaTune, domain: Domain) -> None:
    memory = tune.memory
    if memory is not None:
        if memory.nodeset is not None and not parse_cpus(memory.nodeset):
            raise _wrong(f"Invalid value of 'nodeset': {memory.nodeset}", error=ConfigUnsupported)
        automatic = domain.vcpu is not None and domain.vcpu.placement == "auto"
        means_static = memory.placement == "static" or (memory.placement is None and not automatic)
        if memory.nodeset is None and means_static and (memory.mode or memory.placement):
            raise _wrong(
                "nodeset for NUMA memory tuning must be set if 'placement' is 'static'",
                "add nodeset='0', or placement='auto'",
                ConfigUnsupported,
            )
    if not tune.nodes:
        return
    if (memory is not None and memory.placement == "auto") or (memory is None and _is_automatic(domain)):
        raise _wrong(
            "Per-node binding is not compatible with automatic NUMA placement.",
            "give <memory> a nodeset",
            ConfigUnsupported,
        )
    if not domain.cells:
        raise _wrong("Element 'memnode' is invalid without any guest NUMA cells", "add <numa> to <cpu>")
    seen: set[int] = set()
    for node in tune.nodes:
        if node.cellid >= len(domain.cells):
            raise _wrong("Argument 'cellid' in memnode element must correspond to existing guest's NUMA cell")
        if node.cellid in seen:
            raise _wrong(f"Multiple memnode elements with cellid {node.cellid}")
        seen.add(node.cellid)
        if memory is not None and memory.mode == "restrictive" and node.mode != "restrictive":
            raise _wrong(
                "'restrictive' mode is required in memnode element when mode is 'restrictive' in memory element"
            )
        if not parse_cpus(node.nodeset):
            raise _wrong(f"Invalid value of 'nodeset': {node.nodeset}", error=ConfigUnsupported)


def _is_automatic(domain: Domain) -> bool:
    return domain.vcpu is not None and domain.vcpu.placement == "auto"


# -- on a completed document


def links_of(d: Domain) -> tuple[Any, ...]:
    """The interconnects between the guest's nodes."""
    numa = d.cpu.numa if d.cpu is not None else None
    return numa.interconnects.links if numa is not None and numa.interconnects is not None else ()


def _levels(cell: NumaCell) -> list[int]:
    return [cache.level for cache in cell.caches]


def check_caches(domain: Domain) -> None:
    """Raises for caches that a node cannot have."""
    for cell in domain.cells:
        levels = _levels(cell)
        for place, level in enumerate(levels):
            if level > _MAX_CACHE_LEVEL:
                raise _wrong("Ain't nobody heard of that much cache level", f"levels go from 1 to {_MAX_CACHE_LEVEL}")
            if level in levels[:place]:
                raise _wrong(f"Cache level '{level}' already defined", "one <cache> a level")


def _pairs(link: Interconnect, d: Domain) -> Iterator[Interconnect]:
    """The links before this one."""
    for other in links_of(d):
        if other is link:
            return
        yield other


def _same(link: Any, other: Any) -> bool:
    fields = ("initiator", "target", "cache", "type")
    return type(link) is type(other) and all(getattr(link, field) == getattr(other, field) for field in fields)


def _link_rule(broken: Any, text: str, hint: str = "") -> Rule:
    return Rule(broken, text, hint, XmlError, From.DOMAIN)


#: On each interconnect, `{d}`.
LINK_RULES = Rules(
    _link_rule(
        lambda d, c: d.initiator >= len(c.domain.cells), "'initiator' refers to a non-existent NUMA node"
    ),
    _link_rule(lambda d, c: d.target >= len(c.domain.cells), "'target' refers to a non-existent NUMA node"),
    _link_rule(
        lambda d, c: c.domain.cells[d.initiator].cpus is None, "NUMA nodes without CPUs can't be initiator"
    ),
    _link_rule(
        lambda d, c: d.cache and d.cache not in _levels(c.domain.cells[d.target]),
        "'cache' refers to a non-existent NUMA node cache",
        "add the <cache> to the target's <cell>",
    ),
    _link_rule(
        lambda d, c: any(_same(d, other) for other in _pairs(d, c.domain)), "Duplicate info for NUMA latencies"
    ),
    _link_rule(
        lambda d, c: d.initiator != d.target
        and any((d.initiator, d.target) == (other.target, other.initiator) for other in _pairs(d, c.domain)),
        "Link already defined",
        "a link holds in both directions",
    ),
)  # fmt: skip

__all__ = ["LINK_RULES", "check_caches", "check_numa", "links_of"]
