"""Checkpoints of domains."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.moments import Moments, disks, print_facts, spec
from roost.cli.parser import split_list
from roost.cli.table import PARTS, REST, TEXT, Command, Option, domain_argument, flag
from roost.cli.xmltree import written
from roost.constants import checkpoint as constants
from roost.errors import NoDomainCheckpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.records import Domain

_CHECKPOINTS = Moments("checkpoint", NoDomainCheckpoint)

_CREATE_FLAGS = (
    ("redefine", constants.CREATE_REDEFINE),
    ("redefine-validate", constants.CREATE_REDEFINE_VALIDATE),
    ("quiesce", constants.CREATE_QUIESCE),
)
_DELETE_FLAGS = (
    ("children", constants.DELETE_CHILDREN),
    ("children-only", constants.DELETE_CHILDREN_ONLY),
    ("metadata", constants.DELETE_METADATA_ONLY),
)
_XML_FLAGS = (
    ("security-info", constants.XML_SECURE),
    ("no-domain", constants.XML_NO_DOMAIN),
    ("size", constants.XML_SIZE),
)
_LEAVES = (("leaves", constants.LIST_LEAVES), ("no-leaves", constants.LIST_NO_LEAVES))
_LIST_FLAGS = (
    *_LEAVES,
    ("topological", constants.LIST_TOPOLOGICAL),
    ("roots", constants.LIST_ROOTS),
    ("descendants", constants.LIST_DESCENDANTS),
)


def _chosen(shell: Shell, arguments: Arguments, option: str = "checkpointname") -> tuple[Domain, Any]:
    domain, name = shell.domain(arguments), arguments.text(option)
    if name is None:
        raise CommandFailed(f"--{option} is required")
    return domain, _CHECKPOINTS.named(shell, domain, name)


def _checkpoint_create(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.shell import read_document

    if arguments.has("redefine-validate") and not arguments.has("redefine"):
        raise CommandFailed("Option --redefine is required by option --redefine-validate")
    domain, path = shell.domain(arguments), arguments.text("xmlfile")
    text = read_document(path) if path is not None else "<domaincheckpoint/>"
    _CHECKPOINTS.create(shell, domain, text, arguments.flags(_CREATE_FLAGS), path)


def _checkpoint_create_as(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    parts = disks([_disk(text) for text in arguments.rest()])
    _CHECKPOINTS.create_or_print(shell, arguments, domain, parts, arguments.flags(_CREATE_FLAGS))


def _disk(text: str) -> str:
    target, *words = split_list(text)
    given = spec("diskspec", text, words, ("checkpoint", "bitmap"))
    return written("disk", {"name": target, "checkpoint": given.get("checkpoint"), "bitmap": given.get("bitmap")})


def _checkpoint_delete(shell: Shell, arguments: Arguments) -> None:
    _, checkpoint = _chosen(shell, arguments)
    with failing(f"Failed to delete checkpoint {checkpoint.name}"):
        _CHECKPOINTS.call(shell, "DELETE", checkpoint, arguments.flags(_DELETE_FLAGS))
    what = " children" if arguments.has("children-only") else ""
    shell.extra(f"Domain checkpoint {checkpoint.name}{what} deleted\n")


def _checkpoint_dumpxml(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.xpath import show

    _, checkpoint = _chosen(shell, arguments)
    show(shell, arguments, _CHECKPOINTS.text(shell, checkpoint, arguments.flags(_XML_FLAGS)))


def _checkpoint_edit(shell: Shell, arguments: Arguments) -> None:
    domain, checkpoint = _chosen(shell, arguments)
    name = _CHECKPOINTS.edit(shell, domain, checkpoint, constants.CREATE_REDEFINE)
    if name is None:
        shell.extra(f"Checkpoint {checkpoint.name} XML configuration not changed.\n")
    elif name == checkpoint.name:
        shell.extra(f"Checkpoint {checkpoint.name} edited.\n")
    else:
        with failing(f"Failed to clean up {name}"):
            _CHECKPOINTS.forget(shell, _CHECKPOINTS.named(shell, domain, name))
        raise CommandFailed(
            f"Cannot rename checkpoint {checkpoint.name} to {name}", f"Failed to update {checkpoint.name}"
        )


def _checkpoint_info(shell: Shell, arguments: Arguments) -> None:
    domain, checkpoint = _chosen(shell, arguments)
    print_facts(
        shell,
        ("Name", checkpoint.name),
        ("Domain", domain.name),
        ("Parent", _CHECKPOINTS.parent(shell, checkpoint) or "-"),
        ("Children", _CHECKPOINTS.call(shell, "LIST_ALL_CHILDREN", checkpoint, 0, 0)[1]),
        ("Descendants", _CHECKPOINTS.call(shell, "LIST_ALL_CHILDREN", checkpoint, 0, constants.LIST_DESCENDANTS)[1]),
    )


def _checkpoint_list(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("tree", "name"), ("parent", "roots"), ("parent", "tree"), ("roots", "tree"), ("roots", "from"))
    for name, _ in _LEAVES:
        if arguments.has(name) and arguments.has("tree"):
            raise CommandFailed(f"--{name} and --tree are mutually exclusive")
    if arguments.has("descendants") and not arguments.has("from"):
        raise CommandFailed("--descendants requires --from")
    domain, start = _chosen(shell, arguments, "from") if arguments.has("from") else (shell.domain(arguments), None)
    with failing("unexpected problem querying checkpoints"):
        found = _CHECKPOINTS.listed(shell, domain, start, arguments.flags(_LIST_FLAGS))
    _CHECKPOINTS.print_list(shell, arguments, start, found)


def _checkpoint_parent(shell: Shell, arguments: Arguments) -> None:
    _CHECKPOINTS.print_parent(shell, _chosen(shell, arguments)[1])


_DOMAIN = domain_argument("domains_with_checkpoint")
_RUNNING = domain_argument("active_domains")
_NAME = Option("checkpointname", TEXT, "the checkpoint", completes="checkpoints")
_QUIESCE = flag("quiesce", "with the guest's file systems at rest")

COMMANDS = (
    Command(
        "checkpoint-create",
        _checkpoint_create,
        "a checkpoint, from XML",
        "From then on the changes of disks are known, for incremental backups.",
        _RUNNING,
        Option("xmlfile", TEXT, "file with the document"),
        flag("redefine", "make one known that was made before"),
        flag("redefine-validate", "with --redefine, see that the disks still know what changed"),
        _QUIESCE,
    ),
    Command(
        "checkpoint-create-as",
        _checkpoint_create_as,
        "a checkpoint, from words",
        "",
        _RUNNING,
        Option("name", TEXT, "its name"),
        Option("description", TEXT, "its description"),
        flag("print-xml", "print the document and do nothing"),
        _QUIESCE,
        Option("diskspec", REST, "a disk: target[,checkpoint=bitmap|no][,bitmap=NAME]"),
    ),
    Command(
        "checkpoint-delete",
        _checkpoint_delete,
        "delete a checkpoint",
        "",
        _DOMAIN,
        _NAME,
        flag("children", "and all below it"),
        flag("children-only", "all below it, but not itself"),
        flag("metadata", "forget it, and leave the images as they are"),
    ),
    Command(
        "checkpoint-dumpxml",
        _checkpoint_dumpxml,
        "a checkpoint as XML",
        "",
        _DOMAIN,
        _NAME,
        flag("security-info", "with passwords and keys"),
        flag("no-domain", "without the domain as it was"),
        flag("size", "with the bytes changed since"),
        *PARTS,
    ),
    Command("checkpoint-edit", _checkpoint_edit, "edit a checkpoint's document", "", _DOMAIN, _NAME),
    Command("checkpoint-info", _checkpoint_info, "a checkpoint's place among the others", "", _DOMAIN, _NAME),
    Command(
        "checkpoint-list",
        _checkpoint_list,
        "the checkpoints of a domain",
        "",
        _DOMAIN,
        flag("parent", "add a column with the parent"),
        flag("roots", "only those without a parent"),
        flag("leaves", "only those without children"),
        flag("no-leaves", "only those with children"),
        flag("tree", "as a tree"),
        Option("from", TEXT, "only those below this one", completes="checkpoints"),
        flag("descendants", "with --from, not its children alone"),
        flag("name", "names alone"),
        flag("topological", "parents before children, not by name"),
    ),
    Command("checkpoint-parent", _checkpoint_parent, "the parent of a checkpoint", "", _DOMAIN, _NAME),
)
