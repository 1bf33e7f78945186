"""Backups of running domains."""

from __future__ import annotations

from roost.cli.table import PARTS, TEXT, Command, Option, domain_argument, flag
from roost.constants import backup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell


def _backup_begin(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.shell import read_document

    flags = backup.BEGIN_REUSE_EXTERNAL if arguments.has("reuse-external") else 0
    domain = shell.domain(arguments)
    path, moment = arguments.text("backupxml"), arguments.text("checkpointxml")
    text = read_document(path) if path is not None else "<domainbackup/>"
    checkpoint = read_document(moment) if moment is not None else None
    shell.client.call("DOMAIN_BACKUP_BEGIN", domain, text, checkpoint, flags)
    shell.write("Backup started\n")


def _backup_dumpxml(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.xpath import show

    domain = shell.domain(arguments)
    show(shell, arguments, shell.client.call("DOMAIN_BACKUP_GET_XML_DESC", domain, 0)[0])


_RUNNING = domain_argument("active_domains")

COMMANDS = (
    Command(
        "backup-begin",
        _backup_begin,
        "begin a backup of a domain's disks",
        "Without a document, each disk goes to a file beside its own.",
        _RUNNING,
        Option("backupxml", TEXT, "file with the document"),
        Option("checkpointxml", TEXT, "file with the document of a checkpoint of the same moment"),
        flag("reuse-external", "write into the images that are there"),
    ),
    Command(
        "backup-dumpxml",
        _backup_dumpxml,
        "the backup that runs, as XML",
        "",
        _RUNNING,
        *PARTS,
    ),
)
