"""Virtual CPUs and I/O threads: number, pinning."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.acl import DOMAIN_CHANGE
from roost.protocol.procedure import Procedure
from roost.protocol.types import DOMAIN, STRING, TYPED_PARAM
from roost.wire.records import Record
from roost.wire.types import INT, UHYPER, UINT, Array, Opaque, Struct


class VcpuInfo(Record):
    """cpu_time: nanoseconds. cpu: where it runs, -1 when not known."""

    number: int
    state: int
    cpu_time: int
    cpu: int


class IOThreadInfo(Record):
    iothread_id: int
    cpumap: bytes


VCPU_INFO = Struct(VcpuInfo, UINT, INT, UHYPER, INT)
IOTHREAD_INFO = Struct(IOThreadInfo, UINT, Opaque(limits.CPUMAP))

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
        acl=(*DOMAIN_CHANGE, "domain:write:VIR_DOMAIN_VCPU_GUEST"),
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
        acl=DOMAIN_CHANGE,
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
        279,
        "DOMAIN_PIN_EMULATOR",
        "virDomainPinEmulator",
        args=(("dom", DOMAIN), ("cpumap", Opaque(limits.CPUMAP)), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
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
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        355,
        "DOMAIN_ADD_IOTHREAD",
        "virDomainAddIOThread",
        args=(("dom", DOMAIN), ("iothread_id", UINT), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        356,
        "DOMAIN_DEL_IOTHREAD",
        "virDomainDelIOThread",
        args=(("dom", DOMAIN), ("iothread_id", UINT), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        384,
        "DOMAIN_SET_VCPU",
        "virDomainSetVcpu",
        args=(("dom", DOMAIN), ("cpumap", STRING), ("state", INT), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
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
        acl=DOMAIN_CHANGE,
    ),
)
