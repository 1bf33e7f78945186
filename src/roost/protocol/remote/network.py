"""Virtual networks, their ports and events."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.procedure import Procedure
from roost.protocol.types import NETWORK, NETWORK_PORT, OPTIONAL_NETWORK, OPTIONAL_STRING, STRING, TYPED_PARAM, UUID
from roost.wire.records import Record
from roost.wire.types import HYPER, INT, UINT, Array, Struct


class DhcpLease(Record):
    """expirytime: seconds since 1970. type: of the address, see roost.constants.network."""

    iface: str
    expirytime: int
    type: int
    mac: str | None
    iaid: str | None
    ipaddr: str
    prefix: int
    hostname: str | None
    clientid: str | None


DHCP_LEASE = Struct(
    DhcpLease,
    STRING,
    HYPER,
    INT,
    OPTIONAL_STRING,
    OPTIONAL_STRING,
    STRING,
    UINT,
    OPTIONAL_STRING,
    OPTIONAL_STRING,
)

PROCEDURES = (
    Procedure(
        36,
        "CONNECT_LIST_DEFINED_NETWORKS",
        "virConnectListDefinedNetworks",
        args=(("maxnames", INT),),
        ret=(("names", Array(STRING, limits.NETWORK_LIST)),),
        acl=("connect:search_networks",),
        high_priority=True,
    ),
    Procedure(
        38,
        "CONNECT_LIST_NETWORKS",
        "virConnectListNetworks",
        args=(("maxnames", INT),),
        ret=(("names", Array(STRING, limits.NETWORK_LIST)),),
        acl=("connect:search_networks",),
        high_priority=True,
    ),
    Procedure(39, "NETWORK_CREATE", "virNetworkCreate", args=(("net", NETWORK),), acl=("network:start",)),
    Procedure(
        40,
        "NETWORK_CREATE_XML",
        "virNetworkCreateXML",
        args=(("xml", STRING),),
        ret=(("net", NETWORK),),
        acl=("network:write", "network:start"),
    ),
    Procedure(
        41,
        "NETWORK_DEFINE_XML",
        "virNetworkDefineXML",
        args=(("xml", STRING),),
        ret=(("net", NETWORK),),
        acl=("network:write", "network:save"),
        high_priority=True,
    ),
    Procedure(
        42, "NETWORK_DESTROY", "virNetworkDestroy", args=(("net", NETWORK),), acl=("network:stop",), high_priority=True
    ),
    Procedure(
        43,
        "NETWORK_GET_XML_DESC",
        "virNetworkGetXMLDesc",
        args=(("net", NETWORK), ("flags", UINT)),
        ret=(("xml", STRING),),
        acl=("network:read",),
        high_priority=True,
    ),
    Procedure(
        44,
        "NETWORK_GET_AUTOSTART",
        "virNetworkGetAutostart",
        args=(("net", NETWORK),),
        ret=(("autostart", INT),),
        acl=("network:read",),
        high_priority=True,
    ),
    Procedure(
        45,
        "NETWORK_GET_BRIDGE_NAME",
        "virNetworkGetBridgeName",
        args=(("net", NETWORK),),
        ret=(("name", STRING),),
        acl=("network:read",),
        high_priority=True,
    ),
    Procedure(
        46,
        "NETWORK_LOOKUP_BY_NAME",
        "virNetworkLookupByName",
        args=(("name", STRING),),
        ret=(("net", NETWORK),),
        acl=("network:getattr",),
        high_priority=True,
    ),
    Procedure(
        47,
        "NETWORK_LOOKUP_BY_UUID",
        "virNetworkLookupByUUID",
        args=(("uuid", UUID),),
        ret=(("net", NETWORK),),
        acl=("network:getattr",),
        high_priority=True,
    ),
    Procedure(
        48,
        "NETWORK_SET_AUTOSTART",
        "virNetworkSetAutostart",
        args=(("net", NETWORK), ("autostart", INT)),
        acl=("network:write",),
        high_priority=True,
    ),
    Procedure(
        49,
        "NETWORK_UNDEFINE",
        "virNetworkUndefine",
        args=(("net", NETWORK),),
        acl=("network:delete",),
        high_priority=True,
    ),
    Procedure(
        50,
        "CONNECT_NUM_OF_DEFINED_NETWORKS",
        "virConnectNumOfDefinedNetworks",
        ret=(("num", INT),),
        acl=("connect:search_networks",),
        high_priority=True,
    ),
    Procedure(
        52,
        "CONNECT_NUM_OF_NETWORKS",
        "virConnectNumOfNetworks",
        ret=(("num", INT),),
        acl=("connect:search_networks",),
        high_priority=True,
    ),
    Procedure(
        152,
        "NETWORK_IS_ACTIVE",
        "virNetworkIsActive",
        args=(("net", NETWORK),),
        ret=(("active", INT),),
        acl=("network:read",),
        high_priority=True,
    ),
    Procedure(
        153,
        "NETWORK_IS_PERSISTENT",
        "virNetworkIsPersistent",
        args=(("net", NETWORK),),
        ret=(("persistent", INT),),
        acl=("network:read",),
        high_priority=True,
    ),
    Procedure(
        283,
        "CONNECT_LIST_ALL_NETWORKS",
        "virConnectListAllNetworks",
        args=(("need_results", INT), ("flags", UINT)),
        ret=(("nets", Array(NETWORK, limits.NETWORK_LIST)), ("ret", UINT)),
        acl=("connect:search_networks",),
        high_priority=True,
    ),
    Procedure(
        291,
        "NETWORK_UPDATE",
        "virNetworkUpdate",
        args=(
            ("net", NETWORK),
            ("command", UINT),
            ("section", UINT),
            ("parent_index", INT),
            ("xml", STRING),
            ("flags", UINT),
        ),
        acl=(
            "network:write",
            "network:save:!VIR_NETWORK_UPDATE_AFFECT_CONFIG|VIR_NETWORK_UPDATE_AFFECT_LIVE",
            "network:save:VIR_NETWORK_UPDATE_AFFECT_CONFIG",
        ),
        high_priority=True,
    ),
    Procedure(
        313,
        "CONNECT_NETWORK_EVENT_REGISTER_ANY",
        "virConnectNetworkEventRegisterAny",
        args=(("event_id", INT), ("net", OPTIONAL_NETWORK)),
        ret=(("callback_id", INT),),
        acl=("connect:search_networks",),
        high_priority=True,
    ),
    Procedure(
        314,
        "CONNECT_NETWORK_EVENT_DEREGISTER_ANY",
        "virConnectNetworkEventDeregisterAny",
        args=(("callback_id", INT),),
        acl=("connect:read",),
        high_priority=True,
    ),
    Procedure(
        315, "NETWORK_EVENT_LIFECYCLE", msg=(("callback_id", INT), ("net", NETWORK), ("event", INT), ("detail", INT))
    ),
    Procedure(
        341,
        "NETWORK_GET_DHCP_LEASES",
        "virNetworkGetDHCPLeases",
        args=(("net", NETWORK), ("mac", OPTIONAL_STRING), ("need_results", INT), ("flags", UINT)),
        ret=(("leases", Array(DHCP_LEASE, limits.NETWORK_DHCP_LEASES)), ("ret", UINT)),
        acl=("network:read",),
    ),
    Procedure(
        404,
        "NETWORK_LIST_ALL_PORTS",
        "virNetworkListAllPorts",
        args=(("network", NETWORK), ("need_results", INT), ("flags", UINT)),
        ret=(("ports", Array(NETWORK_PORT, limits.NETWORK_PORT_LIST)), ("ret", UINT)),
        acl=("network:search_ports",),
        high_priority=True,
    ),
    Procedure(
        405,
        "NETWORK_PORT_LOOKUP_BY_UUID",
        "virNetworkPortLookupByUUID",
        args=(("network", NETWORK), ("uuid", UUID)),
        ret=(("port", NETWORK_PORT),),
        acl=("network_port:getattr",),
        high_priority=True,
    ),
    Procedure(
        406,
        "NETWORK_PORT_CREATE_XML",
        "virNetworkPortCreateXML",
        args=(("network", NETWORK), ("xml", STRING), ("flags", UINT)),
        ret=(("port", NETWORK_PORT),),
        acl=("network_port:create",),
    ),
    Procedure(
        407,
        "NETWORK_PORT_GET_PARAMETERS",
        "virNetworkPortGetParameters",
        args=(("port", NETWORK_PORT), ("nparams", INT), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.NETWORK_PORT_PARAMETERS)), ("nparams", INT)),
        acl=("network_port:read",),
    ),
    Procedure(
        408,
        "NETWORK_PORT_SET_PARAMETERS",
        "virNetworkPortSetParameters",
        args=(("port", NETWORK_PORT), ("params", Array(TYPED_PARAM, limits.NETWORK_PORT_PARAMETERS)), ("flags", UINT)),
        acl=("network_port:write",),
    ),
    Procedure(
        409,
        "NETWORK_PORT_GET_XML_DESC",
        "virNetworkPortGetXMLDesc",
        args=(("port", NETWORK_PORT), ("flags", UINT)),
        ret=(("xml", STRING),),
        acl=("network_port:read",),
    ),
    Procedure(
        410,
        "NETWORK_PORT_DELETE",
        "virNetworkPortDelete",
        args=(("port", NETWORK_PORT), ("flags", UINT)),
        acl=("network_port:delete",),
    ),
    Procedure(
        432,
        "NETWORK_DEFINE_XML_FLAGS",
        "virNetworkDefineXMLFlags",
        args=(("xml", STRING), ("flags", UINT)),
        ret=(("net", NETWORK),),
        acl=("network:write", "network:save"),
        high_priority=True,
    ),
    Procedure(
        437,
        "NETWORK_CREATE_XML_FLAGS",
        "virNetworkCreateXMLFlags",
        args=(("xml", STRING), ("flags", UINT)),
        ret=(("net", NETWORK),),
        acl=("network:write", "network:start"),
        high_priority=True,
    ),
    Procedure(
        444,
        "NETWORK_SET_METADATA",
        "virNetworkSetMetadata",
        args=(
            ("network", NETWORK),
            ("type", INT),
            ("metadata", OPTIONAL_STRING),
            ("key", OPTIONAL_STRING),
            ("uri", OPTIONAL_STRING),
            ("flags", UINT),
        ),
        acl=(
            "network:write",
            "network:save:!VIR_NETWORK_UPDATE_AFFECT_CONFIG|VIR_NETWORK_UPDATE_AFFECT_LIVE",
            "network:save:VIR_NETWORK_UPDATE_AFFECT_CONFIG",
        ),
        high_priority=True,
    ),
    Procedure(
        445,
        "NETWORK_GET_METADATA",
        "virNetworkGetMetadata",
        args=(("network", NETWORK), ("type", INT), ("uri", OPTIONAL_STRING), ("flags", UINT)),
        ret=(("metadata", STRING),),
        acl=("network:read",),
        high_priority=True,
    ),
    Procedure(
        446,
        "NETWORK_EVENT_CALLBACK_METADATA_CHANGE",
        msg=(("callback_id", INT), ("net", NETWORK), ("type", INT), ("nsuri", OPTIONAL_STRING)),
    ),
)
