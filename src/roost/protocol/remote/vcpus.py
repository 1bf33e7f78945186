"""Virtual CPUs and I/O threads: number, pinning, statistics."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.procedure import Procedure
from roost.protocol.types import DOMAIN, IOTHREAD_INFO, STRING, TYPED_PARAM, VCPU_INFO
from roost.wire.types import INT, UINT, Array, Opaque

PROCEDURES = (
    Procedure(
        18,
        "DOMAIN_GET_MAX_VCPUS",
        "virDomainGetMaxVcpus",
        args=(("dom", DOMAIN),),
        ret=(("num", INT),),
        acl=("domain:read",),
        high_priority=True,
    ),
    Procedure(
        20,
        "DOMAIN_GET_VCPUS",
        "virDomainGetVcpus",
        args=(("dom", DOMAIN), ("maxinfo", INT), ("maplen", INT)),
        ret=(("info", Array(VCPU_INFO, limits.VCPUINFO)), ("cpumaps", Opaque(limits.CPUMAPS))),
        acl=("domain:read",),
        high_priority=True,
    ),
    Procedure(
        26,
        "DOMAIN_PIN_VCPU",
        "virDomainPinVcpu",
        args=(("dom", DOMAIN), ("vcpu", UINT), ("cpumap", Opaque(limits.CPUMAP))),
        acl=("domain:write",),
    ),
    Procedure(
        32, "DOMAIN_SET_VCPUS", "virDomainSetVcpus", args=(("dom", DOMAIN), ("nvcpus", UINT)), acl=("domain:write",)
    ),
    Procedure(
        199,
        "DOMAIN_SET_VCPUS_FLAGS",
        "virDomainSetVcpusFlags",
        args=(("dom", DOMAIN), ("nvcpus", UINT), ("flags", UINT)),
        acl=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
            "domain:write:VIR_DOMAIN_VCPU_GUEST",
        ),
    ),
    Procedure(
        200,
        "DOMAIN_GET_VCPUS_FLAGS",
        "virDomainGetVcpusFlags",
        args=(("dom", DOMAIN), ("flags", UINT)),
        ret=(("num", INT),),
        acl=("domain:read", "domain:write:VIR_DOMAIN_VCPU_GUEST"),
    ),
    Procedure(
        225,
        "DOMAIN_PIN_VCPU_FLAGS",
        "virDomainPinVcpuFlags",
        args=(("dom", DOMAIN), ("vcpu", UINT), ("cpumap", Opaque(limits.CPUMAP)), ("flags", UINT)),
        acl=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
    ),
    Procedure(
        230,
        "DOMAIN_GET_VCPU_PIN_INFO",
        "virDomainGetVcpuPinInfo",
        args=(("dom", DOMAIN), ("ncpumaps", INT), ("maplen", INT), ("flags", UINT)),
        ret=(("cpumaps", Opaque(limits.CPUMAPS)), ("num", INT)),
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
        279,
        "DOMAIN_PIN_EMULATOR",
        "virDomainPinEmulator",
        args=(("dom", DOMAIN), ("cpumap", Opaque(limits.CPUMAP)), ("flags", UINT)),
        acl=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
    ),
    Procedure(
        280,
        "DOMAIN_GET_EMULATOR_PIN_INFO",
        "virDomainGetEmulatorPinInfo",
        args=(("dom", DOMAIN), ("maplen", INT), ("flags", UINT)),
        ret=(("cpumaps", Opaque(limits.CPUMAPS)), ("ret", INT)),
        acl=("domain:read",),
    ),
    Procedure(
        351,
        "DOMAIN_GET_IOTHREAD_INFO",
        "virDomainGetIOThreadInfo",
        args=(("dom", DOMAIN), ("flags", UINT)),
        ret=(("info", Array(IOTHREAD_INFO, limits.IOTHREAD_INFO)), ("ret", UINT)),
        acl=("domain:read",),
    ),
    Procedure(
        352,
        "DOMAIN_PIN_IOTHREAD",
        "virDomainPinIOThread",
        args=(("dom", DOMAIN), ("iothreads_id", UINT), ("cpumap", Opaque(limits.CPUMAP)), ("flags", UINT)),
        acl=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
    ),
    Procedure(
        355,
        "DOMAIN_ADD_IOTHREAD",
        "virDomainAddIOThread",
        args=(("dom", DOMAIN), ("iothread_id", UINT), ("flags", UINT)),
        acl=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
    ),
    Procedure(
        356,
        "DOMAIN_DEL_IOTHREAD",
        "virDomainDelIOThread",
        args=(("dom", DOMAIN), ("iothread_id", UINT), ("flags", UINT)),
        acl=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
    ),
    Procedure(
        384,
        "DOMAIN_SET_VCPU",
        "virDomainSetVcpu",
        args=(("dom", DOMAIN), ("cpumap", STRING), ("state", INT), ("flags", UINT)),
        acl=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
    ),
    Procedure(
        402,
        "DOMAIN_SET_IOTHREAD_PARAMS",
        "virDomainSetIOThreadParams",
        args=(
            ("dom", DOMAIN),
            ("iothread_id", UINT),
            ("params", Array(TYPED_PARAM, limits.DOMAIN_IOTHREAD_PARAMS)),
            ("flags", UINT),
        ),
        acl=(
            "domain:write",
            "domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE",
            "domain:save:VIR_DOMAIN_AFFECT_CONFIG",
        ),
    ),
)
