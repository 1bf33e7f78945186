"""The host and the hypervisor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from roost.contract.node import Node, NodeInfo, Processors
from roost.errors import From, InvalidArg, RpcError
from roost.rpc.routes import Row, Values, fields, one, row

if TYPE_CHECKING:
    from roost.rpc.session import Session

#: NUMA cells whose free memory one reply may hold.
MAX_CELLS = 1024

_MODEL_SIZE = 32


def _node_info(info: NodeInfo) -> Values:
    model = info.model.encode("utf-8", "replace")[: _MODEL_SIZE - 1].ljust(_MODEL_SIZE, b"\0")
    return (model, *info[1:])


def _c_strings(texts: Sequence[str]) -> Values:
    return [text.encode() + b"\0" for text in texts]


def _cells(values: Values) -> Values:
    start, count = values
    if not 0 <= count <= MAX_CELLS:
        raise RpcError("maxcells > REMOTE_NODE_MAX_CELLS" if count > 0 else "maxcells must be non-negative")
    return start, count


def _counted(statistics: Sequence[tuple[str, int]], wanted: int, api: str) -> Values:
    """A client first asks with room for nothing, to learn how many there are."""
    if wanted == 0:
        return (), len(statistics)
    if wanted != len(statistics):
        message = f"nparams in {api} must be equal to {len(statistics)}"
        raise InvalidArg.from_wire(InvalidArg.code, From.NONE, message, str1=api, str2="nparams", int1=0, int2=0)
    return statistics, len(statistics)


def _cpu_stats(session: Session, values: Values) -> Values:
    cpu, wanted, flags = values
    return _counted(session.backend.get(Node).cpu_stats(cpu, flags), wanted, "virNodeGetCPUStats")


def _memory_stats(session: Session, values: Values) -> Values:
    wanted, cell, flags = values
    return _counted(session.backend.get(Node).memory_stats(cell, flags), wanted, "virNodeGetMemoryStats")


def _cpu_map(session: Session, values: Values) -> Values:
    need_map, need_online, flags = values
    bitmap, online, present = session.backend.get(Node).cpu_map(flags)
    return bitmap if need_map else b"", online if need_online else 0, present


def _cpu_models(session: Session, values: Values) -> Values:
    arch, need_results, flags = values
    names = session.backend.get(Processors).model_names(arch, flags)
    return names if need_results else (), len(names)


ROWS = (
    row("CONNECT_GET_VERSION", Node, "version", one),
    row("CONNECT_GET_HOSTNAME", Node, "hostname", one),
    row("CONNECT_GET_CAPABILITIES", Node, "capabilities", one),
    row("CONNECT_GET_DOMAIN_CAPABILITIES", Node, "domain_capabilities", one),
    row("CONNECT_GET_MAX_VCPUS", Node, "max_vcpus", one),
    row("CONNECT_GET_SYSINFO", Node, "sysinfo", one),
    Row("CONNECT_GET_CPU_MODEL_NAMES", _cpu_models, fields),
    row("CONNECT_COMPARE_CPU", Processors, "compare", one),
    row("CONNECT_BASELINE_CPU", Processors, "baseline", one),
    row("CONNECT_COMPARE_HYPERVISOR_CPU", Processors, "compare_hypervisor", one),
    row("CONNECT_BASELINE_HYPERVISOR_CPU", Processors, "baseline_hypervisor", one),
    row("NODE_GET_INFO", Node, "info", _node_info),
    row("NODE_GET_FREE_MEMORY", Node, "free_memory", one),
    row("NODE_GET_CELLS_FREE_MEMORY", Node, "cells_free_memory", one, _cells),
    row("NODE_GET_SECURITY_MODEL", Node, "security_model", _c_strings),
    Row("NODE_GET_CPU_STATS", _cpu_stats, fields),
    Row("NODE_GET_MEMORY_STATS", _memory_stats, fields),
    Row("NODE_GET_CPU_MAP", _cpu_map, fields),
)
