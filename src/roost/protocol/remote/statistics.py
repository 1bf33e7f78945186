"""Statistics of domains and their devices."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.acl import DOMAIN_CHANGE
from roost.protocol.procedure import Procedure
from roost.protocol.types import DOMAIN, STRING, TYPED_PARAM, Domain, TypedParam
from roost.wire.records import Record
from roost.wire.types import HYPER, INT, UHYPER, UINT, Array, Struct


class MemoryStat(Record):
    tag: int
    val: int


class DiskError(Record):
    disk: str
    error: int


class DomainStats(Record):
    dom: Domain
    params: list[TypedParam]


MEMORY_STAT = Struct(MemoryStat, INT, UHYPER)
DISK_ERROR = Struct(DiskError, STRING, INT)
DOMAIN_STATS = Struct(DomainStats, DOMAIN, Array(TYPED_PARAM, limits.CONNECT_GET_ALL_DOMAIN_STATS))

PROCEDURES = (
    Procedure(
        64,
        "DOMAIN_BLOCK_STATS",
        "virDomainBlockStats",
        args=(("dom", DOMAIN), ("path", STRING)),
        ret=(("rd_req", HYPER), ("rd_bytes", HYPER), ("wr_req", HYPER), ("wr_bytes", HYPER), ("errs", HYPER)),
        acl=("domain:read",),
    ),
    Procedure(
        65,
        "DOMAIN_INTERFACE_STATS",
        "virDomainInterfaceStats",
        args=(("dom", DOMAIN), ("device", STRING)),
        ret=(
            ("rx_bytes", HYPER),
            ("rx_packets", HYPER),
            ("rx_errs", HYPER),
            ("rx_drop", HYPER),
            ("tx_bytes", HYPER),
            ("tx_packets", HYPER),
            ("tx_errs", HYPER),
            ("tx_drop", HYPER),
        ),
        acl=("domain:read",),
        high_priority=True,
    ),
    Procedure(
        159,
        "DOMAIN_MEMORY_STATS",
        "virDomainMemoryStats",
        args=(("dom", DOMAIN), ("max_stats", UINT), ("flags", UINT)),
        ret=(("stats", Array(MEMORY_STAT, limits.DOMAIN_MEMORY_STATS)),),
        acl=("domain:read",),
    ),
    Procedure(
        194,
        "DOMAIN_GET_BLOCK_INFO",
        "virDomainGetBlockInfo",
        args=(("dom", DOMAIN), ("path", STRING), ("flags", UINT)),
        ret=(("allocation", UHYPER), ("capacity", UHYPER), ("physical", UHYPER)),
        acl=("domain:read",),
    ),
    Procedure(
        243,
        "DOMAIN_BLOCK_STATS_FLAGS",
        "virDomainBlockStatsFlags",
        args=(("dom", DOMAIN), ("path", STRING), ("nparams", INT), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.DOMAIN_BLOCK_STATS_PARAMETERS)), ("nparams", INT)),
        acl=("domain:read",),
    ),
    Procedure(
        262,
        "DOMAIN_GET_CPU_STATS",
        "virDomainGetCPUStats",
        args=(("dom", DOMAIN), ("nparams", UINT), ("start_cpu", INT), ("ncpus", UINT), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.DOMAIN_GET_CPU_STATS)), ("nparams", INT)),
        acl=("domain:read",),
    ),
    Procedure(
        263,
        "DOMAIN_GET_DISK_ERRORS",
        "virDomainGetDiskErrors",
        args=(("dom", DOMAIN), ("maxerrors", UINT), ("flags", UINT)),
        ret=(("errors", Array(DISK_ERROR, limits.DOMAIN_DISK_ERRORS)), ("nerrors", INT)),
        acl=("domain:read",),
    ),
    Procedure(
        308,
        "DOMAIN_SET_MEMORY_STATS_PERIOD",
        "virDomainSetMemoryStatsPeriod",
        args=(("dom", DOMAIN), ("period", INT), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        344,
        "CONNECT_GET_ALL_DOMAIN_STATS",
        "virConnectGetAllDomainStats",
        args=(("doms", Array(DOMAIN, limits.DOMAIN_LIST)), ("stats", UINT), ("flags", UINT)),
        ret=(("ret_stats", Array(DOMAIN_STATS, limits.DOMAIN_LIST)),),
        acl=("connect:search_domains",),
    ),
)
