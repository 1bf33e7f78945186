"""Domain events: registration and messages."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.procedure import Procedure
from roost.protocol.types import DOMAIN, OPTIONAL_DOMAIN, OPTIONAL_STRING, STRING, TYPED_PARAM
from roost.wire.records import Record
from roost.wire.types import HYPER, INT, UHYPER, UINT, Array, Struct


class GraphicsAddress(Record):
    family: int
    node: str
    service: str


class GraphicsIdentity(Record):
    type: str
    name: str


GRAPHICS_ADDRESS = Struct(GraphicsAddress, INT, STRING, STRING)
GRAPHICS_IDENTITY = Struct(GraphicsIdentity, STRING, STRING)

PROCEDURES = (
    Procedure(
        105,
        "CONNECT_DOMAIN_EVENT_REGISTER",
        "virConnectDomainEventRegister",
        ret=(("cb_registered", INT),),
        acl=("connect:search_domains",),
        high_priority=True,
    ),
    Procedure(
        106,
        "CONNECT_DOMAIN_EVENT_DEREGISTER",
        "virConnectDomainEventDeregister",
        ret=(("cb_registered", INT),),
        acl=("connect:read",),
        high_priority=True,
    ),
    Procedure(107, "DOMAIN_EVENT_LIFECYCLE", msg=(("dom", DOMAIN), ("event", INT), ("detail", INT))),
    Procedure(
        167,
        "CONNECT_DOMAIN_EVENT_REGISTER_ANY",
        "virConnectDomainEventRegisterAny",
        args=(("event_id", INT),),
        acl=("connect:search_domains",),
        high_priority=True,
    ),
    Procedure(
        168,
        "CONNECT_DOMAIN_EVENT_DEREGISTER_ANY",
        "virConnectDomainEventDeregisterAny",
        args=(("event_id", INT),),
        acl=("connect:read",),
        high_priority=True,
    ),
    Procedure(169, "DOMAIN_EVENT_REBOOT", msg=(("dom", DOMAIN),)),
    Procedure(170, "DOMAIN_EVENT_RTC_CHANGE", msg=(("dom", DOMAIN), ("offset", HYPER))),
    Procedure(171, "DOMAIN_EVENT_WATCHDOG", msg=(("dom", DOMAIN), ("action", INT))),
    Procedure(
        172,
        "DOMAIN_EVENT_IO_ERROR",
        msg=(("dom", DOMAIN), ("src_path", STRING), ("dev_alias", STRING), ("action", INT)),
    ),
    Procedure(
        173,
        "DOMAIN_EVENT_GRAPHICS",
        msg=(
            ("dom", DOMAIN),
            ("phase", INT),
            ("local", GRAPHICS_ADDRESS),
            ("remote", GRAPHICS_ADDRESS),
            ("auth_scheme", STRING),
            ("subject", Array(GRAPHICS_IDENTITY, limits.DOMAIN_EVENT_GRAPHICS_IDENTITY)),
        ),
    ),
    Procedure(
        195,
        "DOMAIN_EVENT_IO_ERROR_REASON",
        msg=(("dom", DOMAIN), ("src_path", STRING), ("dev_alias", STRING), ("action", INT), ("reason", STRING)),
    ),
    Procedure(224, "DOMAIN_EVENT_CONTROL_ERROR", msg=(("dom", DOMAIN),)),
    Procedure(241, "DOMAIN_EVENT_BLOCK_JOB", msg=(("dom", DOMAIN), ("path", STRING), ("type", INT), ("status", INT))),
    Procedure(
        248,
        "DOMAIN_EVENT_DISK_CHANGE",
        msg=(
            ("dom", DOMAIN),
            ("old_src_path", OPTIONAL_STRING),
            ("new_src_path", OPTIONAL_STRING),
            ("dev_alias", STRING),
            ("reason", INT),
        ),
    ),
    Procedure(268, "DOMAIN_EVENT_TRAY_CHANGE", msg=(("dom", DOMAIN), ("dev_alias", STRING), ("reason", INT))),
    Procedure(269, "DOMAIN_EVENT_PMWAKEUP", msg=(("dom", DOMAIN),)),
    Procedure(270, "DOMAIN_EVENT_PMSUSPEND", msg=(("dom", DOMAIN),)),
    Procedure(276, "DOMAIN_EVENT_BALLOON_CHANGE", msg=(("dom", DOMAIN), ("actual", UHYPER))),
    Procedure(292, "DOMAIN_EVENT_PMSUSPEND_DISK", msg=(("dom", DOMAIN),)),
    Procedure(311, "DOMAIN_EVENT_DEVICE_REMOVED", msg=(("dom", DOMAIN), ("dev_alias", STRING))),
    Procedure(
        316,
        "CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY",
        "virConnectDomainEventRegisterAny",
        args=(("event_id", INT), ("dom", OPTIONAL_DOMAIN)),
        ret=(("callback_id", INT),),
        acl=("connect:search_domains",),
        high_priority=True,
    ),
    Procedure(
        317,
        "CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY",
        "virConnectDomainEventDeregisterAny",
        args=(("callback_id", INT),),
        acl=("connect:read",),
        high_priority=True,
    ),
    Procedure(
        318,
        "DOMAIN_EVENT_CALLBACK_LIFECYCLE",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("event", INT), ("detail", INT)),
    ),
    Procedure(319, "DOMAIN_EVENT_CALLBACK_REBOOT", msg=(("callback_id", INT), ("dom", DOMAIN))),
    Procedure(320, "DOMAIN_EVENT_CALLBACK_RTC_CHANGE", msg=(("callback_id", INT), ("dom", DOMAIN), ("offset", HYPER))),
    Procedure(321, "DOMAIN_EVENT_CALLBACK_WATCHDOG", msg=(("callback_id", INT), ("dom", DOMAIN), ("action", INT))),
    Procedure(
        322,
        "DOMAIN_EVENT_CALLBACK_IO_ERROR",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("src_path", STRING), ("dev_alias", STRING), ("action", INT)),
    ),
    Procedure(
        323,
        "DOMAIN_EVENT_CALLBACK_GRAPHICS",
        msg=(
            ("callback_id", INT),
            ("dom", DOMAIN),
            ("phase", INT),
            ("local", GRAPHICS_ADDRESS),
            ("remote", GRAPHICS_ADDRESS),
            ("auth_scheme", STRING),
            ("subject", Array(GRAPHICS_IDENTITY, limits.DOMAIN_EVENT_GRAPHICS_IDENTITY)),
        ),
    ),
    Procedure(
        324,
        "DOMAIN_EVENT_CALLBACK_IO_ERROR_REASON",
        msg=(
            ("callback_id", INT),
            ("dom", DOMAIN),
            ("src_path", STRING),
            ("dev_alias", STRING),
            ("action", INT),
            ("reason", STRING),
        ),
    ),
    Procedure(325, "DOMAIN_EVENT_CALLBACK_CONTROL_ERROR", msg=(("callback_id", INT), ("dom", DOMAIN))),
    Procedure(
        326,
        "DOMAIN_EVENT_CALLBACK_BLOCK_JOB",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("path", STRING), ("type", INT), ("status", INT)),
    ),
    Procedure(
        327,
        "DOMAIN_EVENT_CALLBACK_DISK_CHANGE",
        msg=(
            ("callback_id", INT),
            ("dom", DOMAIN),
            ("old_src_path", OPTIONAL_STRING),
            ("new_src_path", OPTIONAL_STRING),
            ("dev_alias", STRING),
            ("reason", INT),
        ),
    ),
    Procedure(
        328,
        "DOMAIN_EVENT_CALLBACK_TRAY_CHANGE",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("dev_alias", STRING), ("reason", INT)),
    ),
    Procedure(329, "DOMAIN_EVENT_CALLBACK_PMWAKEUP", msg=(("callback_id", INT), ("reason", INT), ("dom", DOMAIN))),
    Procedure(330, "DOMAIN_EVENT_CALLBACK_PMSUSPEND", msg=(("callback_id", INT), ("reason", INT), ("dom", DOMAIN))),
    Procedure(
        331, "DOMAIN_EVENT_CALLBACK_BALLOON_CHANGE", msg=(("callback_id", INT), ("dom", DOMAIN), ("actual", UHYPER))
    ),
    Procedure(
        332, "DOMAIN_EVENT_CALLBACK_PMSUSPEND_DISK", msg=(("callback_id", INT), ("reason", INT), ("dom", DOMAIN))
    ),
    Procedure(
        333, "DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED", msg=(("callback_id", INT), ("dom", DOMAIN), ("dev_alias", STRING))
    ),
    Procedure(
        339,
        "DOMAIN_EVENT_BLOCK_JOB_2",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("dst", STRING), ("type", INT), ("status", INT)),
    ),
    Procedure(
        346,
        "DOMAIN_EVENT_CALLBACK_TUNABLE",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("params", Array(TYPED_PARAM, limits.DOMAIN_EVENT_TUNABLE))),
    ),
    Procedure(
        348,
        "DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("state", INT), ("reason", INT)),
    ),
    Procedure(
        354, "DOMAIN_EVENT_CALLBACK_DEVICE_ADDED", msg=(("callback_id", INT), ("dom", DOMAIN), ("dev_alias", STRING))
    ),
    Procedure(
        359,
        "DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("iteration", INT)),
    ),
    Procedure(
        363,
        "DOMAIN_EVENT_CALLBACK_JOB_COMPLETED",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("params", Array(TYPED_PARAM, limits.DOMAIN_JOB_STATS))),
    ),
    Procedure(
        367,
        "DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("dev_alias", STRING)),
    ),
    Procedure(
        379,
        "DOMAIN_EVENT_CALLBACK_METADATA_CHANGE",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("type", INT), ("nsuri", OPTIONAL_STRING)),
    ),
    Procedure(
        385,
        "DOMAIN_EVENT_BLOCK_THRESHOLD",
        msg=(
            ("callback_id", INT),
            ("dom", DOMAIN),
            ("dev", STRING),
            ("path", OPTIONAL_STRING),
            ("threshold", UHYPER),
            ("excess", UHYPER),
        ),
    ),
    Procedure(
        423,
        "DOMAIN_EVENT_MEMORY_FAILURE",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("recipient", INT), ("action", INT), ("flags", UINT)),
    ),
    Procedure(
        438,
        "DOMAIN_EVENT_MEMORY_DEVICE_SIZE_CHANGE",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("alias", STRING), ("size", UHYPER)),
    ),
    Procedure(
        453,
        "DOMAIN_EVENT_NIC_MAC_CHANGE",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("alias", STRING), ("old_mac", STRING), ("new_mac", STRING)),
    ),
    Procedure(454, "DOMAIN_EVENT_VCPU_REMOVED", msg=(("callback_id", INT), ("dom", DOMAIN), ("vcpuid", UINT))),
    Procedure(
        455,
        "DOMAIN_EVENT_CALLBACK_CHANNEL_LIFECYCLE",
        msg=(("callback_id", INT), ("dom", DOMAIN), ("channel_name", STRING), ("state", INT), ("reason", INT)),
    ),
)
