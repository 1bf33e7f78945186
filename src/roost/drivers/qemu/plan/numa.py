"""The guest's NUMA topology: -numa."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.backends import Memory, backend, is_plain
from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.pieces import Piece, option
from roost.errors import ConfigUnsupported, From
from roost.model.domain.numa import AnyInterconnect, Latency, Numa, NumaCell

_LOCAL, _REMOTE = 10, 20
_ASSOCIATIVITY = {"none": "none", "direct": "direct", "full": "complex"}
_POLICY = {"none": "none", "writeback": "write-back", "writethrough": "write-through"}
_HIERARCHY = ("memory", "first-level", "second-level", "third-level")


def cells(ctx: Context) -> list[Memory]:
    """The memory of each node."""
    return [Memory(f"ram-node{node}", cell.memory, node=node) for node, cell in enumerate(ctx.domain.cells)]


def has_hmat(numa: Numa | None) -> bool:
    """Whether anything says how fast memory is."""
    if numa is None:
        return False
    return numa.interconnects is not None or any(cell.caches for cell in numa.cells)


def _links(numa: Numa) -> tuple[AnyInterconnect, ...]:
    return numa.interconnects.links if numa.interconnects is not None else ()


def _initiator(numa: Numa, node: int) -> int:
    """The node from which memory of `node` is fastest: itself, where it has processors."""
    if numa.cells[node].cpus is not None:
        return node
    links = [link for link in _links(numa) if link.target == node]
    latencies = [link for link in links if isinstance(link, Latency)]
    if latencies:
        return min(latencies, key=lambda link: link.value).initiator
    if links:
        return max(links, key=lambda link: link.value).initiator
    return next(number for number, cell in enumerate(numa.cells) if cell.cpus is not None)


def section(ctx: Context) -> Iterator[Piece]:
    domain = ctx.domain
    numa = domain.cpu.numa if domain.cpu is not None else None
    if numa is None or not numa.cells:
        return
    if all(cell.cpus is None for cell in numa.cells):
        raise ConfigUnsupported(
            "At least one NUMA node has to have CPUs", domain=From.QEMU, hint="cpus='0' in a <cell> of <numa>"
        )
    hmat = has_hmat(numa)
    memories = cells(ctx)
    machine = ctx.caps.machine(ctx.machine)
    inline = machine is not None and machine.numa_memory and not hmat and all(is_plain(ctx, m) for m in memories)
    for node, (cell, memory) in enumerate(zip(numa.cells, memories, strict=True)):
        if not inline:
            yield from backend(ctx, memory)
        words = [f"node,nodeid={node}", *(f"cpus={run}" for run in (cell.cpus or "").split(",") if run)]
        if hmat:
            words.append(f"initiator={_initiator(numa, node)}")
        words.append(f"mem={cell.memory // 1024}" if inline else f"memdev={memory.name}")
        yield option("-numa", ",".join(words))
    yield from _distances(numa.cells)
    if hmat:
        yield from _hmat(numa)


def _distances(every: tuple[NumaCell, ...]) -> Iterator[Piece]:
    """All of them as soon as one is not what it would be anyway."""
    known = {(here, sibling.id): sibling.value for here, cell in enumerate(every) for sibling in cell.distances}
    # A node that says something of others says it of those it leaves out, too.
    speaking = [here for here, cell in enumerate(every) if cell.distances]
    if not any(known.get((here, there)) not in (_LOCAL, _REMOTE) for here in speaking for there in range(len(every))):
        return
    for here in range(len(every)):
        for there in range(len(every)):
            usual = _LOCAL if here == there else _REMOTE
            yield option("-numa", f"dist,src={here},dst={there},val={known.get((here, there), usual)}")


def _hmat(numa: Numa) -> Iterator[Piece]:
    for link in _links(numa):
        kind, value = ("latency", link.value) if isinstance(link, Latency) else ("bandwidth", f"{link.value}K")
        words = (
            f"hmat-lb,initiator={link.initiator},target={link.target},hierarchy={_HIERARCHY[link.cache or 0]}",
            f"data-type={link.type}-{kind},{kind}={value}",
        )
        yield option("-numa", ",".join(words))
    for node, cell in enumerate(numa.cells):
        for cache in cell.caches:
            words = (
                f"hmat-cache,node-id={node},size={cache.size}K,level={cache.level}",
                f"associativity={_ASSOCIATIVITY[cache.associativity]},policy={_POLICY[cache.policy]}",
                *((f"line={cache.line}",) if cache.line else ()),
            )
            yield option("-numa", ",".join(words))


__all__ = ["cells", "has_hmat", "section"]
