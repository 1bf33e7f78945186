"""<vcpu> and <vcpus>: how many processors there are, and how many there can be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from roost.errors import InvalidArg
from roost.model.domain import Domain
from roost.model.domain.cpuset import parse_cpus
from roost.model.domain.processors import Vcpu, VcpuState


def maximum(domain: Domain) -> int:
    """How many there can be."""
    return domain.vcpu.count if domain.vcpu is not None else 1


def states(domain: Domain) -> list[VcpuState]:
    """Every processor that can be, each with its state, whether the document lists them or not."""
    if domain.vcpus:
        return list(domain.vcpus)
    count = maximum(domain)
    current = domain.vcpu.current if domain.vcpu is not None and domain.vcpu.current is not None else count
    return [VcpuState(id=n, enabled=n < current, hotpluggable=n >= current) for n in range(count)]


def with_states(domain: Domain, listed: Iterable[VcpuState]) -> Domain:
    """The document with each processor's state listed."""
    every = tuple(listed)
    return replace(domain, vcpus=every, vcpu=_counted(domain, sum(state.enabled for state in every)))


def _counted(domain: Domain, current: int) -> Vcpu:
    vcpu = domain.vcpu or Vcpu(placement="static", count=1)
    return replace(vcpu, current=None if current == vcpu.count else current)


def with_count(config: Domain, count: int, *, hotpluggable: bool) -> Domain:
    """The definition with `count` processors from the start. hotpluggable: new ones can be taken out."""
    listed = [replace(state, order=None) for state in states(config)]
    current = sum(state.enabled for state in listed)
    individual = bool(config.vcpus)
    made = []
    for state in listed:
        if state.enabled and individual and state.hotpluggable:
            hotpluggable = True
        if not state.enabled and current < count:
            state = replace(state, enabled=True, hotpluggable=hotpluggable)
            current += 1
            individual = individual or hotpluggable
        made.append(state)
    for place in range(len(made) - 1, -1, -1):
        if current > count and made[place].enabled:
            made[place] = replace(made[place], enabled=False, hotpluggable=True)
            current -= 1
    return with_states(config, made) if individual else replace(config, vcpu=_counted(config, current))


def with_maximum(config: Domain, count: int) -> Domain:
    """The definition of a guest that can have `count` processors. Raises InvalidArg where other parts say otherwise."""
    in_cells = sum(len(parse_cpus(cell.cpus)) for cell in config.cells if cell.cpus)
    if in_cells > count:
        raise InvalidArg("Number of CPUs in <numa> exceeds the desired maximum vcpu count")
    topology = config.cpu.topology if config.cpu is not None else None
    if topology is not None and _processors(topology) != count:
        raise InvalidArg(
            "CPU topology doesn't match the desired vcpu count",
            hint=f"<topology> has {_processors(topology)}",
        )
    listed = [replace(state, order=None) for state in states(config)[:count]]
    listed += [VcpuState(id=number, enabled=False, hotpluggable=True) for number in range(len(listed), count)]
    vcpu = replace(config.vcpu or Vcpu(placement="static", count=1), count=count)
    if config.vcpus:
        return with_states(replace(config, vcpu=vcpu), listed)
    return replace(config, vcpu=_counted(replace(config, vcpu=vcpu), sum(state.enabled for state in listed)))


def _processors(topology: Any) -> int:
    total = 1
    for name in ("sockets", "dies", "clusters", "cores", "threads"):
        total *= getattr(topology, name, None) or 1
    return total


__all__ = ["maximum", "states", "with_count", "with_maximum", "with_states"]
