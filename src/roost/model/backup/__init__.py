"""The backup document of a domain: which disks are copied where, or shown to whom.

`parse` makes a Backup of XML, `complete` fills in what the domain implies and
refuses what cannot be, `format` writes it.
May enter: records and dry rules of backups.
"""

from roost.model.backup.backup import AnyBackupStore, Backup, BackupDisk, BackupImage, BackupServer
from roost.model.backup.complete import complete, with_exports
from roost.model.backup.document import format, parse

__all__ = [
    "AnyBackupStore", "Backup", "BackupDisk", "BackupImage", "BackupServer", "complete", "format", "parse",
    "with_exports",
]  # fmt: skip
