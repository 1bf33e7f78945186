"""What a backup's document says when the domain has had its word: every disk, its mode, and where it goes."""

from __future__ import annotations

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, OperationUnsupported
from roost.model.backup.backup import Backup, BackupDisk, BackupFile, BackupServer, FileStore
from roost.model.domain import Domain
from roost.model.domain.devices.disk import Disk
from roost.model.domain.devices.disksource import FileSource
from roost.model.moment import is_empty

_PULL_SERVER = BackupServer(transport="tcp", name="localhost")


def complete(backup: Backup, domain: Domain, suffix: str) -> Backup:
    """The document of a backup that is about to begin.

    suffix: ends the names of images that the document does not name: the
    checkpoint made along with it, or the seconds since 1970.
    Raises libvirt's errors, with what to do about them.
    """
    backup = replace(backup, disks=_align(backup, domain, suffix))
    if backup.mode == "pull":
        backup = replace(backup, server=backup.server or _PULL_SERVER)
        if backup.server is not None and backup.server.transport == "tcp" and backup.server.port is None:
            raise OperationUnsupported(
                "<domainbackup> must specify TCP port for now",
                domain=From.QEMU,
                hint="<server name='...' port='10809'/>",
            )
    if not any(disk.backup for disk in backup.disks):
        raise ConfigUnsupported("no disks selected for backup", domain=From.QEMU)
    return replace(backup, disks=tuple(_with_format(disk, backup.mode) for disk in backup.disks))


def with_exports(backup: Backup) -> Backup:
    """A pull backup whose server has begun: every disk, and what changed in it, goes by a name."""
    return replace(backup, disks=tuple(_exported(disk) if disk.backup else disk for disk in backup.disks))


def _exported(disk: BackupDisk) -> BackupDisk:
    changes = disk.export_bitmap or (f"backup-{disk.name}" if disk.incremental is not None else None)
    return replace(disk, export_name=disk.export_name or disk.name, export_bitmap=changes)


def _align(backup: Backup, domain: Domain, suffix: str) -> tuple[BackupDisk, ...]:
    """The disks that the document names, in its order, then the domain's others."""
    own = {disk.target.dev: disk for disk in domain.devices.disks}
    if not own:
        raise ConfigUnsupported("domain must have at least one disk to perform backup", domain=From.DOMAIN)
    aligned: dict[str, BackupDisk] = {}
    for wanted in backup.disks:
        if wanted.name not in own:
            raise ConfigUnsupported(
                f"no disk named '{wanted.name}'", domain=From.DOMAIN, hint=f"the domain's disks are {', '.join(own)}"
            )
        if wanted.name in aligned:
            raise ConfigUnsupported(f"disk '{wanted.name}' specified twice", domain=From.DOMAIN)
        if wanted.backup_mode == "incremental" and wanted.incremental is None and backup.incremental is None:
            raise ConfigUnsupported(
                f"'incremental' backup mode of disk '{wanted.name}' requires setting 'incremental' field for disk "
                "or backup",
                domain=From.DOMAIN,
            )
        aligned[wanted.name] = _stored(wanted, own[wanted.name], backup.mode, suffix) if wanted.backup else wanted
    for name, disk in own.items():
        if name not in aligned:
            chosen = not backup.disks and not is_empty(disk.source) and not disk.readonly
            implied = BackupDisk(name=name, backup=chosen)
            aligned[name] = _stored(implied, disk, backup.mode, suffix) if chosen else implied
    return tuple(_with_mode(disk, backup.incremental) for disk in aligned.values())


def _stored(wanted: BackupDisk, disk: Disk, mode: str, suffix: str) -> BackupDisk:
    """The disk with an image to write to: a file beside its own, when the document names no disks at all."""
    if is_empty(disk.source):
        raise ConfigUnsupported(f"disk '{wanted.name}' has no media", domain=From.DOMAIN)
    if wanted.store is not None:
        return wanted
    if not isinstance(disk.source, FileSource):
        raise ConfigUnsupported(f"refusing to generate file name for disk '{wanted.name}'", domain=From.DOMAIN)
    image = BackupFile(file=f"{disk.source.file}.{suffix}")
    return replace(wanted, store=FileStore(target=image) if mode == "push" else FileStore(scratch=image))


def _with_mode(disk: BackupDisk, incremental: str | None) -> BackupDisk:
    if not disk.backup:
        return disk
    mode = disk.backup_mode
    if mode is None:
        mode = "incremental" if incremental is not None or disk.incremental is not None else "full"
    since = disk.incremental or (incremental if mode == "incremental" else None)
    return replace(disk, backup_mode=mode, incremental=since)


def _with_format(disk: BackupDisk, mode: str) -> BackupDisk:
    if not disk.backup:
        return disk
    if mode == "pull" and disk.format not in (None, "qcow2"):
        raise ConfigUnsupported(f"pull mode backup for disk '{disk.name}' requires qcow2 driver", domain=From.QEMU)
    return replace(disk, format=disk.format or "qcow2")


__all__ = ["complete", "with_exports"]
