"""Snapshots of domains."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.moments import Moments, disks, print_facts, spec
from roost.cli.parser import split_list
from roost.cli.table import DATA, PARTS, REST, TEXT, Command, Option, domain_argument, flag
from roost.cli.xmltree import parse, written
from roost.constants import snapshot as constants
from roost.errors import NoDomainSnapshot, RoostError, SnapshotRevertRisky

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.cli.xmltree import Element
    from roost.client.records import Domain

_SNAPSHOTS = Moments("snapshot", NoDomainSnapshot, columns=(("State", "state"),))

_TAKE_FLAGS = (
    ("no-metadata", constants.CREATE_NO_METADATA, "keep nothing that tells of it"),
    ("halt", constants.CREATE_HALT, "stop the domain afterwards"),
    ("disk-only", constants.CREATE_DISK_ONLY, "the disks alone, without what the guest is doing"),
    ("reuse-external", constants.CREATE_REUSE_EXT, "write into the files that are there"),
    ("quiesce", constants.CREATE_QUIESCE, "with the guest's file systems at rest"),
    ("atomic", constants.CREATE_ATOMIC, "all of it or nothing"),
    ("live", constants.CREATE_LIVE, "while the guest runs on"),
    ("validate", constants.CREATE_VALIDATE, "refuse what the schema does not know"),
)
_REDEFINE_FLAGS = (("redefine", constants.CREATE_REDEFINE), ("current", constants.CREATE_CURRENT))
_DELETE_FLAGS = (
    ("children", constants.DELETE_CHILDREN, "and all below it"),
    ("children-only", constants.DELETE_CHILDREN_ONLY, "all below it, but not itself"),
    ("metadata", constants.DELETE_METADATA_ONLY, "forget it, and leave the images as they are"),
)
_REVERT_FLAGS = (
    ("running", constants.REVERT_RUNNING, "it runs afterwards"),
    ("paused", constants.REVERT_PAUSED, "it is paused afterwards"),
    ("reset-nvram", constants.REVERT_RESET_NVRAM, "with the firmware's variables as they were delivered"),
)
#: Filters that virsh does not take together with --tree.
_FILTERS = (
    ("leaves", constants.LIST_LEAVES),
    ("no-leaves", constants.LIST_NO_LEAVES),
    ("inactive", constants.LIST_INACTIVE),
    ("active", constants.LIST_ACTIVE),
    ("disk-only", constants.LIST_DISK_ONLY),
    ("internal", constants.LIST_INTERNAL),
    ("external", constants.LIST_EXTERNAL),
)
_LIST_FLAGS = (
    *_FILTERS,
    ("topological", constants.LIST_TOPOLOGICAL),
    ("roots", constants.LIST_ROOTS),
    ("metadata", constants.LIST_METADATA),
    ("no-metadata", constants.LIST_NO_METADATA),
    ("descendants", constants.LIST_DESCENDANTS),
)
_DISK_STATE = "<state>disk-snapshot</state>"


def _chosen(
    shell: Shell, arguments: Arguments, option: str = "snapshotname", *, both: bool = False
) -> tuple[Domain, Any]:
    """The domain and the snapshot of that name, or its current one. both: --current may say something else too."""
    domain, name = shell.domain(arguments), arguments.text(option)
    if name is not None and arguments.has("current") and not both:
        raise CommandFailed(f"--{option} and --current are mutually exclusive")
    if name is not None:
        return domain, _SNAPSHOTS.named(shell, domain, name)
    if not arguments.has("current"):
        raise CommandFailed(f"--{option} or --current is required")
    return domain, _SNAPSHOTS.call(shell, "CURRENT", domain, 0)[0]


def _snapshot_create(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.shell import read_document

    domain, path = shell.domain(arguments), arguments.text("xmlfile")
    text = read_document(path) if path is not None else "<domainsnapshot/>"
    flags = arguments.flags(_TAKE_FLAGS) | arguments.flags(_REDEFINE_FLAGS)
    _SNAPSHOTS.create(shell, domain, text, flags, path)


def _snapshot_create_as(shell: Shell, arguments: Arguments) -> None:
    domain, memory = shell.domain(arguments), arguments.text("memspec")
    parts = _memory(memory) if memory is not None else ""
    parts += disks([_disk(text) for text in arguments.rest()])
    _SNAPSHOTS.create_or_print(shell, arguments, domain, parts, arguments.flags(_TAKE_FLAGS))


def _memory(text: str) -> str:
    words = [f"file={word}" if word.startswith("/") else word for word in split_list(text)]
    given = spec("memspec", text, words, ("snapshot", "file"))
    return written("memory", {"snapshot": given.get("snapshot"), "file": given.get("file")})


def _disk(text: str) -> str:
    target, *words = split_list(text)
    given = spec("diskspec", text, words, ("snapshot", "driver", "stype", "file"))
    kind = given.get("stype")
    if kind not in (None, "file", "block"):
        raise CommandFailed(f"Unknown storage type: '{kind}'", f"unable to parse diskspec: {text}")
    inside = written("driver", {"type": given.get("driver")})
    inside += written("source", {"dev" if kind == "block" else "file": given.get("file")})
    return written("disk", {"name": target, "snapshot": given.get("snapshot"), "type": kind}, inside)


def _snapshot_edit(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("rename", "clone"))
    make_current = arguments.has("current") and arguments.has("snapshotname")
    domain, snapshot = _chosen(shell, arguments, both=True)
    flags = constants.CREATE_REDEFINE | constants.CREATE_CURRENT * make_current
    if _DISK_STATE in _SNAPSHOTS.text(shell, snapshot):
        flags |= constants.CREATE_DISK_ONLY
    old, new = snapshot.name, _SNAPSHOTS.edit(shell, domain, snapshot, flags, unchanged_too=make_current)
    if new is None:
        shell.extra(f"Snapshot {old} XML configuration not changed.\n")
    elif new == old:
        shell.extra(f"Snapshot {old} edited.\n")
    elif arguments.has("clone"):
        shell.extra(f"Snapshot {old} cloned to {new}.\n")
    else:
        rename = arguments.has("rename")
        surplus = snapshot if rename else _SNAPSHOTS.named(shell, domain, new)
        try:
            _SNAPSHOTS.forget(shell, surplus)
        except RoostError as error:
            raise CommandFailed(
                error.message, f"Failed to clean up {surplus.name}", f"Failed to update {old}"
            ) from None
        if not rename:
            raise CommandFailed(f"Must use --rename or --clone to change {old} to {new}", f"Failed to update {old}")


def _snapshot_current(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("name", "snapshotname"))
    domain, name = shell.domain(arguments), arguments.text("snapshotname")
    if name is not None:
        text = _SNAPSHOTS.text(shell, _SNAPSHOTS.named(shell, domain, name), constants.XML_SECURE)
        flags = constants.CREATE_REDEFINE | constants.CREATE_CURRENT
        flags |= constants.CREATE_DISK_ONLY if _DISK_STATE in text else 0
        _SNAPSHOTS.call(shell, "CREATE_XML", domain, text, flags)
        shell.extra(f"Snapshot {name} set as current")
        return
    if not shell.client.call("DOMAIN_HAS_CURRENT_SNAPSHOT", domain, 0)[0]:
        raise CommandFailed(f"domain '{arguments.required('domain')}' has no current snapshot")
    current = _SNAPSHOTS.call(shell, "CURRENT", domain, 0)[0]
    if arguments.has("name"):
        shell.write(current.name)
    else:
        shell.write(_SNAPSHOTS.text(shell, current, constants.XML_SECURE * arguments.has("security-info")))


def _snapshot_info(shell: Shell, arguments: Arguments) -> None:
    domain, snapshot = _chosen(shell, arguments)
    print_facts(
        shell,
        ("Name", snapshot.name),
        ("Domain", domain.name),
        ("Current", _yes(_SNAPSHOTS.call(shell, "IS_CURRENT", snapshot, 0)[0])),
    )
    document = parse(_SNAPSHOTS.text(shell, snapshot))
    print_facts(
        shell,
        ("State", document.value("state")),
        ("Location", "external" if _is_external(document) else "internal"),
        ("Parent", document.value("parent/name") or "-"),
        ("Children", _SNAPSHOTS.call(shell, "NUM_CHILDREN", snapshot, 0)[0]),
        ("Descendants", _SNAPSHOTS.call(shell, "NUM_CHILDREN", snapshot, constants.LIST_DESCENDANTS)[0]),
        ("Metadata", _yes(_SNAPSHOTS.call(shell, "HAS_METADATA", snapshot, 0)[0])),
    )


def _yes(value: int) -> str:
    return "yes" if value else "no"


def _is_external(document: Element) -> bool:
    memory = document.first("memory")
    if memory is None:
        return document.value("state") == "disk-snapshot"
    return any(each.attributes.get("snapshot") == "external" for each in (memory, *document.all("disks/disk")))


def _snapshot_list(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(
        ("tree", "name"), ("parent", "roots"), ("parent", "tree"), ("roots", "tree"), ("roots", "from"),
        ("roots", "current"),
    )  # fmt: skip
    for name, _ in _FILTERS:
        if arguments.has(name) and arguments.has("tree"):
            raise CommandFailed(f"--{name} and --tree are mutually exclusive")
    below = arguments.has("from") or arguments.has("current")
    if arguments.has("descendants") and not below:
        raise CommandFailed("--descendants requires either --from or --current")
    domain, start = _chosen(shell, arguments, "from") if below else (shell.domain(arguments), None)
    _SNAPSHOTS.print_list(
        shell, arguments, start, _SNAPSHOTS.listed(shell, domain, start, arguments.flags(_LIST_FLAGS))
    )


def _snapshot_dumpxml(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.xpath import show

    domain = shell.domain(arguments)
    snapshot = _SNAPSHOTS.named(shell, domain, arguments.required("snapshotname"))
    show(shell, arguments, _SNAPSHOTS.text(shell, snapshot, constants.XML_SECURE * arguments.has("security-info")))


def _snapshot_parent(shell: Shell, arguments: Arguments) -> None:
    _SNAPSHOTS.print_parent(shell, _chosen(shell, arguments)[1])


def _snapshot_revert(shell: Shell, arguments: Arguments) -> None:
    _, snapshot = _chosen(shell, arguments)
    flags = arguments.flags(_REVERT_FLAGS)
    with failing(f"Failed to revert snapshot {snapshot.name}"):
        try:
            shell.client.call("DOMAIN_REVERT_TO_SNAPSHOT", snapshot, flags)
        except SnapshotRevertRisky:
            if not arguments.has("force"):
                raise
            shell.client.call("DOMAIN_REVERT_TO_SNAPSHOT", snapshot, flags | constants.REVERT_FORCE)
    shell.extra(f"Domain snapshot {snapshot.name} reverted\n")


def _snapshot_delete(shell: Shell, arguments: Arguments) -> None:
    _, snapshot = _chosen(shell, arguments)
    with failing(f"Failed to delete snapshot {snapshot.name}"):
        _SNAPSHOTS.call(shell, "DELETE", snapshot, arguments.flags(_DELETE_FLAGS))
    what = " children" if arguments.has("children-only") else ""
    shell.extra(f"Domain snapshot {snapshot.name}{what} deleted\n")


_DOMAIN = domain_argument()
_WITH_SNAPSHOT = domain_argument("domains_with_snapshot")
_NAME = Option("snapshotname", TEXT, "the snapshot", completes="snapshots")
_CURRENT = flag("current", "the snapshot the domain was at last")
_SECURE = flag("security-info", "with passwords and keys")
_TAKE = tuple(flag(name, text) for name, _, text in _TAKE_FLAGS)

COMMANDS = (
    Command(
        "snapshot-create",
        _snapshot_create,
        "a snapshot, from XML",
        "Of its disks, and of its memory if it runs.",
        _DOMAIN,
        Option("xmlfile", TEXT, "file with the document"),
        flag("redefine", "make one known that was taken before"),
        flag("current", "with --redefine, the domain is at this one"),
        *_TAKE,
    ),
    Command(
        "snapshot-create-as",
        _snapshot_create_as,
        "a snapshot, from words",
        "Of its disks, and of its memory if it runs.",
        _DOMAIN,
        Option("name", TEXT, "its name"),
        Option("description", TEXT, "its description"),
        flag("print-xml", "print the document and do nothing"),
        *_TAKE,
        Option("memspec", TEXT, "the memory: [file=]PATH[,snapshot=TYPE]", named_only=True),
        Option("diskspec", REST, "a disk: target[,snapshot=TYPE][,driver=FORMAT][,stype=file|block][,file=PATH]"),
    ),
    Command(
        "snapshot-current",
        _snapshot_current,
        "the snapshot a domain was at last",
        "Prints it, or with a name makes that one the current one.",
        _WITH_SNAPSHOT,
        flag("name", "its name alone"),
        _SECURE,
        Option("snapshotname", TEXT, "the snapshot that becomes the current one", completes="snapshots"),
    ),
    Command(
        "snapshot-delete",
        _snapshot_delete,
        "delete a snapshot",
        "",
        _WITH_SNAPSHOT,
        _NAME,
        _CURRENT,
        *(flag(name, text) for name, _, text in _DELETE_FLAGS),
    ),
    Command(
        "snapshot-dumpxml",
        _snapshot_dumpxml,
        "a snapshot as XML",
        "",
        _WITH_SNAPSHOT,
        Option("snapshotname", DATA, "the snapshot", required=True, completes="snapshots"),
        _SECURE,
        *PARTS,
    ),
    Command(
        "snapshot-edit",
        _snapshot_edit,
        "edit a snapshot's document",
        "",
        _WITH_SNAPSHOT,
        _NAME,
        flag("current", "the current one; with a name, that one becomes it"),
        flag("rename", "the name may be changed"),
        flag("clone", "with another name, it is another snapshot"),
    ),
    Command(
        "snapshot-info",
        _snapshot_info,
        "what a snapshot is, and its place among the others",
        "",
        _WITH_SNAPSHOT,
        _NAME,
        _CURRENT,
    ),
    Command(
        "snapshot-list",
        _snapshot_list,
        "the snapshots of a domain",
        "",
        _WITH_SNAPSHOT,
        flag("parent", "add a column with the parent"),
        flag("roots", "only those without a parent"),
        flag("leaves", "only those without children"),
        flag("no-leaves", "only those with children"),
        flag("metadata", "only those that something is kept of, which hinders undefine"),
        flag("no-metadata", "only those that nothing is kept of"),
        flag("inactive", "only those taken of the domain when it did not run"),
        flag("active", "only those taken of the running domain, with its memory"),
        flag("disk-only", "only those of disks alone"),
        flag("internal", "only those inside the images"),
        flag("external", "only those in files of their own"),
        flag("tree", "as a tree"),
        Option("from", TEXT, "only those below this one", completes="snapshots"),
        flag("current", "only those below the current one"),
        flag("descendants", "with --from, not its children alone"),
        flag("name", "names alone"),
        flag("topological", "parents before children, not by name"),
    ),
    Command("snapshot-parent", _snapshot_parent, "the parent of a snapshot", "", _WITH_SNAPSHOT, _NAME, _CURRENT),
    Command(
        "snapshot-revert",
        _snapshot_revert,
        "take a domain back to a snapshot",
        "What has changed since then is lost.",
        _WITH_SNAPSHOT,
        _NAME,
        _CURRENT,
        *(flag(name, text) for name, _, text in _REVERT_FLAGS[:2]),
        flag("force", "even where the domain may not come back as it was"),
        *(flag(name, text) for name, _, text in _REVERT_FLAGS[2:]),
    ),
)
