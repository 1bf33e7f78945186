"""The QEMU program: monitor and agent passthrough."""

from __future__ import annotations

from roost.protocol.procedure import Procedure
from roost.protocol.types import DOMAIN, OPTIONAL_DOMAIN, OPTIONAL_STRING, STRING
from roost.wire.types import HYPER, INT, UINT

PROCEDURES = (
    Procedure(
        1,
        "DOMAIN_MONITOR_COMMAND",
        "virDomainQemuMonitorCommand",
        args=(("dom", DOMAIN), ("cmd", STRING), ("flags", UINT)),
        ret=(("result", STRING),),
        acl=("domain:write",),
    ),
    Procedure(
        2,
        "DOMAIN_ATTACH",
        "virDomainQemuAttach",
        args=(("pid_value", UINT), ("flags", UINT)),
        ret=(("dom", DOMAIN),),
        acl=("domain:start", "domain:write"),
    ),
    Procedure(
        3,
        "DOMAIN_AGENT_COMMAND",
        "virDomainQemuAgentCommand",
        args=(("dom", DOMAIN), ("cmd", STRING), ("timeout", INT), ("flags", UINT)),
        ret=(("result", OPTIONAL_STRING),),
        acl=("domain:write",),
    ),
    Procedure(
        4,
        "CONNECT_DOMAIN_MONITOR_EVENT_REGISTER",
        "virConnectDomainQemuMonitorEventRegister",
        args=(("dom", OPTIONAL_DOMAIN), ("event", OPTIONAL_STRING), ("flags", UINT)),
        ret=(("callback_id", INT),),
        acl=("connect:search_domains", "connect:write"),
        high_priority=True,
    ),
    Procedure(
        5,
        "CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER",
        "virConnectDomainQemuMonitorEventDeregister",
        args=(("callback_id", INT),),
        acl=("connect:write",),
        high_priority=True,
    ),
    Procedure(
        6,
        "DOMAIN_MONITOR_EVENT",
        msg=(
            ("callback_id", INT),
            ("dom", DOMAIN),
            ("event", STRING),
            ("seconds", HYPER),
            ("micros", UINT),
            ("details", OPTIONAL_STRING),
        ),
    ),
    Procedure(
        7,
        "DOMAIN_MONITOR_COMMAND_WITH_FILES",
        "virDomainQemuMonitorCommandWithFiles",
        args=(("dom", DOMAIN), ("cmd", STRING), ("flags", UINT)),
        ret=(("result", STRING),),
        acl=("domain:write",),
        fds="both",
    ),
)
