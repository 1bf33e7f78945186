"""The types that procedures share, and the records they decode to.

A record is a tuple with names: any sequence of the right length encodes.
"""

from __future__ import annotations

from roost.constants import typed_params
from roost.protocol import limits
from roost.wire.records import Record
from roost.wire.types import (
    DOUBLE,
    HYPER,
    INT,
    UHYPER,
    UINT,
    Array,
    Chars,
    FixedOpaque,
    Opaque,
    Optional,
    String,
    Struct,
    Union,
)

UUID = FixedOpaque(16)
STRING = String(limits.STRING)
OPTIONAL_STRING = Optional(STRING)


class Domain(Record):
    """id: -1 when not running."""

    name: str
    uuid: bytes
    id: int


class Checkpoint(Record):
    name: str
    dom: Domain


class Snapshot(Record):
    name: str
    dom: Domain


class Network(Record):
    name: str
    uuid: bytes


class NetworkPort(Record):
    net: Network
    uuid: bytes


class Interface(Record):
    name: str
    mac: str


class StoragePool(Record):
    name: str
    uuid: bytes


class StorageVol(Record):
    """pool: its name."""

    pool: str
    name: str
    key: str


class NodeDevice(Record):
    name: str


class Secret(Record):
    uuid: bytes
    usage_type: int
    usage_id: str


class NWFilter(Record):
    name: str
    uuid: bytes


class NWFilterBinding(Record):
    portdev: str
    filtername: str


DOMAIN = Struct(Domain, STRING, UUID, INT)
CHECKPOINT = Struct(Checkpoint, STRING, DOMAIN)
SNAPSHOT = Struct(Snapshot, STRING, DOMAIN)
NETWORK = Struct(Network, STRING, UUID)
NETWORK_PORT = Struct(NetworkPort, NETWORK, UUID)
INTERFACE = Struct(Interface, STRING, STRING)
STORAGE_POOL = Struct(StoragePool, STRING, UUID)
STORAGE_VOL = Struct(StorageVol, STRING, STRING, STRING)
NODE_DEVICE = Struct(NodeDevice, STRING)
SECRET = Struct(Secret, UUID, INT, STRING)
NWFILTER = Struct(NWFilter, STRING, UUID)
NWFILTER_BINDING = Struct(NWFilterBinding, STRING, STRING)
OPTIONAL_DOMAIN = Optional(DOMAIN)
OPTIONAL_NETWORK = Optional(NETWORK)
OPTIONAL_STORAGE_POOL = Optional(STORAGE_POOL)
OPTIONAL_NODE_DEVICE = Optional(NODE_DEVICE)
OPTIONAL_SECRET = Optional(SECRET)


class TypedParam(Record):
    """value: (type, value), the type one of roost.constants.typed_params."""

    field: str
    value: tuple[int, int | float | str]


#: The value of a typed parameter.
TYPED_VALUE = Union(
    {
        typed_params.INT: INT,
        typed_params.UINT: UINT,
        typed_params.LLONG: HYPER,
        typed_params.ULLONG: UHYPER,
        typed_params.DOUBLE: DOUBLE,
        typed_params.BOOLEAN: INT,
        typed_params.STRING: STRING,
    }
)
TYPED_PARAM = Struct(TypedParam, STRING, TYPED_VALUE)


class DomainStats(Record):
    dom: Domain
    params: list[TypedParam]


class NodeStat(Record):
    field: str
    value: int


class VcpuInfo(Record):
    """cpu_time: nanoseconds. cpu: where it runs, -1 when not known."""

    number: int
    state: int
    cpu_time: int
    cpu: int


class IOThreadInfo(Record):
    iothread_id: int
    cpumap: bytes


class MemoryStat(Record):
    tag: int
    val: int


class DiskError(Record):
    disk: str
    error: int


class SecurityLabel(Record):
    """label: with its trailing NUL."""

    label: bytes
    enforcing: int


class GraphicsAddress(Record):
    family: int
    node: str
    service: str


class GraphicsIdentity(Record):
    type: str
    name: str


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


class Server(Record):
    """A server inside the daemon, for the admin program."""

    name: str


class Client(Record):
    """A client of such a server. timestamp: seconds since 1970 when it connected."""

    srv: Server
    id: int
    timestamp: int
    transport: int


DOMAIN_STATS = Struct(DomainStats, DOMAIN, Array(TYPED_PARAM, limits.CONNECT_GET_ALL_DOMAIN_STATS))
NODE_STAT = Struct(NodeStat, STRING, UHYPER)
VCPU_INFO = Struct(VcpuInfo, UINT, INT, UHYPER, INT)
IOTHREAD_INFO = Struct(IOThreadInfo, UINT, Opaque(limits.CPUMAP))
MEMORY_STAT = Struct(MemoryStat, INT, UHYPER)
DISK_ERROR = Struct(DiskError, STRING, INT)
SECURITY_LABEL = Struct(SecurityLabel, Chars(limits.SECURITY_LABEL), INT)
GRAPHICS_ADDRESS = Struct(GraphicsAddress, INT, STRING, STRING)
GRAPHICS_IDENTITY = Struct(GraphicsIdentity, STRING, STRING)
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
FILESYSTEM_INFO = Struct(FilesystemInfo, STRING, STRING, STRING, Array(STRING, limits.DOMAIN_FSINFO_DISKS))
IP_ADDRESS = Struct(IpAddress, INT, STRING, UINT)
DOMAIN_INTERFACE = Struct(DomainInterface, STRING, OPTIONAL_STRING, Array(IP_ADDRESS, limits.DOMAIN_IP_ADDR))
SERVER = Struct(Server, STRING)
CLIENT = Struct(Client, SERVER, UHYPER, HYPER, UINT)
