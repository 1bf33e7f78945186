"""Snapshots and checkpoints of domains: what the commands of both do in the same way."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.xmltree import escaped, indented, parse, written
from roost.constants import checkpoint
from roost.errors import RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.records import Domain


#: The flags that both kinds give the same numbers.
_SECURE = checkpoint.XML_SECURE
_METADATA_ONLY = checkpoint.DELETE_METADATA_ONLY


class Moments:
    """One of the two kinds, "snapshot" or "checkpoint".

    missing: the error that says that there is no such moment.
    columns: header and path of what a table shows of one between its time and its parent.
    """

    def __init__(self, kind: str, missing: type[RoostError], columns: Sequence[tuple[str, str]] = ()) -> None:
        self.kind = kind
        self._missing = missing
        self._columns = columns

    def call(self, shell: Shell, procedure: str, *arguments: object) -> tuple[Any, ...]:
        """Call a procedure of this kind, such as GET_PARENT."""
        return shell.client.call(f"DOMAIN_{self.kind.upper()}_{procedure}", *arguments)

    def create(self, shell: Shell, domain: Domain, text: str, flags: int, path: str | None = None) -> None:
        """Make one from a document, and say so. path: the file that the document came from."""
        made = self.call(shell, "CREATE_XML", domain, text, flags)[0]
        source = f" from '{path}'" if path is not None else ""
        shell.extra(f"Domain {self.kind} {made.name} created{source}")

    def create_or_print(self, shell: Shell, arguments: Arguments, domain: Domain, parts: str, flags: int) -> None:
        """Make one from name, description and `parts`, elements with line ends; or print the document."""
        # A description may have lines of its own, which stay as they are.
        words = [
            f"  <{name}>{escaped(value)}</{name}>\n"
            for name in ("name", "description")
            if (value := arguments.text(name)) is not None
        ]
        text = f"<domain{self.kind}>\n{''.join(words)}{indented(parts)}</domain{self.kind}>\n"
        if arguments.has("print-xml"):
            shell.write(f"{text}\n")
        else:
            self.create(shell, domain, text, flags)

    def named(self, shell: Shell, domain: Domain, name: str) -> Any:
        """The one of that name."""
        return self.call(shell, "LOOKUP_BY_NAME", domain, name, 0)[0]

    def text(self, shell: Shell, moment: Any, flags: int = 0) -> str:
        """Its document."""
        text: str = self.call(shell, "GET_XML_DESC", moment, flags)[0]
        return text

    def parent(self, shell: Shell, moment: Any) -> str | None:
        """The name of its parent, None when it has none."""
        try:
            name: str = self.call(shell, "GET_PARENT", moment, 0)[0].name
        except self._missing:
            return None
        return name

    def edit(self, shell: Shell, domain: Domain, moment: Any, flags: int, *, unchanged_too: bool = False) -> str | None:
        """Let the user edit its document; the name it has then, None for a document that was not changed.

        flags: for defining it anew.
        unchanged_too: define it anew also where nothing was changed.
        """
        from roost.cli.editor import edit

        def define(text: str, *, relaxed: bool = False) -> str:
            name: str = self.call(shell, "CREATE_XML", domain, text, flags)[0].name
            return name

        def read() -> str:
            return self.text(shell, moment, _SECURE)

        line = f"Failed to update {moment.name}"
        try:
            with failing(line):
                return edit(shell, read=read, write=define, can_relax=False, unchanged_too=unchanged_too)
        except CommandFailed as failure:
            if line in failure.lines:
                raise
            raise CommandFailed(*failure.lines, line, cause=failure.cause) from None

    def forget(self, shell: Shell, moment: Any) -> None:
        """Delete what is kept of it, and leave the images as they are."""
        self.call(shell, "DELETE", moment, _METADATA_ONLY)

    def print_parent(self, shell: Shell, moment: Any) -> None:
        """The name of its parent. Raises CommandFailed when it has none."""
        parent = self.parent(shell, moment)
        if parent is None:
            raise CommandFailed(f"{self.kind} '{moment.name}' has no parent")
        shell.write(parent)

    def listed(self, shell: Shell, domain: Domain, start: Any, flags: int) -> list[Any]:
        """Those of a domain, or those below `start` where that is not None."""
        if start is not None:
            return list(self.call(shell, "LIST_ALL_CHILDREN", start, 1, flags)[0])
        return list(shell.client.call(f"DOMAIN_LIST_ALL_{self.kind.upper()}S", domain, 1, flags)[0])

    def print_list(self, shell: Shell, arguments: Arguments, start: Any, found: list[Any]) -> None:
        """As --tree, --name, --parent and --topological say."""
        if arguments.has("tree"):
            self._print_tree(shell, arguments, start, found)
            return
        if not arguments.has("topological"):
            found.sort(key=lambda each: _order(each.name))
        if arguments.has("name"):
            shell.write("".join(f"{each.name}\n" for each in found))
            return
        columns = [*self._columns, ("Parent", "parent/name")] if arguments.has("parent") else self._columns
        rows = [self._row(shell, each, [path for _, path in columns]) for each in found]
        shell.table(["Name", "Creation Time", *(header for header, _ in columns)], rows)

    def _print_tree(self, shell: Shell, arguments: Arguments, start: Any, found: list[Any]) -> None:
        from roost.cli.tree import draw

        parents = {each.name: self.parent(shell, each) for each in found}
        if start is not None:
            parents[start.name] = None
        if not arguments.has("topological"):
            parents = {name: parents[name] for name in sorted(parents, key=_order)}
        shell.write(draw(parents))

    def _row(self, shell: Shell, moment: Any, paths: Sequence[str]) -> list[str]:
        from datetime import datetime

        document = parse(self.text(shell, moment))
        seconds, *values = (document.value(path) for path in ("creationTime", *paths))
        made = datetime.fromtimestamp(int(seconds or 0)).astimezone()
        return [moment.name, made.strftime("%Y-%m-%d %H:%M:%S %z"), *values]


def spec(kind: str, text: str, words: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """The settings `name=value` among the words of a memspec or diskspec. Raises CommandFailed for anything else."""
    given = dict(word.partition("=")[::2] for word in words)
    if len(given) != len(words) or not given.keys() <= set(names) or not all("=" in word for word in words):
        raise CommandFailed(f"unable to parse {kind}: {text}")
    return given


def disks(elements: Sequence[str]) -> str:
    """The element <disks>, "" without disks."""
    return written("disks", {}, "".join(elements)) if elements else ""


def print_facts(shell: Shell, *facts: tuple[str, object]) -> None:
    """One line for each name and value, as -info commands have them."""
    for name, value in facts:
        shell.write(f"{name + ':':<15} {value}\n")


def _order(name: str) -> bytes:
    """How strcasecmp sorts."""
    return name.encode("utf-8", "surrogateescape").lower()
