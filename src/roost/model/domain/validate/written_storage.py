"""Rules about disks and file systems as they were written: what contradicts itself before anything is added."""

from __future__ import annotations

from collections.abc import Iterator

from roost.errors import ConfigUnsupported, From, NoSource, RoostError, XmlError
from roost.model.domain.devices.disk import (
    AnyDiskSource,
    BackingStore,
    Disk,
    NetworkDiskHost,
    NetworkSource,
    NvmeSource,
    VolumeSource,
)
from roost.model.domain.devices.disksource import MAY_BE_EMPTY, Cookie
from roost.model.domain.devices.filesystem import Filesystem, FsVolumeSource
from roost.model.domain.domain import Domain
from roost.model.domain.validate.encryption import check_encryption, check_secret_reference
from roost.model.shared.pci import check_pci_location

#: All permission bits.
_MAX_MODE = 0o777
#: What a cookie's name and value may not contain.
_NO_COOKIE_VALUE = frozenset(' ",;\\' + "".join(map(chr, range(1, 32))))
_NO_COOKIE_NAME = _NO_COOKIE_VALUE | frozenset("()<>@:/[]?={}")


def check_storage_written(domain: Domain) -> None:
    """Raises for what libvirt refuses while it reads disks and file systems."""
    for disk in domain.devices.disks:
        _check_disk(disk)
    for filesystem in domain.devices.filesystems:
        _check_filesystem(filesystem)


def _wrong(text: str, hint: str = "") -> RoostError:
    return XmlError(text, domain=From.DOMAIN, hint=hint)


def _wrong_source(text: str, hint: str = "") -> RoostError:
    """What libvirt's storage code finds, rather than what reads domains."""
    return XmlError(text, domain=From.STORAGE, hint=hint)


def _unsupported(text: str, hint: str = "") -> RoostError:
    return ConfigUnsupported(text, domain=From.DOMAIN, hint=hint)


def _check_disk(disk: Disk) -> None:
    for source in _sources(disk):
        check_source_written(source)
    for what in ("auth", "encryption"):
        if getattr(disk, what) is not None and getattr(disk.source, what, None) is not None:
            raise _unsupported(f"an <{what}> definition already found for disk source", "keep the one in <source>")
    if disk.auth is not None:
        check_secret_reference(disk.auth.secret)
    if disk.encryption is not None:
        check_encryption(disk.encryption)
    if disk.driver is not None and disk.driver.rerror_policy == "enospace":
        raise _unsupported("Invalid disk read error policy: 'enospace'", "use 'stop', 'report' or 'ignore'")


def _sources(disk: Disk) -> Iterator[AnyDiskSource]:
    """The sources of the disk's chain. Raises for an image whose format or source is missing."""
    yield disk.source
    store: BackingStore | None = disk.backing_store
    while store is not None and store.source is not None:
        if store.format is None:
            raise _wrong("missing disk backing store format", "<format type='qcow2'/>, for instance")
        if isinstance(store.source, MAY_BE_EMPTY) and store.source == type(store.source)():
            raise _wrong("missing disk backing store source", "<source file='...'/>, for instance")
        yield store.source
        store = store.backing_store


def check_source_written(source: AnyDiskSource) -> None:
    """Raises for a source that contradicts itself."""
    if isinstance(source, VolumeSource):
        _check_volume(source)
    elif isinstance(source, NvmeSource):
        check_pci_location(source.address)
    elif isinstance(source, NetworkSource) and source != NetworkSource():
        _check_network(source)
    if source.auth is not None:
        check_secret_reference(source.auth.secret)
    if source.encryption is not None:
        check_encryption(source.encryption)
    reservations = source.reservations
    if reservations is not None and not reservations.managed and reservations.source is None:
        raise _wrong_source(
            "missing connection type for <reservations/>", "<source type='unix' path='...' mode='client'/>"
        )


def _check_volume(source: VolumeSource | FsVolumeSource) -> None:
    if (source.pool is None) != (source.volume is None):
        raise _wrong("'pool' and 'volume' must be specified together for 'pool' type source")


def _check_network(source: NetworkSource) -> None:
    if source.protocol is None:
        raise XmlError("Missing required attribute 'protocol' in element 'source'", domain=From.XML)
    if source.name is None and source.protocol != "nbd":
        raise _wrong("missing name for disk source", "<source protocol='...' name='...'>")
    if source.protocol in ("gluster", "rbd") and source.name is not None:
        pool, slash, _ = source.name.partition("/")
        if not pool or not slash:
            raise _wrong(f"can't split path '{source.name}' into pool name and image name", "name='pool/image'")
    for host in source.hosts:
        _check_host(host)
    _check_cookies(source.cookies)


def _check_host(host: NetworkDiskHost) -> None:
    if host.transport == "unix":
        if host.socket is None:
            raise _wrong("missing socket for unix transport", "<host transport='unix' socket='/path'/>")
    elif host.socket is not None:
        raise _wrong(f"transport '{host.transport or 'tcp'}' does not support socket attribute", "transport='unix'")
    elif host.name is None:
        raise _wrong("missing name for host", "<host name='...'/>")


def _check_cookies(cookies: tuple[Cookie, ...]) -> None:
    seen: set[str] = set()
    for cookie in cookies:
        value = cookie.value or ""
        if not cookie.value:
            raise _wrong(f"missing value for cookie '{cookie.name}'")
        if not cookie.name:
            raise _wrong_source("cookie name must not be empty")
        if not _NO_COOKIE_NAME.isdisjoint(cookie.name):
            raise _wrong_source(f"cookie name '{cookie.name}' contains invalid characters")
        quoted = len(value) > 1 and value[0] == value[-1] == '"'
        if not _NO_COOKIE_VALUE.isdisjoint(value[1:-1] if quoted else value):
            raise _wrong_source(f"value of cookie '{cookie.name}' contains invalid characters")
        if cookie.name in seen:
            raise _wrong_source(f"duplicate cookie '{cookie.name}'")
        seen.add(cookie.name)


def _check_filesystem(filesystem: Filesystem) -> None:
    for name in ("fmode", "dmode"):
        mode = getattr(filesystem, name) or 0
        if mode > _MAX_MODE:
            raise _wrong(f"invalid {name}: '0{mode:o}'", "permission bits, such as 0755")
    if not filesystem.place and filesystem.type not in ("ram", "volume"):
        raise NoSource(filesystem.target or "", domain=From.DOMAIN, hint="<source dir='...'/>")
    if isinstance(filesystem.source, FsVolumeSource):
        _check_volume(filesystem.source)


__all__ = ["check_source_written", "check_storage_written"]
