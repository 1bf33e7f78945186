"""Where a disk's data is: <source> of disks, backing stores, mirrors and other documents that name images."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, From, InvalidArg, RoostError, XmlError
from roost.model.domain.device import Reconnect, SourceSeclabel
from roost.model.shared.pci import PciLocation
from roost.xml import Bytes, Complaint, Record, Text, UInt, ULong, Uuid, YesNo, at, inline

#: Image formats; those from `cow` on have backing files.
DiskFormat = Literal[
    "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi", "fat", "vhd", "ploop", "cow", "qcow", "qcow2", "qed",
    "vmdk",
]  # fmt: skip
NetworkProtocol = Literal[
    "nbd", "rbd", "sheepdog", "gluster", "iscsi", "http", "https", "ftp", "ftps", "tftp", "ssh", "vxhs", "nfs"
]
StartupPolicy = Literal["mandatory", "requisite", "optional"]


def _missing(text: str) -> Complaint:
    return Complaint(XmlError, text)


def _unknown(text: str) -> Complaint:
    return Complaint(ConfigUnsupported, text)


# -- encryption and authentication ------------------------------------------------------------


def _refused(error: type[RoostError], text: str) -> Complaint:
    return Complaint(error, text, domain=From.STORAGE)


_BAD_UUID = Complaint(XmlError, "invalid secret uuid '%s'", domain=From.NONE)


class EncryptionSecret(Record):
    """The passphrase, by the UUID or usage of a secret."""

    type: Annotated[
        Literal["passphrase"],
        at(
            "@type",
            wrong=_refused(ConfigUnsupported, "unknown volume encryption secret type %s"),
            missing=_refused(XmlError, "unknown volume encryption secret type"),
        ),
    ]
    uuid: Annotated[Uuid | None, at("@uuid", wrong=_BAD_UUID)] = None
    usage: str | None = None


class Cipher(Record):
    """How a new volume is encrypted: aes, 256 bits, mode cbc, hash sha256."""

    name: Annotated[str, at("@name", missing=_refused(XmlError, "cipher info missing 'name' attribute"))]
    size: UInt
    mode: str | None = None
    hash: str | None = None


class Ivgen(Record):
    """How a new volume's initialization vectors are made."""

    name: Annotated[str, at("@name", missing=_refused(XmlError, "missing ivgen info name string"))]
    hash: str | None = None


class Encryption(Record):
    """engine: who decrypts, QEMU itself or librbd. secrets: more than one for the layers of a librbd image."""

    format: Annotated[
        Literal["default", "qcow", "luks", "luks2", "luks-any"],
        at(
            "@format",
            wrong=_refused(ConfigUnsupported, "unknown volume encryption format type %s"),
            missing=_refused(XmlError, "unknown volume encryption format"),
        ),
    ]
    engine: Literal["qemu", "librbd"] | None = None
    secrets: Annotated[tuple[EncryptionSecret, ...], at("secret")] = ()
    cipher: Cipher | None = None
    ivgen: Ivgen | None = None


class AuthSecret(Record):
    """The password, by the UUID or usage of a secret of that type."""

    type: Annotated[
        Literal["none", "volume", "ceph", "iscsi", "tls", "vtpm"] | None,
        at("@type", wrong=_unknown("unknown secret type '%s'")),
    ] = None
    uuid: Annotated[Uuid | None, at("@uuid", wrong=_BAD_UUID)] = None
    usage: str | None = None


class Auth(Record):
    """Who logs in at a server."""

    username: Annotated[str, at("@username", missing=_refused(XmlError, "missing username for auth"))]
    secret: Annotated[AuthSecret, at("secret", missing=_refused(XmlError, "Missing <secret> element in auth"))]


# -- parts of a source -------------------------------------------------------------------------


class Slice(Record):
    """The part of a file or device that holds the image, in bytes."""

    type: Literal["storage"] = "storage"
    offset: Annotated[
        ULong,
        at(
            "@offset",
            wrong=_missing("malformed value '%s' of 'offset' attribute of slice"),
            missing=_missing("missing offset or size attribute of slice"),
        ),
    ]
    size: Annotated[
        ULong,
        at(
            "@size",
            wrong=_missing("malformed value '%s' of 'size' attribute of slice"),
            missing=_missing("missing offset or size attribute of slice"),
        ),
    ]


class ReservationsSource(Record):
    """The socket of qemu-pr-helper."""

    type: Annotated[
        Literal["unix"],
        at(
            "@type",
            wrong=_refused(XmlError, "unsupported connection type for <reservations/>: %s"),
            missing=_refused(XmlError, "missing connection type for <reservations/>"),
        ),
    ]
    path: Annotated[str, at("@path", missing=_refused(XmlError, "missing path for <reservations/>"))]
    mode: Annotated[
        Literal["client"],
        at(
            "@mode",
            wrong=_refused(XmlError, "unsupported connection mode for <reservations/>: %s"),
            missing=_refused(XmlError, "missing connection mode for <reservations/>"),
        ),
    ]


class Reservations(Record):
    """SCSI persistent reservations.

    managed: the daemon runs the helper itself, and its socket is no part of a
    definition. migration: whether reservations move along with the guest.
    """

    managed: YesNo
    migration: YesNo | None = None
    source: ReservationsSource | None = None


_BAD_PORT = Complaint(InvalidArg, "failed to parse port number '%s'", domain=From.NONE)


class NetworkDiskHost(Record):
    """A server: name and port, or the path of a unix socket."""

    name: str | None = None
    port: Annotated[UInt | None, at("@port", wrong=_BAD_PORT, unset=("0",))] = None
    transport: Annotated[
        Literal["unix", "rdma"] | None,
        at("@transport", unset=("tcp",), wrong=_unknown("unknown protocol transport type '%s'")),
    ] = None
    socket: str | None = None


class Cookie(Record):
    """A cookie sent to an HTTP server; its value is a secret."""

    name: Annotated[str, at("@name", missing=_missing("missing cookie name"))]
    value: Text[str | None] = None


class Identity(Record):
    """As whom a server is accessed: `user` and `group` at NFS, the others at SSH.

    keyfile: of the private key; agentsock: the socket of an SSH agent.
    """

    user: str | None = None
    group: str | None = None
    username: str | None = None
    keyfile: str | None = None
    agentsock: str | None = None


# -- sources -----------------------------------------------------------------------------------


class DiskSource(Record, tag_field="type"):
    """What backs a disk; `AnyDiskSource` is the union of its members.

    index: the number by which a running guest's images are told apart. data_store: the raw image that holds the
    data of a qcow2 image.
    """

    startup_policy: Annotated[StartupPolicy | None, at("source/@startupPolicy", order=1)] = None
    index: Annotated[UInt | None, at("source/@index", order=1, live=True, unset=("0",))] = None
    slices: Annotated[tuple[Slice, ...], at("source/slices/slice", order=2)] = ()


class SecuredSource(DiskSource):
    """What every source may have after its own elements."""

    auth: Annotated[Auth | None, at("source/auth", order=4)] = None
    encryption: Annotated[Encryption | None, at("source/encryption", order=4, opened=True)] = None
    reservations: Annotated[Reservations | None, at("source/reservations", order=4)] = None
    data_store: Annotated[DataStore | None, at("source/dataStore", order=4)] = None


class LabelledSource(SecuredSource):
    """A source with a label on this host."""

    seclabels: Annotated[tuple[SourceSeclabel, ...], at("source/seclabel", order=3)] = ()


class FileSource(LabelledSource, tag="file"):
    """A file; `file` is None for an empty drive. fdgroup: the name of descriptors handed over for it."""

    file: Annotated[str | None, at("source/@file")] = None
    fdgroup: Annotated[str | None, at("source/@fdgroup")] = None


class BlockSource(LabelledSource, tag="block"):
    """A block device."""

    dev: Annotated[str | None, at("source/@dev")] = None


class DirSource(LabelledSource, tag="dir"):
    """A directory, shown as a FAT file system."""

    dir: Annotated[str | None, at("source/@dir")] = None


class VolumeSource(LabelledSource, tag="volume"):
    """A volume of a storage pool. mode: whether iSCSI is reached through the host's device or by QEMU itself."""

    pool: Annotated[str | None, at("source/@pool")] = None
    volume: Annotated[str | None, at("source/@volume")] = None
    mode: Annotated[
        Literal["host", "direct"] | None,
        at("source/@mode", wrong=_unknown("unknown source mode '%s' for volume type disk")),
    ] = None


class NetworkSource(SecuredSource, tag="network"):
    """An image at a server.

    name: the export, the path, or `pool/image`. query: what follows the `?` of
    an HTTP URL. readahead: bytes; timeout: seconds. reconnect_delay: seconds
    for which requests wait for an NBD server to come back.
    """

    protocol: Annotated[NetworkProtocol | None, at("source/@protocol")] = None
    name: Annotated[str | None, at("source/@name")] = None
    query: Annotated[str | None, at("source/@query")] = None
    tls: Annotated[YesNo | None, at("source/@tls")] = None
    tls_hostname: Annotated[str | None, at("source/@tlsHostname")] = None
    hosts: Annotated[tuple[NetworkDiskHost, ...], at("source/host")] = ()
    reconnect_delay: Annotated[UInt | None, at("source/reconnect/@delay", unset=("0",))] = None
    identity: Annotated[Identity | None, at("source/identity")] = None
    known_hosts: Annotated[str | None, at("source/knownHosts/@path")] = None
    snapshot: Annotated[str | None, at("source/snapshot/@name")] = None
    config: Annotated[str | None, at("source/config/@file")] = None
    initiator: Annotated[str | None, at("source/initiator/iqn/@name")] = None
    ssl_verify: Annotated[YesNo | None, at("source/ssl/@verify")] = None
    cookies: Annotated[tuple[Cookie, ...], at("source/cookies/cookie", secret=True)] = ()
    readahead: Annotated[
        ULong | None, at("source/readahead/@size", unset=("0",), wrong=_missing("invalid readahead size or timeout"))
    ] = None
    timeout: Annotated[
        ULong | None, at("source/timeout/@seconds", unset=("0",), wrong=_missing("invalid readahead size or timeout"))
    ] = None


class NvmeSource(LabelledSource, tag="nvme"):
    """A namespace (from 1) of an NVMe drive that QEMU drives itself. managed: taken from its driver for the time."""

    kind: Annotated[
        Literal["pci"],
        at(
            "source/@type",
            wrong=_missing("unsupported source type '%s'"),
            missing=_missing("missing 'type' attribute to disk source"),
        ),
    ]
    managed: Annotated[YesNo | None, at("source/@managed")] = None
    namespace: Annotated[
        ULong,
        at(
            "source/@namespace",
            wrong=_missing("malformed namespace '%s'"),
            missing=_missing("missing 'namespace' attribute to disk source"),
        ),
    ]
    address: Annotated[
        PciLocation, at("source/address", missing=_missing("NVMe disk source is missing address"))
    ]  # fmt: skip


class VhostUserSource(LabelledSource, tag="vhostuser"):
    """A process that serves the disk at a unix socket."""

    kind: Annotated[
        Literal["unix"],
        at(
            "source/@type",
            wrong=_missing("invalid 'type' attribute for vhostuser disk source"),
            missing=_missing("missing 'type' attribute for vhostuser disk source"),
        ),
    ]
    path: Annotated[
        str, at("source/@path", missing=_missing("missing 'path' attribute for vhostuser disk source"))
    ]  # fmt: skip
    reconnect: Annotated[Reconnect | None, at("source/reconnect")] = None


class VhostVdpaSource(LabelledSource, tag="vhostvdpa"):
    """A vDPA block device, by its node /dev/vhost-vdpa-N."""

    dev: Annotated[str | None, at("source/@dev")] = None


AnyDiskSource = (
    FileSource | BlockSource | DirSource | VolumeSource | NetworkSource | NvmeSource | VhostUserSource | VhostVdpaSource
)
#: Sources that are nothing but a place, which may be missing.
MAY_BE_EMPTY = (FileSource, BlockSource, DirSource, VolumeSource, NetworkSource)
_UNKNOWN_TYPE = _missing("unknown storage source type '%s'")
_UNKNOWN_FORMAT = _missing("unknown storage source format '%s'")


class DataStore(Record):
    """The image that holds the data of another."""

    index: Annotated[UInt | None, at("@index", live=True, unset=("0",))] = None
    format: Annotated[DiskFormat | None, at("format/@type", wrong=_UNKNOWN_FORMAT)] = None
    source: Annotated[AnyDiskSource | None, inline(wrong=_UNKNOWN_TYPE)] = None


class BackingStore(Record):
    """The next image of a backing chain; one without a source ends the chain."""

    index: Annotated[UInt | None, at("@index", live=True, unset=("0",))] = None
    format: Annotated[DiskFormat | None, at("format/@type", wrong=_UNKNOWN_FORMAT)] = None
    metadata_cache_size: Annotated[Bytes | None, at("format/metadata_cache/max_size")] = None
    source: Annotated[AnyDiskSource | None, inline(wrong=_UNKNOWN_TYPE)] = None
    backing_store: Annotated[BackingStore | None, at("backingStore", keep_empty=True)] = None


class Mirror(Record):
    """The copy a block job writes; only in live documents.

    file, file_format: the same again, as older clients read it.
    """

    file: str | None = None
    file_format: Annotated[str | None, at("@format")] = None
    job: Literal["copy", "active-commit"] = "copy"
    ready: Literal["yes", "abort", "pivot"] | None = None
    format: Annotated[DiskFormat | None, at("format/@type")] = None
    metadata_cache_size: Annotated[Bytes | None, at("format/metadata_cache/max_size")] = None
    source: Annotated[AnyDiskSource, inline("file")] = FileSource()
    backing_store: Annotated[BackingStore | None, at("backingStore", keep_empty=True)] = None


__all__ = [
    "MAY_BE_EMPTY", "AnyDiskSource", "Auth", "AuthSecret", "BackingStore", "BlockSource", "Cipher", "Cookie",
    "DataStore", "DirSource", "DiskFormat", "DiskSource", "Encryption", "EncryptionSecret", "FileSource", "Identity",
    "Ivgen", "LabelledSource", "Mirror", "NetworkDiskHost", "NetworkProtocol", "NetworkSource", "NvmeSource",
    "Reservations", "ReservationsSource", "SecuredSource", "Slice", "StartupPolicy", "VhostUserSource",
    "VhostVdpaSource", "VolumeSource",
]  # fmt: skip
