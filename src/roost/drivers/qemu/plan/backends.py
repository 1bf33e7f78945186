"""Memory backends: the objects that hold a guest's memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.pieces import Piece, Props, compact
from roost.drivers.qemu.plan.resources import PageDirectory
from roost.model.domain.cpuset import parse_cpus
from roost.model.domain.memory import HugePage, MemoryBacking

#: KiB; huge pages of this size are none.
_SYSTEM_PAGE = 4
_POLICIES = {"strict": "bind", "preferred": "preferred", "interleave": "interleave"}
_NONE = MemoryBacking()


class Memory(NamedTuple):
    """A piece of memory as the document describes it. Sizes are in KiB.

    node: the guest's NUMA node. access, discard: what it says itself. page_size, source_nodes: of memory devices.
    path: the file that it is; lasting: on storage that lasts. board: it is the board's own. kind: "", "virtio-mem",
    "virtio-pmem" or "sgx-epc".
    """

    name: str
    size: int
    node: int | None = None
    access: str | None = None
    discard: bool | None = None
    page_size: int = 0
    source_nodes: str | None = None
    path: str | None = None
    lasting: bool = False
    align: int = 0
    board: bool = False
    kind: str = ""


class Pages(NamedTuple):
    """Huge pages of `size` KiB, 0 for the host's default. demanded: for this memory, not for all of the guest's."""

    size: int
    demanded: bool


def huge_pages(ctx: Context, memory: Memory) -> Pages | None:
    """The huge pages that `memory` is to be made of; None for the system's own."""
    if memory.page_size:
        return Pages(memory.page_size, True) if memory.page_size != _SYSTEM_PAGE else None
    backing = ctx.domain.memory_backing or _NONE
    if not backing.hugepages and not backing.pages:
        return None
    own = next((page for page in backing.pages if _is_for(page, memory.node)), None)
    found = own or next((page for page in backing.pages if page.nodeset is None), None)
    if found is None:
        return Pages(0, False) if not backing.pages else None
    return Pages(found.size, own is not None) if found.size != _SYSTEM_PAGE else None


def _is_for(page: HugePage, node: int | None) -> bool:
    return node is not None and page.nodeset is not None and node in parse_cpus(page.nodeset)


def _binding(ctx: Context, memory: Memory) -> tuple[list[int], str] | None:
    """The host's nodes that the memory comes from, and how; None where the kernel decides."""
    tune = ctx.domain.numatune
    node = next((each for each in tune.nodes if each.cellid == memory.node), None) if tune is not None else None
    common = tune.memory if tune is not None else None
    nodes = memory.source_nodes or (node.nodeset if node else common.nodeset if common else None)
    mode = (node.mode if node else common.mode if common else None) or "strict"
    if common is not None and common.placement == "auto" and memory.source_nodes is None:
        nodes = ctx.grants.nodes
    if not nodes or mode not in _POLICIES:
        return None
    return sorted(parse_cpus(nodes)), _POLICIES[mode]


def wants_prealloc(ctx: Context, memory: Memory) -> bool:
    backing = ctx.domain.memory_backing or _NONE
    if backing.allocation_mode == "immediate":
        return True
    if memory.path is not None:
        # Nothing is gained where the storage is the memory.
        return not memory.lasting and memory.kind != "virtio-pmem"
    return memory.kind == "sgx-epc" or huge_pages(ctx, memory) is not None


def is_plain(ctx: Context, memory: Memory) -> bool:
    """Whether the memory needs no object of its own: nothing is asked of it that the board cannot do itself."""
    domain = ctx.domain
    backing = domain.memory_backing or _NONE
    pages = huge_pages(ctx, memory)
    tune = domain.numatune
    tuned = tune is not None and any(node.cellid == memory.node for node in tune.nodes)
    special = memory.source_nodes or memory.path or tuned or backing.source_type in ("file", "memfd")
    return not special and not (pages is not None and pages.demanded) and _access(ctx, memory) is None


def _cell_field(ctx: Context, memory: Memory, field: str) -> object:
    return getattr(ctx.domain.cells[memory.node], field) if memory.node is not None else None


def _access(ctx: Context, memory: Memory) -> object:
    backing = ctx.domain.memory_backing or _NONE
    return memory.access or _cell_field(ctx, memory, "mem_access") or backing.access_mode


def _discard(ctx: Context, memory: Memory) -> object:
    if memory.discard is not None:
        return memory.discard
    own = _cell_field(ctx, memory, "discard")
    backing = ctx.domain.memory_backing or _NONE
    return own if own is not None else True if backing.discard else None


def backend(ctx: Context, memory: Memory) -> Iterator[Piece]:
    """The object, after the threads that fill it on its own nodes."""
    backing = ctx.domain.memory_backing or _NONE
    pages = huge_pages(ctx, memory)
    access = _access(ctx, memory)
    share = None if access is None else access == "shared"
    kind = "memory-backend-ram"
    props: Props = {}
    if memory.kind == "sgx-epc":
        kind = "memory-backend-epc"
    elif memory.path is None and backing.source_type == "memfd":
        kind = "memory-backend-memfd"
        if pages is not None:
            size = pages.size or ctx.grants.default_page
            props = {"hugetlb": True, "hugetlbsize": size * 1024}
        props["share"] = share
    elif memory.path is not None or pages is not None or access is not None or backing.source_type == "file":
        kind = "memory-backend-file"
        path = memory.path or (_page_path(ctx, pages) if pages else f"{ctx.grants.directory}/{_file(memory)}")
        props = {"mem-path": path, "share": share}
        if memory.path is None:
            props["discard-data"] = _discard(ctx, memory)
    if memory.board and kind in ("memory-backend-memfd", "memory-backend-file"):
        # The block's name in a migration stream must be the one boards without a backend give it.
        props["x-use-canonical-path-for-ramblock-id"] = False
    if memory.kind == "virtio-mem":
        props["reserve"] = False
    elif wants_prealloc(ctx, memory):
        props["prealloc"] = True
    if memory.kind != "virtio-mem":
        props["prealloc-threads"] = backing.allocation_threads
    props |= {
        "size": memory.size * 1024,
        "align": memory.align * 1024 or None,
        "pmem": True if memory.lasting else None,
    }
    binding = _binding(ctx, memory)
    if binding is not None:
        props["host-nodes"], props["policy"] = binding
        if props.get("prealloc") and ctx.caps.has("thread-context"):
            props["prealloc-context"] = f"tc-{memory.name}"
            context = {"qom-type": "thread-context", "id": f"tc-{memory.name}", "node-affinity": binding[0]}
            yield Piece("object", context)
    yield Piece("object", {"qom-type": ctx.driver(kind, kind), "id": memory.name, **compact(props)})


def _file(memory: Memory) -> str:
    """The name of the file that backs it in the guest's own directory: a memory device's is its alias."""
    return memory.name.removeprefix("mem")


def _page_path(ctx: Context, pages: Pages) -> str:
    return ctx.grants.pages.get(pages.size, "/dev/hugepages")


def page_needs(ctx: Context, memory: Memory) -> Iterator[PageDirectory]:
    backing = ctx.domain.memory_backing or _NONE
    pages = huge_pages(ctx, memory)
    if pages is not None and memory.path is None and backing.source_type != "memfd":
        yield PageDirectory(pages.size)
