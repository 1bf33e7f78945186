"""Devices of a domain: attach and detach, console, channel, graphics, keys, screenshot."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.acl import DOMAIN_CHANGE
from roost.protocol.procedure import Procedure
from roost.protocol.types import DOMAIN, OPTIONAL_STRING, STRING, TYPED_PARAM
from roost.wire.types import UINT, Array

PROCEDURES = (
    Procedure(
        8,
        "DOMAIN_ATTACH_DEVICE",
        "virDomainAttachDevice",
        args=(("dom", DOMAIN), ("xml", STRING)),
        acl=("domain:write",),
    ),
    Procedure(
        13,
        "DOMAIN_DETACH_DEVICE",
        "virDomainDetachDevice",
        args=(("dom", DOMAIN), ("xml", STRING)),
        acl=("domain:write",),
    ),
    Procedure(
        160,
        "DOMAIN_ATTACH_DEVICE_FLAGS",
        "virDomainAttachDeviceFlags",
        args=(("dom", DOMAIN), ("xml", STRING), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        161,
        "DOMAIN_DETACH_DEVICE_FLAGS",
        "virDomainDetachDeviceFlags",
        args=(("dom", DOMAIN), ("xml", STRING), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        174,
        "DOMAIN_UPDATE_DEVICE_FLAGS",
        "virDomainUpdateDeviceFlags",
        args=(("dom", DOMAIN), ("xml", STRING), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        201,
        "DOMAIN_OPEN_CONSOLE",
        "virDomainOpenConsole",
        args=(("dom", DOMAIN), ("dev_name", OPTIONAL_STRING), ("flags", UINT)),
        acl=("domain:open_device",),
        stream="both",
    ),
    Procedure(
        210,
        "DOMAIN_INJECT_NMI",
        "virDomainInjectNMI",
        args=(("dom", DOMAIN), ("flags", UINT)),
        acl=("domain:inject_nmi",),
    ),
    Procedure(
        211,
        "DOMAIN_SCREENSHOT",
        "virDomainScreenshot",
        args=(("dom", DOMAIN), ("screen", UINT), ("flags", UINT)),
        ret=(("mime", OPTIONAL_STRING),),
        acl=("domain:screenshot",),
        stream="read",
    ),
    Procedure(
        226,
        "DOMAIN_SEND_KEY",
        "virDomainSendKey",
        args=(
            ("dom", DOMAIN),
            ("codeset", UINT),
            ("holdtime", UINT),
            ("keycodes", Array(UINT, limits.DOMAIN_SEND_KEY)),
            ("flags", UINT),
        ),
        acl=("domain:send_input",),
    ),
    Procedure(
        249,
        "DOMAIN_OPEN_GRAPHICS",
        "virDomainOpenGraphics",
        args=(("dom", DOMAIN), ("idx", UINT), ("flags", UINT)),
        acl=("domain:open_graphics",),
        fds="call",
    ),
    Procedure(
        296,
        "DOMAIN_OPEN_CHANNEL",
        "virDomainOpenChannel",
        args=(("dom", DOMAIN), ("name", OPTIONAL_STRING), ("flags", UINT)),
        acl=("domain:open_device",),
        stream="both",
    ),
    Procedure(
        343,
        "DOMAIN_OPEN_GRAPHICS_FD",
        "virDomainOpenGraphicsFD",
        args=(("dom", DOMAIN), ("idx", UINT), ("flags", UINT)),
        acl=("domain:open_graphics",),
        fds="reply",
    ),
    Procedure(
        392,
        "DOMAIN_DETACH_DEVICE_ALIAS",
        "virDomainDetachDeviceAlias",
        args=(("dom", DOMAIN), ("alias", STRING), ("flags", UINT)),
        acl=DOMAIN_CHANGE,
    ),
    Procedure(
        443,
        "DOMAIN_FD_ASSOCIATE",
        "virDomainFDAssociate",
        args=(("dom", DOMAIN), ("name", STRING), ("flags", UINT)),
        acl=("domain:write",),
        fds="call",
    ),
    Procedure(
        448,
        "DOMAIN_GRAPHICS_RELOAD",
        "virDomainGraphicsReload",
        args=(("dom", DOMAIN), ("type", UINT), ("flags", UINT)),
        acl=("domain:write",),
    ),
    Procedure(
        456,
        "DOMAIN_ANNOUNCE_INTERFACE",
        "virDomainAnnounceInterface",
        args=(
            ("dom", DOMAIN),
            ("device", OPTIONAL_STRING),
            ("params", Array(TYPED_PARAM, limits.DOMAIN_ANNOUNCE_INTERFACE_PARAMS)),
            ("flags", UINT),
        ),
        acl=("domain:write",),
    ),
)
