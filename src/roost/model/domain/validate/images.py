"""Rules about what backs disks: each image of a chain by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from roost.errors import From
from roost.model.domain.devices.disk import (
    AnyDiskSource,
    Auth,
    DirSource,
    Disk,
    DiskFormat,
    Encryption,
    NetworkSource,
    VolumeSource,
)
from roost.model.domain.validate.rules import Context, Rule, Rules, given


class Image(NamedTuple):
    """One image of a disk's chain. The disk's own encryption and log-in are those of its top image."""

    disk: Disk
    source: AnyDiskSource
    format: DiskFormat | None
    metadata_cache_size: int | None
    auth: Auth | None
    encryption: Encryption | None
    readonly: bool

    @property
    def protocol(self) -> str | None:
        return self.source.protocol if isinstance(self.source, NetworkSource) else None


def images(disk: Disk) -> Iterator[Image]:
    """The images of a disk from the top down."""
    driver, source = disk.driver, disk.source
    yield Image(
        disk,
        source,
        driver.type if driver else None,
        driver.metadata_cache_size if driver else None,
        disk.auth or source.auth,
        disk.encryption or source.encryption,
        disk.readonly,
    )
    store = disk.backing_store
    while store is not None and store.source is not None:
        below = store.source
        yield Image(disk, below, store.format, store.metadata_cache_size, below.auth, below.encryption, True)
        store = store.backing_store


_LOGIN = frozenset(("iscsi", "http", "https", "ftp", "ftps", "ssh", "rbd"))
_SECRET_TYPES = {"iscsi": "iscsi", "rbd": "ceph"}
_WEB = frozenset(("http", "https", "ftp", "ftps"))


def _secret_type(i: Image) -> str | None:
    return i.auth.secret.type if i.auth is not None and i.protocol is not None else None


def _relabels_against_domain(i: Image, c: Context) -> bool:
    models = {label.model for label in getattr(i.source, "seclabels", ())}
    return bool(models) and any(label.relabel is False and label.model in models for label in c.domain.seclabels)


#: What libvirt checks for every hypervisor, before anything else of the disk.
RULES = Rules(
    Rule(
        lambda i, c: i.protocol is not None and i.protocol not in _LOGIN,
        "authentication is not supported for protocol '{d.protocol}'",
        "leave <auth> out",
        origin=From.DOMAIN,
        about="auth",
    ),
    Rule(
        lambda i, c: i.protocol is not None and i.auth.secret.type is None,
        "unknown secret type '<null>'",
        "type='ceph' for rbd, 'iscsi' for the others",
        origin=From.DOMAIN,
        about="auth",
    ),
    Rule(
        lambda i, c: i.protocol in _SECRET_TYPES and i.auth.secret.type not in (None, _SECRET_TYPES[i.protocol]),
        "invalid secret type '{d.auth.secret.type}'",
        "type='ceph' for rbd, 'iscsi' for iscsi",
        origin=From.DOMAIN,
        about="auth",
    ),
    Rule(
        lambda i, c: i.encryption.format == "luks" and i.encryption.cipher is not None,
        "supplying <cipher> for domain disk definition is unnecessary",
        "leave it out: the image says how it is encrypted",
        origin=From.DOMAIN,
        about="encryption",
    ),
)

#: Labels, checked after the disk's own attributes.
LABEL_RULES = Rules(
    Rule(
        _relabels_against_domain,
        "label overrides require relabeling to be enabled at the domain level",
        "relabel='yes' in the domain's <seclabel>",
        origin=From.DOMAIN,
    ),
)


def _encrypts(i: Image, *formats: str, engine: str = "qemu") -> bool:
    return i.encryption is not None and i.encryption.format in formats and i.encryption.engine in (None, engine)


#: What QEMU cannot do with an image.
QEMU_RULES = Rules(
    Rule(given, "'cow' storage format is not supported", "type='qcow2'", about="format=cow"),
    Rule(
        given,
        "'directory' storage format is not directly supported by QEMU, use 'dir' disk type instead",
        about="format=dir",
    ),
    Rule(
        given,
        "storage format 'iso' is not directly supported by QEMU, use 'raw' instead",
        about="format=iso",
    ),
    Rule(
        lambda i, c: not isinstance(i.source, DirSource | VolumeSource),
        "storage format 'fat' is supported only with 'dir' storage type",
        "type='dir' of the disk, or type='raw' of its driver",
        about="format=fat",
    ),
    Rule(
        lambda i, c: isinstance(i.source, DirSource) and i.format not in (None, "fat"),
        "storage type 'dir' requires use of storage format 'fat'",
        "type='fat' in <driver>",
    ),
    Rule(
        lambda i, c: isinstance(i.source, DirSource) and not i.readonly,
        "virtual FAT storage can't be accessed in read-write mode",
        "add <readonly/>",
    ),
    Rule(
        lambda i, c: "pr-manager-helper" not in c.facts.devices,
        "reservations not supported with this QEMU binary",
        about="source.reservations",
    ),
    Rule(
        given,
        "'tftp' protocol is not supported with this QEMU binary",
        "fetch the image by http",
        about="protocol=tftp",
    ),
    Rule(
        lambda i, c: len(i.source.hosts) != 1,
        "'nfs' protocol requires the usage of exactly one host",
        about="protocol=nfs",
    ),
    Rule(
        lambda i, c: i.source.hosts[0].transport is not None,
        "'nfs' host must use TCP protocol",
        about="protocol=nfs",
    ),
    Rule(
        lambda i, c: i.source.hosts[0].port,
        "port cannot be specified in 'nfs' protocol host",
        about="protocol=nfs",
    ),
    Rule(
        lambda i, c: i.metadata_cache_size and i.format != "qcow2",
        "metadata cache max size control is supported only with qcow2 images",
        "type='qcow2' in <driver>",
        about="metadata_cache_size",
    ),
    Rule(
        lambda i, c: i.encryption.format in ("default", "qcow"),
        "old qcow/qcow2 encryption is not supported",
        "format='luks'",
        about="encryption",
    ),
    Rule(
        lambda i, c: _encrypts(i, "luks") and i.format not in ("raw", "qcow2", None),
        "encryption is supported only with 'raw' and 'qcow2' image format",
        about="encryption",
    ),
    Rule(
        lambda i, c: _encrypts(i, "luks2", "luks-any"),
        "luks2 is currently not supported by the qemu encryption engine",
        "format='luks', or engine='librbd' for images on RBD",
        about="encryption",
    ),
    Rule(
        lambda i, c: i.encryption.engine == "librbd" and not isinstance(i.source, NetworkSource),
        "librbd encryption is supported only with RBD backed disks",
        "engine='qemu'",
        about="encryption",
    ),
)


def _is_vhostuser(what: str, has: Any) -> Rule:
    return Rule(
        lambda d, c: has(d),
        f"{what} is not supported with vhostuser disk",
        f"leave {what} out: the process behind the socket decides",
        origin=From.DOMAIN,
        about="type=vhostuser",
    )


#: A disk that another process serves is nothing that QEMU could do anything with.
VHOST_USER_RULES = Rules(
    Rule(
        lambda d, c: d.target.bus != "virtio",
        "vhostuser disk supports only virtio bus",
        "bus='virtio'",
        origin=From.DOMAIN,
        about="type=vhostuser",
    ),
    Rule(
        lambda d, c: d.snapshot != "no",
        "only snapshot=no is supported with vhostuser disk",
        origin=From.DOMAIN,
        about="type=vhostuser",
    ),
    _is_vhostuser("cache", lambda d: d.driver.cache is not None),
    _is_vhostuser("error_policy", lambda d: d.driver.error_policy or d.driver.rerror_policy),
    _is_vhostuser("io", lambda d: d.driver.io),
    _is_vhostuser("ioeventfd", lambda d: d.driver.ioeventfd is not None),
    _is_vhostuser("copy_on_read", lambda d: d.driver.copy_on_read is not None),
    _is_vhostuser("discard", lambda d: d.driver.discard),
    _is_vhostuser("iothread", lambda d: d.driver.iothread),
    _is_vhostuser("detect_zeroes", lambda d: d.driver.detect_zeroes),
    _is_vhostuser("metadata_cache", lambda d: d.driver.metadata_cache_size),
    _is_vhostuser("iotune", lambda d: d.iotune is not None),
    _is_vhostuser("backingStore", lambda d: d.backing_store is not None),
    _is_vhostuser("encryption", lambda d: d.encryption or d.source.encryption),
    _is_vhostuser("readonly", lambda d: d.readonly),
    _is_vhostuser("shareable", lambda d: d.shareable),
    _is_vhostuser("transient", lambda d: d.transient is not None),
    _is_vhostuser("serial", lambda d: d.serial),
    _is_vhostuser("wwn", lambda d: d.wwn),
    _is_vhostuser("vendor", lambda d: d.vendor),
    _is_vhostuser("product", lambda d: d.product),
    _is_vhostuser("auth", lambda d: d.auth or d.source.auth),
    _is_vhostuser("geometry", lambda d: d.geometry is not None),
    _is_vhostuser("blockio", lambda d: d.blockio is not None),
)


def lacks_shared_memory(c: Context) -> bool:
    """Whether the guest's memory is not shared with other processes, which vhost-user needs."""
    backing = c.domain.memory_backing
    shared = backing is not None and backing.access_mode == "shared"
    numa = c.domain.cpu.numa if c.domain.cpu is not None else None
    cells = numa.cells if numa is not None else ()
    if not cells:
        return not shared
    return any(cell.mem_access == "private" or (cell.mem_access is None and not shared) for cell in cells)


def requires_shared_memory(what: str, concerns: Any) -> Rule:
    """The rule for devices whose other side reads the guest's memory."""
    return Rule(
        lambda d, c: concerns(d) and lacks_shared_memory(c),
        f"'{what}' requires shared memory",
        "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
    )


__all__ = [
    "LABEL_RULES", "QEMU_RULES", "RULES", "VHOST_USER_RULES", "Image", "images", "lacks_shared_memory",
    "requires_shared_memory",
]  # fmt: skip
