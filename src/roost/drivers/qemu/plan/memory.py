"""Memory: its size, the objects behind it, the devices that bring more, and I/O threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from roost.drivers.qemu.plan.backends import Memory, backend, huge_pages, page_needs, wants_prealloc
from roost.drivers.qemu.plan.context import Context, alias_of, kind_of
from roost.drivers.qemu.plan.machine import ram_id
from roost.drivers.qemu.plan.numa import cells
from roost.drivers.qemu.plan.pieces import Piece, Props, compact, device, on_off, option
from roost.drivers.qemu.plan.resources import File, PageDirectory
from roost.model.domain.devices.memory import AnyMemory, Nvdimm, SgxEpc, VirtioMem, VirtioPmem

_DRIVERS = {"dimm": "pc-dimm", "nvdimm": "nvdimm", "virtio-pmem": "virtio-pmem", "virtio-mem": "virtio-mem"}


def initial_size(ctx: Context) -> int:
    """The guest's memory in KiB, without its devices."""
    return ctx.domain.memory - sum(each.size for each in ctx.domain.devices.memories)


def _board(ctx: Context) -> Memory:
    return Memory(ram_id(ctx) or "ram", initial_size(ctx), board=True)


def section(ctx: Context) -> Iterator[Piece]:
    domain = ctx.domain
    size = initial_size(ctx)
    ceiling = domain.max_memory
    if ceiling is not None and ceiling.slots:
        yield option("-m", f"size={size}k,slots={ceiling.slots},maxmem={ceiling.size}k")
    else:
        yield option("-m", str(size // 1024))
    if not domain.cells:
        yield from _whole(ctx)
    backing = domain.memory_backing
    yield option("-overcommit", f"mem-lock={on_off(backing is not None and backing.locked)}")


def _whole(ctx: Context) -> Iterator[Piece]:
    """The memory of a guest without NUMA cells."""
    board = _board(ctx)
    if ram_id(ctx) is not None:
        yield from backend(ctx, board)
        return
    # Boards that take no backend.
    backing = ctx.domain.memory_backing
    if wants_prealloc(ctx, board):
        yield option("-mem-prealloc")
    pages = huge_pages(ctx, board)
    if pages is not None:
        yield option("-mem-path", ctx.grants.pages.get(pages.size, "/dev/hugepages"))
    elif backing is not None and backing.source_type == "file":
        yield option("-mem-path", f"{ctx.grants.directory}/ram")


def iothreads_section(ctx: Context) -> Iterator[Piece]:
    domain = ctx.domain
    for thread in domain.iothread_ids:
        poll = thread.poll
        data: dict[str, Any] = {
            "qom-type": "iothread",
            "id": f"iothread{thread.id}",
            "thread-pool-min": thread.thread_pool_min,
            "thread-pool-max": thread.thread_pool_max,
        }
        if poll is not None:
            data |= {"poll-max-ns": poll.max, "poll-grow": poll.grow, "poll-shrink": poll.shrink}
        yield Piece("object", compact(data))
    if not domain.iothread_ids:
        for number in range(1, (domain.iothreads or 0) + 1):
            yield Piece("object", {"qom-type": "iothread", "id": f"iothread{number}"})
    default = domain.default_iothread
    if default is not None:
        data = {
            "qom-type": "main-loop",
            "id": "main-loop",
            "thread-pool-min": default.thread_pool_min,
            "thread-pool-max": default.thread_pool_max,
        }
        yield Piece("object", compact(data))


def globals_section(ctx: Context) -> Iterator[Piece]:
    features = ctx.domain.features
    if features is not None and features.smm and features.smm_tseg is not None:
        yield option("-global", f"mch.extended-tseg-mbytes={features.smm_tseg >> 10}")


# -- devices


def _memory(each: AnyMemory) -> Memory:
    """What backs a device."""
    return Memory(
        f"mem{alias_of(each)}",
        each.size,
        node=each.node,
        access=each.access,
        discard=each.discard,
        page_size=getattr(each, "page_size", None) or 0,
        source_nodes=getattr(each, "source_nodes", None),
        path=each.path if isinstance(each, Nvdimm | VirtioPmem) else None,
        lasting=isinstance(each, Nvdimm) and each.pmem,
        align=(each.align_size or 0) if isinstance(each, Nvdimm) else 0,
        kind=kind_of(each) if isinstance(each, VirtioMem | VirtioPmem | SgxEpc) else "",
    )


def _props(ctx: Context, each: AnyMemory) -> Props:
    model = kind_of(each)
    if isinstance(each, VirtioMem | VirtioPmem):
        props = ctx.virtio(_DRIVERS[model], each, each.driver)
    else:
        props = {"driver": ctx.driver(_DRIVERS[model], model)}
    props["node"] = each.node
    if isinstance(each, Nvdimm):
        props |= {
            "label-size": each.label_size and each.label_size * 1024,
            "uuid": each.uuid,
            "unarmed": True if each.readonly else None,
        }
    elif isinstance(each, VirtioMem):
        props |= {
            "block-size": each.block and each.block * 1024,
            "requested-size": (each.requested or 0) * 1024 or None,
            "prealloc": True if wants_prealloc(ctx, _memory(each)) else None,
            "dynamic-memslots": each.dynamic_memslots,
        }
    if isinstance(each, VirtioMem | VirtioPmem):
        props["memaddr"] = each.base
    alias = alias_of(each)
    return {**props, "memdev": f"mem{alias}", "id": alias, **ctx.address(each)}


def memory_device(each: AnyMemory, ctx: Context) -> Iterator[Piece]:
    """One device, after its memory. Enclaves' memory is part of the board."""
    yield from backend(ctx, _memory(each))
    if not isinstance(each, SgxEpc):
        yield device(_props(ctx, each))


def devices_section(ctx: Context) -> Iterator[Piece]:
    for each in ctx.domain.devices.memories:
        yield from memory_device(each, ctx)


def needs(ctx: Context) -> Iterator[File | PageDirectory]:
    memories = [*cells(ctx), *map(_memory, ctx.domain.devices.memories)]
    if not ctx.domain.cells:
        memories.append(_board(ctx))
    yield from dict.fromkeys(need for memory in memories for need in page_needs(ctx, memory))
    for each in ctx.domain.devices.memories:
        if isinstance(each, Nvdimm | VirtioPmem) and each.path:
            readonly = isinstance(each, Nvdimm) and each.readonly
            yield File(each.path, write=not readonly, user=alias_of(each))
