"""The tables of rules about processors, memory and tuning, with what each applies to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from roost.model.domain.domain import Domain
from roost.model.domain.validate import features, machine, memory, numa, tuning
from roost.model.domain.validate.rules import Rules

Table = tuple[Rules, Sequence[Any], str]


def of_machine(domain: Domain) -> Iterator[Table]:
    """What QEMU's driver refuses before it looks at devices."""
    yield machine.RULES, (domain,), "/domain"
    yield memory.MEMTUNE_RULES, (domain,), "/domain/memtune/min_guarantee"
    if domain.cpu is not None:
        yield features.CPU_RULES, (domain.cpu,), "/domain/cpu"
    yield memory.HOTPLUG_RULES, (domain,), "/domain"
    if domain.max_memory is not None:
        yield memory.PLUGGED_RULES, domain.devices.memories, "/domain/devices/memory"
    if domain.clock is not None:
        yield machine.CLOCK_RULES, (domain.clock,), "/domain/clock"
        yield machine.TIMER_RULES, domain.clock.timers, "/domain/clock/timer"
    yield machine.TOPOLOGY_RULES, (domain,), "/domain"
    if domain.features is not None:
        yield features.FEATURE_RULES, (domain.features,), "/domain/features"
    yield memory.BACKING_RULES, (domain,), "/domain/memoryBacking"


def of_document(domain: Domain) -> Iterator[Table]:
    """What is refused of any driver's documents, after devices."""
    yield memory.DEVICE_RULES, domain.devices.memories, "/domain/devices/memory"
    yield memory.TYPE_RULES, domain.devices.memories, "/domain/devices/memory"
    if domain.resource is not None:
        yield tuning.RESOURCE_RULES, (domain.resource,), "/domain/resource"
    yield machine.LIFECYCLE_RULES, (domain,), "/domain"
    if domain.cputune is not None:
        yield tuning.CPUTUNE_RULES, (domain.cputune,), "/domain/cputune"
    if domain.idmap is not None:
        yield tuning.IDMAP_RULES, (domain.idmap,), "/domain/idmap"
    yield numa.LINK_RULES, numa.links_of(domain), "/domain/cpu/numa/interconnects/*"
    yield tuning.IOTHREAD_RULES, domain.iothread_ids, "/domain/iothreadids/iothread"
    if domain.default_iothread is not None:
        yield tuning.IOTHREAD_RULES, (domain.default_iothread,), "/domain/defaultiothread"


def check_resources(domain: Domain) -> None:
    """The rules that compare parts of the document with each other. Raises for the first that is broken."""
    memory.check_count(domain)
    memory.check_node(domain)
    memory.check_pages(domain)
    tuning.check_blkio(domain)
    numa.check_caches(domain)


def check_resources_written(domain: Domain) -> None:
    """The rules about these parts as they were written."""
    tuning.check_processors(domain)
    features.check_cpu(domain)
    numa.check_numa(domain)
    features.check_features(domain)
    tuning.check_perf(domain)
    memory.check_memory(domain)


__all__ = ["check_resources", "check_resources_written", "of_document", "of_machine"]
