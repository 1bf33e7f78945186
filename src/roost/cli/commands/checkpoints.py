"""Checkpoints of domains."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.table import REST, TEXT, Command, Option, domain_argument, flag
from roost.constants import checkpoint as constants
from roost.errors import NoDomainCheckpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell


def _checkpoint(shell: Shell, arguments: Arguments, domain: Any, option: str = "checkpointname") -> Any:
    name = arguments.text(option)
    if name is None:
        raise CommandFailed(f"--{option} is required")
    return shell.client.call("DOMAIN_CHECKPOINT_LOOKUP_BY_NAME", domain, name, 0)[0]


def _parent(shell: Shell, checkpoint: Any) -> str | None:
    try:
        name: str = shell.client.call("DOMAIN_CHECKPOINT_GET_PARENT", checkpoint, 0)[0].name
    except NoDomainCheckpoint:
        return None
    return name


def _create_flags(arguments: Arguments) -> int:
    return sum(
        value
        for name, value in (
            ("redefine", constants.CREATE_REDEFINE),
            ("redefine-validate", constants.CREATE_REDEFINE_VALIDATE),
            ("quiesce", constants.CREATE_QUIESCE),
        )
        if arguments.has(name)
    )


def _checkpoint_create(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.shell import read_document

    if arguments.has("redefine-validate") and not arguments.has("redefine"):
        raise CommandFailed("Option --redefine is required by option --redefine-validate")
    domain, path = shell.domain(arguments), arguments.text("xmlfile")
    text = read_document(path) if path is not None else "<domaincheckpoint/>"
    made = shell.client.call("DOMAIN_CHECKPOINT_CREATE_XML", domain, text, _create_flags(arguments))[0]
    created = f" from '{path}'" if path is not None else ""
    shell.extra(f"Domain checkpoint {made.name} created{created}")


def _checkpoint_create_as(shell: Shell, arguments: Arguments) -> None:
    from xml.sax.saxutils import escape

    from roost.cli.xmltree import quoted

    domain = shell.domain(arguments)
    lines = [
        f"  <{name}>{escape(value)}</{name}>" for name in ("name", "description") if (value := arguments.text(name))
    ]
    disks = []
    for spec in arguments.rest():
        target, *words = spec.split(",")
        given = dict(word.partition("=")[::2] for word in words)
        if len(given) != len(words) or not given.keys() <= {"checkpoint", "bitmap"}:
            raise CommandFailed(f"unable to parse diskspec: {spec}")
        rest = "".join(f" {name}={quoted(given[name])}" for name in ("checkpoint", "bitmap") if name in given)
        disks.append(f"    <disk name={quoted(target)}{rest}/>")
    if disks:
        lines += ["  <disks>", *disks, "  </disks>"]
    text = "".join(f"{line}\n" for line in ("<domaincheckpoint>", *lines, "</domaincheckpoint>"))
    if arguments.has("print-xml"):
        shell.write(f"{text}\n")
        return
    made = shell.client.call("DOMAIN_CHECKPOINT_CREATE_XML", domain, text, _create_flags(arguments))[0]
    shell.extra(f"Domain checkpoint {made.name} created")


def _checkpoint_delete(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    checkpoint = _checkpoint(shell, arguments, domain)
    flags = sum(
        value
        for name, value in (
            ("children", constants.DELETE_CHILDREN),
            ("children-only", constants.DELETE_CHILDREN_ONLY),
            ("metadata", constants.DELETE_METADATA_ONLY),
        )
        if arguments.has(name)
    )
    with failing(f"Failed to delete checkpoint {checkpoint.name}"):
        shell.client.call("DOMAIN_CHECKPOINT_DELETE", checkpoint, flags)
    what = " children" if arguments.has("children-only") else ""
    shell.extra(f"Domain checkpoint {checkpoint.name}{what} deleted\n")


def _checkpoint_dumpxml(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.xpath import show

    domain = shell.domain(arguments)
    checkpoint = _checkpoint(shell, arguments, domain)
    flags = sum(
        value
        for name, value in (
            ("security-info", constants.XML_SECURE),
            ("no-domain", constants.XML_NO_DOMAIN),
            ("size", constants.XML_SIZE),
        )
        if arguments.has(name)
    )
    show(shell, arguments, shell.client.call("DOMAIN_CHECKPOINT_GET_XML_DESC", checkpoint, flags)[0])


def _checkpoint_edit(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.editor import edit

    domain, client = shell.domain(arguments), shell.client
    checkpoint = _checkpoint(shell, arguments, domain)

    def define(text: str, *, relaxed: bool = False) -> str:
        name: str = client.call("DOMAIN_CHECKPOINT_CREATE_XML", domain, text, constants.CREATE_REDEFINE)[0].name
        return name

    with failing(f"Failed to update {checkpoint.name}"):
        name = edit(
            shell,
            read=lambda: str(client.call("DOMAIN_CHECKPOINT_GET_XML_DESC", checkpoint, constants.XML_SECURE)[0]),
            write=define,
            can_relax=False,
        )
    if name is None:
        shell.extra(f"Checkpoint {checkpoint.name} XML configuration not changed.\n")
    elif name == checkpoint.name:
        shell.extra(f"Checkpoint {checkpoint.name} edited.\n")
    else:
        other = client.call("DOMAIN_CHECKPOINT_LOOKUP_BY_NAME", domain, name, 0)[0]
        with failing(f"Failed to clean up {name}"):
            client.call("DOMAIN_CHECKPOINT_DELETE", other, constants.DELETE_METADATA_ONLY)
        raise CommandFailed(
            f"Cannot rename checkpoint {checkpoint.name} to {name}", f"Failed to update {checkpoint.name}"
        )


def _checkpoint_info(shell: Shell, arguments: Arguments) -> None:
    domain, client = shell.domain(arguments), shell.client
    checkpoint = _checkpoint(shell, arguments, domain)
    below = "DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN"
    for label, value in (
        ("Name:", checkpoint.name),
        ("Domain:", domain.name),
        ("Parent:", _parent(shell, checkpoint) or "-"),
        ("Children:", client.call(below, checkpoint, 0, 0)[1]),
        ("Descendants:", client.call(below, checkpoint, 0, constants.LIST_DESCENDANTS)[1]),
    ):
        shell.write(f"{label:<15} {value}\n")


_FILTERS = (("leaves", constants.LIST_LEAVES), ("no-leaves", constants.LIST_NO_LEAVES))


def _checkpoint_list(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(
        ("tree", "name"), ("parent", "roots"), ("parent", "tree"), ("roots", "tree"), ("roots", "from"),
        ("leaves", "tree"), ("no-leaves", "tree"),
    )  # fmt: skip
    flags = sum(value for name, value in _FILTERS if arguments.has(name))
    flags |= constants.LIST_TOPOLOGICAL if arguments.has("topological") else 0
    flags |= constants.LIST_ROOTS if arguments.has("roots") else 0
    if arguments.has("descendants"):
        if not arguments.has("from"):
            raise CommandFailed("--descendants requires --from")
        flags |= constants.LIST_DESCENDANTS
    domain, client = shell.domain(arguments), shell.client
    start = _checkpoint(shell, arguments, domain, "from") if arguments.has("from") else None
    with failing("unexpected problem querying checkpoints"):
        if start is not None:
            found = list(client.call("DOMAIN_CHECKPOINT_LIST_ALL_CHILDREN", start, 1, flags)[0])
        else:
            found = list(client.call("DOMAIN_LIST_ALL_CHECKPOINTS", domain, 1, flags)[0])
    if arguments.has("tree"):
        _show_tree(shell, arguments, start, found)
        return
    if not arguments.has("topological"):
        found.sort(key=lambda each: each.name.lower())
    if arguments.has("name"):
        shell.write("".join(f"{each.name}\n" for each in found))
        return
    header = ["Name", "Creation Time"]
    if arguments.has("parent"):
        header.append("Parent")
    shell.table(header, [_row(shell, each)[: len(header)] for each in found])


def _show_tree(shell: Shell, arguments: Arguments, start: Any, found: list[Any]) -> None:
    from roost.cli.tree import draw

    parents = {each.name: _parent(shell, each) for each in found}
    if start is not None:
        parents[start.name] = None
    if not arguments.has("topological"):
        parents = {name: parents[name] for name in sorted(parents, key=str.lower)}
    shell.write(draw(parents))


def _row(shell: Shell, checkpoint: Any) -> list[str]:
    from datetime import datetime

    from roost.cli.xmltree import parse

    document = parse(shell.client.call("DOMAIN_CHECKPOINT_GET_XML_DESC", checkpoint, 0)[0])
    seconds = next((each.text for each in document.all("creationTime")), "0")
    parent = next((each.text for each in document.all("parent/name")), "")
    moment = datetime.fromtimestamp(int(seconds)).astimezone()
    return [checkpoint.name, moment.strftime("%Y-%m-%d %H:%M:%S %z"), parent]


def _checkpoint_parent(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    checkpoint = _checkpoint(shell, arguments, domain)
    parent = _parent(shell, checkpoint)
    if parent is None:
        raise CommandFailed(f"checkpoint '{checkpoint.name}' has no parent")
    shell.write(parent)


_DOMAIN = domain_argument()
_RUNNING = domain_argument("active_domains")
_NAME = Option("checkpointname", TEXT, "the checkpoint")
_QUIESCE = flag("quiesce", "with the guest's file systems at rest")
_PARTS = (
    Option("xpath", TEXT, "print only the nodes that this XPath expression selects", named_only=True),
    flag("wrap", "put the selected nodes into one element"),
)

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
        *_PARTS,
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
        Option("from", TEXT, "only those below this one"),
        flag("descendants", "with --from, not its children alone"),
        flag("name", "names alone"),
        flag("topological", "parents before children, not by name"),
    ),
    Command("checkpoint-parent", _checkpoint_parent, "the parent of a checkpoint", "", _DOMAIN, _NAME),
)
