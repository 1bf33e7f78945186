"""What only the guest agent can tell or do."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.procedure import Procedure
from roost.protocol.types import DOMAIN, OPTIONAL_STRING, STRING, TYPED_PARAM
from roost.wire.records import Record
from roost.wire.types import HYPER, INT, UHYPER, UINT, Array, Struct


class FilesystemInfo(Record):
    mountpoint: str
    name: str
    fstype: str
    dev_aliases: list[str]


class IpAddress(Record):
    type: int
    addr: str
    prefix: int


class DomainInterface(Record):
    name: str
    hwaddr: str | None
    addrs: list[IpAddress]


FILESYSTEM_INFO = Struct(FilesystemInfo, STRING, STRING, STRING, Array(STRING, limits.DOMAIN_FSINFO_DISKS))
IP_ADDRESS = Struct(IpAddress, INT, STRING, UINT)
DOMAIN_INTERFACE = Struct(DomainInterface, STRING, OPTIONAL_STRING, Array(IP_ADDRESS, limits.DOMAIN_IP_ADDR))

PROCEDURES = (
    Procedure(
        277,
        "DOMAIN_GET_HOSTNAME",
        "virDomainGetHostname",
        args=(("dom", DOMAIN), ("flags", UINT)),
        ret=(("hostname", STRING),),
        acl=("domain:write",),
    ),
    Procedure(
        294,
        "DOMAIN_FSTRIM",
        "virDomainFSTrim",
        args=(("dom", DOMAIN), ("mount_point", OPTIONAL_STRING), ("minimum", UHYPER), ("flags", UINT)),
        acl=("domain:fs_trim",),
    ),
    Procedure(
        335,
        "DOMAIN_FSFREEZE",
        "virDomainFSFreeze",
        args=(("dom", DOMAIN), ("mountpoints", Array(STRING, limits.DOMAIN_FSFREEZE_MOUNTPOINTS)), ("flags", UINT)),
        ret=(("filesystems", INT),),
        acl=("domain:fs_freeze",),
    ),
    Procedure(
        336,
        "DOMAIN_FSTHAW",
        "virDomainFSThaw",
        args=(("dom", DOMAIN), ("mountpoints", Array(STRING, limits.DOMAIN_FSFREEZE_MOUNTPOINTS)), ("flags", UINT)),
        ret=(("filesystems", INT),),
        acl=("domain:fs_freeze",),
    ),
    Procedure(
        337,
        "DOMAIN_GET_TIME",
        "virDomainGetTime",
        args=(("dom", DOMAIN), ("flags", UINT)),
        ret=(("seconds", HYPER), ("nseconds", UINT)),
        acl=("domain:write",),
    ),
    Procedure(
        338,
        "DOMAIN_SET_TIME",
        "virDomainSetTime",
        args=(("dom", DOMAIN), ("seconds", HYPER), ("nseconds", UINT), ("flags", UINT)),
        acl=("domain:set_time",),
    ),
    Procedure(
        349,
        "DOMAIN_GET_FSINFO",
        "virDomainGetFSInfo",
        args=(("dom", DOMAIN), ("flags", UINT)),
        ret=(("info", Array(FILESYSTEM_INFO, limits.DOMAIN_FSINFO)), ("ret", UINT)),
        acl=("domain:fs_freeze",),
    ),
    Procedure(
        353,
        "DOMAIN_INTERFACE_ADDRESSES",
        "virDomainInterfaceAddresses",
        args=(("dom", DOMAIN), ("source", UINT), ("flags", UINT)),
        ret=(("ifaces", Array(DOMAIN_INTERFACE, limits.DOMAIN_INTERFACE)),),
        acl=("domain:read", "domain:write::source:VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT"),
    ),
    Procedure(
        357,
        "DOMAIN_SET_USER_PASSWORD",
        "virDomainSetUserPassword",
        args=(("dom", DOMAIN), ("user", OPTIONAL_STRING), ("password", OPTIONAL_STRING), ("flags", UINT)),
        acl=("domain:set_password",),
    ),
    Procedure(
        371,
        "DOMAIN_GET_GUEST_VCPUS",
        "virDomainGetGuestVcpus",
        args=(("dom", DOMAIN), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.DOMAIN_GUEST_VCPU_PARAMS)),),
        acl=("domain:write",),
    ),
    Procedure(
        372,
        "DOMAIN_SET_GUEST_VCPUS",
        "virDomainSetGuestVcpus",
        args=(("dom", DOMAIN), ("cpumap", STRING), ("state", INT), ("flags", UINT)),
        acl=("domain:write",),
    ),
    Procedure(
        418,
        "DOMAIN_GET_GUEST_INFO",
        "virDomainGetGuestInfo",
        args=(("dom", DOMAIN), ("types", UINT), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.DOMAIN_GUEST_INFO_PARAMS)),),
        acl=("domain:write",),
    ),
    Procedure(
        420,
        "DOMAIN_AGENT_SET_RESPONSE_TIMEOUT",
        "virDomainAgentSetResponseTimeout",
        args=(("dom", DOMAIN), ("timeout", INT), ("flags", UINT)),
        ret=(("result", INT),),
        acl=("domain:write",),
    ),
    Procedure(
        424,
        "DOMAIN_AUTHORIZED_SSH_KEYS_GET",
        "virDomainAuthorizedSSHKeysGet",
        args=(("dom", DOMAIN), ("user", STRING), ("flags", UINT)),
        ret=(("keys", Array(STRING, limits.DOMAIN_AUTHORIZED_SSH_KEYS)),),
        acl=("domain:write",),
    ),
    Procedure(
        425,
        "DOMAIN_AUTHORIZED_SSH_KEYS_SET",
        "virDomainAuthorizedSSHKeysSet",
        args=(
            ("dom", DOMAIN),
            ("user", STRING),
            ("keys", Array(STRING, limits.DOMAIN_AUTHORIZED_SSH_KEYS)),
            ("flags", UINT),
        ),
        acl=("domain:write",),
    ),
)
