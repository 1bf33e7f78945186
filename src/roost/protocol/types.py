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
    FixedOpaque,
    Name,
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
TYPED_PARAM = Struct(TypedParam, Name(limits.STRING), TYPED_VALUE)
