"""The host: CPUs, memory, pages, security model."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.procedure import Procedure
from roost.protocol.types import STRING, TYPED_PARAM
from roost.wire.records import Record
from roost.wire.types import INT, UHYPER, UINT, Array, Chars, FixedChars, Opaque, Struct


class NodeStat(Record):
    field: str
    value: int


NODE_STAT = Struct(NodeStat, STRING, UHYPER)

PROCEDURES = (
    Procedure(
        6,
        "NODE_GET_INFO",
        "virNodeGetInfo",
        ret=(
            ("model", FixedChars(32)),
            ("memory", UHYPER),
            ("cpus", INT),
            ("mhz", INT),
            ("nodes", INT),
            ("sockets", INT),
            ("cores", INT),
            ("threads", INT),
        ),
        acl=("connect:read",),
        high_priority=True,
    ),
    Procedure(
        101,
        "NODE_GET_CELLS_FREE_MEMORY",
        "virNodeGetCellsFreeMemory",
        args=(("start_cell", INT), ("maxcells", INT)),
        ret=(("cells", Array(UHYPER, limits.NODE_MAX_CELLS)),),
        acl=("connect:read",),
        high_priority=True,
    ),
    Procedure(
        102,
        "NODE_GET_FREE_MEMORY",
        "virNodeGetFreeMemory",
        ret=(("free_mem", UHYPER),),
        acl=("connect:read",),
        high_priority=True,
    ),
    Procedure(
        122,
        "NODE_GET_SECURITY_MODEL",
        "virNodeGetSecurityModel",
        ret=(("model", Chars(limits.SECURITY_MODEL)), ("doi", Chars(limits.SECURITY_DOI))),
        acl=("connect:read",),
        high_priority=True,
    ),
    Procedure(
        227,
        "NODE_GET_CPU_STATS",
        "virNodeGetCPUStats",
        args=(("cpu_num", INT), ("nparams", INT), ("flags", UINT)),
        ret=(("params", Array(NODE_STAT, limits.NODE_CPU_STATS)), ("nparams", INT)),
        acl=("connect:read",),
        high_priority=True,
    ),
    Procedure(
        228,
        "NODE_GET_MEMORY_STATS",
        "virNodeGetMemoryStats",
        args=(("nparams", INT), ("cell_num", INT), ("flags", UINT)),
        ret=(("params", Array(NODE_STAT, limits.NODE_MEMORY_STATS)), ("nparams", INT)),
        acl=("connect:read",),
        high_priority=True,
    ),
    Procedure(
        250,
        "NODE_SUSPEND_FOR_DURATION",
        "virNodeSuspendForDuration",
        args=(("target", UINT), ("duration", UHYPER), ("flags", UINT)),
        acl=("connect:pm_control",),
    ),
    Procedure(
        293,
        "NODE_GET_CPU_MAP",
        "virNodeGetCPUMap",
        args=(("need_map", INT), ("need_online", INT), ("flags", UINT)),
        ret=(("cpumap", Opaque(limits.CPUMAP)), ("online", UINT), ("ret", INT)),
        acl=("connect:read",),
    ),
    Procedure(
        340,
        "NODE_GET_FREE_PAGES",
        "virNodeGetFreePages",
        args=(
            ("pages", Array(UINT, limits.NODE_MAX_CELLS)),
            ("start_cell", INT),
            ("cell_count", UINT),
            ("flags", UINT),
        ),
        ret=(("counts", Array(UHYPER, limits.NODE_MAX_CELLS)),),
        acl=("connect:read",),
        high_priority=True,
    ),
    Procedure(
        347,
        "NODE_ALLOC_PAGES",
        "virNodeAllocPages",
        args=(
            ("page_sizes", Array(UINT, limits.NODE_MAX_CELLS)),
            ("page_counts", Array(UHYPER, limits.NODE_MAX_CELLS)),
            ("start_cell", INT),
            ("cell_count", UINT),
            ("flags", UINT),
        ),
        ret=(("ret", INT),),
        acl=("connect:write",),
    ),
    Procedure(
        395,
        "NODE_GET_SEV_INFO",
        "virNodeGetSEVInfo",
        args=(("nparams", INT), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.NODE_SEV_INFO)), ("nparams", INT)),
        acl=("connect:read",),
    ),
)
