"""Defaults of what backs a disk: ports of servers, the engine of encryption, what libvirt forgets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from roost.model.domain.devices.disk import (
    AnyDiskSource,
    BackingStore,
    BlockSource,
    DirSource,
    Encryption,
    FileSource,
    NetworkSource,
    NvmeSource,
    VolumeSource,
)

#: Where the servers of a protocol listen; those not listed have no port of their own.
DEFAULT_PORTS: Mapping[str | None, int] = {
    "http": 80, "https": 443, "ftp": 21, "ftps": 990, "tftp": 69, "sheepdog": 7000, "nbd": 10809, "ssh": 22,
    "iscsi": 3260, "gluster": 24007, "vxhs": 9999,
}  # fmt: skip
#: Sources whose place is one attribute: nothing but that attribute says that the drive is empty.
_PLACES: Mapping[type, str] = {FileSource: "file", BlockSource: "dev", DirSource: "dir"}


def complete_source(source: AnyDiskSource) -> AnyDiskSource:
    """What backs a disk or an image, with what its protocol means by itself."""
    changes: dict[str, Any] = {}
    if len(source.slices) > 1:
        changes["slices"] = source.slices[:1]
    place = _PLACES.get(type(source))
    if place is not None and getattr(source, place) == "":
        changes[place] = None
    if isinstance(source, NetworkSource):
        changes |= _network(source)
    elif isinstance(source, NvmeSource) and source.managed is None:
        changes["managed"] = True
    elif isinstance(source, VolumeSource) and source.auth is not None:
        # A pool knows how to log in.
        changes["auth"] = None
    if source.encryption is not None:
        changes["encryption"] = complete_encryption(source.encryption)
    return replace(source, **changes) if changes else source


def _network(source: NetworkSource) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    port = DEFAULT_PORTS.get(source.protocol)
    if port is not None and any(host.port is None and host.transport is None for host in source.hosts):
        changes["hosts"] = tuple(
            replace(host, port=port) if host.port is None and host.transport is None else host for host in source.hosts
        )
    if source.protocol == "iscsi" and source.name is not None and "/" not in source.name:
        # The target's first unit.
        changes["name"] = f"{source.name}/0"
    if source.protocol not in ("http", "https"):
        changes |= {"query": None, "cookies": ()}
    if source.protocol not in ("http", "https", "ftp", "ftps"):
        changes |= {"readahead": None, "timeout": None}
    if source.protocol not in ("https", "ftps"):
        changes["ssl_verify"] = None
    if source.protocol not in ("nfs", "ssh"):
        changes["identity"] = None
    return {name: value for name, value in changes.items() if getattr(source, name) != value}


def complete_encryption(encryption: Encryption) -> Encryption:
    """QEMU decrypts unless somebody else is named; how new volumes are made says nothing about those there are."""
    changes: dict[str, Any] = {}
    if encryption.engine is None:
        changes["engine"] = "qemu"
    if encryption.format != "luks" and (encryption.cipher or encryption.ivgen):
        changes |= {"cipher": None, "ivgen": None}
    return replace(encryption, **changes) if changes else encryption


def complete_backing(store: BackingStore | None) -> BackingStore | None:
    """A backing chain with each of its sources completed."""
    if store is None or store.source is None:
        return None if store is None else BackingStore()
    source = complete_source(store.source)
    if source.startup_policy is not None or source.index is not None:
        source = replace(source, startup_policy=None, index=None)
    below = complete_backing(store.backing_store)
    if source is store.source and below is store.backing_store:
        return store
    return replace(store, source=source, backing_store=below)


__all__ = ["DEFAULT_PORTS", "complete_backing", "complete_encryption", "complete_source"]
