"""The admin program: the daemon's own servers, clients, logging."""

from __future__ import annotations

from roost.protocol import limits
from roost.protocol.procedure import Procedure
from roost.protocol.types import OPTIONAL_STRING, STRING, TYPED_PARAM
from roost.wire.records import Record
from roost.wire.types import HYPER, UHYPER, UINT, Array, Struct


class Server(Record):
    """A server inside the daemon, for the admin program."""

    name: str


class Client(Record):
    """A client of such a server. timestamp: seconds since 1970 when it connected."""

    srv: Server
    id: int
    timestamp: int
    transport: int


SERVER = Struct(Server, STRING)
CLIENT = Struct(Client, SERVER, UHYPER, HYPER, UINT)

PROCEDURES = (
    Procedure(1, "CONNECT_OPEN", "virAdmConnectOpen", args=(("flags", UINT),)),
    Procedure(2, "CONNECT_CLOSE", "virAdmConnectClose"),
    Procedure(3, "CONNECT_GET_LIB_VERSION", "virAdmConnectGetLibVersion", ret=(("lib_ver", UHYPER),)),
    Procedure(
        4,
        "CONNECT_LIST_SERVERS",
        "virAdmConnectListServers",
        args=(("need_results", UINT), ("flags", UINT)),
        ret=(("servers", Array(SERVER, limits.ADMIN_SERVER_LIST)), ("ret", UINT)),
    ),
    Procedure(
        5,
        "CONNECT_LOOKUP_SERVER",
        "virAdmConnectLookupServer",
        args=(("name", STRING), ("flags", UINT)),
        ret=(("srv", SERVER),),
    ),
    Procedure(
        6,
        "SERVER_GET_THREADPOOL_PARAMETERS",
        "virAdmServerGetThreadpoolParameters",
        args=(("srv", SERVER), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.ADMIN_SERVER_THREADPOOL_PARAMETERS)),),
    ),
    Procedure(
        7,
        "SERVER_SET_THREADPOOL_PARAMETERS",
        "virAdmServerSetThreadpoolParameters",
        args=(
            ("srv", SERVER),
            ("params", Array(TYPED_PARAM, limits.ADMIN_SERVER_THREADPOOL_PARAMETERS)),
            ("flags", UINT),
        ),
    ),
    Procedure(
        8,
        "SERVER_LIST_CLIENTS",
        "virAdmServerListClients",
        args=(("srv", SERVER), ("need_results", UINT), ("flags", UINT)),
        ret=(("clients", Array(CLIENT, limits.ADMIN_CLIENT_LIST)), ("ret", UINT)),
    ),
    Procedure(
        9,
        "SERVER_LOOKUP_CLIENT",
        "virAdmServerLookupClient",
        args=(("srv", SERVER), ("id", UHYPER), ("flags", UINT)),
        ret=(("clnt", CLIENT),),
    ),
    Procedure(
        10,
        "CLIENT_GET_INFO",
        "virAdmClientGetInfo",
        args=(("clnt", CLIENT), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.ADMIN_CLIENT_INFO_PARAMETERS)),),
    ),
    Procedure(11, "CLIENT_CLOSE", "virAdmClientClose", args=(("clnt", CLIENT), ("flags", UINT))),
    Procedure(
        12,
        "SERVER_GET_CLIENT_LIMITS",
        "virAdmServerGetClientLimits",
        args=(("srv", SERVER), ("flags", UINT)),
        ret=(("params", Array(TYPED_PARAM, limits.ADMIN_SERVER_CLIENT_LIMITS)),),
    ),
    Procedure(
        13,
        "SERVER_SET_CLIENT_LIMITS",
        "virAdmServerSetClientLimits",
        args=(("srv", SERVER), ("params", Array(TYPED_PARAM, limits.ADMIN_SERVER_CLIENT_LIMITS)), ("flags", UINT)),
    ),
    Procedure(
        14,
        "CONNECT_GET_LOGGING_OUTPUTS",
        "virAdmConnectGetLoggingOutputs",
        args=(("flags", UINT),),
        ret=(("outputs", STRING), ("noutputs", UINT)),
    ),
    Procedure(
        15,
        "CONNECT_GET_LOGGING_FILTERS",
        "virAdmConnectGetLoggingFilters",
        args=(("flags", UINT),),
        ret=(("filters", OPTIONAL_STRING), ("nfilters", UINT)),
    ),
    Procedure(
        16,
        "CONNECT_SET_LOGGING_OUTPUTS",
        "virAdmConnectSetLoggingOutputs",
        args=(("outputs", OPTIONAL_STRING), ("flags", UINT)),
    ),
    Procedure(
        17,
        "CONNECT_SET_LOGGING_FILTERS",
        "virAdmConnectSetLoggingFilters",
        args=(("filters", OPTIONAL_STRING), ("flags", UINT)),
    ),
    Procedure(18, "SERVER_UPDATE_TLS_FILES", "virAdmServerUpdateTlsFiles", args=(("srv", SERVER), ("flags", UINT))),
    Procedure(
        19, "CONNECT_SET_DAEMON_TIMEOUT", "virAdmConnectSetDaemonTimeout", args=(("timeout", UINT), ("flags", UINT))
    ),
    Procedure(20, "CONNECT_DAEMON_SHUTDOWN", "virAdmConnectDaemonShutdown", args=(("flags", UINT),)),
)
