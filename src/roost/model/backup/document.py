"""Backup documents in and out."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from roost.errors import From, XmlInvalidSchema
from roost.model.backup.backup import Backup, BackupDevice, BackupDisk, BackupFile, BackupServer, FileStore
from roost.xml import format_document, parse_document


def parse(xml: str | bytes, *, validate: bool = True) -> Backup:
    """The backup an XML document describes; libvirt holds these to their schema always.

    Raises RoostError with libvirt's code; nothing else, whatever the bytes.
    """
    backup = parse_document(xml, Backup, "domainbackup", name="(domain_backup)", validate=validate)
    if validate:
        for problem in _problems(backup):
            raise XmlInvalidSchema(problem, domain=From.XML)
    return replace(backup, disks=tuple(_of_mode(disk, push=backup.mode == "push") for disk in backup.disks))


def _problems(backup: Backup) -> Iterator[str]:
    """What the schema says about one mode or the other."""
    push = backup.mode == "push"
    if push and backup.server is not None:
        yield "a <server> is for mode='pull'"
    if not push:
        yield from _server_problems(backup.server)
    for disk in backup.disks:
        if disk.backup:
            yield from _disk_problems(disk, push=push)


def _server_problems(server: BackupServer | None) -> Iterator[str]:
    if server is None:
        yield "mode='pull' needs a <server>"
    elif server.transport == "rdma":
        yield "a <server>'s transport is tcp or unix"
    elif server.transport == "unix":
        if server.socket is None or not server.socket.startswith("/"):
            yield "a <server> with transport='unix' needs the absolute path of its socket"
    elif server.name is None or server.socket is not None:
        yield "a <server> with transport='tcp' has a name, perhaps a port, and no socket"


def _disk_problems(disk: BackupDisk, *, push: bool) -> Iterator[str]:
    used, other = ("target", "scratch") if push else ("scratch", "target")
    if disk.store is not None and getattr(disk.store, other) is not None:
        yield f"disk '{disk.name}' has a <{other}>; in this mode it is <{used}>"
    image = getattr(disk.store, used) if disk.store is not None else None
    path = image.file if isinstance(image, BackupFile) else image.dev if isinstance(image, BackupDevice) else "/"
    if path is None or not path.startswith("/"):
        yield f"disk '{disk.name}' needs the absolute path of its <{used}>"
    if push and (disk.export_name is not None or disk.export_bitmap is not None):
        yield f"disk '{disk.name}' is exported in mode='pull' only"
    if not push and disk.format not in (None, "qcow2"):
        yield f"disk '{disk.name}' has the driver {disk.format}; in mode='pull' it is qcow2"
    if disk.backup_mode == "full" and disk.incremental is not None:
        yield f"disk '{disk.name}' is backed up in full, and so since no checkpoint"


def _of_mode(disk: BackupDisk, *, push: bool) -> BackupDisk:
    """The disk with what counts in this mode; one that is left out has nothing but its name."""
    if not disk.backup:
        return BackupDisk(name=disk.name, backup=False)
    store = disk.store
    if store is not None:
        store = replace(store, scratch=None) if push else replace(store, target=None)
    if push:
        disk = replace(disk, export_name=None, export_bitmap=None)
    return replace(disk, store=store or FileStore())


def format(backup: Backup) -> str:
    """The document, laid out as libvirt does."""
    return format_document(backup, "domainbackup")


__all__ = ["format", "parse"]
