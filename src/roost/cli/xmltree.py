"""XML of the daemon's: values are shown out of it, and elements changed and sent back with all the text in them."""

from __future__ import annotations

import pyexpat

from roost.cli.failure import CommandFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_VALUE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


class Element:
    """An element. children: elements and the text between them, in order."""

    __slots__ = ("attributes", "children", "name")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Element | str] = []

    @property
    def text(self) -> str:
        """What stands directly in it."""
        return "".join(child for child in self.children if isinstance(child, str))

    def all(self, path: str) -> Iterator[Element]:
        """The elements at `path`, such as `devices/disk`, in document order."""
        name, _, rest = path.partition("/")
        for child in self.children:
            if isinstance(child, Element) and child.name == name:
                if rest:
                    yield from child.all(rest)
                else:
                    yield child

    def first(self, path: str) -> Element | None:
        """The first element at `path`."""
        return next(self.all(path), None)

    def value(self, path: str) -> str:
        """The text of the first element at `path`, "" without one."""
        found = self.first(path)
        return found.text if found is not None else ""

    def attribute(self, path: str, *names: str) -> str | None:
        """The first of the attributes `names`, as the document has them, on an element at `path`; "" is this one."""
        for element in self.all(path) if path else (self,):
            for name, value in element.attributes.items():
                if name in names:
                    return value
        return None

    def remove(self, name: str) -> None:
        """Take out the children of that name. The space around them stays."""
        self.children = [child for child in self.children if isinstance(child, str) or child.name != name]

    def xml(self) -> str:
        """The element as libxml2 writes it."""
        start = self.name + "".join(f' {name}="{value.translate(_VALUE)}"' for name, value in self.attributes.items())
        if not self.children:
            return f"<{start}/>"
        inner = "".join(child.translate(_TEXT) if isinstance(child, str) else child.xml() for child in self.children)
        return f"<{start}>{inner}</{self.name}>"


def parse(document: str) -> Element:
    """The root element of a document that the daemon has sent. Raises CommandFailed when it is none."""
    top = Element("", {})
    open_elements = [top]

    def start(name: str, attributes: dict[str, str]) -> None:
        element = Element(name, attributes)
        open_elements[-1].children.append(element)
        open_elements.append(element)

    def end(_name: str) -> None:
        open_elements.pop()

    parser = pyexpat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: open_elements[-1].children.append(text)
    parser.buffer_text = True
    try:
        parser.Parse(document, True)
    except pyexpat.ExpatError as error:
        raise CommandFailed("Failed to parse domain description xml", f"the daemon sent XML with {error}") from None
    return next(child for child in top.children if isinstance(child, Element))


def escaped(value: str) -> str:
    """A value for an attribute in single quotes, or for text, as virsh escapes it."""
    return value.translate(_TEXT).replace('"', "&quot;").replace("'", "&apos;")


def indented(text: str) -> str:
    """Each line two spaces further in."""
    return "".join(f"  {line}\n" for line in text.splitlines())


def written(name: str, attributes: dict[str, str | None], inside: str = "") -> str:
    """An element with the attributes that are there, on lines of its own; "" for one that would be empty."""
    given = "".join(f" {key}='{escaped(value)}'" for key, value in attributes.items() if value is not None)
    if inside:
        return f"<{name}{given}>\n{indented(inside)}</{name}>\n"
    return f"<{name}{given}/>\n" if given else ""
