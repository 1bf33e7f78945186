"""Backup documents in and out."""

from __future__ import annotations

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, XmlError
from roost.model.backup.backup import Backup, BackupDisk, FileStore
from roost.xml import format_document, parse_document


def parse(xml: str | bytes, *, validate: bool = True) -> Backup:
    """The backup an XML document describes; libvirt holds these to their schema always.

    Raises RoostError with libvirt's code; nothing else, whatever the bytes.
    """
    backup = parse_document(xml, Backup, "domainbackup", name="(domain_backup)", validate=validate)
    if backup.server is not None:
        _check_server(backup)
    return replace(backup, disks=tuple(_of_mode(disk, push=backup.mode == "push") for disk in backup.disks))


def _check_server(backup: Backup) -> None:
    server = backup.server
    assert server is not None
    if backup.mode != "pull":
        raise ConfigUnsupported(
            "use of <server> requires pull mode backup", domain=From.DOMAIN, hint="<domainbackup mode='pull'>"
        )
    if server.transport == "rdma":
        raise ConfigUnsupported("transport rdma is not supported for <server>", domain=From.DOMAIN)
    if server.transport == "unix":
        if server.socket is None:
            raise XmlError("missing socket for unix transport", domain=From.DOMAIN)
        if not server.socket.startswith("/"):
            raise XmlError(f"backup socket path '{server.socket}' must be absolute", domain=From.DOMAIN)
        return
    if server.socket is not None:
        raise XmlError(f"transport '{server.transport}' does not support socket attribute", domain=From.DOMAIN)
    if server.name is None:
        raise XmlError("missing name for host", domain=From.DOMAIN, hint="<server name='localhost' port='10809'/>")


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
