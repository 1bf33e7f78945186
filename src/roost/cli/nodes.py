"""XML that a command takes out of a document, changes and sends back: elements with all the text between them."""

from __future__ import annotations

import pyexpat

from roost.cli.failure import CommandFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_VALUE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


class Node:
    """An element. children: elements and the text between them, in order."""

    __slots__ = ("attributes", "children", "name")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Node | str] = []

    def all(self, path: str) -> Iterator[Node]:
        """The elements at `path`, such as `devices/disk`, in document order."""
        name, _, rest = path.partition("/")
        for child in self.children:
            if isinstance(child, Node) and child.name == name:
                if rest:
                    yield from child.all(rest)
                else:
                    yield child

    def first(self, path: str) -> Node | None:
        return next(self.all(path), None)

    def value(self, path: str, attribute: str) -> str | None:
        """An attribute of the first element at `path`."""
        found = self.first(path)
        return found.attributes.get(attribute) if found is not None else None

    def remove(self, name: str) -> None:
        """Take out the children of that name. The space around them stays."""
        self.children = [child for child in self.children if isinstance(child, str) or child.name != name]

    def text(self) -> str:
        """The element as libxml2 writes it."""
        start = self.name + "".join(f' {name}="{value.translate(_VALUE)}"' for name, value in self.attributes.items())
        if not self.children:
            return f"<{start}/>"
        inner = "".join(child.translate(_TEXT) if isinstance(child, str) else child.text() for child in self.children)
        return f"<{start}>{inner}</{self.name}>"


def parse(document: str) -> Node:
    """The root element of a document that the daemon has sent. Raises CommandFailed when it is none."""
    top = Node("", {})
    open_nodes = [top]

    def start(name: str, attributes: dict[str, str]) -> None:
        node = Node(name, attributes)
        open_nodes[-1].children.append(node)
        open_nodes.append(node)

    def end(_name: str) -> None:
        open_nodes.pop()

    parser = pyexpat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: open_nodes[-1].children.append(text)
    parser.buffer_text = True
    try:
        parser.Parse(document, True)
    except pyexpat.ExpatError as error:
        raise CommandFailed("Failed to parse domain description xml", f"the daemon sent XML with {error}") from None
    return next(child for child in top.children if isinstance(child, Node))


def escaped(value: str) -> str:
    """A value for an attribute in single quotes, or for text, as virsh escapes it."""
    return value.translate(_TEXT).replace('"', "&quot;").replace("'", "&apos;")
