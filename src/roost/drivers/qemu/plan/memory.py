"""Memory: its size, the object behind it, and I/O threads."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.machine import ram_id
from roost.drivers.qemu.plan.pieces import Piece, compact, on_off, option
from roost.errors import ConfigUnsupported, From


def _backend(ctx: Context, name: str) -> Piece:
    domain = ctx.domain
    backing = domain.memory_backing
    source = backing.source_type if backing is not None else None
    if backing is not None and (backing.hugepages or source == "file"):
        what = "huge pages" if backing.hugepages else "files"
        raise ConfigUnsupported(
            f"memory from {what} is not supported by this driver",
            domain=From.QEMU,
            hint="use <source type='memfd'/> or drop it",
        )
    shared = backing.access_mode == "shared" if backing is not None and backing.access_mode else None
    memfd = source == "memfd"
    kind = "memory-backend-memfd" if memfd else "memory-backend-ram"
    prealloc = backing is not None and backing.allocation_mode == "immediate"
    data = {
        "qom-type": ctx.driver(kind, kind),
        "id": name,
        "share": shared,
        # The block's name in a migration stream must be the one boards without a backend give it.
        "x-use-canonical-path-for-ramblock-id": False if memfd else None,
        "prealloc": True if prealloc else None,
        "prealloc-threads": (backing.allocation_threads or None) if backing is not None and prealloc else None,
        "size": domain.memory * 1024,
    }
    return Piece("object", compact(data))


def section(ctx: Context) -> Iterator[Piece]:
    domain = ctx.domain
    if domain.cpu is not None and domain.cpu.numa:
        raise ConfigUnsupported(
            "NUMA cells are not supported by this driver", domain=From.QEMU, hint="drop <numa> from <cpu>"
        )
    if domain.max_memory is not None and domain.max_memory.slots:
        size = f"size={domain.memory}k,slots={domain.max_memory.slots},maxmem={domain.max_memory.size}k"
    else:
        size = str(domain.memory // 1024)
    yield option("-m", size)
    name = ram_id(ctx)
    if name is not None:
        yield _backend(ctx, name)
    backing = domain.memory_backing
    yield option("-overcommit", f"mem-lock={on_off(backing is not None and backing.locked)}")


def iothreads_section(ctx: Context) -> Iterator[Piece]:
    domain = ctx.domain
    for thread in domain.iothread_ids:
        data = {
            "qom-type": "iothread",
            "id": f"iothread{thread.id}",
            "thread-pool-min": thread.thread_pool_min,
            "thread-pool-max": thread.thread_pool_max,
        }
        yield Piece("object", compact(data))
    taken = {thread.id for thread in domain.iothread_ids}
    free = (number for number in range(1, (domain.iothreads or 0) + len(taken) + 1) if number not in taken)
    for _, number in zip(range((domain.iothreads or 0) - len(taken)), free, strict=False):
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
