"""Resource parameters of a domain: scheduler, memory, block I/O, NUMA, interfaces, perf events."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.acl import DOMAIN_CHANGE
from roost.protocol.procedure import Procedure
from roost.protocol.types import DOMAIN, STRING, TYPED_PARAM
from roost.wire.types import INT, UINT, Array

PROCEDURES = (
    Procedure(
        56,
        "DOMAIN_GET_SCHEDULER_TYPE",
        "virDomainGetSchedulerType",
        args=(("dom", DOMAIN),),
        ret=(("type", STRING), ("nparams", INT)),
        acl=("domain:read",),
    ),
    Procedure(
        57,
        "DOMAIN_GET_SCHEDULER_PARAMETERS",
        "virDomainGetSchedulerParameters",
        args=(("dom", DOMAIN), ("nparams", INT)),
        ret=(("params", Array(TYPED_PARAM, limits.DOMAIN_SCHEDULER_PARAMETERS)),),
        acl=("domain:read",),
    ),
    Procedure(
        58,
        "DOMAIN_SET_SCHEDULER_PARAMETERS",
        "virDomainSetSchedulerParameters",
        args=(("dom", DOMAIN), ("params", Array(TYPED_PARAM, limits.DOMAIN_SCHEDULER_PARAMETERS))),
        acl=("domain:read",),
    ),
    Procedure(
        197,
        "DOMAIN_SET_MEMORY_PARAMETERS",
        "virDomainSetMemoryParameters",
        args=(("dom", DOMAIN), ("params", Array(TYPED_PARAM, limits.DOMAIN_MEMORY_PARAMETERS)), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        198,
        "DOMAIN_GET_MEMORY_PARAMETERS",
        "virDomainGetMemoryParameters",
        args=(("dom", DOMAIN), ("nparams", INT), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.DOMAIN_MEMORY_PARAMETERS)), ("nparams", INT)),
        acl=("domain:read",),
    ),
    Procedure(
        205,
        "DOMAIN_SET_BLKIO_PARAMETERS",
        "virDomainSetBlkioParameters",
        args=(("dom", DOMAIN), ("params", Array(TYPED_PARAM, limits.DOMAIN_BLKIO_PARAMETERS)), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        206,
        "DOMAIN_GET_BLKIO_PARAMETERS",
        "virDomainGetBlkioParameters",
        args=(("dom", DOMAIN), ("nparams", INT), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.DOMAIN_BLKIO_PARAMETERS)), ("nparams", INT)),
        acl=("domain:read",),
    ),
    Procedure(
        219,
        "DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS",
        "virDomainSetSchedulerParametersFlags",
        args=(("dom", DOMAIN), ("params", Array(TYPED_PARAM, limits.DOMAIN_SCHEDULER_PARAMETERS)), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        223,
        "DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS",
        "virDomainGetSchedulerParametersFlags",
        args=(("dom", DOMAIN), ("nparams", INT), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.DOMAIN_SCHEDULER_PARAMETERS)),),
        acl=("domain:read",),
    ),
    Procedure(
        254,
        "DOMAIN_SET_NUMA_PARAMETERS",
        "virDomainSetNumaParameters",
        args=(("dom", DOMAIN), ("params", Array(TYPED_PARAM, limits.DOMAIN_NUMA_PARAMETERS)), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        255,
        "DOMAIN_GET_NUMA_PARAMETERS",
        "virDomainGetNumaParameters",
        args=(("dom", DOMAIN), ("nparams", INT), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.DOMAIN_NUMA_PARAMETERS)), ("nparams", INT)),
        acl=("domain:read",),
    ),
    Procedure(
        256,
        "DOMAIN_SET_INTERFACE_PARAMETERS",
        "virDomainSetInterfaceParameters",
        args=(
            ("dom", DOMAIN),
            ("device", STRING),
            ("params", Array(TYPED_PARAM, limits.DOMAIN_INTERFACE_PARAMETERS)),
            ("flags", UINT),
        ),
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        257,
        "DOMAIN_GET_INTERFACE_PARAMETERS",
        "virDomainGetInterfaceParameters",
        args=(("dom", DOMAIN), ("device", STRING), ("nparams", INT), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.DOMAIN_INTERFACE_PARAMETERS)), ("nparams", INT)),
        acl=("domain:read",),
    ),
    Procedure(
        288,
        "NODE_SET_MEMORY_PARAMETERS",
        "virNodeSetMemoryParameters",
        args=(("params", Array(TYPED_PARAM, limits.NODE_MEMORY_PARAMETERS)), ("flags", UINT)),
        acl=("connect:write",),
    ),
    Procedure(
        289,
        "NODE_GET_MEMORY_PARAMETERS",
        "virNodeGetMemoryParameters",
        args=(("nparams", INT), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.NODE_MEMORY_PARAMETERS)), ("nparams", INT)),
        acl=("connect:read",),
    ),
    Procedure(
        365,
        "DOMAIN_GET_PERF_EVENTS",
        "virDomainGetPerfEvents",
        args=(("dom", DOMAIN), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.DOMAIN_PERF_EVENTS)),),
        acl=("domain:read",),
    ),
    Procedure(
        366,
        "DOMAIN_SET_PERF_EVENTS",
        "virDomainSetPerfEvents",
        args=(("dom", DOMAIN), ("params", Array(TYPED_PARAM, limits.DOMAIN_PERF_EVENTS)), ("flags", UINT)),
        acl=("domain:write",),
    ),
)
